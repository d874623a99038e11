/*
 * The bucket keys that a key ring holds, and what it knows of their CMKs.  No lock of its own: the ring's guards it.
 *
 * A bucket key stands in one of two roles: by its blob, for unwrapping; and, one a CMK, as the current one, for wrapping too.
 * A migrated one stands under the blob of a CMK that is pending deletion and serves key_ring_migrate alone.  What is in
 * here may be used: whoever learns that a CMK left Enabled drops its keys at once.
 */
#ifndef REKEYFS_FS_KEYS_BUCKET_KEYS_H
#define REKEYFS_FS_KEYS_BUCKET_KEYS_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/secret.h"
#include "keymgr/keymgr.h"

#define BUCKET_KEY_CHAINS 1024
#define BUCKET_KEYS_MAX 16384	/* locked memory is scarce: the one that expires first makes place */

struct bucket_key {
	struct bucket_key *next;
	struct key_ref ref;		/* of `blob` */
	struct blob blob;
	struct secret *key;
	int64_t expires;		/* clock_boot() */
	int migrated;
	uint8_t to[KEY_ID_LEN];		/* migrated: under which CMK it came back */
};

/* A CMK that was in use, or asked for. */
struct cmk_record {
	struct cmk_record *next;
	uint8_t key_id[KEY_ID_LEN];
	enum key_state state;		/* 0: not yet known */
	int encrypt_refused;
	uint8_t material_id[MATERIAL_ID_LEN];	/* the current one */
	struct bucket_key *current;	/* of that material, or NULL */
	int64_t leased;			/* clock_boot() of the last lease, 0 without one */
	int reported;			/* key_ring_refresh told that it left Enabled */
};

struct bucket_keys {
	struct bucket_key *chains[BUCKET_KEY_CHAINS];
	size_t count;
	struct cmk_record *cmks;
};

void bucket_keys_release(struct bucket_keys *s);	/* wipes */

/* NULL where there is none that still lasts.  `to`: NULL, or a migrated one under that CMK. */
struct bucket_key *bucket_keys_find(const struct bucket_keys *s, const void *blob, size_t len, const uint8_t *to, int64_t now);
/* Takes `*key` and sets it NULL, also on failure.  ERR_NO_MEMORY. */
enum err bucket_keys_add(struct bucket_keys *s, const struct blob *blob, const struct key_ref *ref, struct secret **key,
			 int64_t expires, const uint8_t *to, struct bucket_key **out);

struct cmk_record *bucket_keys_cmk(const struct bucket_keys *s, const uint8_t key_id[static KEY_ID_LEN]);
enum err bucket_keys_add_cmk(struct bucket_keys *s, const uint8_t key_id[static KEY_ID_LEN], struct cmk_record **out);
/* The current bucket key of a CMK, or NULL. */
struct bucket_key *bucket_keys_current(const struct bucket_keys *s, const uint8_t key_id[static KEY_ID_LEN], int64_t now);

/* Drop (wipe and free) what `drop` says 1 to. */
void bucket_keys_drop(struct bucket_keys *s, int (*drop)(const struct bucket_key *b, const void *context), const void *context);

#endif
