#include "fs/mount/operations.h"

#include "base/log.h"

void operation_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = request_mount(req);
	struct stat st;
	enum err e = tree_getattr(m->tree, node_of(m, ino), &st);

	if (e != ERR_OK)
		reply_result(req, e);
	else
		fuse_reply_attr(req, &st, m->timeout);
}

/* FUSE_SET_ATTR_CTIME is not among them: the lower filesystem keeps change times. */
static unsigned tree_bits(int to_set)
{
	static const struct { int fuse; unsigned tree; } rows[] = {
		{ FUSE_SET_ATTR_MODE, TREE_SET_MODE },
		{ FUSE_SET_ATTR_UID, TREE_SET_UID },
		{ FUSE_SET_ATTR_GID, TREE_SET_GID },
		{ FUSE_SET_ATTR_SIZE, TREE_SET_SIZE },
		{ FUSE_SET_ATTR_ATIME, TREE_SET_ATIME },
		{ FUSE_SET_ATTR_MTIME, TREE_SET_MTIME },
		{ FUSE_SET_ATTR_ATIME_NOW, TREE_SET_ATIME_NOW },
		{ FUSE_SET_ATTR_MTIME_NOW, TREE_SET_MTIME_NOW },
		/* The kernel's FATTR_KILL_SUIDGID has this bit. */
		{ FUSE_SET_ATTR_KILL_SUID, TREE_KILL_SUIDGID },
	};
	unsigned bits = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (to_set & rows[i].fuse)
			bits |= rows[i].tree;
	if (bits & TREE_SET_ATIME_NOW)
		bits &= ~TREE_SET_ATIME;
	if (bits & TREE_SET_MTIME_NOW)
		bits &= ~TREE_SET_MTIME;
	return bits;
}

void operation_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct mount *m = request_mount(req);
	struct node *n = node_of(m, ino);
	unsigned set = tree_bits(to_set);
	struct tree_attr a = {
		.mode = attr->st_mode, .uid = attr->st_uid, .gid = attr->st_gid, .size = (uint64_t)attr->st_size,
		.atime = attr->st_atim, .mtime = attr->st_mtim,
	};
	struct stat st;
	enum err e;

	mount_changed(m);
	if (set)
		e = tree_setattr(m->tree, n, fi ? handle_of(fi)->file : NULL, &a, set, &st);
	else
		e = tree_getattr(m->tree, n, &st);
	if (e != ERR_OK)
		reply_result(req, e);
	else
		fuse_reply_attr(req, &st, m->timeout);
}

void drop_set_id_bits(struct mount *m, struct node *n)
{
	struct tree_attr a = { .mode = 0 };
	struct stat st;
	enum err e = tree_setattr(m->tree, n, NULL, &a, TREE_KILL_SUIDGID, &st);

	if (e != ERR_OK)
		log_warning("cannot clear set-user-id bits of a written file: %s", err_text(e));
	/* The kernel does not take the mode for changed by itself; -1: attributes alone. */
	fuse_lowlevel_notify_inval_inode(m->fuse, id_of(m, n), -1, 0);
}

void operation_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct mount *m = request_mount(req);
	struct statvfs st;
	enum err e = tree_statfs(m->tree, &st);

	if (e != ERR_OK)
		reply_result(req, e);
	else
		fuse_reply_statfs(req, &st);
}
