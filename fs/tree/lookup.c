#include "fs/tree/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* `names` is held. */
static enum err lookup(struct tree *t, struct node *parent, const char *name, struct node **out, struct stat *st)
{
	struct entry e;
	struct stat lower;
	enum err r = entry_begin(t, parent, name, &e);

	*out = NULL;
	if (r != ERR_OK)
		return r;
	r = entry_stat(&e, &lower);
	if (r == ERR_OK)
		r = node_get(t, &lower, parent, e.lower.name, 1, 0, out);
	if (r == ERR_OK)
		plain_attributes(t, *out, &lower, st);
	entry_end(t, &e);
	return r;
}

enum err tree_lookup(struct tree *t, struct node *parent, const char *name, struct node **out, struct stat *st)
{
	enum err e;

	names_share(t);
	e = lookup(t, parent, name, out, st);
	names_release(t);
	return e;
}

static enum err next_part(const char **path, char part[static NAME_PLAIN_MAX + 1])
{
	size_t len;

	while (**path == '/')
		(*path)++;
	len = strcspn(*path, "/");
	if (len > NAME_PLAIN_MAX)
		return ERR_TOO_LONG;
	memcpy(part, *path, len);
	part[len] = '\0';
	*path += len;
	return ERR_OK;
}

enum err tree_resolve(struct tree *t, const char *path, struct node **out, struct stat *st)
{
	char part[NAME_PLAIN_MAX + 1];
	struct node *at = t->root, *next;
	enum err e;

	*out = NULL;
	node_add_lookup(t, at);
	names_share(t);
	e = next_part(&path, part);
	while (e == ERR_OK && part[0] != '\0') {
		e = lookup(t, at, part, &next, st);
		if (e == ERR_OK) {
			tree_forget(t, at, 1);
			at = next;
			e = next_part(&path, part);
		}
	}
	names_release(t);
	if (e == ERR_OK && at == t->root)
		e = tree_getattr(t, at, st);
	if (e != ERR_OK)
		tree_forget(t, at, 1);
	else
		*out = at;
	return e;
}

/* --- paths ---------------------------------------------------------------------------- */

/* The plain name of a place. */
static enum err plain_name(struct tree *t, const struct place *p, char out[static NAME_PLAIN_MAX + 1], size_t *len_out)
{
	char name[NAME_LOWER_MAX + sizeof(NAME_SUFFIX)], text[NAME_TEXT_MAX + 1];
	struct names_key key;
	ssize_t len;
	enum err e;
	int fd;

	e = dir_pin(t, p->parent, &fd);
	if (e != ERR_OK)
		return e;
	e = dir_names_key(t, p->parent, &key);
	if (e == ERR_OK) {
		e = names_decrypt(&key, p->lower, strlen(p->lower), out, len_out);
		if (e != ERR_OK) {
			strcpy(stpcpy(name, p->lower), NAME_SUFFIX);
			len = readlinkat(fd, name, text, sizeof(text));
			e = len < 0 ? err_errno() : names_decrypt(&key, text, (size_t)len, out, len_out);
		}
		names_key_wipe(&key);
	}
	dir_unpin(t, p->parent);
	return e;
}

/* "/name" before what `path` has; `path` is taken. */
static char *prepend(char *path, const char *name, size_t len)
{
	size_t old = strlen(path);
	char *longer = malloc(len + old + 2);

	if (longer) {
		memcpy(longer, name, len);
		longer[len] = '/';
		memcpy(longer + len + (old > 0), path, old + 1);
	}
	free(path);
	return longer;
}

char *tree_path(struct tree *t, struct node *n)
{
	char name[NAME_PLAIN_MAX + 1];
	char *path = calloc(1, 1);
	size_t len;

	names_share(t);
	while (path && n != t->root) {
		struct place *p = node_place(t, n);

		if (!p || plain_name(t, p, name, &len) != ERR_OK) {
			free(path);
			path = NULL;
			break;
		}
		path = prepend(path, name, len);
		n = p->parent;
	}
	names_release(t);
	return path;
}

size_t tree_nodes(struct tree *t)
{
	size_t count;

	pthread_mutex_lock(&t->table);
	count = t->node_count;
	pthread_mutex_unlock(&t->table);
	return count;
}
