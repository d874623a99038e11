#include "fs/tree/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/random.h"

enum err tree_may_change(const struct tree *t)
{
	return t->b->mode == BUCKET_READ_ONLY ? (enum err)(ERR_ERRNO + EROFS) : ERR_OK;
}

enum err entry_begin(struct tree *t, struct node *parent, const char *name, struct entry *out)
{
	struct names_key key;
	enum err e;

	out->parent = parent;
	e = dir_pin(t, parent, &out->fd);
	if (e != ERR_OK)
		return e;
	e = dir_names_key(t, parent, &key);
	if (e == ERR_OK) {
		e = names_encrypt(&key, name, strlen(name), &out->lower);
		names_key_wipe(&key);
	}
	if (e != ERR_OK)
		dir_unpin(t, parent);
	return e;
}

void entry_end(struct tree *t, struct entry *e)
{
	dir_unpin(t, e->parent);
}

static void long_name(const struct entry *e, char out[static NAME_LOWER_MAX + sizeof(NAME_SUFFIX)])
{
	snprintf(out, NAME_LOWER_MAX + sizeof(NAME_SUFFIX), "%s%s", e->lower.name, NAME_SUFFIX);
}

enum err entry_write_long(const struct entry *e, int *made_out)
{
	char name[NAME_LOWER_MAX + sizeof(NAME_SUFFIX)];

	*made_out = 0;
	if (!e->lower.is_long)
		return ERR_OK;
	long_name(e, name);
	if (symlinkat(e->lower.text, e->fd, name) != 0)
		return errno == EEXIST ? ERR_OK : err_errno();
	*made_out = 1;
	return ERR_OK;
}

void entry_remove_long(const struct entry *e)
{
	char name[NAME_LOWER_MAX + sizeof(NAME_SUFFIX)];

	if (!e->lower.is_long)
		return;
	long_name(e, name);
	unlinkat(e->fd, name, 0);
}

enum err entry_stat(const struct entry *e, struct stat *out)
{
	return fstatat(e->fd, e->lower.name, out, AT_SYMLINK_NOFOLLOW) == 0 ? ERR_OK : err_errno();
}

enum err entry_node(struct tree *t, const struct entry *e, struct node **out, struct stat *st)
{
	struct stat own;
	enum err r;

	*out = place_find(t, e->parent, e->lower.name);
	if (*out && !st)
		return ERR_OK;
	if (!st)
		st = &own;
	r = entry_stat(e, st);
	if (r == ERR_ERRNO + ENOENT) {
		memset(st, 0, sizeof(*st));
		r = ERR_OK;
	} else if (r == ERR_OK && !*out) {
		*out = node_find(t, st->st_dev, st->st_ino);
	}
	return r;
}

int entry_outlive(const struct entry *e, const struct node *n)
{
	return n && n->large ? openat(e->fd, e->lower.name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
}

void entry_temporary(const char *prefix, char out[static TREE_TEMPORARY_MAX])
{
	uint8_t bytes[8];
	char digits[HEX_LEN(sizeof(bytes)) + 1];

	random_bytes(bytes, sizeof(bytes));
	bytes_to_hex(bytes, sizeof(bytes), digits);
	snprintf(out, TREE_TEMPORARY_MAX, "%s%s", prefix, digits);
}

struct owner entry_owner(const struct tree *t, const struct node *parent, const struct caller *who)
{
	struct owner o = { .uid = who->uid, .gid = who->gid };

	/* Whoever is not root owns what he makes in any case. */
	if (t->uid != 0)
		return o;
	/* The lower filesystem passes the group on by itself. */
	if (parent->mode & S_ISGID)
		o.gid = (gid_t)-1;
	o.change = o.uid != t->uid || (o.gid != t->gid && o.gid != (gid_t)-1);
	return o;
}

mode_t entry_mode(struct tree *t, const struct entry *e, mode_t mode, const struct caller *who)
{
	if (!(mode & who->umask & 0777) || dir_default_acl(t, e->parent, e->fd))
		return mode;
	return mode & ~(who->umask & 0777);
}
