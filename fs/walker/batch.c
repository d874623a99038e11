/* Many files share each sync: a step of every file, one syncfs, the next step of every file. */
#include "fs/walker/run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "base/file_io.h"

#define STEP_MIN ((uint64_t)1 << 20)
#define STUCK_ROUNDS 64		/* without a byte moved, nor a file done */
#define STUBBORN_ROUNDS 4	/* after these a file is synced by itself, which ends what is under way in it */

static void give_back(struct run *r, const struct batch_item *item)
{
	if (item->held)
		content_free(item->c);
	else
		tree_content_done(r->w->tree, item->c);
}

/* A quarter of the descriptors that the process may have. */
static unsigned batch_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / 4 > BATCH_FILES)
		return BATCH_FILES;
	return limit.rlim_cur < 8 ? 1 : (unsigned)limit.rlim_cur / 4;
}

enum err batch_add(struct run *r, const struct batch_item *item, const char *path)
{
	struct batch *b = &r->batch;
	struct batch_item *added = &b->items[b->count];

	*added = *item;
	added->path = strdup(path);
	if (!added->path) {
		give_back(r, item);
		return ERR_NO_MEMORY;
	}
	if (!b->max)
		b->max = batch_max();
	b->count++;
	b->bytes += item->size;
	return b->count >= b->max || b->bytes >= BATCH_BYTES ? batch_run(r) : ERR_OK;
}

static void fail(struct batch_item *item, enum err e)
{
	item->done = 1;
	item->e = e;
	walker_text(item->error, sizeof(item->error), err_message(e));
}

/* What one step may move: the batch's bytes are shared out, and no second's bandwidth is passed at once. */
static uint64_t budget(const struct run *r)
{
	uint64_t bytes = BATCH_BYTES / (r->batch.count ? r->batch.count : 1), rate = limits_bandwidth(r->w, r->job);

	if (rate && bytes > rate)
		bytes = rate;
	return bytes > STEP_MIN || rate ? bytes : STEP_MIN;
}

static uint64_t step_all(struct run *r, uint64_t *moved)
{
	uint64_t ended = 0;

	for (unsigned i = 0; i < r->batch.count; i++) {
		struct batch_item *item = &r->batch.items[i];
		enum migrate_next next = MIGRATE_SYNC;
		uint64_t bytes = 0;
		enum err e;

		if (item->done)
			continue;
		e = content_migrate_step(item->c, item->mode, item->to, 0, item->force, budget(r), &next, &bytes);
		item->force = 0;
		item->moved += bytes;
		*moved += bytes;
		if (e != ERR_OK)
			fail(item, e);
		else if (next == MIGRATE_DONE)
			item->done = 1;
		ended += item->done != 0;
	}
	return ended;
}

static void sync_all(struct run *r, int alone)
{
	int any = 0;
	enum err e;

	content_sync_many_lock();
	for (unsigned i = 0; i < r->batch.count; i++) {
		struct batch_item *item = &r->batch.items[i];

		item->begun = 0;
		if (item->done)
			continue;
		e = alone ? content_sync(item->c, 0) : content_sync_begin(item->c, &item->begun);
		if (e != ERR_OK)
			fail(item, e);
		any |= item->begun;
	}
	e = any ? file_sync_filesystem(r->w->b->root_fd) : ERR_OK;
	for (unsigned i = 0; i < r->batch.count; i++) {
		struct batch_item *item = &r->batch.items[i];

		if (!item->begun)
			continue;
		content_sync_end(item->c, e == ERR_OK);
		if (e != ERR_OK && !item->done)
			fail(item, e);
	}
	content_sync_many_unlock();
}

/* Sleeps as long as the job's bandwidth asks for, in pieces so that it can be told to stop. */
static void pace(struct run *r, uint64_t moved)
{
	uint64_t rate = limits_bandwidth(r->w, r->job);
	struct timespec now;

	r->paced_bytes += moved;
	if (!rate)
		return;
	if (!r->paced.tv_sec)
		clock_gettime(CLOCK_MONOTONIC, &r->paced);
	while (!run_must_leave(r)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		double spent = (double)(now.tv_sec - r->paced.tv_sec) + (double)(now.tv_nsec - r->paced.tv_nsec) / 1e9;
		double wait = (double)r->paced_bytes / (double)rate - spent;

		if (wait <= 0)
			break;
		struct timespec nap = { .tv_nsec = wait < 0.1 ? (long)(wait * 1e9) : 100000000 };

		nanosleep(&nap, NULL);
	}
}

static enum err empty(struct run *r, enum err e)
{
	for (unsigned i = 0; i < r->batch.count; i++) {
		struct batch_item *item = &r->batch.items[i];

		if (item->done) {
			enum err told = run_item_done(r, item);

			if (e == ERR_OK)
				e = told;
		}
		give_back(r, item);
		free(item->path);
	}
	r->batch.count = 0;
	r->batch.bytes = 0;
	return e;
}

enum err batch_run(struct run *r)
{
	unsigned open = r->batch.count, idle = 0;

	while (open) {
		uint64_t moved = 0, ended;

		if (run_must_leave(r))
			return empty(r, ERR_CANCELLED);
		ended = step_all(r, &moved);
		sync_all(r, idle >= STUBBORN_ROUNDS);
		run_moved(r, moved);
		pace(r, moved);
		idle = moved || ended ? 0 : idle + 1;
		open = 0;
		for (unsigned i = 0; i < r->batch.count; i++) {
			struct batch_item *item = &r->batch.items[i];

			if (!item->done && idle > STUCK_ROUNDS)
				fail(item, ERR_BUSY);
			open += !item->done;
		}
	}
	return empty(r, ERR_OK);
}
