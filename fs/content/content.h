/*
 * The content of one regular file: keys, tag pages, blocks, size.  It belongs to the inode, not to a handle: all handles and the
 * walker share it.  It knows nothing of names or mounts.
 *
 * Commit order (FORMAT.md, "Crash rules"): a block's next version goes to a free slot; tag pages are written lazily, always to the copy
 * that is not the durable one; content_sync makes both safe and swaps the roles.  What was synced is never overwritten before what
 * supersedes it is durable.
 *
 * Locking: any function may be called by any thread; an rwlock in the content orders them (reads share).  content_free needs that nobody
 * else uses it any more.  Lock order: tree's locks, then one content's lock, then the bucket's.
 */
#ifndef REKEYFS_FS_CONTENT_CONTENT_H
#define REKEYFS_FS_CONTENT_CONTENT_H

#include <stdint.h>
#include <sys/types.h>
#include "base/error.h"
#include "fs/bucket/bucket.h"
#include "fs/format/tag_page.h"

struct content;

/* --- life ------------------------------------------------------------------------ */

/* The lower file `fd` was just created and is empty: a new file id and a new file key under CMK `key_id`.  Nothing is written until the first
 * write, flush or sync.  Takes `fd` (open O_RDWR) also on failure.  ERR_NO_KEY. */
enum err content_new(struct bucket *b, int fd, const uint8_t key_id[static KEY_ID_LEN], struct content **out);

/* Open what lies there.  Takes `fd` (O_RDWR, or O_RDONLY where `read_only`), also on failure.  A lower file of size 0 that never got a tag page
 * is empty if young: then ERR_NOT_FOUND, and the caller uses content_new with the policy's key (or treats it as empty, read-only).
 * Where the file's CMK is pending deletion and `migrate_to` is not NULL, the file is rewrapped under that CMK first and then served.
 * ERR_NO_KEY, ERR_KEY_DESTROYED, ERR_KEY_EXPIRED, ERR_NOT_AUTHENTIC, ERR_FORMAT. */
enum err content_open(struct bucket *b, int fd, int read_only, const uint8_t *migrate_to, struct content **out);

/* Stores what is dirty (content_flush), wipes, closes the descriptor, frees.  NULL is fine.  Where a cut of the lower file is still
 * owed (content_must_stay) it syncs and cuts first; the error of that is returned, the content is freed all the same. */
enum err content_free(struct content *c);
/* 1 while the lower size does not yet tell the plain size, or blocks await a sync in a way that only memory knows: keep it open until the next
 * sync or checkpoint if that costs nothing. */
int content_must_stay(struct content *c);
/* 1 while something was written that no sync has made durable. */
int content_is_dirty(struct content *c);

/* What content_free does first, for a content that somebody else may hold a little longer (content_each): waits for a sync in flight; from
 * then on nothing is left for whoever frees it last to write. */
enum err content_settle(struct content *c);
/* One that was opened read-only is to be written: `fd` (O_RDWR, the same lower file; taken, also on failure) takes its descriptor's place.
 * ERR_BUSY where a crash may have left something to mend: that needs to be opened anew. */
enum err content_make_writable(struct content *c, int fd);

/* --- bytes ----------------------------------------------------------------------- */

/* `got_out` less than `len` only at the end of the file.  ERR_NOT_AUTHENTIC (logged with file id and block), ERR_NO_KEY after content_lock. */
enum err content_read(struct content *c, void *out, size_t len, uint64_t offset, size_t *got_out);
/* All or nothing is not promised on failure: what was written before the failure stands.  ERR_ERRNO + ENOSPC, EFBIG…, ERR_NO_KEY. */
enum err content_write(struct content *c, const void *bytes, size_t len, uint64_t offset);
/* O_APPEND by the mount itself where the kernel leaves it to us: offset is the size, atomically. */
enum err content_append(struct content *c, const void *bytes, size_t len, uint64_t *offset_out);

uint64_t content_size(struct content *c);
/* Shrink or grow.  To zero with `new_key` (a CMK id) not NULL: the file gets a new file key under it, as when it is created anew. */
enum err content_truncate(struct content *c, uint64_t size, const uint8_t *new_key);
/* The bytes of [offset, offset + len) read as zeros from now on; blocks wholly inside are given back.  `keep_size` as FALLOC_FL_KEEP_SIZE; otherwise
 * the file grows to offset + len where that is longer.  */
enum err content_punch(struct content *c, uint64_t offset, uint64_t len, int keep_size);
/* fallocate mode 0 and KEEP_SIZE: the size grows (mode 0), and lower blocks for the range are reserved. */
enum err content_allocate(struct content *c, uint64_t offset, uint64_t len, int keep_size);
/* SEEK_DATA and SEEK_HOLE in units of blocks.  ERR_ERRNO + ENXIO behind the end. */
enum err content_seek(struct content *c, uint64_t offset, int whence, uint64_t *out);

