/*
 * A mounted bucket: what one `rekeyfs mount` process holds, from opening the bucket to its clean end.
 *
 * Calling order: mount_point_check (mount_point.h), in the background daemon_fork (daemon.h), then keymgr_open, then mount_serve,
 * which returns when the bucket is unmounted and everything is durable.  One mount a process.
 *
 * Only fs/mount includes FUSE's headers; this one does not, so that handlers of the control socket and fs/cli may include it.
 *
 * Threads: FUSE's workers (operations*.c), one that waits for signals, one timer (background.h), one that listens at the control
 * socket and one for each of its connections (control.h), one for searches in files with unwritten pages (seek.h).  They share
 * `struct mount`: its pointers are set before any of them starts and stay until all but the main thread have ended.
 */
#ifndef REKEYFS_FS_MOUNT_MOUNT_H
#define REKEYFS_FS_MOUNT_MOUNT_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/error.h"
#include "base/log.h"
#include "base/uuid.h"
#include "fs/bucket/bucket.h"
#include "fs/tree/tree.h"
#include "fs/walker/walker.h"
#include "keymgr/keymgr.h"

#define MOUNT_TYPE "rekeyfs"		/* "fuse.rekeyfs" in the mount table */
#define MOUNT_OPERATIONS 64		/* FUSE operation codes that are counted */
#define MOUNT_HOOKS_MAX 4

struct mount_options {
	const char *bucket;		/* absolute */
	const char *mount_point;	/* absolute */
	int read_only;
	int allow_other;		/* other users may enter; permissions are always checked by the kernel */
	int suid, dev, noexec, noatime;
	int refuse_rollback;
	long idle_seconds;		/* unmount after this long without a request; 0: never */
	unsigned threads;		/* 0: chosen by the number of processors */
	struct walker_limits walker;
	int foreground;
	const char *log;		/* file, "syslog", or NULL: standard error in the foreground, syslog otherwise */
	enum log_level log_level;
};

struct background;
struct control;
struct seeker;
struct writers;
struct fuse_session;

struct mount {
	const struct mount_options *options;
	struct keymgr *keymgr;
	struct bucket *bucket;
	struct tree *tree;
	struct fuse_session *fuse;
	char instance[UUID_TEXT_LEN + 1];
	int64_t since;			/* clock_now() at the start */
	dev_t device;			/* st_dev of the mounted tree; set before the mount is told to be ready */
	double timeout;			/* of entries and attributes in the kernel's caches */
	struct background *background;
	struct control *control;
	struct seeker *seeker;
	struct writers *writers;
	void *hook_states[MOUNT_HOOKS_MAX];	/* of hooks.h, in the order of its table */

	atomic_int changed;		/* something was modified since the last checkpoint began */
	atomic_int ending;		/* no new work: the mount is going away */
	atomic_int detached;		/* taken out of the tree of mounts by ourselves */
	atomic_int_fast64_t last_request;	/* CLOCK_MONOTONIC, seconds */
	atomic_uint_fast64_t requests[MOUNT_OPERATIONS];	/* by FUSE operation code */
};

/* Mounts, serves until the end, makes all durable and marks the bucket clean.  `ready` (may be NULL) is called once, by another thread,
 * when the mount point answers.  `k` stays the caller's.  Errors of bucket_open; ERR_ERRNO + what the kernel or fusermount3 refused; the
 * error of the last checkpoint. */
enum err mount_serve(const struct mount_options *options, struct keymgr *k, void (*ready)(void *context), void *context);

/* Unmount, from any thread, where nobody uses the mount: mount_serve then comes to its end.  ERR_BUSY otherwise. */
enum err mount_end(struct mount *m);
/* The same as SIGTERM: where the mount is in use, what was written so far is taken over and the mount is detached; whoever has something
 * open there gets ENOTCONN from then on.  Returns before that. */
void mount_end_by_force(void);

/* Name of a FUSE operation code ("READ"), or NULL. */
const char *mount_operation_name(unsigned code);

#endif
