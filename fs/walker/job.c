#include "fs/walker/job.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"

static const char *const status_names[] = { "New", "Preparing", "Ready", "Active", "Paused", "Complete", "Failed", "Cancelled" };
static const char *const kind_names[] = { "manual", "deletion", "rotation", "drift" };
static const char *const mode_names[] = { [MIGRATE_REWRAP] = "rewrap", [MIGRATE_REENCRYPT] = "reencrypt" };

#define TO(s) (1u << (s))
static const unsigned transitions[] = {
	[JOB_NEW] = TO(JOB_PREPARING) | TO(JOB_PAUSED) | TO(JOB_FAILED) | TO(JOB_CANCELLED),
	[JOB_PREPARING] = TO(JOB_READY) | TO(JOB_PAUSED) | TO(JOB_FAILED) | TO(JOB_CANCELLED),
	[JOB_READY] = TO(JOB_ACTIVE) | TO(JOB_PAUSED) | TO(JOB_FAILED) | TO(JOB_CANCELLED),
	[JOB_ACTIVE] = TO(JOB_PAUSED) | TO(JOB_COMPLETE) | TO(JOB_FAILED) | TO(JOB_CANCELLED),
	[JOB_PAUSED] = TO(JOB_NEW) | TO(JOB_CANCELLED),
	[JOB_COMPLETE] = 0,
	[JOB_FAILED] = 0,
	[JOB_CANCELLED] = 0,
};

const char *job_status_name(enum job_status s)
{
	return status_names[s];
}

const char *job_kind_name(enum job_kind k)
{
	return kind_names[k];
}

const char *job_mode_name(enum migrate_mode m)
{
	return mode_names[m];
}

enum err job_mode_parse(const char *text, enum migrate_mode *out)
{
	for (unsigned i = 0; i < sizeof(mode_names) / sizeof(*mode_names); i++)
		if (strcmp(text, mode_names[i]) == 0) {
			*out = i;
			return ERR_OK;
		}
	return err_set(ERR_USAGE, "the mode is reencrypt or rewrap, not \"%s\"", text);
}

int job_is_over(const struct job *j)
{
	return !transitions[j->status];
}

enum err job_move(struct job *j, enum job_status to, enum job_reason reason)
{
	if (!(transitions[j->status] & TO(to)))
		return err_set(ERR_REFUSED, "a job that is %s does not become %s", job_status_name(j->status), job_status_name(to));
	j->status = to;
	j->reason = reason;
	if (to == JOB_ACTIVE && !j->started)
		j->started = clock_now();
	if (job_is_over(j))
		j->ended = clock_now();
	return ERR_OK;
}

struct job *job_new(enum job_kind kind)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	uuid_random(j->id);
	j->kind = kind;
	j->mode = MIGRATE_REENCRYPT;
	j->created = clock_now();
	return j;
}

void job_free(struct job *j)
{
	if (j)
		job_clear_failures(j);
	free(j);
}

enum err job_add_failure(struct job *j, const char *path, const char *error)
{
	struct job_failure *f = &j->failures[j->failure_count];

	j->failed++;
	if (j->failure_count == JOB_FAILURES_KEPT)
		return ERR_OK;
	f->path = strdup(path);
	f->error = strdup(error);
	if (!f->path || !f->error) {
		free(f->path);
		free(f->error);
		return ERR_NO_MEMORY;
	}
	j->failure_count++;
	return ERR_OK;
}

void job_clear_failures(struct job *j)
{
	for (unsigned i = 0; i < j->failure_count; i++) {
		free(j->failures[i].path);
		free(j->failures[i].error);
	}
	j->failure_count = 0;
	j->failed = 0;
}
