#include "fs/check/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fs/check/id_set.h"
#include "fs/names/names.h"
#include "fs/names/symlink.h"
#include "fs/walker/job.h"

#define OPEN_DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* A directory under way: all its names are in memory, so that its descriptor can be closed and opened again. */
struct level {
	int fd;			/* -1: closed for now */
	dev_t dev;
	ino_t ino;
	char *names;		/* each ends in NUL */
	size_t len, room, at;
	size_t path_len;
	int reserved;
	struct policy policy;
};

struct walk {
	const struct walk_start *start;
	walk_fn each;
	void *context;
	struct level *levels;
	size_t depth, room;	/* levels in use: depth */
	char *path;
	size_t path_room;
	struct id_set links;	/* of files with several names */
};

static struct level *top(struct walk *w)
{
	return &w->levels[w->depth - 1];
}

static enum err add_name(struct level *l, const char *name)
{
	size_t len = strlen(name) + 1;

	if (l->len + len > l->room) {
		size_t room = l->room ? 2 * l->room : 4096;
		char *wider = realloc(l->names, room);

		if (!wider)
			return ERR_NO_MEMORY;
		l->names = wider;
		l->room = room;
	}
	memcpy(l->names + l->len, name, len);
	l->len += len;
	return ERR_OK;
}

static enum err read_names(struct level *l)
{
	int fd = openat(l->fd, ".", OPEN_DIRECTORY);
	enum err e = ERR_OK;
	struct dirent *d;
	DIR *dir;

	dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		e = err_errno();
		if (fd >= 0)
			close(fd);
		return e;
	}
	for (errno = 0; e == ERR_OK && (d = readdir(dir)); errno = 0)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			e = add_name(l, d->d_name);
	if (e == ERR_OK && errno)
		e = err_errno();
	closedir(dir);
	return e;
}

/* The path of the directory under way, with `name` behind it. */
static enum err set_path(struct walk *w, size_t dir_len, const char *name)
{
	size_t need = dir_len + strlen(name) + 2;

	if (need > w->path_room) {
		char *wider = realloc(w->path, 2 * need);

		if (!wider)
			return ERR_NO_MEMORY;
		w->path = wider;
		w->path_room = 2 * need;
	}
	if (dir_len)
		w->path[dir_len++] = '/';
	strcpy(w->path + dir_len, name);
	return ERR_OK;
}

static enum err show_unreadable(struct walk *w, int dir_fd, const char *name, enum err why)
{
	struct walk_entry entry = { .kind = WALK_UNREADABLE, .dir_fd = dir_fd, .name = name, .path = w->path, .error = why };

	return w->each(w->context, &entry);
}

/* The outermost directory that is still open is closed when there are too many. */
static void bound_open(struct walk *w)
{
	if (w->depth > WALK_OPEN_LEVELS) {
		struct level *l = &w->levels[w->depth - 1 - WALK_OPEN_LEVELS];

		if (l->fd >= 0)
			close(l->fd);
		l->fd = -1;
	}
}

static void drop_level(struct walk *w)
{
	struct level *l = top(w);

	if (l->fd >= 0)
		close(l->fd);
	free(l->names);
	w->depth--;
}

/* Takes `fd`, also on failure.  A directory that cannot be listed is shown as such, and is no failure of the walk. */
static enum err push_level(struct walk *w, int fd, size_t path_len, int reserved)
{
	struct level *l;
	struct stat st;
	enum err e;

	if (w->depth == w->room) {
		size_t room = w->room ? 2 * w->room : 16;
		struct level *wider = realloc(w->levels, room * sizeof(*wider));

		if (!wider) {
			close(fd);
			return ERR_NO_MEMORY;
		}
		w->levels = wider;
		w->room = room;
	}
	l = &w->levels[w->depth++];
	memset(l, 0, sizeof(*l));
	l->fd = fd;
	l->path_len = path_len;
	l->reserved = reserved;
	if (w->start->bucket) {
		if (w->depth > 1)
			walk_policy(w->start->bucket, fd, &w->levels[w->depth - 2].policy, &l->policy);
		else if (w->start->governing)
			l->policy = *w->start->governing;
	}
	e = fstat(fd, &st) == 0 ? read_names(l) : err_errno();
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	if (e != ERR_OK) {
		drop_level(w);
		return e == ERR_NO_MEMORY ? e : show_unreadable(w, -1, "", e);
	}
	bound_open(w);
	return ERR_OK;
}

/* Back in a directory that was closed meanwhile: it is the parent of the one just left, unless that was moved. */
static enum err pop_level(struct walk *w)
{
	struct level *above = w->depth > 1 ? &w->levels[w->depth - 2] : NULL;
	enum err e = ERR_OK;
	struct stat st;

