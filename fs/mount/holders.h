/*
 * Who keeps a mount busy: processes with a file of it open or mapped, or with their directory in it.  Found in /proc without asking the
 * mounted filesystem.  What another user's processes have open only root sees.
 */
#ifndef REKEYFS_FS_MOUNT_HOLDERS_H
#define REKEYFS_FS_MOUNT_HOLDERS_H

#include <sys/types.h>
#include "base/error.h"
#include "fs/mount/mount_point.h"

struct holder {
	pid_t pid;
	char command[64];
	const char *what;	/* "has a file open", "has its current directory there", … */
	char path[256];		/* of it, shortened at the front */
};

/* Calls `each` once a process, with the first reason found, until it returns non-zero.  The caller itself is left out. */
enum err holders_each(const struct mount_entry *mount, int (*each)(void *context, const struct holder *h), void *context);

#endif
