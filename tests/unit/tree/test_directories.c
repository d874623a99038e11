#include "tests/unit/tree/fixture.h"

#include <sys/xattr.h>

static void test_remove(void **state)
{
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d"), *in = make_dir(f, d, "in");
	struct stat st;

	assert_ok(tree_getattr(f->t, d, &st));
	assert_int_equal(st.st_nlink, 3);
	assert_err(tree_rmdir(f->t, f->root, "d"), ERRNO(ENOTEMPTY));
	/* It is as it was. */
	assert_string_equal(list(f, f->root), "d ");
	assert_string_equal(list(f, d), "in ");
	assert_err(tree_rmdir(f->t, f->root, "gone"), ERRNO(ENOENT));
	forget(f, make_file(f, f->root, "file", ""));
	assert_err(tree_rmdir(f->t, f->root, "file"), ERRNO(ENOTDIR));
	assert_err(tree_unlink(f->t, f->root, "d"), ERRNO(EISDIR));
	assert_ok(tree_rmdir(f->t, d, "in"));
	assert_ok(tree_getattr(f->t, d, &st));
	assert_int_equal(st.st_nlink, 2);
	assert_ok(tree_rmdir(f->t, f->root, "d"));
	assert_string_equal(list(f, f->root), "file ");
	forget(f, in);
	forget(f, d);
}

/* A directory that somebody stands in. */
static void test_remove_while_open(void **state)
{
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d"), *n;
	struct open_dir *open;
	struct stat st;

	assert_ok(tree_opendir(f->t, d, &open));
	assert_ok(tree_rmdir(f->t, f->root, "d"));
	assert_ok(tree_getattr(f->t, d, &st));
	assert_int_equal(st.st_nlink, 0);
	assert_string_equal(list(f, d), "");
	assert_true(tree_mkdir(f->t, d, "x", 0755, &f->me, &n, &st) != ERR_OK);
	tree_releasedir(f->t, open);
	/* Its name is free again. */
	n = make_dir(f, f->root, "d");
	assert_ptr_not_equal(n, d);
	forget(f, d);
	forget(f, n);
}

/* What a crash leaves in a directory, or in the midst of making or removing one, is not seen and in nobody's way. */
static void test_leftovers(void **state)
{
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d");
	char path[PATH_MAX], other[PATH_MAX + 100];
	struct stat st;

	assert_ok(tree_getattr(f->t, d, &st));
	snprintf(path, sizeof(path), "%s", lower_path(f, st.st_ino));
	snprintf(other, sizeof(other), "%s/rekeyfs.new-0011223344556677", path);
	assert_int_equal(mkdir(other, 0700), 0);
	snprintf(other, sizeof(other), "%s/rekeyfs.old-0011223344556677", path);
	assert_int_equal(mkdir(other, 0700), 0);
	snprintf(other, sizeof(other), "%s/rekeyfs.old-0011223344556677/rekeyfs.dir", path);
	assert_int_equal(symlink("x", other), 0);
	snprintf(other, sizeof(other), "%s/rekeyfs.new-7766554433221100", path);
	assert_int_equal(close(open(other, O_CREAT | O_WRONLY, 0600)), 0);
	snprintf(other, sizeof(other), "%s/%.43s.name", path, "0123456789012345678901234567890123456789012345");
	assert_int_equal(symlink("x", other), 0);
	assert_string_equal(list(f, d), "");
	assert_ok(tree_rmdir(f->t, f->root, "d"));
	assert_null(lower_path(f, st.st_ino));
	assert_int_equal(count_lower(f, f->b->state.root_inode, "rekeyfs.old-", ""), 0);
	forget(f, d);
	/* What is none of ours is never removed: a bucket inside a bucket, say. */
	d = make_dir(f, f->root, "d");
	assert_ok(tree_getattr(f->t, d, &st));
	snprintf(other, sizeof(other), "%s/rekeyfs.bucket", lower_path(f, st.st_ino));
	assert_int_equal(close(open(other, O_CREAT | O_WRONLY, 0600)), 0);
	assert_err(tree_rmdir(f->t, f->root, "d"), ERRNO(ENOTEMPTY));
	assert_string_equal(list(f, f->root), "d ");
	assert_string_equal(list(f, d), "");
	forget(f, d);
}

