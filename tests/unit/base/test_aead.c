/* Published vectors: AES-256-GCM test cases 13 to 16 of McGrew and Viega's paper (NIST's),
 * XChaCha20-Poly1305 of draft-irtf-cfrg-xchacha A.3.1, AEGIS-256 of draft-irtf-cfrg-aegis-aead. */
#include "tests/lib/unit.h"

#include <string.h>
#include <strings.h>
#include "base/aead.h"
#include "base/secret.h"

#define TEXT_MAX 128

struct vector {
	enum aead_suite suite;
	const char *key, *nonce, *ad, *plain, *cipher, *tag;
};

#define FEFF "feffe9928665731c6d6a8f9467308308"
#define CASE_PLAIN "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" \
		   "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define CASE_CIPHER "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa" \
		    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
#define ZEROS_16 "00000000000000000000000000000000"

static const struct vector vectors[] = {
	{ AEAD_AES_256_GCM, ZEROS_16 ZEROS_16, "", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b" },
	{ AEAD_AES_256_GCM, ZEROS_16 ZEROS_16, "", "", ZEROS_16,
	  "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919" },
	{ AEAD_AES_256_GCM, FEFF FEFF, "cafebabefacedbaddecaf888", "", CASE_PLAIN "1aafd255",
	  CASE_CIPHER "898015ad", "b094dac5d93471bdec1a502270e3cc6c" },
	{ AEAD_AES_256_GCM, FEFF FEFF, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  CASE_PLAIN, CASE_CIPHER, "76fc6ece0f4e1768cddf8853bb2d551b" },
	{ AEAD_XCHACHA20_POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
	  "404142434445464748494a4b4c4d4e4f5051525354555657", "50515253c0c1c2c3c4c5c6c7",
	  "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f"
	  "756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e736372"
	  "65656e20776f756c642062652069742e",
	  "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae"
	  "64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9"
	  "664c97637da9768812f615c68b13b52e",
	  "c0875924c1c7987947deafd8780acf49" },
	{ AEAD_AEGIS_256, "1001000000000000000000000000000000000000000000000000000000000000",
	  "100002000000000000000000000000000000000000000000", "", ZEROS_16,
	  "754fc3d8c973246dcc6d741412a4b236", "3fe91994768b332ed7f570a19ec5896e" },
};

struct bytes {
	uint8_t at[TEXT_MAX];
	size_t len;
};

static struct bytes from_hex(const char *text)
{
	struct bytes b = { .len = strlen(text) / 2 };

	assert_true(b.len <= sizeof(b.at));
	unit_hex(text, b.at, b.len);
	return b;
}

static int check_suite(enum aead_suite suite)
{
	int checked = 0;

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct bytes key = from_hex(v->key), nonce = from_hex(v->nonce), ad = from_hex(v->ad);
		struct bytes plain = from_hex(v->plain), cipher = from_hex(v->cipher), tag = from_hex(v->tag);
		uint8_t out[TEXT_MAX], got_tag[AEAD_TAG_LEN];
		struct aead *a;

		if (v->suite != suite)
			continue;
		assert_ok(aead_get(suite, key.at, &a));
		aead_seal(a, nonce.at, 0, ad.at, ad.len, plain.at, plain.len, out, got_tag);
		assert_memory_equal(out, cipher.at, cipher.len);
		assert_memory_equal(got_tag, tag.at, AEAD_TAG_LEN);
		assert_ok(aead_open(a, nonce.at, 0, ad.at, ad.len, cipher.at, cipher.len, tag.at, out));
		assert_memory_equal(out, plain.at, plain.len);
		aead_put(a);
		checked++;
	}
	return checked;
}

static void skip_unless_available(enum aead_suite suite)
{
	if (!aead_available(suite)) {
		print_message("# %s is not available on this machine\n", aead_name(suite));
		skip();
	}
}

