#include "fs/tree/node.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "base/uuid.h"

/* --- making ------------------------------------------------------------------------------- */

static enum err chmod_descriptor(int fd, mode_t mode)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return chmod(path, mode & 07777) == 0 ? ERR_OK : err_errno();
}

/* A mode under which an ordinary user's daemon could not work inside is lent what it lacks. */
static enum err lend_mode(const struct tree *t, int fd, mode_t mode)
{
	return t->uid != 0 && (mode & 0700) != 0700 ? chmod_descriptor(fd, mode | 0700) : ERR_OK;
}

static enum err restore_mode(const struct tree *t, int fd, mode_t mode)
{
	return t->uid != 0 && (mode & 0700) != 0700 ? chmod_descriptor(fd, mode) : ERR_OK;
}

/* All that a directory needs before it gets its name: header, mode, owner. */
static enum err furnish(struct tree *t, const struct entry *e, int fd, const struct caller *who, uint8_t id[static UUID_LEN], struct stat *lower)
{
	struct owner owner = entry_owner(t, e->parent, who);
	char header[DIR_HEADER_TEXT + 1];
	enum err r;

	if (fstat(fd, lower) != 0)
		return err_errno();
	uuid_random(id);
	dir_header_make(t->b->names_key->bytes, t->b->description.id, id, header);
	r = lend_mode(t, fd, lower->st_mode);
	if (r == ERR_OK)
		r = dir_header_write(fd, header);
	if (r == ERR_OK)
		r = restore_mode(t, fd, lower->st_mode);
	if (r == ERR_OK && owner.change && fchownat(fd, "", owner.uid, owner.gid, AT_EMPTY_PATH) != 0)
		r = err_errno();
	if (r == ERR_OK && fstat(fd, lower) != 0)
		r = err_errno();
	return r;
}

/* The new directory under its temporary name; fd_out (O_PATH). */
static enum err make(struct tree *t, const struct entry *e, mode_t mode, const struct caller *who, const char *temporary, int *fd_out,
		     uint8_t id[static UUID_LEN], struct stat *lower)
{
	enum err r = ERR_OK;
	int fd;

	if (mkdirat(e->fd, temporary, entry_mode(t, e, mode & 07777, who)) != 0)
		return err_errno();
	fd = openat(e->fd, temporary, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? err_errno() : furnish(t, e, fd, who, id, lower);
	if (r == ERR_OK && renameat2(e->fd, temporary, e->fd, e->lower.name, RENAME_NOREPLACE) != 0)
		r = err_errno();
	if (r == ERR_OK) {
		*fd_out = fd;
		return ERR_OK;
	}
	if (fd >= 0) {
		if (fstat(fd, lower) == 0)
			lend_mode(t, fd, lower->st_mode);
		unlinkat(fd, DIR_HEADER_NAME, 0);
		close(fd);
	}
	unlinkat(e->fd, temporary, AT_REMOVEDIR);
	return r;
}

enum err tree_mkdir(struct tree *t, struct node *parent, const char *name, mode_t mode, const struct caller *who, struct node **out, struct stat *st)
{
	char temporary[TREE_TEMPORARY_MAX];
	uint8_t id[UUID_LEN];
	struct entry e;
	int fd = -1, ignored;
	enum err r = tree_may_change(t);

	*out = NULL;
	if (r != ERR_OK)
		return r;
	names_share(t);
	r = entry_begin(t, parent, name, &e);
	if (r != ERR_OK)
		goto out;
	entry_temporary(TREE_TEMPORARY, temporary);
	r = entry_write_long(&e, &ignored);
	if (r == ERR_OK)
		r = make(t, &e, mode, who, temporary, &fd, id, st);
	if (r == ERR_OK) {
		r = node_get(t, st, parent, e.lower.name, 1, 0, out);
		if (r == ERR_OK) {
			dir_set_id(*out, id);
			dir_adopt(t, *out, fd);
		} else {
			close(fd);
		}
	}
	entry_end(t, &e);
out:
	names_release(t);
	return r;
}

/* --- removing ------------------------------------------------------------------------------------ */

static int begins(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* What a crash may have left in an otherwise empty directory. */
static int is_leftover(const char *name)
{
	return begins(name, TREE_TEMPORARY) || begins(name, TREE_DISCARDED) || names_is_reserved(name) == 2;
}

static enum err discard_entry(int fd, const char *name)
{
	if (unlinkat(fd, name, 0) == 0)
		return ERR_OK;
	if (errno != EISDIR && errno != EPERM)
		return err_errno();
	return directory_discard(NULL, fd, name);
}

enum err directory_clear(int fd, int remove)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	enum err e = dir ? ERR_OK : err_errno();
	struct dirent *d;

	while (e == ERR_OK && (d = readdir(dir))) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 || strcmp(d->d_name, DIR_HEADER_NAME) == 0)
			continue;
		if (!is_leftover(d->d_name))
			e = ERR_ERRNO + ENOTEMPTY;
		else if (remove)
			e = discard_entry(fd, d->d_name);
	}
	if (dir)
		closedir(dir);
	else if (again >= 0)
		close(again);
	return e;
}

