/* One job: what it wants of each file, its passes, its end. */
#include "fs/walker/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file_io.h"
#include "base/log.h"
#include "fs/bucket/record.h"

#define PASSES_MAX 16
#define STORE_MILLISECONDS 5000
#define REPORT_MILLISECONDS 200

int run_must_leave(const struct run *r)
{
	return atomic_load(&r->w->stopping) || (r->job && atomic_load(&r->w->wish)) || (r->job && !r->counting && !limits_open(r->w));
}

/* --- what is told while it runs ------------------------------------------------------------ */

static void tell(struct run *r, int now)
{
	struct walker *w = r->w;
	int64_t at = walker_milliseconds();
	json_t *shown = NULL;

	pthread_mutex_lock(&w->lock);
	if (r->job && (now || at - w->stored >= STORE_MILLISECONDS)) {
		walker_store_job(w, r->job);
		w->stored = at;
	}
	if (r->job && w->report && (now || at - w->reported >= REPORT_MILLISECONDS)) {
		shown = walker_job_json(w, r->job);
		w->reported = at;
	}
	pthread_mutex_unlock(&w->lock);
	if (shown)
		w->report(w->report_context, shown);
	json_decref(shown);
}

void run_moved(struct run *r, uint64_t bytes)
{
	if (!r->job)
		return;
	pthread_mutex_lock(&r->w->lock);
	r->job->bytes += bytes;
	if (r->job->bytes_total < r->job->bytes)
		r->job->bytes_total = r->job->bytes;
	pthread_mutex_unlock(&r->w->lock);
	tell(r, 0);
}

static void report_row(struct run *r, const char *path, enum err e, const char *error, uint64_t bytes)
{
	if (r->report_fd >= 0)
		dprintf(r->report_fd, "%s\t%s\t%llu\t%s\n", path, e == ERR_OK ? "succeeded" : "failed", (unsigned long long)bytes, error);
}

enum err run_failed(struct run *r, const char *path, enum err why)
{
	char text[256];
	enum err e = ERR_OK;

	walker_text(text, sizeof(text), err_message(why));
	if (r->counting) {
		r->count_unreadable++;
		return ERR_OK;
	}
	log_warning("%s was not brought under another key: %s", path, text);
	if (r->job) {
		pthread_mutex_lock(&r->w->lock);
		e = job_add_failure(r->job, path, text);
		pthread_mutex_unlock(&r->w->lock);
	}
	report_row(r, path, why, text, 0);
	return e;
}

enum err run_item_done(struct run *r, const struct batch_item *item)
{
	struct job *j = r->job;

	if (item->e != ERR_OK)
		return run_failed(r, item->path, err_set(item->e, "%s", item->error));
	r->done++;
	report_row(r, item->path, ERR_OK, "", item->size);
	if (!j)
		return ERR_OK;
	pthread_mutex_lock(&r->w->lock);
	j->files++;
	if (j->files_total < j->files)
		j->files_total = j->files;
	pthread_mutex_unlock(&r->w->lock);
	/* A rewrap moves no bytes, and counts as if it did. */
	run_moved(r, item->size > item->moved ? item->size - item->moved : 0);
	return ERR_OK;
}

/* --- one file --------------------------------------------------------------------------------- */

struct verdict { int wanted; struct key_ref to; enum migrate_mode mode; int force; };

/* A file that was rewrapped when a person opened it is still due for a new file key; one whose re-encryption has begun goes on without a third. */
static int wants_new_key(const struct file_keys *keys, const struct job *j)
{
	const uint8_t *material = j->has_from_material ? j->from.material_id : NULL;

	if (j->mode != MIGRATE_REENCRYPT || !j->has_from || keys->copies[0].slot_count != 1)
		return 0;
	return key_slot_names(&keys->copies[0].slots[0], j->from.key_id, material) ||
	       (keys->count == 2 && keys->copies[1].slot_count == 1 && key_slot_names(&keys->copies[1].slots[0], j->from.key_id, material));
}

