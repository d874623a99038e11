/* Tables and text as `aws` prints them: what is expected was made by awscli's own formatter. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include "base/json.h"
#include "keymgr/ctl/output.h"

static const struct output_case {
	const char *title, *json, *as_json, *as_table, *as_text;
} cases[] = {
	{
		"ListAliases",
		"{\"Aliases\": [{\"AliasName\": \"alias/a\", \"TargetKeyId\": \"1\", \"CreationDate\": \"2026\"}, {\"AliasName\": \"alias/bbbb\", \"TargetKeyId\": \"2\"}], \"Truncated\": false}",
		/* json */
		"{\n"
		"    \"Aliases\": [\n"
		"        {\n"
		"            \"AliasName\": \"alias/a\",\n"
		"            \"TargetKeyId\": \"1\",\n"
		"            \"CreationDate\": \"2026\"\n"
		"        },\n"
		"        {\n"
		"            \"AliasName\": \"alias/bbbb\",\n"
		"            \"TargetKeyId\": \"2\"\n"
		"        }\n"
		"    ],\n"
		"    \"Truncated\": false\n"
		"}\n",
		/* table */
		"-------------------------------------------------\n"
		"|                  ListAliases                  |\n"
		"+---------------------------+-------------------+\n"
		"|  Truncated                |  False            |\n"
		"+---------------------------+-------------------+\n"
		"||                   Aliases                   ||\n"
		"|+------------+----------------+---------------+|\n"
		"||  AliasName | CreationDate   |  TargetKeyId  ||\n"
		"|+------------+----------------+---------------+|\n"
		"||  alias/a   |  2026          |  1            ||\n"
		"||  alias/bbbb|                |  2            ||\n"
		"|+------------+----------------+---------------+|\n",
		/* text */
		"False\n"
		"ALIASES\talias/a\t2026\t1\n"
		"ALIASES\talias/bbbb\t\t2\n"
	},
	{
		"DescribeKey",
		"{\"KeyMetadata\": {\"KeyId\": \"1234abcd-12ab-34cd-56ef-1234567890ab\", \"Arn\": \"arn:aws:kms:local:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab\", \"Enabled\": true, \"EncryptionAlgorithms\": [\"SYMMETRIC_DEFAULT\"], \"Days\": 30}}",
		/* json */
		"{\n"
		"    \"KeyMetadata\": {\n"
		"        \"KeyId\": \"1234abcd-12ab-34cd-56ef-1234567890ab\",\n"
		"        \"Arn\": \"arn:aws:kms:local:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab\",\n"
		"        \"Enabled\": true,\n"
		"        \"EncryptionAlgorithms\": [\n"
		"            \"SYMMETRIC_DEFAULT\"\n"
		"        ],\n"
		"        \"Days\": 30\n"
		"    }\n"
		"}\n",
		/* table */
		"------------------------------------------------------------------------------------------\n"
		"|                                       DescribeKey                                      |\n"
		"+----------------------------------------------------------------------------------------+\n"
		"||                                      KeyMetadata                                     ||\n"
		"|+---------+----------------------------------------------------------------------------+|\n"
		"||  Arn    |  arn:aws:kms:local:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab   ||\n"
		"||  Days   |  30                                                                        ||\n"
		"||  Enabled|  True                                                                      ||\n"
		"||  KeyId  |  1234abcd-12ab-34cd-56ef-1234567890ab                                      ||\n"
		"|+---------+----------------------------------------------------------------------------+|\n"
		"|||                                EncryptionAlgorithms                                |||\n"
		"||+------------------------------------------------------------------------------------+||\n"
		"|||  SYMMETRIC_DEFAULT                                                                 |||\n"
		"||+------------------------------------------------------------------------------------+||\n",
		/* text */
		"KEYMETADATA\tarn:aws:kms:local:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab\t30\tTrue\t1234abcd-12ab-34cd-56ef-1234567890ab\n"
		"ENCRYPTIONALGORITHMS\tSYMMETRIC_DEFAULT\n"
	},
	{
		"X",
		"{\"A\": 1, \"B\": [{\"x\": \"1\", \"L\": [\"p\", \"q\"]}, {\"x\": \"22\", \"L\": [], \"o\": {\"k\": 1, \"l\": 2}}], \"Z\": []}",
		/* json */
		"{\n"
		"    \"A\": 1,\n"
		"    \"B\": [\n"
		"        {\n"
		"            \"x\": \"1\",\n"
		"            \"L\": [\n"
		"                \"p\",\n"
		"                \"q\"\n"
		"            ]\n"
		"        },\n"
		"        {\n"
		"            \"x\": \"22\",\n"
		"            \"L\": [],\n"
		"            \"o\": {\n"
		"                \"k\": 1,\n"
		"                \"l\": 2\n"
		"            }\n"
		"        }\n"
		"    ],\n"
		"    \"Z\": []\n"
		"}\n",
		/* table */
		"----------------\n"
		"|       X      |\n"
		"+------+-------+\n"
		"|  A   |  1    |\n"
		"+------+-------+\n"
		"||      B     ||\n"
		"|+------------+|\n"
		"||      x     ||\n"
		"|+------------+|\n"
		"||  1         ||\n"
		"|+------------+|\n"
		"|||     L    |||\n"
		"||+----------+||\n"
		"|||  p       |||\n"
		"|||  q       |||\n"
		"||+----------+||\n"
		"||      B     ||\n"
		"|+------------+|\n"
		"||      x     ||\n"
		"|+------------+|\n"
		"||  22        ||\n"
		"|+------------+|\n"
		"|||     o    |||\n"
		"||+----+-----+||\n"
		"|||  k |  l  |||\n"
		"||+----+-----+||\n"
		"|||  1 |  2  |||\n"
		"||+----+-----+||\n",
		/* text */
		"1\n"
		"B\t1\n"
		"L\tp\n"
		"L\tq\n"
		"B\t22\n"
		"O\t1\t2\n"
	},
	{
		"CancelKeyDeletion",
		"{\"KeyId\": \"x\"}",
		/* json */
		"{\n"
		"    \"KeyId\": \"x\"\n"
		"}\n",
		/* table */
		"-------------------\n"
		"|CancelKeyDeletion|\n"
		"+----------+------+\n"
		"|  KeyId   |  x   |\n"
		"+----------+------+\n",
		/* text */
		"x\n"
	},
	{
		"ListKeys",
		"{\"Keys\": []}",
		/* json */
		"{\n"
		"    \"Keys\": []\n"
		"}\n",
		/* table */
		"----------\n"
		"|ListKeys|\n"
		"+--------+\n",
		/* text */
		""
	},
};

