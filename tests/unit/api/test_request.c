#include "tests/lib/unit.h"

#include <string.h>
#include "keymgr/api/request.h"

static const char *const words[] = { "A", "B", NULL };
static const char *const only[] = { "A", NULL };
static const struct field fields[] = {
	{ .name = "Text", .type = FIELD_STRING, .required = 1, .min = 1, .max = 5 },
	{ .name = "Number", .type = FIELD_INTEGER, .min = 7, .max = 30 },
	{ .name = "Flag", .type = FIELD_BOOLEAN },
	{ .name = "Blob", .type = FIELD_BLOB, .min = 1, .max = 4 },
	{ .name = "Map", .type = FIELD_MAP },
	{ .name = "Word", .type = FIELD_WORD, .words = words },
	{ .name = "Only", .type = FIELD_ONLY, .words = only },
	FIELD_ALGORITHM("Algorithm"),
	FIELD_GRANT_TOKENS,
	FIELD_UNSUPPORTED("Tags"),
	{ 0 }
};

static enum err check(const char *text)
{
	json_t *in = json_loads(text, JSON_DECODE_ANY, NULL);
	enum err e;

	assert_non_null(in);
	e = request_check(in, fields);
	json_decref(in);
	return e;
}

/* With a Text, and the sentence that the error has. */
static void refused(const char *member, enum err expected, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "{\"Text\": \"x\", %s}", member);
	assert_err(check(text), expected);
	if (!strstr(err_message(expected), what))
		fail_msg("\"%s\" does not say \"%s\"", err_message(expected), what);
}

static void accepted(const char *member)
{
	char text[256];

	snprintf(text, sizeof(text), "{\"Text\": \"x\", %s}", member);
	assert_ok(check(text));
}

static void objects_alone(void **state)
{
	assert_err(check("[]"), ERR_SERIALIZATION);
	assert_err(check("\"x\""), ERR_SERIALIZATION);
	assert_err(check("null"), ERR_SERIALIZATION);
	assert_ok(check("{\"Text\": \"x\"}"));
}

static void members(void **state)
{
	assert_err(check("{}"), ERR_VALIDATION);
	assert_string_equal(err_message(ERR_VALIDATION), "1 validation error detected: Value null at 'text' failed to "
			    "satisfy constraint: Member must not be null");
	assert_err(check("{\"Text\": null}"), ERR_VALIDATION);
	refused("\"Other\": 1", ERR_VALIDATION, "\"Other\"");
	refused("\"number\": 7", ERR_VALIDATION, "\"number\"");
	accepted("\"Number\": null, \"Map\": null, \"Blob\": null");
}

static void strings(void **state)
{
	assert_err(check("{\"Text\": \"\"}"), ERR_VALIDATION);
	assert_ok(check("{\"Text\": \"äöüßé\"}"));
	assert_err(check("{\"Text\": \"äöüßéx\"}"), ERR_VALIDATION);
	assert_non_null(strstr(err_message(ERR_VALIDATION), "length less than or equal to 5"));
	assert_err(check("{\"Text\": 5}"), ERR_SERIALIZATION);
	assert_err(check("{\"Text\": {}}"), ERR_SERIALIZATION);
}

static void integers(void **state)
{
	accepted("\"Number\": 7");
	accepted("\"Number\": 30");
	refused("\"Number\": 6", ERR_VALIDATION, "Value '6' at 'number' failed to satisfy constraint: "
		"Member must have value greater than or equal to 7");
	refused("\"Number\": 31", ERR_VALIDATION, "Member must have value less than or equal to 30");
	refused("\"Number\": -9223372036854775808", ERR_VALIDATION, "greater");
	refused("\"Number\": 7.0", ERR_SERIALIZATION, "integer");
	refused("\"Number\": \"7\"", ERR_SERIALIZATION, "integer");
	refused("\"Number\": true", ERR_SERIALIZATION, "integer");
	refused("\"Flag\": 1", ERR_SERIALIZATION, "true or false");
	accepted("\"Flag\": true");
}

