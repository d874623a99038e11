#include "fs/tree/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/log.h"

/* --- the list of open ones, with its lock held --------------------------------------------- */

static void take_out(struct tree *t, struct node *n)
{
	if (n->dir.newer)
		n->dir.newer->dir.older = n->dir.older;
	else
		t->dir_newest = n->dir.older;
	if (n->dir.older)
		n->dir.older->dir.newer = n->dir.newer;
	else
		t->dir_oldest = n->dir.newer;
	n->dir.newer = n->dir.older = NULL;
	t->dir_count--;
}

static void put_first(struct tree *t, struct node *n)
{
	n->dir.newer = NULL;
	n->dir.older = t->dir_newest;
	if (t->dir_newest)
		t->dir_newest->dir.newer = n;
	else
		t->dir_oldest = n;
	t->dir_newest = n;
	t->dir_count++;
}

/* Down to `most` descriptors; what is pinned, or could not be opened again, stays. */
static void shrink(struct tree *t, unsigned most)
{
	for (struct node *n = t->dir_oldest, *newer; n && t->dir_count > most; n = newer) {
		newer = n->dir.newer;
		if (n->dir.pins || n->dead)
			continue;
		take_out(t, n);
		close(n->dir.fd);
		n->dir.fd = -1;
	}
}

/* --- pins -------------------------------------------------------------------------------------- */

int dir_pin_open(struct tree *t, struct node *n, int *fd_out)
{
	int open;

	if (n == t->root) {
		*fd_out = t->b->root_fd;
		return 1;
	}
	pthread_mutex_lock(&t->dirs);
	open = n->dir.fd >= 0;
	if (open) {
		n->dir.pins++;
		*fd_out = n->dir.fd;
		if (t->dir_newest != n) {
			take_out(t, n);
			put_first(t, n);
		}
	}
	pthread_mutex_unlock(&t->dirs);
	return open;
}

void dir_unpin(struct tree *t, struct node *n)
{
	if (n == t->root)
		return;
	pthread_mutex_lock(&t->dirs);
	n->dir.pins--;
	if (t->dir_count > t->dir_max)
		shrink(t, t->dir_max);
	pthread_mutex_unlock(&t->dirs);
}

void dir_adopt(struct tree *t, struct node *n, int fd)
{
	pthread_mutex_lock(&t->dirs);
	if (n->dir.fd < 0) {
		n->dir.fd = fd;
		fd = -1;
		put_first(t, n);
		shrink(t, t->dir_max);
	}
	pthread_mutex_unlock(&t->dirs);
	if (fd >= 0)
		close(fd);
}

void dir_close(struct tree *t, struct node *n)
{
	if (n == t->root)
		return;
	pthread_mutex_lock(&t->dirs);
	if (n->dir.fd >= 0) {
		take_out(t, n);
		close(n->dir.fd);
		n->dir.fd = -1;
	}
	pthread_mutex_unlock(&t->dirs);
}

void dir_close_idle(struct tree *t)
{
	pthread_mutex_lock(&t->dirs);
	shrink(t, 0);
	pthread_mutex_unlock(&t->dirs);
}

/* Opens `n` below its parent, whose descriptor is pinned. */
static enum err open_below(struct tree *t, struct node *n, const struct place *p, int parent_fd)
{
	int fd = openat(parent_fd, p->lower, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		file_close_lingering(t, 0);
		dir_close_idle(t);
		fd = openat(parent_fd, p->lower, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return err_errno();
	if (fstat(fd, &st) != 0 || st.st_ino != n->ino || st.st_dev != n->dev) {
		close(fd);
		return ERR_ERRNO + ESTALE;
	}
	dir_adopt(t, n, fd);
	return ERR_OK;
}

enum err dir_pin(struct tree *t, struct node *n, int *fd_out)
{
	*fd_out = -1;
	if (!node_is_directory(n))
		return ERR_ERRNO + ENOTDIR;
	/* From the nearest ancestor that is open down to `n`, one at a time: a path may be of any depth. */
	while (!dir_pin_open(t, n, fd_out)) {
		struct node *at = n;
		struct place *p = node_place(t, at);
		enum err e;
		int fd;

		while (p && !dir_pin_open(t, p->parent, &fd)) {
			at = p->parent;
			p = node_place(t, at);
		}
		if (!p)
			return ERR_ERRNO + ESTALE;
		e = open_below(t, at, p, fd);
		dir_unpin(t, p->parent);
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

/* --- what a directory's header says ------------------------------------------------------------- */

void dir_set_id(struct node *n, const uint8_t id[static UUID_LEN])
{
	pthread_mutex_lock(&n->lock);
	if (!n->dir.has_id) {
		memcpy(n->dir.id, id, UUID_LEN);
		n->dir.has_id = 1;
	}
	pthread_mutex_unlock(&n->lock);
}

enum err dir_id(struct tree *t, struct node *n, uint8_t out[static UUID_LEN])
{
	char text[DIR_HEADER_TEXT + 1];
	uint8_t id[UUID_LEN];
	size_t len;
	enum err e;
	int fd;

	if (!node_is_directory(n))
		return ERR_ERRNO + ENOTDIR;
	if (!n->dir.has_id) {
		e = dir_pin(t, n, &fd);
		if (e != ERR_OK)
			return e;
		e = dir_header_read(fd, text, &len);
		dir_unpin(t, n);
		if (e == ERR_OK)
			e = dir_header_check(t->b->names_key->bytes, t->b->description.id, text, len, id);
		if (e == ERR_NOT_FOUND)
			e = ERR_FORMAT;
		if (e != ERR_OK) {
			log_error("directory with inode %llu has no valid header: %s", (unsigned long long)n->ino, err_text(e));
			return e;
		}
		dir_set_id(n, id);
	}
	memcpy(out, n->dir.id, UUID_LEN);
	return ERR_OK;
}

enum err dir_names_key(struct tree *t, struct node *n, struct names_key *out)
{
	uint8_t id[UUID_LEN];
	enum err e = dir_id(t, n, id);

	if (e == ERR_OK)
		names_key_make(t->b->names_key->bytes, id, out);
	return e;
}

int dir_default_acl(struct tree *t, struct node *n, int fd)
{
	int known = n->dir.default_acl;
	char path[32];

	if (known >= 0)
		return known;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	known = getxattr(path, "system.posix_acl_default", NULL, 0) > 0;
	n->dir.default_acl = known;
	return known;
}

enum err tree_dir_id(struct tree *t, struct node *dir, uint8_t out[static UUID_LEN])
{
	enum err e;

	names_share(t);
	e = dir_id(t, dir, out);
	names_release(t);
	return e;
}
