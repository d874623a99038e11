#include "fs/mount/operations.h"

/* Left out on purpose: flush (close(2) has the kernel write its pages, whose errors come with WRITE; RELEASE stores what is left, and close is no
 * durability point), access (default_permissions), getlk, setlk and flock (the kernel's own suffice, for the mount is the
 * only writer), bmap, ioctl, poll, copy_file_range (the kernel then copies through its pages, as every cipher needs). */

static void want(struct fuse_conn_info *conn, unsigned bits, int on)
{
	if (on)
		conn->want |= bits & conn->capable;
	else
		conn->want &= ~bits;
}

static void operation_init(void *userdata, struct fuse_conn_info *conn)
{
	struct mount *m = userdata;
	int writes = !m->options->read_only;

	want(conn, FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_ATOMIC_O_TRUNC, 1);
	want(conn, FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO, 1);
	want(conn, FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK, 1);
	/* Where this mount is the only writer, the kernel's caches change only by what passes through it. */
	want(conn, FUSE_CAP_WRITEBACK_CACHE, writes);
	want(conn, FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_CACHE_SYMLINKS, writes);
	want(conn, FUSE_CAP_AUTO_INVAL_DATA, !writes);
	/* Every byte is ciphered: pages that are moved through pipes win nothing. */
	want(conn, FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE, 0);
	want(conn, FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS, 0);
	want(conn, FUSE_CAP_HANDLE_KILLPRIV, 0);
	conn->max_write = MOUNT_REPLY_MAX;
	conn->max_read = MOUNT_REPLY_MAX;
	conn->max_background = 128;
	conn->congestion_threshold = 96;
	conn->time_gran = 1;
}

const struct fuse_lowlevel_ops mount_operations = {
	.init = operation_init,
	.getattr = operation_getattr,
	.setattr = operation_setattr,
	.statfs = operation_statfs,
	.lookup = operation_lookup,
	.forget = operation_forget,
	.forget_multi = operation_forget_multi,
	.mkdir = operation_mkdir,
	.mknod = operation_mknod,
	.symlink = operation_symlink,
	.readlink = operation_readlink,
	.link = operation_link,
	.unlink = operation_unlink,
	.rmdir = operation_rmdir,
	.rename = operation_rename,
	.open = operation_open,
	.create = operation_create,
	.read = operation_read,
	.write = operation_write,
	.release = operation_release,
	.fsync = operation_fsync,
	.fallocate = operation_fallocate,
	.lseek = operation_lseek,
	.opendir = operation_opendir,
	.readdir = operation_readdir,
	.readdirplus = operation_readdirplus,
	.releasedir = operation_releasedir,
	.fsyncdir = operation_fsyncdir,
	.setxattr = operation_setxattr,
	.getxattr = operation_getxattr,
	.listxattr = operation_listxattr,
	.removexattr = operation_removexattr,
};
