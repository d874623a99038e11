/* What the walker does without being asked: keys that are pending deletion, rotations, jobs that waited. */
#include "fs/walker/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "fs/check/scan.h"

#define RETRY_SECONDS 3600

/* --- the state of keys and policies, as one number -------------------------------------------- */

static void mix(uint64_t *hash, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		*hash = (*hash ^ at[i]) * 0x100000001b3u;	/* FNV-1a: it only has to change */
}

static int mix_alias(void *context, const struct alias_entry *a)
{
	mix(context, a->name, strlen(a->name) + 1);
	mix(context, a->key_id, KEY_ID_LEN);
	return 0;
}

struct look { struct walker *w; uint64_t fingerprint; };

/* A pending key is noted, all others only change the fingerprint. */
static int look_at_key(void *context, const struct key_metadata *m)
{
	struct look *l = context;
	struct walker *w = l->w;
	struct pending_key *p = NULL;
	unsigned state = (unsigned)m->state | (unsigned)m->encrypt_refused << 8;

	mix(&l->fingerprint, m->key_id, KEY_ID_LEN);
	mix(&l->fingerprint, &state, sizeof(state));
	mix(&l->fingerprint, m->current_material, MATERIAL_ID_LEN);
	if (m->state != KEY_PENDING_DELETION || m->shred)
		return 0;
	for (unsigned i = 0; i < w->pending_count && !p; i++)
		if (memcmp(w->pending[i].key_id, m->key_id, KEY_ID_LEN) == 0)
			p = &w->pending[i];
	if (!p && w->pending_count < PENDING_MAX) {
		p = &w->pending[w->pending_count++];
		memset(p, 0, sizeof(*p));
		memcpy(p->key_id, m->key_id, KEY_ID_LEN);
	}
	if (p) {
		if (p->deletion_date != m->deletion_date)	/* cancelled and scheduled anew between two looks */
			p->scanned = p->clean = 0;
		p->deletion_date = m->deletion_date;
		p->seen = 1;
	}
	return 0;
}

static void drop_unseen(struct walker *w)
{
	for (unsigned i = 0; i < w->pending_count;)
		if (w->pending[i].seen)
			i++;
		else
			w->pending[i] = w->pending[--w->pending_count];
}

static struct pending_key *find_pending(struct walker *w, const uint8_t *key_id)
{
	for (unsigned i = 0; i < w->pending_count; i++)
		if (memcmp(w->pending[i].key_id, key_id, KEY_ID_LEN) == 0)
			return &w->pending[i];
	return NULL;
}

/* --- scans ---------------------------------------------------------------------------------------- */

static void log_scan(const struct scan_result *r)
{
	char key[UUID_TEXT_LEN + 1];

	uuid_text(r->report.key_id, key);
	if (scan_is_clean(r))
		log_info("nothing in this bucket needs CMK %s any more: %llu files scanned", key, (unsigned long long)r->report.files);
	else if (r->report.unreadable)
		log_warning("CMK %s: %llu references, %llu unreadable, the first %s: %s", key, (unsigned long long)r->report.references,
			    (unsigned long long)r->report.unreadable, r->report.first_unreadable, r->first_reason);
	else
		log_warning("CMK %s: %llu references, the first %s", key, (unsigned long long)r->report.references, r->first_reference);
}

enum err automatic_scan(struct walker *w, const uint8_t key_id[static KEY_ID_LEN])
{
	struct pending_key *p = find_pending(w, key_id);
	struct scan_result r;
	enum err e = scan_run(w->tree, key_id, NULL, &w->stopping, &r);

	if (e != ERR_OK) {
		if (p) {
			p->scanned = clock_now();	/* not again at once */
			p->clean = 0;
		}
		return e;
	}
	log_scan(&r);
	e = keymgr_report_scan(w->k, &r.report);
	if (p) {
		p->scanned = r.report.started;
		p->clean = e == ERR_OK && scan_is_clean(&r);
	}
	scan_result_release(&r);
	return e;
}

/* --- jobs for pending keys ----------------------------------------------------------------------------- */

/* Under the lock: the deletion job of a key that is not over. */
static struct job *deletion_job(struct walker *w, const uint8_t *key_id)
{
	for (size_t i = w->count; i-- > 0;)
		if (w->jobs[i]->kind == JOB_DELETION && !job_is_over(w->jobs[i]) && memcmp(w->jobs[i]->from.key_id, key_id, KEY_ID_LEN) == 0)
			return w->jobs[i];
	return NULL;
}

static void start_deletion_job(struct walker *w, const uint8_t *key_id)
{
	struct job *job = job_new(JOB_DELETION);
	enum err e = ERR_NO_MEMORY;

	if (job) {
		memcpy(job->scope_id, w->b->root_dir_id, UUID_LEN);
		job->has_from = 1;
		memcpy(job->from.key_id, key_id, KEY_ID_LEN);
		e = walker_add_job(w, job);
	}
	if (e != ERR_OK)
		log_error("the migration of a key that is pending deletion cannot begin: %s", err_message(e));
}