/* --- listings ------------------------------------------------------------------------------ */

struct walk {
	struct fixture *f;
	unsigned room, taken, full;
	uint64_t next;
	unsigned char *seen;
	unsigned dots, names;
};

static int take(void *context, const char *name, const struct stat *st, struct node *n, uint64_t next)
{
	struct walk *w = context;
	unsigned number;

	if (w->taken == w->room)
		return 1;
	w->taken++;
	w->next = next;
	if (name[0] == '.') {
		assert_true(w->names == 0);	/* they come first */
		assert_null(n);
		w->dots++;
		return 0;
	}
	w->names++;
	assert_int_equal(sscanf(name, "file %u", &number), 1);
	assert_true(number < 10000 && !w->seen[number]);
	w->seen[number] = 1;
	assert_true(S_ISREG(st->st_mode));
	if (w->full) {
		assert_non_null(n);
		assert_int_equal(st->st_size, 0);
		assert_int_equal(st->st_nlink, 1);
		forget(w->f, n);
	}
	return 0;
}

/* In portions of `room` entries, as the kernel's buffer makes them. */
static void walk_all(struct fixture *f, struct node *d, unsigned room, int full)
{
	struct walk w = { f, room, 0, (unsigned)full, 0, calloc(10000, 1), 0, 0 };
	struct open_dir *open;

	assert_ok(tree_opendir(f->t, d, &open));
	do {
		w.taken = 0;
		assert_ok(tree_readdir(f->t, open, w.next, full, take, &w));
	} while (w.taken);
	assert_int_equal(w.dots, 2);
	assert_int_equal(w.names, 10000);
	/* From the start again, with the same handle. */
	memset(w.seen, 0, 10000);
	w.dots = w.names = w.taken = 0;
	w.room = 100;
	assert_ok(tree_readdir(f->t, open, 0, full, take, &w));
	assert_int_equal(w.dots, 2);
	assert_int_equal(w.taken, 100);
	tree_releasedir(f->t, open);
	free(w.seen);
}

static void test_ten_thousand(void **state)
{
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d"), *n;
	char name[20];
	struct stat st;

	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "file %u", i);
		assert_ok(tree_mknod(f->t, d, name, S_IFREG | 0600, 0, &f->me, &n, &st));
		forget(f, n);
	}
	walk_all(f, d, 7, 0);
	walk_all(f, d, 1000, 1);
	walk_all(f, d, 100000, 1);
	/* Removed while they are listed: each is seen once at most, and all go. */
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "file %u", i);
		assert_ok(tree_unlink(f->t, d, name));
	}
	assert_ok(tree_rmdir(f->t, f->root, "d"));
	forget(f, d);
}

static int types(void *context, const char *name, const struct stat *st, struct node *n, uint64_t next)
{
	if (name[0] == 'l')
		assert_true(S_ISLNK(st->st_mode));
	else if (name[0] == 'f')
		assert_true(S_ISREG(st->st_mode));
	else
		assert_true(S_ISDIR(st->st_mode));
	++*(int *)context;
	return 0;
}

static void test_types(void **state)
{
	struct fixture *f = *state;
	char target[4000] = "";
	struct open_dir *open;
	struct node *n;
	struct stat st;
	int count = 0;

	forget(f, make_dir(f, f->root, "d"));
	forget(f, make_file(f, f->root, "f", "x"));
	assert_ok(tree_symlink(f->t, f->root, "l1", "x", &f->me, &n, &st));
	forget(f, n);
	memset(target, 'x', sizeof(target) - 1);
	assert_ok(tree_symlink(f->t, f->root, "l2", target, &f->me, &n, &st));
	forget(f, n);
	assert_ok(tree_opendir(f->t, f->root, &open));
	assert_ok(tree_readdir(f->t, open, 0, 0, types, &count));
	assert_int_equal(count, 6);
	tree_releasedir(f->t, open);
}

