/* The bucket's record.  Vectors: tests/vectors/bucket.py. */
#include "tests/lib/unit.h"

#include <sodium.h>
#include <string.h>
#include "base/cursor.h"
#include "fs/bucket/state.h"
#include "tests/lib/fixed.h"

#define HEAD "72656b6579737461010001000700000000000000404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d" \
	"5e5f8877665544332211020000000000000029000000000000002a0000000000000000f15365000000000500000000000000" \
	"568b1cdff40abb4fd7b15e95a74658af02000300000000000000050000000000000064000000000000006e00000000000000" \
	"1400000000000000170000000000000000105e5f0000000009105e5f00000000101112131415161718191a1b1c1d1e1f2021" \
	"22232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f0200030000002800c0c1c2c3c4c5c6c7c8c9cacb" \
	"cccdcecfd0d1d2d3d4d5d6d72344"
#define MAC "808b332a41e10e1e4440b210242b1c64e51f9c19fe3c95a84add3d4f16c25e56"
#define DIGEST "da765b13458217cb7fe141611470b7d2536b042b6aa0589a93bd00c4e0283163"
#define ROOT_HINT "568b1cdff40abb4fd7b15e95a74658af"
#define SLOT_NAMES "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f0200" \
	"030000002800c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d72344cfc1b8d93c887fb70b4efdba6b78c51f8612" \
	"44fb260d67e2675d3c786553632a16f8ce5c669b0c61559875ad80a24742c808494cf45f3289dc19ec429ff4d23752e22332" \
	"12dd68facff29579c0a6000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"

static struct state make_state(const struct fixed *f)
{
	struct state s = { .flags = STATE_CLEAN, .sequence = 7, .filesystem = 0x1122334455667788, .root_inode = 2, .durable = 41,
			   .next_stamp = 42, .checkpoint_time = 1700000000, .policy_generation = 5, .pardon_count = 2,
			   .pardons = { { 3, 5, 100, 110 }, { 20, 23, 1600000000, 1600000009 } } };
	uint8_t bytes[sizeof(SLOT_NAMES) / 2];
	struct cursor c;

	memcpy(s.bucket_id, f->bucket, UUID_LEN);
	fixed_count(s.instance_id, UUID_LEN, 0x50);
	state_root_hint(s.bucket_id, "alias/rekeyfs", s.root_hint);
	unit_hex(SLOT_NAMES, bytes, sizeof(bytes));
	c = cursor_over(bytes, sizeof(bytes));
	assert_ok(key_slot_read(&c, &s.names_slot));
	return s;
}

static void the_record_has_a_fixed_vector(void **state)
{
	struct fixed f = fixed_make();
	struct state s = make_state(&f), back;
	uint8_t page[STATE_LEN], digest[32];

	assert_hex(s.root_hint, STATE_HINT_LEN, ROOT_HINT);
	assert_ok(state_write(&s, page));
	state_seal(page, f.names_key);
	assert_hex(page, sizeof(HEAD) / 2, HEAD);
	assert_hex(page + STATE_LEN - 32, 32, MAC);
	crypto_generichash(digest, sizeof(digest), page, sizeof(page), NULL, 0);
	assert_hex(digest, sizeof(digest), DIGEST);
	assert_ok(state_verify(page, f.names_key));
	assert_ok(state_read(page, &back));
	assert_memory_equal(&back, &s, sizeof(s));
}

static void the_fullest_record_comes_back(void **state)
{
	struct fixed f = fixed_make();
	struct state s = make_state(&f), back;
	uint8_t page[STATE_LEN];

	s.pardon_count = STATE_PARDONS;
	for (unsigned i = 0; i < STATE_PARDONS; i++)
		s.pardons[i] = (struct pardon){ i * 10, i * 10 + 4, -5 - (int64_t)i, (int64_t)i };
	s.names_slot.blob_len = SLOT_BLOB_MAX;
	fixed_count(s.names_slot.blob, SLOT_BLOB_MAX, 1);
	assert_ok(state_write(&s, page));
	assert_ok(state_read(page, &back));
	assert_memory_equal(&back, &s, sizeof(s));
	s.flags = 2;
	assert_err(state_write(&s, page), ERR_INVALID);
	s.flags = 0;
	s.pardon_count++;
	assert_err(state_write(&s, page), ERR_INVALID);
}

