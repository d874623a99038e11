#include "fs/tree/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/log.h"

/* A descriptor that is open already. */
static int by_descriptor(struct tree *t, struct node *n, struct reach *r)
{
	if (node_is_directory(n)) {
		if (!dir_pin_open(t, n, &r->fd))
			return 0;
		r->pinned = n;
		return 1;
	}
	if (!node_is_file(n)) {
		r->fd = n->dead ? n->other.fd : -1;
		return r->fd >= 0;
	}
	/* The lock keeps the content, and with it the descriptor, from being closed. */
	pthread_mutex_lock(&n->lock);
	if (!n->file.content) {
		pthread_mutex_unlock(&n->lock);
		return 0;
	}
	r->locked = 1;
	r->fd = n->file.fd;
	return 1;
}

enum err reach_begin(struct tree *t, struct node *n, struct reach *r)
{
	struct place *p;
	enum err e;

	*r = (struct reach){ .node = n, .fd = -1, .dir_fd = -1 };
	if (by_descriptor(t, n, r)) {
		snprintf(r->path, sizeof(r->path), "/proc/self/fd/%d", r->fd);
		return ERR_OK;
	}
	p = node_place(t, n);
	if (!p)
		return ERR_ERRNO + ESTALE;
	e = dir_pin(t, p->parent, &r->dir_fd);
	if (e != ERR_OK)
		return e;
	r->pinned = p->parent;
	r->name = p->lower;
	snprintf(r->path, sizeof(r->path), "/proc/self/fd/%d/%s", r->dir_fd, r->name);
	return ERR_OK;
}

void reach_end(struct tree *t, struct reach *r)
{
	if (r->locked)
		pthread_mutex_unlock(&r->node->lock);
	if (r->pinned)
		dir_unpin(t, r->pinned);
}

static enum err result(int r)
{
	return r == 0 ? ERR_OK : err_errno();
}

enum err reach_stat(const struct reach *r, struct stat *out)
{
	return result(r->fd >= 0 ? fstat(r->fd, out) : fstatat(r->dir_fd, r->name, out, AT_SYMLINK_NOFOLLOW));
}

enum err reach_chown(const struct reach *r, uid_t uid, gid_t gid)
{
	if (r->fd >= 0)
		return result(fchownat(r->fd, "", uid, gid, AT_EMPTY_PATH));
	return result(fchownat(r->dir_fd, r->name, uid, gid, AT_SYMLINK_NOFOLLOW));
}

enum err reach_chmod(const struct reach *r, mode_t mode)
{
	if (r->locked)
		return result(fchmod(r->fd, mode));
	if (r->fd >= 0)		/* O_PATH: through the link in /proc */
		return result(chmod(r->path, mode));
	return result(fchmodat(r->dir_fd, r->name, mode, AT_SYMLINK_NOFOLLOW));
}

enum err reach_times(const struct reach *r, const struct timespec times[static 2])
{
	if (r->fd >= 0)
		return result(utimensat(r->fd, "", times, AT_EMPTY_PATH));
	return result(utimensat(r->dir_fd, r->name, times, AT_SYMLINK_NOFOLLOW));
}

/* A path that ends in a descriptor's link must be followed, one that ends in a name must not. */

ssize_t reach_getxattr(const struct reach *r, const char *name, void *out, size_t max)
{
	return r->fd >= 0 ? getxattr(r->path, name, out, max) : lgetxattr(r->path, name, out, max);
}

ssize_t reach_listxattr(const struct reach *r, char *out, size_t max)
{
	return r->fd >= 0 ? listxattr(r->path, out, max) : llistxattr(r->path, out, max);
}

int reach_setxattr(const struct reach *r, const char *name, const void *value, size_t len, int flags)
{
	return r->fd >= 0 ? setxattr(r->path, name, value, len, flags) : lsetxattr(r->path, name, value, len, flags);
}

int reach_removexattr(const struct reach *r, const char *name)
{
	return r->fd >= 0 ? removexattr(r->path, name) : lremovexattr(r->path, name);
}

enum err reach_open(struct tree *t, struct node *n, int flags, int *fd_out, struct stat *st)
{
	struct place *p = node_place(t, n);
	const char *name = p ? p->lower : ".";
	struct node *dir = p ? p->parent : n;
	enum err e;
	int dir_fd, fd;

	*fd_out = -1;
	if (!p && !node_is_directory(n))
		return ERR_ERRNO + ESTALE;
	e = dir_pin(t, dir, &dir_fd);
	if (e != ERR_OK)
		return e;
	flags |= O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	fd = openat(dir_fd, name, flags);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		file_close_lingering(t, 0);
		dir_close_idle(t);
		fd = openat(dir_fd, name, flags);
	}
	e = fd < 0 ? err_errno() : ERR_OK;
	dir_unpin(t, dir);
	if (e == ERR_OK && fstat(fd, st) != 0)
		e = err_errno();
	if (e == ERR_OK && (st->st_ino != n->ino || st->st_dev != n->dev || (st->st_mode & S_IFMT) != (n->mode & S_IFMT)))
		e = ERR_ERRNO + ESTALE;
	if (e == ERR_OK)
		*fd_out = fd;
	else if (fd >= 0)
		close(fd);
	return e;
}

enum err lower_open_lent(struct tree *t, int dir_fd, const char *name, int flags, int *fd_out)
{
	int path_fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	enum err e = ERR_ERRNO + EACCES;
	char path[32];
	struct stat st;

	*fd_out = -1;
	if (path_fd < 0)
		return err_errno();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	if (fstat(path_fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != t->uid || chmod(path, (st.st_mode & 07777) | 0600) != 0)
		goto out;
	*fd_out = openat(dir_fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	e = *fd_out < 0 ? err_errno() : ERR_OK;
	if (chmod(path, st.st_mode & 07777) != 0)
		log_warning("the mode of the lower file with inode %llu could not be put back", (unsigned long long)st.st_ino);
out:
	close(path_fd);
	return e;
}
