/*
 * A key slot made and opened under a bucket key: no cache, no key manager.
 *
 * The wrap is XChaCha20-Poly1305 (nonce 24, ciphertext 32, tag 16) under the bucket key; associated data: purpose u8, bucket id, node id,
 * epoch u32, suite u8, key id, material id (86 bytes).  The check value is KDF(wrapped key, "commit").
 */
#ifndef REKEYFS_FS_KEYS_KEY_WRAP_H
#define REKEYFS_FS_KEYS_KEY_WRAP_H

#include <stdint.h>
#include "base/error.h"
#include "base/uuid.h"
#include "fs/format/key_slot.h"

#define KEY_WRAP_AD_LEN (1 + UUID_LEN + UUID_LEN + 4 + 1 + SLOT_KEY_ID_LEN + SLOT_MATERIAL_LEN)

/* `slot` names key id, material id, suite, epoch and blob; wrapped key and check value are filled in. */
void key_wrap_seal(const uint8_t bucket_key[static 32], uint8_t purpose, const uint8_t bucket_id[static UUID_LEN],
		   const uint8_t node_id[static UUID_LEN], const uint8_t key[static 32], struct key_slot *slot);
/* ERR_NOT_AUTHENTIC: another place, other ids, or the check value does not match; `key_out` is zeroed then. */
enum err key_wrap_open(const uint8_t bucket_key[static 32], uint8_t purpose, const uint8_t bucket_id[static UUID_LEN],
		       const uint8_t node_id[static UUID_LEN], const struct key_slot *slot, uint8_t key_out[static 32]);

#endif
