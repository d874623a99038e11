/* Where a bucket lies: what tells a copy of it from itself. */
#ifndef REKEYFS_FS_BUCKET_PLACE_H
#define REKEYFS_FS_BUCKET_PLACE_H

#include <stdint.h>
#include "base/error.h"

struct place {
	uint64_t filesystem;	/* statfs's id where it outlasts a reboot, else a hash of the path */
	uint64_t root_inode;
};

/* `path` is absolute and free of symlinks. */
enum err place_of(int root_fd, const char *path, struct place *out);
int place_equal(const struct place *a, const struct place *b);

#endif
