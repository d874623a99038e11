#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file_io.h"

static char path[4096];

static void write_offset(const char *text)
{
	assert_ok(file_replace(AT_FDCWD, path, text, strlen(text), 0));
}

static void the_file_moves_the_clock_at_once(void **state)
{
	int64_t now = time(NULL), moved;

	assert_int_equal(clock_offset(), 0);
	assert_true(clock_now() - now <= 1);
	write_offset("2592000\n");
	assert_int_equal(clock_offset(), 30 * DAY_SECONDS);
	moved = clock_now() - time(NULL) - 30 * DAY_SECONDS;
	assert_true(moved >= -1 && moved <= 1);
	assert_true(clock_now_exact().tv_sec - clock_now() <= 0);
	write_offset("-86400");
	moved = clock_now() - time(NULL) + DAY_SECONDS;
	assert_true(moved >= -1 && moved <= 1);
	write_offset("0");
	assert_true(clock_now() - time(NULL) <= 1);
}

static void leases_are_moved_as_well(void **state)
{
	int64_t before;

	write_offset("0");
	before = clock_boot();
	write_offset("1000");
	assert_true(clock_boot() - before >= 1000 && clock_boot() - before <= 1005);
}

static void a_half_written_file_changes_nothing(void **state)
{
	static const char *const wrong[] = { "", "\n", "x", "12x", "1.5", "0x10", "--1", "99999999999999999999", "1 2" };

	write_offset("777");
	assert_int_equal(clock_offset(), 777);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		write_offset(wrong[i]);
		assert_int_equal(clock_offset(), 777);
	}
}

static void without_a_file_nothing_is_moved(void **state)
{
	write_offset("777");
	assert_int_equal(clock_offset(), 777);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(clock_offset(), 0);
	write_offset("777");
	unsetenv("REKEYFS_CLOCK_FILE");
	assert_int_equal(clock_offset(), 0);
	setenv("REKEYFS_CLOCK_FILE", path, 1);
	assert_int_equal(clock_offset(), 777);
}

static void another_persons_file_is_ignored(void **state)
{
	if (getuid() != 0) {
		print_message("# only root can give a file away\n");
		skip();
	}
	write_offset("777");
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(clock_offset(), 0);
}

static void times_as_text(void **state)
{
	char text[CLOCK_TEXT_LEN + 1];

	clock_text(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
	clock_text(1795508278, text);
	assert_string_equal(text, "2026-11-24T08:17:58Z");
	clock_text(253402300799, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	clock_text(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_file_moves_the_clock_at_once),
	cmocka_unit_test(leases_are_moved_as_well),
	cmocka_unit_test(a_half_written_file_changes_nothing),
	cmocka_unit_test(without_a_file_nothing_is_moved),
	cmocka_unit_test(another_persons_file_is_ignored),
	cmocka_unit_test(times_as_text),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	snprintf(path, sizeof(path), "%s/clock", unit_directory());
	setenv("REKEYFS_CLOCK_FILE", path, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
