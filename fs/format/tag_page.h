/*
 * Tag pages: decode and encode, without keys.  A page of 4,096 bytes:
 *
 *   0     64 entries of 48 bytes, one a block:
 *           nonce 24 | tag 16 | slot + 1 u8 (0: a hole) | flags u8 | length u16 | keep u16 | reserved u16
 *           flags bit 0: the block is under the second of the page's epochs
 *   3072  generation u64 | group u64 | plain size u64 (group 0; else 0) | stamp u64 (checkpoint number) |
 *         encryptions u32 | epoch a u32 | epoch b u32 (0: none) | header length u16 | reserved u16 |
 *         file id 16                                                          = 64 bytes
 *   3136  file header (group 0; else zeros), at most 928 bytes
 *   4064  MAC: keyed BLAKE2b-256 over the 4,064 bytes before it, under KDF(file key of the
 *         page's newest epoch, "tagpage", suite, epoch, group, bucket id, file id)
 *
 * The file header (group 0, in both tag pages, each self-contained):
 *   magic "rekeyfs\1" 8 | format u16 | node type u8 | slot count u8 | flags u32 (bit 0: sparse) |
 *   bucket id 16 | file id 16 | key slots (1 or 2, ascending epoch)
 */
#ifndef REKEYFS_FS_FORMAT_TAG_PAGE_H
#define REKEYFS_FS_FORMAT_TAG_PAGE_H

#include <stdint.h>
#include "base/error.h"
#include "base/uuid.h"
#include "fs/format/key_slot.h"
#include "fs/format/layout.h"

#define ENTRY_LEN 48u
#define TAG_FIELDS_AT 3072u
#define TAG_HEADER_AT 3136u
#define TAG_HEADER_MAX 928u
#define TAG_MAC_AT 4064u
#define TAG_MAC_LEN 32u
#define HEADER_SPARSE 1u
#define HEADER_FORMAT 1u

enum node_type { NODE_FILE = 1 };

struct tag_entry {
	uint8_t nonce[24], tag[16];
	uint8_t slot;		/* slot + 1; 0: a hole */
	uint8_t newer;		/* 1: under epoch b */
	uint16_t length;	/* 1 to 4,096 */
	uint16_t keep;		/* shortest length since the last durable tag page; 0 if it was a hole */
};

struct file_header {
	enum node_type type;
	uint32_t flags;
	uint8_t bucket_id[UUID_LEN], file_id[UUID_LEN];
	unsigned slot_count;
	struct key_slot slots[2];	/* ascending epoch */
};

struct tag_page {
	struct tag_entry entries[GROUP_BLOCKS];
	uint64_t generation, group, size, stamp;
	uint32_t encryptions, epoch_a, epoch_b;
	uint8_t file_id[UUID_LEN];
	int has_header;		/* group 0 */
	struct file_header header;
};

/* Does not check the MAC.  ERR_FORMAT: wrong group, reserved bits, a slot named twice, lengths out of range,
 * an entry under an epoch the page does not name; also for a page of zeros (ERR_NOT_FOUND: a hole). */
enum err tag_page_read(const uint8_t page[static PAGE_LEN], uint64_t group, struct tag_page *out);
/* Fills all but the MAC.  ERR_LIMIT where the header does not fit. */
enum err tag_page_write(const struct tag_page *in, uint8_t page[static PAGE_LEN]);
/* Only the header of group 0's page, no key needed: `info`, inventory, proof. */
enum err tag_page_read_header(const uint8_t page[static PAGE_LEN], struct file_header *out, uint64_t *generation_out);

#endif
