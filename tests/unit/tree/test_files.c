#include "tests/unit/tree/fixture.h"

#include "base/file_io.h"

static struct open_file *open_it(struct fixture *f, struct node *n, int flags)
{
	struct open_file *file;

	assert_ok(tree_open(f->t, n, flags, &f->me, &file));
	return file;
}

static void test_handles_share_content(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", "one");
	struct open_file *r = open_it(f, n, O_RDONLY), *w = open_it(f, n, O_RDWR);
	struct stat st;
	char got[20];
	size_t len;

	assert_ptr_equal(open_file_content(r), open_file_content(w));
	assert_ptr_equal(open_file_node(r), n);
	assert_int_equal(tree_open_files(f->t), 2);
	assert_ok(content_write(open_file_content(w), "two", 3, 3));
	assert_ok(content_read(open_file_content(r), got, sizeof(got), 0, &len));
	assert_int_equal(len, 6);
	assert_memory_equal(got, "onetwo", 6);
	/* Attributes follow what no sync has stored. */
	assert_ok(tree_getattr(f->t, n, &st));
	assert_int_equal(st.st_size, 6);
	assert_ok(tree_release(f->t, r));
	assert_ok(tree_release(f->t, w));
	assert_int_equal(tree_open_files(f->t), 0);
	forget(f, n);
}

static void test_unlink_while_open(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", "here"), *m;
	struct open_file *file = open_it(f, n, O_RDWR);
	struct tree_attr a = { .size = 2, .mode = 0600 };
	struct stat st;
	char got[20];
	size_t len;

	assert_ok(tree_unlink(f->t, f->root, "a"));
	assert_err(look(f, f->root, "a", NULL, NULL), ERRNO(ENOENT));
	m = make_file(f, f->root, "a", "another");
	assert_ok(content_write(open_file_content(file), "!", 1, 4));
	assert_ok(content_read(open_file_content(file), got, sizeof(got), 0, &len));
	assert_memory_equal(got, "here!", 5);
	assert_ok(tree_getattr(f->t, n, &st));
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_size, 5);
	assert_ok(tree_setattr(f->t, n, file, &a, TREE_SET_SIZE | TREE_SET_MODE, &st));
	assert_int_equal(st.st_size, 2);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_ok(tree_setxattr(f->t, n, "user.x", "y", 1, 0));
	assert_ok(content_sync(open_file_content(file), 1));
	assert_ok(tree_release(f->t, file));
	assert_string_equal(read_file(f, m), "another");
	/* Nothing holds the lower inode any more. */
	assert_null(lower_path(f, st.st_ino));
	assert_err(tree_getattr(f->t, n, &st), ERRNO(ESTALE));
	forget(f, n);
	forget(f, m);
}

static void test_replace_while_open(void **state)
{
	struct fixture *f = *state;
	struct node *a = make_file(f, f->root, "a", "new"), *b = make_file(f, f->root, "b", "old");
	struct open_file *file = open_it(f, b, O_RDONLY);
	char got[20];
	size_t len;

	assert_ok(tree_rename(f->t, f->root, "a", f->root, "b", 0));
	assert_ok(content_read(open_file_content(file), got, sizeof(got), 0, &len));
	assert_memory_equal(got, "old", 3);
	assert_string_equal(read_file(f, a), "new");
	assert_ok(tree_release(f->t, file));
	forget(f, a);
	forget(f, b);
}

/* Rule 13: what replaces a file is durable first. */
static int syncs;

static int count_syncs(void *context, const struct file_io_event *event)
{
	syncs += event->call == FILE_IO_SYNC;
	return 0;
}

static void test_replacing_syncs(void **state)
{
	struct fixture *f = *state;
	struct node *b = make_file(f, f->root, "b", "old"), *a;

	a = make_file(f, f->root, "a", "new");
	syncs = 0;
	file_io_set_hook(count_syncs, NULL);
	assert_ok(tree_rename(f->t, f->root, "a", f->root, "c", 0));
	assert_int_equal(syncs, 0);
	assert_ok(tree_rename(f->t, f->root, "c", f->root, "b", 0));
	assert_int_equal(syncs, 1);
	file_io_set_hook(NULL, NULL);
	forget(f, a);
	forget(f, b);
	/* Neither is it, if it was written before this process had it open. */
	make_file(f, f->root, "d", "young");
	fixture_reopen(f, BUCKET_READ_WRITE);
	forget(f, make_file(f, f->root, "e", "target"));
	assert_ok(tree_rename(f->t, f->root, "d", f->root, "e", 0));
}

