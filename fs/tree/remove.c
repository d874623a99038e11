#include "fs/tree/node.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* An open FIFO, socket or device outlives its name, and the kernel still asks for its attributes. */
static void keep_descriptor(const struct entry *e, struct node *n)
{
	if (node_is_file(n) || node_is_directory(n) || n->other.fd >= 0)
		return;
	n->other.fd = openat(e->fd, e->lower.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* `names` is held exclusively.  `n_out`: the node, with a reference, where its last name is gone; fd_out: to be closed, or -1. */
static enum err unlink_entry(struct tree *t, struct entry *e, struct node **n_out, int *fd_out)
{
	struct node *n;
	enum err r = entry_node(t, e, &n, NULL);

	*n_out = NULL;
	if (r != ERR_OK)
		return r;
	if (n)
		keep_descriptor(e, n);
	*fd_out = entry_outlive(e, n);
	if (unlinkat(e->fd, e->lower.name, 0) != 0) {
		r = err_errno();
		node_unref(t, n);
		return r;
	}
	place_remove(t, e->parent, e->lower.name);
	entry_remove_long(e);
	if (n && node_unlinked(t, n))
		*n_out = n;
	else
		node_unref(t, n);
	return ERR_OK;
}

enum err tree_unlink(struct tree *t, struct node *parent, const char *name)
{
	struct node *n = NULL;
	struct entry e;
	int fd = -1;
	enum err r = tree_may_change(t);

	if (r != ERR_OK)
		return r;
	names_hold(t);
	r = entry_begin(t, parent, name, &e);
	if (r == ERR_OK) {
		r = unlink_entry(t, &e, &n, &fd);
		entry_end(t, &e);
	}
	names_release(t);
	if (fd >= 0)
		close(fd);
	if (n && node_is_file(n))
		file_discard(t, n);
	node_unref(t, n);
	return r;
}

/* --- hard links ---------------------------------------------------------------------------- */

/* `names` is held exclusively. */
static enum err link_entry(struct tree *t, struct node *n, struct entry *e, struct stat *st, int *drift_out)
{
	struct place *p = node_place(t, n);
	struct stat lower;
	enum err r;
	int fd, made;

	if (node_is_directory(n))
		return ERR_REFUSED;
	if (!p)
		return ERR_ERRNO + ENOENT;
	r = policy_check_move(t, n, p->parent, e->parent, drift_out);
	if (r == ERR_OK)
		r = dir_pin(t, p->parent, &fd);
	if (r != ERR_OK)
		return r;
	r = entry_write_long(e, &made);
	if (r == ERR_OK && linkat(fd, p->lower, e->fd, e->lower.name, 0) != 0)
		r = err_errno();
	dir_unpin(t, p->parent);
	if (r != ERR_OK) {
		if (r != ERR_ERRNO + EEXIST && made)
			entry_remove_long(e);
		return r;
	}
	node_linked(t, n);
	r = place_add(t, n, e->parent, e->lower.name);
	if (r == ERR_OK)
		r = entry_stat(e, &lower);
	if (r == ERR_OK) {
		node_add_lookup(t, n);
		plain_attributes(t, n, &lower, st);
	}
	return r;
}

enum err tree_link(struct tree *t, struct node *n, struct node *parent, const char *name, struct stat *st)
{
	struct entry e;
	int drift = 0;
	enum err r = tree_may_change(t);

	if (r != ERR_OK)
		return r;
	move_begin(t);
	names_hold(t);
	r = entry_begin(t, parent, name, &e);
	if (r == ERR_OK) {
		r = link_entry(t, n, &e, st, &drift);
		entry_end(t, &e);
	}
	names_release(t);
	move_end(t);
	if (r == ERR_OK && drift && t->events.drift)
		t->events.drift(t->events.context, n);
	return r;
}
