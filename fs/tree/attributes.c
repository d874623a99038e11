#include "fs/tree/node.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fs/format/layout.h"
#include "fs/names/symlink.h"

static void as_symlink(const struct stat *lower, struct stat *out)
{
	out->st_mode = S_IFLNK | 0777;
	out->st_size = (off_t)symlink_plain_size(lower);
}

/* Where the tag page cannot be read either, the lower size has to do: opening tells what is wrong, and the name can still be removed. */
static off_t suspect_size(struct tree *t, int fd, const struct stat *lower)
{
	uint64_t size;

	if (fd < 0 || content_suspect_size(t->b, fd, &size) != ERR_OK)
		size = layout_plain_size((uint64_t)lower->st_size);
	return (off_t)size;
}

static int is_suspect(struct tree *t, const struct stat *lower)
{
	return lower->st_size > 0 && bucket_is_suspect(t->b, lower->st_ctime);
}

void plain_attributes_at(struct tree *t, int dir_fd, const char *lower_name, const struct stat *lower, struct stat *out)
{
	*out = *lower;
	if (S_ISLNK(lower->st_mode) || symlink_is_file(lower))
		as_symlink(lower, out);
	else if (S_ISREG(lower->st_mode) && is_suspect(t, lower))
		out->st_size = suspect_size(t, openat(dir_fd, lower_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), lower);
	else if (S_ISREG(lower->st_mode))
		out->st_size = (off_t)layout_plain_size((uint64_t)lower->st_size);
}

void plain_attributes(struct tree *t, struct node *n, const struct stat *lower, struct stat *out)
{
	struct stat again;
	int fd, open;

	*out = *lower;
	if (S_ISLNK(lower->st_mode)) {
		as_symlink(lower, out);
		return;
	}
	if (!S_ISREG(lower->st_mode))
		return;
	pthread_mutex_lock(&n->lock);
	open = n->file.content != NULL;
	if (open)
		out->st_size = (off_t)content_size(n->file.content);
	pthread_mutex_unlock(&n->lock);
	if (open)
		return;
	if (symlink_is_file(lower))
		as_symlink(lower, out);
	else if (!is_suspect(t, lower))
		out->st_size = (off_t)layout_plain_size((uint64_t)lower->st_size);
	else
		out->st_size = suspect_size(t, reach_open(t, n, O_RDONLY, &fd, &again) == ERR_OK ? fd : -1, lower);
}

enum err tree_getattr(struct tree *t, struct node *n, struct stat *out)
{
	struct reach r;
	struct stat lower;
	enum err e;

	names_share(t);
	e = reach_begin(t, n, &r);
	if (e == ERR_OK) {
		e = reach_stat(&r, &lower);
		reach_end(t, &r);
	}
	if (e == ERR_OK) {
		node_note(t, n, &lower);
		plain_attributes(t, n, &lower, out);
	}
	names_release(t);
	return e;
}

/* --- setting them ------------------------------------------------------------------------- */

static enum err set_size(struct tree *t, struct node *n, uint64_t size)
{
	struct content *c;
	uint8_t key[KEY_ID_LEN];
	struct place *p;
	enum err e = file_acquire(t, n, size == 0 ? FILE_WRITE | FILE_TRUNCATE : FILE_WRITE, &c);

	if (e != ERR_OK)
		return e;
	p = node_place(t, n);
	if (size == 0 && p)
		e = policy_key_of(t, p->parent, key);
	/* A file without a name keeps its key. */
	if (e == ERR_OK)
		e = content_truncate(c, size, size == 0 && p ? key : NULL);
	file_release(t, n);
	return e;
}

/* As write(2), truncate(2) and chown(2) do. */
static mode_t without_privileges(mode_t mode)
{
	mode &= ~(mode_t)S_ISUID;
	if (mode & S_IXGRP)
		mode &= ~(mode_t)S_ISGID;
	return mode;
}

static enum err set_mode(struct node *n, const struct reach *r, const struct tree_attr *a, unsigned set)
{
	struct stat st;
	mode_t mode = a->mode;
	enum err e;

	if (!(set & TREE_SET_MODE)) {
		if (!(n->mode & (S_ISUID | S_ISGID)) || !node_is_file(n))
			return ERR_OK;
		e = reach_stat(r, &st);
		if (e != ERR_OK)
			return e;
		mode = without_privileges(st.st_mode);
		if (mode == st.st_mode)
			return ERR_OK;
	} else if (set & TREE_KILL_SUIDGID && node_is_file(n)) {
		mode = without_privileges(mode);
	}
	return reach_chmod(r, mode & 07777);
}

