#include "tests/unit/tree/fixture.h"

static void set_policy(struct fixture *f, struct node *dir, const char *key, enum policy_on_rename on_rename, enum policy_enforce enforce)
{
	struct policy p = { .on_rename = on_rename, .enforce = enforce };

	snprintf(p.key, sizeof(p.key), "%s", key);
	assert_ok(tree_dir_id(f->t, dir, p.dir_id));
	assert_ok(bucket_policy_set(f->b, &p));
}

/* The key that a file's newest slot names. */
static void expect_key(struct fixture *f, struct node *n, const uint8_t key[static KEY_ID_LEN])
{
	char text[UUID_TEXT_LEN + 1], got[64];
	size_t len;

	uuid_text(key, text);
	assert_ok(tree_getxattr(f->t, n, "user.rekeyfs.key-id", got, sizeof(got), &len));
	got[len] = '\0';
	assert_string_equal(got, text);
}

static enum err try_open(struct fixture *f, struct node *n, int flags)
{
	struct open_file *file;
	enum err e = tree_open(f->t, n, flags, &f->me, &file);

	if (e == ERR_OK)
		e = tree_release(f->t, file);
	return e;
}

static void disable(struct fixture *f, const uint8_t key[static KEY_ID_LEN], int enable)
{
	char text[UUID_TEXT_LEN + 1];

	uuid_text(key, text);
	assert_ok(enable ? keymgr_enable_key(f->k, text) : keymgr_disable_key(f->k, text));
}

static void test_nearest_decides(void **state)
{
	struct fixture *f = *state;
	struct node *a = make_dir(f, f->root, "a"), *b = make_dir(f, a, "b"), *c = make_dir(f, b, "c");
	uint8_t one[KEY_ID_LEN], two[KEY_ID_LEN], got[KEY_ID_LEN];
	struct node *before = make_file(f, c, "before", "x"), *n;
	struct policy p;

	fixture_key(f, "alias/one", one);
	fixture_key(f, "alias/two", two);
	set_policy(f, a, "alias/one", ON_RENAME_MIGRATE, ENFORCE_NO);
	assert_ok(tree_policy_key(f->t, c, got));
	assert_memory_equal(got, one, KEY_ID_LEN);
	assert_ok(tree_policy(f->t, c, &p));
	assert_string_equal(p.key, "alias/one");
	n = make_file(f, c, "one", "x");
	expect_key(f, n, one);
	forget(f, n);
	set_policy(f, b, "alias/two", ON_RENAME_MIGRATE, ENFORCE_NO);
	n = make_file(f, c, "two", "x");
	expect_key(f, n, two);
	forget(f, n);
	n = make_file(f, f->root, "root", "x");
	expect_key(f, n, f->key);
	/* Old files keep theirs; cut to zero they take the new one, as a PUT does. */
	expect_key(f, before, f->key);
	assert_ok(try_open(f, before, O_RDWR));
	expect_key(f, before, f->key);
	assert_ok(try_open(f, before, O_WRONLY | O_TRUNC));
	expect_key(f, before, two);
	struct stat st;
	assert_ok(tree_rename(f->t, c, "before", f->root, "before", 0));
	assert_ok(tree_setattr(f->t, before, NULL, &(struct tree_attr){ .size = 0 }, TREE_SET_SIZE, &st));
	expect_key(f, before, f->key);
	/* An alias is resolved when a file is written. */
	char text[UUID_TEXT_LEN + 1];
	uuid_text(one, text);
	assert_ok(keymgr_update_alias(f->k, "alias/two", text));
	forget(f, n);
	n = make_file(f, c, "three", "x");
	expect_key(f, n, one);
	forget(f, n), forget(f, before), forget(f, a), forget(f, b), forget(f, c);
}

