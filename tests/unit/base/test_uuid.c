#include "tests/lib/unit.h"

#include <string.h>
#include "base/uuid.h"

#define TEXT "00112233-4455-6677-8899-aabbccddeeff"

static void text_and_back(void **state)
{
	uint8_t id[UUID_LEN], again[UUID_LEN];
	char text[UUID_TEXT_LEN + 1];

	assert_ok(uuid_parse(TEXT, id));
	assert_hex(id, 16, "00112233445566778899aabbccddeeff");
	uuid_text(id, text);
	assert_string_equal(text, TEXT);
	for (int i = 0; i < 100; i++) {
		uuid_random(id);
		uuid_text(id, text);
		assert_ok(uuid_parse(text, again));
		assert_memory_equal(id, again, UUID_LEN);
	}
}

static void random_ones_are_version_4_and_differ(void **state)
{
	uint8_t first[UUID_LEN], second[UUID_LEN];

	for (int i = 0; i < 100; i++) {
		uuid_random(first);
		uuid_random(second);
		assert_int_equal(first[6] >> 4, 4);
		assert_int_equal(first[8] >> 6, 2);
		assert_memory_not_equal(first, second, UUID_LEN);
	}
}

/* Nothing but the one form; a refused text leaves the id as it was. */
static void other_forms_are_refused(void **state)
{
	static const char *const wrong[] = { "", TEXT "0", "00112233-4455-6677-8899-aabbccddeef",
		"00112233-4455-6677-8899-AABBCCDDEEFF", "{0112233-4455-6677-8899-aabbccddeef}",
		"001122334455-6677-8899-aabbccddeeff-", "00112233445566778899aabbccddeeff0000",
		"00112233-4455-6677-8899-aabbccddeefg", " 0112233-4455-6677-8899-aabbccddeeff" };
	uint8_t id[UUID_LEN] = { 0 }, zeros[UUID_LEN] = { 0 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_err(uuid_parse(wrong[i], id), ERR_FORMAT);
	for (size_t i = 0; i < UUID_TEXT_LEN; i++) {
		char text[] = TEXT;

		text[i] = text[i] == '-' ? '0' : '-';
		assert_err(uuid_parse(text, id), ERR_FORMAT);
	}
	assert_err(uuid_parse(NULL, id), ERR_FORMAT);
	assert_memory_equal(id, zeros, UUID_LEN);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(text_and_back),
	cmocka_unit_test(random_ones_are_version_4_and_differ),
	cmocka_unit_test(other_forms_are_refused),
};

UNIT_MAIN(tests)
