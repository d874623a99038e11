#include "fs/tree/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file_io.h"
#include "base/log.h"

/* --- moves, held back by a scan ------------------------------------------------------------- */

void move_begin(struct tree *t)
{
	pthread_mutex_lock(&t->move_lock);
	while (t->moves_held)
		pthread_cond_wait(&t->move_change, &t->move_lock);
	t->moving++;
	pthread_mutex_unlock(&t->move_lock);
	t->moves++;
}

void move_end(struct tree *t)
{
	/* Once more: a scan that began in between has seen one half. */
	t->moves++;
	pthread_mutex_lock(&t->move_lock);
	t->moving--;
	pthread_cond_broadcast(&t->move_change);
	pthread_mutex_unlock(&t->move_lock);
}

uint64_t tree_moves(struct tree *t)
{
	return t->moves;
}

void tree_hold_moves(struct tree *t, int hold)
{
	pthread_mutex_lock(&t->move_lock);
	if (hold) {
		t->moves_held++;
		while (t->moving)
			pthread_cond_wait(&t->move_change, &t->move_lock);
	} else if (t->moves_held) {
		t->moves_held--;
		pthread_cond_broadcast(&t->move_change);
	}
	pthread_mutex_unlock(&t->move_lock);
}

/* --- a source that is not yet durable ----------------------------------------------------------- */

/* Written since the last checkpoint, by this mount or one before it. */
static int is_young(struct bucket *b, const struct stat *lower)
{
	int64_t checkpoint;

	pthread_mutex_lock(&b->state_lock);
	checkpoint = b->state.checkpoint_time;
	pthread_mutex_unlock(&b->state_lock);
	return lower->st_ctime >= checkpoint - 1;
}

/* `names` is held: what is to be synced, as an open content (c_out, with a user) or a descriptor. */
static enum err find_dirty(struct tree *t, struct entry *from, struct entry *to, struct node **n_out, struct content **c_out, int *fd_out)
{
	struct stat target, source;
	enum err r = entry_stat(to, &target);

	*n_out = NULL;
	if (r == ERR_ERRNO + ENOENT || (r == ERR_OK && S_ISDIR(target.st_mode)))
		return ERR_OK;
	if (r == ERR_OK)
		r = entry_node(t, from, n_out, &source);
	if (r != ERR_OK || !S_ISREG(source.st_mode))
		return r;
	if (*n_out)
		*c_out = file_acquire_open(t, *n_out);
	if (!*c_out && is_young(t->b, &source))
		*fd_out = openat(from->fd, from->lower.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return ERR_OK;
}

/* Before a file replaces another, what it holds is made durable: a crash leaves the old one or the whole new one.  Outside the exclusive
 * lock, for it takes as long as the disk does. */
static enum err sync_source(struct tree *t, struct node *from, const char *from_name, struct node *to, const char *to_name)
{
	struct entry source, target;
	struct content *c = NULL;
	struct node *n = NULL;
	int fd = -1;
	enum err r;

	names_share(t);
	r = entry_begin(t, from, from_name, &source);
	if (r == ERR_OK) {
		r = entry_begin(t, to, to_name, &target);
		if (r == ERR_OK) {
			r = find_dirty(t, &source, &target, &n, &c, &fd);
			entry_end(t, &target);
		}
		entry_end(t, &source);
	}
	names_release(t);
	if (c) {
		if (content_is_dirty(c))
			r = content_sync(c, 0);
		file_release(t, n);
	} else if (fd >= 0) {
		r = file_sync(fd);
		close(fd);
	}
	node_unref(t, n);
	return r;
}

/* --- the rename ------------------------------------------------------------------------------------- */

struct side { struct entry entry; struct node *node; struct stat st; };	/* st_mode 0: absent */

static enum err side_begin(struct tree *t, struct node *dir, const char *name, struct side *s)
{
	enum err r = entry_begin(t, dir, name, &s->entry);

	s->node = NULL;
	if (r != ERR_OK)
		return r;
	r = entry_node(t, &s->entry, &s->node, &s->st);
	if (r != ERR_OK) {
		node_unref(t, s->node);
		entry_end(t, &s->entry);
	}
	return r;
}

static void side_end(struct tree *t, struct side *s)
{
	node_unref(t, s->node);
	entry_end(t, &s->entry);
}

static enum err lower_rename(const struct side *from, const struct side *to, unsigned flags)
{
	return renameat2(from->entry.fd, from->entry.lower.name, to->entry.fd, to->entry.lower.name, flags) == 0 ? ERR_OK : err_errno();
}

/* A directory over an empty one.  The lower one is not empty, for it has its header: they change places, and the old one goes. */
static enum err replace_directory(struct tree *t, struct side *from, struct side *to)
{
	int fd = openat(to->entry.fd, to->entry.lower.name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char discarded[TREE_TEMPORARY_MAX];
	uint8_t id[UUID_LEN];
	int has_id = 0;
	enum err r = fd < 0 ? err_errno() : directory_clear(fd, 0);

	if (r == ERR_OK && !policy_only_root(t->b->policies))
		has_id = directory_read_id(t, fd, id);
	if (r == ERR_OK)
		r = lower_rename(from, to, RENAME_EXCHANGE);
	if (r != ERR_OK)
		goto out;
	entry_temporary(TREE_DISCARDED, discarded);
	if (renameat(from->entry.fd, from->entry.lower.name, from->entry.fd, discarded) != 0) {
		r = err_errno();
		lower_rename(from, to, RENAME_EXCHANGE);
		goto out;
	}
	/* Done, as plain names go; what may fail now is only a leftover that nobody sees. */
	if (to->node) {
		dir_adopt(t, to->node, fd);
		fd = -1;
	}
	if (directory_discard(t, from->entry.fd, discarded) != ERR_OK)
		log_warning("a replaced directory could not be removed and stays as %s", discarded);
	if (has_id)
		directory_forget_policy(t, id);
out:
	if (fd >= 0)
		close(fd);
	return r;
}

/* What is known of both places after the lower rename.  discard_out: a node that lost its last name, with a reference. */
static enum err settle(struct tree *t, struct side *from, struct side *to, unsigned flags, struct node **discard_out)
{
	struct entry *f = &from->entry, *o = &to->entry;
	enum err r = ERR_OK;

