/*
 * The inside of the walker: shared by the files of fs/walker alone.
 *
 * One thread runs jobs (walker_loop.c); it alone changes a job that is `active`, and takes `lock` for it, so that status can be read.  Lock order:
 * lock, queue_lock; never hold either while calling tree, content or the key manager, but for job files being stored under `lock`.
 */
#ifndef REKEYFS_FS_WALKER_RUN_H
#define REKEYFS_FS_WALKER_RUN_H

#include <pthread.h>
#include <stdatomic.h>
#include "fs/check/file_keys.h"
#include "fs/check/location.h"
#include "fs/walker/walker.h"

#define BATCH_FILES 512	/* less where few files may be open */
#define BATCH_BYTES ((uint64_t)64 << 20)
#define PENDING_MAX 64

/* A key in PendingDeletion, as this walker deals with it. */
struct pending_key {
	uint8_t key_id[KEY_ID_LEN];
	int64_t deletion_date;
	int64_t scanned;	/* clock_now() when the last scan began; 0: none */
	int clean;		/* it found nothing */
	int seen;		/* by the look under way */
};

struct walker {
	struct tree *tree;
	struct bucket *b;
	struct keymgr *k;
	pthread_t thread;
	int threaded;
	pthread_mutex_t lock;		/* guards jobs, their fields and active */
	struct job **jobs;		/* the oldest first */
	size_t count, room;
	struct job *active;
	pthread_mutex_t queue_lock;	/* guards kicked, drifted; and the condition */
	pthread_cond_t wake;
	int kicked;
	char **drifted;			/* plain paths */
	size_t drifted_count, drifted_room;
	atomic_int stopping;
	atomic_int wish;		/* enum job_status that a person wants for `active`: JOB_PAUSED or JOB_CANCELLED; 0 none */
	atomic_uint_fast64_t bandwidth;	/* struct walker_limits */
	atomic_uint from, until;
	/* the running thread's own: */
	struct pending_key pending[PENDING_MAX];
	unsigned pending_count;
	uint64_t fingerprint;		/* of what the policies' keys were at the last look */
	int64_t looked;			/* clock_now() of the last retry of paused jobs */
	int64_t stored;			/* CLOCK_MONOTONIC ms of the active job's last store */
	int64_t reported;
	void (*report)(void *context, const json_t *job);
	void *report_context;
};

/* --- targets.c: the key that a file is to be under ------------------------------------- */

struct target {
	char key[POLICY_KEY_MAX + 1];
	enum err e;			/* ERR_OK, or why nothing can be encrypted under it */
	char reason[256];
	struct key_ref ref;		/* its CMK and current material */
};
struct targets { struct target *list; size_t count, room; };
/* Resolved at most once until the set is released. */
enum err targets_get(struct targets *t, struct keymgr *k, const char *key, const struct target **out);
void targets_release(struct targets *t);

/* --- batch.c ----------------------------------------------------------------------------- */

struct batch_item {
	struct content *c;
	char *path;			/* cipher path */
	uint8_t to[KEY_ID_LEN];
	enum migrate_mode mode;
	int force;			/* at the first step */
	int held;			/* content_hold's, not tree_content's */
	int begun, done;
	enum err e;
	char error[256];
	uint64_t size, moved;
};
struct batch { struct batch_item items[BATCH_FILES]; unsigned count, max; uint64_t bytes; };

struct run;
/* Takes what `item` names for itself (its content also on failure); `path` is copied. */
enum err batch_add(struct run *r, const struct batch_item *item, const char *path);
/* Migrates what is in it to the end and empties it.  ERR_CANCELLED where the walker was told to stop (files stay as far as they are). */
enum err batch_run(struct run *r);

/* --- run.c: one job -------------------------------------------------------------------------- */

struct run {
	struct walker *w;
	struct job *job;		/* NULL: files that a rename brought here */
	struct targets targets;
	struct batch batch;
	int report_fd;			/* -1: none */
	int counting;			/* only add up what there is to do */
	uint64_t found;			/* files that this pass found to be moved */
	uint64_t count_files, count_bytes, count_unreadable;
	uint64_t done;			/* files that this pass moved */
	uint64_t nowhere;		/* files whose policy names a key that cannot encrypt */
	char *nowhere_path;		/* cipher path of the first */
	uint8_t nowhere_policy[UUID_LEN];	/* directory of that policy */
	struct timespec paced;		/* bandwidth: since when, and what was moved */
	uint64_t paced_bytes;
};

/* Runs it until it is over, paused, or the walker stops; moves its status. */
void run_job(struct walker *w, struct job *job);
/* Counts only. */
enum err run_count(struct walker *w, const struct job *job, struct run *out);
/* The files of these plain paths under the keys that their policies name, as far as they are not. */
void run_drifted(struct walker *w, char **paths, size_t count);
void run_release(struct run *r);
/* 1 where the thread is to leave off: the walker stops, or a person wants the job otherwise. */
int run_must_leave(const struct run *r);
/* A file of the batch ended: counts, report, failure. */
enum err run_item_done(struct run *r, const struct batch_item *item);
void run_moved(struct run *r, uint64_t bytes);
/* The file's content is under the names of what `e` says. */
enum err run_failed(struct run *r, const char *path, enum err e);

/* --- automatic.c ------------------------------------------------------------------------------ */

/* Jobs for pending keys and rotations; paused jobs that can go on; scans that are due. */
void automatic_look(struct walker *w);
/* After a deletion job: the scan, and its report to the key manager. */
enum err automatic_scan(struct walker *w, const uint8_t key_id[static KEY_ID_LEN]);

/* --- limits.c -------------------------------------------------------------------------------- */

/* 1 where jobs may run at this time of the day. */
int limits_open(struct walker *w);
uint64_t limits_bandwidth(struct walker *w, const struct job *job /* or NULL */);
/* "22:00 to 06:00" */
void limits_text(struct walker *w, char *out, size_t room);

/* --- walker.c --------------------------------------------------------------------------------- */

/* Takes `job`, also on failure. */
enum err walker_add_job(struct walker *w, struct job *job);
/* Under the lock. */
void walker_store_job(struct walker *w, struct job *job);
int64_t walker_milliseconds(void);	/* CLOCK_MONOTONIC */
/* ASCII only, cut to the room: what goes into a job file. */
void walker_text(char *out, size_t room, const char *text);
json_t *walker_job_json(struct walker *w, const struct job *job);	/* under the lock */

#endif
