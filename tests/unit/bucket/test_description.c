/* rekeyfs.bucket. */
#include "tests/lib/unit.h"

#include <string.h>
#include "fs/bucket/description.h"
#include "tests/lib/fixed.h"

static struct bucket_description make(const char *hint)
{
	struct bucket_description d = { .format = BUCKET_FORMAT, .suite = AEAD_AES_256_GCM };
	struct fixed f = fixed_make();

	memcpy(d.id, f.bucket, UUID_LEN);
	strcpy(d.keystore_hint, hint);
	return d;
}

static void check_round_trip(const char *hint, const char *expected)
{
	struct bucket_description d = make(hint), back;
	char text[DESCRIPTION_LEN_MAX];
	size_t len = description_print(&d, text);

	assert_true(len < sizeof(text));
	assert_ok(description_parse("x", text, len, &back));
	assert_int_equal(back.format, BUCKET_FORMAT);
	assert_int_equal(back.suite, AEAD_AES_256_GCM);
	assert_memory_equal(back.id, d.id, UUID_LEN);
	assert_string_equal(back.keystore_hint, expected);
}

static void a_description_has_a_fixed_form(void **state)
{
	struct bucket_description d = make("/var/lib/rekeyfs/keystore");
	char text[DESCRIPTION_LEN_MAX];

	text[description_print(&d, text)] = 0;
	assert_string_equal(text,
		"# A rekeyfs bucket: encrypted files.  `rekeyfs mount` shows them, `rekeyfs info` tells which keys they are under.\n"
		"[bucket]\n"
		"format = 1\n"
		"id = 40414243-4445-4647-4849-4a4b4c4d4e4f\n"
		"# Cipher suite of new files.\n"
		"suite = AES-256-GCM\n"
		"# Where its keys were when it was made (a hint; --keystore decides).\n"
		"keystore = /var/lib/rekeyfs/keystore\n");
}

static void hints_that_fit_no_line_are_left_out(void **state)
{
	char long_hint[400];

	check_round_trip("", "");
	check_round_trip("/home/me/keystore with spaces", "/home/me/keystore with spaces");
	check_round_trip("/a\nsuite = XChaCha20-Poly1305", "");
	check_round_trip("/a ; b", "");
	check_round_trip(" /a", "");
	memset(long_hint, 'k', sizeof(long_hint) - 1);
	long_hint[sizeof(long_hint) - 1] = 0;
	check_round_trip(long_hint, "");
	long_hint[180] = 0;
	check_round_trip(long_hint, long_hint);
}

static void check_refused(const char *text)
{
	struct bucket_description d;

	assert_err(description_parse("x", text, strlen(text), &d), ERR_FORMAT);
}

static void what_is_not_a_description_is_refused(void **state)
{
	check_refused("");
	check_refused("[bucket]\nformat = 1\nsuite = AES-256-GCM\n");
	check_refused("[bucket]\nformat = 2\n");
	check_refused("[bucket]\nformat = 1\nid = 40414243-4445-4647-4849-4a4b4c4d4e4f\nsuite = ROT13\n");
	check_refused("[bucket]\nformat = 1\nid = 4041\nsuite = AES-256-GCM\n");
	check_refused("[bucket]\nformat = 1\nid = 00000000-0000-0000-0000-000000000000\nsuite = AES-256-GCM\n");
	check_refused("[bucket]\nformat = 1\ncolour = red\n");
	check_refused("[other]\nformat = 1\n");
	check_refused("nonsense\n");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_description_has_a_fixed_form),
	cmocka_unit_test(hints_that_fit_no_line_are_left_out),
	cmocka_unit_test(what_is_not_a_description_is_refused),
};

UNIT_MAIN(tests)
