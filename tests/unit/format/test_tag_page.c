#include <stdio.h>
#include <string.h>

#include "base/kdf.h"
#include "fs/format/tag_page.h"
#include "tests/lib/unit.h"

/* A page with two entries, two epochs and two key slots; every field has its own pattern. */
static void example(struct tag_page *p)
{
	memset(p, 0, sizeof *p);
	for (unsigned i = 0; i < 2; i++) {
		memset(p->entries[i].nonce, 0x10 + (int)i, 24);
		memset(p->entries[i].tag, 0x20 + (int)i, 16);
	}
	p->entries[0].slot = 65;	/* the first spare */
	p->entries[0].newer = 1;
	p->entries[0].length = p->entries[0].keep = 4096;
	p->entries[1].slot = 2;
	p->entries[1].length = 904;
	p->generation = 7;
	p->size = 5000;
	p->stamp = 9;
	p->encryptions = 11;
	p->epoch_a = 1;
	p->epoch_b = 2;
	p->has_header = 1;
	memset(p->file_id, 0xf1, UUID_LEN);
	p->header.type = NODE_FILE;
	p->header.flags = HEADER_SPARSE;
	memset(p->header.bucket_id, 0xb1, UUID_LEN);
	memset(p->header.file_id, 0xf1, UUID_LEN);
	p->header.slot_count = 2;
	for (unsigned i = 0; i < 2; i++) {
		struct key_slot *s = &p->header.slots[i];

		memset(s->key_id, 0xc0 + (int)i, sizeof s->key_id);
		memset(s->material_id, 0xd0 + (int)i, sizeof s->material_id);
		s->suite = 1;
		s->epoch = i + 1;
		s->blob_len = 184;
		memset(s->wrapped, 0xa0 + (int)i, sizeof s->wrapped);
		memset(s->check, 0xe0 + (int)i, sizeof s->check);
		memset(s->blob, 0x30 + (int)i, s->blob_len);
	}
}

static void round_trip(void **state)
{
	struct tag_page in, out;
	uint8_t page[PAGE_LEN] = { 0 }, again[PAGE_LEN] = { 0 };

	example(&in);
	assert_ok(tag_page_write(&in, page));
	assert_ok(tag_page_read(page, 0, &out));
	assert_ok(tag_page_write(&out, again));
	assert_memory_equal(page, again, PAGE_LEN);
	assert_memory_equal(&in, &out, sizeof in);
}

static void fixed_vector(void **state)
{
	static const uint8_t key[KDF_KEY_LEN] = { 0 };
	struct tag_page in;
	uint8_t page[PAGE_LEN] = { 0 }, sum[32];

	example(&in);
	assert_ok(tag_page_write(&in, page));
	assert_hex(page, 48, "101010101010101010101010101010101010101010101010" "20202020202020202020202020202020" "41" "01" "0010" "0010" "0000");
	assert_hex(page + TAG_FIELDS_AT, 64,
		   "0700000000000000" "0000000000000000" "8813000000000000" "0900000000000000" "0b000000" "01000000" "02000000" "e002" "0000"
		   "f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1");
	assert_hex(page + TAG_HEADER_AT, 16, "72656b6579667301" "0100" "01" "02" "01000000");
	kdf_mac(key, page, TAG_MAC_AT, sum, sizeof sum);
	assert_hex(sum, 32, "7c7ececc05d50b793c3ca24a9788f9cb349d2be71f3a3b943c05491621043a2c");
}

static void longest_header_fits(void **state)
{
	struct tag_page in, out;
	uint8_t page[PAGE_LEN] = { 0 };

	example(&in);
	for (unsigned i = 0; i < 2; i++) {
		in.header.slots[i].blob_len = SLOT_BLOB_MAX;
		memset(in.header.slots[i].blob, 1, SLOT_BLOB_MAX);
	}
	assert_ok(tag_page_write(&in, page));
	assert_ok(tag_page_read(page, 0, &out));
	assert_memory_equal(&in, &out, sizeof in);
}

