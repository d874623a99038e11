/*
 * Going into the background: the caller's process waits until the mount answers, and ends with its exit code.
 *
 * The child is made before any key is in memory (secrets are not inherited), and keeps terminal and standard error until it is
 * ready, so that it can ask for a passphrase and its errors are seen.
 */
#ifndef REKEYFS_FS_MOUNT_DAEMON_H
#define REKEYFS_FS_MOUNT_DAEMON_H

#include "base/error.h"

struct daemon { int ready_fd; };

/* In the child: ERR_OK.  In the parent it does not return: it exits with 0 when the child called daemon_ready, else with the child's
 * exit code. */
enum err daemon_fork(struct daemon *d);
/* A session of its own, "/" as directory, standard descriptors to /dev/null; then the parent ends. */
void daemon_ready(struct daemon *d);

#endif
