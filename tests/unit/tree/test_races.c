#include "tests/unit/tree/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define ROUNDS 400
#define THREADS 4

struct racer { struct fixture *f; struct node *dirs[2]; unsigned number; unsigned seed; };

static atomic_uint failures;

/* What two that use the same names at once may see. */
static int is_usual(enum err e)
{
	switch (err_to_errno(e)) {
	case 0: case ENOENT: case EEXIST: case ESTALE: case ENOTEMPTY: case EISDIR: case ENOTDIR: case EINVAL:
		return 1;
	}
	return 0;
}

static void check(enum err e, const char *what)
{
	if (is_usual(e))
		return;
	print_error("%s: %s\n", what, err_message(e));
	failures++;
}

static unsigned next(struct racer *r, unsigned below)
{
	r->seed = r->seed * 1103515245 + 12345;
	return (r->seed >> 16) % below;
}

static const char *some_name(struct racer *r, char name[static 256])
{
	unsigned i = next(r, 6);

	memset(name, 'a' + (int)i, 255);
	name[i < 3 ? 1 : 170 + i] = '\0';
	return name;
}

static void use_file(struct racer *r, struct node *n, struct open_file *file)
{
	struct content *c = open_file_content(file);
	char bytes[64];
	size_t got;

	check(content_write(c, "some bytes", 10, next(r, 3) * 4096), "write");
	check(content_read(c, bytes, sizeof(bytes), 0, &got), "read");
	check(tree_flush(r->f->t, file), "flush");
	check(tree_release(r->f->t, file), "release");
}

static void make_one(struct racer *r, struct node *d, const char *name)
{
	struct open_file *file;
	struct node *n;
	struct stat st;
	enum err e;

	if (next(r, 4) == 0) {
		e = tree_mkdir(r->f->t, d, name, 0755, &r->f->me, &n, &st);
	} else {
		e = tree_create(r->f->t, d, name, 0644, O_RDWR, &r->f->me, &n, &st, &file);
		if (e == ERR_OK)
			use_file(r, n, file);
	}
	check(e, "make");
	if (e == ERR_OK)
		forget(r->f, n);
}

static void look_at_one(struct racer *r, struct node *d, const char *name)
{
	struct open_file *file;
	struct node *n;
	struct stat st;
	enum err e = tree_lookup(r->f->t, d, name, &n, &st);

	check(e, "lookup");
	if (e != ERR_OK)
		return;
	check(tree_getattr(r->f->t, n, &st), "getattr");
	if (S_ISREG(st.st_mode)) {
		e = tree_open(r->f->t, n, next(r, 2) ? O_RDWR : O_RDWR | O_TRUNC, &r->f->me, &file);
		check(e, "open");
		if (e == ERR_OK)
			use_file(r, n, file);
		if (next(r, 4) == 0) {
			e = tree_link(r->f->t, n, r->dirs[next(r, 2)], "link", &st);
			check(e, "link");
			if (e == ERR_OK)
				forget(r->f, n);
		}
	}
	forget(r->f, n);
}

static int forget_all(void *context, const char *name, const struct stat *st, struct node *n, uint64_t offset)
{
	if (n)
		tree_forget(context, n, 1);
	return 0;
}

static void list_one(struct racer *r, struct node *d)
{
	struct open_dir *open;
	enum err e = tree_opendir(r->f->t, d, &open);

	check(e, "opendir");
	if (e != ERR_OK)
		return;
	check(tree_readdir(r->f->t, open, 0, (int)next(r, 2), forget_all, r->f->t), "readdir");
	tree_releasedir(r->f->t, open);
}

static void *race(void *argument)
{
	static const unsigned flags[] = { 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE };
	struct racer *r = argument;
	char one[256], two[256];

	for (int i = 0; i < ROUNDS; i++) {
		struct node *d = r->dirs[next(r, 2)];

		some_name(r, one);
		switch (next(r, 7)) {
		case 0:
		case 1:
			make_one(r, d, one);
			break;
		case 2:
			look_at_one(r, d, one);
			break;
		case 3:
			check(tree_unlink(r->f->t, d, next(r, 5) ? one : "link"), "unlink");
			break;
		case 4:
			check(tree_rmdir(r->f->t, d, one), "rmdir");
			break;
		case 5:
			check(tree_rename(r->f->t, d, one, r->dirs[next(r, 2)], some_name(r, two), flags[next(r, 4)]), "rename");
			break;
		case 6:
			list_one(r, d);
			break;
		}
	}
	return NULL;
}

static atomic_int stopping;

static void *checkpoints(void *argument)
{
	struct fixture *f = argument;

	while (!stopping) {
		check(content_checkpoint(f->b), "checkpoint");
		usleep(20000);
	}
	return NULL;
}

static void remove_all(struct fixture *f, struct node *d)
{
	char names[65536], *name, *rest = names;

	strcpy(names, list(f, d));
	while ((name = strsep(&rest, " ")) && *name) {
		enum err e = tree_unlink(f->t, d, name);

		if (e == ERRNO(EISDIR))
			e = tree_rmdir(f->t, d, name);
		assert_ok(e);
	}
}