static void test_truncate(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", "some text");
	struct tree_attr a = { .size = 4 };
	struct open_file *file;
	struct stat st;

	assert_ok(tree_setattr(f->t, n, NULL, &a, TREE_SET_SIZE, &st));
	assert_int_equal(st.st_size, 4);
	assert_string_equal(read_file(f, n), "some");
	a.size = 100000;
	assert_ok(tree_setattr(f->t, n, NULL, &a, TREE_SET_SIZE, &st));
	assert_int_equal(st.st_size, 100000);
	file = open_it(f, n, O_WRONLY | O_TRUNC);
	assert_int_equal(content_size(open_file_content(file)), 0);
	assert_ok(tree_release(f->t, file));
	forget(f, n);
	fixture_reopen(f, BUCKET_READ_WRITE);
	assert_ok(look(f, f->root, "a", &n, &st));
	assert_int_equal(st.st_size, 0);
	assert_err(tree_setattr(f->t, f->root, NULL, &a, TREE_SET_SIZE, &st), ERR_INVALID);
	forget(f, n);
}

/* --- times -------------------------------------------------------------------------------------- */

static void expect_mtime(struct fixture *f, struct node *n, const struct timespec *want)
{
	struct stat st;

	assert_ok(tree_getattr(f->t, n, &st));
	assert_int_equal(st.st_mtim.tv_sec, want->tv_sec);
	assert_int_equal(st.st_mtim.tv_nsec, want->tv_nsec);
}

static void test_times_stay(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", "text"), *d = make_dir(f, f->root, "d");
	struct tree_attr a = { .mtime = { 1000000000, 123456789 }, .atime = { 900000000, 987654321 } };
	struct open_file *file = open_it(f, n, O_RDWR);
	struct stat st;

	/* As cp -p does: written, times set, closed; then a checkpoint, and the end of the mount. */
	for (uint64_t i = 0; i < 300; i++)
		assert_ok(content_write(open_file_content(file), "more", 4, i * 4096));
	assert_ok(tree_setattr(f->t, n, file, &a, TREE_SET_ATIME | TREE_SET_MTIME, &st));
	expect_mtime(f, n, &a.mtime);
	assert_ok(tree_flush(f->t, file));
	assert_ok(tree_release(f->t, file));
	expect_mtime(f, n, &a.mtime);
	assert_ok(content_checkpoint(f->b));
	expect_mtime(f, n, &a.mtime);
	assert_ok(tree_setattr(f->t, d, NULL, &a, TREE_SET_ATIME | TREE_SET_MTIME, &st));
	/* An empty one that was never written. */
	struct node *e = make_file(f, f->root, "e", "");
	assert_ok(tree_setattr(f->t, e, NULL, &a, TREE_SET_MTIME | TREE_SET_ATIME_NOW, &st));
	forget(f, n), forget(f, d), forget(f, e);
	fixture_reopen(f, BUCKET_READ_WRITE);
	assert_ok(look(f, f->root, "a", &n, &st));
	expect_mtime(f, n, &a.mtime);
	assert_int_equal(st.st_atim.tv_sec, 900000000);
	assert_int_equal(st.st_size, 299 * 4096 + 4);
	assert_ok(look(f, f->root, "d", &d, &st));
	expect_mtime(f, d, &a.mtime);
	assert_ok(look(f, f->root, "e", &e, &st));
	expect_mtime(f, e, &a.mtime);
	/* A symlink's own. */
	struct node *l;
	assert_ok(tree_symlink(f->t, f->root, "l", "nowhere", &f->me, &l, &st));
	assert_ok(tree_setattr(f->t, l, NULL, &a, TREE_SET_MTIME, &st));
	expect_mtime(f, l, &a.mtime);
	forget(f, n), forget(f, d), forget(f, e), forget(f, l);
}

static void test_times_move(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", "text");
	struct tree_attr a = { .mtime = { 1000000000, 0 } };
	struct open_file *file;
	struct stat st;

	assert_ok(tree_setattr(f->t, n, NULL, &a, TREE_SET_MTIME, &st));
	file = open_it(f, n, O_RDWR);
	assert_ok(content_write(open_file_content(file), "new", 3, 0));
	assert_ok(tree_flush(f->t, file));
	assert_ok(tree_getattr(f->t, n, &st));
	assert_true(st.st_mtim.tv_sec > 1000000000);
	assert_ok(tree_release(f->t, file));
	assert_ok(tree_setattr(f->t, n, NULL, &a, TREE_SET_MTIME, &st));
	assert_ok(tree_setattr(f->t, n, NULL, &a, TREE_SET_MTIME_NOW, &st));
	assert_true(st.st_mtim.tv_sec > 1000000000);
	forget(f, n);
}

/* --- many ------------------------------------------------------------------------------------------- */

