/* The walker's life: its jobs, its thread, what others ask of it. */
#include "fs/walker/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"

#define LOOK_SECONDS 60
#define JOBS_KEPT 200		/* that are over */
#define DRIFTED_MAX 100000

int64_t walker_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void walker_text(char *out, size_t room, const char *text)
{
	size_t len = 0;

	for (; text[len] && len + 1 < room; len++)
		out[len] = text[len] >= ' ' && text[len] < 127 ? text[len] : '?';
	out[len] = 0;
}

void walker_store_job(struct walker *w, struct job *job)
{
	enum err e = job_store(w->b, job);

	if (e != ERR_OK)
		log_error("a job's file cannot be written: %s", err_message(e));
}

/* --- the list -------------------------------------------------------------------------------- */

/* Under the lock. */
static enum err append(struct walker *w, struct job *job)
{
	if (w->count == w->room) {
		size_t room = w->room ? 2 * w->room : 16;
		struct job **wider = realloc(w->jobs, room * sizeof(*wider));

		if (!wider)
			return ERR_NO_MEMORY;
		w->jobs = wider;
		w->room = room;
	}
	w->jobs[w->count++] = job;
	return ERR_OK;
}

/* The oldest of those that are over go when there are too many.  Under the lock. */
static void forget_old(struct walker *w)
{
	size_t over = 0;

	for (size_t i = 0; i < w->count; i++)
		over += (size_t)job_is_over(w->jobs[i]);
	for (size_t i = 0; i < w->count && over > JOBS_KEPT;) {
		struct job *old = w->jobs[i];

		if (!job_is_over(old)) {
			i++;
			continue;
		}
		job_remove(w->b, old->id);
		job_free(old);
		memmove(&w->jobs[i], &w->jobs[i + 1], (--w->count - i) * sizeof(*w->jobs));
		over--;
	}
}

enum err walker_add_job(struct walker *w, struct job *job)
{
	enum err e;

	pthread_mutex_lock(&w->lock);
	e = job_store(w->b, job);
	if (e == ERR_OK)
		e = append(w, job);
	if (e == ERR_OK)
		forget_old(w);
	pthread_mutex_unlock(&w->lock);
	if (e != ERR_OK)
		job_free(job);
	else
		walker_kick(w);
	return e;
}

/* The oldest that can go on; it becomes the active one. */
static struct job *next_job(struct walker *w)
{
	struct job *found = NULL;

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->count && !found; i++)
		if (!job_is_over(w->jobs[i]) && w->jobs[i]->status != JOB_PAUSED)
			found = w->jobs[i];
	w->active = found;
	atomic_store(&w->wish, 0);
	pthread_mutex_unlock(&w->lock);
	return found;
}

/* --- the loop -------------------------------------------------------------------------------------- */

static void take_drifted(struct walker *w)
{
	char **paths;
	size_t count;

	pthread_mutex_lock(&w->queue_lock);
	paths = w->drifted;
	count = w->drifted_count;
	w->drifted = NULL;
	w->drifted_count = w->drifted_room = 0;
	pthread_mutex_unlock(&w->queue_lock);
	for (size_t i = 0; i < count; i++) {
		struct location at;

		if (location_open(w->b, paths[i], &at) == ERR_OK && at.is_directory) {
			struct job *job = job_new(JOB_DRIFT);

			if (job) {
				memcpy(job->scope_id, at.id, UUID_LEN);
				if (strlen(at.path) < sizeof(job->scope_path))
					strcpy(job->scope_path, at.path);
				walker_add_job(w, job);
			}
		}
		location_release(&at);
	}
	if (count)
		run_drifted(w, paths, count);
	for (size_t i = 0; i < count; i++)
		free(paths[i]);
	free(paths);
}

static void run_one(struct walker *w, struct job *job)
{
	uint8_t from[KEY_ID_LEN];
	int scan, forget;

	run_job(w, job);
	pthread_mutex_lock(&w->lock);
	w->active = NULL;
	atomic_store(&w->wish, 0);
	scan = job->has_from && job->reason != JOB_BY_PERSON && (job_is_over(job) || job->status == JOB_PAUSED);
	memcpy(from, job->from.key_id, KEY_ID_LEN);
	/* A rename that went well is no news. */
	forget = job->kind == JOB_DRIFT && job->status == JOB_COMPLETE;
	for (size_t i = 0; forget && i < w->count; i++)
		if (w->jobs[i] == job) {
			memmove(&w->jobs[i], &w->jobs[i + 1], (--w->count - i) * sizeof(*w->jobs));
			job_remove(w->b, job->id);
			job_free(job);
			break;
		}
	pthread_mutex_unlock(&w->lock);
	if (scan && !atomic_load(&w->stopping) && keymgr_key_state(w->k, from) == KEY_PENDING_DELETION) {
		enum err e = automatic_scan(w, from);

		if (e != ERR_OK)
			log_warning("the scan for a key that is pending deletion failed: %s", err_message(e));
	}
}

/* All that can be done now. */
static void work(struct walker *w)
{
	struct job *job;

	while (!atomic_load(&w->stopping)) {
		automatic_look(w);
		take_drifted(w);
		job = limits_open(w) ? next_job(w) : NULL;
		if (!job)
			break;
		run_one(w, job);
	}
}

