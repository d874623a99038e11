#include "tests/lib/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/file_io.h"

#define ERRNO(number) ((enum err)(ERR_ERRNO + (number)))

static int dir = -1;

/* The hook: records the calls, and lets the one numbered `fail_at` (from 1) fail, or all from there. */
static struct {
	int seen, fail_at, for_good, number;
	enum file_io_call calls[64];
	uint64_t offsets[64];
	size_t lens[64];
} hook;

static int on_call(void *context, const struct file_io_event *event)
{
	assert_ptr_equal(context, &hook);
	if (hook.seen < 64) {
		hook.calls[hook.seen] = event->call;
		hook.offsets[hook.seen] = event->offset;
		hook.lens[hook.seen] = event->len;
	}
	hook.seen++;
	if (hook.fail_at && (hook.seen == hook.fail_at || (hook.for_good && hook.seen > hook.fail_at)))
		return hook.number;
	return 0;
}

static void hook_start(int fail_at, int for_good, int number)
{
	memset(&hook, 0, sizeof(hook));
	hook.fail_at = fail_at;
	hook.for_good = for_good;
	hook.number = number;
	file_io_set_hook(on_call, &hook);
}

static int open_file(const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void assert_content(const char *name, const char *expected)
{
	uint8_t *bytes;
	size_t len;

	assert_ok(file_load(dir, name, 4096, &bytes, &len));
	assert_int_equal(len, strlen(expected));
	assert_string_equal((char *)bytes, expected);
	free(bytes);
}

static void reads_and_writes(void **state)
{
	int fd = open_file("file");
	char out[16];
	size_t got;

	assert_ok(file_write(fd, "0123456789", 10, 0));
	assert_ok(file_write(fd, "ab", 2, 4));
	assert_ok(file_read(fd, out, sizeof(out), 0, &got));
	assert_int_equal(got, 10);
	assert_memory_equal(out, "0123ab6789", 10);
	assert_ok(file_read_all(fd, out, 6, 4));
	assert_memory_equal(out, "ab6789", 6);
	assert_err(file_read_all(fd, out, 7, 4), ERR_TRUNCATED);
	assert_ok(file_read(fd, out, 4, 100, &got));
	assert_int_equal(got, 0);
	assert_ok(file_truncate(fd, 3));
	assert_ok(file_sync(fd));
	assert_ok(file_sync_full(fd));
	assert_ok(file_sync_filesystem(fd));
	assert_content("file", "012");
	close(fd);
	assert_err(file_read(fd, out, 1, 0, &got), ERRNO(EBADF));
	assert_err(file_sync(fd), ERRNO(EBADF));
}

/* More vectors than one call takes, some of them empty. */
static void vectors_of_any_count(void **state)
{
	enum { COUNT = IOV_MAX + 500 };
	static struct iovec iov[COUNT];
	static char bytes[COUNT], out[COUNT];
	int fd = open_file("vectors");
	size_t used = 0, got;

	for (int i = 0; i < COUNT; i++) {
		bytes[i] = (char)('a' + i % 26);
		iov[i] = (struct iovec){ .iov_base = &bytes[used], .iov_len = i % 3 != 0 };
		used += i % 3 != 0;
	}
	assert_ok(file_write_vector(fd, iov, COUNT, 0));
	assert_ok(file_read(fd, out, sizeof(out), 0, &got));
	assert_int_equal(got, used);
	assert_memory_equal(out, bytes, used);
	assert_ok(file_write_vector(fd, iov, 0, 0));
	close(fd);
}

static void punching_keeps_the_size(void **state)
{
	static char block[4096], zeros[4096];
	int fd = open_file("punched");
	struct stat st;

	memset(block, 'x', sizeof(block));
	assert_ok(file_write(fd, block, 4096, 0));
	assert_ok(file_write(fd, block, 4096, 4096));
	assert_ok(file_punch(fd, 0, 4096));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 8192);
	assert_ok(file_read_all(fd, block, 4096, 0));
	assert_memory_equal(block, zeros, 4096);
	close(fd);
}

