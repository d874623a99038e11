/*
 * What libfuse before 3.17 does not do by itself, done at the read and writev of its session:
 *
 * - The INIT reply gets PARALLEL_DIROPS (1 << 18) and HANDLE_KILLPRIV_V2 (1 << 28), if the kernel offered them.  Without the latter the kernel
 *   asks for security.capability before every write(2); without the former it serializes lookups in a directory.  libfuse 3.17 negotiates both:
 *   with it this part falls away at compile time.
 * - The flags of OPEN, CREATE and WRITE that tell the filesystem to clear suid and sgid (part of the contract of HANDLE_KILLPRIV_V2) are kept for
 *   the operation, since libfuse does not hand them on.
 * - Requests are counted by their operation code.
 */
#ifndef REKEYFS_FS_MOUNT_INIT_BITS_H
#define REKEYFS_FS_MOUNT_INIT_BITS_H

#include "base/error.h"
#include "fs/mount/mount.h"

/* After fuse_session_mount, before the first request is read; the session's user data is `m`. */
enum err init_bits_install(struct mount *m);
/* 1 where the request that this thread serves asks to clear suid and sgid.  Valid inside an operation, in its own thread. */
int request_kills_privileges(void);

#endif
