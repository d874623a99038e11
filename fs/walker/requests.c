/* What people ask of the walker: new jobs, their life, what they are shown. */
#include "fs/walker/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "fs/check/key_argument.h"

#define REPORT_LINE_MAX 8192
#define REPORT_ROWS_MAX 200

/* --- new jobs ---------------------------------------------------------------------------------- */

static enum err check_target(struct walker *w, const char *key)
{
	struct targets targets = { 0 };
	const struct target *target;
	enum err e = targets_get(&targets, w->k, key, &target);

	if (e == ERR_OK && target->e != ERR_OK)
		e = err_set(target->e, "%s cannot be the target: %s", key, target->reason);
	targets_release(&targets);
	return e;
}

static enum err make_job(struct walker *w, const struct job_request *q, struct job **out)
{
	struct job *job = job_new(JOB_MANUAL);
	struct location at = { .dir_fd = -1 };
	enum err e = job ? location_open(w->b, q->path, &at) : ERR_NO_MEMORY;

	*out = NULL;
	if (e == ERR_NOT_FOUND)
		e = err_set(e, "/%s is not in the bucket", q->path);
	if (e == ERR_OK && !at.is_directory && !S_ISREG(at.st.st_mode))
		e = err_set(ERR_INVALID, "/%s is neither a directory nor a regular file", q->path);
	if (e == ERR_OK && q->from) {
		e = key_argument_parse(w->k, q->from, &job->from, &job->has_from_material);
		job->has_from = 1;
	}
	if (e == ERR_OK && q->to && strlen(q->to) >= sizeof(job->to))
		e = ERR_TOO_LONG;
	if (e == ERR_OK && q->to)
		e = check_target(w, q->to);
	if (e != ERR_OK) {
		job_free(job);
		location_release(&at);
		return e;
	}
	job->scope_is_file = !at.is_directory;
	memcpy(job->scope_id, at.id, UUID_LEN);
	snprintf(job->scope_path, sizeof(job->scope_path), "%s", strlen(at.path) < sizeof(job->scope_path) ? at.path : "");
	snprintf(job->to, sizeof(job->to), "%s", q->to ? q->to : "");
	job->mode = q->mode;
	job->bandwidth = q->bandwidth;
	job->report = q->report;
	location_release(&at);
	*out = job;
	return ERR_OK;
}

enum err walker_submit(struct walker *w, const struct job_request *request, char id_out[static JOB_ID_LEN + 1])
{
	struct job *job;
	enum err e = make_job(w, request, &job);

	if (e != ERR_OK)
		return e;
	uuid_text(job->id, id_out);
	return walker_add_job(w, job);
}

enum err walker_dry_run(struct walker *w, const struct job_request *request, json_t **out)
{
	struct run *run = calloc(1, sizeof(*run));
	struct job *job = NULL;
	enum err e = run ? make_job(w, request, &job) : ERR_NO_MEMORY;

	*out = NULL;
	if (e == ERR_OK)
		e = run_count(w, job, run);
	if (e == ERR_OK)
		*out = json_pack("{s:I, s:I, s:I}", "Files", (json_int_t)run->count_files, "Bytes", (json_int_t)run->count_bytes, "Unreadable",
				 (json_int_t)run->count_unreadable);
	if (e == ERR_OK && !*out)
		e = ERR_NO_MEMORY;
	if (job)
		run_release(run);
	job_free(job);
	free(run);
	return e;
}

/* --- by id ------------------------------------------------------------------------------------------ */

/* Under the lock. */
static enum err find_job(struct walker *w, const char *id, struct job **out)
{
	char text[UUID_TEXT_LEN + 1];
	size_t len = strlen(id);

	*out = NULL;
	for (size_t i = 0; i < w->count; i++) {
		uuid_text(w->jobs[i]->id, text);
		if (len == 0 || strncmp(text, id, len) != 0)
			continue;
		if (*out)
			return err_set(ERR_NOT_FOUND, "several jobs begin with %s", id);
		*out = w->jobs[i];
	}
	return *out ? ERR_OK : err_set(ERR_NOT_FOUND, "there is no job %s: `rekeyfs migrate list` shows them", id);
}

static enum err wish(struct walker *w, const char *id, enum job_status to)
{
	struct job *job;
	enum err e;