static enum err set_times(const struct reach *r, const struct tree_attr *a, unsigned set)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } };

	if (set & TREE_SET_ATIME_NOW)
		times[0].tv_nsec = UTIME_NOW;
	else if (set & TREE_SET_ATIME)
		times[0] = a->atime;
	if (set & TREE_SET_MTIME_NOW)
		times[1].tv_nsec = UTIME_NOW;
	else if (set & TREE_SET_MTIME)
		times[1] = a->mtime;
	return reach_times(r, times);
}

/* Lower or in a file of its own. */
static int is_symlink(const struct node *n, const struct reach *r)
{
	struct stat st;

	return S_ISLNK(n->mode) || (node_is_file(n) && !r->locked && reach_stat(r, &st) == ERR_OK && symlink_is_file(&st));
}

static enum err set_inode(struct node *n, const struct reach *r, const struct tree_attr *a, unsigned set)
{
	enum err e = ERR_OK;

	if (set & (TREE_SET_UID | TREE_SET_GID))
		e = reach_chown(r, set & TREE_SET_UID ? a->uid : (uid_t)-1, set & TREE_SET_GID ? a->gid : (gid_t)-1);
	if (e == ERR_OK && set & TREE_SET_MODE && is_symlink(n, r))
		e = ERR_UNSUPPORTED;
	if (e == ERR_OK && set & (TREE_SET_MODE | TREE_KILL_SUIDGID))
		e = set_mode(n, r, a, set);
	if (e == ERR_OK && set & (TREE_SET_ATIME | TREE_SET_MTIME | TREE_SET_ATIME_NOW | TREE_SET_MTIME_NOW))
		e = set_times(r, a, set);
	return e;
}

/* A file without a name or a handle: the kernel writes the times of what it still caches of it, and cares for no answer but "done". */
static int is_farewell(const struct node *n, unsigned set)
{
	return n->dead && !(set & ~(TREE_SET_ATIME | TREE_SET_MTIME | TREE_SET_ATIME_NOW | TREE_SET_MTIME_NOW));
}

static void last_attributes(const struct node *n, struct stat *out)
{
	*out = (struct stat){ .st_dev = n->dev, .st_ino = n->ino, .st_mode = n->mode };
}

enum err tree_setattr(struct tree *t, struct node *n, struct open_file *f, const struct tree_attr *a, unsigned set, struct stat *out)
{
	struct reach r;
	struct stat lower;
	enum err e = tree_may_change(t);

	if (e != ERR_OK)
		return e;
	names_share(t);
	if (set & TREE_SET_SIZE)
		e = node_is_file(n) ? set_size(t, n, a->size) : ERR_INVALID;
	if (e == ERR_OK)
		e = reach_begin(t, n, &r);
	if (e == ERR_OK) {
		e = set_inode(n, &r, a, set);
		if (e == ERR_OK)
			e = reach_stat(&r, &lower);
		reach_end(t, &r);
	}
	if (e == ERR_OK) {
		node_note(t, n, &lower);
		plain_attributes(t, n, &lower, out);
	} else if (e == ERR_ERRNO + ESTALE && is_farewell(n, set)) {
		last_attributes(n, out);
		e = ERR_OK;
	}
	names_release(t);
	return e;
}

/* --- the rest ---------------------------------------------------------------------------- */

enum err tree_statfs(struct tree *t, struct statvfs *out)
{
	if (fstatvfs(t->b->root_fd, out) != 0)
		return err_errno();
	out->f_namemax = NAME_PLAIN_MAX;
	return ERR_OK;
}

enum err tree_access(struct tree *t, struct node *n, int mask, const struct caller *who)
{
	struct stat st;
	enum err e = tree_getattr(t, n, &st);
	mode_t allowed;

	if (e != ERR_OK || mask == F_OK)
		return e;
	if (who->uid == 0)
		allowed = S_ISDIR(st.st_mode) || st.st_mode & 0111 ? 7 : 6;
	else if (who->uid == st.st_uid)
		allowed = st.st_mode >> 6 & 7;
	else if (who->gid == st.st_gid)
		allowed = st.st_mode >> 3 & 7;
	else
		allowed = st.st_mode & 7;
	return (mode_t)mask & ~allowed ? (enum err)(ERR_ERRNO + EACCES) : ERR_OK;
}
