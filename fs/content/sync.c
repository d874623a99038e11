#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"
#include "base/log.h"
#include "fs/content/group.h"

atomic_uint_fast64_t content_changes;
static atomic_uint_fast64_t covered_changes;	/* as many as the last checkpoint saw */

static int each_group(struct content *c, enum err (*each)(struct content *c, struct group *g), enum err *e_out)
{
	int called = 0;

	*e_out = ERR_OK;
	for (size_t i = 0; i < c->table_len; i++)
		for (struct group *g = c->table[i]; g && !*e_out; g = g->next) {
			*e_out = each(c, g);
			called = 1;
		}
	return called;
}

static enum err store_one(struct content *c, struct group *g)
{
	if (!g->unstored || g->syncing || g->in_place)
		return ERR_OK;
	return group_store(c, g);
}

static int anything_unstored(const struct content *c)
{
	for (size_t i = 0; i < c->table_len; i++)
		for (struct group *g = c->table[i]; g; g = g->next)
			if (g->unstored && !g->syncing && !g->in_place)
				return 1;
	return 0;
}

enum err sync_store(struct content *c)
{
	struct stat st;
	enum err e;

	if ((e = resize_extend_lower(c)))
		return e;
	if (!anything_unstored(c))
		return ERR_OK;
	if (fstat(c->fd, &st))
		return err_errno();
	each_group(c, store_one, &e);
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, st.st_mtim };
	if (futimens(c->fd, times) && !e)
		e = err_errno();
	return e;
}

/* What a durable page covers from now on. */
void sync_landed(struct group *g)
{
	if (!g->dirty)
		return;
	if (!g->syncing) {	/* the whole of it, under the lock */
		g->used_syncing = g->used_now;
		g->has_syncing = 0;
		for (unsigned i = 0; i < GROUP_BLOCKS; i++) {
			g->has_syncing |= (uint64_t)(g->now[i].slot != 0) << i;
			g->keep_next[i] = PAGE_LEN;
		}
	}
	g->durable_copy = g->durable_copy == COPY_A ? COPY_B : COPY_A;
	g->used_durable = g->used_syncing;
	g->has_durable = g->has_syncing;
	g->used_syncing = (struct slots){ 0 };
	for (unsigned i = 0; i < GROUP_BLOCKS; i++) {
		g->keep[i] = g->keep_next[i];
		if (g->now[i].slot)
			g->now[i].keep = g->keep[i];
	}
	g->syncing = 0;
	g->in_place = 0;
	g->unsure = 0;
	g->dirty = g->unstored;
	if (!g->young) {
		free(g->older);
		g->older = NULL;
	}
}

static enum err land_one(struct content *c, struct group *g)
{
	(void)c;
	g->unsure = 0;
	sync_landed(g);
	return ERR_OK;
}

/* The kernel tells a failed write-back once and then forgets it: nothing may be promised after. */
static enum err note_failure(struct content *c, enum err e)
{
	if (e) {
		c->failed = e;
		log_error("a sync failed, the file takes no more writes until it is opened anew: %s", err_text(e));
	}
	return e;
}

enum err sync_only(struct content *c)
{
	enum err e, ignored;

	if ((e = c->failed) || (e = sync_store(c)) || (e = note_failure(c, file_sync(c->fd))))
		return e;
	c->wrote = c->cut_fresh = 0;
	each_group(c, land_one, &ignored);
	return ERR_OK;
}

enum err sync_settled(struct content *c)
{
	enum err e = c->cut ? resize_settle(c) : sync_only(c);

	if (!e)
		resize_give_back(c);
	return e;
}

enum err sync_before_close(struct content *c)
{
	enum err e = c->failed;

	if (c->read_only || !c->keys || e || (e = hold_drain(c)))
		return e;
	if (c->cut)
		e = sync_settled(c);
	/* Whoever opens it next does not know of a cut that is not durable. */
	if (!e)
		e = c->cut_fresh ? sync_only(c) : sync_store(c);
	return e;
}

/* --- a sync without the lock -------------------------------------------------------------- */

static enum err begin_one(struct content *c, struct group *g)
{
	(void)c;
	if (!g->dirty || g->unstored)
		return ERR_OK;
	g->syncing = 1;
	g->used_syncing = g->used_now;
	g->has_syncing = 0;
	for (unsigned i = 0; i < GROUP_BLOCKS; i++) {
		g->has_syncing |= (uint64_t)(g->now[i].slot != 0) << i;
		g->keep_next[i] = PAGE_LEN;
	}
	return ERR_OK;
}

/* With the lock held: from here to fly_end what holds now is protected. */
static enum err fly_begin(struct content *c)
{
	enum err e = c->failed;

	if (e || (e = sync_store(c)))
		return e;
	each_group(c, begin_one, &e);
	c->wrote = 0;
	pthread_mutex_lock(&c->flight_lock);
	c->in_flight = 1;
	pthread_mutex_unlock(&c->flight_lock);
	return ERR_OK;
}

static enum err end_one(struct content *c, struct group *g)
{
	(void)c;
	if (g->syncing)
		sync_landed(g);
	return ERR_OK;
}

static enum err abort_one(struct content *c, struct group *g)
{
	(void)c;
	g->syncing = 0;
	g->used_syncing = (struct slots){ 0 };
	return ERR_OK;
}

