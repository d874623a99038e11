#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include "base/json.h"

static char *printed(const json_t *value)
{
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	json_print(to, value);
	fclose(to);
	return text;
}

/* Four spaces, keys as they were set, "key": value: what `aws kms` prints. */
static void the_shape_of_aws(void **state)
{
	json_t *value = json_pack("{s:{s:s, s:b, s:I, s:n}, s:[], s:[s, s]}", "KeyMetadata", "KeyId", "1234", "Enabled", 1,
				  "Count", (json_int_t)7, "Nothing", "Empty", "Aliases", "alias/\u00e4", "b\"c");
	char *text = printed(value);

	assert_string_equal(text,
		"{\n"
		"    \"KeyMetadata\": {\n"
		"        \"KeyId\": \"1234\",\n"
		"        \"Enabled\": true,\n"
		"        \"Count\": 7,\n"
		"        \"Nothing\": null\n"
		"    },\n"
		"    \"Empty\": [],\n"
		"    \"Aliases\": [\n"
		"        \"alias/\u00e4\",\n"
		"        \"b\\\"c\"\n"
		"    ]\n"
		"}\n");
	free(text);
	json_decref(value);
}

static void parsing_is_strict(void **state)
{
	static const char *const wrong[] = { "", "{", "{} x", "{\"a\": 1, \"a\": 2}", "{\"a\": \"\\u0000\"}", "{'a': 1}",
					     "[1,]", "\"text\"", "{\"a\": \"\xff\"}", "nul" };
	json_t *value;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_err(json_parse(wrong[i], strlen(wrong[i]), &value), ERR_FORMAT);
		assert_null(value);
	}
	assert_err(json_parse("{}\0", 3, &value), ERR_FORMAT);
	assert_ok(json_parse("{\"a\": [1, \"b\"]}\n", 16, &value));
	json_decref(value);
}

static void an_error_quotes_nothing_of_the_input(void **state)
{
	static const char text[] = "{\"Plaintext\": \"c2VjcmV0\" secret}";
	json_t *value;

	assert_err(json_parse(text, strlen(text), &value), ERR_FORMAT);
	assert_null(strstr(err_message(ERR_FORMAT), "c2VjcmV0"));
	assert_null(strstr(err_message(ERR_FORMAT), "secret"));
	assert_non_null(strstr(err_message(ERR_FORMAT), "line 1"));
}

static void members_have_their_types(void **state)
{
	static const char text[] = "{\"s\": \"text\", \"i\": -5, \"r\": 5.0, \"b\": true, \"f\": false, \"n\": null}";
	const char *string;
	long long integer;
	json_t *value;
	int flag;

	assert_ok(json_parse(text, strlen(text), &value));
	assert_ok(json_get_string(value, "s", &string));
	assert_string_equal(string, "text");
	assert_ok(json_get_integer(value, "i", &integer));
	assert_true(integer == -5);
	assert_ok(json_get_bool(value, "b", &flag));
	assert_int_equal(flag, 1);
	assert_ok(json_get_bool(value, "f", &flag));
	assert_int_equal(flag, 0);

	assert_err(json_get_string(value, "none", &string), ERR_NOT_FOUND);
	assert_string_equal(err_message(ERR_NOT_FOUND), "\"none\" (a string) is missing");
	assert_err(json_get_string(value, "i", &string), ERR_FORMAT);
	assert_string_equal(err_message(ERR_FORMAT), "\"i\" is not a string");
	assert_err(json_get_string(value, "n", &string), ERR_FORMAT);
	assert_err(json_get_integer(value, "s", &integer), ERR_FORMAT);
	assert_err(json_get_integer(value, "r", &integer), ERR_FORMAT);
	assert_err(json_get_integer(value, "b", &integer), ERR_FORMAT);
	assert_err(json_get_bool(value, "i", &flag), ERR_FORMAT);
	assert_err(json_get_bool(value, "none", &flag), ERR_NOT_FOUND);
	assert_err(json_get_string(NULL, "s", &string), ERR_FORMAT);
	json_decref(value);
}

static void bytes_as_base64(void **state)
{
	json_t *string = json_base64("\xff\xfe\xfd~?", 5);

	assert_string_equal(json_string_value(string), "//79fj8=");
	json_decref(string);
	string = json_base64("", 0);
	assert_string_equal(json_string_value(string), "");
	json_decref(string);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_shape_of_aws),
	cmocka_unit_test(parsing_is_strict),
	cmocka_unit_test(an_error_quotes_nothing_of_the_input),
	cmocka_unit_test(members_have_their_types),
	cmocka_unit_test(bytes_as_base64),
};

UNIT_MAIN(tests)
