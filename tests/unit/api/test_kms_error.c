#include "tests/lib/unit.h"

#include <jansson.h>
#include <string.h>
#include "keymgr/api/kms_error.h"

static void names(void **state)
{
	static const struct { enum err e; const char *name; } rows[] = {
		{ ERR_KEY_NOT_FOUND, "NotFoundException" }, { ERR_KEY_DISABLED, "DisabledException" },
		{ ERR_KEY_STATE, "KMSInvalidStateException" }, { ERR_KEY_UNAVAILABLE, "KeyUnavailableException" },
		{ ERR_ALREADY_EXISTS, "AlreadyExistsException" }, { ERR_LIMIT_EXCEEDED, "LimitExceededException" },
		{ ERR_VALIDATION, "ValidationException" }, { ERR_ALIAS_NAME, "InvalidAliasNameException" },
		{ ERR_ARN, "InvalidArnException" }, { ERR_CIPHERTEXT, "InvalidCiphertextException" },
		{ ERR_INCORRECT_KEY, "IncorrectKeyException" }, { ERR_OPERATION, "UnsupportedOperationException" },
		{ ERR_MARKER, "InvalidMarkerException" }, { ERR_DRY_RUN, "DryRunOperationException" },
		{ ERR_CONFLICT, "ConflictException" }, { ERR_SERIALIZATION, "SerializationException" },
		{ ERR_UNKNOWN_OPERATION, "UnknownOperationException" }, { ERR_GRANT_TOKEN, "InvalidGrantTokenException" },
		{ ERR_KEY_USAGE, "InvalidKeyUsageException" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char qualified[128] = "com.amazonaws.kms#";

		assert_string_equal(kms_error_name(rows[i].e), rows[i].name);
		assert_int_equal(kms_error_parse(rows[i].name), rows[i].e);
		strcat(qualified, rows[i].name);
		assert_int_equal(kms_error_parse(qualified), rows[i].e);
	}
	assert_string_equal(kms_error_name(ERR_KEY_DESTROYED), "NotFoundException");
	assert_int_equal(kms_error_parse("KMSInternalException"), ERR_INTERNAL);
	assert_int_equal(kms_error_parse("NoSuchException"), ERR_INTERNAL);
	assert_int_equal(kms_error_parse(""), ERR_INTERNAL);
}

static void what_is_not_of_kms_has_no_name(void **state)
{
	static const enum err codes[] = { ERR_NO_MEMORY, ERR_LOCKED, ERR_BUSY, ERR_REFUSED, ERR_NOT_AUTHENTIC, ERR_FORMAT,
					  ERR_INTERNAL, ERR_USAGE, ERR_ERRNO + 5 };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_null(kms_error_name(codes[i]));
}

static void body(enum err e, const char *expected)
{
	json_t *got = kms_error_json(e), *wanted = json_loads(expected, 0, NULL);

	assert_true(json_equal(got, wanted));
	json_decref(got);
	json_decref(wanted);
}

static void bodies(void **state)
{
	err_set(ERR_KEY_NOT_FOUND, "there is no key %s", "x");
	body(ERR_KEY_NOT_FOUND, "{\"__type\": \"NotFoundException\", \"message\": \"there is no key x\"}");
	/* What went wrong inside is not told. */
	err_set(ERR_LOCKED, "/secret/path");
	body(ERR_LOCKED, "{\"__type\": \"KMSInternalException\", \"message\": \"internal error\"}");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(names),
	cmocka_unit_test(what_is_not_of_kms_has_no_name),
	cmocka_unit_test(bodies),
};

UNIT_MAIN(tests)
