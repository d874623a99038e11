/*
 * One group of an open file, and the inside of struct content: shared by the files of fs/content alone.
 *
 * `now` is what holds; the durable tag page is the one in `durable_copy`, and it references `used_durable`.  Tag pages are
 * written to the other copy only.  While a sync is in flight (`syncing`) what it covers is protected like the
 * durable set, and no tag page of the group is written.
 */
#ifndef REKEYFS_FS_CONTENT_GROUP_H
#define REKEYFS_FS_CONTENT_GROUP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include "base/aead.h"
#include "base/secret.h"
#include "fs/content/content.h"

struct slots { uint64_t home; uint8_t spare; };

/* A block's newest version while its group has no slot for it. */
struct held { uint8_t *data; uint16_t len; struct tag_entry was; /* while it is written in place */ };
#define HOLD_SCATTERED 12	/* so many blocks of a group go to spares in rounds; more are written in place */

#define KEY_FOREIGN 2	/* tag_entry.newer of a block under an epoch that the header no longer has */

struct group {
	uint64_t number;
	struct group *next;			/* in its hash chain */
	struct tag_entry now[GROUP_BLOCKS];	/* .newer: index of the block's key in the header */
	struct tag_entry *older;		/* young groups: the other page's entries, for fallbacks */
	uint16_t keep[GROUP_BLOCKS];		/* shortest length since the durable page; 0 if it was a hole */
	uint16_t keep_next[GROUP_BLOCKS];	/* the same since the sync in flight began */
	struct slots used_now, used_durable, used_syncing;
	uint64_t has_durable, has_syncing;	/* blocks that the durable page, the sync in flight, has */
	struct held *held;			/* GROUP_BLOCKS of them, or NULL */
	uint64_t held_mask;			/* blocks that are held */
	uint64_t punched;			/* homes to give back to the lower filesystem after the next sync */
	uint64_t generation, stamp;		/* of the newest page */
	uint32_t encryptions;
	uint32_t page_epoch;			/* whose key the newest page's MAC is under; 0: no page */
	enum tag_copy durable_copy;
	unsigned dirty : 1;		/* differs from the durable page */
	unsigned unstored : 1;		/* differs from the newest page */
	unsigned syncing : 1;
	unsigned in_place : 1;		/* a bulk overwrite's data is not yet synced: neither page may be written */
	unsigned young : 1;		/* a crash may have left it in part; repaired before its first write */
	unsigned unsure : 1;		/* written by this mount, perhaps not yet durable: sync before its first write */
	unsigned absent : 1;		/* no valid page */
	unsigned sealed : 1;		/* what is held is sealed already, on its way to be written in place */
};

#define GROUPS_KEPT 4096	/* a file with more in memory forgets clean ones: 4,096 are 1 GiB of content, 16 MiB of memory */

struct content {
	struct bucket *b;
	struct content *prev, *next;	/* in the registry; its mutex guards these and refs */
	unsigned refs;
	int fd, read_only, suspect;
	pthread_rwlock_t lock;		/* guards all below; reads share it */
	pthread_mutex_t load;		/* guards the group table while the lock is shared */
	struct group **table;		/* hash by number; grows */
	size_t table_len, group_count;
	struct file_header header;
	struct secret *keys;		/* 64 bytes: the file keys of slots 0 and 1; NULL while locked */
	uint64_t size, lower_size;	/* plain size; st_size of the lower file */
	int cut;			/* the lower file is longer than it may be: to be cut */
	int cut_fresh;			/* it was cut, and no sync has made that durable yet */
	int header_changed;		/* while it is opened: a key was rewrapped on the way in */
	unsigned held_count;		/* blocks held in memory */
	int wrote;			/* something was written since the last sync began */
	enum err failed;		/* a sync failed: nothing more is promised until it is opened anew */
	pthread_mutex_t flight_lock;	/* guards in_flight */
	pthread_cond_t landed;
	int in_flight;			/* a sync runs without the lock */
};

static inline int slots_has(const struct slots *s, unsigned slot)
{
	return slot < GROUP_BLOCKS ? (int)(s->home >> slot & 1) : s->spare >> (slot - GROUP_BLOCKS) & 1;
}

static inline void slots_put(struct slots *s, unsigned slot, int on)
{
	if (slot < GROUP_BLOCKS)
		s->home = (s->home & ~((uint64_t)1 << slot)) | (uint64_t)on << slot;
	else
		s->spare = (uint8_t)((s->spare & ~(1u << (slot - GROUP_BLOCKS))) | (unsigned)on << (slot - GROUP_BLOCKS));
}

static inline unsigned content_newest(const struct content *c)
{
	return c->header.slot_count - 1;	/* index of the key for new blocks */
}

/* Bytes, tag pages or sizes of this file changed: a checkpoint is due. */
extern atomic_uint_fast64_t content_changes;

static inline void content_changed(struct content *c)
{
	c->wrote = 1;
	atomic_fetch_add_explicit(&content_changes, 1, memory_order_relaxed);
}

static inline const uint8_t *content_key(const struct content *c, unsigned index)
{
	return c->keys->bytes + 32 * index;
}

/* --- content.c ----------------------------------------------------------------- */

/* Take the lock for changing, once no sync is in flight. */
void content_lock_quiet(struct content *c);
/* ERR_OK where it may be written: keys there, not read-only, no failed sync. */
enum err content_may_write(const struct content *c);
/* Index of the file's last block in this group; GROUP_BLOCKS where the file goes on; -1 where it ends before. */
int content_last(const struct content *c, uint64_t group);

