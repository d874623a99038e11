/* Keys in their slots.  Vectors: tests/vectors/bucket.py. */
#include "tests/lib/unit.h"

#include <sodium.h>
#include <string.h>
#include "base/cursor.h"
#include "base/random.h"
#include "fs/keys/key_ring.h"
#include "fs/keys/key_wrap.h"
#include "tests/lib/fixed.h"

#define SLOT_FILE "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f0100" \
	"010000002800c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7a3c44f413859bc08ff378bce7d3aebf8459f0692" \
	"c47ba68de762e7ddbcf8e5d3787c3fd4b49afbda448615a452cee3caf400737111a4b8d599194c719427d0eca0fa0b15f547" \
	"87dd03b06de7c3bc65ec000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
#define SLOT_NAMES "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f0200" \
	"030000002800c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d72344cfc1b8d93c887fb70b4efdba6b78c51f8612" \
	"44fb260d67e2675d3c786553632a16f8ce5c669b0c61559875ad80a24742c808494cf45f3289dc19ec429ff4d23752e22332" \
	"12dd68facff29579c0a6000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
#define BLOB_LEN 40

/* In the place of base/random.c: the nonce of the vectors. */
void random_bytes(void *out, size_t len)
{
	fixed_count(out, len, 0xc0);
}

static struct key_slot make_slot(uint8_t suite, uint32_t epoch)
{
	struct key_slot slot = { .suite = suite, .epoch = epoch, .blob_len = BLOB_LEN };

	fixed_count(slot.key_id, sizeof(slot.key_id), 0x10);
	fixed_count(slot.material_id, sizeof(slot.material_id), 0x20);
	fixed_count(slot.blob, BLOB_LEN, 0);
	return slot;
}

static void check_vector(uint8_t purpose, const uint8_t *node, const uint8_t *key, struct key_slot slot, const char *expected)
{
	struct fixed f = fixed_make();
	uint8_t bucket_key[32], bytes[SLOT_MAX_LEN], back[32];
	struct writer w = writer_over(bytes, sizeof(bytes));
	struct key_slot read;
	struct cursor c;

	fixed_count(bucket_key, sizeof(bucket_key), 0x70);
	key_wrap_seal(bucket_key, purpose, f.bucket, node, key, &slot);
	key_slot_write(&w, &slot);
	assert_int_equal(writer_len(&w), strlen(expected) / 2);
	assert_hex(bytes, strlen(expected) / 2, expected);
	c = cursor_over(bytes, writer_len(&w));
	assert_ok(key_slot_read(&c, &read));
	assert_ok(key_wrap_open(bucket_key, purpose, f.bucket, node, &read, back));
	assert_memory_equal(back, key, 32);
}

static void slots_have_fixed_vectors(void **state)
{
	struct fixed f = fixed_make();

	check_vector(WRAP_FILE_KEY, f.link, f.file_key, make_slot(1, 1), SLOT_FILE);
	check_vector(WRAP_NAMES_KEY, f.bucket, f.names_key, make_slot(2, 3), SLOT_NAMES);
}

/* All of a slot but its blob, which names the bucket key: key_ring compares that. */
static void a_flipped_bit_is_noticed(void **state)
{
	struct fixed f = fixed_make();
	uint8_t bucket_key[32], bytes[SLOT_MAX_LEN], back[32];
	size_t len = sizeof(SLOT_FILE) / 2;

	fixed_count(bucket_key, sizeof(bucket_key), 0x70);
	unit_hex(SLOT_FILE, bytes, len);
	for (size_t bit = 0; bit < SLOT_FIXED_LEN * 8; bit++) {
		struct cursor c = cursor_over(bytes, len);
		struct key_slot slot;
		enum err e;

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		e = key_slot_read(&c, &slot);
		if (e == ERR_OK && slot.blob_len == BLOB_LEN) {
			assert_err(key_wrap_open(bucket_key, WRAP_FILE_KEY, f.bucket, f.link, &slot, back), ERR_NOT_AUTHENTIC);
			assert_memory_equal(back, (uint8_t [32]){ 0 }, 32);
		}
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void a_slot_is_bound_to_its_place(void **state)
{
	struct fixed f = fixed_make();
	struct key_slot slot = make_slot(1, 1);
	uint8_t bucket_key[32], back[32];

	fixed_count(bucket_key, sizeof(bucket_key), 0x70);
	key_wrap_seal(bucket_key, WRAP_FILE_KEY, f.bucket, f.link, f.file_key, &slot);
	assert_ok(key_wrap_open(bucket_key, WRAP_FILE_KEY, f.bucket, f.link, &slot, back));
	assert_err(key_wrap_open(bucket_key, WRAP_NAMES_KEY, f.bucket, f.link, &slot, back), ERR_NOT_AUTHENTIC);
	assert_err(key_wrap_open(bucket_key, WRAP_FILE_KEY, f.link, f.link, &slot, back), ERR_NOT_AUTHENTIC);
	assert_err(key_wrap_open(bucket_key, WRAP_FILE_KEY, f.bucket, f.bucket, &slot, back), ERR_NOT_AUTHENTIC);
	bucket_key[31] ^= 0x80;
	assert_err(key_wrap_open(bucket_key, WRAP_FILE_KEY, f.bucket, f.link, &slot, back), ERR_NOT_AUTHENTIC);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(slots_have_fixed_vectors),
	cmocka_unit_test(a_flipped_bit_is_noticed),
	cmocka_unit_test(a_slot_is_bound_to_its_place),
};

UNIT_MAIN(tests)
