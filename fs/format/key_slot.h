/*
 * A key slot: a 32-byte key (file key, names key) wrapped under a bucket key, with
 * the blob that brings that bucket key back from the key manager.
 *
 *   key id 16 | material id 32 | suite u8 | reserved u8 | epoch u32 | blob length u16 |
 *   wrapped key 72 (nonce 24, ciphertext 32, tag 16) | check value 32 | blob (1 to 272)
 *
 * Key id and material id in clear are what `info` and a keyless inventory show;
 * whoever relies on them (proof, migration) unwraps and compares.
 */
#ifndef REKEYFS_FS_FORMAT_KEY_SLOT_H
#define REKEYFS_FS_FORMAT_KEY_SLOT_H

#include <stdint.h>
#include "base/cursor.h"
#include "base/error.h"

#define SLOT_KEY_ID_LEN 16
#define SLOT_MATERIAL_LEN 32
#define SLOT_WRAP_LEN 72
#define SLOT_CHECK_LEN 32
#define SLOT_BLOB_MAX 272
#define SLOT_FIXED_LEN (16 + 32 + 1 + 1 + 4 + 2 + SLOT_WRAP_LEN + SLOT_CHECK_LEN)
#define SLOT_MAX_LEN (SLOT_FIXED_LEN + SLOT_BLOB_MAX)

struct key_slot {
	uint8_t key_id[SLOT_KEY_ID_LEN];
	uint8_t material_id[SLOT_MATERIAL_LEN];
	uint8_t suite;			/* of what the key encrypts */
	uint32_t epoch;			/* grows, is never reused */
	uint16_t blob_len;
	uint8_t wrapped[SLOT_WRAP_LEN];
	uint8_t check[SLOT_CHECK_LEN];
	uint8_t blob[SLOT_BLOB_MAX];
};

void key_slot_write(struct writer *w, const struct key_slot *slot);
/* ERR_FORMAT: blob length 0 or over the limit, reserved bits set; ERR_TRUNCATED. */
enum err key_slot_read(struct cursor *c, struct key_slot *out);

#endif