/* The deletion was cancelled, or has happened. */
static void end_deletion_jobs(struct walker *w)
{
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->count; i++) {
		struct job *job = w->jobs[i];

		if (job->kind != JOB_DELETION || job_is_over(job) || find_pending(w, job->from.key_id))
			continue;
		if (job_move(job, JOB_CANCELLED, JOB_NOT_PENDING) == ERR_OK)
			walker_store_job(w, job);
	}
	pthread_mutex_unlock(&w->lock);
}

/* What paused by itself is tried again when keys or policies changed, and each hour. */
static void resume_stuck(struct walker *w)
{
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->count; i++) {
		struct job *job = w->jobs[i];

		if (job->status == JOB_PAUSED && job->reason != JOB_BY_PERSON && job_move(job, JOB_NEW, JOB_NO_REASON) == ERR_OK)
			walker_store_job(w, job);
	}
	pthread_mutex_unlock(&w->lock);
}

static void look_at_pending(struct walker *w, struct pending_key *p, int again)
{
	int64_t now = clock_now();
	struct job *job;
	enum err e = ERR_OK;

	pthread_mutex_lock(&w->lock);
	job = deletion_job(w, p->key_id);
	pthread_mutex_unlock(&w->lock);
	if (job)
		return;
	if (!p->scanned || (!p->clean && again))
		start_deletion_job(w, p->key_id);
	/* The window has ended: what was put back meanwhile (from a backup) is seen before the key goes. */
	else if (p->clean && now >= p->deletion_date && p->scanned < p->deletion_date)
		e = automatic_scan(w, p->key_id);
	if (e != ERR_OK && e != ERR_CANCELLED)
		log_warning("the scan before a key is destroyed failed: %s", err_message(e));
}

/* --- rotations --------------------------------------------------------------------------------------------- */

struct rotations { struct policy *list; size_t count, room; };

static int collect_rotation(void *context, const struct policy *p)
{
	struct rotations *all = context;

	if (p->after_rotation == AFTER_ROTATION_NONE)
		return 0;
	if (all->count == all->room) {
		size_t room = all->room ? 2 * all->room : 8;
		struct policy *wider = realloc(all->list, room * sizeof(*wider));

		if (!wider)
			return 1;
		all->list = wider;
		all->room = room;
	}
	all->list[all->count++] = *p;
	return 0;
}

/* Under the lock: was this policy's directory brought to that material already (or is it being)? */
static int rotation_known(struct walker *w, const struct policy *p, const uint8_t *material)
{
	for (size_t i = w->count; i-- > 0;)
		if (w->jobs[i]->kind == JOB_ROTATION && memcmp(w->jobs[i]->scope_id, p->dir_id, UUID_LEN) == 0 &&
		    memcmp(w->jobs[i]->rotated_to, material, MATERIAL_ID_LEN) == 0)
			return 1;
	return 0;
}

static void look_at_rotation(struct walker *w, const struct policy *p)
{
	struct key_metadata m = { 0 };
	struct job *job = NULL;
	int known = 1;

	if (keymgr_describe_key(w->k, p->key, &m) == ERR_OK && m.state == KEY_ENABLED && !m.encrypt_refused && m.material_count > 1) {
		pthread_mutex_lock(&w->lock);
		known = rotation_known(w, p, m.current_material);
		pthread_mutex_unlock(&w->lock);
	}
	if (!known)
		job = job_new(JOB_ROTATION);
	if (job) {
		memcpy(job->scope_id, p->dir_id, UUID_LEN);
		job->has_from = 1;
		memcpy(job->from.key_id, m.key_id, KEY_ID_LEN);
		memcpy(job->rotated_to, m.current_material, MATERIAL_ID_LEN);
		job->mode = p->after_rotation == AFTER_ROTATION_REWRAP ? MIGRATE_REWRAP : MIGRATE_REENCRYPT;
		walker_add_job(w, job);
	}
	key_metadata_release(&m);
}

/* --- the look ---------------------------------------------------------------------------------------------------- */

void automatic_look(struct walker *w)
{
	struct look l = { .w = w, .fingerprint = 0xcbf29ce484222325u };
	uint64_t generation = policy_table_generation(w->b->policies);
	struct rotations rotations = { 0 };
	int64_t now = clock_now();
	int changed, again;

	for (unsigned i = 0; i < w->pending_count; i++)
		w->pending[i].seen = 0;
	if (keymgr_list_keys(w->k, look_at_key, &l) != ERR_OK || keymgr_list_aliases(w->k, NULL, mix_alias, &l.fingerprint) != ERR_OK) {
		log_warning("the walker cannot look at the keys now");
		return;
	}
	drop_unseen(w);
	mix(&l.fingerprint, &generation, sizeof(generation));
	changed = l.fingerprint != w->fingerprint;
	w->fingerprint = l.fingerprint;
	again = changed || now - w->looked >= RETRY_SECONDS || now < w->looked;
	end_deletion_jobs(w);
	if (again) {
		w->looked = now;
		resume_stuck(w);
	}
	for (unsigned i = 0; i < w->pending_count && !atomic_load(&w->stopping); i++)
		look_at_pending(w, &w->pending[i], again);
	if (changed) {
		policy_each(w->b->policies, collect_rotation, &rotations);
		for (size_t i = 0; i < rotations.count; i++)
			look_at_rotation(w, &rotations.list[i]);
		free(rotations.list);
	}
}