static void aes_256_gcm_vectors(void **state)
{
	skip_unless_available(AEAD_AES_256_GCM);
	assert_int_equal(check_suite(AEAD_AES_256_GCM), 4);
}

static void xchacha20_poly1305_vectors(void **state)
{
	assert_int_equal(check_suite(AEAD_XCHACHA20_POLY1305), 1);
}

static void aegis_256_vectors(void **state)
{
	skip_unless_available(AEAD_AEGIS_256);
	assert_int_equal(check_suite(AEAD_AEGIS_256), 1);
}

/* One context: seals and opens in turn, in place, and every flipped bit is noticed. */
static void check_tampering(enum aead_suite suite)
{
	uint8_t key[AEAD_KEY_LEN] = { 7 }, nonce[AEAD_NONCE_LEN] = { 9 }, ad[] = "place", tag[AEAD_TAG_LEN];
	uint8_t text[33] = "thirty-two bytes of plain text..", sealed[33], opened[33], zeros[33] = { 0 };
	struct { uint8_t *at; size_t len; } parts[] = { { sealed, 33 }, { tag, AEAD_TAG_LEN }, { ad, sizeof(ad) },
							{ nonce, 12 } };
	struct aead *a;

	assert_ok(aead_get(suite, key, &a));
	memcpy(sealed, text, sizeof(text));
	aead_seal(a, nonce, 0, ad, sizeof(ad), sealed, sizeof(sealed), sealed, tag);
	assert_memory_not_equal(sealed, text, sizeof(text));
	for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++)
		for (size_t bit = 0; bit < 8 * parts[p].len; bit++) {
			parts[p].at[bit / 8] ^= 1 << bit % 8;
			memset(opened, 1, sizeof(opened));
			assert_err(aead_open(a, nonce, 0, ad, sizeof(ad), sealed, sizeof(sealed), tag, opened),
				   ERR_NOT_AUTHENTIC);
			assert_memory_equal(opened, zeros, sizeof(zeros));
			parts[p].at[bit / 8] ^= 1 << bit % 8;
		}
	assert_ok(aead_open(a, nonce, 0, ad, sizeof(ad), sealed, sizeof(sealed), tag, sealed));
	assert_memory_equal(sealed, text, sizeof(text));
	aead_put(a);
}

static void each_flipped_bit_is_noticed(void **state)
{
	check_tampering(AEAD_XCHACHA20_POLY1305);
	if (aead_available(AEAD_AES_256_GCM))
		check_tampering(AEAD_AES_256_GCM);
}

/* More contexts than the pool keeps, then used contexts again: each has its own key alone. */
static void contexts_are_used_again(void **state)
{
	enum { COUNT = 40 };
	uint8_t nonce[AEAD_NONCE_LEN] = { 0 }, tags[COUNT][AEAD_TAG_LEN], tag[AEAD_TAG_LEN];
	struct aead *held[COUNT];

	for (int i = 0; i < COUNT; i++) {
		uint8_t key[AEAD_KEY_LEN] = { (uint8_t)i };

		assert_ok(aead_get(aead_default(), key, &held[i]));
		aead_seal(held[i], nonce, 0, NULL, 0, NULL, 0, NULL, tags[i]);
	}
	for (int i = 0; i < COUNT; i++)
		aead_put(held[i]);
	for (int i = COUNT; i-- > 0;) {
		uint8_t key[AEAD_KEY_LEN] = { (uint8_t)i };
		struct aead *a;

		assert_ok(aead_get(aead_default(), key, &a));
		aead_seal(a, nonce, 0, NULL, 0, NULL, 0, NULL, tag);
		assert_memory_equal(tag, tags[i], AEAD_TAG_LEN);
		aead_put(a);
	}
	aead_put(NULL);
}