enum err directory_discard(struct tree *t, int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char header[DIR_HEADER_TEXT + 1] = "";
	struct stat st;
	size_t len;
	enum err e;

	if (fd < 0)
		return err_errno();
	if (t && fstat(fd, &st) == 0)
		lend_mode(t, fd, st.st_mode);
	e = directory_clear(fd, 1);
	if (e == ERR_OK) {
		e = dir_header_read(fd, header, &len);
		if (e == ERR_NOT_FOUND || e == ERR_FORMAT)
			e = ERR_OK;
	}
	if (e == ERR_OK && unlinkat(fd, DIR_HEADER_NAME, 0) != 0 && errno != ENOENT)
		e = err_errno();
	if (e == ERR_OK && unlinkat(parent_fd, name, AT_REMOVEDIR) != 0) {
		e = err_errno();
		if (header[0])
			dir_header_write(fd, header);
	}
	close(fd);
	return e;
}

int directory_read_id(struct tree *t, int fd, uint8_t id[static UUID_LEN])
{
	char text[DIR_HEADER_TEXT + 1];
	size_t len;

	return dir_header_read(fd, text, &len) == ERR_OK &&
	       dir_header_check(t->b->names_key->bytes, t->b->description.id, text, len, id) == ERR_OK;
}

void directory_forget_policy(struct tree *t, const uint8_t id[static UUID_LEN])
{
	struct policy p;
	enum err e;

	if (policy_only_root(t->b->policies) || policy_get(t->b->policies, id, &p) != ERR_OK)
		return;
	e = bucket_policy_unset(t->b, id);
	if (e != ERR_OK)
		log_error("the policy of a removed directory could not be removed: %s", err_message(e));
}

/* The lower directory is empty, as plain names go: out of the way first, so that no crash leaves one without its header. */
static enum err remove_lower(struct tree *t, const struct entry *e, int fd)
{
	char discarded[TREE_TEMPORARY_MAX];
	struct stat st;
	enum err r;

	if (fstat(fd, &st) != 0)
		return err_errno();
	r = lend_mode(t, fd, st.st_mode);
	if (r != ERR_OK)
		return r;
	r = directory_clear(fd, 0);
	entry_temporary(TREE_DISCARDED, discarded);
	if (r == ERR_OK && renameat2(e->fd, e->lower.name, e->fd, discarded, RENAME_NOREPLACE) != 0)
		r = err_errno();
	if (r != ERR_OK) {
		restore_mode(t, fd, st.st_mode);
		return r;
	}
	r = directory_discard(t, e->fd, discarded);
	if (r == ERR_OK)
		return ERR_OK;
	restore_mode(t, fd, st.st_mode);
	if (renameat2(e->fd, discarded, e->fd, e->lower.name, RENAME_NOREPLACE) != 0)
		log_error("directory %s could not be put back: %s", discarded, err_text(err_errno()));
	return r;
}

static enum err remove_directory(struct tree *t, struct entry *e)
{
	uint8_t id[UUID_LEN];
	int fd, has_id = 0;
	struct node *n;
	struct stat st;
	enum err r = entry_node(t, e, &n, NULL);

	if (r != ERR_OK)
		return r;
	fd = openat(e->fd, e->lower.name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? err_errno() : ERR_OK;
	if (r == ERR_OK && n && (fstat(fd, &st) != 0 || st.st_ino != n->ino || st.st_dev != n->dev))
		r = ERR_ERRNO + ESTALE;
	if (r == ERR_OK && !policy_only_root(t->b->policies))
		has_id = directory_read_id(t, fd, id);
	if (r == ERR_OK)
		r = remove_lower(t, e, fd);
	if (r == ERR_OK) {
		place_remove(t, e->parent, e->lower.name);
		if (n) {
			/* Whoever stands in it still sees it. */
			dir_adopt(t, n, fd);
			fd = -1;
			node_bury(t, n);
		}
		entry_remove_long(e);
		if (has_id)
			directory_forget_policy(t, id);
	}
	if (fd >= 0)
		close(fd);
	node_unref(t, n);
	return r;
}

enum err tree_rmdir(struct tree *t, struct node *parent, const char *name)
{
	struct entry e;
	enum err r = tree_may_change(t);

	if (r != ERR_OK)
		return r;
	names_hold(t);
	r = entry_begin(t, parent, name, &e);
	if (r == ERR_OK) {
		r = remove_directory(t, &e);
		entry_end(t, &e);
	}
	names_release(t);
	return r;
}
