/*
 * A backing key: 32 random bytes of a CMK, wrapped singly under the root key and
 * unwrapped only on use.  Its id, the KeyMaterialId, is derived from the bytes and
 * the CMK's id, and is checked at each unwrap.
 *
 * A wrap is XChaCha20-Poly1305 under KDF(root key, "material"); associated data:
 * keystore id 16, CMK id 16, KeyMaterialId 32, origin u8.
 */
#ifndef REKEYFS_KEYMGR_CORE_BACKING_KEY_H
#define REKEYFS_KEYMGR_CORE_BACKING_KEY_H

#include <stdint.h>
#include "base/aead.h"
#include "keymgr/keymgr.h"

#define BACKING_KEY_LEN 32
#define BACKING_KEY_WRAP_LEN (BACKING_KEY_LEN + AEAD_WRAP_OVERHEAD)

enum backing_key_flags { BACKING_KEY_ON_DEMAND = 1, BACKING_KEY_DESTROYED = 2, BACKING_KEY_FLAGS = 3 };
enum backing_key_origin { BACKING_KEY_GENERATED = 1 };

struct backing_key {
	uint8_t id[MATERIAL_ID_LEN];
	uint8_t flags, origin;
	int64_t created;
	int64_t retired;	/* when it stopped being current; 0 while it is */
	int64_t destroyed;
	uint8_t wrap[BACKING_KEY_WRAP_LEN];	/* zeros once destroyed */
};

/* Whose a backing key is: what its wrap is bound to. */
struct backing_key_place {
	const uint8_t *keystore_id, *key_id;	/* 16 bytes each */
};

void backing_key_id(const uint8_t bytes[static BACKING_KEY_LEN], const uint8_t key_id[static KEY_ID_LEN],
		    uint8_t out[static MATERIAL_ID_LEN]);
/* A new random one. */
void backing_key_make(struct backing_key *b, const uint8_t root[static 32], struct backing_key_place place, int64_t now);
/* The same from given bytes (fixed vectors). */
void backing_key_wrap(struct backing_key *b, const uint8_t root[static 32], struct backing_key_place place,
		      const uint8_t bytes[static BACKING_KEY_LEN]);
/* The caller wipes `out`.  ERR_KEY_DESTROYED; ERR_NOT_AUTHENTIC where wrap or id do not match. */
enum err backing_key_unwrap(const struct backing_key *b, const uint8_t root[static 32], struct backing_key_place place,
			    uint8_t out[static BACKING_KEY_LEN]);
/* Wrap anew under another root key. */
enum err backing_key_rewrap(struct backing_key *b, const uint8_t old_root[static 32], const uint8_t new_root[static 32],
			    struct backing_key_place place);

#endif
