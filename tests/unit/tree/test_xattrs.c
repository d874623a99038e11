#include "tests/unit/tree/fixture.h"

#include <sys/xattr.h>

/* "value", or what went wrong. */
static const char *get(struct fixture *f, struct node *n, const char *name)
{
	static char value[70000];
	size_t len = 0, again = 0;
	enum err e = tree_getxattr(f->t, n, name, value, sizeof(value) - 1, &len);

	if (e != ERR_OK)
		return strerrorname_np(err_to_errno(e));
	assert_ok(tree_getxattr(f->t, n, name, NULL, 0, &again));
	assert_int_equal(len, again);
	value[len] = '\0';
	return value;
}

/* Names, each followed by a blank; those of security modules are left out. */
static const char *names_of(struct fixture *f, struct node *n)
{
	static char text[70000];
	char names[65536], *at = text;
	size_t len = 0, again = 0;

	assert_ok(tree_listxattr(f->t, n, names, sizeof(names), &len));
	assert_ok(tree_listxattr(f->t, n, NULL, 0, &again));
	assert_int_equal(len, again);
	*at = '\0';
	for (char *name = names; name < names + len; name += strlen(name) + 1)
		if (strncmp(name, "security.", 9) != 0)
			at = stpcpy(stpcpy(at, name), " ");
	return text;
}

static enum err set(struct fixture *f, struct node *n, const char *name, const char *value, int flags)
{
	return tree_setxattr(f->t, n, name, value, strlen(value), flags);
}

static void use(struct fixture *f, struct node *n)
{
	size_t len;
	char few[3];

	assert_string_equal(names_of(f, n), "");
	assert_string_equal(get(f, n, "user.one"), "ENODATA");
	assert_err(tree_removexattr(f->t, n, "user.one"), ERRNO(ENODATA));
	assert_err(set(f, n, "user.one", "1", XATTR_REPLACE), ERRNO(ENODATA));
	assert_ok(set(f, n, "user.one", "first", XATTR_CREATE));
	assert_err(set(f, n, "user.one", "1", XATTR_CREATE), ERRNO(EEXIST));
	assert_ok(set(f, n, "user.empty", "", 0));
	assert_string_equal(get(f, n, "user.one"), "first");
	assert_string_equal(get(f, n, "user.empty"), "");
	assert_err(tree_getxattr(f->t, n, "user.one", few, sizeof(few), &len), ERRNO(ERANGE));
	assert_err(tree_listxattr(f->t, n, few, sizeof(few), &len), ERRNO(ERANGE));
	assert_ok(set(f, n, "user.one", "second", XATTR_REPLACE));
	assert_string_equal(get(f, n, "user.one"), "second");
	assert_int_equal(strlen(names_of(f, n)), strlen("user.one user.empty "));
	assert_non_null(strstr(names_of(f, n), "user.one "));
	assert_non_null(strstr(names_of(f, n), "user.empty "));
	assert_ok(tree_removexattr(f->t, n, "user.empty"));
	assert_string_equal(names_of(f, n), "user.one ");
}

/* Neither name nor value lies in the bucket in clear. */
static void expect_sealed(struct fixture *f, struct node *n)
{
	char names[4096], value[4096];
	const char *path;
	struct stat st;
	ssize_t len;

	assert_ok(tree_getattr(f->t, n, &st));
	path = lower_path(f, st.st_ino);
	len = listxattr(path, names, sizeof(names));
	assert_true(len > 0);
	assert_null(memmem(names, (size_t)len, "user.one", 8));
	for (char *name = names; name < names + len; name += strlen(name) + 1) {
		ssize_t got = getxattr(path, name, value, sizeof(value));

		assert_true(got >= 0);
		assert_null(memmem(value, (size_t)got, "second", 6));
		assert_null(memmem(value, (size_t)got, "user.one", 8));
	}
}

static void test_files_and_directories(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", ""), *d = make_dir(f, f->root, "d");
	struct stat st;

	use(f, n);
	expect_sealed(f, n);
	use(f, d);
	expect_sealed(f, d);
	use(f, f->root);
	/* They go with the inode, wherever it is named. */
	assert_ok(tree_rename(f->t, f->root, "a", d, "b", 0));
	assert_ok(tree_rename(f->t, f->root, "d", f->root, "e", 0));
	forget(f, n), forget(f, d);
	fixture_reopen(f, BUCKET_READ_WRITE);
	assert_ok(tree_resolve(f->t, "e/b", &n, &st));
	assert_ok(tree_resolve(f->t, "e", &d, &st));
	assert_string_equal(get(f, n, "user.one"), "second");
	assert_string_equal(names_of(f, n), "user.one ");
	assert_string_equal(get(f, d, "user.one"), "second");
	assert_string_equal(get(f, f->root, "user.one"), "second");
	forget(f, n), forget(f, d);
}

