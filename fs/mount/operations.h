/*
 * The FUSE operations: a thin translation to fs/tree and fs/content, one file a family:
 *
 *   operations_attributes.c   getattr setattr statfs
 *   operations_names.c        lookup forget mkdir mknod symlink readlink link unlink rmdir rename
 *   operations_data.c         open create read write release fsync fallocate lseek
 *   operations_directories.c  opendir readdir readdirplus releasedir fsyncdir
 *   operations_xattrs.c       setxattr getxattr listxattr removexattr
 *
 * A FUSE node id is the address of a tree node (the root has FUSE's 1); it is valid as long as the kernel counts a lookup.  Permissions are
 * the kernel's (default_permissions, with POSIX ACLs).  Each operation replies exactly once, through reply.c where it fails.
 */
#ifndef REKEYFS_FS_MOUNT_OPERATIONS_H
#define REKEYFS_FS_MOUNT_OPERATIONS_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include "fs/mount/mount.h"

extern const struct fuse_lowlevel_ops mount_operations;

/* What an open regular file's handle (fi->fh) is. */
struct handle {
	struct open_file *file;
	struct node *node;
	int writable;
	atomic_int may_have_capability;	/* security.capability was not yet dropped through this handle */
};

static inline struct mount *request_mount(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct node *node_of(const struct mount *m, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? tree_root(m->tree) : (struct node *)(uintptr_t)ino;
}

static inline fuse_ino_t id_of(const struct mount *m, const struct node *n)
{
	return n == tree_root(m->tree) ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)n;
}

static inline struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

static inline struct caller request_caller(fuse_req_t req)
{
	const struct fuse_ctx *who = fuse_req_ctx(req);

	return (struct caller){ .uid = who->uid, .gid = who->gid, .pid = who->pid, .umask = who->umask };
}

/* Something of the bucket is about to change: a checkpoint is due. */
static inline void mount_changed(struct mount *m)
{
	if (!atomic_load_explicit(&m->changed, memory_order_relaxed))
		atomic_store_explicit(&m->changed, 1, memory_order_relaxed);
}

/* --- reply.c -------------------------------------------------------------------- */

/* Replies with the errno of `e` (0 for ERR_OK). */
void reply_result(fuse_req_t req, enum err e);
/* Replies with a new entry; gives the lookup back where the kernel did not take it. */
void reply_entry(fuse_req_t req, struct node *n, const struct stat *st);
void fill_entry(const struct mount *m, struct node *n, const struct stat *st, struct fuse_entry_param *out);
/* This thread's reply buffer: at least MOUNT_REPLY_MAX bytes, page-aligned, until the thread ends; NULL without memory. */
#define MOUNT_REPLY_MAX (1u << 20)
char *reply_buffer(void);

/* --- the families ------------------------------------------------------------------ */

void operation_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void operation_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi);
void operation_statfs(fuse_req_t req, fuse_ino_t ino);
/* Clears suid and sgid, as HANDLE_KILLPRIV_V2 leaves to the filesystem. */
void drop_set_id_bits(struct mount *m, struct node *n);

void operation_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void operation_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count);
void operation_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void operation_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void operation_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void operation_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void operation_readlink(fuse_req_t req, fuse_ino_t ino);
void operation_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void operation_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void operation_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void operation_rename(fuse_req_t req, fuse_ino_t from, const char *from_name, fuse_ino_t to, const char *to_name, unsigned flags);

void operation_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void operation_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void operation_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void operation_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset, struct fuse_file_info *fi);
void operation_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void operation_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi);
void operation_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t len, struct fuse_file_info *fi);
void operation_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi);

void operation_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void operation_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void operation_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void operation_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void operation_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi);

void operation_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags);
void operation_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void operation_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void operation_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
