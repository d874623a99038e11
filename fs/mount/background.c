#include "fs/mount/background.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include "base/log.h"
#include "fs/mount/hooks.h"
#include "fs/mount/key_watch.h"

#define DUE_SECONDS 60
#define ANCHOR_SECONDS 3600
#define IDLE_RETRY_SECONDS 10

struct background {
	struct mount *mount;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int ending;			/* under lock */
	pthread_mutex_t checkpoint_lock;
	/* The thread's own, CLOCK_MONOTONIC seconds: */
	int64_t next_checkpoint, next_due, next_anchor, next_idle;
	struct key_watch keys;
};

static int64_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

enum err background_checkpoint(struct mount *m)
{
	struct background *b = m->background;
	enum err e;

	pthread_mutex_lock(&b->checkpoint_lock);
	/* Cleared before it begins: what changes meanwhile belongs to the next. */
	atomic_store(&m->changed, 0);
	e = content_checkpoint(m->bucket);
	if (e != ERR_OK)
		atomic_store(&m->changed, 1);
	pthread_mutex_unlock(&b->checkpoint_lock);
	return e;
}

static void checkpoint_when_due(struct background *b, int64_t now)
{
	struct mount *m = b->mount;
	enum err e;

	if (m->options->read_only || now < b->next_checkpoint)
		return;
	if (!atomic_load(&m->changed))
		return;
	e = background_checkpoint(m);
	if (e != ERR_OK)
		log_warning("a checkpoint failed, and is tried again: %s", err_text(e));
	b->next_checkpoint = monotonic() + CHECKPOINT_SECONDS;
}

static void run_due(struct background *b, int64_t now, int keys_changed)
{
	struct due_summary done;
	enum err e;

	if (!keys_changed && now < b->next_due)
		return;
	b->next_due = now + DUE_SECONDS;
	e = keymgr_run_due(b->mount->keymgr, &done);
	if (e != ERR_OK)
		log_warning("due work of the keystore failed, and is tried again: %s", err_text(e));
	else if (done.rotated || done.destroyed)
		log_info("due work: %d keys rotated, %d destroyed", done.rotated, done.destroyed);
}

static void anchor_when_due(struct background *b, int64_t now)
{
	enum err e;

	if (b->mount->options->read_only || now < b->next_anchor)
		return;
	b->next_anchor = now + ANCHOR_SECONDS;
	e = bucket_anchor(b->mount->bucket);
	if (e != ERR_OK)
		log_warning("the checkpoint could not be told to the keystore: %s", err_text(e));
}

/* Somebody's current directory there is enough to be refused: then later again. */
static void unmount_when_idle(struct background *b, int64_t now)
{
	struct mount *m = b->mount;
	long limit = m->options->idle_seconds;

	if (limit <= 0 || now < b->next_idle || now - atomic_load(&m->last_request) < limit)
		return;
	if (tree_open_files(m->tree) > 0 || hooks_busy(m))
		return;
	if (mount_end(m) == ERR_OK)
		log_info("unmounted: idle for %ld seconds", limit);
	b->next_idle = now + IDLE_RETRY_SECONDS;
}

static void tick(struct background *b)
{
	int64_t now = monotonic();
	int keys_changed = key_watch_look(&b->keys, b->mount);

	run_due(b, now, keys_changed);
	if (keys_changed)
		hooks_keys_changed(b->mount);
	checkpoint_when_due(b, now);
	anchor_when_due(b, now);
	hooks_tick(b->mount);
	unmount_when_idle(b, now);
}

static void *run(void *argument)
{
	struct background *b = argument;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	pthread_mutex_lock(&b->lock);
	while (!b->ending) {
		pthread_mutex_unlock(&b->lock);
		tick(b);
		pthread_mutex_lock(&b->lock);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		while (!b->ending && pthread_cond_timedwait(&b->wake, &b->lock, &until) != ETIMEDOUT)
			;
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

enum err background_start(struct mount *m)
{
	struct background *b = calloc(1, sizeof(*b));
	pthread_condattr_t attributes;
	int64_t now = monotonic();

	if (!b)
		return ERR_NO_MEMORY;
	b->mount = m;
	b->next_checkpoint = now + CHECKPOINT_SECONDS;
	b->next_due = now + DUE_SECONDS;
	b->next_anchor = now + ANCHOR_SECONDS;
	atomic_store(&m->last_request, now);
	pthread_mutex_init(&b->lock, NULL);
	pthread_mutex_init(&b->checkpoint_lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&b->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	m->background = b;
	if (pthread_create(&b->thread, NULL, run, b) != 0) {
		m->background = NULL;
		free(b);
		return ERR_NO_MEMORY;
	}
	return ERR_OK;
}

void background_stop(struct mount *m)
{
	struct background *b = m->background;

	if (!b || b->ending)
		return;
	pthread_mutex_lock(&b->lock);
	b->ending = 1;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
}

void background_free(struct mount *m)
{
	struct background *b = m->background;

	if (!b)
		return;
	background_stop(m);
	pthread_mutex_destroy(&b->lock);
	pthread_mutex_destroy(&b->checkpoint_lock);
	pthread_cond_destroy(&b->wake);
	m->background = NULL;
	free(b);
}
