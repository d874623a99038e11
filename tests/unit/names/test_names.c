/* Names of entries.  Vectors: tests/vectors/bucket.py. */
#include "tests/lib/unit.h"

#include <string.h>
#include "fs/names/names.h"
#include "tests/lib/fixed.h"

#define NAME_A "NDUvUpMNy4inBAfxZrbSinBoxW8I7liVjsbS9TNWw0hwFIoFiNBRIQ"
#define NAME_16 "ADivoaryPgBqQjObpG1EqWBsyYK_c4b8ezJGJt4lHj5ylaoclb4WCg"
#define NAME_17 "j8x87CxEvGGQLsFnB8UoX0rCydu8tYcWjKd8LvnUzj8wCzRfA7ZoKFvQOCvSPEh2UmDcJDxZDe8"
#define NAME_160 \
	"mA29P1Py9un0JdAq4BeRYRZ-WlS7hFoQ95q3tu2JmQxLBjwrR5_xvp3mE5GmfXWL4SYixRpGj_WBUOqdoPDkkKyVq_BA-QnHL54t" \
	"aM41Nf_mKG5GzdS7zj7B3-3OMfwW1TlEjsdv2jgkmP01DZXn8LKFKZgxBWctnf4FGvQjIDh1rPwvm1Gg02Vd-vDdAgbMDX3S8iTM" \
	"yydTr8HTOvoM2L8Dx2wnn2J1J_ncbwQtUqMMgHNcDqjYOw"
#define NAME_161 "QBuZ_csb_5GOhf4lyymNguy1qXW2mI9AyeHAtMZlpe8"
#define NAME_161_TEXT \
	"UrzO5FxMPWZC4oyR2vPpPkSNXrqALDq5fFvPP89b024SpHlTt_9k1amXIvOwKwnE50boz1DPZkhHHNw4zeDXwLzywktY4qwIwVlO" \
	"VqGKhXJzhRf2mFGLodPylUHqBZxm776XsyIxwCxQ7_Ro1Cz7v1Wk_Ju4SfeKV5Gvm8zu9F6mUnLfq3CakeM5BxISZvl7fR_ILZBO" \
	"RKl75tph_NT_TpsegO2OtWzoHrPR6pItZclR5XeJ3ZX1zU_LnVSQRDeHzGTKqlbaoT4"
#define NAME_255 "SWx3X03pLA_cZ4CTZYgYjh7TXoG2hI6fZN9-6qDlvdA"
#define NAME_255_TEXT \
	"g-A_MMey1lGjXgqtridXB5hI58FhpmjfKfieVkPmOiupRVWbFIYCqf67nhKbWI7olv2AfC4PX0sdSEnoqWhsEnwSX6_E_-cR_nph" \
	"7sKniHZvNImnZKXS_4P2OIisOA2j10E-eVGxWf-lYoT279Pu-PkuxkeOVAVkXalGailzfF0h0_uT4e4-_GN0KpgHdgQfO3LzobgA" \
	"7RCcr2uQ8gwCLWwJJ90L0aBo4ysS0j1wFvOywu-HypuG29YT-xN9DvRvSASjmg1rXJZW1D7F1HWAtu5XP5E8J2A6liQQF8HijNdV" \
	"yG6firKBbK-Psl5pgF1-kzuU5js1MjfJNcwvJCQ9SmjjVWdKyKIzALIh_epMKsOOrkKxqwfBdg"
#define NAME_EVERY_BYTE "OKgY7MIeKQtvMo1PgxTO0NcRazTGNTfFYwsYr3XGaEc"
#define NAME_EVERY_BYTE_TEXT \
	"MVBjZgbZ-cHOt_Zhpyk7OOgFo5aorTesbkDqkpXvm7YJp2PeJKvQTjEv8mVlMfzG9bsAqPv5svpKI_dEJlseADPjbHKx6VTKLfe-" \
	"57_a0oickX9IULJPb555QhY9COFC97omxX0pZiy_-aceL4rJ5An_2Be7hcH1rPS-GKS728S2flzwTJ_fjKRnkZfBHZeOenLIIo9L" \
	"AxRiY361L2UFvnyzwTS9Dqodgjlibp2O8c34FU7DSwsG4P9e370d4jfFIa_9mDCdJctBzWVFlJWClt5pOuw4ArHezk4LGy3w9xym" \
	"rHm2aFaP6oYHCQfqezPjG2KSCHZQMlLiGp83UYbCg1miITKQv6I7XZVllXafbMuc97et34CsKw"