static void printed(enum output_format format, const struct output_case *c, const char *expected)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	json_t *value;

	assert_non_null(to);
	assert_ok(json_parse(c->json, strlen(c->json), &value));
	if (format == OUTPUT_TABLE)
		output_table(to, c->title, value, 80);
	else
		output_print(to, format, c->title, value);
	assert_int_equal(fclose(to), 0);
	assert_string_equal(text, expected);
	json_decref(value);
	free(text);
}

static void each_format_is_that_of_aws(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		printed(OUTPUT_JSON, &cases[i], cases[i].as_json);
		printed(OUTPUT_TABLE, &cases[i], cases[i].as_table);
		printed(OUTPUT_TEXT, &cases[i], cases[i].as_text);
	}
}

static void no_answer_prints_nothing(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	output_print(to, OUTPUT_JSON, "EnableKey", NULL);
	output_print(to, OUTPUT_TABLE, "EnableKey", NULL);
	output_print(to, OUTPUT_TEXT, "EnableKey", NULL);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(len, 0);
	free(text);
}

static void words_of_the_option(void **state)
{
	enum output_format format;

	assert_ok(output_parse("table", &format));
	assert_int_equal(format, OUTPUT_TABLE);
	assert_ok(output_parse("json", &format));
	assert_int_equal(format, OUTPUT_JSON);
	assert_ok(output_parse("text", &format));
	assert_int_equal(format, OUTPUT_TEXT);
	assert_err(output_parse("yaml", &format), ERR_USAGE);
	assert_err(output_parse("", &format), ERR_USAGE);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(each_format_is_that_of_aws),
	cmocka_unit_test(no_answer_prints_nothing),
	cmocka_unit_test(words_of_the_option),
};

UNIT_MAIN(tests)
