#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "fs/names/symlink.h"
#include "fs/tree/node.h"

#define BUFFER_LEN 32768

struct open_dir {
	struct node *node;
	int fd;
	pthread_mutex_t lock;		/* guards all below */
	size_t at, len;			/* the next entry in the buffer, and the buffer's end */
	uint64_t offset;		/* of the next entry */
	int complained;			/* one log line a handle */
	_Alignas(struct dirent64) char buffer[BUFFER_LEN];
};

static enum err open_lower(struct tree *t, struct node *n, int *fd_out)
{
	enum err e;
	int fd;

	e = dir_pin(t, n, &fd);
	if (e != ERR_OK)
		return e;
	*fd_out = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd_out < 0 && (errno == EMFILE || errno == ENFILE)) {
		file_close_lingering(t, 0);
		*fd_out = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (*fd_out < 0)
		e = err_errno();
	dir_unpin(t, n);
	return e;
}

enum err tree_opendir(struct tree *t, struct node *n, struct open_dir **out)
{
	struct open_dir *d = malloc(sizeof(*d));
	enum err e;

	*out = NULL;
	if (!d)
		return ERR_NO_MEMORY;
	d->at = d->len = 0;
	d->offset = 0;
	d->complained = 0;
	names_share(t);
	e = open_lower(t, n, &d->fd);
	names_release(t);
	if (e != ERR_OK) {
		free(d);
		return e;
	}
	pthread_mutex_init(&d->lock, NULL);
	d->node = n;
	node_ref(t, n);
	*out = d;
	return ERR_OK;
}

void tree_releasedir(struct tree *t, struct open_dir *d)
{
	if (!d)
		return;
	close(d->fd);
	pthread_mutex_destroy(&d->lock);
	node_unref(t, d->node);
	free(d);
}

/* --- one entry ------------------------------------------------------------------------------ */

/* The plain name of a lower entry; 0 where there is none to show. */
static int plain_name(struct open_dir *d, const struct names_key *key, const char *lower, char out[static NAME_PLAIN_MAX + 1])
{
	char name[NAME_LOWER_MAX + sizeof(NAME_SUFFIX)], text[NAME_TEXT_MAX + 1];
	ssize_t got;
	size_t len;
	enum err e = names_decrypt(key, lower, strlen(lower), out, &len);

	if (e != ERR_OK) {
		strcpy(stpcpy(name, lower), NAME_SUFFIX);
		got = readlinkat(d->fd, name, text, sizeof(text));
		if (got > 0 && (size_t)got < sizeof(text)) {
			text[got] = '\0';
			if (names_long_matches(key, lower, text))
				e = names_decrypt(key, text, (size_t)got, out, &len);
		}
	}
	if (e != ERR_OK && !d->complained) {
		log_warning("the directory with inode %llu has entries that are not of this bucket (%s); they are not shown",
			    (unsigned long long)d->node->ino, lower);
		d->complained = 1;
	}
	return e == ERR_OK;
}

/* Only inode and type; where a regular file may be a long symlink, its size has to tell. */
static int brief(struct open_dir *d, const struct dirent64 *entry, struct stat *st)
{
	struct stat lower;

	memset(st, 0, sizeof(*st));
	st->st_ino = entry->d_ino;
	st->st_mode = DTTOIF(entry->d_type);
	if (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN)
		return 1;
	if (fstatat(d->fd, entry->d_name, &lower, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	st->st_mode = symlink_is_file(&lower) ? S_IFLNK : lower.st_mode & S_IFMT;
	return 1;
}

static int dots(struct tree *t, struct open_dir *d, const struct dirent64 *entry, tree_entry_fn each, void *context)
{
	struct stat st = { .st_ino = entry->d_ino, .st_mode = S_IFDIR };

	if (d->node == t->root)		/* the bucket's own parent is nobody's business */
		st.st_ino = d->node->ino;
	return each(context, entry->d_name, &st, NULL, (uint64_t)entry->d_off);
}

struct listing { struct tree *tree; struct open_dir *dir; const struct names_key *key; int full; tree_entry_fn each; void *context; };

/* Non-zero: the entry was refused. */
static int show(const struct listing *l, const struct dirent64 *entry, enum err *e_out)
{
	char name[NAME_PLAIN_MAX + 1];
	struct stat lower, st;
	struct node *n = NULL;
	int refused;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return dots(l->tree, l->dir, entry, l->each, l->context);
	if (names_is_reserved(entry->d_name) || !plain_name(l->dir, l->key, entry->d_name, name))
		return 0;
	if (!l->full)
		return brief(l->dir, entry, &st) ? l->each(l->context, name, &st, NULL, (uint64_t)entry->d_off) : 0;
	if (fstatat(l->dir->fd, entry->d_name, &lower, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;	/* gone since the directory was read */
	*e_out = node_get(l->tree, &lower, l->dir->node, entry->d_name, 1, 0, &n);
	if (*e_out != ERR_OK)
		return 1;
	plain_attributes(l->tree, n, &lower, &st);
	refused = l->each(l->context, name, &st, n, (uint64_t)entry->d_off);
	if (refused)
		tree_forget(l->tree, n, 1);
	return refused;
}

/* --- all of them -------------------------------------------------------------------------------- */

static enum err fill(struct open_dir *d)
{
	ssize_t len = getdents64(d->fd, d->buffer, sizeof(d->buffer));

	d->at = 0;
	d->len = len > 0 ? (size_t)len : 0;
	return len < 0 ? err_errno() : ERR_OK;
}

static enum err seek_to(struct open_dir *d, uint64_t offset)
{
	/* From the start the directory is read anew, as rewinddir(3) asks. */
	if (offset == d->offset && offset != 0)
		return ERR_OK;
	d->at = d->len = 0;
	d->offset = offset;
	return lseek(d->fd, (off_t)offset, SEEK_SET) < 0 ? err_errno() : ERR_OK;
}

static enum err list(const struct listing *l)
{
	struct open_dir *d = l->dir;
	enum err e = ERR_OK;

	for (;;) {
		const struct dirent64 *entry;

		if (d->at == d->len) {
			e = fill(d);
			if (e != ERR_OK || d->len == 0)
				return e;
		}
		entry = (const struct dirent64 *)(const void *)(d->buffer + d->at);
		if (show(l, entry, &e))
			return e;
		d->at += entry->d_reclen;
		d->offset = (uint64_t)entry->d_off;
	}
}

enum err tree_readdir(struct tree *t, struct open_dir *d, uint64_t offset, int full, tree_entry_fn each, void *context)
{
	struct names_key key;
	struct listing l = { t, d, &key, full, each, context };
	enum err e;

	names_share(t);
	pthread_mutex_lock(&d->lock);
	/* A removed directory has no entries, and may have lost its header. */
	e = d->node->dead ? ERR_OK : dir_names_key(t, d->node, &key);
	if (e == ERR_OK && !d->node->dead) {
		e = seek_to(d, offset);
		if (e == ERR_OK)
			e = list(&l);
		names_key_wipe(&key);
	}
	pthread_mutex_unlock(&d->lock);
	names_release(t);
	return e;
}

enum err tree_fsyncdir(struct tree *t, struct node *n)
{
	enum err e;
	int fd;

	names_share(t);
	e = open_lower(t, n, &fd);
	names_release(t);
	/* A directory that may not be read can still be made durable with all the rest. */
	if (e == ERR_ERRNO + EACCES)
		return syncfs(t->b->root_fd) == 0 ? ERR_OK : err_errno();
	if (e != ERR_OK)
		return e;
	if (fsync(fd) != 0)
		e = err_errno();
	close(fd);
	return e;
}
