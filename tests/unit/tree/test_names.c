#include "tests/unit/tree/fixture.h"

static char *name_of(char letter, size_t len)
{
	static char name[300];

	memset(name, letter, len);
	name[len] = '\0';
	return name;
}

static void test_create_and_look_up(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", "hello"), *again;
	struct stat st;

	assert_ok(look(f, f->root, "a", &again, &st));
	assert_ptr_equal(n, again);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_string_equal(read_file(f, n), "hello");
	assert_err(look(f, f->root, "b", NULL, NULL), ERRNO(ENOENT));
	assert_err(look(f, n, "b", NULL, NULL), ERRNO(ENOTDIR));
	assert_err(look(f, f->root, "..", NULL, NULL), ERR_INVALID);
	forget(f, again);
	forget(f, n);
	/* From the lower files alone. */
	fixture_reopen(f, BUCKET_READ_WRITE);
	assert_ok(look(f, f->root, "a", &n, &st));
	assert_int_equal(st.st_size, 5);
	assert_string_equal(read_file(f, n), "hello");
	forget(f, n);
}

static void test_create_takes_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_file(f, f->root, "a", "hello"), *again;
	struct open_file *file;
	struct stat st;

	assert_err(tree_create(f->t, f->root, "a", 0644, O_RDWR | O_EXCL, &f->me, &again, &st, &file), ERRNO(EEXIST));
	assert_null(again);
	assert_ok(tree_create(f->t, f->root, "a", 0644, O_RDWR, &f->me, &again, &st, &file));
	assert_ptr_equal(n, again);
	assert_int_equal(st.st_size, 5);
	assert_ok(tree_release(f->t, file));
	forget(f, again);
	forget(f, n);
}

static void test_every_byte(void **state)
{
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d");
	char name[2] = "";

	for (int c = 1; c < 256; c++)
		if (c != '/' && c != '.') {
			name[0] = (char)c;
			forget(f, make_file(f, d, name, ""));
		}
	assert_int_equal(count_entries(f, d), 253);
	for (int c = 1; c < 256; c++)
		if (c != '/' && c != '.') {
			name[0] = (char)c;
			assert_ok(look(f, d, name, NULL, NULL));
			assert_ok(tree_unlink(f->t, d, name));
		}
	assert_int_equal(count_entries(f, d), 0);
	forget(f, d);
}

static void test_long_names(void **state)
{
	static const size_t lengths[] = { 159, 160, 161, 176, 177, 254, 255 };
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d"), *n;
	struct stat st;

	assert_ok(tree_getattr(f->t, d, &st));
	for (size_t i = 0; i < 7; i++)
		forget(f, make_file(f, d, name_of('x', lengths[i]), "long"));
	assert_int_equal(count_lower(f, st.st_ino, "", ".name"), 5);
	for (size_t i = 0; i < 7; i++) {
		assert_non_null(strstr(list(f, d), name_of('x', lengths[i])));
		assert_ok(look(f, d, name_of('x', lengths[i]), &n, NULL));
		assert_string_equal(read_file(f, n), "long");
		forget(f, n);
	}
	assert_int_equal(count_entries(f, d), 7);
	assert_err(look(f, d, name_of('x', 256), NULL, NULL), ERR_TOO_LONG);
	for (size_t i = 0; i < 7; i++)
		assert_ok(tree_unlink(f->t, d, name_of('x', lengths[i])));
	assert_int_equal(count_lower(f, st.st_ino, "", ".name"), 0);
	/* Directories, links and symlinks with such names. */
	forget(f, make_dir(f, d, name_of('y', 255)));
	assert_err(tree_rmdir(f->t, f->root, "d"), ERRNO(ENOTEMPTY));
	assert_ok(tree_rmdir(f->t, d, name_of('y', 255)));
	assert_int_equal(count_lower(f, st.st_ino, "", ".name"), 0);
	assert_ok(tree_symlink(f->t, d, name_of('z', 200), "target", &f->me, &n, &st));
	forget(f, n);
	assert_ok(tree_unlink(f->t, d, name_of('z', 200)));
	assert_string_equal(list(f, d), "");
	forget(f, d);
	assert_ok(tree_rmdir(f->t, f->root, "d"));
}

