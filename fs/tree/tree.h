/*
 * The tree of a mounted bucket: nodes, names, attributes, open files.  It knows plain names and lower descriptors, but no FUSE: fs/mount
 * translates.  Every function may be called by any thread.
 *
 * A node stands for a lower inode (device, inode number): hard links share it.  It is counted as the kernel counts lookups: tree_lookup and all
 * that return a node add one, tree_forget takes away.  A node keeps at least one (parent, lower name) by which it is reopened on demand; directories
 * keep O_PATH descriptors in an LRU; no descriptor a cached inode.  A regular file's content (fs/content) is opened with its first handle and shared;
 * after the last close at most TREE_LINGER contents stay open in an LRU, so that reopening is cheap and roles of tag pages stay known; one that content_must_stay
 * is evicted last.
 *
 * Lock order: the namespace rwlock (readers: all; writers: rename, link, unlink, rmdir), a node's lock, a content's lock, LRU and table mutexes innermost.
 */
#ifndef REKEYFS_FS_TREE_TREE_H
#define REKEYFS_FS_TREE_TREE_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include "base/error.h"
#include "fs/bucket/bucket.h"
#include "fs/content/content.h"

struct tree;
struct node;
struct open_file;	/* a handle of a regular file */
struct open_dir;

#define TREE_LINGER 256

/* Who asks: as root the daemon gives new inodes this owner; `umask` is applied unless the directory has a default ACL. */
struct caller { uid_t uid; gid_t gid; pid_t pid; mode_t umask; };

enum err tree_new(struct bucket *b, struct tree **out);
void tree_free(struct tree *t);		/* frees contents (content_free) and nodes */
struct bucket *tree_bucket(struct tree *t);
struct node *tree_root(struct tree *t);

/* The plain attributes: size by the tag pages or the lower size, blocks and the rest as the lower file has them; st_ino the lower one. */
enum err tree_getattr(struct tree *t, struct node *n, struct stat *out);
enum err tree_lookup(struct tree *t, struct node *parent, const char *name, struct node **out, struct stat *st);
void tree_forget(struct tree *t, struct node *n, uint64_t count);

#define TREE_SET_MODE 1u
#define TREE_SET_UID 2u
#define TREE_SET_GID 4u
#define TREE_SET_SIZE 8u
#define TREE_SET_ATIME 16u
#define TREE_SET_MTIME 32u
#define TREE_SET_ATIME_NOW 64u
#define TREE_SET_MTIME_NOW 128u
#define TREE_KILL_SUIDGID 256u	/* clear suid and sgid as the kernel's HANDLE_KILLPRIV_V2 contract asks */
struct tree_attr { mode_t mode; uid_t uid; gid_t gid; uint64_t size; struct timespec atime, mtime; };
enum err tree_setattr(struct tree *t, struct node *n, struct open_file *f /* or NULL */, const struct tree_attr *a, unsigned set, struct stat *out);

enum err tree_mkdir(struct tree *t, struct node *parent, const char *name, mode_t mode, const struct caller *who, struct node **out, struct stat *st);
/* Special files, and empty regular ones. */
enum err tree_mknod(struct tree *t, struct node *parent, const char *name, mode_t mode, dev_t dev, const struct caller *who, struct node **out, struct stat *st);
enum err tree_symlink(struct tree *t, struct node *parent, const char *name, const char *target, const struct caller *who, struct node **out, struct stat *st);
enum err tree_readlink(struct tree *t, struct node *n, char *out, size_t max);
/* Adds a lookup to `n`, as an entry that the kernel is told of does. */
enum err tree_link(struct tree *t, struct node *n, struct node *parent, const char *name, struct stat *st);
enum err tree_unlink(struct tree *t, struct node *parent, const char *name);
enum err tree_rmdir(struct tree *t, struct node *parent, const char *name);
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE.  Syncs a dirty source first where it replaces a file; policy's on_rename and enforce are applied
 * (a migration that becomes due is queued: tree_drift). */
enum err tree_rename(struct tree *t, struct node *from, const char *from_name, struct node *to, const char *to_name, unsigned flags);

/* flags as open(2): access mode, O_TRUNC (truncated to zero: takes the policy's key), O_APPEND.  The file's key decides ENOKEY here. */
enum err tree_open(struct tree *t, struct node *n, int flags, const struct caller *who, struct open_file **out);
/* One lower open; nothing is written yet. */
enum err tree_create(struct tree *t, struct node *parent, const char *name, mode_t mode, int flags, const struct caller *who,
		     struct node **out, struct stat *st, struct open_file **file);
