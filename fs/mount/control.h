/*
 * The control socket: how commands reach a running mount.
 *
 * One connection, one request: a line of JSON in ({"verb": NAME, …}), a line of JSON out: {"ok": true, …} or {"error": CODE, "message": TEXT}.  What
 * takes long sends lines {"progress": …} before it.  The peer must be root or the mount's own user.  Each connection has a thread of its own;
 * handlers that take long ask control_cancelled() now and then.
 *
 * A new verb: a handler in a file control_*.c and a row in control_table.c.
 */
#ifndef REKEYFS_FS_MOUNT_CONTROL_H
#define REKEYFS_FS_MOUNT_CONTROL_H

#include <jansson.h>
#include <sys/types.h>
#include "fs/mount/mount.h"

#define CONTROL_LINE_MAX (64 * 1024)	/* of a request */
#define CONTROL_CALLS_MAX 32

struct control_call {
	struct mount *mount;
	const json_t *request;
	json_t *reply;			/* the handler adds members to it */
	uid_t uid;			/* of the peer */
	pid_t pid;
	int fd;
	int stay;			/* set by a handler: this connection hears of the mount's end, nothing is answered before */
};

struct control_verb {
	const char *name;		/* NULL ends the table */
	enum err (*run)(struct control_call *call);
	int writes;			/* refused in a read-only mount */
};
extern const struct control_verb control_verbs[];

enum err control_start(struct mount *m);
/* No new connections; waits for the handlers.  Those that `stay` are kept. */
void control_stop(struct mount *m);
/* Tells those that stayed how the mount ended, and frees. */
void control_free(struct mount *m, enum err result);

/* Sends {"progress": line}; takes the reference.  ERR_CANCELLED where the peer is gone or the mount ends. */
enum err control_progress(struct control_call *call, json_t *line);
/* 1 where the peer is gone or the mount ends. */
int control_cancelled(struct control_call *call);

/* Handlers. */
enum err control_status(struct control_call *call);	/* what `rekeyfs status` shows */
enum err control_watch(struct control_call *call);	/* stays */
enum err control_unmount(struct control_call *call);	/* {"force": bool} */
enum err control_checkpoint(struct control_call *call);	/* makes everything durable now */

#endif