static void test_removed_directories(void **state)
{
	struct fixture *f = *state;
	struct node *a = make_dir(f, f->root, "a"), *b = make_dir(f, f->root, "b"), *c = make_dir(f, f->root, "c");
	uint8_t one[KEY_ID_LEN];

	fixture_key(f, "alias/one", one);
	set_policy(f, a, "alias/one", ON_RENAME_MIGRATE, ENFORCE_NO);
	set_policy(f, b, "alias/one", ON_RENAME_MIGRATE, ENFORCE_NO);
	assert_int_equal(policy_only_root(f->b->policies), 0);
	assert_ok(tree_rmdir(f->t, f->root, "a"));
	assert_ok(tree_rename(f->t, f->root, "c", f->root, "b", 0));
	/* Nothing that is gone holds a key back. */
	assert_int_equal(policy_only_root(f->b->policies), 1);
	forget(f, a), forget(f, b), forget(f, c);
}

static int drifted;
static struct node *drifted_node;

static void note_drift(void *context, struct node *n)
{
	drifted++;
	drifted_node = n;
}

static void test_on_rename(void **state)
{
	struct fixture *f = *state;
	struct tree_events events = { .drift = note_drift };
	struct node *a = make_dir(f, f->root, "a"), *b = make_dir(f, f->root, "b"), *n = make_file(f, f->root, "n", "x"), *sub = make_dir(f, f->root, "sub");
	uint8_t one[KEY_ID_LEN], two[KEY_ID_LEN];
	struct stat st;

	drifted = 0;
	tree_set_events(f->t, &events);
	fixture_key(f, "alias/one", one);
	fixture_key(f, "alias/two", two);
	assert_ok(tree_rename(f->t, f->root, "n", a, "n", 0));
	assert_int_equal(drifted, 0);
	set_policy(f, a, "alias/one", ON_RENAME_MIGRATE, ENFORCE_NO);
	set_policy(f, b, "alias/two", ON_RENAME_KEEP, ENFORCE_NO);
	assert_ok(tree_rename(f->t, a, "n", f->root, "n", 0));
	assert_int_equal(drifted, 1);
	assert_ptr_equal(drifted_node, n);
	assert_ok(tree_rename(f->t, f->root, "n", b, "n", 0));
	assert_int_equal(drifted, 1);
	assert_ok(tree_rename(f->t, b, "n", b, "m", 0));
	assert_int_equal(drifted, 1);
	assert_ok(tree_rename(f->t, f->root, "sub", a, "sub", 0));
	assert_int_equal(drifted, 2);
	assert_ptr_equal(drifted_node, sub);
	/* One with a policy of its own takes it along. */
	set_policy(f, sub, "alias/two", ON_RENAME_KEEP, ENFORCE_NO);
	assert_ok(tree_rename(f->t, a, "sub", f->root, "sub", 0));
	assert_int_equal(drifted, 2);
	/* A link counts as a rename; an exchange as two. */
	assert_ok(tree_link(f->t, n, a, "link", &st));
	assert_int_equal(drifted, 3);
	forget(f, make_file(f, f->root, "x", "x"));
	forget(f, make_file(f, a, "y", "y"));
	assert_ok(tree_rename(f->t, f->root, "x", a, "y", RENAME_EXCHANGE));
	assert_int_equal(drifted, 5);
	tree_forget(f->t, n, 2);
	forget(f, a), forget(f, b), forget(f, sub);
}

