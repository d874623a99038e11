#include "fs/tree/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file_io.h"
#include "fs/names/symlink.h"

#define CREATE_FLAGS (O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

/* Something was made at the entry: its node, counted, and its attributes. */
static enum err found(struct tree *t, const struct entry *e, const struct stat *lower, struct node **out, struct stat *st)
{
	enum err r = node_get(t, lower, e->parent, e->lower.name, 1, 0, out);

	if (r == ERR_OK && st)
		plain_attributes(t, *out, lower, st);
	return r;
}

static enum err give_to(int fd, const struct owner *o, mode_t mode)
{
	if (!o->change)
		return ERR_OK;
	if (fchown(fd, o->uid, o->gid) != 0)
		return err_errno();
	/* A change of owner takes these away, from root too. */
	if (mode & (S_ISUID | S_ISGID) && fchmod(fd, mode & 07777) != 0)
		return err_errno();
	return ERR_OK;
}

/* A new lower file: open, with its owner. */
static enum err make_lower(struct tree *t, const struct entry *e, const char *name, mode_t mode, const struct caller *who, int *fd_out, struct stat *lower)
{
	struct owner owner = entry_owner(t, e->parent, who);
	enum err r;
	int fd;

	mode = entry_mode(t, e, mode & 07777, who);
	fd = openat(e->fd, name, CREATE_FLAGS, mode);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		file_close_lingering(t, 0);
		dir_close_idle(t);
		fd = openat(e->fd, name, CREATE_FLAGS, mode);
	}
	if (fd < 0)
		return err_errno();
	r = give_to(fd, &owner, mode);
	if (r == ERR_OK && fstat(fd, lower) != 0)
		r = err_errno();
	if (r != ERR_OK) {
		close(fd);
		unlinkat(e->fd, name, 0);
		return r;
	}
	*fd_out = fd;
	return ERR_OK;
}

/* Take back a file that could not get its content; a node may stand for it already. */
static void unmake(struct tree *t, const struct entry *e, struct node *n)
{
	unlinkat(e->fd, e->lower.name, 0);
	node_bury(t, n);
	tree_forget(t, n, 1);
}

/* `names` and `making` are held. */
static enum err make_file(struct tree *t, struct entry *e, mode_t mode, const struct caller *who, const uint8_t key[static KEY_ID_LEN],
			  struct node **out, struct stat *st, struct open_file **file)
{
	struct stat lower;
	int fd;
	enum err r = make_lower(t, e, e->lower.name, mode, who, &fd, &lower);

	if (r != ERR_OK)
		return r;
	r = found(t, e, &lower, out, NULL);
	if (r != ERR_OK) {
		close(fd);
		unlinkat(e->fd, e->lower.name, 0);
		return r;
	}
	r = open_file_start(t, *out, fd, key, file);
	if (r != ERR_OK) {
		unmake(t, e, *out);
		*out = NULL;
		return r;
	}
	plain_attributes(t, *out, &lower, st);
	return ERR_OK;
}

/* `names` is held. */
static enum err create(struct tree *t, struct entry *e, mode_t mode, const struct caller *who, struct node **out, struct stat *st, struct open_file **file)
{
	uint8_t key[KEY_ID_LEN];
	int ignored;
	enum err r = policy_key_of(t, e->parent, key);

	if (r == ERR_OK)
		r = entry_write_long(e, &ignored);
	if (r != ERR_OK)
		return r;
	making_begin(t);
	r = make_file(t, e, mode, who, key, out, st, file);
	making_end(t);
	return r;
}

enum err tree_create(struct tree *t, struct node *parent, const char *name, mode_t mode, int flags, const struct caller *who,
		     struct node **out, struct stat *st, struct open_file **file)
{
	struct entry e;
	enum err r = tree_may_change(t);

	*out = NULL;
	*file = NULL;
	if (r != ERR_OK)
		return r;
	names_share(t);
	r = entry_begin(t, parent, name, &e);
	if (r == ERR_OK) {
		r = create(t, &e, mode, who, out, st, file);
		entry_end(t, &e);
	}
	names_release(t);
	if (r != ERR_ERRNO + EEXIST || flags & O_EXCL)
		return r;
	/* It came between: open(2) without O_EXCL takes what is there. */
	r = tree_lookup(t, parent, name, out, st);
	if (r != ERR_OK)
		return r;
	r = tree_open(t, *out, flags, who, file);
	if (r != ERR_OK) {
		tree_forget(t, *out, 1);
		*out = NULL;
	}
	return r;
}

/* --- special files ------------------------------------------------------------------------- */

static enum err make_special(struct tree *t, struct entry *e, mode_t mode, dev_t dev, const struct caller *who, struct stat *lower)
{
	struct owner owner = entry_owner(t, e->parent, who);
	enum err r;
	int ignored;

	mode = entry_mode(t, e, mode, who);
	r = entry_write_long(e, &ignored);
	if (r != ERR_OK)
		return r;
	if (mknodat(e->fd, e->lower.name, mode, dev) != 0)
		return err_errno();
	if (owner.change && fchownat(e->fd, e->lower.name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0)
		r = err_errno();
	else if (owner.change && mode & (S_ISUID | S_ISGID) && fchmodat(e->fd, e->lower.name, mode & 07777, AT_SYMLINK_NOFOLLOW) != 0)
		r = err_errno();
	if (r == ERR_OK)
		r = entry_stat(e, lower);
	if (r != ERR_OK)
		unlinkat(e->fd, e->lower.name, 0);
	return r;
}

enum err tree_mknod(struct tree *t, struct node *parent, const char *name, mode_t mode, dev_t dev, const struct caller *who, struct node **out, struct stat *st)
{
	struct open_file *file;
	struct stat lower;
	struct entry e;
	enum err r = tree_may_change(t);