static void fly_end(struct content *c, enum err result)
{
	enum err e;

	each_group(c, result ? abort_one : end_one, &e);
	c->cut_fresh = result ? c->cut_fresh : 0;	/* no cut happens in flight */
	note_failure(c, result);
	group_trim(c);
	pthread_mutex_lock(&c->flight_lock);
	c->in_flight = 0;
	pthread_cond_broadcast(&c->landed);
	pthread_mutex_unlock(&c->flight_lock);
}

/* Changes that came while the group's sync is in flight cannot be stored before it ends. */
static int anything_held_back(const struct content *c)
{
	for (size_t i = 0; i < c->table_len; i++)
		for (struct group *g = c->table[i]; g; g = g->next)
			if (g->unstored && g->syncing)
				return 1;
	return 0;
}

enum err content_flush(struct content *c)
{
	enum err e = ERR_OK;

	pthread_rwlock_wrlock(&c->lock);
	if (anything_held_back(c)) {
		pthread_rwlock_unlock(&c->lock);
		content_lock_quiet(c);
	}
	if (!c->read_only && c->keys && !(e = c->failed))
		e = sync_store(c);
	pthread_rwlock_unlock(&c->lock);
	return e;
}

enum err content_sync(struct content *c, int metadata)
{
	enum err e = ERR_OK;

	content_lock_quiet(c);
	if (c->read_only || !c->keys || (e = hold_drain(c)))
		goto unlock;
	if (c->cut) {
		if (!(e = sync_settled(c)) && metadata)
			e = file_sync_full(c->fd);
		goto unlock;
	}
	if ((e = fly_begin(c)))
		goto unlock;
	pthread_rwlock_unlock(&c->lock);
	e = metadata ? file_sync_full(c->fd) : file_sync(c->fd);
	pthread_rwlock_wrlock(&c->lock);
	fly_end(c, e);
	if (!e)
		resize_give_back(c);
unlock:
	pthread_rwlock_unlock(&c->lock);
	return e;
}

enum err content_sync_begin(struct content *c, int *begun_out)
{
	enum err e = ERR_OK;

	*begun_out = 0;
	content_lock_quiet(c);
	if (!c->read_only && c->keys && (c->wrote || c->held_count || c->cut || anything_unstored(c))) {
		if (!(e = hold_drain(c)))
			e = fly_begin(c);
		*begun_out = !e;
	}
	pthread_rwlock_unlock(&c->lock);
	return e;
}

void content_sync_end(struct content *c, int ok)
{
	pthread_rwlock_wrlock(&c->lock);
	fly_end(c, ok ? ERR_OK : ERR_ERRNO + EIO);
	if (ok && c->cut) {
		/* Where nothing lives behind the new end the cut costs no more syncs. */
		enum err e = resize_cut_now(c);
		if (e)
			log_error("a lower file could not be cut: %s", err_message(e));
	}
	if (ok)
		resize_give_back(c);
	pthread_rwlock_unlock(&c->lock);
}

/* --- checkpoints ---------------------------------------------------------------------------- */

/* Held by the mount's timer or the walker while many files are in flight. */
static pthread_mutex_t many = PTHREAD_MUTEX_INITIALIZER;

void content_sync_many_lock(void)
{
	pthread_mutex_lock(&many);
}

void content_sync_many_unlock(void)
{
	pthread_mutex_unlock(&many);
}

struct begun { struct content **list; size_t count, max; enum err e; };

static int begin_each(void *context, struct content *c)
{
	struct begun *all = context;
	int begun;

	if (all->count == all->max) {
		size_t max = all->max ? all->max * 2 : 64;
		struct content **list = realloc(all->list, max * sizeof *list);

		if (!list) {
			all->e = ERR_NO_MEMORY;
			return 1;
		}
		all->list = list;
		all->max = max;
	}
	if (content_sync_begin(c, &begun)) {
		log_error("a file could not be stored for a checkpoint");
		all->e = all->e ? all->e : ERR_ERRNO + EIO;
	} else if (begun) {
		all->list[all->count++] = content_hold(c);
	}
	return 0;
}

static enum err checkpoint(struct bucket *b)
{
	struct begun all = { 0 };
	uint64_t seen = atomic_load(&content_changes), covered;

	if (b->mode == BUCKET_READ_ONLY)
		return ERR_OK;
	covered = bucket_checkpoint_begin(b);
	if (content_each(b, begin_each, &all) < 0 && !all.e)
		all.e = ERR_NO_MEMORY;
	enum err synced = file_sync_filesystem(b->root_fd);
	for (size_t i = 0; i < all.count; i++) {
		content_sync_end(all.list[i], !synced);
		content_free(all.list[i]);
	}
	free(all.list);
	if (synced || all.e)
		return synced ? synced : all.e;
	enum err e = bucket_checkpoint_commit(b, covered);
	if (!e)
		atomic_store(&covered_changes, seen);
	return e;
}

enum err content_checkpoint(struct bucket *b)
{
	content_sync_many_lock();
	enum err e = checkpoint(b);
	content_sync_many_unlock();
	return e;
}

int content_checkpoint_due(void)
{
	return atomic_load(&content_changes) != atomic_load(&covered_changes);
}