	pthread_mutex_lock(&w->lock);
	e = find_job(w, id, &job);
	if (e == ERR_OK && to == JOB_CANCELLED && job->kind == JOB_DELETION && !job_is_over(job))
		e = err_set(ERR_REFUSED, "the job belongs to a key's deletion: `rekeyctl cancel-key-deletion` ends both, `rekeyfs migrate pause` "
			    "holds it back");
	if (e == ERR_OK && job == w->active && !job_is_over(job))
		atomic_store(&w->wish, (int)to);
	else if (e == ERR_OK && (e = job_move(job, to, JOB_BY_PERSON)) == ERR_OK)
		e = job_store(w->b, job);
	pthread_mutex_unlock(&w->lock);
	return e;
}

enum err walker_pause(struct walker *w, const char *id)
{
	return wish(w, id, JOB_PAUSED);
}

enum err walker_cancel(struct walker *w, const char *id)
{
	return wish(w, id, JOB_CANCELLED);
}

enum err walker_resume(struct walker *w, const char *id)
{
	struct job *job;
	enum err e;

	pthread_mutex_lock(&w->lock);
	e = find_job(w, id, &job);
	if (e == ERR_OK && (e = job_move(job, JOB_NEW, JOB_NO_REASON)) == ERR_OK)
		e = job_store(w->b, job);
	pthread_mutex_unlock(&w->lock);
	if (e == ERR_OK)
		walker_kick(w);
	return e;
}

/* --- what is shown ------------------------------------------------------------------------------------- */

static json_t *plain_json(struct walker *w, const char *cipher_path)
{
	char *plain = location_plain_path(w->b, cipher_path);
	json_t *text = json_sprintf("/%s", plain ? plain : "");

	if (!text)	/* a name that is not UTF-8 */
		text = json_sprintf("%s", cipher_path);
	free(plain);
	return text;
}

static json_t *nowhere_json(struct walker *w, const struct job *j)
{
	struct location dir;
	char key[UUID_TEXT_LEN + 1];
	json_t *text = NULL;
	char *plain;

	if (j->to[0])
		return json_sprintf("%s cannot encrypt now; start a job with another `--to KEY`", j->to);
	plain = location_plain_path(w->b, j->reason_path);
	uuid_text(j->from.key_id, key);
	if (location_open_cipher(w->b, j->reason_path, &dir) == ERR_OK && plain)
		text = json_sprintf("the policy of /%s names %s, which cannot encrypt now: name another by `rekeyfs policy set DIR --key KEY`, or replace "
				    "the key everywhere by `rekeyctl retire-key --key-id %s --to KEY`", plain, dir.policy.key, key);
	location_release(&dir);
	free(plain);
	return text ? text : json_string("a policy names a key that cannot encrypt now: `rekeyfs policy set DIR --key KEY` names another");
}

static json_t *reason_json(struct walker *w, const struct job *j)
{
	switch (j->reason) {
	case JOB_BY_PERSON:
		return json_string(j->status == JOB_PAUSED ? "paused by hand: `rekeyfs migrate resume` goes on" : "cancelled by hand");
	case JOB_NOWHERE:
		return nowhere_json(w, j);
	case JOB_UNREADABLE:
		return json_sprintf("%llu files could not be moved%s%s", (unsigned long long)j->failed, j->failure_count ? ", the first: " : "",
				    j->failure_count ? j->failures[0].error : "");
	case JOB_NOT_PENDING:
		return json_string("the key is no longer pending deletion");
	case JOB_GONE:
		return json_string("its directory or file is no longer there");
	default:
		break;
	}
	return json_string(j->reason_text);
}

static json_t *time_json(int64_t when)
{
	return when ? json_integer(when) : json_null();
}

static json_t *from_json(const struct job *j)
{
	char key[UUID_TEXT_LEN + 1], material[HEX_LEN(MATERIAL_ID_LEN) + 1];

	if (!j->has_from)
		return json_null();
	uuid_text(j->from.key_id, key);
	bytes_to_hex(j->from.material_id, MATERIAL_ID_LEN, material);
	return j->has_from_material ? json_sprintf("%s:%s", key, material) : json_string(key);
}

static json_t *failures_json(struct walker *w, const struct job *j)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < j->failure_count; i++)
		json_array_append_new(list, json_pack("{s:o, s:s}", "Path", plain_json(w, j->failures[i].path), "Error", j->failures[i].error));
	return list;
}

