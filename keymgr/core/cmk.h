/*
 * A CMK in memory: its record in the keystore, backing keys still wrapped.
 *
 * Backing keys stand in order of creation; the last is CURRENT.  A destroyed CMK stays
 * as a tombstone: its id, dates and KeyMaterialIds, so that what is under it can be told
 * from what is damaged.
 */
#ifndef REKEYFS_KEYMGR_CORE_CMK_H
#define REKEYFS_KEYMGR_CORE_CMK_H

#include "base/cursor.h"
#include "keymgr/core/backing_key.h"
#include "keymgr/core/key_state.h"

#define CMK_BACKING_KEYS_MAX 4096

enum cmk_flags {
	CMK_ROTATION = 1,		/* automatic */
	CMK_REFUSES_ENCRYPT = 2,	/* set by retire-key */
	CMK_SHRED = 4,			/* pending deletion asks for no proof */
	CMK_IGNORES_EXTERNAL = 8,	/* pending deletion does not wait for what was made outside buckets */
	CMK_FLAGS = 15,
};

struct cmk {
	uint8_t id[KEY_ID_LEN];
	enum key_state state;
	uint16_t flags;
	int64_t created;
	int64_t stopped;		/* since when it encrypts nothing; 0 while it does */
	int64_t deletion_date;		/* pending: when the window ends; destroyed: when it was */
	uint16_t window_days, rotation_days, on_demand;
	int64_t next_rotation;		/* with CMK_ROTATION */
	char *description;		/* never NULL */
	struct backing_key *backing_keys;
	uint32_t backing_key_count;
};

/* An empty CMK of this id; NULL without memory. */
struct cmk *cmk_new(const uint8_t id[static KEY_ID_LEN]);
void cmk_free(struct cmk *cmk);		/* NULL is fine */

/* Room for one more backing key, counted in and zero.  ERR_LIMIT_EXCEEDED, ERR_NO_MEMORY. */
enum err cmk_add_backing_key(struct cmk *cmk, struct backing_key **out);
/* NULL where there is none. */
struct backing_key *cmk_current(const struct cmk *cmk);
struct backing_key *cmk_find_backing_key(const struct cmk *cmk, const uint8_t id[static MATERIAL_ID_LEN]);

/* The state table's word, with a sentence that names the key and what helps. */
enum err cmk_check(const struct cmk *cmk, enum key_call call);
/* The same, and goes to the state that the call leads to; keeps `stopped`. */
enum err cmk_step(struct cmk *cmk, enum key_call call, int64_t now);
/* Whether it would encrypt now. */
int cmk_encrypts(const struct cmk *cmk);
enum err cmk_set_description(struct cmk *cmk, const char *description);

/* The record, as KEYSTORE.md lays it out. */
size_t cmk_record_len(const struct cmk *cmk);
void cmk_write(const struct cmk *cmk, struct writer *w);
/* ERR_FORMAT, ERR_NO_MEMORY. */
enum err cmk_read(struct cursor *c, struct cmk **out);

#endif