	*out = NULL;
	if (r != ERR_OK)
		return r;
	if (S_ISREG(mode) || (mode & S_IFMT) == 0) {
		r = tree_create(t, parent, name, mode, O_RDWR | O_EXCL, who, out, st, &file);
		if (r == ERR_OK)
			r = tree_release(t, file);
		if (r != ERR_OK && *out) {
			tree_forget(t, *out, 1);
			*out = NULL;
		}
		return r;
	}
	if (S_ISDIR(mode) || S_ISLNK(mode))
		return ERR_INVALID;
	names_share(t);
	r = entry_begin(t, parent, name, &e);
	if (r == ERR_OK) {
		r = make_special(t, &e, mode, dev, who, &lower);
		if (r == ERR_OK)
			r = found(t, &e, &lower, out, st);
		entry_end(t, &e);
	}
	names_release(t);
	return r;
}

/* --- symbolic links ------------------------------------------------------------------------------ */

static enum err short_symlink(struct tree *t, struct entry *e, const char *text, const struct caller *who, struct stat *lower)
{
	struct owner owner = entry_owner(t, e->parent, who);
	enum err r = ERR_OK;

	if (symlinkat(text, e->fd, e->lower.name) != 0)
		return err_errno();
	if (owner.change && fchownat(e->fd, e->lower.name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0)
		r = err_errno();
	if (r == ERR_OK)
		r = entry_stat(e, lower);
	if (r != ERR_OK)
		unlinkat(e->fd, e->lower.name, 0);
	return r;
}

/* In a regular file; whole from the moment that it has its name. */
static enum err long_symlink(struct tree *t, struct entry *e, const uint8_t *sealed, size_t len, const struct caller *who, struct stat *lower)
{
	char temporary[TREE_TEMPORARY_MAX];
	enum err r;
	int fd;

	entry_temporary(TREE_TEMPORARY, temporary);
	r = make_lower(t, e, temporary, 0600, who, &fd, lower);
	if (r != ERR_OK)
		return r;
	r = file_write(fd, sealed, len, 0);
	if (r == ERR_OK && fstat(fd, lower) != 0)
		r = err_errno();
	close(fd);
	if (r == ERR_OK && renameat2(e->fd, temporary, e->fd, e->lower.name, RENAME_NOREPLACE) != 0)
		r = err_errno();
	if (r != ERR_OK)
		unlinkat(e->fd, temporary, 0);
	return r;
}

enum err tree_symlink(struct tree *t, struct node *parent, const char *name, const char *target, const struct caller *who, struct node **out, struct stat *st)
{
	uint8_t sealed[SYMLINK_SEALED_MAX + 1];
	struct stat lower;
	struct entry e;
	size_t len;
	int is_file, ignored;
	enum err r = tree_may_change(t);

	*out = NULL;
	if (r == ERR_OK)
		r = symlink_seal(t->b->names_key->bytes, t->b->description.id, target, strlen(target), sealed, &len, &is_file);
	if (r != ERR_OK)
		return r;
	names_share(t);
	r = entry_begin(t, parent, name, &e);
	if (r != ERR_OK)
		goto out;
	r = entry_write_long(&e, &ignored);
	if (r == ERR_OK && is_file)
		r = long_symlink(t, &e, sealed, len, who, &lower);
	else if (r == ERR_OK)
		r = short_symlink(t, &e, (const char *)sealed, who, &lower);
	if (r == ERR_OK)
		r = found(t, &e, &lower, out, st);
	entry_end(t, &e);
out:
	names_release(t);
	return r;
}

/* `names` is held. */
static enum err read_sealed(struct tree *t, struct node *n, uint8_t sealed[static SYMLINK_SEALED_MAX + 1], size_t *len_out, int *is_file_out)
{
	struct stat st;
	struct reach r;
	ssize_t len;
	enum err e;
	int fd;

	*is_file_out = node_is_file(n);
	if (*is_file_out) {
		e = reach_open(t, n, O_RDONLY, &fd, &st);
		if (e != ERR_OK)
			return e;
		e = symlink_is_file(&st) ? file_read(fd, sealed, SYMLINK_SEALED_MAX + 1, 0, len_out) : ERR_INVALID;
		close(fd);
		return e;
	}
	if (!S_ISLNK(n->mode))
		return ERR_INVALID;
	e = reach_begin(t, n, &r);
	if (e != ERR_OK)
		return e;
	/* With an empty name readlinkat reads the link that an O_PATH descriptor stands for. */
	len = readlinkat(r.fd >= 0 ? r.fd : r.dir_fd, r.fd >= 0 ? "" : r.name, (char *)sealed, SYMLINK_SEALED_MAX + 1);
	e = len < 0 ? err_errno() : ERR_OK;
	*len_out = len < 0 ? 0 : (size_t)len;
	reach_end(t, &r);
	return e;
}

enum err tree_readlink(struct tree *t, struct node *n, char *out, size_t max)
{
	uint8_t sealed[SYMLINK_SEALED_MAX + 1];
	char target[SYMLINK_PLAIN_MAX + 1];
	size_t len;
	int is_file;
	enum err e;

	names_share(t);
	e = read_sealed(t, n, sealed, &len, &is_file);
	names_release(t);
	if (e == ERR_OK)
		e = symlink_open(t->b->names_key->bytes, t->b->description.id, sealed, len, is_file, target, &len);
	if (e == ERR_OK && len >= max)
		e = ERR_ERRNO + ERANGE;
	if (e == ERR_OK)
		memcpy(out, target, len + 1);
	return e;
}
