#include "fs/tree/node.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err start_root(struct tree *t)
{
	struct stat st;
	enum err e;

	if (fstat(t->b->root_fd, &st) != 0)
		return err_errno();
	e = node_get(t, &st, NULL, NULL, 1, 1, &t->root);
	if (e == ERR_OK)
		dir_set_id(t->root, t->b->root_dir_id);
	return e;
}

/* A quarter of what the process may open at once, at most. */
static unsigned directories_kept(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / 4 > TREE_DIRECTORIES)
		return TREE_DIRECTORIES;
	return limit.rlim_cur / 4 < 16 ? 16 : (unsigned)(limit.rlim_cur / 4);
}

enum err tree_new(struct bucket *b, struct tree **out)
{
	struct tree *t = calloc(1, sizeof(*t));
	pthread_rwlockattr_t fair;
	enum err e;

	*out = NULL;
	if (!t)
		return ERR_NO_MEMORY;
	t->b = b;
	t->uid = geteuid();
	t->gid = getegid();
	t->dir_max = directories_kept();
	/* Without this readers could keep an unlink waiting for ever; nobody takes it twice. */
	pthread_rwlockattr_init(&fair);
	pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&t->names, &fair);
	pthread_rwlock_init(&t->making, &fair);
	pthread_rwlockattr_destroy(&fair);
	pthread_mutex_init(&t->opened, NULL);
	pthread_mutex_init(&t->table, NULL);
	pthread_mutex_init(&t->dirs, NULL);
	pthread_mutex_init(&t->loan_lock, NULL);
	pthread_mutex_init(&t->resolved_lock, NULL);
	pthread_mutex_init(&t->move_lock, NULL);
	pthread_cond_init(&t->move_change, NULL);
	e = nodes_start(t);
	if (e == ERR_OK)
		e = start_root(t);
	if (e != ERR_OK) {
		tree_free(t);
		return e;
	}
	*out = t;
	return ERR_OK;
}

/* Whatever is still open: at the end of a mount that was detached by force there may be handles. */
static void close_contents(struct tree *t)
{
	struct node **all;
	size_t count;

	file_close_lingering(t, 0);
	if (file_each_open(t, &all, &count) != ERR_OK)
		return;
	for (size_t i = 0; i < count; i++) {
		pthread_mutex_lock(&all[i]->lock);
		file_close_locked(t, all[i]);
		pthread_mutex_unlock(&all[i]->lock);
	}
	free(all);
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	close_contents(t);
	for (size_t i = 0; i < LOAN_CHAINS; i++)
		while (t->loans[i]) {
			struct loan *l = t->loans[i];

			t->loans[i] = l->next;
			free(l);
		}
	nodes_end(t);
	pthread_rwlock_destroy(&t->names);
	pthread_rwlock_destroy(&t->making);
	pthread_mutex_destroy(&t->opened);
	pthread_mutex_destroy(&t->table);
	pthread_mutex_destroy(&t->dirs);
	pthread_mutex_destroy(&t->loan_lock);
	pthread_mutex_destroy(&t->resolved_lock);
	pthread_mutex_destroy(&t->move_lock);
	pthread_cond_destroy(&t->move_change);
	free(t);
}

struct bucket *tree_bucket(struct tree *t)
{
	return t->b;
}

struct node *tree_root(struct tree *t)
{
	return t->root;
}

void tree_set_events(struct tree *t, const struct tree_events *e)
{
	t->events = *e;
}