static struct names_key make_key(void)
{
	struct fixed f = fixed_make();
	struct names_key k;

	names_key_make(f.names_key, f.directory, &k);
	return k;
}

static size_t every_byte(char *out)
{
	size_t len = 0;

	for (int c = 1; c < 256; c++)
		if (c != '/')
			out[len++] = (char)c;
	return len;
}

static void check_vector(const char *plain, size_t len, const char *lower, const char *text)
{
	struct names_key k = make_key();
	struct lower_name name;
	char back[NAME_PLAIN_MAX + 1];
	size_t got;

	assert_ok(names_encrypt(&k, plain, len, &name));
	assert_string_equal(name.name, lower);
	assert_int_equal(name.is_long, text != NULL);
	assert_string_equal(name.text, text ? text : "");
	assert_ok(names_decrypt(&k, text ? text : lower, strlen(text ? text : lower), back, &got));
	assert_int_equal(got, len);
	assert_memory_equal(back, plain, len);
	assert_int_equal(back[len], 0);
}

static void names_have_fixed_vectors(void **state)
{
	char plain[256];
	size_t len;

	check_vector("a", 1, NAME_A, NULL);
	check_vector("0123456789abcdef", 16, NAME_16, NULL);
	check_vector("0123456789abcdefg", 17, NAME_17, NULL);
	memset(plain, 'x', sizeof(plain));
	check_vector(plain, 160, NAME_160, NULL);
	check_vector(plain, 161, NAME_161, NAME_161_TEXT);
	memset(plain, 'y', sizeof(plain));
	check_vector(plain, 255, NAME_255, NAME_255_TEXT);
	len = every_byte(plain);
	check_vector(plain, len, NAME_EVERY_BYTE, NAME_EVERY_BYTE_TEXT);
}

static void names_of_every_length_come_back(void **state)
{
	struct names_key k = make_key();
	char plain[NAME_PLAIN_MAX], back[NAME_PLAIN_MAX + 1];
	struct lower_name name;
	size_t got;

	for (size_t len = 1; len <= NAME_PLAIN_MAX; len++) {
		const char *text;

		for (size_t i = 0; i < len; i++)
			plain[i] = (char)(1 + (i * 7 + len) % 46);
		assert_ok(names_encrypt(&k, plain, len, &name));
		assert_int_equal(name.is_long, len > NAME_LONG_OVER);
		assert_in_range(strlen(name.name), NAME_HASH_TEXT, NAME_LOWER_MAX);
		assert_int_equal(names_is_long(name.name), name.is_long);
		assert_int_equal(names_is_reserved(name.name), 0);
		text = name.is_long ? name.text : name.name;
		if (name.is_long)
			assert_true(names_long_matches(&k, name.name, name.text));
		assert_ok(names_decrypt(&k, text, strlen(text), back, &got));
		assert_int_equal(got, len);
		assert_memory_equal(back, plain, len);
	}
}

static void names_of_one_length_class_look_alike(void **state)
{
	struct names_key k = make_key();
	struct lower_name one, other;

	assert_ok(names_encrypt(&k, "a", 1, &one));
	assert_ok(names_encrypt(&k, "abcdefghijklmnop", 16, &other));
	assert_int_equal(strlen(one.name), strlen(other.name));
}

static void names_that_no_entry_has_are_refused(void **state)
{
	struct names_key k = make_key();
	struct lower_name name;
	char long_one[256];

	memset(long_one, 'z', sizeof(long_one));
	assert_err(names_encrypt(&k, long_one, 256, &name), ERR_TOO_LONG);
	assert_err(names_encrypt(&k, "", 0, &name), ERR_INVALID);
	assert_err(names_encrypt(&k, ".", 1, &name), ERR_INVALID);
	assert_err(names_encrypt(&k, "..", 2, &name), ERR_INVALID);
	assert_err(names_encrypt(&k, "a/b", 3, &name), ERR_INVALID);
	assert_err(names_encrypt(&k, "a\0b", 3, &name), ERR_INVALID);
	assert_ok(names_encrypt(&k, "...", 3, &name));
	assert_ok(names_encrypt(&k, "rekeyfs.bucket", 14, &name));
}

