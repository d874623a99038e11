#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include "keymgr/ctl/parameter.h"

static const struct parameter text = { "description", "Description", PARAMETER_TEXT };
static const struct parameter number = { "limit", "Limit", PARAMETER_NUMBER };
static const struct parameter blob = { "plaintext", "Plaintext", PARAMETER_BLOB };
static const struct parameter map = { "encryption-context", "EncryptionContext", PARAMETER_MAP };

static void write_file(const char *name, const void *bytes, size_t len, char url[static 512], const char *scheme)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", unit_directory(), name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	snprintf(url, 512, "%s://%s", scheme, path);
}

static void becomes(const struct parameter *p, const char *argument, int raw, const char *expected)
{
	json_t *value, *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);

	assert_ok(parameter_json(p, argument, raw, &value));
	assert_true(json_equal(value, wanted));
	json_decref(value);
	json_decref(wanted);
}

static void refused(const struct parameter *p, const char *argument, enum err expected, const char *what)
{
	json_t *value;

	assert_err(parameter_json(p, argument, 0, &value), expected);
	assert_null(value);
	assert_non_null(strstr(err_message(expected), what));
}

static void texts_and_numbers(void **state)
{
	char url[512];

	becomes(&text, "für alle", 0, "\"für alle\"");
	becomes(&number, "25", 0, "25");
	becomes(&number, "-1", 0, "-1");
	refused(&number, "25x", ERR_USAGE, "--limit");
	refused(&number, "", ERR_USAGE, "whole number");
	refused(&number, "1.5", ERR_USAGE, "whole number");
	refused(&number, "99999999999999999999", ERR_USAGE, "whole number");
	refused(&text, "\xff", ERR_USAGE, "UTF-8");
	write_file("text", "two\nlines\n", 10, url, "file");
	becomes(&text, url, 0, "\"two\\nlines\\n\"");
	write_file("nul", "a\0b", 3, url, "file");
	refused(&text, url, ERR_USAGE, "UTF-8");
	refused(&text, "file:///nowhere/at/all", ERR_NOT_FOUND, "/nowhere/at/all");
}

static void blobs(void **state)
{
	char url[512];

	becomes(&blob, "aGVsbG8=", 0, "\"aGVsbG8=\"");
	becomes(&blob, "hello", 1, "\"aGVsbG8=\"");
	refused(&blob, "hello", ERR_USAGE, "fileb://");
	refused(&blob, "aGVsbG9=", ERR_USAGE, "base64");
	write_file("bytes", "\0\xff", 2, url, "fileb");
	becomes(&blob, url, 0, "\"AP8=\"");
	becomes(&blob, url, 1, "\"AP8=\"");
	write_file("base64", " AP8=\n", 6, url, "file");
	becomes(&blob, url, 0, "\"AP8=\"");
	becomes(&blob, url, 1, "\"AP8=\"");
	write_file("text", "hello\n", 6, url, "file");
	refused(&blob, url, ERR_USAGE, "base64");
}

static void maps_and_flags(void **state)
{
	static const struct parameter yes = { "dry-run", "DryRun", PARAMETER_TRUE };
	static const struct parameter no = { "no-dry-run", "DryRun", PARAMETER_FALSE };
	char url[512];

	becomes(&map, "a=b", 0, "{\"a\": \"b\"}");
	refused(&map, "a", ERR_USAGE, "--encryption-context");
	write_file("context", "{\"a\": \"b\"}\n", 11, url, "file");
	becomes(&map, url, 0, "{\"a\": \"b\"}");
	becomes(&yes, NULL, 0, "true");
	becomes(&no, NULL, 0, "false");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(texts_and_numbers),
	cmocka_unit_test(blobs),
	cmocka_unit_test(maps_and_flags),
};

UNIT_MAIN(tests)