static enum err note_nowhere(struct run *r, const char *path, const struct policy *policy)
{
	r->nowhere++;
	if (r->nowhere_path)
		return ERR_OK;
	memcpy(r->nowhere_policy, policy->dir_id, UUID_LEN);
	r->nowhere_path = strdup(path);
	return r->nowhere_path ? ERR_OK : ERR_NO_MEMORY;
}

/* A header copy that is damaged is made whole by a rewrap under the key that the file has. */
static enum err judge_damaged(struct run *r, const struct file_keys *keys, struct verdict *v)
{
	const struct target *own;
	char text[UUID_TEXT_LEN + 1];
	const struct file_header *h = &keys->copies[0];
	enum err e;

	uuid_text(h->slots[h->slot_count - 1].key_id, text);
	e = targets_get(&r->targets, r->w->k, text, &own);
	if (e != ERR_OK || own->e != ERR_OK)
		return e;
	*v = (struct verdict){ .wanted = 1, .to = own->ref, .mode = MIGRATE_REWRAP };
	return ERR_OK;
}

static enum err judge(struct run *r, const struct file_keys *keys, const char *path, const struct policy *policy, struct verdict *v)
{
	const struct job *j = r->job;
	int renamed = !j || j->kind == JOB_DRIFT;	/* any backing key of the policy's CMK will do */
	const struct target *target;
	enum err e;

	memset(v, 0, sizeof(*v));
	if (j && j->kind == JOB_ROTATION && memcmp(policy->dir_id, j->scope_id, UUID_LEN) != 0)
		return ERR_OK;
	if (j && j->has_from && !file_keys_name(keys, j->from.key_id, j->has_from_material ? j->from.material_id : NULL))
		return keys->damaged ? judge_damaged(r, keys, v) : ERR_OK;
	e = targets_get(&r->targets, r->w->k, j && j->to[0] ? j->to : policy->key, &target);
	if (e != ERR_OK)
		return e;
	if (target->e != ERR_OK)
		return note_nowhere(r, path, policy);
	if (!file_keys_differ(keys, &target->ref, renamed))
		return ERR_OK;
	*v = (struct verdict){ .wanted = 1, .to = target->ref, .mode = j ? j->mode : MIGRATE_REENCRYPT };
	v->force = j && wants_new_key(keys, j);
	return ERR_OK;
}

static enum err take(struct run *r, const struct walk_entry *entry, const struct file_keys *keys, const struct verdict *v)
{
	struct batch_item item = { .mode = v->mode, .force = v->force, .size = keys->size };
	enum err e;

	r->found++;
	if (r->counting) {
		r->count_files++;
		r->count_bytes += keys->size;
		return ERR_OK;
	}
	e = tree_content(r->w->tree, entry->dir_fd, entry->name, &item.c);
	if (e == ERR_NOT_FOUND || e == (enum err)(ERR_ERRNO + ENOENT))
		return ERR_OK;
	if (e != ERR_OK)
		return run_failed(r, entry->path, e);
	memcpy(item.to, v->to.key_id, KEY_ID_LEN);
	return batch_add(r, &item, entry->path);
}

static enum err take_entry(void *context, const struct walk_entry *entry)
{
	struct run *r = context;
	struct file_keys keys;
	struct verdict v;
	enum err e;

	if (run_must_leave(r))
		return ERR_CANCELLED;
	if (entry->kind == WALK_UNREADABLE)
		return run_failed(r, entry->path, entry->error);
	if (entry->kind != WALK_FILE || entry->again)
		return ERR_OK;
	e = file_keys_read(entry->dir_fd, entry->name, &entry->st, &keys);
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e == ERR_OK && keys.damaged && !keys.count && !entry->reserved)
		e = ERR_FORMAT;
	if (e != ERR_OK)
		return run_failed(r, entry->path, e);
	if (!keys.count)	/* empty, or a file of the bucket's own */
		return ERR_OK;
	e = judge(r, &keys, entry->path, entry->policy, &v);
	return e == ERR_OK && v.wanted ? take(r, entry, &keys, &v) : e;
}