static void a_hole_is_no_page(void **state)
{
	uint8_t page[PAGE_LEN] = { 0 };
	struct tag_page out;

	assert_err(tag_page_read(page, 0, &out), ERR_NOT_FOUND);
	assert_err(tag_page_read(page, 5, &out), ERR_NOT_FOUND);
	page[100] = 1;
	assert_err(tag_page_read(page, 0, &out), ERR_FORMAT);
}

static void refuse(void (*change)(struct tag_page *p), const char *what)
{
	struct tag_page in, out;
	uint8_t page[PAGE_LEN] = { 0 };

	example(&in);
	change(&in);
	assert_ok(tag_page_write(&in, page));
	if (tag_page_read(page, 0, &out) != ERR_FORMAT) {
		print_error("accepted: %s\n", what);
		fail();
	}
}

static void twice(struct tag_page *p) { p->entries[1].slot = p->entries[0].slot; }
static void far_slot(struct tag_page *p) { p->entries[1].slot = 71; }
static void no_length(struct tag_page *p) { p->entries[1].length = 0; }
static void long_block(struct tag_page *p) { p->entries[1].length = 4097; }
static void long_keep(struct tag_page *p) { p->entries[1].keep = 4097; }
static void hole_with_tag(struct tag_page *p) { p->entries[1].slot = 0; }
static void no_generation(struct tag_page *p) { p->generation = 0; }
static void no_epoch(struct tag_page *p) { p->epoch_a = 0; }
static void falling_epochs(struct tag_page *p) { p->epoch_b = 1; }
static void no_second_epoch(struct tag_page *p) { p->epoch_b = 0; }
static void too_large(struct tag_page *p) { p->size = PLAIN_MAX + 1; }
static void other_file(struct tag_page *p) { p->file_id[0] ^= 1; }
static void falling_slots(struct tag_page *p) { p->header.slots[1].epoch = 1; }
static void no_blob(struct tag_page *p) { p->header.slots[1].blob_len = 0; }
static void unknown_type(struct tag_page *p) { p->header.type = 9; }
static void unknown_flag(struct tag_page *p) { p->header.flags |= 2; }
static void other_group(struct tag_page *p) { p->group = 1; }

static void bad_fields(void **state)
{
#define ROW(change) { change, #change }
	static const struct { void (*change)(struct tag_page *p); const char *what; } rows[] = {
		ROW(twice), ROW(far_slot), ROW(no_length), ROW(long_block), ROW(long_keep), ROW(hole_with_tag), ROW(no_generation), ROW(no_epoch),
		ROW(falling_epochs), ROW(no_second_epoch), ROW(too_large), ROW(other_file), ROW(falling_slots), ROW(no_blob), ROW(unknown_type),
		ROW(unknown_flag), ROW(other_group),
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		refuse(rows[i].change, rows[i].what);
}

/* Every bit counts: whatever is flipped either makes the page unreadable or another one. */
static void every_bit(void **state)
{
	struct tag_page in, out;
	uint8_t page[PAGE_LEN] = { 0 }, again[PAGE_LEN];

	example(&in);
	assert_ok(tag_page_write(&in, page));
	for (size_t bit = 0; bit < TAG_MAC_AT * 8; bit++) {
		page[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (!tag_page_read(page, 0, &out)) {
			memset(again, 0, sizeof again);
			assert_ok(tag_page_write(&out, again));
			assert_memory_equal(page, again, TAG_MAC_AT);
		}
		page[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void header_alone(void **state)
{
	struct tag_page in;
	struct file_header h;
	uint8_t page[PAGE_LEN] = { 0 };
	uint64_t generation;

	example(&in);
	assert_ok(tag_page_write(&in, page));
	memset(page, 0xff, TAG_FIELDS_AT);	/* entries are of no interest */
	assert_ok(tag_page_read_header(page, &h, &generation));
	assert_int_equal(generation, 7);
	assert_memory_equal(&h, &in.header, sizeof h);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(round_trip), cmocka_unit_test(fixed_vector), cmocka_unit_test(longest_header_fits), cmocka_unit_test(a_hole_is_no_page),
	cmocka_unit_test(bad_fields), cmocka_unit_test(every_bit), cmocka_unit_test(header_alone),
};

UNIT_MAIN(tests)
