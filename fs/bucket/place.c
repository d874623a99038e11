#include "fs/bucket/place.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define ZFS_MAGIC 0x2fc12fc1
#define BCACHEFS_MAGIC 0xca451a4e

/* Made from a UUID on the disk.  Others (XFS, FAT, F2FS) make it from the device number, which changes. */
static int has_lasting_id(const struct statfs *fs)
{
	switch ((unsigned long)fs->f_type & 0xffffffff) {
	case EXT4_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case ZFS_MAGIC:
	case BCACHEFS_MAGIC:
		return fs->f_fsid.__val[0] || fs->f_fsid.__val[1];
	default:
		return 0;
	}
}

/* FNV-1a: it only has to differ, not to hide. */
static uint64_t hash_path(const char *path)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
	return hash;
}

enum err place_of(int root_fd, const char *path, struct place *out)
{
	struct statfs fs;
	struct stat st;

	*out = (struct place){ 0 };
	if (fstatfs(root_fd, &fs) != 0 || fstat(root_fd, &st) != 0)
		return err_set_errno("cannot look at %s", path);
	if (has_lasting_id(&fs))
		out->filesystem = (uint32_t)fs.f_fsid.__val[0] | (uint64_t)(uint32_t)fs.f_fsid.__val[1] << 32;
	else
		out->filesystem = hash_path(path);
	out->root_inode = st.st_ino;
	return ERR_OK;
}

int place_equal(const struct place *a, const struct place *b)
{
	return a->filesystem == b->filesystem && a->root_inode == b->root_inode;
}