/* --- group.c ------------------------------------------------------------------- */

/* The group, loaded where needed (the lock held, shared or not).  A group without a valid page comes `absent`. */
enum err group_get(struct content *c, uint64_t number, struct group **out);
/* A group into the table, from pages that were read and checked already (`newest` NULL: it has none). */
enum err group_adopt(struct content *c, uint64_t number, const struct tag_page *newest, enum tag_copy copy,
		     const struct tag_page *other, struct group **out);
struct group *group_find(struct content *c, uint64_t number);
/* Forget groups from `first` on. */
void group_forget(struct content *c, uint64_t first);
/* Forget clean groups where a file has very many (the lock held for changing). */
void group_trim(struct content *c);
/* A free slot for the next version of a block, or -1: sync first. */
int group_slot(const struct content *c, const struct group *g, unsigned block);
/* `block` is now this; bookkeeping of slots, keep, dirty. `slot` -1: a hole. */
void group_set(struct group *g, unsigned block, int slot, unsigned key, unsigned length);
void group_clear(struct group *g, unsigned first, unsigned end);
/* Take a group_set back whose data could not be written. */
void group_undo(struct group *g, unsigned block, const struct tag_entry *was);
/* Encode and MAC the page as the next generation. */
enum err group_encode(struct content *c, struct group *g, uint8_t page[static PAGE_LEN]);
/* After `page` was written to the copy that is not durable. */
void group_stored(struct content *c, struct group *g);
/* Where the next page goes. */
uint64_t group_store_at(const struct group *g);
/* Encode and write.  Never call it while the group is syncing or in place. */
enum err group_store(struct content *c, struct group *g);
/* MAC check of a page under the key with index `key`. */
enum err group_verify_page(const struct content *c, const uint8_t page[static PAGE_LEN], uint64_t group, unsigned key);
/* Before the first write to a group that a crash, or this mount before a close, left in doubt. */
enum err group_ready(struct content *c, struct group *g);

/* --- block.c ------------------------------------------------------------------- */

/* A cipher context for a group under the header's key `key`. */
enum err block_cipher(const struct content *c, uint64_t group, unsigned key, struct aead **out);
/* Encrypt `len` bytes of block `block` of the group (index key) into `out`; sets nonce and tag of the entry. */
void block_seal(const struct content *c, struct aead *a, const struct group *g, unsigned block, unsigned key,
		const void *in, size_t len, void *out, struct tag_entry *entry, const uint8_t nonce[static 24]);
enum err block_open(const struct content *c, struct aead *a, uint64_t group, unsigned block, const struct tag_entry *entry,
		    const void *in, void *out);
/* The block's bytes that verify: newest version, or the older one where a crash allows; `len_out` 0 for a hole. */
enum err block_load(struct content *c, struct group *g, unsigned block, uint8_t out[static PAGE_LEN], size_t *len_out);
/* Does the newest version verify? */
enum err block_verify(struct content *c, struct group *g, unsigned block);
/* Write one block's next version into a free slot; ERR_BUSY where there is none (sync first). */
enum err block_put(struct content *c, struct group *g, unsigned block, const void *data, size_t len);

/* --- sync.c -------------------------------------------------------------------- */

/* With the lock held for changing and no sync in flight: store, fdatasync, swap roles. */
enum err sync_only(struct content *c);
/* The same, and the cut of the lower file that is owed. */
enum err sync_settled(struct content *c);
/* Before the descriptor closes: all that is held or dirty to the lower file, and the cut that is owed. */
enum err sync_before_close(struct content *c);
/* All dirty tag pages to the lower file; mtime of the lower file stays. */
enum err sync_store(struct content *c);
/* Everything stored or dirty in the group is durable now. */
void sync_landed(struct group *g);

/* --- hold.c --------------------------------------------------------------------- */

/* The block's newest version is in memory from now on.  ERR_NO_MEMORY. */
enum err hold_put(struct content *c, struct group *g, unsigned block, const void *data, size_t len);
/* 1 where so much is held that it should be drained. */
int hold_is_full(void);
/* Writes what is held, with as many syncs as it takes (the lock held for changing, no sync in flight).  Where that fails what is held is lost. */
enum err hold_drain(struct content *c);
/* Forget what the group holds. */
void hold_forget(struct content *c, struct group *g);
void hold_forget_all(struct content *c);

/* --- resize.c ------------------------------------------------------------------- */

/* The size becomes `size` > now (the lock held for changing). */
enum err resize_grow(struct content *c, uint64_t size);
/* The lower file gets at least the length that the size asks for. */
enum err resize_extend_lower(struct content *c);
/* Moves what lives behind the new end, then cuts the lower file. */
enum err resize_settle(struct content *c);

/* The cut that is owed, where it costs no sync now; else it stays owed. */
enum err resize_cut_now(struct content *c);
/* Punches out what content_punch gave back (after a sync). */
void resize_give_back(struct content *c);
/* The first group from `group` on that has lower data; UINT64_MAX: none. */
uint64_t resize_next_group(const struct content *c, uint64_t group);

/* --- attributes.c ---------------------------------------------------------------- */

/* Are there any? */
enum err attributes_any(struct content *c, int *any_out);
/* Seal every extended attribute anew under the header's newest key (fsync included).  */
enum err attributes_reseal(struct content *c, int *any_out);

#endif
