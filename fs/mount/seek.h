/*
 * SEEK_DATA and SEEK_HOLE in a file that somebody may be writing to.
 *
 * With the writeback cache the kernel asks for holes without writing its dirty pages first, so that data which only the kernel has would be
 * reported as a hole and sparse copies would lose it.  Such a request is handed to a thread of its own, which makes the kernel write
 * those pages (the workers that take the pages stay free for that), and answers then.
 */
#ifndef REKEYFS_FS_MOUNT_SEEK_H
#define REKEYFS_FS_MOUNT_SEEK_H

#include "fs/mount/operations.h"

enum err seeker_new(struct mount *m, struct seeker **out);
/* Answers what is queued, ends the thread, frees.  NULL is fine. */
void seeker_free(struct seeker *s);
/* Takes the request: it is answered later. */
void seeker_ask(struct seeker *s, fuse_req_t req, fuse_ino_t ino, struct content *c, off_t offset, int whence);
/* Answers at once, by what the mount knows. */
void seek_answer(fuse_req_t req, struct content *c, off_t offset, int whence);

#endif
