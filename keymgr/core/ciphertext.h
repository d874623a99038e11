/*
 * Ciphertext blobs: data keys and small plaintexts under a backing key.
 *
 *   version u8 = 1 | cipher u8 = 2 (XChaCha20-Poly1305) | zero u16 | CMK id 16 | KeyMaterialId 32 |
 *   nonce 24 | ciphertext | tag 16
 *
 * The cipher's key is KDF(backing key, "ciphertext", suite 2, a = CMK id); associated data is
 * the clear head (52 bytes) and the encryption context.  A data key of 32 bytes makes 124.
 */
#ifndef REKEYFS_KEYMGR_CORE_CIPHERTEXT_H
#define REKEYFS_KEYMGR_CORE_CIPHERTEXT_H

#include <stddef.h>
#include <stdint.h>
#include "base/aead.h"
#include "keymgr/keymgr.h"

#define CIPHERTEXT_HEAD_LEN (4 + KEY_ID_LEN + MATERIAL_ID_LEN)
#define CIPHERTEXT_OVERHEAD (CIPHERTEXT_HEAD_LEN + AEAD_WRAP_OVERHEAD)

_Static_assert(32 + CIPHERTEXT_OVERHEAD <= BLOB_MAX, "a data key's blob fits into a file's header");
_Static_assert(PLAINTEXT_MAX + CIPHERTEXT_OVERHEAD <= CIPHERTEXT_MAX, "a ciphertext fits into its limit");

/* `out` has len + CIPHERTEXT_OVERHEAD bytes.  ERR_VALIDATION (context), ERR_NO_MEMORY. */
enum err ciphertext_seal(const uint8_t backing_key[static 32], const struct key_ref *ref, const struct context *context,
			 const void *in, size_t len, uint8_t *out);
/* blob_ref() reads the clear head.  The plaintext; ERR_CIPHERTEXT where it is damaged or of another context. */
enum err ciphertext_open(const uint8_t backing_key[static 32], const struct context *context,
			 const void *blob, size_t len, struct secret **out);

#endif