static void test_names_in_many_hands(void **state)
{
	struct fixture *f = *state;
	struct node *dirs[2] = { make_dir(f, f->root, "a"), make_dir(f, f->root, "b") };
	struct racer racers[THREADS];
	pthread_t threads[THREADS], saver;
	struct stat st[2];

	failures = 0;
	stopping = 0;
	assert_int_equal(pthread_create(&saver, NULL, checkpoints, f), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		racers[i] = (struct racer){ f, { dirs[0], dirs[1] }, i, i * 7919 + 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	stopping = 1;
	pthread_join(saver, NULL);
	assert_int_equal(failures, 0);
	assert_int_equal(tree_open_files(f->t), 0);
	/* What is left is whole: all of it can be removed, and nothing stays behind it. */
	for (int i = 0; i < 2; i++) {
		assert_ok(tree_getattr(f->t, dirs[i], &st[i]));
		remove_all(f, dirs[i]);
		assert_int_equal(count_lower(f, st[i].st_ino, "rekeyfs.new-", ""), 0);
		assert_int_equal(count_lower(f, st[i].st_ino, "rekeyfs.old-", ""), 0);
		assert_ok(tree_rmdir(f->t, f->root, i ? "b" : "a"));
		forget(f, dirs[i]);
	}
}

/* One file opened, closed and dropped from the list of lingering ones by several at once, while checkpoints hold it. */
static void *reopen(void *argument)
{
	struct racer *r = argument;
	char name[20];

	for (int i = 0; i < 150; i++) {
		struct open_file *file;
		struct node *n;
		struct stat st;

		snprintf(name, sizeof(name), "file %u", next(r, 3));
		if (tree_lookup(r->f->t, r->f->root, name, &n, &st) != ERR_OK)
			continue;
		if (tree_open(r->f->t, n, O_RDWR, &r->f->me, &file) == ERR_OK) {
			uint64_t at = 4096 * (uint64_t)(r->number + 4 * next(r, 100));
			char bytes[4096], back[4096];
			size_t got;

			memset(bytes, (int)next(r, 256), sizeof(bytes));
			check(content_write(open_file_content(file), bytes, sizeof(bytes), at), "write");
			check(tree_release(r->f->t, file), "release");
			check(tree_open(r->f->t, n, O_RDONLY, &r->f->me, &file), "open");
			check(content_read(open_file_content(file), back, sizeof(back), at, &got), "read");
			if (got != sizeof(back) || memcmp(bytes, back, sizeof(back)) != 0)
				failures++;
			check(tree_release(r->f->t, file), "release");
		}
		forget(r->f, n);
		/* 256 others push it out. */
		if (r->number == 0 && i % 30 == 0)
			for (int k = 0; k < TREE_LINGER + 10; k++) {
				snprintf(name, sizeof(name), "other %d", k);
				if (tree_lookup(r->f->t, r->f->root, name, &n, &st) != ERR_OK)
					continue;
				check(tree_open(r->f->t, n, O_RDONLY, &r->f->me, &file), "open");
				check(tree_release(r->f->t, file), "release");
				forget(r->f, n);
			}
	}
	return NULL;
}

static void test_contents_in_many_hands(void **state)
{
	struct fixture *f = *state;
	struct racer racers[THREADS];
	pthread_t threads[THREADS], saver;
	char name[20];

	failures = 0;
	stopping = 0;
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "file %d", i);
		forget(f, make_file(f, f->root, name, "x"));
	}
	for (int i = 0; i < TREE_LINGER + 10; i++) {
		snprintf(name, sizeof(name), "other %d", i);
		forget(f, make_file(f, f->root, name, ""));
	}
	assert_int_equal(pthread_create(&saver, NULL, checkpoints, f), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		racers[i] = (struct racer){ f, { NULL, NULL }, i, i * 104729 + 5 };
		assert_int_equal(pthread_create(&threads[i], NULL, reopen, &racers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	stopping = 1;
	pthread_join(saver, NULL);
	assert_int_equal(failures, 0);
}

static atomic_int renamed;

static void *rename_once(void *argument)
{
	struct fixture *f = argument;

	check(tree_rename(f->t, f->root, "a", f->root, "b", 0), "rename");
	renamed = 1;
	return NULL;
}

static void test_moves_are_held(void **state)
{
	struct fixture *f = *state;
	uint64_t before;
	pthread_t thread;

	failures = 0;
	renamed = 0;
	forget(f, make_file(f, f->root, "a", "x"));
	tree_hold_moves(f->t, 1);
	before = tree_moves(f->t);
	assert_int_equal(pthread_create(&thread, NULL, rename_once, f), 0);
	usleep(50000);
	assert_int_equal(renamed, 0);
	assert_ok(look(f, f->root, "a", NULL, NULL));
	assert_int_equal(tree_moves(f->t), before);
	tree_hold_moves(f->t, 0);
	pthread_join(thread, NULL);
	assert_int_equal(renamed, 1);
	assert_int_equal(failures, 0);
	assert_true(tree_moves(f->t) > before);
	assert_ok(look(f, f->root, "b", NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names_in_many_hands),
		TEST(test_contents_in_many_hands),
		TEST(test_moves_are_held),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
