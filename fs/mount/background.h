/*
 * The mount's timer: one thread that wakes each second.
 *
 *   each second        bucket keys whose CMK is no longer enabled (key_watch.h); hooks
 *   every 30 seconds   a checkpoint, while something was changed
 *   every minute, and when keys or the clock changed    due work of the keystore
 *   every hour         the checkpoint's anchor outside the bucket
 *   when idle          the unmount that --idle asked for
 */
#ifndef REKEYFS_FS_MOUNT_BACKGROUND_H
#define REKEYFS_FS_MOUNT_BACKGROUND_H

#include "fs/mount/mount.h"

#define CHECKPOINT_SECONDS 30

enum err background_start(struct mount *m);
/* Waits for what it is doing; by one thread at a time. */
void background_stop(struct mount *m);
void background_free(struct mount *m);
/* A checkpoint now (the timer does one at a time, so does this). */
enum err background_checkpoint(struct mount *m);

#endif
