#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file_io.h"
#include "base/log.h"

static char path[4096];

static char *content(void)
{
	uint8_t *bytes;
	size_t len;

	assert_ok(file_load(AT_FDCWD, path, 65536, &bytes, &len));
	return (char *)bytes;
}

static void lines_go_to_a_file(void **state)
{
	char program[32], level[32], rest[64], time[64], *text;
	struct stat st;
	int pid, year;

	assert_int_equal(log_open("rekeyfs", path, LOG_LEVEL_INFO), 0);
	log_info("mounted %d times", 3);
	text = content();
	assert_int_equal(sscanf(text, "%d%63[^ ] %31[^[][%d]: %31[^:]: %63[^\n]", &year, time, program, &pid, level,
				rest), 6);
	assert_string_equal(program, "rekeyfs");
	assert_int_equal(pid, getpid());
	assert_string_equal(level, "info");
	assert_string_equal(rest, "mounted 3 times");
	free(text);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void levels_are_kept(void **state)
{
	char *text;

	unlink(path);
	assert_int_equal(log_open("rekeyfs", path, LOG_LEVEL_WARNING), 0);
	log_error("one");
	log_warning("two");
	log_info("three");
	log_debug("four");
	text = content();
	assert_non_null(strstr(text, "error: one\n"));
	assert_non_null(strstr(text, "warning: two\n"));
	assert_null(strstr(text, "three"));
	assert_null(strstr(text, "four"));
	free(text);
}

/* What comes from a disk cannot forge a line, nor steer a terminal. */
static void a_line_is_one_line(void **state)
{
	char *text;

	unlink(path);
	assert_int_equal(log_open("rekeyfs", path, LOG_LEVEL_WARNING), 0);
	log_warning("%s", "a\nb\033[31mc\177");
	text = content();
	assert_non_null(strstr(text, "warning: a?b?[31mc?\n"));
	free(text);
}

static void a_failure_keeps_the_old_target(void **state)
{
	char *text, wrong[8192];

	unlink(path);
	assert_int_equal(log_open("rekeyfs", path, LOG_LEVEL_WARNING), 0);
	snprintf(wrong, sizeof(wrong), "%s/below", path);
	assert_true(log_open("rekeyfs", wrong, LOG_LEVEL_DEBUG) != 0);
	log_warning("still here");
	log_debug("not shown");
	text = content();
	assert_non_null(strstr(text, "still here\n"));
	assert_null(strstr(text, "not shown"));
	free(text);
	assert_int_equal(log_open("rekeyfs", NULL, LOG_LEVEL_ERROR), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(lines_go_to_a_file),
	cmocka_unit_test(levels_are_kept),
	cmocka_unit_test(a_line_is_one_line),
	cmocka_unit_test(a_failure_keeps_the_old_target),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	snprintf(path, sizeof(path), "%s/log", unit_directory());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