static void the_hook_sees_and_stops_each_call(void **state)
{
	int fd = open_file("hooked");
	char out[4];
	size_t got;

	hook_start(0, 0, 0);
	assert_ok(file_write(fd, "data", 4, 12));
	assert_ok(file_read(fd, out, 2, 12, &got));
	assert_ok(file_sync(fd));
	assert_ok(file_sync_filesystem(fd));
	assert_ok(file_truncate(fd, 7));
	assert_ok(file_punch(fd, 1, 2));
	file_io_set_hook(NULL, NULL);
	assert_int_equal(hook.seen, 6);
	assert_int_equal(hook.calls[0], FILE_IO_WRITE);
	assert_int_equal(hook.offsets[0], 12);
	assert_int_equal(hook.lens[0], 4);
	assert_int_equal(hook.calls[1], FILE_IO_READ);
	assert_int_equal(hook.calls[2], FILE_IO_SYNC);
	assert_int_equal(hook.calls[3], FILE_IO_SYNCFS);
	assert_int_equal(hook.calls[4], FILE_IO_TRUNCATE);
	assert_int_equal(hook.offsets[4], 7);
	assert_int_equal(hook.calls[5], FILE_IO_PUNCH);

	hook_start(2, 0, EIO);		/* "the second call fails", once */
	assert_ok(file_write(fd, "one", 3, 0));
	assert_err(file_write(fd, "two", 3, 0), ERRNO(EIO));
	assert_ok(file_write(fd, "six", 3, 3));
	hook_start(1, 1, ENOSPC);	/* for good */
	assert_err(file_write(fd, "ten", 3, 0), ERRNO(ENOSPC));
	assert_err(file_sync(fd), ERRNO(ENOSPC));
	assert_err(file_truncate(fd, 0), ERRNO(ENOSPC));
	assert_err(file_punch(fd, 0, 3), ERRNO(ENOSPC));
	assert_err(file_read(fd, out, 3, 0, &got), ERRNO(ENOSPC));
	file_io_set_hook(NULL, NULL);
	assert_ok(file_truncate(fd, 6));
	assert_content("hooked", "onesix");
	close(fd);
}

static int count_entries(void)
{
	DIR *entries = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int count = 0;

	assert_non_null(entries);
	while (readdir(entries))
		count++;
	closedir(entries);
	return count;
}

