/*
 * Bucket keys in memory, and the wraps under them: the one bridge to the key manager.
 *
 * A bucket key is a data key of a CMK for the context {"bucket": bucket id}.  It wraps
 * the file keys and the names key, so that files cost no call to the key manager.  Each is
 * cached for its TTL (CLOCK_BOOTTIME; at most BUCKET_KEY_TTL) in two roles: the current one
 * of a CMK, for wrapping; and by its blob, for unwrapping.  All functions may be called by
 * any thread.
 */
#ifndef REKEYFS_FS_KEYS_KEY_RING_H
#define REKEYFS_FS_KEYS_KEY_RING_H

#include <stdint.h>
#include "base/error.h"
#include "base/secret.h"
#include "fs/format/key_slot.h"
#include "keymgr/keymgr.h"

struct key_ring;

/* `k` stays the caller's and must outlive the ring.  `instance_id` may be all zero (offline tools without leases). */
enum err key_ring_new(struct keymgr *k, const uint8_t bucket_id[static UUID_LEN], const uint8_t instance_id[static UUID_LEN],
		      struct key_ring **out);
void key_ring_free(struct key_ring *r);		/* wipes; NULL is fine */
struct keymgr *key_ring_keymgr(struct key_ring *r);
/* KEY (alias or id) as it stands now.  ERR_NO_KEY where the key manager has no such thing. */
enum err key_ring_resolve(struct key_ring *r, const char *key, uint8_t key_id_out[static KEY_ID_LEN]);

/* Purpose of a wrap, part of its associated data: purpose u8, bucket id, node id, epoch u32, suite u8, key id, material id. */
enum wrap_purpose { WRAP_FILE_KEY = 1, WRAP_NAMES_KEY = 2 };

/* A slot that wraps `key` (32 bytes) under the CURRENT backing key of CMK `key_id`.  ERR_NO_KEY where the CMK is
 * disabled, pending deletion, refused for encryption or absent (the sentence names it and what helps), ERR_KEY_EXPIRED. */
enum err key_ring_wrap(struct key_ring *r, enum wrap_purpose purpose, const uint8_t key_id[static KEY_ID_LEN],
		       const uint8_t node_id[static UUID_LEN], uint8_t suite, uint32_t epoch, const uint8_t key[static 32],
		       struct key_slot *out);
/* The key in a slot.  ERR_NO_KEY (disabled, pending deletion, absent), ERR_KEY_DESTROYED, ERR_NOT_AUTHENTIC
 * (check value or ids in clear do not match).  Where the CMK is pending deletion the error is ERR_NO_KEY too: the
 * caller may try key_ring_migrate. */
enum err key_ring_unwrap(struct key_ring *r, enum wrap_purpose purpose, const uint8_t node_id[static UUID_LEN],
			 const struct key_slot *slot, uint8_t key_out[static 32]);
/* MigrateDataKey: brings the bucket key of `slot`, whose CMK is pending deletion, under CMK `to` and returns the slot
 * made anew with the same key inside; the key itself is unwrapped only under the migrated bucket key. */
enum err key_ring_migrate(struct key_ring *r, enum wrap_purpose purpose, const uint8_t node_id[static UUID_LEN],
			  const struct key_slot *slot, const uint8_t to[static KEY_ID_LEN], struct key_slot *out,
			  uint8_t key_out[static 32]);

/* Call it each second (or when keymgr_watch says so): forgets what ended its TTL; returns in `changed` the ids of CMKs that
 * were in use (at most `max`, the rest with the next call) and are no longer Enabled, with `count`; each is told once.  Wraps and
 * unwraps follow the key manager at once by themselves: they compare its generation each time. */
enum err key_ring_refresh(struct key_ring *r, uint8_t (*changed)[KEY_ID_LEN], size_t max, size_t *count);
/* Forget every bucket key of a CMK (disable-key, barrier).  With `wrap_only`: those used for encrypting. */
void key_ring_forget(struct key_ring *r, const uint8_t key_id[static KEY_ID_LEN], int wrap_only);
/* Forget all (lock). */
void key_ring_forget_all(struct key_ring *r);

#endif