static void test_rename(void **state)
{
	struct fixture *f = *state;
	struct node *a = make_dir(f, f->root, "a"), *b = make_dir(f, f->root, "b");
	struct node *n = make_file(f, a, "x", "one"), *other = make_file(f, b, "y", "two"), *found;
	uint64_t moves = tree_moves(f->t);

	assert_ok(tree_rename(f->t, a, "x", b, "x", 0));
	assert_true(tree_moves(f->t) > moves);
	assert_err(look(f, a, "x", NULL, NULL), ERRNO(ENOENT));
	assert_ok(look(f, b, "x", &found, NULL));
	assert_ptr_equal(found, n);
	forget(f, found);
	assert_err(tree_rename(f->t, b, "x", b, "y", RENAME_NOREPLACE), ERRNO(EEXIST));
	assert_ok(tree_rename(f->t, b, "x", b, "y", 0));
	assert_string_equal(list(f, b), "y ");
	assert_string_equal(read_file(f, n), "one");
	forget(f, other);
	assert_ok(look(f, b, "y", &found, NULL));
	assert_ptr_equal(found, n);
	assert_err(tree_rename(f->t, b, "gone", b, "z", 0), ERRNO(ENOENT));
	assert_err(tree_rename(f->t, b, "y", b, "gone", RENAME_EXCHANGE), ERRNO(ENOENT));
	assert_err(tree_rename(f->t, b, "y", f->root, "a", 0), ERRNO(EISDIR));
	assert_err(tree_rename(f->t, f->root, "a", b, "y", 0), ERRNO(ENOTDIR));
	assert_err(tree_rename(f->t, f->root, "a", a, "inside", 0), ERRNO(EINVAL));
	assert_err(tree_rename(f->t, b, "y", b, "z", 4), ERR_INVALID);
	forget(f, found);
	forget(f, n);
	forget(f, a);
	forget(f, b);
}

static void test_rename_directories(void **state)
{
	struct fixture *f = *state;
	struct node *a = make_dir(f, f->root, "a"), *in = make_dir(f, a, "in"), *b = make_dir(f, f->root, "b");
	struct node *n = make_file(f, in, "deep", "text"), *found;
	uint8_t before[UUID_LEN], after[UUID_LEN];
	struct stat st;

	assert_ok(tree_dir_id(f->t, a, before));
	/* Over an empty one, though the lower one is not empty. */
	assert_ok(tree_rename(f->t, f->root, "a", f->root, "b", 0));
	assert_string_equal(list(f, f->root), "b ");
	assert_int_equal(count_lower(f, f->b->state.root_inode, "rekeyfs.old-", ""), 0);
	assert_ok(tree_dir_id(f->t, a, after));
	assert_memory_equal(before, after, UUID_LEN);
	assert_ok(tree_resolve(f->t, "b/in/deep", &found, &st));
	assert_ptr_equal(found, n);
	assert_string_equal(read_file(f, n), "text");
	char *path = tree_path(f->t, n);
	assert_string_equal(path, "b/in/deep");
	free(path);
	forget(f, found);
	/* Over one that is not. */
	forget(f, make_dir(f, f->root, "c"));
	assert_err(tree_rename(f->t, f->root, "c", f->root, "b", 0), ERRNO(ENOTEMPTY));
	assert_err(tree_rename(f->t, f->root, "b", f->root, "c", RENAME_NOREPLACE), ERRNO(EEXIST));
	assert_ok(tree_rename(f->t, f->root, "b", f->root, "c", RENAME_EXCHANGE));
	assert_ok(tree_resolve(f->t, "c/in/deep", &found, &st));
	assert_err(tree_resolve(f->t, "b/in/deep", &found, &st), ERRNO(ENOENT));
	forget(f, n);
	/* Nothing of it depends on what is in memory. */
	forget(f, n), forget(f, in), forget(f, a), forget(f, b);
	fixture_reopen(f, BUCKET_READ_WRITE);
	assert_ok(tree_resolve(f->t, "/c/in//deep", &n, &st));
	assert_int_equal(st.st_size, 4);
	forget(f, n);
}

