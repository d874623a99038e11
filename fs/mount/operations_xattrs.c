#include "fs/mount/operations.h"

#include <string.h>

#define GROUPS_MAX 1024

/* As chmod does: an ACL that is set by somebody outside the file's group takes its sgid bit away.  (The kernel's flag
 * for this is not among those that libfuse negotiates.) */
static int caller_in_group(fuse_req_t req, gid_t gid)
{
	gid_t groups[GROUPS_MAX];
	int count;

	if (fuse_req_ctx(req)->uid == 0 || fuse_req_ctx(req)->gid == gid)
		return 1;
	count = fuse_req_getgroups(req, GROUPS_MAX, groups);
	for (int i = 0; i < count && i < GROUPS_MAX; i++)
		if (groups[i] == gid)
			return 1;
	return 0;
}

static void drop_sgid_after_acl(fuse_req_t req, struct mount *m, struct node *n)
{
	struct tree_attr a = { .mode = 0 };
	struct stat st;

	if (tree_getattr(m->tree, n, &st) != ERR_OK || !(st.st_mode & S_ISGID) || caller_in_group(req, st.st_gid))
		return;
	a.mode = st.st_mode & 07777 & ~S_ISGID;
	tree_setattr(m->tree, n, NULL, &a, TREE_SET_MODE, &st);
}

void operation_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	struct mount *m = request_mount(req);
	struct node *n = node_of(m, ino);
	enum err e;

	mount_changed(m);
	e = tree_setxattr(m->tree, n, name, value, size, flags);
	if (e == ERR_OK && strcmp(name, "system.posix_acl_access") == 0)
		drop_sgid_after_acl(req, m, n);
	reply_result(req, e);
}

static void reply_bytes(fuse_req_t req, enum err e, const char *bytes, size_t len, size_t room)
{
	if (e != ERR_OK)
		reply_result(req, e);
	else if (room == 0)
		fuse_reply_xattr(req, len);
	else
		fuse_reply_buf(req, bytes, len);
}

static size_t capped(size_t size)
{
	return size > MOUNT_REPLY_MAX ? MOUNT_REPLY_MAX : size;
}

void operation_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct mount *m = request_mount(req);
	char *buffer = reply_buffer();
	size_t len = 0;
	enum err e = buffer ? ERR_OK : ERR_NO_MEMORY;

	if (e == ERR_OK)
		e = tree_getxattr(m->tree, node_of(m, ino), name, buffer, capped(size), &len);
	reply_bytes(req, e, buffer, len, size);
}

void operation_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct mount *m = request_mount(req);
	char *buffer = reply_buffer();
	size_t len = 0;
	enum err e = buffer ? ERR_OK : ERR_NO_MEMORY;

	if (e == ERR_OK)
		e = tree_listxattr(m->tree, node_of(m, ino), buffer, capped(size), &len);
	reply_bytes(req, e, buffer, len, size);
}

void operation_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct mount *m = request_mount(req);

	mount_changed(m);
	reply_result(req, tree_removexattr(m->tree, node_of(m, ino), name));
}