/* --- durability ------------------------------------------------------------------- */

/* Writes the dirty tag pages to the lower file, no sync: a killed mount then loses nothing. */
enum err content_flush(struct content *c);
/* fsync: everything written so far is durable when it returns.  `metadata`: fsync rather than fdatasync on the lower file. */
enum err content_sync(struct content *c, int metadata);

/* Many files with one syncfs: sync_begin on each, syncfs on the lower filesystem, sync_end on each.  In between reads and writes go on.
 * sync_begin returns ERR_OK with *begun_out 0 where nothing was dirty (then no sync_end).  `ok` 0: the sync failed, nothing is promised. */
enum err content_sync_begin(struct content *c, int *begun_out);
void content_sync_end(struct content *c, int ok);
/* Whoever has several files between sync_begin and sync_end holds this meanwhile: sync_begin waits for a file that is in flight, and
 * two that went through the files in different orders would wait for each other. */
void content_sync_many_lock(void);
void content_sync_many_unlock(void);

/* One checkpoint of the bucket (every 30 s while something is dirty, and at unmount): raises the stamp, sync_begin on every open content, syncfs,
 * sync_end, then the record.  Any thread: one waits for another. */
enum err content_checkpoint(struct bucket *b);

/* 1 where something was stored since the last checkpoint. */
int content_checkpoint_due(void);

/* Every open content of a bucket, each held so that it is not freed meanwhile (walker, lock, checkpoint).  Stops at the first non-zero. */
int content_each(struct bucket *b, int (*each)(void *context, struct content *c), void *context);
/* Contents are reference counted for that: */
struct content *content_hold(struct content *c);
/* The last content_free frees. (content_new and content_open return one reference.) */

/* --- keys -------------------------------------------------------------------------- */

struct content_keys {
	uint8_t file_id[UUID_LEN];
	unsigned count;			/* 2 while a re-encryption is under way */
	struct key_ref refs[2];		/* ascending epoch: the last is what new blocks get */
	uint32_t epochs[2];
	uint8_t suite;
};
void content_get_keys(struct content *c, struct content_keys *out);

/* disable-key and lock: write back and make durable what is dirty, then wipe the keys: everything gives ERR_NO_KEY until content_unlock. */
enum err content_lock(struct content *c);
enum err content_unlock(struct content *c);

enum migrate_mode { MIGRATE_REWRAP, MIGRATE_REENCRYPT };
enum migrate_next {
	MIGRATE_DONE,		/* nothing is left under another key, in any header copy, durably */
	MIGRATE_SYNC,		/* make this file durable (content_sync, or begin/end around a syncfs), then step again */
};
/* One step of bringing the file under the CURRENT backing key of CMK `to`, in the suite `suite` (REENCRYPT; 0: keep).  Resumes by itself what an
 * earlier process began: the state is in the file.  REENCRYPT moves at most `budget` plain bytes a step (0: no limit).
 * Where the file is under `to` and its current material already: MIGRATE_DONE at once, unless `force` (a new file key all the same).
 * Give `force` at the first step alone.
 * The lower file's modification time stays.  `bytes_out` (may be NULL): plain bytes moved in this step. */
enum err content_migrate_step(struct content *c, enum migrate_mode mode, const uint8_t to[static KEY_ID_LEN], uint8_t suite, int force,
			      uint64_t budget, enum migrate_next *next_out, uint64_t *bytes_out);

/* --- extended attributes under the file's key ---------------------------------------- */

/* user.* and trusted.*: `flags` as setxattr(2).  ERR_ERRNO + ENODATA, EEXIST, ERANGE, E2BIG… */
enum err content_xattr_set(struct content *c, const char *name, const void *value, size_t len, int flags);
enum err content_xattr_get(struct content *c, const char *name, void *out, size_t max, size_t *len_out /* max 0: only the length */);
/* Plain names, NUL-separated, of the sealed ones alone. */
enum err content_xattr_list(struct content *c, char *out, size_t max, size_t *len_out);
enum err content_xattr_remove(struct content *c, const char *name);

/* --- without opening ------------------------------------------------------------------ */

/* Both header copies of group 0, newest first, by the clear fields alone (no key, MAC unchecked).  count_out 0: no tag page.  `size_out`:
 * plain size by the lower size. */
struct header_view { struct file_header header; uint64_t generation; };
enum err content_view(int fd, struct header_view out[static 2], unsigned *count_out, uint64_t *size_out);
/* The plain size of a file whose lower size may not tell it (bucket_is_suspect): opens, reads the tag page, verifies. */
enum err content_suspect_size(struct bucket *b, int fd, uint64_t *size_out);

#endif