	place_remove(t, f->parent, f->lower.name);
	place_remove(t, o->parent, o->lower.name);
	if (from->node)
		r = place_add(t, from->node, o->parent, o->lower.name);
	if (flags & RENAME_EXCHANGE) {
		if (r == ERR_OK && to->node)
			r = place_add(t, to->node, f->parent, f->lower.name);
	} else if (to->node && node_is_directory(to->node)) {
		node_bury(t, to->node);
	} else if (to->node && node_unlinked(t, to->node)) {
		node_ref(t, to->node);
		*discard_out = to->node;
	}
	return r;
}

static int same_inode(const struct side *a, const struct side *b)
{
	return a->st.st_mode && b->st.st_mode && a->st.st_ino == b->st.st_ino && a->st.st_dev == b->st.st_dev;
}

/* `names` is held exclusively. */
static enum err rename_entries(struct tree *t, struct side *from, struct side *to, unsigned flags, struct node **discard_out)
{
	int made = 0;
	enum err r;

	if (!from->st.st_mode)
		return ERR_ERRNO + ENOENT;
	if (flags & RENAME_NOREPLACE && to->st.st_mode)
		return ERR_ERRNO + EEXIST;
	if (flags & RENAME_EXCHANGE && !to->st.st_mode)
		return ERR_ERRNO + ENOENT;
	/* Two names of one inode: rename(2) does nothing. */
	if (same_inode(from, to))
		return ERR_OK;
	r = entry_write_long(&to->entry, &made);
	if (r != ERR_OK)
		return r;
	if (!(flags & RENAME_EXCHANGE) && S_ISDIR(from->st.st_mode) && S_ISDIR(to->st.st_mode))
		r = replace_directory(t, from, to);
	else
		r = lower_rename(from, to, flags);
	if (r != ERR_OK) {
		if (made)
			entry_remove_long(&to->entry);
		return r;
	}
	if (!(flags & RENAME_EXCHANGE))
		entry_remove_long(&from->entry);
	return settle(t, from, to, flags, discard_out);
}

/* Both directions for an exchange.  drift_out: [0] the source, [1] the target. */
static enum err check_policies(struct tree *t, struct side *from, struct side *to, unsigned flags, int drift_out[static 2])
{
	enum err r = ERR_OK;

	if (from->entry.parent == to->entry.parent || policy_only_root(t->b->policies))
		return ERR_OK;
	if (from->node)
		r = policy_check_move(t, from->node, from->entry.parent, to->entry.parent, &drift_out[0]);
	if (r == ERR_OK && flags & RENAME_EXCHANGE && to->node)
		r = policy_check_move(t, to->node, to->entry.parent, from->entry.parent, &drift_out[1]);
	return r;
}

struct outcome { struct node *discard, *drifted[2]; int fd; };

static enum err rename_held(struct tree *t, struct node *from, const char *from_name, struct node *to, const char *to_name, unsigned flags, struct outcome *o)
{
	struct side source, target;
	int drift[2] = { 0, 0 };
	enum err r = side_begin(t, from, from_name, &source);

	if (r != ERR_OK)
		return r;
	r = side_begin(t, to, to_name, &target);
	if (r != ERR_OK) {
		side_end(t, &source);
		return r;
	}
	/* The policies' rules need nodes, for the ways by which headers are read. */
	if (!source.node && source.st.st_mode)
		r = node_get(t, &source.st, from, source.entry.lower.name, 0, 1, &source.node);
	if (r == ERR_OK)
		r = check_policies(t, &source, &target, flags, drift);
	if (r == ERR_OK && !flags)
		o->fd = entry_outlive(&target.entry, target.node);
	if (r == ERR_OK)
		r = rename_entries(t, &source, &target, flags, &o->discard);
	struct node *moved[2] = { source.node, target.node };
	for (int i = 0; i < 2; i++)
		if (r == ERR_OK && drift[i]) {
			node_ref(t, moved[i]);
			o->drifted[i] = moved[i];
		}
	side_end(t, &target);
	side_end(t, &source);
	return r;
}

enum err tree_rename(struct tree *t, struct node *from, const char *from_name, struct node *to, const char *to_name, unsigned flags)
{
	struct outcome o = { NULL, { NULL, NULL }, -1 };
	enum err r = tree_may_change(t);

	if (r == ERR_OK && (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) || flags == (RENAME_NOREPLACE | RENAME_EXCHANGE)))
		r = ERR_INVALID;
	if (r == ERR_OK && !flags)
		r = sync_source(t, from, from_name, to, to_name);
	if (r != ERR_OK)
		return r;
	move_begin(t);
	names_hold(t);
	r = rename_held(t, from, from_name, to, to_name, flags, &o);
	names_release(t);
	move_end(t);
	if (o.fd >= 0)
		close(o.fd);
	if (o.discard && node_is_file(o.discard))
		file_discard(t, o.discard);
	node_unref(t, o.discard);
	for (int i = 0; i < 2; i++) {
		if (o.drifted[i] && t->events.drift)
			t->events.drift(t->events.context, o.drifted[i]);
		node_unref(t, o.drifted[i]);
	}
	return r;
}
