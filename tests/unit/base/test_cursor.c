#include "tests/lib/unit.h"

#include <string.h>
#include "base/cursor.h"

static void fields_are_little_endian(void **state)
{
	uint8_t bytes[20];
	struct writer w = writer_over(bytes, sizeof(bytes));
	struct cursor c = cursor_over(bytes, sizeof(bytes));
	char text[4];

	writer_u8(&w, 0x01);
	writer_u16(&w, 0x0302);
	writer_u32(&w, 0x07060504);
	writer_u64(&w, 0x0f0e0d0c0b0a0908);
	writer_bytes(&w, "abc", 3);
	writer_zeros(&w, 2);
	assert_false(w.failed);
	assert_int_equal(writer_len(&w), 20);
	assert_hex(bytes, 20, "0102030405060708090a0b0c0d0e0f6162630000");

	assert_int_equal(cursor_u8(&c), 0x01);
	assert_int_equal(cursor_u16(&c), 0x0302);
	assert_int_equal(cursor_u32(&c), 0x07060504);
	assert_int_equal(cursor_u64(&c), 0x0f0e0d0c0b0a0908);
	cursor_bytes(&c, text, 3);
	assert_memory_equal(text, "abc", 3);
	assert_true(cursor_zeros(&c, 2));
	assert_false(c.failed);
	assert_int_equal(cursor_left(&c), 0);
}

/* A field that is cut anywhere gives zero and fails, and so does all that follows. */
static void reading_past_the_end_fails_for_good(void **state)
{
	uint8_t bytes[8];

	memset(bytes, 0xff, sizeof(bytes));
	for (size_t len = 0; len < 8; len++) {
		struct cursor c = cursor_over(bytes, len);

		assert_int_equal(cursor_u64(&c), 0);
		assert_true(c.failed);
		assert_int_equal(cursor_u8(&c), 0);
		assert_int_equal(cursor_left(&c), 0);
	}
}

static void short_bytes_are_zeros(void **state)
{
	uint8_t bytes[4] = { 1, 2, 3, 4 }, out[5] = { 9, 9, 9, 9, 9 }, zeros[5] = { 0 };
	struct cursor c = cursor_over(bytes, sizeof(bytes));

	cursor_bytes(&c, out, 5);
	assert_true(c.failed);
	assert_memory_equal(out, zeros, 5);
}

static void take_stays_inside(void **state)
{
	uint8_t bytes[4] = { 1, 2, 3, 4 };
	struct cursor c = cursor_over(bytes, sizeof(bytes));

	assert_ptr_equal(cursor_take(&c, 4), bytes);
	assert_false(c.failed);
	assert_non_null(cursor_take(&c, 0));
	assert_null(cursor_take(&c, 1));
	assert_true(c.failed);
	c = cursor_over(bytes, sizeof(bytes));
	assert_null(cursor_take(&c, SIZE_MAX));
	assert_true(c.failed);
}

static void reserved_bytes_must_be_zero(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		uint8_t bytes[4] = { 0 };
		struct cursor c = cursor_over(bytes, sizeof(bytes));

		assert_true(cursor_zeros(&c, 4));
		bytes[i] = 0x80;
		c = cursor_over(bytes, sizeof(bytes));
		assert_false(cursor_zeros(&c, 4));
		assert_true(c.failed);
	}
}

static void an_empty_cursor_may_have_no_bytes(void **state)
{
	struct cursor c = cursor_over(NULL, 0);

	assert_int_equal(cursor_left(&c), 0);
	assert_true(cursor_zeros(&c, 0));
	assert_false(c.failed);
}

static void what_does_not_fit_is_not_written(void **state)
{
	uint8_t bytes[4] = { 0xaa, 0xaa, 0xaa, 0xaa };
	struct writer w = writer_over(bytes, 3);

	writer_u16(&w, 0x0102);
	writer_u16(&w, 0x0304);
	assert_true(w.failed);
	writer_u8(&w, 5);		/* would fit, but what went before is lost */
	writer_zeros(&w, SIZE_MAX);
	assert_int_equal(writer_len(&w), 2);
	assert_hex(bytes, 4, "0201aaaa");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(fields_are_little_endian),
	cmocka_unit_test(reading_past_the_end_fails_for_good),
	cmocka_unit_test(short_bytes_are_zeros),
	cmocka_unit_test(take_stays_inside),
	cmocka_unit_test(reserved_bytes_must_be_zero),
	cmocka_unit_test(an_empty_cursor_may_have_no_bytes),
	cmocka_unit_test(what_does_not_fit_is_not_written),
};

UNIT_MAIN(tests)
