/*
 * What else lives as long as the mount: the walker's jobs.  Each is a row of a table in hooks.c.
 *
 * Order: start, after the bucket is mounted; then any of the others, by any thread; stop, when the mount point is gone and before the tree is
 * freed: it returns when nothing of it uses the tree any more, soon (a job goes on at the next mount).  NULL functions are left out.
 * Handlers of the control socket that use a state have ended before its stop.
 */
#ifndef REKEYFS_FS_MOUNT_HOOKS_H
#define REKEYFS_FS_MOUNT_HOOKS_H

#include <jansson.h>
#include "fs/mount/mount.h"

struct mount_hooks {
	const char *name;			/* also of its member in the answer of `status` */
	int writes;				/* not started in a read-only mount */
	enum err (*start)(struct mount *m, void **state_out);	/* an error ends the mount */
	void (*stop)(void *state);
	void (*tick)(void *state);		/* each second, by the timer; does not block */
	void (*keys_changed)(void *state);	/* keys, aliases or states changed, or the clock was moved */
	void (*drift)(void *state, struct node *n);	/* tree_events */
	int (*busy)(void *state);		/* 1 keeps an idle mount from being unmounted */
	json_t *(*status)(void *state);		/* a new reference, or NULL */
};

enum err hooks_start(struct mount *m);
void hooks_stop(struct mount *m);
void hooks_tick(struct mount *m);
void hooks_keys_changed(struct mount *m);
void hooks_drift(struct mount *m, struct node *n);
int hooks_busy(struct mount *m);
/* Adds each one's member. */
void hooks_status(struct mount *m, json_t *to);
/* The state of the hooks of that name, for handlers of the control socket; NULL where it is not running. */
void *hooks_state(struct mount *m, const struct mount_hooks *hooks);

#endif
