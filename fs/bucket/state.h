/*
 * rekeyfs.state: the bucket's record, two slots of 4 KiB written in turn.
 *
 *   magic "rekeysta" 8 | format u16 | flags u16 (bit 0: ended cleanly) | sequence u64 | bucket id 16 | instance id 16 |
 *   file system u64 | root inode u64 | durable checkpoint u64 | next stamp u64 | checkpoint time i64 | policy generation u64 |
 *   root hint 16 |
 *   pardon count u16 | pardons (first stamp u64, last stamp u64, from time i64, to time i64), at most 32 |
 *   names key slot (key_slot.h) | zeros | MAC 32: keyed BLAKE2b-256 under KDF(names key, "state") over all before it
 *
 * The valid slot with the higher sequence counts.  A pardon: stamps that a crash may have left in part, and the span of lower ctimes of
 * files that were written then.  Over 32, the two oldest are merged.
 *
 * Stamps on disk never exceed next stamp + 1.  The root hint is keyed BLAKE2b-128 of the root policy's KEY, as text, under the bucket id: with it a
 * names key whose CMK is pending deletion finds its new CMK before the policies (which are sealed under it) can be read.
 */
#ifndef REKEYFS_FS_BUCKET_STATE_H
#define REKEYFS_FS_BUCKET_STATE_H

#include <stdint.h>
#include "base/error.h"
#include "base/uuid.h"
#include "fs/format/key_slot.h"

#define STATE_NAME "rekeyfs.state"
#define STATE_LEN 4096u
#define STATE_PARDONS 32
#define STATE_CLEAN 1u
#define STATE_HINT_LEN 16

struct pardon { uint64_t first, last; int64_t from, to; };

struct state {
	uint16_t flags;
	uint64_t sequence;
	uint8_t bucket_id[UUID_LEN], instance_id[UUID_LEN];
	uint64_t filesystem, root_inode;
	uint64_t durable, next_stamp;
	int64_t checkpoint_time;	/* lower filesystem's clock when the last durable checkpoint began */
	uint64_t policy_generation;
	uint8_t root_hint[STATE_HINT_LEN];
	unsigned pardon_count;
	struct pardon pardons[STATE_PARDONS];
	struct key_slot names_slot;
};

/* Fills all but the MAC.  ERR_INVALID for reserved flags. */
enum err state_write(const struct state *in, uint8_t out[static STATE_LEN]);
/* Does not check the MAC.  ERR_FORMAT. */
enum err state_read(const uint8_t in[static STATE_LEN], struct state *out);
void state_seal(uint8_t page[static STATE_LEN], const uint8_t names_key[static 32]);
enum err state_verify(const uint8_t page[static STATE_LEN], const uint8_t names_key[static 32]);

void state_root_hint(const uint8_t bucket_id[static UUID_LEN], const char *key, uint8_t out[static STATE_HINT_LEN]);

/* Newest last; one that overlaps the newest widens it. */
void state_add_pardon(struct state *s, const struct pardon *p);
int state_pardons_stamp(const struct state *s, uint64_t stamp);
int state_pardons_time(const struct state *s, int64_t when);

#endif