static void test_rename_long_names(void **state)
{
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d"), *n;
	char one[256], two[256];
	struct stat st;

	strcpy(one, name_of('1', 200));
	strcpy(two, name_of('2', 255));
	assert_ok(tree_getattr(f->t, d, &st));
	forget(f, make_file(f, d, one, "one"));
	forget(f, make_file(f, d, two, "two"));
	forget(f, make_file(f, d, "short", "short"));
	assert_ok(tree_rename(f->t, d, one, d, two, RENAME_EXCHANGE));
	assert_int_equal(count_lower(f, st.st_ino, "", ".name"), 2);
	assert_ok(look(f, d, one, &n, NULL));
	assert_string_equal(read_file(f, n), "two");
	forget(f, n);
	assert_ok(tree_rename(f->t, d, one, d, "short", RENAME_EXCHANGE));
	assert_int_equal(count_lower(f, st.st_ino, "", ".name"), 2);
	assert_err(tree_rename(f->t, d, "short", d, two, RENAME_NOREPLACE), ERRNO(EEXIST));
	assert_ok(tree_rename(f->t, d, one, d, two, 0));
	assert_int_equal(count_lower(f, st.st_ino, "", ".name"), 1);
	assert_ok(look(f, d, two, &n, NULL));
	assert_string_equal(read_file(f, n), "short");
	forget(f, n);
	assert_ok(tree_rename(f->t, d, two, d, "now short", 0));
	assert_int_equal(count_lower(f, st.st_ino, "", ".name"), 0);
	/* A failed rename leaves no link behind. */
	assert_err(tree_rename(f->t, f->root, "d", d, one, 0), ERRNO(EINVAL));
	assert_int_equal(count_lower(f, st.st_ino, "", ".name"), 0);
	assert_ok(tree_rename(f->t, d, "now short", f->root, one, 0));
	assert_int_equal(count_lower(f, f->b->state.root_inode, "", ".name"), 1);
	forget(f, d);
}

static void test_hard_links(void **state)
{
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d"), *n = make_file(f, f->root, "a", "shared"), *found;
	struct stat st;

	assert_ok(tree_link(f->t, n, d, name_of('l', 255), &st));
	assert_int_equal(st.st_nlink, 2);
	assert_ok(look(f, d, name_of('l', 255), &found, &st));
	assert_ptr_equal(found, n);
	assert_err(tree_link(f->t, n, d, name_of('l', 255), &st), ERRNO(EEXIST));
	assert_err(tree_link(f->t, d, d, "dir", &st), ERR_REFUSED);
	/* Two names of one inode: nothing happens. */
	assert_ok(tree_rename(f->t, f->root, "a", d, name_of('l', 255), 0));
	assert_string_equal(list(f, f->root), "a d ");
	assert_ok(tree_unlink(f->t, f->root, "a"));
	assert_ok(tree_getattr(f->t, n, &st));
	assert_int_equal(st.st_nlink, 1);
	assert_string_equal(read_file(f, n), "shared");
	assert_ok(tree_link(f->t, n, f->root, "b", &st));
	assert_ok(tree_unlink(f->t, d, name_of('l', 255)));
	assert_string_equal(read_file(f, n), "shared");
	assert_ok(tree_unlink(f->t, f->root, "b"));
	assert_err(tree_getattr(f->t, n, &st), ERRNO(ESTALE));
	tree_forget(f->t, n, 4);
	forget(f, d);
}

/* The lower filesystem gives an inode's number away again at once. */
static void test_a_number_is_used_again(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 50; i++) {
		struct node *n = make_file(f, f->root, "a", "old"), *next;
		struct stat st;

		assert_ok(tree_unlink(f->t, f->root, "a"));
		next = make_file(f, f->root, "b", "next one");
		assert_ptr_not_equal(n, next);
		assert_ok(tree_getattr(f->t, next, &st));
		assert_int_equal(st.st_size, 8);
		assert_string_equal(read_file(f, next), "next one");
		assert_ok(tree_unlink(f->t, f->root, "b"));
		forget(f, n);
		forget(f, next);
	}
}