static void suites_have_names(void **state)
{
	struct aead *a;
	uint8_t key[AEAD_KEY_LEN] = { 0 };

	assert_string_equal(aead_name(AEAD_AES_256_GCM), "AES-256-GCM");
	assert_int_equal(aead_by_name("aes-256-gcm"), AEAD_AES_256_GCM);
	assert_int_equal(aead_by_name("XChaCha20-Poly1305"), AEAD_XCHACHA20_POLY1305);
	assert_int_equal(aead_by_name("AEGIS-256"), AEAD_AEGIS_256);
	assert_int_equal(aead_by_name("ROT13"), 0);
	assert_null(aead_name(0));
	assert_null(aead_name(4));
	assert_true(aead_available(aead_default()));
	assert_err(aead_get(4, key, &a), ERR_UNSUPPORTED);
	assert_null(a);
	if (!aead_available(AEAD_AEGIS_256))
		assert_err(aead_get(AEAD_AEGIS_256, key, &a), ERR_UNSUPPORTED);
}

static void wraps_open_and_bind_their_place(void **state)
{
	uint8_t key[AEAD_KEY_LEN] = { 1 }, inner[32] = { 2 }, out[32], zeros[32] = { 0 };
	uint8_t wrapped[32 + AEAD_WRAP_OVERHEAD], other[sizeof(wrapped)];

	aead_wrap(key, "here", 4, inner, sizeof(inner), wrapped);
	aead_wrap(key, "here", 4, inner, sizeof(inner), other);
	assert_memory_not_equal(wrapped, other, AEAD_NONCE_LEN);
	assert_ok(aead_unwrap(key, "here", 4, wrapped, sizeof(wrapped), out));
	assert_memory_equal(out, inner, sizeof(inner));
	assert_err(aead_unwrap(key, "else", 4, wrapped, sizeof(wrapped), out), ERR_NOT_AUTHENTIC);
	assert_memory_equal(out, zeros, sizeof(zeros));
	for (size_t bit = 0; bit < 8 * sizeof(wrapped); bit++) {
		wrapped[bit / 8] ^= 1 << bit % 8;
		assert_err(aead_unwrap(key, "here", 4, wrapped, sizeof(wrapped), out), ERR_NOT_AUTHENTIC);
		wrapped[bit / 8] ^= 1 << bit % 8;
	}
	for (size_t len = 0; len < sizeof(wrapped); len++)
		assert_err(aead_unwrap(key, "here", 4, wrapped, len, out), ERR_NOT_AUTHENTIC);
}

/* The published vector, as a wrap: nonce, ciphertext, tag. */
static void a_wrap_is_nonce_ciphertext_tag(void **state)
{
	const struct vector *v = &vectors[4];
	struct bytes key = from_hex(v->key), nonce = from_hex(v->nonce), ad = from_hex(v->ad);
	struct bytes plain = from_hex(v->plain), cipher = from_hex(v->cipher), tag = from_hex(v->tag);
	uint8_t wrapped[TEXT_MAX + AEAD_WRAP_OVERHEAD], out[TEXT_MAX];

	memcpy(wrapped, nonce.at, AEAD_NONCE_LEN);
	memcpy(wrapped + AEAD_NONCE_LEN, cipher.at, cipher.len);
	memcpy(wrapped + AEAD_NONCE_LEN + cipher.len, tag.at, AEAD_TAG_LEN);
	assert_ok(aead_unwrap(key.at, ad.at, ad.len, wrapped, cipher.len + AEAD_WRAP_OVERHEAD, out));
	assert_memory_equal(out, plain.at, plain.len);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(aes_256_gcm_vectors),
	cmocka_unit_test(xchacha20_poly1305_vectors),
	cmocka_unit_test(aegis_256_vectors),
	cmocka_unit_test(each_flipped_bit_is_noticed),
	cmocka_unit_test(contexts_are_used_again),
	cmocka_unit_test(suites_have_names),
	cmocka_unit_test(wraps_open_and_bind_their_place),
	cmocka_unit_test(a_wrap_is_nonce_ciphertext_tag),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (secret_start() != ERR_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
