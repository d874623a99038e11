/* Finding mounts in the kernel's table, on the one of this machine. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fs/mount/mount_point.h"
#include "tests/lib/unit.h"

static void finds_a_mount_point(void **state)
{
	struct mount_entry entry, same;
	struct stat st;

	assert_ok(mount_table_find("/proc", &entry));
	assert_string_equal(entry.type, "proc");
	assert_false(mount_entry_is_ours(&entry));
	assert_int_equal(stat("/proc", &st), 0);
	assert_true(entry.device == st.st_dev);
	assert_ok(mount_table_find_device(st.st_dev, &same));
	assert_string_equal(same.type, "proc");
	mount_entry_release(&same);
	mount_entry_release(&entry);
	mount_entry_release(&entry);
}

static void knows_what_is_none(void **state)
{
	struct mount_entry entry;

	assert_err(mount_table_find("/proc/self", &entry), ERR_NOT_FOUND);
	assert_err(mount_table_find("", &entry), ERR_NOT_FOUND);
	assert_err(mount_table_find_device((dev_t)-1, &entry), ERR_NOT_FOUND);
}

static void refuses_mount_points(void **state)
{
	char path[4096], *point;

	snprintf(path, sizeof(path), "%s/absent", unit_directory());
	assert_err(mount_point_check("/nonexistent/bucket", path, &point), ERR_NOT_FOUND);
	assert_null(point);
	assert_err(mount_point_check("/nonexistent/bucket", "/proc/self/status", &point), ERR_REFUSED);
	assert_err(mount_point_check("/nonexistent/bucket", "/proc/self", &point), ERR_REFUSED);
	snprintf(path, sizeof(path), "%s/below", unit_directory());
	assert_int_equal(mkdir(path, 0700), 0);
	assert_err(mount_point_check(unit_directory(), path, &point), ERR_REFUSED);
	assert_err(mount_point_check(path, unit_directory(), &point), ERR_REFUSED);
	assert_err(mount_point_check(path, path, &point), ERR_REFUSED);
	assert_ok(mount_point_check("/nonexistent/bucket", path, &point));
	assert_string_equal(point, path);
	free(point);
	assert_int_equal(rmdir(path), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(finds_a_mount_point),
	cmocka_unit_test(knows_what_is_none),
	cmocka_unit_test(refuses_mount_points),
};
UNIT_MAIN(tests)
