#include "tests/lib/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "base/config.h"
#include "base/file_io.h"

/* What was taken, as "section.key=value;" each. */
static char taken[4096];

static enum err take(void *context, const char *section, const char *key, const char *value)
{
	size_t len = strlen(taken);

	assert_ptr_equal(context, taken);
	if (strcmp(key, "unknown") == 0)
		return err_set(ERR_USAGE, "unknown key \"%s\"", key);
	snprintf(taken + len, sizeof(taken) - len, "%s.%s=%s;", section, key, value);
	return ERR_OK;
}

static enum err parse(const char *text)
{
	taken[0] = 0;
	return config_read_text("some.ini", text, strlen(text), take, taken);
}

static void pairs_in_their_sections(void **state)
{
	assert_ok(parse("a = 1\n; a comment\n# another\n\n[one]\nb=two words\n  c = indented\r\n[two]\nd =\n"));
	assert_string_equal(taken, ".a=1;one.b=two words;one.c=indented;two.d=;");
	assert_ok(parse(""));
	assert_string_equal(taken, "");
	assert_ok(parse("last = without a newline"));
	assert_string_equal(taken, ".last=without a newline;");
}

/* For inih an indented line goes on with the line before; here it is a line as any other. */
static void no_line_continues_another(void **state)
{
	assert_err(parse("a = 1\n    more of it\n"), ERR_USAGE);
	assert_ok(parse("a = 1\n\tb = 2\n"));
	assert_string_equal(taken, ".a=1;.b=2;");
}

static void an_error_names_file_and_line(void **state)
{
	assert_err(parse("a = 1\n\nunknown = 2\nb = 3\n"), ERR_USAGE);
	assert_string_equal(err_message(ERR_USAGE), "some.ini:3: unknown key \"unknown\"");
	assert_string_equal(taken, ".a=1;");
	assert_err(parse("a = 1\nno pair\n"), ERR_USAGE);
	assert_non_null(strstr(err_message(ERR_USAGE), "some.ini:2: "));
	assert_err(parse("[open\n"), ERR_USAGE);
	assert_non_null(strstr(err_message(ERR_USAGE), "some.ini:1: "));
}

/* Each length around inih's own limit: whole, or refused; never cut. */
static void a_long_line_is_refused_not_cut(void **state)
{
	char text[600], expected[600];

	for (int len = 150; len < 450; len++) {
		int total = 4 + len;		/* "k = " and the value */
		enum err e;

		sprintf(text, "a = 1\nk = %0*d\nb = 2\n", len, 7);
		e = parse(text);
		if (total <= 198) {
			sprintf(expected, ".a=1;.k=%0*d;.b=2;", len, 7);
			assert_ok(e);
			assert_string_equal(taken, expected);
		} else {
			assert_err(e, ERR_USAGE);
			assert_non_null(strstr(err_message(e), "some.ini:2: the line is too long"));
			assert_string_equal(taken, ".a=1;");
		}
	}
}

static void a_long_section_is_refused_not_cut(void **state)
{
	char text[100], expected[100];

	for (int len = 40; len < 60; len++) {
		sprintf(text, "[%0*d]\nk = v\n", len, 7);
		if (len <= 49) {
			sprintf(expected, "%0*d.k=v;", len, 7);
			assert_ok(parse(text));
			assert_string_equal(taken, expected);
		} else {
			assert_err(parse(text), ERR_USAGE);
		}
	}
}

static void a_nul_byte_is_refused(void **state)
{
	taken[0] = 0;
	assert_err(config_read_text("some.ini", "a = 1\0 2\n", 9, take, taken), ERR_USAGE);
	assert_non_null(strstr(err_message(ERR_USAGE), "some.ini:1: a NUL byte"));
}

static void files(void **state)
{
	char path[PATH_MAX], expected[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/file.ini", unit_directory());
	taken[0] = 0;
	assert_err(config_read_file(path, take, taken), ERR_NOT_FOUND);
	assert_ok(file_replace(AT_FDCWD, path, "a = 1\nunknown = 2\n", 18, 0));
	assert_err(config_read_file(path, take, taken), ERR_USAGE);
	snprintf(expected, sizeof(expected), "%s:2: unknown key \"unknown\"", path);
	assert_string_equal(err_message(ERR_USAGE), expected);
	assert_ok(file_replace(AT_FDCWD, path, "b = 2\n", 6, 0));
	taken[0] = 0;
	assert_ok(config_read_file(path, take, taken));
	assert_string_equal(taken, ".b=2;");
}

static void words_for_yes_and_no(void **state)
{
	static const char *const yes[] = { "yes", "true", "on", "1", "YES", "On" };
	static const char *const no[] = { "no", "false", "off", "0", "No" };
	static const char *const wrong[] = { "", "y", "2", "yess", " yes", "enabled" };
	int value;

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		assert_ok(config_bool(yes[i], &value));
		assert_int_equal(value, 1);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		assert_ok(config_bool(no[i], &value));
		assert_int_equal(value, 0);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_err(config_bool(wrong[i], &value), ERR_USAGE);
}

static void durations(void **state)
{
	static const struct { const char *text; long seconds; } right[] = {
		{ "0", 0 }, { "30", 30 }, { "30s", 30 }, { "10m", 600 }, { "2h", 7200 }, { "7d", 604800 },
		{ "9223372036854775807", LONG_MAX },
	};
	static const char *const wrong[] = { "", "s", "-1", "+1", " 1", "1 s", "1.5h", "1w", "10ms",
					     "9223372036854775808", "106751991167301d", "99999999999999999999" };
	long seconds;

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_ok(config_duration(right[i].text, &seconds));
		assert_true(seconds == right[i].seconds);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_err(config_duration(wrong[i], &seconds), ERR_USAGE);
}

static void sizes(void **state)
{
	static const struct { const char *text; unsigned long long bytes; } right[] = {
		{ "0", 0 }, { "4096", 4096 }, { "64K", 65536 }, { "64k", 65536 }, { "10M", 10485760 },
		{ "1G", 1073741824 }, { "2T", 2199023255552 }, { "18446744073709551615", ULLONG_MAX },
		{ "16777215T", 16777215ULL << 40 },
	};
	static const char *const wrong[] = { "", "K", "-1", "1 K", "1KB", "1.5M", "0x10", "16777216T",
					     "18446744073709551616" };
	unsigned long long bytes;

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_ok(config_size(right[i].text, &bytes));
		assert_true(bytes == right[i].bytes);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_err(config_size(wrong[i], &bytes), ERR_USAGE);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(pairs_in_their_sections),
	cmocka_unit_test(no_line_continues_another),
	cmocka_unit_test(an_error_names_file_and_line),
	cmocka_unit_test(a_long_line_is_refused_not_cut),
	cmocka_unit_test(a_long_section_is_refused_not_cut),
	cmocka_unit_test(a_nul_byte_is_refused),
	cmocka_unit_test(files),
	cmocka_unit_test(words_for_yes_and_no),
	cmocka_unit_test(durations),
	cmocka_unit_test(sizes),
};

UNIT_MAIN(tests)