struct content *open_file_content(struct open_file *f);
struct node *open_file_node(struct open_file *f);
enum err tree_flush(struct tree *t, struct open_file *f);	/* stores tag pages, never syncs */
enum err tree_release(struct tree *t, struct open_file *f);

enum err tree_opendir(struct tree *t, struct node *n, struct open_dir **out);
void tree_releasedir(struct tree *t, struct open_dir *d);
/* Calls `each` from `offset` on (0: the start) until it returns non-zero: name, a stat with at least ino and type (all of it where `full`), the offset of the next entry.
 * "." and ".." come first.  With `full`, each entry's node is looked up and counted, as READDIRPLUS wants (not for "." and ".."); an
 * entry refused by `each` is forgotten again. */
typedef int (*tree_entry_fn)(void *context, const char *name, const struct stat *st, struct node *n /* full */, uint64_t next);
enum err tree_readdir(struct tree *t, struct open_dir *d, uint64_t offset, int full, tree_entry_fn each, void *context);
enum err tree_fsyncdir(struct tree *t, struct node *n);	/* fsync of the lower directory */

/* Sealed names for user.* and trusted.*, the rest passes through (ACLs, security.*); virtual `user.rekeyfs.{bucket,key-id,key-material-id,suite}` answer read-only
 * and are not listed.  max 0: only the length. */
enum err tree_setxattr(struct tree *t, struct node *n, const char *name, const void *value, size_t len, int flags);
enum err tree_getxattr(struct tree *t, struct node *n, const char *name, void *out, size_t max, size_t *len_out);
enum err tree_listxattr(struct tree *t, struct node *n, char *out, size_t max, size_t *len_out);
enum err tree_removexattr(struct tree *t, struct node *n, const char *name);
enum err tree_statfs(struct tree *t, struct statvfs *out);
enum err tree_access(struct tree *t, struct node *n, int mask, const struct caller *who);	/* not used with default_permissions */

/* --- policies ------------------------------------------------------------------- */

/* The policy that governs new files in directory `dir`: the nearest ancestor's; `from_out` (may be NULL): that directory's id. */
enum err tree_policy(struct tree *t, struct node *dir, struct policy *out);
/* Its key, resolved now.  ERR_NO_KEY with a sentence that names alias, key, state and what helps. */
enum err tree_policy_key(struct tree *t, struct node *dir, uint8_t key_id_out[static KEY_ID_LEN]);
/* Id of a directory's header. */
enum err tree_dir_id(struct tree *t, struct node *dir, uint8_t out[static UUID_LEN]);

/* --- for the walker, checks and commands ------------------------------------------- */

/* Walks from a plain path relative to the root ("" is the root) without FUSE; adds a lookup to the node.  No symlink is followed. */
enum err tree_resolve(struct tree *t, const char *path, struct node **out, struct stat *st);
/* The node of a lower entry found by a walk over the lower tree (dir_fd, lower name): its content if it is a regular file, opened or shared with the handles; release with
 * tree_content_done.  ERR_UNSUPPORTED where it is no content file. */
enum err tree_content(struct tree *t, int dir_fd, const char *lower_name, struct content **out);
void tree_content_done(struct tree *t, struct content *c);
/* Plain path of a node ("" for the root, else "a/b"), for what a person asked to see; never for logs.  malloc'd. */
char *tree_path(struct tree *t, struct node *n);
/* Grows with every rename and link of this mount: a scan that saw it change begins again. */
uint64_t tree_moves(struct tree *t);
/* Hold renames and links back (the last round of a scan that was overtaken). */
void tree_hold_moves(struct tree *t, int hold);
/* Set by the mount: called with the node's directory id when a rename brought something under another policy (a migration is due), and when an inode's
 * cached pages and attributes must be dropped by the kernel. */
struct tree_events {
	void *context;
	void (*drift)(void *context, struct node *n);
	void (*invalidate)(void *context, struct node *n);
};
void tree_set_events(struct tree *t, const struct tree_events *e);
/* A CMK was disabled (or the mount is locked, key_id NULL): lock the contents under it (written back first), drop them from the LRU, invalidate. enable: contents unlock on
 * the next use. */
enum err tree_lock_key(struct tree *t, const uint8_t *key_id);
enum err tree_unlock_key(struct tree *t, const uint8_t *key_id);
/* Open handles now, for `umount` of a busy mount and status. */
unsigned tree_open_files(struct tree *t);
/* Nodes in memory: what the kernel has looked up and not forgotten, and what inside still refers to. */
size_t tree_nodes(struct tree *t);

#endif