/* --- open files that no walk meets ------------------------------------------------------------- */

static int flush_open(void *context, struct content *c)
{
	content_flush(c);
	return 0;
}

struct leftovers { struct run *r; struct content *list[BATCH_FILES]; unsigned count; };

static int collect_open(void *context, struct content *c)
{
	struct leftovers *l = context;
	const struct job *j = l->r->job;
	struct content_keys keys;

	content_get_keys(c, &keys);
	for (unsigned i = 0; i < keys.count; i++)
		if (memcmp(keys.refs[i].key_id, j->from.key_id, KEY_ID_LEN) == 0 &&
		    (!j->has_from_material || memcmp(keys.refs[i].material_id, j->from.material_id, MATERIAL_ID_LEN) == 0)) {
			l->list[l->count++] = content_hold(c);
			break;
		}
	return l->count == BATCH_FILES;
}

/* Open files without a name: no directory's policy governs them, so they go where the root's files go.  Only of a key that nothing new comes under,
 * and once no file with a name is left under it: then what is still open has none. */
static enum err take_unlinked(struct run *r)
{
	struct leftovers l = { .r = r };
	struct location root;
	const struct target *target;
	enum err e = location_open(r->w->b, "", &root);

	if (e == ERR_OK)
		e = targets_get(&r->targets, r->w->k, r->job->to[0] ? r->job->to : root.policy.key, &target);
	location_release(&root);
	if (e != ERR_OK || target->e != ERR_OK)
		return e;
	content_each(r->w->b, collect_open, &l);
	for (unsigned i = 0; i < l.count; i++) {
		struct batch_item item = { .c = l.list[i], .held = 1, .mode = r->job->mode, .size = content_size(l.list[i]) };

		r->found++;
		memcpy(item.to, target->ref.key_id, KEY_ID_LEN);
		if (e == ERR_OK)
			e = batch_add(r, &item, "an open file");
		else
			content_free(item.c);
	}
	return e == ERR_OK ? batch_run(r) : e;
}

/* --- the names key ----------------------------------------------------------------------------------- */

static int slot_wanted(const struct job *j, const struct key_slot *slot, const struct key_ref *to)
{
	if (j->has_from)
		return key_slot_names(slot, j->from.key_id, j->has_from_material ? j->from.material_id : NULL) &&
		       !key_slot_names(slot, to->key_id, to->material_id);
	return !key_slot_names(slot, to->key_id, to->material_id);
}

/* Under the key of the root's policy; a job that names a target gives it that where the policy's is the one to be left. */
static enum err take_names_key(struct run *r)
{
	struct bucket *b = r->w->b;
	struct record *record = malloc(sizeof(*record));
	const struct target *target = NULL;
	struct location root;
	int wanted = 0;
	enum err e = location_open(b, "", &root);

	if (e == ERR_OK)
		e = targets_get(&r->targets, r->w->k, root.policy.key, &target);
	if (e == ERR_OK && r->job->to[0] &&
	    (target->e != ERR_OK || (r->job->has_from && memcmp(target->ref.key_id, r->job->from.key_id, KEY_ID_LEN) == 0)))
		e = targets_get(&r->targets, r->w->k, r->job->to, &target);
	if (e == ERR_OK && !record)
		e = ERR_NO_MEMORY;
	if (e == ERR_OK) {
		pthread_mutex_lock(&b->state_lock);
		e = record_load(b->root_fd, 0, record, NULL);
		pthread_mutex_unlock(&b->state_lock);
	}
	for (unsigned i = 0; e == ERR_OK && i < record->count; i++)
		wanted |= slot_wanted(r->job, &record->slots[i].state.names_slot, &target->ref);
	if (e == ERR_OK && wanted && target->e != ERR_OK)
		e = note_nowhere(r, "", &root.policy);
	else if (e == ERR_OK && wanted) {
		r->found++;
		e = bucket_rewrap_names_key(b, target->ref.key_id, 1);
		if (e != ERR_OK)
			e = run_failed(r, STATE_NAME, e);
		else
			r->done++;
	}
	location_release(&root);
	free(record);
	return e;
}