static void names_reveal_nothing_in_another_directory(void **state)
{
	struct fixed f = fixed_make();
	struct names_key k, other;
	struct lower_name name, elsewhere;
	char back[NAME_PLAIN_MAX + 1];
	size_t got;

	names_key_make(f.names_key, f.directory, &k);
	names_key_make(f.names_key, f.link, &other);
	assert_ok(names_encrypt(&k, "same", 4, &name));
	assert_ok(names_encrypt(&other, "same", 4, &elsewhere));
	assert_string_not_equal(name.name, elsewhere.name);
	assert_err(names_decrypt(&other, name.name, strlen(name.name), back, &got), ERR_NOT_AUTHENTIC);
}

static void check_flips(const char *text)
{
	struct names_key k = make_key();
	char flipped[NAME_TEXT_MAX + 1], back[NAME_PLAIN_MAX + 1];
	size_t len = strlen(text), got;

	for (size_t bit = 0; bit < len * 8; bit++) {
		memcpy(flipped, text, len + 1);
		flipped[bit / 8] ^= (char)(1 << bit % 8);
		assert_err(names_decrypt(&k, flipped, len, back, &got), ERR_NOT_AUTHENTIC);
		assert_int_equal(got, 0);
		assert_int_equal(back[0], 0);
	}
	for (size_t cut = 0; cut < len; cut++)
		assert_err(names_decrypt(&k, text, cut, back, &got), ERR_NOT_AUTHENTIC);
}

static void a_flipped_bit_is_noticed(void **state)
{
	check_flips(NAME_A);
	check_flips(NAME_17);
	check_flips(NAME_161_TEXT);
	check_flips(NAME_255_TEXT);
}

static void a_long_name_is_bound_to_its_text(void **state)
{
	struct names_key k = make_key();

	assert_true(names_long_matches(&k, NAME_161, NAME_161_TEXT));
	assert_false(names_long_matches(&k, NAME_161, NAME_255_TEXT));
	assert_false(names_long_matches(&k, NAME_161 "A", NAME_161_TEXT));
	assert_false(names_long_matches(&k, "", NAME_161_TEXT));
}

static void reserved_names_are_told_apart(void **state)
{
	assert_int_equal(names_is_reserved("."), 1);
	assert_int_equal(names_is_reserved(".."), 1);
	assert_int_equal(names_is_reserved("rekeyfs.dir"), 1);
	assert_int_equal(names_is_reserved("rekeyfs."), 1);
	assert_int_equal(names_is_reserved("lost+found"), 1);
	assert_int_equal(names_is_reserved(NAME_161 ".name"), 2);
	assert_int_equal(names_is_reserved(NAME_161), 0);
	assert_int_equal(names_is_reserved(NAME_A), 0);
	assert_int_equal(names_is_reserved("rekeyfs"), 0);
	assert_int_equal(names_is_reserved("x.name"), 0);
	assert_true(names_is_long(NAME_161));
	assert_false(names_is_long(NAME_A));
}

static void a_wiped_key_is_zero(void **state)
{
	static const struct names_key zero;
	struct names_key k = make_key();

	names_key_wipe(&k);
	assert_memory_equal(&k, &zero, sizeof(k));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(names_have_fixed_vectors),
	cmocka_unit_test(names_of_every_length_come_back),
	cmocka_unit_test(names_of_one_length_class_look_alike),
	cmocka_unit_test(names_that_no_entry_has_are_refused),
	cmocka_unit_test(names_reveal_nothing_in_another_directory),
	cmocka_unit_test(a_flipped_bit_is_noticed),
	cmocka_unit_test(a_long_name_is_bound_to_its_text),
	cmocka_unit_test(reserved_names_are_told_apart),
	cmocka_unit_test(a_wiped_key_is_zero),
};

UNIT_MAIN(tests)
