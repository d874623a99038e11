/* rekeyfs migrate: the sub-verbs about jobs that exist; migrate_start.c has the one that makes them. */
#include "fs/cli/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/json.h"
#include "fs/cli/cli.h"
#include "fs/cli/client.h"
#include "fs/cli/job_display.h"
#include "fs/cli/subject.h"

static int as_json;

static int run_list(int argc, char **argv);
static int run_status(int argc, char **argv);
static int run_pause(int argc, char **argv);
static int run_resume(int argc, char **argv);
static int run_cancel(int argc, char **argv);
static int run_due(int argc, char **argv);

enum { START, LIST, STATUS, PAUSE, RESUME, CANCEL, RUN };
static const struct verb verbs[] = {
	[START] = { "start", "PATH", "bring the files below PATH under other keys or newer key material", migrate_start, 0 },
	[LIST] = { "list", "[PATH]", "show the jobs of the bucket that PATH is on, or of all that are mounted", run_list, 0 },
	[STATUS] = { "status", "[PATH] [JOB]", "show one job, or those that are not over", run_status, 0 },
	[PAUSE] = { "pause", "[PATH] JOB", "hold a job back", run_pause, 0 },
	[RESUME] = { "resume", "[PATH] JOB", "let a paused job go on", run_resume, 0 },
	[CANCEL] = { "cancel", "[PATH] JOB", "end a job; what it moved stays moved", run_cancel, 0 },
	[RUN] = { "run", "BUCKET", "do what is due in a bucket that is not mounted: jobs, scans, deletions", run_due, 0 },
	{ NULL, NULL, NULL, NULL, 0 }
};

static const struct option_row options[] = {
	{ "json", 0, NULL, "print JSON", NULL, &as_json, NULL },
	KEY_OPTION_ROWS,
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};

static enum err parse(const struct verb *verb, int argc, char **argv, int least, int most, char ***operands, int *count)
{
	enum err e = command_line_parse(MIGRATE_PROGRAM, verb, options, argc, argv, operands, count);

	if (e == ERR_OK && (*count < least || *count > most))
		e = err_set(ERR_USAGE, "migrate %s: %s, please (see rekeyfs migrate %s --help)", verb->name, verb->arguments, verb->name);
	return e;
}

/* On a mount it is asked; else the bucket is opened for it. */
static enum err ask(const struct subject *s, const char *verb, const char *id, json_t **reply)
{
	struct offline o = { .keymgr = NULL };
	json_t *request, *job;
	enum err e, closed;

	if (s->plain) {
		request = subject_request(s, verb);
		if (request && id)
			json_object_set_new(request, "JobId", json_string(id));
		return subject_call(s, request, reply);
	}
	e = offline_open(s->bucket, &o);
	if (e == ERR_OK && !id) {
		*reply = walker_status(o.walker);
		e = *reply ? ERR_OK : ERR_NO_MEMORY;
	} else if (e == ERR_OK && strcmp(verb, "migrate-status") == 0) {
		e = walker_job(o.walker, id, &job);
		*reply = e == ERR_OK ? json_pack("{s:o}", "Job", job) : NULL;
	} else if (e == ERR_OK) {
		e = strcmp(verb, "migrate-pause") == 0 ? walker_pause(o.walker, id) :
		    strcmp(verb, "migrate-resume") == 0 ? walker_resume(o.walker, id) : walker_cancel(o.walker, id);
	}
	closed = offline_close(&o);
	return e == ERR_OK ? closed : e;
}

/* --- without a PATH: whatever is mounted ------------------------------------------------------- */

struct mounts { char **points; size_t count; };

static int add_mount(void *context, const json_t *status)
{
	struct mounts *m = context;
	const char *point = json_string_value(json_object_get(status, "MountPoint"));
	char **wider;

	if (!point || json_is_true(json_object_get(status, "ReadOnly")))
		return 0;
	wider = realloc(m->points, (m->count + 1) * sizeof(*wider));
	if (!wider)
		return 1;
	m->points = wider;
	m->points[m->count] = strdup(point);
	return !m->points[m->count++];
}

static void mounts_release(struct mounts *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->points[i]);
	free(m->points);
}

/* All mounts' jobs in one list, {"Jobs": […]}, each with its mount point. */
static enum err list_all(json_t **reply)
{
	struct mounts m = { .points = NULL };
	json_t *jobs = json_array(), *one, *job;
	struct subject s;
	size_t n;

	clients_each(add_mount, &m);
	for (size_t i = 0; i < m.count; i++) {
		if (subject_find(m.points[i], 1, &s) != ERR_OK)
			continue;
		if (ask(&s, "migrate-list", NULL, &one) == ERR_OK) {
			json_array_foreach(json_object_get(one, "Jobs"), n, job)
				json_object_set_new(job, "MountPoint", json_string(m.points[i]));
			json_array_extend(jobs, json_object_get(one, "Jobs"));
			json_decref(one);
		}
		subject_release(&s);
	}
	mounts_release(&m);
	*reply = json_pack("{s:o}", "Jobs", jobs);
	return *reply ? ERR_OK : ERR_NO_MEMORY;
}

