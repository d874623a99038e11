/* Extended attributes.  Vectors: tests/vectors/bucket.py. */
#include "tests/lib/unit.h"

#include <sodium.h>
#include <string.h>
#include "base/random.h"
#include "fs/names/sealed_xattr.h"
#include "tests/lib/fixed.h"

#define COMMENT_LOWER "user.rekeyfs.MUC7tU_O70k_in0OlPGdXtRE5ylUpbuO"
#define COMMENT_FILE "0109000000c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d78ef8e62c5052365b4f10424f9c61c6490ce2605118" \
	"bd41caaf3a19c68f80f627b0fc"
#define TRUSTED_LOWER "trusted.rekeyfs.SjTlOS8omzacO86WNiH1axe-AYZV6_Xl"
#define TRUSTED "0100000000c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7c97a0e3d0de8c702d78c68fab9d67e942b1d736f88" \
	"47580849a2"
#define VALUE_MAX 2000

static int fixed_random;

/* In the place of base/random.c: the nonce of the vectors where a test asks for it. */
void random_bytes(void *out, size_t len)
{
	if (fixed_random)
		fixed_count(out, len, 0xc0);
	else
		randombytes_buf(out, len);
}

static struct xattr_key of_file(const struct fixed *f)
{
	return (struct xattr_key){ .names_key = f->names_key, .bucket_id = f->bucket, .node_id = f->link, .key = f->file_key, .epoch = 9 };
}

static struct xattr_key of_other(const struct fixed *f)
{
	return (struct xattr_key){ .names_key = f->names_key, .bucket_id = f->bucket, .node_id = f->none, .key = f->names_key };
}

static void check_vector(const struct xattr_key *k, const char *name, const char *value, const char *lower_expected, const char *sealed_expected)
{
	uint8_t sealed[256], back[256];
	char lower[XATTR_LOWER_MAX], name_back[256];
	size_t len, got;
	uint32_t epoch;

	fixed_random = 1;
	assert_ok(xattr_lower_name(k, name, lower));
	assert_string_equal(lower, lower_expected);
	assert_true(xattr_is_lower(lower));
	assert_ok(xattr_seal(k, lower, name, value, strlen(value), sealed, &len));
	fixed_random = 0;
	assert_int_equal(len, strlen(sealed_expected) / 2);
	assert_hex(sealed, strlen(sealed_expected) / 2, sealed_expected);
	assert_ok(xattr_epoch(sealed, len, &epoch));
	assert_int_equal(epoch, k->epoch);
	assert_ok(xattr_open(k, lower, sealed, len, name_back, back, &got));
	assert_string_equal(name_back, name);
	assert_int_equal(got, strlen(value));
	assert_memory_equal(back, value, got);
}

static void attributes_have_fixed_vectors(void **state)
{
	struct fixed f = fixed_make();
	struct xattr_key file = of_file(&f), other = of_other(&f);

	check_vector(&file, "user.comment", "hello", COMMENT_LOWER, COMMENT_FILE);
	check_vector(&other, "trusted.x", "", TRUSTED_LOWER, TRUSTED);
}

static void values_of_every_length_come_back(void **state)
{
	struct fixed f = fixed_make();
	struct xattr_key k = of_file(&f);
	uint8_t value[VALUE_MAX], sealed[VALUE_MAX + XATTR_SEALED_OVERHEAD + 255], back[sizeof(sealed)];
	char name[256] = "user.", name_back[256], lower[XATTR_LOWER_MAX];
	size_t len, got;

	fixed_count(value, sizeof(value), 3);
	for (size_t n = 0; n < VALUE_MAX; n += 1 + n / 8) {
		memset(name + 5, 'n', 1 + n % 250);
		name[5 + 1 + n % 250] = 0;
		assert_ok(xattr_lower_name(&k, name, lower));
		assert_ok(xattr_seal(&k, lower, name, value, n, sealed, &len));
		assert_int_equal(len, XATTR_SEALED_OVERHEAD + strlen(name) + n);
		assert_ok(xattr_open(&k, lower, sealed, len, name_back, back, &got));
		assert_string_equal(name_back, name);
		assert_int_equal(got, n);
		assert_memory_equal(back, value, n);
	}
}

