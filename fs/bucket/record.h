/* The file rekeyfs.state: which of its slots counts, and the next one written (state.h has the bytes). */
#ifndef REKEYFS_FS_BUCKET_RECORD_H
#define REKEYFS_FS_BUCKET_RECORD_H

#include <stdint.h>
#include "base/error.h"
#include "fs/bucket/bucket.h"
#include "fs/bucket/state.h"

/* What lies there, newest first: pages whose form is right.  No MAC is checked. */
struct record {
	unsigned count;
	struct { struct state state; uint8_t page[STATE_LEN]; } slots[2];
};

/* `fd_out` (may be NULL) receives the open descriptor, O_RDWR where `writable`.  ERR_FORMAT where neither slot is one. */
enum err record_load(int root_fd, int writable, struct record *out, int *fd_out);

/* A new file with `s` in both slots (init). */
enum err record_create(int root_fd, struct state *s, const uint8_t names_key[static 32]);

/* Store `next` durably in the slot that does not count, then b->state = *next (its sequence is set here).  On failure b->state stays: the
 * next store goes to the same slot again.  Called with state_lock held, or before the bucket is shared. */
enum err record_store(struct bucket *b, struct state *next);

#endif
