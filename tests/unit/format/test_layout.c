#include "fs/format/layout.h"
#include "tests/lib/unit.h"

static void sizes(void **state)
{
	static const struct { uint64_t plain, lower; } rows[] = {
		{ 0, 32768 }, { 1, 32769 }, { 4095, 36863 }, { 4096, 36864 }, { 4097, 36865 }, { 262143, 294911 },
		{ 262144, 294912 }, { 262145, 327681 }, { (uint64_t)1 << 40, 1236950581248u },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(layout_lower_size(rows[i].plain), rows[i].lower);
		assert_int_equal(layout_plain_size(rows[i].lower), rows[i].plain);
	}
	assert_int_equal(layout_plain_size(0), 0);
	assert_true(layout_lower_size(PLAIN_MAX) < (uint64_t)1 << 44);
}

static void there_and_back(void **state)
{
	for (uint64_t plain = 0; plain < 3 * GROUP_PLAIN; plain += 61)
		assert_int_equal(layout_plain_size(layout_lower_size(plain)), plain);
}

static void places(void **state)
{
	assert_int_equal(layout_tag_page(0, COPY_B), 0);
	assert_int_equal(layout_tag_page(0, COPY_A), 7 * 4096);
	assert_int_equal(layout_slot(0, 0), 8 * 4096);
	assert_int_equal(layout_slot(0, 63), 71 * 4096);
	assert_int_equal(layout_slot(0, 64), 1 * 4096);
	assert_int_equal(layout_slot(0, 69), 6 * 4096);
	assert_int_equal(layout_slot(3, 5), 3 * 72 * 4096 + 13 * 4096);
	assert_int_equal(layout_groups(0), 1);
	assert_int_equal(layout_groups(GROUP_PLAIN), 1);
	assert_int_equal(layout_groups(GROUP_PLAIN + 1), 2);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(sizes), cmocka_unit_test(there_and_back), cmocka_unit_test(places) };

UNIT_MAIN(tests)