static void test_symlinks(void **state)
{
	static const size_t lengths[] = { 1, 100, 3015, 3016, 4095 };
	struct fixture *f = *state;
	char *target = malloc(4097), got[4096 + 1];
	struct node *n, *link;
	struct stat st;

	memset(target, 't', 4097);
	for (size_t i = 0; i < 5; i++) {
		target[lengths[i]] = '\0';
		assert_ok(tree_symlink(f->t, f->root, "link", target, &f->me, &n, &st));
		assert_int_equal(st.st_mode, S_IFLNK | 0777);
		assert_int_equal(st.st_size, lengths[i]);
		assert_ok(tree_readlink(f->t, n, got, sizeof(got)));
		assert_string_equal(got, target);
		assert_err(tree_readlink(f->t, n, got, lengths[i]), ERRNO(ERANGE));
		assert_ok(tree_link(f->t, n, f->root, "other", &st));
		assert_ok(tree_rename(f->t, f->root, "link", f->root, "moved", 0));
		assert_ok(tree_getattr(f->t, n, &st));
		assert_int_equal(st.st_mode, S_IFLNK | 0777);
		assert_int_equal(st.st_size, lengths[i]);
		assert_ok(tree_readlink(f->t, n, got, sizeof(got)));
		assert_string_equal(got, target);
		struct open_file *file;
		assert_err(tree_open(f->t, n, O_RDONLY, &f->me, &file), ERRNO(ELOOP));
		struct tree_attr a = { .mode = 0600 };
		assert_err(tree_setattr(f->t, n, NULL, &a, TREE_SET_MODE, &st), ERR_UNSUPPORTED);
		tree_forget(f->t, n, 2);
		fixture_reopen(f, BUCKET_READ_WRITE);
		assert_ok(look(f, f->root, "other", &link, &st));
		assert_int_equal(st.st_size, lengths[i]);
		assert_ok(tree_readlink(f->t, link, got, sizeof(got)));
		assert_string_equal(got, target);
		forget(f, link);
		assert_ok(tree_unlink(f->t, f->root, "moved"));
		assert_ok(tree_unlink(f->t, f->root, "other"));
		target[lengths[i]] = 't';
	}
	target[4096] = '\0';
	assert_err(tree_symlink(f->t, f->root, "link", target, &f->me, &n, &st), ERR_TOO_LONG);
	assert_string_equal(list(f, f->root), "");
	free(target);
}

static void test_special_files(void **state)
{
	struct fixture *f = *state;
	struct node *fifo, *file;
	struct open_file *open;
	struct stat st;

	assert_ok(tree_mknod(f->t, f->root, "fifo", S_IFIFO | 0666, 0, &f->me, &fifo, &st));
	assert_int_equal(st.st_mode, S_IFIFO | 0644);
	assert_ok(tree_mknod(f->t, f->root, "sock", S_IFSOCK | 0600, 0, &f->me, &file, &st));
	forget(f, file);
	assert_ok(tree_mknod(f->t, f->root, "file", S_IFREG | 0666, 0, &f->me, &file, &st));
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(st.st_size, 0);
	assert_string_equal(read_file(f, file), "");
	assert_err(tree_open(f->t, fifo, O_RDONLY, &f->me, &open), ERR_INVALID);
	assert_err(tree_open(f->t, f->root, O_RDONLY, &f->me, &open), ERRNO(EISDIR));
	/* Whoever has it open still sees it when its name is gone. */
	assert_ok(tree_unlink(f->t, f->root, "fifo"));
	assert_ok(tree_getattr(f->t, fifo, &st));
	assert_int_equal(st.st_nlink, 0);
	forget(f, fifo);
	forget(f, file);
	if (geteuid() == 0) {
		assert_ok(tree_mknod(f->t, f->root, "null", S_IFCHR | 0666, makedev(1, 3), &f->me, &file, &st));
		assert_int_equal(st.st_rdev, makedev(1, 3));
		forget(f, file);
	}
}