static void blobs(void **state)
{
	accepted("\"Blob\": \"AAAA\"");
	accepted("\"Blob\": \"AAAAAA==\"");
	accepted("\"Blob\": \"AA==\"");
	refused("\"Blob\": \"\"", ERR_VALIDATION, "length greater than or equal to 1");
	refused("\"Blob\": \"AAAAAAA=\"", ERR_VALIDATION, "length less than or equal to 4");
	refused("\"Blob\": \"AAA\"", ERR_SERIALIZATION, "base64");
	refused("\"Blob\": \"A===\"", ERR_SERIALIZATION, "base64");
	refused("\"Blob\": \"=AAA\"", ERR_SERIALIZATION, "base64");
	refused("\"Blob\": \"AA=A\"", ERR_SERIALIZATION, "base64");
	refused("\"Blob\": \"AA==AA==\"", ERR_SERIALIZATION, "base64");
	refused("\"Blob\": \"AA-_\"", ERR_SERIALIZATION, "base64");
	refused("\"Blob\": [1]", ERR_SERIALIZATION, "base64");
}

static void maps_and_words(void **state)
{
	accepted("\"Map\": {}");
	accepted("\"Map\": {\"a\": \"b\"}");
	refused("\"Map\": {\"a\": 1}", ERR_SERIALIZATION, "object of strings");
	refused("\"Map\": [\"a\"]", ERR_SERIALIZATION, "object of strings");
	accepted("\"Word\": \"B\"");
	refused("\"Word\": \"C\"", ERR_VALIDATION, "Member must satisfy enum value set: [A, B]");
	refused("\"Word\": 1", ERR_SERIALIZATION, "string");
	accepted("\"Only\": \"A\"");
	refused("\"Only\": \"B\"", ERR_OPERATION, "only A is");
	accepted("\"Algorithm\": \"SYMMETRIC_DEFAULT\"");
	refused("\"Algorithm\": \"RSAES_OAEP_SHA_1\"", ERR_KEY_USAGE, "SYMMETRIC_DEFAULT");
}

static void what_is_not_supported_must_be_empty(void **state)
{
	accepted("\"GrantTokens\": [], \"Tags\": null");
	accepted("\"Tags\": []");
	accepted("\"Tags\": false");
	accepted("\"Tags\": \"\"");
	refused("\"GrantTokens\": [\"x\"]", ERR_GRANT_TOKEN, "GrantTokens");
	refused("\"Tags\": [{}]", ERR_OPERATION, "Tags");
	refused("\"Tags\": true", ERR_OPERATION, "Tags");
}

static void getters(void **state)
{
	json_t *in = json_loads("{\"Text\": \"x\", \"Number\": 8, \"Flag\": true, \"Blob\": \"AP8=\", \"Null\": null,"
				" \"Map\": {\"b\": \"2\", \"a\": \"1\"}, \"Odd\": \"AP9=\"}", 0, NULL);
	struct context context;
	struct secret *s;

	assert_string_equal(request_string(in, "Text"), "x");
	assert_null(request_string(in, "Null"));
	assert_null(request_string(in, "None"));
	assert_int_equal(request_integer(in, "Number", 1), 8);
	assert_int_equal(request_integer(in, "None", 1), 1);
	assert_true(request_boolean(in, "Flag"));
	assert_false(request_boolean(in, "None"));
	assert_ok(request_blob(in, "Blob", &s));
	assert_int_equal(s->len, 2);
	assert_memory_equal(s->bytes, "\0\xff", 2);
	secret_free(s);
	assert_ok(request_blob(in, "None", &s));
	assert_null(s);
	assert_err(request_blob(in, "Odd", &s), ERR_SERIALIZATION);
	assert_null(s);
	assert_ok(request_context(in, "Map", &context));
	assert_int_equal(context.count, 2);
	assert_string_equal(context.pairs[0].name, "b");
	assert_string_equal(context.pairs[0].value, "2");
	request_context_release(&context);
	assert_ok(request_context(in, "None", &context));
	assert_int_equal(context.count, 0);
	request_context_release(&context);
	json_decref(in);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(objects_alone),
	cmocka_unit_test(members),
	cmocka_unit_test(strings),
	cmocka_unit_test(integers),
	cmocka_unit_test(blobs),
	cmocka_unit_test(maps_and_words),
	cmocka_unit_test(what_is_not_supported_must_be_empty),
	cmocka_unit_test(getters),
};

int main(void)
{
	assert_ok(secret_start());
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
