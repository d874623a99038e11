#include "fs/mount/operations.h"

static struct open_dir *directory_of(const struct fuse_file_info *fi)
{
	return (struct open_dir *)(uintptr_t)fi->fh;
}

void operation_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = request_mount(req);
	struct open_dir *d;
	enum err e = tree_opendir(m->tree, node_of(m, ino), &d);

	if (e != ERR_OK) {
		reply_result(req, e);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)d;
	fi->cache_readdir = 1;
	fi->keep_cache = 1;
	if (fuse_reply_open(req, fi) != 0)
		tree_releasedir(m->tree, d);
}

struct listing {
	fuse_req_t req;
	struct mount *mount;
	char *buffer;
	size_t used, room;
};

static int add_plain(void *context, const char *name, const struct stat *st, struct node *n, uint64_t next)
{
	struct listing *l = context;
	size_t len = fuse_add_direntry(l->req, l->buffer + l->used, l->room - l->used, name, st, (off_t)next);

	if (len > l->room - l->used)
		return 1;
	l->used += len;
	return 0;
}

static int add_full(void *context, const char *name, const struct stat *st, struct node *n, uint64_t next)
{
	struct listing *l = context;
	struct fuse_entry_param entry = { .attr = *st };	/* without a node: the kernel takes the name alone */
	size_t len;

	if (n)
		fill_entry(l->mount, n, st, &entry);
	len = fuse_add_direntry_plus(l->req, l->buffer + l->used, l->room - l->used, name, &entry, (off_t)next);
	if (len > l->room - l->used)
		return 1;
	l->used += len;
	return 0;
}

static void list(fuse_req_t req, size_t size, off_t offset, struct fuse_file_info *fi, int full)
{
	struct mount *m = request_mount(req);
	struct listing l = { .req = req, .mount = m, .buffer = reply_buffer(), .room = size };
	enum err e = l.buffer ? ERR_OK : ERR_NO_MEMORY;

	if (l.room > MOUNT_REPLY_MAX)
		l.room = MOUNT_REPLY_MAX;
	if (e == ERR_OK)
		e = tree_readdir(m->tree, directory_of(fi), (uint64_t)offset, full, full ? add_full : add_plain, &l);
	/* What was found before the error is shown; the next request meets the error again. */
	if (e != ERR_OK && l.used == 0)
		reply_result(req, e);
	else
		fuse_reply_buf(req, l.buffer, l.used);
}

void operation_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	list(req, size, offset, fi, 0);
}

void operation_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	list(req, size, offset, fi, 1);
}

void operation_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	tree_releasedir(request_mount(req)->tree, directory_of(fi));
	reply_result(req, ERR_OK);
}

void operation_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
	struct mount *m = request_mount(req);

	reply_result(req, tree_fsyncdir(m->tree, node_of(m, ino)));
}
