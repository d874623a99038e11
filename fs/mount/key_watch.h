/*
 * Which CMKs the mount may use: noticed each second.
 *
 * A CMK that was disabled (or is gone) locks the contents under it: what is dirty is written back, keys are wiped, the kernel's pages are
 * dropped; the names key's own CMK locks the whole bucket.  Enabled again, they open on the next use.  One in PendingDeletion locks nothing:
 * its files move to other keys while they stay readable.
 */
#ifndef REKEYFS_FS_MOUNT_KEY_WATCH_H
#define REKEYFS_FS_MOUNT_KEY_WATCH_H

#include <jansson.h>
#include "fs/mount/mount.h"

#define KEY_WATCH_MAX 256	/* CMKs looked after at once */

struct key_watch {
	uint64_t generation;
	int64_t clock_offset;
	int started;
	unsigned locked_count;
	uint8_t locked[KEY_WATCH_MAX][KEY_ID_LEN];
	int bucket_locked;
};

/* By the timer's thread alone.  1 where keys or the clock changed since the last call. */
int key_watch_look(struct key_watch *w, struct mount *m);

/* CMKs in PendingDeletion, with what stands in their way: an array for `status`. */
json_t *key_watch_pending(struct mount *m);

#endif
