/* The sealed table of policies.  Vectors: tests/vectors/bucket.py. */
#include "tests/lib/unit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"
#include "fs/policy/policy_file.h"
#include "tests/lib/fixed.h"

#define HEAD "72656b6579706f6c010000000600000000000000c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d72905f486c413" \
	"d43842b6202737b9e18b5ccee6ddc966d85fbf42b979d9d0420ab32459c263b0f83a4416334c85d6ccaf"
#define DIGEST "5a25dd9943664b33f579979bb30c35c5655f19fad56b78ad45d3e550303ab84a"

static int fixed_random;

/* In the place of base/random.c: the nonce of the vectors where a test asks for it. */
void random_bytes(void *out, size_t len)
{
	if (fixed_random)
		fixed_count(out, len, 0xc0);
	else
		randombytes_buf(out, len);
}

static struct policy_list make_list(const struct fixed *f, struct policy policies[static 2])
{
	struct policy_list l = { .generation = 6, .count = 2, .policies = policies };

	memset(policies, 0, 2 * sizeof(*policies));
	memcpy(l.root_dir_id, f->directory, UUID_LEN);
	memcpy(policies[0].dir_id, f->directory, UUID_LEN);
	strcpy(policies[0].key, "alias/rekeyfs");
	memcpy(policies[1].dir_id, f->link, UUID_LEN);
	strcpy(policies[1].key, "7e8dbb1c-3c1e-4f0a-9d5b-0a1b2c3d4e5f");
	policies[1].on_rename = ON_RENAME_KEEP;
	policies[1].enforce = ENFORCE_DENY;
	policies[1].after_rotation = AFTER_ROTATION_REWRAP;
	return l;
}

static uint8_t *make_file(const struct fixed *f, size_t *len_out)
{
	struct policy policies[2];
	struct policy_list l = make_list(f, policies);
	uint8_t *bytes;

	assert_ok(policy_file_seal(&l, f->names_key, f->bucket, &bytes, len_out));
	return bytes;
}

static void tables_have_fixed_vectors(void **state)
{
	struct fixed f = fixed_make();
	struct policy policies[2];
	struct policy_list expected = make_list(&f, policies), got;
	uint8_t *bytes, digest[32];
	size_t len;

	fixed_random = 1;
	bytes = make_file(&f, &len);
	fixed_random = 0;
	assert_int_equal(len, 60 + 4096);
	assert_hex(bytes, sizeof(HEAD) / 2, HEAD);
	crypto_generichash(digest, sizeof(digest), bytes, len, NULL, 0);
	assert_hex(digest, sizeof(digest), DIGEST);
	assert_ok(policy_file_open(bytes, len, f.names_key, f.bucket, &got));
	assert_int_equal(got.generation, 6);
	assert_int_equal(got.count, 2);
	assert_memory_equal(got.root_dir_id, f.directory, UUID_LEN);
	assert_memory_equal(got.policies, expected.policies, 2 * sizeof(*policies));
	policy_list_release(&got);
	free(bytes);
}

static void check_bad(const struct fixed *f, const uint8_t *bytes, size_t len)
{
	struct policy_list l;
	enum err e = policy_file_open(bytes, len, f->names_key, f->bucket, &l);

	assert_true(e == ERR_FORMAT || e == ERR_NOT_AUTHENTIC);
	assert_null(l.policies);
}

static void a_flipped_bit_is_noticed(void **state)
{
	struct fixed f = fixed_make();
	size_t len;
	uint8_t *bytes = make_file(&f, &len);

	for (size_t bit = 0; bit < len * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		check_bad(&f, bytes, len);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t cut = 0; cut < len; cut++)
		check_bad(&f, bytes, cut);
	free(bytes);
}

static void a_table_of_another_bucket_is_not_ours(void **state)
{
	struct fixed f = fixed_make(), other = f;
	size_t len;
	uint8_t *bytes = make_file(&f, &len);

	other.bucket[0] ^= 1;
	check_bad(&other, bytes, len);
	other = f;
	other.names_key[0] ^= 1;
	check_bad(&other, bytes, len);
	free(bytes);
}

/* Authentic, but not a table that we would have written. */
static void check_nonsense(const struct fixed *f, const struct policy_list *l)
{
	uint8_t *bytes;
	size_t len;

	assert_ok(policy_file_seal(l, f->names_key, f->bucket, &bytes, &len));
	check_bad(f, bytes, len);
	free(bytes);
}

static void nonsense_under_the_seal_is_refused(void **state)
{
	struct fixed f = fixed_make();
	struct policy policies[2], swapped;
	struct policy_list l = make_list(&f, policies);

	memcpy(l.root_dir_id, f.bucket, UUID_LEN);	/* no policy for the root */
	check_nonsense(&f, &l);
	l = make_list(&f, policies);
	l.count = 0;
	check_nonsense(&f, &l);
	l = make_list(&f, policies);
	policies[1].key[0] = 0;
	check_nonsense(&f, &l);
	l = make_list(&f, policies);
	policies[1].enforce = 3;
	check_nonsense(&f, &l);
	l = make_list(&f, policies);
	policies[1].on_rename = 2;
	check_nonsense(&f, &l);
	l = make_list(&f, policies);
	policies[1].after_rotation = 3;
	check_nonsense(&f, &l);
	l = make_list(&f, policies);
	swapped = policies[0];
	policies[0] = policies[1];
	policies[1] = swapped;
	check_nonsense(&f, &l);
	l = make_list(&f, policies);
	policies[1] = policies[0];			/* twice the same directory */
	check_nonsense(&f, &l);
}

static void a_big_table_comes_back(void **state)
{
	struct fixed f = fixed_make();
	struct policy_list l = { .generation = UINT64_MAX, .count = 1000 }, got;
	uint8_t *bytes;
	size_t len;

	l.policies = calloc(l.count, sizeof(*l.policies));
	for (size_t i = 0; i < l.count; i++) {
		l.policies[i].dir_id[0] = (uint8_t)(i >> 8);
		l.policies[i].dir_id[1] = (uint8_t)i;
		memset(l.policies[i].key, 'k', 1 + i % POLICY_KEY_MAX);
	}
	memcpy(l.root_dir_id, l.policies[500].dir_id, UUID_LEN);
	assert_ok(policy_file_seal(&l, f.names_key, f.bucket, &bytes, &len));
	assert_int_equal((len - 60) % 4096, 0);
	assert_ok(policy_file_open(bytes, len, f.names_key, f.bucket, &got));
	assert_int_equal(got.count, l.count);
	assert_memory_equal(got.policies, l.policies, l.count * sizeof(*l.policies));
	policy_list_release(&got);
	policy_list_release(&l);
	free(bytes);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(tables_have_fixed_vectors),
	cmocka_unit_test(a_flipped_bit_is_noticed),
	cmocka_unit_test(a_table_of_another_bucket_is_not_ours),
	cmocka_unit_test(nonsense_under_the_seal_is_refused),
	cmocka_unit_test(a_big_table_comes_back),
};

UNIT_MAIN(tests)