static void test_enforce(void **state)
{
	struct fixture *f = *state;
	struct node *keep = make_dir(f, f->root, "keep"), *move = make_dir(f, f->root, "move"), *n = make_file(f, f->root, "n", "x"), *in;
	uint8_t one[KEY_ID_LEN];
	struct stat st;

	fixture_key(f, "alias/one", one);
	in = make_file(f, keep, "in", "x");
	set_policy(f, keep, "alias/one", ON_RENAME_KEEP, ENFORCE_WARN);
	set_policy(f, move, "alias/one", ON_RENAME_MIGRATE, ENFORCE_DENY);
	assert_ok(try_open(f, in, O_RDONLY));
	set_policy(f, keep, "alias/one", ON_RENAME_KEEP, ENFORCE_DENY);
	assert_err(try_open(f, in, O_RDONLY), ERRNO(EACCES));
	assert_err(try_open(f, in, O_RDWR), ERRNO(EACCES));
	/* Where nothing would ever bring it under the key, it may not come. */
	assert_err(tree_rename(f->t, f->root, "n", keep, "n", 0), ERR_REFUSED);
	assert_err(tree_link(f->t, n, keep, "n", &st), ERR_REFUSED);
	assert_ok(tree_rename(f->t, f->root, "n", move, "n", 0));
	assert_err(try_open(f, n, O_RDONLY), ERRNO(EACCES));
	/* What is written anew is under the right key. */
	assert_ok(try_open(f, in, O_WRONLY | O_TRUNC));
	assert_ok(try_open(f, in, O_RDONLY));
	expect_key(f, in, one);
	assert_ok(tree_rename(f->t, keep, "in", move, "in", 0));
	assert_ok(try_open(f, in, O_RDONLY));
	forget(f, n), forget(f, in), forget(f, keep), forget(f, move);
}

/* A disabled key hides contents, never names. */
static void test_disabled(void **state)
{
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d"), *a, *b;
	uint8_t one[KEY_ID_LEN];
	struct open_file *file;
	struct stat st;

	fixture_key(f, "alias/one", one);
	set_policy(f, d, "alias/one", ON_RENAME_MIGRATE, ENFORCE_NO);
	a = make_file(f, d, "a", "text");
	b = make_file(f, d, "b", "text");
	fixture_reopen(f, BUCKET_READ_WRITE);
	disable(f, one, 0);
	assert_ok(look(f, f->root, "d", &d, NULL));
	assert_ok(look(f, d, "a", &a, &st));
	assert_int_equal(st.st_size, 4);
	assert_string_equal(list(f, d), "a b ");
	assert_err(try_open(f, a, O_RDONLY), ERR_NO_KEY);
	assert_err(tree_create(f->t, d, "new", 0600, O_RDWR, &f->me, &b, &st, &file), ERR_NO_KEY);
	assert_non_null(strstr(err_message(ERR_NO_KEY), "alias/one"));
	assert_non_null(strstr(err_message(ERR_NO_KEY), "Disabled"));
	assert_string_equal(list(f, d), "a b ");
	assert_ok(tree_rename(f->t, d, "a", d, "c", 0));
	assert_ok(tree_unlink(f->t, d, "b"));
	/* Written anew under another directory's key it can be read again. */
	assert_ok(tree_rename(f->t, d, "c", f->root, "c", 0));
	assert_err(try_open(f, a, O_RDONLY), ERR_NO_KEY);
	assert_ok(try_open(f, a, O_WRONLY | O_TRUNC));
	assert_string_equal(read_file(f, a), "");
	expect_key(f, a, f->key);
	forget(f, a), forget(f, d);
}

static int invalidated;

static void note_invalidation(void *context, struct node *n)
{
	invalidated++;
}