static void a_flipped_bit_is_noticed(void **state)
{
	struct fixed f = fixed_make();
	struct xattr_key k = of_file(&f);
	uint8_t sealed[sizeof(COMMENT_FILE) / 2], back[sizeof(sealed)];
	char name[256];
	size_t len = sizeof(sealed), got;

	unit_hex(COMMENT_FILE, sealed, len);
	assert_ok(xattr_open(&k, COMMENT_LOWER, sealed, len, name, back, &got));
	for (size_t bit = 0; bit < len * 8; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_err(xattr_open(&k, COMMENT_LOWER, sealed, len, name, back, &got), ERR_NOT_AUTHENTIC);
		assert_int_equal(got, 0);
		assert_int_equal(name[0], 0);
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t cut = 0; cut < len; cut++)
		assert_err(xattr_open(&k, COMMENT_LOWER, sealed, cut, name, back, &got), ERR_NOT_AUTHENTIC);
}

static void an_attribute_is_bound_to_its_place(void **state)
{
	struct fixed f = fixed_make();
	struct xattr_key k = of_file(&f), elsewhere;
	uint8_t sealed[sizeof(COMMENT_FILE) / 2], back[sizeof(sealed)];
	char lower[XATTR_LOWER_MAX], name[256];
	size_t len = sizeof(sealed), got;

	unit_hex(COMMENT_FILE, sealed, len);
	assert_ok(xattr_lower_name(&k, "user.other", lower));
	assert_err(xattr_open(&k, lower, sealed, len, name, back, &got), ERR_NOT_AUTHENTIC);
	elsewhere = k;
	elsewhere.node_id = f.directory;
	assert_err(xattr_open(&elsewhere, COMMENT_LOWER, sealed, len, name, back, &got), ERR_NOT_AUTHENTIC);
	elsewhere = k;
	elsewhere.bucket_id = f.directory;
	assert_err(xattr_open(&elsewhere, COMMENT_LOWER, sealed, len, name, back, &got), ERR_NOT_AUTHENTIC);
	elsewhere = k;
	elsewhere.epoch++;
	assert_err(xattr_open(&elsewhere, COMMENT_LOWER, sealed, len, name, back, &got), ERR_NOT_AUTHENTIC);
	elsewhere = k;
	elsewhere.key = f.names_key;
	assert_err(xattr_open(&elsewhere, COMMENT_LOWER, sealed, len, name, back, &got), ERR_NOT_AUTHENTIC);
}

/* Sealed with the right key, but under a lower name that is another name's. */
static void a_name_must_be_that_of_the_lower_name(void **state)
{
	struct fixed f = fixed_make();
	struct xattr_key k = of_file(&f);
	uint8_t sealed[256], back[256];
	char name[256];
	size_t len, got;

	assert_ok(xattr_seal(&k, COMMENT_LOWER, "user.other", "v", 1, sealed, &len));
	assert_err(xattr_open(&k, COMMENT_LOWER, sealed, len, name, back, &got), ERR_NOT_AUTHENTIC);
	assert_int_equal(name[0], 0);
}

static void names_are_told_apart(void **state)
{
	struct fixed f = fixed_make();
	struct xattr_key k = of_file(&f);
	char lower[XATTR_LOWER_MAX], name[300];

	assert_true(xattr_is_sealed("user.x"));
	assert_true(xattr_is_sealed("trusted.x"));
	assert_false(xattr_is_sealed("security.selinux"));
	assert_false(xattr_is_sealed("system.posix_acl_access"));
	assert_false(xattr_is_sealed("users"));
	assert_false(xattr_is_lower("user.comment"));
	assert_false(xattr_is_lower("user.rekeyfs.key-id"));
	assert_false(xattr_is_lower(COMMENT_LOWER "A"));
	assert_false(xattr_is_lower("user.rekeyfs.================================"));
	assert_err(xattr_lower_name(&k, "security.x", lower), ERR_INVALID);
	memset(name, 'x', sizeof(name));
	memcpy(name, "user.", 5);
	name[256] = 0;
	assert_err(xattr_lower_name(&k, name, lower), ERR_TOO_LONG);
	name[255] = 0;
	assert_ok(xattr_lower_name(&k, name, lower));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(attributes_have_fixed_vectors),
	cmocka_unit_test(values_of_every_length_come_back),
	cmocka_unit_test(a_flipped_bit_is_noticed),
	cmocka_unit_test(an_attribute_is_bound_to_its_place),
	cmocka_unit_test(a_name_must_be_that_of_the_lower_name),
	cmocka_unit_test(names_are_told_apart),
};

UNIT_MAIN(tests)
