#include "tests/lib/unit.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static const enum err all[] = {
	ERR_NO_MEMORY, ERR_INVALID, ERR_USAGE, ERR_NOT_FOUND, ERR_EXISTS, ERR_BUSY, ERR_REFUSED, ERR_UNSUPPORTED,
	ERR_LIMIT, ERR_TOO_LONG, ERR_CANCELLED, ERR_INTERNAL, ERR_TRUNCATED, ERR_FORMAT, ERR_NOT_AUTHENTIC,
	ERR_ROLLBACK, ERR_LOCKED, ERR_NO_KEY, ERR_KEY_DESTROYED, ERR_KEY_EXPIRED, ERR_KEY_NOT_FOUND,
	ERR_KEY_DISABLED, ERR_KEY_STATE, ERR_KEY_UNAVAILABLE, ERR_ALREADY_EXISTS, ERR_LIMIT_EXCEEDED,
	ERR_VALIDATION, ERR_ALIAS_NAME, ERR_ARN, ERR_CIPHERTEXT, ERR_INCORRECT_KEY, ERR_OPERATION, ERR_MARKER,
	ERR_DRY_RUN, ERR_CONFLICT, ERR_SERIALIZATION, ERR_UNKNOWN_OPERATION, ERR_GRANT_TOKEN, ERR_KEY_USAGE,
};

static void each_code_has_its_row(void **state)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_true(err_to_errno(all[i]) > 0);
		assert_true(err_exit_code(all[i]) > 0);
		assert_string_not_equal(err_text(all[i]), "unknown error");
	}
	assert_int_equal(err_to_errno(ERR_OK), 0);
	assert_int_equal(err_exit_code(ERR_OK), 0);
	assert_string_equal(err_text(ERR_OK), "ok");
}

static void the_mount_sees_these_errnos(void **state)
{
	assert_int_equal(err_to_errno(ERR_NO_KEY), ENOKEY);
	assert_int_equal(err_to_errno(ERR_KEY_DISABLED), ENOKEY);
	assert_int_equal(err_to_errno(ERR_KEY_DESTROYED), EKEYREVOKED);
	assert_int_equal(err_to_errno(ERR_KEY_EXPIRED), EKEYEXPIRED);
	assert_int_equal(err_to_errno(ERR_NOT_AUTHENTIC), EIO);
	assert_int_equal(err_to_errno(ERR_TRUNCATED), EIO);
	assert_int_equal(err_to_errno(ERR_FORMAT), EIO);
	assert_int_equal(err_to_errno((enum err)(ERR_ERRNO + ENOSPC)), ENOSPC);
	assert_int_equal(err_to_errno((enum err)999), EIO);
}

static void exit_codes(void **state)
{
	assert_int_equal(err_exit_code(ERR_USAGE), 2);
	assert_int_equal(err_exit_code(ERR_NOT_FOUND), 3);
	assert_int_equal(err_exit_code((enum err)(ERR_ERRNO + ENOENT)), 3);
	assert_int_equal(err_exit_code(ERR_REFUSED), 4);
	assert_int_equal(err_exit_code(ERR_LOCKED), 5);
	assert_int_equal(err_exit_code(ERR_BUSY), 6);
	assert_int_equal(err_exit_code(ERR_NOT_AUTHENTIC), 1);
	assert_int_equal(err_exit_code((enum err)(ERR_ERRNO + EIO)), 1);
}

static void a_sentence_goes_with_its_code(void **state)
{
	assert_int_equal(err_set(ERR_BUSY, "%s is mounted by %d", "b", 7), ERR_BUSY);
	assert_string_equal(err_message(ERR_BUSY), "b is mounted by 7");
	assert_string_equal(err_message(ERR_FORMAT), "not of the expected format");
	err_set(ERR_BUSY, "file: %s", err_message(ERR_BUSY));
	assert_string_equal(err_message(ERR_BUSY), "file: b is mounted by 7");
}

static void a_system_calls_error(void **state)
{
	enum err e;

	errno = ENOENT;
	assert_int_equal(err_errno(), ERR_ERRNO + ENOENT);
	assert_string_equal(err_text(err_errno()), "No such file or directory");
	e = err_set_errno("cannot open %s", "x");
	assert_int_equal(err_to_errno(e), ENOENT);
	assert_string_equal(err_message(e), "cannot open x: No such file or directory");
	assert_string_equal(err_text((enum err)(ERR_ERRNO + 5000)), "unknown error");
}

static void a_long_sentence_is_cut(void **state)
{
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	err_set(ERR_FORMAT, "%s", text);
	assert_int_equal(strlen(err_message(ERR_FORMAT)), 1023);
	errno = EIO;
	assert_int_equal(strlen(err_message(err_set_errno("%s", text))), 1023);
}

static void *other_thread(void *context)
{
	*(int *)context = strcmp(err_message(ERR_LIMIT), "a limit is reached");
	err_set(ERR_LIMIT, "theirs");
	return NULL;
}

static void a_sentence_belongs_to_its_thread(void **state)
{
	pthread_t thread;
	int differs = 1;

	err_set(ERR_LIMIT, "mine");
	assert_int_equal(pthread_create(&thread, NULL, other_thread, &differs), 0);
	pthread_join(thread, NULL);
	assert_int_equal(differs, 0);
	assert_string_equal(err_message(ERR_LIMIT), "mine");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(each_code_has_its_row),
	cmocka_unit_test(the_mount_sees_these_errnos),
	cmocka_unit_test(exit_codes),
	cmocka_unit_test(a_sentence_goes_with_its_code),
	cmocka_unit_test(a_system_calls_error),
	cmocka_unit_test(a_long_sentence_is_cut),
	cmocka_unit_test(a_sentence_belongs_to_its_thread),
};

UNIT_MAIN(tests)