/* --- depth ------------------------------------------------------------------------------------ */

static void test_deep(void **state)
{
	struct fixture *f = *state;
	struct node *at = f->root, *next, *deep[1200];
	struct stat st;

	for (int i = 0; i < 1200; i++) {
		next = make_dir(f, at, "sub");
		deep[i] = at = next;
	}
	forget(f, make_file(f, at, "file", "deep"));
	/* With more of them than descriptors stay open. */
	for (int i = 0; i < 1200; i++)
		assert_ok(look(f, deep[i], i == 1199 ? "file" : "sub", NULL, NULL));
	for (int i = 1199; i >= 0; i--)
		assert_ok(look(f, deep[i], i == 1199 ? "file" : "sub", NULL, NULL));
	assert_ok(look(f, at, "file", &next, &st));
	assert_string_equal(read_file(f, next), "deep");
	char *path = tree_path(f->t, next);
	assert_int_equal(strlen(path), 1200 * 4 + 4);
	free(path);
	forget(f, next);
	assert_ok(tree_unlink(f->t, at, "file"));
	for (int i = 1199; i >= 0; i--) {
		assert_ok(tree_rmdir(f->t, i ? deep[i - 1] : f->root, "sub"));
		forget(f, deep[i]);
	}
}

/* --- modes and owners ------------------------------------------------------------------------------- */

static void test_umask_and_default_acl(void **state)
{
	/* user::rwx group::rwx other::r-x, as linux/posix_acl_xattr.h lays it out */
	static const uint8_t acl[] = { 2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 7, 0, 255, 255, 255, 255, 32, 0, 5, 0, 255, 255, 255, 255 };
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d"), *n;
	struct open_file *file;
	uint8_t got[64];
	struct stat st;
	size_t len;

	f->me.umask = 077;
	assert_ok(tree_mkdir(f->t, d, "one", 0777, &f->me, &n, &st));
	assert_int_equal(st.st_mode & 07777, 0700);
	forget(f, n);
	if (tree_setxattr(f->t, d, "system.posix_acl_default", acl, sizeof(acl), 0) != ERR_OK)
		skip();
	assert_ok(tree_getxattr(f->t, d, "system.posix_acl_default", got, sizeof(got), &len));
	assert_int_equal(len, sizeof(acl));
	assert_memory_equal(got, acl, len);
	/* Now the ACL alone decides. */
	assert_ok(tree_mkdir(f->t, d, "two", 0777, &f->me, &n, &st));
	assert_int_equal(st.st_mode & 07777, 0775);
	assert_ok(tree_getxattr(f->t, n, "system.posix_acl_default", got, sizeof(got), &len));
	forget(f, n);
	assert_ok(tree_create(f->t, d, "file", 0666, O_RDWR | O_EXCL, &f->me, &n, &st, &file));
	assert_int_equal(st.st_mode & 07777, 0664);
	assert_ok(tree_release(f->t, file));
	forget(f, n);
	assert_ok(tree_removexattr(f->t, d, "system.posix_acl_default"));
	assert_ok(tree_mkdir(f->t, d, "three", 0777, &f->me, &n, &st));
	assert_int_equal(st.st_mode & 07777, 0700);
	forget(f, n);
	forget(f, d);
}