static void test_lock_and_unlock(void **state)
{
	struct fixture *f = *state;
	struct tree_events events = { .invalidate = note_invalidation };
	struct node *d = make_dir(f, f->root, "d"), *open, *lingers, *other;
	struct open_file *file;
	uint8_t one[KEY_ID_LEN];
	char got[10];
	size_t len;

	invalidated = 0;
	tree_set_events(f->t, &events);
	fixture_key(f, "alias/one", one);
	set_policy(f, d, "alias/one", ON_RENAME_MIGRATE, ENFORCE_NO);
	open = make_file(f, d, "open", "text");
	lingers = make_file(f, d, "lingers", "text");
	other = make_file(f, f->root, "other", "text");
	assert_ok(tree_open(f->t, open, O_RDWR, &f->me, &file));
	assert_ok(content_write(open_file_content(file), "dirty", 5, 0));
	disable(f, one, 0);
	assert_ok(tree_lock_key(f->t, one));
	assert_int_equal(invalidated, 4);	/* each of the two before, for what the kernel has not written yet, and after */
	assert_err(content_read(open_file_content(file), got, sizeof(got), 0, &len), ERR_NO_KEY);
	assert_err(content_write(open_file_content(file), "x", 1, 0), ERR_NO_KEY);
	assert_err(try_open(f, open, O_RDONLY), ERR_NO_KEY);
	assert_err(try_open(f, lingers, O_RDONLY), ERR_NO_KEY);
	assert_string_equal(read_file(f, other), "text");
	disable(f, one, 1);
	assert_ok(tree_unlock_key(f->t, one));
	assert_ok(content_read(open_file_content(file), got, sizeof(got), 0, &len));
	assert_memory_equal(got, "dirty", 5);
	assert_string_equal(read_file(f, lingers), "text");
	/* The whole mount. */
	assert_ok(tree_lock_key(f->t, NULL));
	assert_err(content_read(open_file_content(file), got, sizeof(got), 0, &len), ERR_NO_KEY);
	assert_err(try_open(f, other, O_RDONLY), ERR_NO_KEY);
	assert_string_equal(list(f, d), "lingers open ");
	assert_ok(tree_unlock_key(f->t, NULL));
	assert_string_equal(read_file(f, other), "text");
	assert_string_equal(read_file(f, open), "dirty");
	assert_ok(tree_release(f->t, file));
	forget(f, open), forget(f, lingers), forget(f, other), forget(f, d);
}

/* A key in PendingDeletion: what is opened comes under the policy's key, where that is another one. */
static void test_pending_deletion(void **state)
{
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d"), *n, *stuck;
	uint8_t one[KEY_ID_LEN], two[KEY_ID_LEN];
	struct open_file *file;
	char text[UUID_TEXT_LEN + 1];
	struct key_metadata m;
	struct stat st;

	fixture_key(f, "alias/one", one);
	fixture_key(f, "alias/two", two);
	set_policy(f, d, "alias/one", ON_RENAME_MIGRATE, ENFORCE_NO);
	forget(f, make_file(f, d, "a", "text"));
	forget(f, make_file(f, d, "b", "text"));
	forget(f, d);
	uuid_text(one, text);
	assert_ok(keymgr_schedule_deletion(f->k, text, &(struct deletion_options){ .window_days = 7 }, &m));
	key_metadata_release(&m);
	fixture_reopen(f, BUCKET_READ_WRITE);
	assert_ok(tree_resolve(f->t, "d/b", &stuck, &st));
	assert_ok(tree_resolve(f->t, "d", &d, &st));
	/* Nowhere to go as long as the policy names the pending one. */
	assert_err(try_open(f, stuck, O_RDONLY), ERR_NO_KEY);
	assert_err(tree_create(f->t, d, "new", 0600, O_RDWR, &f->me, &n, &st, &file), ERR_NO_KEY);
	assert_non_null(strstr(err_message(ERR_NO_KEY), "PendingDeletion"));
	assert_non_null(strstr(err_message(ERR_NO_KEY), "rekeyfs policy set"));
	set_policy(f, d, "alias/two", ON_RENAME_MIGRATE, ENFORCE_NO);
	assert_ok(look(f, d, "a", &n, NULL));
	assert_string_equal(read_file(f, n), "text");
	expect_key(f, n, two);
	assert_string_equal(read_file(f, stuck), "text");
	forget(f, n), forget(f, d), forget(f, stuck);
	fixture_reopen(f, BUCKET_READ_WRITE);
	assert_ok(tree_resolve(f->t, "d/a", &n, &st));
	expect_key(f, n, two);
	assert_string_equal(read_file(f, n), "text");
	forget(f, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nearest_decides),
		TEST(test_removed_directories),
		TEST(test_on_rename),
		TEST(test_enforce),
		TEST(test_disabled),
		TEST(test_lock_and_unlock),
		TEST(test_pending_deletion),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