static unsigned open_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void test_linger(void **state)
{
	struct fixture *f = *state;
	unsigned before = open_descriptors();
	struct node *nodes[600];
	char name[20];

	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "%d", i);
		nodes[i] = make_file(f, f->root, name, name);
	}
	assert_true(open_descriptors() <= before + TREE_LINGER);
	for (int i = 599; i >= 0; i--) {
		snprintf(name, sizeof(name), "%d", i);
		assert_string_equal(read_file(f, nodes[i]), name);
	}
	assert_true(open_descriptors() <= before + TREE_LINGER);
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_ok(tree_unlink(f->t, f->root, name));
		forget(f, nodes[i]);
	}
	assert_true(open_descriptors() <= before);
}

static int no_room(void *context, const struct file_io_event *event)
{
	return event->call == FILE_IO_WRITE || event->call == FILE_IO_TRUNCATE ? ENOSPC : 0;
}

/* A full disk: what could not be stored at the close is stored when there is room again. */
static void test_no_room_at_close(void **state)
{
	struct fixture *f = *state;
	struct open_file *file;
	struct node *n;
	struct stat st;

	assert_ok(tree_create(f->t, f->root, "a", 0644, O_RDWR | O_EXCL, &f->me, &n, &st, &file));
	file_io_set_hook(no_room, NULL);
	assert_err(tree_flush(f->t, file), ERRNO(ENOSPC));
	assert_err(tree_release(f->t, file), ERRNO(ENOSPC));
	file_io_set_hook(NULL, NULL);
	assert_string_equal(read_file(f, n), "");
	forget(f, n);
	fixture_reopen(f, BUCKET_READ_WRITE);
	assert_ok(look(f, f->root, "a", &n, &st));
	assert_string_equal(read_file(f, n), "");
	forget(f, n);
}

/* A handle that was closed after the file was listed, found in the state that it was left in. */
static void test_forgotten_while_open(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", "text"), *again;
	struct open_file *file = open_it(f, n, O_RDWR);
	struct stat st;

	assert_ok(content_write(open_file_content(file), "TEXT, longer", 12, 0));
	forget(f, n);
	assert_ok(look(f, f->root, "a", &again, &st));
	assert_ptr_equal(again, n);
	assert_int_equal(st.st_size, 12);
	assert_ok(tree_release(f->t, file));
	forget(f, again);
	assert_ok(look(f, f->root, "a", &again, &st));
	assert_int_equal(st.st_size, 12);
	assert_string_equal(read_file(f, again), "TEXT, longer");
	forget(f, again);
}

/* After a crash the lower size may not tell the plain one: it is read from the tag page. */
static void test_suspect_sizes(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", "some text");
	char path[PATH_MAX];
	struct stat st;

	assert_ok(tree_getattr(f->t, n, &st));
	snprintf(path, sizeof(path), "%s", lower_path(f, st.st_ino));
	forget(f, n);
	/* No checkpoint, no clean mark: as after kill -9. */
	tree_free(f->t);
	bucket_close(f->b, 0);
	/* A cut that was owed: the lower file is longer than the plain one. */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size + 5000), 0);
	assert_ok(bucket_open(f->lower, f->k, BUCKET_READ_WRITE, 0, &f->b));
	assert_int_equal(f->b->unclean, 1);
	assert_ok(tree_new(f->b, &f->t));
	f->root = tree_root(f->t);
	assert_ok(look(f, f->root, "a", &n, &st));
	assert_int_equal(st.st_size, 9);
	assert_ok(tree_getattr(f->t, n, &st));
	assert_int_equal(st.st_size, 9);
	assert_string_equal(read_file(f, n), "some text");
	forget(f, n);
	/* One that is damaged can still be looked at and removed. */
	int fd = open(path, O_RDWR);
	char junk[4096];
	memset(junk, 'j', sizeof(junk));
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 0), sizeof(junk));
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 7 * 4096), sizeof(junk));
	close(fd);
	fixture_reopen(f, BUCKET_READ_WRITE);
	assert_ok(look(f, f->root, "a", &n, &st));
	struct open_file *file;
	assert_int_equal(err_to_errno(tree_open(f->t, n, O_RDONLY, &f->me, &file)), EIO);
	assert_ok(tree_unlink(f->t, f->root, "a"));
	forget(f, n);
}

/* --- for the walker ------------------------------------------------------------------------------------ */