/* --- passes ---------------------------------------------------------------------------------------------- */

static int whole_bucket(const struct run *r)
{
	return !r->job->scope_is_file && memcmp(r->job->scope_id, r->w->b->root_dir_id, UUID_LEN) == 0;
}

static enum err pass(struct run *r)
{
	struct location scope;
	enum err e;

	r->found = r->done = r->nowhere = 0;
	free(r->nowhere_path);
	r->nowhere_path = NULL;
	targets_release(&r->targets);
	e = location_find(r->w->b, r->job->scope_id, r->job->scope_is_file, r->job->scope_path, &scope);
	if (e != ERR_OK) {
		location_release(&scope);
		return e;
	}
	content_each(r->w->b, flush_open, NULL);
	/* What was written since the last checkpoint would be synced file by file before its first block moves. */
	if (!r->counting && content_checkpoint_due())
		content_checkpoint(r->w->b);
	if (!r->counting && whole_bucket(r))
		e = take_names_key(r);
	if (e == ERR_OK)
		e = location_walk(r->w->b, &scope, take_entry, r);
	if (e == ERR_OK && !r->counting)
		e = batch_run(r);
	else if (e != ERR_OK && r->batch.count)
		batch_run(r);		/* gives back what it holds */
	location_release(&scope);
	return e;
}

/* Until a pass finds nothing that could be moved, and no rename overtook it. */
static enum err passes(struct run *r)
{
	enum err e = ERR_OK;

	for (unsigned i = 0; i < PASSES_MAX && e == ERR_OK; i++) {
		uint64_t moves = tree_moves(r->w->tree);

		pthread_mutex_lock(&r->w->lock);
		job_clear_failures(r->job);
		pthread_mutex_unlock(&r->w->lock);
		e = pass(r);
		if (e == ERR_OK && !r->done && !r->nowhere && !r->job->failed && r->job->has_from && whole_bucket(r) &&
		    keymgr_key_state(r->w->k, r->job->from.key_id) == KEY_PENDING_DELETION)
			e = take_unlinked(r);
		if (e == ERR_OK && !r->done && tree_moves(r->w->tree) == moves)
			break;
	}
	return e;
}

/* --- a job's states ------------------------------------------------------------------------------------------ */

static void set_status(struct run *r, enum job_status to, enum job_reason reason)
{
	enum err e;

	pthread_mutex_lock(&r->w->lock);
	e = job_move(r->job, to, reason);
	pthread_mutex_unlock(&r->w->lock);
	if (e != ERR_OK)
		log_error("a job cannot go on: %s", err_message(e));
	tell(r, 1);
}