static void a_flipped_bit_is_noticed(void **state)
{
	struct fixed f = fixed_make();
	struct state s = make_state(&f), back;
	uint8_t page[STATE_LEN];

	assert_ok(state_write(&s, page));
	state_seal(page, f.names_key);
	for (size_t bit = 0; bit < STATE_LEN * 8; bit++) {
		enum err e;

		page[bit / 8] ^= (uint8_t)(1 << bit % 8);
		e = state_read(page, &back);
		assert_true(e == ERR_OK || e == ERR_FORMAT);
		assert_err(state_verify(page, f.names_key), ERR_NOT_AUTHENTIC);
		page[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_ok(state_verify(page, f.names_key));
	assert_err(state_verify(page, f.file_key), ERR_NOT_AUTHENTIC);
}

static void check_refused(const struct state *s)
{
	struct state back;
	uint8_t page[STATE_LEN];

	assert_ok(state_write(s, page));
	assert_err(state_read(page, &back), ERR_FORMAT);
}

static void nonsense_is_refused(void **state)
{
	struct fixed f = fixed_make();
	const struct state good = make_state(&f);
	struct state s = good, back;
	uint8_t page[STATE_LEN] = { 0 };

	assert_err(state_read(page, &back), ERR_FORMAT);
	s.durable = s.next_stamp;
	check_refused(&s);
	s = good;
	s.next_stamp = UINT64_MAX;
	check_refused(&s);
	s = good;
	s.pardons[1].last = 19;
	check_refused(&s);
	s = good;
	s.pardons[0].to = 99;
	check_refused(&s);
	s = good;
	s.names_slot.blob_len = 0;
	check_refused(&s);
	assert_ok(state_write(&good, page));
	page[STATE_LEN - 33] = 1;		/* behind the slot */
	assert_err(state_read(page, &back), ERR_FORMAT);
	page[STATE_LEN - 33] = 0;
	page[8] = 2;				/* another format */
	assert_err(state_read(page, &back), ERR_FORMAT);
}

static void pardons_are_added_widened_and_merged(void **state)
{
	struct state s = { 0 };
	struct pardon p = { 5, 7, 100, 110 };

	state_add_pardon(&s, &p);
	p = (struct pardon){ 5, 9, 200, 210 };		/* killed again before its first checkpoint */
	state_add_pardon(&s, &p);
	assert_int_equal(s.pardon_count, 1);
	assert_int_equal(s.pardons[0].last, 9);
	assert_int_equal(s.pardons[0].from, 100);
	assert_int_equal(s.pardons[0].to, 210);
	assert_false(state_pardons_stamp(&s, 4));
	assert_true(state_pardons_stamp(&s, 5));
	assert_true(state_pardons_stamp(&s, 9));
	assert_false(state_pardons_stamp(&s, 10));
	assert_false(state_pardons_time(&s, 99));
	assert_true(state_pardons_time(&s, 100));
	assert_true(state_pardons_time(&s, 210));
	assert_false(state_pardons_time(&s, 211));
	for (uint64_t i = 1; i <= 40; i++) {
		p = (struct pardon){ i * 100, i * 100 + 3, (int64_t)(i * 1000), (int64_t)(i * 1000 + 5) };
		state_add_pardon(&s, &p);
	}
	assert_int_equal(s.pardon_count, STATE_PARDONS);
	assert_true(state_pardons_stamp(&s, 5));	/* none is ever lost */
	assert_true(state_pardons_stamp(&s, 100));
	assert_true(state_pardons_stamp(&s, 4003));
	assert_false(state_pardons_stamp(&s, 4004));
	assert_false(state_pardons_stamp(&s, 3950));	/* the newest stay apart */
	assert_true(state_pardons_time(&s, 40005));
	assert_false(state_pardons_time(&s, 39500));
}

static void a_hint_tells_keys_and_buckets_apart(void **state)
{
	struct fixed f = fixed_make();
	uint8_t one[STATE_HINT_LEN], other[STATE_HINT_LEN];

	state_root_hint(f.bucket, "alias/one", one);
	state_root_hint(f.bucket, "alias/other", other);
	assert_memory_not_equal(one, other, sizeof(one));
	state_root_hint(f.link, "alias/one", other);
	assert_memory_not_equal(one, other, sizeof(one));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_record_has_a_fixed_vector),
	cmocka_unit_test(the_fullest_record_comes_back),
	cmocka_unit_test(a_flipped_bit_is_noticed),
	cmocka_unit_test(nonsense_is_refused),
	cmocka_unit_test(pardons_are_added_widened_and_merged),
	cmocka_unit_test(a_hint_tells_keys_and_buckets_apart),
};

UNIT_MAIN(tests)
