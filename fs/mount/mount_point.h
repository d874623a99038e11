/*
 * Mount points: what the kernel's table says of them, which may be used, and how one is unmounted.
 */
#ifndef REKEYFS_FS_MOUNT_MOUNT_POINT_H
#define REKEYFS_FS_MOUNT_MOUNT_POINT_H

#include <sys/types.h>
#include "base/error.h"

/* A row of /proc/self/mountinfo. */
struct mount_entry {
	int id;
	dev_t device;
	uid_t owner;		/* FUSE's user_id=, 0 without */
	char *point, *type, *source;
};
void mount_entry_release(struct mount_entry *entry);

/* The topmost mount at exactly this absolute path, without touching it.  ERR_NOT_FOUND. */
enum err mount_table_find(const char *point, struct mount_entry *out);
/* The mount with this st_dev.  ERR_NOT_FOUND. */
enum err mount_table_find_device(dev_t device, struct mount_entry *out);
/* 1 where it is a mount of this program. */
int mount_entry_is_ours(const struct mount_entry *entry);

/* The absolute path of a mount point, even of one whose filesystem is dead.  malloc'd.  ERR_NOT_FOUND… */
enum err mount_point_resolve(const char *path, char **out);

/* May `bucket` (absolute) be mounted at `path`?  A mount point that is left over from a killed mount is detached first.
 * ERR_NOT_FOUND, ERR_REFUSED with a sentence.  `out`: its absolute path, malloc'd. */
enum err mount_point_check(const char *bucket, const char *path, char **out);

/* Unmounts with umount2(2), or where that is not allowed with fusermount3.  ERR_BUSY, unless `lazy`: detached now, gone when
 * nobody uses it. */
enum err mount_point_unmount(const char *point, int lazy);

/* Larger read-ahead for the mounted device; needs root, and is left as it is without. */
void mount_point_read_ahead(dev_t device, unsigned kib);

#endif