	if (above && above->fd < 0) {
		above->fd = openat(top(w)->fd, "..", OPEN_DIRECTORY);
		if (above->fd < 0)
			e = err_errno();
		else if (fstat(above->fd, &st) != 0 || st.st_dev != above->dev || st.st_ino != above->ino)
			e = ERR_BUSY;
	}
	drop_level(w);
	if (e == ERR_OK)
		return ERR_OK;
	/* What is left of it cannot be seen in this walk; nor what lies above it, since its own parent is no longer known. */
	while (w->depth)
		drop_level(w);
	w->path[0] = 0;
	return show_unreadable(w, -1, "", err_set(e, "a directory was moved while it was walked"));
}

static enum walk_kind kind_of(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFDIR:
		return WALK_DIRECTORY;
	case S_IFREG:
		return symlink_is_file(st) ? WALK_LINK : WALK_FILE;
	case S_IFLNK:
		return WALK_LINK;
	default:
		return WALK_OTHER;
	}
}

static enum err descend(struct walk *w, const char *name, int reserved)
{
	int fd = openat(top(w)->fd, name, OPEN_DIRECTORY);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? ERR_OK : show_unreadable(w, top(w)->fd, name, err_errno());
	return push_level(w, fd, strlen(w->path), reserved);
}

static enum err show(struct walk *w, const char *name)
{
	struct level *l = top(w);
	struct walk_entry entry = { .dir_fd = l->fd, .name = name, .policy = w->start->bucket ? &l->policy : NULL };
	int kind = names_is_reserved(name);
	enum err e = set_path(w, l->path_len, name);

	entry.path = w->path;
	entry.reserved = l->reserved || kind;
	if (e != ERR_OK)
		return e;
	if (fstatat(l->fd, name, &entry.st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? ERR_OK : show_unreadable(w, l->fd, name, err_errno());
	entry.kind = kind_of(&entry.st);
	if (entry.kind == WALK_FILE && entry.st.st_nlink > 1)
		e = id_set_add_inode(&w->links, &entry.st, &entry.again);
	if (e == ERR_OK)
		e = w->each(w->context, &entry);
	if (e == ERR_OK && entry.kind == WALK_DIRECTORY && !(w->depth == 1 && !l->path_len && strcmp(name, JOBS_DIRECTORY) == 0))
		e = descend(w, name, entry.reserved);
	return e;
}

enum err walk_tree(const struct walk_start *start, walk_fn each, void *context)
{
	struct walk w = { .start = start, .each = each, .context = context };
	int fd = openat(start->dir_fd, ".", OPEN_DIRECTORY);
	enum err e = set_path(&w, 0, start->path);

	if (fd < 0 && e == ERR_OK)
		e = show_unreadable(&w, start->dir_fd, ".", err_errno());
	else if (e == ERR_OK)
		e = push_level(&w, fd, strlen(start->path), 0);
	else if (fd >= 0)
		close(fd);
	while (e == ERR_OK && w.depth) {
		struct level *l = top(&w);

		if (l->at == l->len) {
			e = pop_level(&w);
			continue;
		}
		const char *name = l->names + l->at;

		l->at += strlen(name) + 1;
		e = show(&w, name);
	}
	while (w.depth)
		drop_level(&w);
	id_set_release(&w.links);
	free(w.levels);
	free(w.path);
	return e;
}

enum err walk_file(const struct walk_start *start, const char *name, walk_fn each, void *context)
{
	struct walk w = { .start = start, .each = each, .context = context };
	struct walk_entry entry = { .dir_fd = start->dir_fd, .name = name, .policy = start->governing };
	enum err e = set_path(&w, 0, start->path);

	if (e == ERR_OK)
		e = set_path(&w, strlen(start->path), name);
	entry.path = w.path;
	if (e == ERR_OK && fstatat(start->dir_fd, name, &entry.st, AT_SYMLINK_NOFOLLOW) != 0)
		e = err_errno();
	entry.kind = kind_of(&entry.st);
	if (e == ERR_OK)
		e = each(context, &entry);
	free(w.path);
	return e;
}

void walk_policy(struct bucket *b, int dir_fd, const struct policy *above, struct policy *out)
{
	char text[DIR_HEADER_TEXT + 1];
	uint8_t id[UUID_LEN];
	struct policy own;
	size_t len;

	if (above) {
		*out = *above;
	} else {
		policy_root_id(b->policies, id);
		if (policy_get(b->policies, id, out) != ERR_OK)
			memset(out, 0, sizeof(*out));
	}
	if (policy_only_root(b->policies))
		return;
	if (dir_header_read(dir_fd, text, &len) == ERR_OK &&
	    dir_header_check(b->names_key->bytes, b->description.id, text, len, id) == ERR_OK &&
	    policy_get(b->policies, id, &own) == ERR_OK)
		*out = own;
}