static void test_loans(void **state)
{
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d"), *n = make_file(f, d, "a", "text"), *l;
	struct content *c, *again;
	struct open_file *file;
	char path[PATH_MAX], *name, target[3500] = "";
	struct stat st;
	int dir;

	assert_ok(tree_getattr(f->t, n, &st));
	snprintf(path, sizeof(path), "%s", lower_path(f, st.st_ino));
	name = strrchr(path, '/');
	*name++ = '\0';
	dir = open(path, O_RDONLY | O_DIRECTORY);
	forget(f, n);
	forget(f, d);
	fixture_reopen(f, BUCKET_READ_WRITE);
	/* Of a file that no lookup has named yet; a handle that comes later shares it. */
	assert_ok(tree_content(f->t, dir, name, &c));
	assert_ok(tree_content(f->t, dir, name, &again));
	assert_ptr_equal(c, again);
	assert_ok(tree_resolve(f->t, "d/a", &n, &st));
	file = open_it(f, n, O_RDWR);
	assert_ptr_equal(open_file_content(file), c);
	tree_content_done(f->t, c);
	assert_ok(content_write(open_file_content(file), "TEXT", 4, 0));
	tree_content_done(f->t, c);
	assert_ok(tree_release(f->t, file));
	assert_string_equal(read_file(f, n), "TEXT");
	forget(f, n);
	assert_err(tree_content(f->t, dir, "rekeyfs.dir", &c), ERR_UNSUPPORTED);
	assert_err(tree_content(f->t, dir, "gone", &c), ERRNO(ENOENT));
	/* Nor is a long symlink a file with content. */
	memset(target, 't', sizeof(target) - 1);
	assert_ok(tree_resolve(f->t, "d", &d, &st));
	assert_ok(tree_symlink(f->t, d, "l", target, &f->me, &l, &st));
	assert_ok(tree_getattr(f->t, l, &st));
	assert_err(tree_content(f->t, dir, strrchr(lower_path(f, st.st_ino), '/') + 1, &c), ERR_UNSUPPORTED);
	forget(f, l);
	forget(f, d);
	close(dir);
}

/* An ordinary user's daemon opens what its mode would refuse. */
static void test_against_the_mode(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", "text");
	struct tree_attr a = { .mode = 0400 };
	struct open_file *r, *w;
	struct stat st;

	assert_ok(tree_setattr(f->t, n, NULL, &a, TREE_SET_MODE, &st));
	forget(f, n);
	fixture_reopen(f, BUCKET_READ_WRITE);
	assert_ok(look(f, f->root, "a", &n, &st));
	r = open_it(f, n, O_RDONLY);
	w = open_it(f, n, O_RDWR);	/* while it is open for reading */
	assert_ptr_equal(open_file_content(r), open_file_content(w));
	assert_ok(content_write(open_file_content(w), "TEXT", 4, 0));
	assert_ok(tree_release(f->t, r));
	assert_ok(tree_release(f->t, w));
	assert_ok(tree_getattr(f->t, n, &st));
	assert_int_equal(st.st_mode & 07777, 0400);
	a.mode = 0200;
	assert_ok(tree_setattr(f->t, n, NULL, &a, TREE_SET_MODE, &st));
	forget(f, n);
	fixture_reopen(f, BUCKET_READ_WRITE);
	assert_ok(look(f, f->root, "a", &n, &st));
	w = open_it(f, n, O_WRONLY);
	assert_ok(content_write(open_file_content(w), "more", 4, 4));
	assert_ok(tree_release(f->t, w));
	assert_string_equal(read_file(f, n), "TEXTmore");
	assert_ok(tree_getattr(f->t, n, &st));
	assert_int_equal(st.st_mode & 07777, 0200);
	forget(f, n);
}

/* So does the walker, which comes to files that nobody has named. */
static void test_loans_against_the_mode(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", "text");
	struct tree_attr a = { .mode = 0444 };
	struct content *c;
	char name[NAME_MAX + 1];
	struct stat st;

	assert_ok(tree_setattr(f->t, n, NULL, &a, TREE_SET_MODE, &st));
	snprintf(name, sizeof(name), "%s", strrchr(lower_path(f, st.st_ino), '/') + 1);
	forget(f, n);
	fixture_reopen(f, BUCKET_READ_WRITE);
	assert_ok(tree_content(f->t, f->b->root_fd, name, &c));
	assert_ok(content_write(c, "TEXT", 4, 0));
	tree_content_done(f->t, c);
	assert_ok(look(f, f->root, "a", &n, &st));
	assert_int_equal(st.st_mode & 07777, 0444);
	assert_string_equal(read_file(f, n), "TEXT");
	forget(f, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_handles_share_content),
		TEST(test_unlink_while_open),
		TEST(test_replace_while_open),
		TEST(test_replacing_syncs),
		TEST(test_truncate),
		TEST(test_times_stay),
		TEST(test_times_move),
		TEST(test_linger),
		TEST(test_no_room_at_close),
		TEST(test_forgotten_while_open),
		TEST(test_suspect_sizes),
		TEST(test_loans),
		TEST(test_against_the_mode),
		TEST(test_loans_against_the_mode),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