static void *loop(void *argument)
{
	struct walker *w = argument;

	while (!atomic_load(&w->stopping)) {
		struct timespec until;

		work(w);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += LOOK_SECONDS;
		pthread_mutex_lock(&w->queue_lock);
		while (!w->kicked && !atomic_load(&w->stopping))
			if (pthread_cond_timedwait(&w->wake, &w->queue_lock, &until) != 0)
				break;
		w->kicked = 0;
		pthread_mutex_unlock(&w->queue_lock);
	}
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------------ */

static int load_one(void *context, struct job *job)
{
	struct walker *w = context;

	if (append(w, job) == ERR_OK)
		return 0;
	job_free(job);
	return 1;
}

static int by_age(const void *a, const void *b)
{
	const struct job *left = *(struct job *const *)a, *right = *(struct job *const *)b;

	if (left->created != right->created)
		return left->created < right->created ? -1 : 1;
	return memcmp(left->id, right->id, UUID_LEN);
}

enum err walker_open(struct tree *t, struct walker **out)
{
	struct walker *w = calloc(1, sizeof(*w));
	enum err e;

	*out = w;
	if (!w)
		return ERR_NO_MEMORY;
	w->tree = t;
	w->b = tree_bucket(t);
	w->k = key_ring_keymgr(w->b->ring);
	pthread_mutex_init(&w->lock, NULL);
	pthread_mutex_init(&w->queue_lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	e = w->b->mode == BUCKET_READ_WRITE ? job_load_all(w->b, load_one, w)
					    : err_set(ERR_REFUSED, "jobs need the bucket open for writing");
	if (w->count)
		qsort(w->jobs, w->count, sizeof(*w->jobs), by_age);
	if (e != ERR_OK) {
		walker_stop(w);
		*out = NULL;
	}
	return e;
}

enum err walker_start(struct tree *t, struct walker **out)
{
	enum err e = walker_open(t, out);
	int failed;

	if (e != ERR_OK)
		return e;
	failed = pthread_create(&(*out)->thread, NULL, loop, *out);
	(*out)->threaded = !failed;
	if (failed) {
		walker_stop(*out);
		*out = NULL;
		return (enum err)(ERR_ERRNO + failed);
	}
	return ERR_OK;
}

void walker_stop(struct walker *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->queue_lock);
	atomic_store(&w->stopping, 1);
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->queue_lock);
	if (w->threaded)
		pthread_join(w->thread, NULL);
	for (size_t i = 0; i < w->count; i++)
		job_free(w->jobs[i]);
	for (size_t i = 0; i < w->drifted_count; i++)
		free(w->drifted[i]);
	free(w->jobs);
	free(w->drifted);
	pthread_mutex_destroy(&w->lock);
	pthread_mutex_destroy(&w->queue_lock);
	pthread_cond_destroy(&w->wake);
	free(w);
}

void walker_kick(struct walker *w)
{
	pthread_mutex_lock(&w->queue_lock);
	w->kicked = 1;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->queue_lock);
}

void walker_drift(struct walker *w, struct node *n)
{
	char *path = tree_path(w->tree, n);

	if (!path)
		return;
	pthread_mutex_lock(&w->queue_lock);
	if (w->drifted_count == w->drifted_room && w->drifted_room < DRIFTED_MAX) {
		size_t room = w->drifted_room ? 2 * w->drifted_room : 16;
		char **wider = realloc(w->drifted, room * sizeof(*wider));

		if (wider) {
			w->drifted = wider;
			w->drifted_room = room;
		}
	}
	if (w->drifted_count < w->drifted_room)
		w->drifted[w->drifted_count++] = path;
	else
		free(path);
	w->kicked = 1;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->queue_lock);
}

int walker_busy(struct walker *w)
{
	int busy = 0;

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->count; i++)
		busy |= !job_is_over(w->jobs[i]) && w->jobs[i]->status != JOB_PAUSED;
	pthread_mutex_unlock(&w->lock);
	return busy;
}

/* What stands in the way of a job that did not end well, in one sentence. */
static enum err stuck_error(struct walker *w, int64_t since)
{
	enum err e = ERR_OK;

	pthread_mutex_lock(&w->lock);
	for (size_t i = w->count; i-- > 0 && e == ERR_OK;) {
		struct job *j = w->jobs[i];
		const char *reason;
		json_t *shown;

		if (j->reason == JOB_BY_PERSON || !(j->status == JOB_PAUSED || (j->status == JOB_FAILED && j->ended >= since)))
			continue;
		shown = walker_job_json(w, j);
		reason = json_string_value(json_object_get(shown, "Reason"));
		e = err_set(ERR_REFUSED, "a job is %s: %s", job_status_name(j->status), reason ? reason : "");
		json_decref(shown);
	}
	pthread_mutex_unlock(&w->lock);
	return e;
}

enum err walker_run(struct walker *w, void (*report)(void *context, const json_t *job), void *context)
{
	struct due_summary due = { 0 };
	int64_t since = clock_now();
	enum err e, stuck;

	w->report = report;
	w->report_context = context;
	w->looked = 0;
	work(w);
	w->report = NULL;
	e = keymgr_run_due(w->k, &due);
	if (e == ERR_OK && due.destroyed)
		automatic_look(w);
	stuck = stuck_error(w, since);
	return e != ERR_OK ? e : stuck;
}
