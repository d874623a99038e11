/*
 * What each unit test begins with: cmocka speaking TAP, checks of `enum err`, and
 * bytes written as hex.
 */
#ifndef REKEYFS_TESTS_LIB_UNIT_H
#define REKEYFS_TESTS_LIB_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/error.h"

#define assert_ok(call) unit_assert_err((call), ERR_OK, __FILE__, __LINE__)
#define assert_err(call, expected) unit_assert_err((call), (expected), __FILE__, __LINE__)

static inline void unit_assert_err(enum err got, enum err expected, const char *file, int line)
{
	if (got != expected) {
		print_error("got %d (%s), expected %d (%s)\n", (int)got, err_message(got),
			    (int)expected, err_text(expected));
		_fail(file, line);
	}
}

/* The bytes of a hex text of HEX_LEN(len) digits. */
static inline void unit_hex(const char *text, void *out, size_t len)
{
	assert_ok(bytes_from_hex(text, HEX_LEN(len), out, len));
}

#define assert_hex(bytes, len, text) do {				\
	char unit_text[HEX_LEN(len) + 1];				\
									\
	bytes_to_hex((bytes), (len), unit_text);			\
	assert_string_equal(unit_text, (text));				\
} while (0)

/* TMPDIR, which the test run makes for each test; a test run by hand needs one set as well. */
static inline const char *unit_directory(void)
{
	const char *directory = getenv("TMPDIR");

	if (!directory) {
		print_message("Bail out! TMPDIR must name an empty directory\n");
		exit(1);
	}
	return directory;
}

/* A `main` over the tests of the array `tests`. */
#define UNIT_MAIN(tests)						\
	int main(void)							\
	{								\
		cmocka_set_message_output(CM_OUTPUT_TAP);		\
		return cmocka_run_group_tests((tests), NULL, NULL);	\
	}

#endif