static void open_report(struct run *r)
{
	char name[UUID_TEXT_LEN + sizeof(".report")];
	int dir;

	r->report_fd = -1;
	if (!r->job->report || job_directory(r->w->b, 1, &dir) != ERR_OK)
		return;
	uuid_text(r->job->id, name);
	strcat(name, ".report");
	r->report_fd = openat(dir, name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (r->report_fd < 0)
		log_error("the report of a job cannot be written: %s", err_text(err_errno()));
	close(dir);
}

/* Where the policy lies, for the message: the walk knows its directory's id only. */
static void set_nowhere(struct run *r)
{
	struct location dir = { .dir_fd = -1 };
	char hint[JOB_PATH_MAX], *slash;

	snprintf(hint, sizeof(hint), "%s", r->nowhere_path);
	while ((slash = strrchr(hint, '/'))) {
		*slash = 0;
		if (location_open_cipher(r->w->b, hint, &dir) == ERR_OK && memcmp(dir.id, r->nowhere_policy, UUID_LEN) == 0)
			break;
		location_release(&dir);
	}
	pthread_mutex_lock(&r->w->lock);
	snprintf(r->job->reason_path, sizeof(r->job->reason_path), "%s", dir.path ? dir.path : "");
	snprintf(r->job->reason_text, sizeof(r->job->reason_text), "%s", r->job->to);
	pthread_mutex_unlock(&r->w->lock);
	location_release(&dir);
}

static void end_with_error(struct run *r, enum err e)
{
	pthread_mutex_lock(&r->w->lock);
	walker_text(r->job->reason_text, sizeof(r->job->reason_text), err_message(e));
	pthread_mutex_unlock(&r->w->lock);
	set_status(r, JOB_FAILED, e == ERR_NOT_FOUND ? JOB_GONE : JOB_ERROR);
}

/* A key's migration waits for what stands in its way; all else ends and says so. */
static void end(struct run *r)
{
	enum job_status stuck = r->job->kind == JOB_DELETION ? JOB_PAUSED : JOB_FAILED;

	if (r->nowhere) {
		set_nowhere(r);
		set_status(r, stuck, JOB_NOWHERE);
	} else if (r->job->failed) {
		set_status(r, stuck, JOB_UNREADABLE);
	} else {
		set_status(r, JOB_COMPLETE, JOB_NO_REASON);
	}
}

static enum err prepare(struct run *r)
{
	enum err e;

	if (r->job->status == JOB_NEW)
		set_status(r, JOB_PREPARING, JOB_NO_REASON);
	if (r->job->status != JOB_PREPARING)
		return ERR_OK;
	r->counting = 1;
	e = pass(r);
	r->counting = 0;
	if (e != ERR_OK)
		return e;
	pthread_mutex_lock(&r->w->lock);
	r->job->files_total = r->job->files + r->count_files;
	r->job->bytes_total = r->job->bytes + r->count_bytes;
	pthread_mutex_unlock(&r->w->lock);
	set_status(r, JOB_READY, JOB_NO_REASON);
	return ERR_OK;
}

void run_job(struct walker *w, struct job *job)
{
	struct run *r = calloc(1, sizeof(*r));
	enum job_status wish;
	enum err e;

	if (!r)
		return;
	r->w = w;
	r->job = job;
	open_report(r);
	e = prepare(r);
	if (e == ERR_OK && job->status == JOB_READY)
		set_status(r, JOB_ACTIVE, JOB_NO_REASON);
	if (e == ERR_OK)
		e = passes(r);
	wish = (enum job_status)atomic_load(&w->wish);
	if (e == ERR_CANCELLED && wish)
		set_status(r, wish, JOB_BY_PERSON);
	else if (e == ERR_CANCELLED)
		tell(r, 1);		/* the walker stops, or its hours are over: it goes on from here */
	else if (e != ERR_OK)
		end_with_error(r, e);
	else
		end(r);
	run_release(r);
	free(r);
}

enum err run_count(struct walker *w, const struct job *job, struct run *out)
{
	memset(out, 0, sizeof(*out));
	out->w = w;
	out->job = (struct job *)job;	/* counting changes nothing in it */
	out->report_fd = -1;
	out->counting = 1;
	return pass(out);
}

void run_drifted(struct walker *w, char **paths, size_t count)
{
	struct run *r = calloc(1, sizeof(*r));
	struct location at;
	enum err e = r ? ERR_OK : ERR_NO_MEMORY;

	if (r) {
		r->w = w;
		r->report_fd = -1;
	}
	content_each(w->b, flush_open, NULL);
	for (size_t i = 0; i < count && e == ERR_OK; i++) {
		if (location_open(w->b, paths[i], &at) == ERR_OK && !at.is_directory)
			e = location_walk(w->b, &at, take_entry, r);
		location_release(&at);
	}
	if (r)
		e = e == ERR_OK ? batch_run(r) : (batch_run(r), e);
	if (e != ERR_OK && e != ERR_CANCELLED)
		log_error("files that were renamed are not yet under their new directory's key: %s", err_text(e));
	if (r)
		run_release(r);
	free(r);
}

void run_release(struct run *r)
{
	targets_release(&r->targets);
	free(r->nowhere_path);
	if (r->report_fd >= 0)
		close(r->report_fd);
}
