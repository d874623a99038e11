/* The vectors of RFC 4648 section 10, and what strict decoding refuses. */
#include "tests/lib/unit.h"

#include <string.h>

static const struct {
	const char *plain, *hex, *base64, *base64url;
} vectors[] = {
	{ "", "", "", "" },
	{ "f", "66", "Zg==", "Zg" },
	{ "fo", "666f", "Zm8=", "Zm8" },
	{ "foo", "666f6f", "Zm9v", "Zm9v" },
	{ "foob", "666f6f62", "Zm9vYg==", "Zm9vYg" },
	{ "fooba", "666f6f6261", "Zm9vYmE=", "Zm9vYmE" },
	{ "foobar", "666f6f626172", "Zm9vYmFy", "Zm9vYmFy" },
	{ "\xff\xfe\xfd~?", "fffefd7e3f", "//79fj8=", "__79fj8" },
};

static void rfc_4648_vectors(void **state)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		size_t len = strlen(vectors[i].plain), got;
		char text[64];
		uint8_t bytes[64];

		bytes_to_hex(vectors[i].plain, len, text);
		assert_string_equal(text, vectors[i].hex);
		assert_ok(bytes_from_hex(text, strlen(text), bytes, len));
		assert_memory_equal(bytes, vectors[i].plain, len);

		assert_int_equal(bytes_to_base64(vectors[i].plain, len, text), BASE64_LEN(len));
		assert_string_equal(text, vectors[i].base64);
		assert_ok(bytes_from_base64(text, strlen(text), bytes, sizeof(bytes), &got));
		assert_int_equal(got, len);
		assert_memory_equal(bytes, vectors[i].plain, len);

		assert_int_equal(bytes_to_base64url(vectors[i].plain, len, text), BASE64URL_LEN(len));
		assert_string_equal(text, vectors[i].base64url);
		assert_ok(bytes_from_base64url(text, strlen(text), bytes, sizeof(bytes), &got));
		assert_int_equal(got, len);
		assert_memory_equal(bytes, vectors[i].plain, len);
	}
}

static void every_byte_goes_round(void **state)
{
	uint8_t bytes[256], back[256];
	char text[HEX_LEN(256) + 1];
	size_t got;

	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	for (size_t len = 0; len <= 256; len++) {
		bytes_to_hex(bytes, len, text);
		assert_ok(bytes_from_hex(text, HEX_LEN(len), back, len));
		assert_memory_equal(back, bytes, len);
		bytes_to_base64url(bytes, len, text);
		assert_ok(bytes_from_base64url(text, BASE64URL_LEN(len), back, len, &got));
		assert_int_equal(got, len);
		assert_memory_equal(back, bytes, len);
	}
}

static void hex_is_lower_case_digits_only(void **state)
{
	static const char *const wrong[] = { "6F", "6g", "6", "666", " 6", "0x", "6\n", "/6", ":6", "`6", "\xff" "6" };
	uint8_t out[2];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_err(bytes_from_hex(wrong[i], strlen(wrong[i]), out, 1), ERR_FORMAT);
}

static void base64_has_one_form_only(void **state)
{
	static const char *const wrong[] = { "Zg", "Zg=", "Zh==", "Zm9=", "Zm9", "Z===", "====", "=Zg=", "Zg==Zg==",
					     "Zm9v\n", "Zm 9v===", "Zm-_", "Zg==\n\n\n\n", "Zm9vA" };
	uint8_t out[64];
	size_t got;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_err(bytes_from_base64(wrong[i], strlen(wrong[i]), out, sizeof(out), &got), ERR_FORMAT);
}

static void base64url_has_one_form_only(void **state)
{
	static const char *const wrong[] = { "Zg==", "Zh", "Zm9", "Z", "Zm9vY", "Zm+/", "Zm9 ", "Zm9v=" };
	uint8_t out[64];
	size_t got;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_err(bytes_from_base64url(wrong[i], strlen(wrong[i]), out, sizeof(out), &got), ERR_FORMAT);
	assert_err(bytes_from_base64url("Zm9\0", 4, out, sizeof(out), &got), ERR_FORMAT);
}

/* Each text of two digits that decodes is the text of the byte it decodes to. */
static void no_two_texts_of_one_byte(void **state)
{
	int decoded = 0;

	for (int first = 0; first < 256; first++)
		for (int second = 0; second < 256; second++) {
			char text[2] = { (char)first, (char)second }, again[3];
			uint8_t byte;
			size_t got;

			if (bytes_from_base64url(text, 2, &byte, 1, &got) != ERR_OK)
				continue;
			decoded++;
			bytes_to_base64url(&byte, 1, again);
			assert_memory_equal(text, again, 2);
		}
	assert_int_equal(decoded, 256);
}

static void too_little_room_is_said(void **state)
{
	uint8_t out[3] = { 0, 0, 0xaa };
	size_t got;

	assert_err(bytes_from_base64("Zm9v", 4, out, 2, &got), ERR_LIMIT);
	assert_err(bytes_from_base64url("Zm9v", 4, out, 2, &got), ERR_LIMIT);
	assert_int_equal(out[2], 0xaa);
	assert_err(bytes_from_hex("666f", 4, out, 1), ERR_FORMAT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(rfc_4648_vectors),
	cmocka_unit_test(every_byte_goes_round),
	cmocka_unit_test(hex_is_lower_case_digits_only),
	cmocka_unit_test(base64_has_one_form_only),
	cmocka_unit_test(base64url_has_one_form_only),
	cmocka_unit_test(no_two_texts_of_one_byte),
	cmocka_unit_test(too_little_room_is_said),
};

UNIT_MAIN(tests)