/* Asks each mount until one knows the job. */
static enum err ask_all(const char *verb, const char *id, json_t **reply)
{
	struct mounts m = { .points = NULL };
	struct subject s;
	enum err e = err_set(ERR_NOT_FOUND, "no mounted bucket has a job %s: name the bucket before it, if it is not mounted", id);

	clients_each(add_mount, &m);
	for (size_t i = 0; i < m.count && e == ERR_NOT_FOUND; i++) {
		e = subject_find(m.points[i], 1, &s);
		if (e == ERR_OK)
			e = ask(&s, verb, id, reply);
		subject_release(&s);
	}
	mounts_release(&m);
	return e;
}

/* `path` or `id` may be NULL. */
static enum err ask_for(const char *path, const char *verb, const char *id, json_t **reply)
{
	struct subject s;
	enum err e;

	if (!path)
		return id ? ask_all(verb, id, reply) : list_all(reply);
	e = subject_find(path, 1, &s);
	if (e == ERR_OK)
		e = ask(&s, verb, id, reply);
	subject_release(&s);
	return e;
}

static int run_list(int argc, char **argv)
{
	json_t *reply = NULL;
	char **operands;
	int count;
	enum err e = parse(&verbs[LIST], argc, argv, 0, 1, &operands, &count);

	if (e == ERR_OK)
		e = ask_for(count ? operands[0] : NULL, "migrate-list", NULL, &reply);
	if (e == ERR_OK && as_json)
		json_print(stdout, json_object_get(reply, "Jobs"));
	else if (e == ERR_OK)
		job_display_table(json_object_get(reply, "Jobs"));
	json_decref(reply);
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}

static void show_open(const json_t *jobs)
{
	json_t *open = json_array(), *job;
	size_t i;

	json_array_foreach(jobs, i, job)
		if (json_is_null(json_object_get(job, "TerminationDate")))
			json_array_append(open, job);
	if (as_json)
		json_print(stdout, open);
	else if (!json_array_size(open))
		printf("No job is under way.\n");
	else
		json_array_foreach(open, i, job)
			job_display_one(job);
	json_decref(open);
}

static int run_status(int argc, char **argv)
{
	const char *path = NULL, *id = NULL;
	json_t *reply = NULL;
	char **operands;
	int count;
	enum err e = parse(&verbs[STATUS], argc, argv, 0, 2, &operands, &count);

	if (e == ERR_OK && count == 2) {
		path = operands[0];
		id = operands[1];
	} else if (e == ERR_OK && count == 1) {
		*(access(operands[0], F_OK) == 0 ? &path : &id) = operands[0];
	}
	if (e == ERR_OK)
		e = ask_for(path, id ? "migrate-status" : "migrate-list", id, &reply);
	if (e == ERR_OK && !id)
		show_open(json_object_get(reply, "Jobs"));
	else if (e == ERR_OK && as_json)
		json_print(stdout, json_object_get(reply, "Job"));
	else if (e == ERR_OK)
		job_display_one(json_object_get(reply, "Job"));
	json_decref(reply);
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}

static int change(int argc, char **argv, const struct verb *verb, const char *what, const char *done)
{
	json_t *reply = NULL;
	char **operands;
	int count;
	enum err e = parse(verb, argc, argv, 1, 2, &operands, &count);

	if (e == ERR_OK)
		e = ask_for(count == 2 ? operands[0] : NULL, what, operands[count - 1], &reply);
	if (e == ERR_OK)
		printf("Job %s %s.\n", operands[count - 1], done);
	json_decref(reply);
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}

static int run_pause(int argc, char **argv)
{
	return change(argc, argv, &verbs[PAUSE], "migrate-pause", "is paused");
}

static int run_resume(int argc, char **argv)
{
	return change(argc, argv, &verbs[RESUME], "migrate-resume", "goes on");
}

static int run_cancel(int argc, char **argv)
{
	return change(argc, argv, &verbs[CANCEL], "migrate-cancel", "is cancelled");
}

static void progress(void *context, const json_t *job)
{
	job_display_progress(job);
}

static int run_due(int argc, char **argv)
{
	struct offline o = { .keymgr = NULL };
	char **operands;
	int count;
	enum err e = parse(&verbs[RUN], argc, argv, 1, 1, &operands, &count), closed;

	if (e == ERR_OK)
		e = offline_open(operands[0], &o);
	if (e == ERR_OK)
		e = walker_run(o.walker, progress, NULL);
	job_display_progress_end();
	closed = offline_close(&o);
	if (e == ERR_OK)
		e = closed;
	if (e == ERR_OK)
		printf("Nothing is left to be done in %s.\n", operands[0]);
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}

int verb_migrate(int argc, char **argv)
{
	return command_line_run(MIGRATE_PROGRAM, "Brings files under other keys, or newer key material, while they stay in use.", verbs, argc, argv);
}
