#include "fs/mount/operations.h"

#include <errno.h>

void operation_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount *m = request_mount(req);
	struct fuse_entry_param absent = { .entry_timeout = m->timeout };
	struct node *n;
	struct stat st;
	enum err e = tree_lookup(m->tree, node_of(m, parent), name, &n, &st);

	if (e == ERR_OK)
		reply_entry(req, n, &st);
	else if (err_to_errno(e) == ENOENT)
		fuse_reply_entry(req, &absent);		/* the kernel may remember that it is not there */
	else
		reply_result(req, e);
}

void operation_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct mount *m = request_mount(req);

	if (ino != FUSE_ROOT_ID)
		tree_forget(m->tree, node_of(m, ino), count);
	fuse_reply_none(req);
}

void operation_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct mount *m = request_mount(req);

	for (size_t i = 0; i < count; i++)
		if (forgets[i].ino != FUSE_ROOT_ID)
			tree_forget(m->tree, node_of(m, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

static void reply_made(fuse_req_t req, enum err e, struct node *n, const struct stat *st)
{
	if (e == ERR_OK)
		reply_entry(req, n, st);
	else
		reply_result(req, e);
}

void operation_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct mount *m = request_mount(req);
	struct caller who = request_caller(req);
	struct node *n;
	struct stat st;
	enum err e;

	mount_changed(m);
	e = tree_mkdir(m->tree, node_of(m, parent), name, mode, &who, &n, &st);
	reply_made(req, e, n, &st);
}

void operation_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	struct mount *m = request_mount(req);
	struct caller who = request_caller(req);
	struct node *n;
	struct stat st;
	enum err e;

	mount_changed(m);
	e = tree_mknod(m->tree, node_of(m, parent), name, mode, device, &who, &n, &st);
	reply_made(req, e, n, &st);
}

void operation_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct mount *m = request_mount(req);
	struct caller who = request_caller(req);
	struct node *n;
	struct stat st;
	enum err e;

	mount_changed(m);
	e = tree_symlink(m->tree, node_of(m, parent), name, target, &who, &n, &st);
	reply_made(req, e, n, &st);
}

void operation_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct mount *m = request_mount(req);
	char *target = reply_buffer();
	enum err e = target ? tree_readlink(m->tree, node_of(m, ino), target, MOUNT_REPLY_MAX) : ERR_NO_MEMORY;

	if (e != ERR_OK)
		reply_result(req, e);
	else
		fuse_reply_readlink(req, target);
}

void operation_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct mount *m = request_mount(req);
	struct node *n = node_of(m, ino);
	struct stat st;
	enum err e;

	mount_changed(m);
	e = tree_link(m->tree, n, node_of(m, parent), name, &st);
	reply_made(req, e, n, &st);
}

void operation_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount *m = request_mount(req);

	mount_changed(m);
	reply_result(req, tree_unlink(m->tree, node_of(m, parent), name));
}

void operation_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount *m = request_mount(req);

	mount_changed(m);
	reply_result(req, tree_rmdir(m->tree, node_of(m, parent), name));
}

void operation_rename(fuse_req_t req, fuse_ino_t from, const char *from_name, fuse_ino_t to, const char *to_name, unsigned flags)
{
	struct mount *m = request_mount(req);

	mount_changed(m);
	reply_result(req, tree_rename(m->tree, node_of(m, from), from_name, node_of(m, to), to_name, flags));
}