static void test_sizes(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", "x");
	char name[300], *value = calloc(1, 70001);

	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[255] = '\0';
	assert_ok(set(f, n, name, "v", 0));
	assert_string_equal(get(f, n, name), "v");
	name[255] = 'n';
	name[256] = '\0';
	assert_err(set(f, n, name, "v", 0), ERR_TOO_LONG);
	memset(value, 'v', 70000);
	assert_err(set(f, n, "user.large", value, 0), ERRNO(E2BIG));
	value[3000] = '\0';
	assert_ok(set(f, n, "user.large", value, 0));
	assert_string_equal(get(f, n, "user.large"), value);
	free(value);
	forget(f, n);
}

static void test_trusted(void **state)
{
	struct fixture *f = *state;
	struct node *n, *l;
	struct stat st;

	if (geteuid() != 0)
		skip();
	n = make_file(f, f->root, "a", "x");
	assert_ok(tree_symlink(f->t, f->root, "l", "a", &f->me, &l, &st));
	if (set(f, l, "trusted.x", "of the link", 0) == ERRNO(EOPNOTSUPP))
		skip();
	assert_string_equal(get(f, l, "trusted.x"), "of the link");
	assert_string_equal(get(f, n, "trusted.x"), "ENODATA");
	assert_string_equal(names_of(f, l), "trusted.x ");
	assert_ok(tree_removexattr(f->t, l, "trusted.x"));
	assert_string_equal(names_of(f, l), "");
	/* The kernel's own pass through. */
	assert_ok(set(f, n, "security.test", "plain", 0));
	assert_string_equal(get(f, n, "security.test"), "plain");
	assert_ok(tree_removexattr(f->t, n, "security.test"));
	forget(f, n), forget(f, l);
}

static void test_virtual(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", "x"), *d = make_dir(f, f->root, "d");
	char key[UUID_TEXT_LEN + 1];

	uuid_text(f->key, key);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(get(f, n, "user.rekeyfs.bucket"), f->lower);
		assert_string_equal(get(f, d, "user.rekeyfs.bucket"), f->lower);
		assert_string_equal(get(f, n, "user.rekeyfs.key-id"), key);
		assert_string_equal(get(f, d, "user.rekeyfs.key-id"), key);
		assert_int_equal(strlen(get(f, n, "user.rekeyfs.key-material-id")), 64);
		assert_string_equal(get(f, d, "user.rekeyfs.key-material-id"), "ENODATA");
		assert_string_equal(get(f, n, "user.rekeyfs.suite"), aead_name(aead_default()));
		assert_string_equal(get(f, n, "user.rekeyfs.other"), "ENODATA");
		assert_err(set(f, n, "user.rekeyfs.key-id", "x", 0), ERR_REFUSED);
		assert_err(tree_removexattr(f->t, n, "user.rekeyfs.key-id"), ERR_REFUSED);
		assert_string_equal(names_of(f, n), "");
		/* Once more from the lower file alone, without opening it. */
		forget(f, n), forget(f, d);
		fixture_reopen(f, BUCKET_READ_WRITE);
		assert_ok(look(f, f->root, "a", &n, NULL));
		assert_ok(look(f, f->root, "d", &d, NULL));
	}
	forget(f, n), forget(f, d);
}

/* A file whose key is away shows that it is there. */
static void test_without_the_key(void **state)
{
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d"), *n;
	uint8_t id[KEY_ID_LEN];
	struct policy p = { .key = "alias/other" };
	char key[UUID_TEXT_LEN + 1];
	struct stat st;

	fixture_key(f, "alias/other", id);
	assert_ok(tree_dir_id(f->t, d, p.dir_id));
	assert_ok(bucket_policy_set(f->b, &p));
	n = make_file(f, d, "a", "x");
	assert_ok(set(f, n, "user.one", "1", 0));
	uuid_text(id, key);
	assert_string_equal(get(f, n, "user.rekeyfs.key-id"), key);
	forget(f, n), forget(f, d);
	assert_ok(keymgr_disable_key(f->k, key));
	fixture_reopen(f, BUCKET_READ_WRITE);
	assert_ok(tree_resolve(f->t, "d/a", &n, &st));
	assert_string_equal(get(f, n, "user.rekeyfs.key-id"), key);
	assert_string_equal(names_of(f, n), "");
	assert_string_equal(get(f, n, "user.one"), "ENOKEY");
	assert_string_equal(get(f, n, "user.none"), "ENOKEY");
	assert_ok(keymgr_enable_key(f->k, key));
	assert_string_equal(get(f, n, "user.one"), "1");
	assert_string_equal(names_of(f, n), "user.one ");
	forget(f, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_files_and_directories),
		TEST(test_sizes),
		TEST(test_trusted),
		TEST(test_virtual),
		TEST(test_without_the_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