json_t *walker_job_json(struct walker *w, const struct job *j)
{
	char id[UUID_TEXT_LEN + 1], hours[32];
	json_t *o;

	uuid_text(j->id, id);
	o = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I}}", "JobId", id, "Status", job_status_name(j->status),
		"Kind", job_kind_name(j->kind), "Mode", job_mode_name(j->mode), "Path", plain_json(w, j->scope_path), "From", from_json(j),
		"To", j->to[0] ? json_string(j->to) : json_null(), "Progress",
		"Files", (json_int_t)j->files, "FilesTotal", (json_int_t)j->files_total,
		"Bytes", (json_int_t)j->bytes, "BytesTotal", (json_int_t)j->bytes_total);
	if (!o)
		return json_object();
	if (j->reason != JOB_NO_REASON)
		json_object_set_new(o, "Reason", reason_json(w, j));
	else if (!job_is_over(j) && !limits_open(w)) {
		limits_text(w, hours, sizeof(hours));
		json_object_set_new(o, "Reason", json_sprintf("jobs run from %s", hours));
	}
	json_object_set_new(o, "Failed", json_integer((json_int_t)j->failed));
	json_object_set_new(o, "Failures", failures_json(w, j));
	json_object_set_new(o, "BandwidthLimit", json_integer((json_int_t)j->bandwidth));
	json_object_set_new(o, "CreationTime", time_json(j->created));
	json_object_set_new(o, "StartTime", time_json(j->started));
	json_object_set_new(o, "TerminationDate", time_json(j->ended));
	return o;
}

enum err walker_job(struct walker *w, const char *id, json_t **out)
{
	struct job *job;
	enum err e;

	*out = NULL;
	pthread_mutex_lock(&w->lock);
	e = find_job(w, id, &job);
	if (e == ERR_OK)
		*out = walker_job_json(w, job);
	pthread_mutex_unlock(&w->lock);
	return e;
}

json_t *walker_status(struct walker *w)
{
	json_t *list = json_array();

	pthread_mutex_lock(&w->lock);
	for (size_t i = w->count; i-- > 0;)
		json_array_append_new(list, walker_job_json(w, w->jobs[i]));
	pthread_mutex_unlock(&w->lock);
	return json_pack("{s:o}", "Jobs", list);
}

/* --- the completion report ------------------------------------------------------------------------------------ */

/* "path \t status \t bytes \t error" */
static json_t *row_json(struct walker *w, char *line)
{
	char *status = strchr(line, '\t'), *bytes = status ? strchr(status + 1, '\t') : NULL, *error = bytes ? strchr(bytes + 1, '\t') : NULL;

	if (!error)
		return NULL;
	*status = *bytes = *error = 0;
	error[1 + strcspn(error + 1, "\n")] = 0;
	return json_pack("[o, s, I, s]", plain_json(w, line), status + 1, (json_int_t)strtoll(bytes + 1, NULL, 10), error + 1);
}

static enum err open_report(struct walker *w, const char *id, FILE **out)
{
	char name[UUID_TEXT_LEN + sizeof(".report")];
	struct job *job;
	int dir = -1, fd;
	enum err e;

	pthread_mutex_lock(&w->lock);
	e = find_job(w, id, &job);
	if (e == ERR_OK && !job->report)
		e = err_set(ERR_NOT_FOUND, "the job was started without --report");
	if (e == ERR_OK)
		uuid_text(job->id, name);
	pthread_mutex_unlock(&w->lock);
	if (e == ERR_OK)
		e = job_directory(w->b, 0, &dir);
	if (e != ERR_OK)
		return e;
	strcat(name, ".report");
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	*out = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!*out) {
		e = errno == ENOENT ? err_set(ERR_NOT_FOUND, "the job has no report yet") : err_errno();
		if (fd >= 0)
			close(fd);
	}
	close(dir);
	return e;
}

enum err walker_report(struct walker *w, const char *id, uint64_t offset, unsigned max, json_t **out)
{
	json_t *rows = json_array(), *row;
	char *line = malloc(REPORT_LINE_MAX);
	FILE *file = NULL;
	enum err e = open_report(w, id, &file);
	int more = 0;

	*out = NULL;
	if (e == ERR_OK && (!line || !rows))
		e = ERR_NO_MEMORY;
	if (e == ERR_OK && fseeko(file, (off_t)offset, SEEK_SET) != 0)
		e = err_errno();
	if (max > REPORT_ROWS_MAX)
		max = REPORT_ROWS_MAX;
	while (e == ERR_OK && (more = fgets(line, REPORT_LINE_MAX, file) != NULL)) {
		if (json_array_size(rows) == max)
			break;
		row = row_json(w, line);
		if (row)
			json_array_append_new(rows, row);
		offset = (uint64_t)ftello(file);
	}
	if (e == ERR_OK)
		*out = json_pack("{s:O, s:o}", "Rows", rows, "Next", more ? json_integer((json_int_t)offset) : json_null());
	if (file)
		fclose(file);
	free(line);
	json_decref(rows);
	return e;
}
