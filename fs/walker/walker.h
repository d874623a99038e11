/*
 * The walker: brings files under other keys while they stay in use.
 *
 * One thread in the mount (walker_start), or the caller's (walker_open and walker_run, when nothing is mounted).  It runs one job at a time;
 * a job goes over the lower tree in passes, takes files in batches, steps each by content_migrate_step, makes a batch durable with one syncfs, and
 * ends when a pass has found nothing left.  Where a job stands is in the files: a job that was cut, at any point, walks again and resumes.
 *
 * It makes jobs of its own as well: for a key that is pending deletion (every file to the key that its policy now names; then the scan that the
 * deletion waits for), after a rotation where a policy asks for it, and for what a rename brought under another policy.
 *
 * Calling order: walker_start or walker_open after tree_new and before tree_set_events; walker_stop before tree_free.  All functions but
 * these three may be called by any thread.
 */
#ifndef REKEYFS_FS_WALKER_WALKER_H
#define REKEYFS_FS_WALKER_WALKER_H

#include <jansson.h>
#include <stdint.h>
#include "base/error.h"
#include "fs/tree/tree.h"
#include "fs/walker/job.h"

struct walker;

/* Loads the jobs that lie in the bucket and starts the thread; the bucket must be open read-write. */
enum err walker_start(struct tree *t, struct walker **out);
/* The same without a thread: walker_run works. */
enum err walker_open(struct tree *t, struct walker **out);
/* Lets the step under way end (at most a few seconds), stores the jobs, frees.  NULL is fine. */
void walker_stop(struct walker *w);

/* What jobs keep to that say nothing else themselves. */
struct walker_limits {
	uint64_t bandwidth;		/* bytes a second, 0: no limit */
	unsigned from, until;		/* minutes of the local day in which jobs run; equal: always */
};
/* "22:00-06:00".  ERR_USAGE. */
enum err walker_parse_hours(const char *text, struct walker_limits *out);
/* Before the first kick, or at any time. */
void walker_set_limits(struct walker *w, const struct walker_limits *limits);

/* Keys, policies or time may have changed: look again soon (the thread looks by itself every 60 s).  Cheap, never blocks for long. */
void walker_kick(struct walker *w);
/* For tree_events.drift: what `n` holds came under another policy.  Only queues; `n` is looked at before it returns. */
void walker_drift(struct walker *w, struct node *n);

/* Without a thread: do all that is due, jobs, scans and the key manager's due work, until nothing is left that can go on.  `report` (may be NULL) is called
 * now and then with the job under way (walker_job's shape).  The first error of a job that failed. */
enum err walker_run(struct walker *w, void (*report)(void *context, const json_t *job), void *context);

/* 1 while a job is under way or waits for its turn: an idle mount stays. */
int walker_busy(struct walker *w);

/* What a person asks for. */
struct job_request {
	const char *path;	/* plain, relative to the bucket's root; "" is all of it */
	const char *from;	/* KEY or KEY:MATERIAL, or NULL: whatever is not under its target */
	const char *to;		/* KEY, or NULL: the one that each file's policy names */
	enum migrate_mode mode;
	uint64_t bandwidth;	/* bytes a second, 0: no limit */
	int report;		/* keep a row for each file (walker_report) */
};
/* Checks, stores and queues a job.  ERR_NOT_FOUND (path), ERR_KEY_NOT_FOUND, ERR_KEY_STATE (target cannot encrypt), ERR_VALIDATION. */
enum err walker_submit(struct walker *w, const struct job_request *request, char id_out[static JOB_ID_LEN + 1]);
/* Counts what such a job would move: {"Files", "Bytes", "Unreadable"}. */
enum err walker_dry_run(struct walker *w, const struct job_request *request, json_t **out);

/* By a job's id or a beginning of it that only one has.  ERR_NOT_FOUND, ERR_REFUSED (its state does not allow it). */
enum err walker_pause(struct walker *w, const char *id);
enum err walker_resume(struct walker *w, const char *id);
enum err walker_cancel(struct walker *w, const char *id);

/* {"JobId", "Status", "Kind", "Mode", "Path", "From", "To", "Reason", "Progress": {"Files", "FilesTotal", "Bytes", "BytesTotal"}, "Failures", …}, with plain paths. */
enum err walker_job(struct walker *w, const char *id, json_t **out);
/* All of them, the newest first: {"Jobs": [...]}. */
json_t *walker_status(struct walker *w);
/* Rows of a job's completion report from `offset` on, at most `max`: {"Rows": [[path, "succeeded" or "failed", bytes, error]], "Next": offset or null}. */
enum err walker_report(struct walker *w, const char *id, uint64_t offset, unsigned max, json_t **out);

#endif