/* What lies in the bucket and is no name of it leads nowhere. */
static void test_hostile_entries(void **state)
{
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d"), *n = make_file(f, d, "file", "secret");
	char path[PATH_MAX], other[PATH_MAX + 300];
	struct open_file *open;
	struct stat st;

	assert_ok(tree_getattr(f->t, n, &st));
	snprintf(path, sizeof(path), "%s", lower_path(f, st.st_ino));
	assert_ok(tree_unlink(f->t, d, "file"));
	forget(f, n);
	/* A symlink to a file outside, then a FIFO, under the cipher name of a plain one. */
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_ok(look(f, d, "file", &n, &st));
	assert_true(S_ISLNK(st.st_mode));
	assert_err(tree_open(f->t, n, O_RDONLY, &f->me, &open), ERRNO(ELOOP));
	char target[5000];
	assert_true(tree_readlink(f->t, n, target, sizeof(target)) != ERR_OK);
	forget(f, n);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_ok(look(f, d, "file", &n, &st));
	assert_err(tree_open(f->t, n, O_RDONLY, &f->me, &open), ERR_INVALID);
	forget(f, n);
	/* Names that do not decrypt are not shown; nor are reserved ones. */
	snprintf(other, sizeof(other), "%.*s/garbage", (int)(strrchr(path, '/') - path), path);
	assert_int_equal(mkdir(other, 0700), 0);
	snprintf(other, sizeof(other), "%.*s/rekeyfs.new-0123456789abcdef", (int)(strrchr(path, '/') - path), path);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_string_equal(list(f, d), "file ");
	assert_err(tree_rmdir(f->t, f->root, "d"), ERRNO(ENOTEMPTY));
	forget(f, d);
}

static void test_read_only(void **state)
{
	struct fixture *f = *state;
	struct node *n, *made;
	struct open_file *file;
	struct stat st;

	forget(f, make_file(f, f->root, "a", "text"));
	forget(f, make_file(f, f->root, "empty", ""));
	fixture_reopen(f, BUCKET_READ_ONLY);
	assert_ok(look(f, f->root, "a", &n, &st));
	assert_string_equal(read_file(f, n), "text");
	assert_err(tree_open(f->t, n, O_RDWR, &f->me, &file), ERRNO(EROFS));
	assert_err(tree_open(f->t, n, O_RDONLY | O_TRUNC, &f->me, &file), ERRNO(EROFS));
	assert_err(tree_mkdir(f->t, f->root, "d", 0755, &f->me, &made, &st), ERRNO(EROFS));
	assert_err(tree_create(f->t, f->root, "d", 0755, O_RDWR, &f->me, &made, &st, &file), ERRNO(EROFS));
	assert_err(tree_unlink(f->t, f->root, "a"), ERRNO(EROFS));
	assert_err(tree_rename(f->t, f->root, "a", f->root, "b", 0), ERRNO(EROFS));
	assert_err(tree_setxattr(f->t, n, "user.x", "y", 1, 0), ERRNO(EROFS));
	assert_err(tree_setattr(f->t, n, NULL, &(struct tree_attr){ .mode = 0600 }, TREE_SET_MODE, &st), ERRNO(EROFS));
	forget(f, n);
	assert_ok(look(f, f->root, "empty", &n, &st));
	assert_string_equal(read_file(f, n), "");
	forget(f, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create_and_look_up),
		TEST(test_create_takes_what_is_there),
		TEST(test_every_byte),
		TEST(test_long_names),
		TEST(test_rename),
		TEST(test_rename_directories),
		TEST(test_rename_long_names),
		TEST(test_hard_links),
		TEST(test_a_number_is_used_again),
		TEST(test_symlinks),
		TEST(test_special_files),
		TEST(test_hostile_entries),
		TEST(test_read_only),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