/* An ordinary user's daemon too makes and removes what its mode would keep it out of. */
static void test_closed_modes(void **state)
{
	static const mode_t modes[] = { 0, 0200, 0400, 0100, 0500, 01777 };
	struct fixture *f = *state;
	struct node *n;
	struct stat st;

	f->me.umask = 0;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_ok(tree_mkdir(f->t, f->root, "d", modes[i], &f->me, &n, &st));
		assert_int_equal(st.st_mode & 07777, modes[i]);
		assert_ok(look(f, f->root, "d", NULL, &st));
		assert_int_equal(st.st_mode & 07777, modes[i]);
		assert_int_equal(count_lower(f, f->b->state.root_inode, "rekeyfs.new-", ""), 0);
		/* The mode can be changed by whoever owns it. */
		assert_ok(tree_setattr(f->t, n, NULL, &(struct tree_attr){ .mode = 0700 }, TREE_SET_MODE, &st));
		forget(f, make_file(f, n, "x", "y"));
		assert_ok(tree_unlink(f->t, n, "x"));
		assert_ok(tree_setattr(f->t, n, NULL, &(struct tree_attr){ .mode = modes[i] }, TREE_SET_MODE, &st));
		forget(f, n);
		assert_ok(tree_rmdir(f->t, f->root, "d"));
		assert_int_equal(count_lower(f, f->b->state.root_inode, "rekeyfs.old-", ""), 0);
	}
}

static void test_owners(void **state)
{
	struct fixture *f = *state;
	struct caller who = { .uid = 4711, .gid = 4712, .umask = 0 };
	struct node *d = make_dir(f, f->root, "d"), *n;
	struct tree_attr a = { .mode = 02775, .gid = 99 };
	struct open_file *file;
	struct stat st;

	if (geteuid() != 0)
		skip();
	assert_ok(tree_create(f->t, d, "a", 04755, O_RDWR, &who, &n, &st, &file));
	assert_int_equal(st.st_uid, 4711);
	assert_int_equal(st.st_gid, 4712);
	assert_int_equal(st.st_mode & 07777, 04755);
	assert_ok(tree_release(f->t, file));
	/* chown takes set-user-id away, and so does what the kernel asks for. */
	assert_ok(tree_setattr(f->t, n, NULL, &(struct tree_attr){ .uid = 1 }, TREE_SET_UID, &st));
	assert_int_equal(st.st_uid, 1);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_ok(tree_setattr(f->t, n, NULL, &(struct tree_attr){ .mode = 06755 }, TREE_SET_MODE, &st));
	assert_int_equal(st.st_mode & 07777, 06755);
	assert_ok(tree_setattr(f->t, n, NULL, &a, TREE_KILL_SUIDGID, &st));
	assert_int_equal(st.st_mode & 07777, 0755);
	forget(f, n);
	/* A set-group-id directory passes its group on, and the bit to directories. */
	assert_ok(tree_setattr(f->t, d, NULL, &a, TREE_SET_GID | TREE_SET_MODE, &st));
	assert_ok(tree_mkdir(f->t, d, "sub", 0755, &who, &n, &st));
	assert_int_equal(st.st_uid, 4711);
	assert_int_equal(st.st_gid, 99);
	assert_int_equal(st.st_mode & 07777, 02755);
	forget(f, n);
	assert_ok(tree_symlink(f->t, d, "link", "x", &who, &n, &st));
	assert_int_equal(st.st_uid, 4711);
	assert_int_equal(st.st_gid, 99);
	forget(f, n);
	assert_ok(tree_mknod(f->t, d, "fifo", S_IFIFO | 0600, 0, &who, &n, &st));
	assert_int_equal(st.st_uid, 4711);
	forget(f, n);
	forget(f, d);
}

static void test_sync_and_statfs(void **state)
{
	struct fixture *f = *state;
	struct node *d = make_dir(f, f->root, "d");
	struct statvfs st;

	assert_ok(tree_fsyncdir(f->t, f->root));
	assert_ok(tree_fsyncdir(f->t, d));
	assert_ok(tree_statfs(f->t, &st));
	assert_int_equal(st.f_namemax, 255);
	assert_ok(tree_access(f->t, d, R_OK | X_OK, &f->me));
	assert_err(tree_access(f->t, d, W_OK, &(struct caller){ .uid = 12345, .gid = 12345 }), ERRNO(EACCES));
	forget(f, d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_remove),
		TEST(test_remove_while_open),
		TEST(test_leftovers),
		TEST(test_ten_thousand),
		TEST(test_types),
		TEST(test_deep),
		TEST(test_umask_and_default_acl),
		TEST(test_closed_modes),
		TEST(test_owners),
		TEST(test_sync_and_statfs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