static void replacing_a_file(void **state)
{
	struct stat st;

	assert_ok(file_replace(dir, "new", "first", 5, 0));
	assert_content("new", "first");
	assert_int_equal(fstatat(dir, "new", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_ok(file_replace(dir, "new", "second, and longer", 18, 0640));
	assert_content("new", "second, and longer");
	assert_int_equal(fstatat(dir, "new", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_ok(file_replace(dir, "new", "", 0, 0));
	assert_content("new", "");
	assert_int_equal(faccessat(dir, "new.new", F_OK, 0), -1);
}

/* A name below, an absolute name, and a directory opened with O_PATH. */
static void replacing_by_path(void **state)
{
	char path[PATH_MAX];
	int by_path = open(unit_directory(), O_PATH | O_DIRECTORY | O_CLOEXEC);

	snprintf(path, sizeof(path), "%s/below/file", unit_directory());
	assert_int_equal(mkdirat(dir, "below", 0700), 0);
	assert_ok(file_replace(dir, "below/file", "relative", 8, 0));
	assert_content("below/file", "relative");
	assert_ok(file_replace(AT_FDCWD, path, "absolute", 8, 0));
	assert_content("below/file", "absolute");
	assert_ok(file_replace(by_path, "below/file", "by path", 7, 0));
	assert_content("below/file", "by path");
	assert_err(file_replace(dir, "absent/file", "x", 1, 0), ERRNO(ENOENT));
	close(by_path);
}

static void what_a_crash_left_is_no_hindrance(void **state)
{
	assert_int_equal(symlinkat("victim", dir, "left.new"), 0);
	close(open_file("victim"));
	assert_ok(file_replace(dir, "left", "bytes", 5, 0));
	assert_content("left", "bytes");
	assert_content("victim", "");
}

/* Whichever call fails, the name shows the old bytes whole or the new ones whole, and nothing is left over. */
static void a_fault_at_each_call_of_a_replacement(void **state)
{
	int entries, fault = 0;
	uint8_t *bytes;
	size_t len;
	enum err e;

	assert_ok(file_replace(dir, "safe", "old", 3, 0));
	entries = count_entries();
	do {
		hook_start(++fault, 0, EIO);
		e = file_replace(dir, "safe", "new", 3, 0);
		file_io_set_hook(NULL, NULL);
		assert_int_equal(count_entries(), entries);
		assert_ok(file_load(dir, "safe", 100, &bytes, &len));
		if (e == ERR_OK || (fault > 1 && hook.calls[fault - 2] == FILE_IO_RENAME))
			assert_string_equal((char *)bytes, "new");
		else
			assert_string_equal((char *)bytes, "old");
		free(bytes);
		if (e != ERR_OK) {
			assert_int_equal(e, ERRNO(EIO));
			assert_ok(file_replace(dir, "safe", "old", 3, 0));
		}
	} while (e != ERR_OK && fault < 20);
	/* open of the directory, open, write, sync, rename, sync of the directory */
	assert_int_equal(fault, 7);
	assert_int_equal(hook.calls[3], FILE_IO_SYNC);
	assert_int_equal(hook.calls[4], FILE_IO_RENAME);
	assert_int_equal(hook.calls[5], FILE_IO_SYNC);
}

static void loading_has_a_limit(void **state)
{
	uint8_t *bytes;
	size_t len;

	assert_ok(file_replace(dir, "ten", "0123456789", 10, 0));
	assert_ok(file_load(dir, "ten", 10, &bytes, &len));
	assert_int_equal(len, 10);
	assert_int_equal(bytes[10], 0);
	free(bytes);
	assert_err(file_load(dir, "ten", 9, &bytes, &len), ERR_LIMIT);
	assert_null(bytes);
	assert_err(file_load(dir, "absent", 9, &bytes, &len), ERR_NOT_FOUND);
	assert_err(file_load(AT_FDCWD, "/dev/zero", 100, &bytes, &len), ERR_LIMIT);
	/* A file without a size. */
	assert_ok(file_load(AT_FDCWD, "/proc/self/cmdline", 4096, &bytes, &len));
	assert_true(len > 0);
	free(bytes);
}

static void an_entry_is_a_regular_file(void **state)
{
	uint8_t *bytes;
	size_t len;

	assert_int_equal(symlinkat("/etc/passwd", dir, "link"), 0);
	assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
	assert_err(file_load(dir, "link", 65536, &bytes, &len), ERRNO(ELOOP));
	assert_err(file_load(dir, "fifo", 65536, &bytes, &len), ERR_FORMAT);
	assert_err(file_load(dir, ".", 65536, &bytes, &len), ERR_FORMAT);
}

static void locks_belong_to_the_open_file(void **state)
{
	int first = open_file("lock"), second = open_file("lock");

	assert_ok(file_lock(first, 1, 0));
	assert_err(file_lock(second, 1, 0), ERR_BUSY);
	assert_err(file_lock(second, 0, 0), ERR_BUSY);
	assert_ok(file_unlock(first));
	assert_ok(file_lock(second, 0, 0));
	assert_ok(file_lock(first, 0, 0));
	assert_err(file_lock(first, 1, 0), ERR_BUSY);
	close(second);
	assert_ok(file_lock(first, 1, 1));
	close(first);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_and_writes),
	cmocka_unit_test(vectors_of_any_count),
	cmocka_unit_test(punching_keeps_the_size),
	cmocka_unit_test(the_hook_sees_and_stops_each_call),
	cmocka_unit_test(replacing_a_file),
	cmocka_unit_test(replacing_by_path),
	cmocka_unit_test(what_a_crash_left_is_no_hindrance),
	cmocka_unit_test(a_fault_at_each_call_of_a_replacement),
	cmocka_unit_test(loading_has_a_limit),
	cmocka_unit_test(an_entry_is_a_regular_file),
	cmocka_unit_test(locks_belong_to_the_open_file),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	umask(0022);
	dir = open(unit_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
