/*
 * Where control sockets lie, and who may connect: used by mounts and by the commands that reach them.
 *
 *   /run/rekeyfs/                 of root's mounts
 *   $XDG_RUNTIME_DIR/rekeyfs/     of others (/run/user/UID where it is not set, but exists)
 *   /tmp/rekeyfs-UID/             of others without such a directory
 *
 * A socket's name is INSTANCE.sock for the bucket's one writer, INSTANCE.ro-PID.sock for a read-only mount.  Directories have mode 0700.
 */
#ifndef REKEYFS_FS_MOUNT_CONTROL_SOCKET_H
#define REKEYFS_FS_MOUNT_CONTROL_SOCKET_H

#include <sys/types.h>
#include "base/error.h"

/* A listening socket for this process's mount; what a killed mount left under that name is replaced.  dir_fd_out and name (64 bytes) are for
 * control_socket_remove. */
enum err control_socket_listen(const char *instance, int read_only, int *fd_out, int *dir_fd_out, char name_out[static 64]);
/* Closes dir_fd. */
void control_socket_remove(int dir_fd, const char *name);

/* Connects to one; only to a process of root or of this user.  ERR_NOT_FOUND where nobody listens. */
enum err control_socket_connect(int dir_fd, const char *name, int *fd_out, pid_t *pid_out);

/* Calls `each` for each socket that may be this user's to use (root: everybody's; `owner`: this user's directories
 * as well) until it returns non-zero, which is returned. */
int control_socket_each(uid_t owner, int (*each)(void *context, int dir_fd, const char *name), void *context);

/* The uid of who connected.  ERR_REFUSED unless it is root or this process's user. */
enum err control_socket_peer(int fd, uid_t *uid_out, pid_t *pid_out);

#endif
