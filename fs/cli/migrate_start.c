#include "fs/cli/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/config.h"
#include "base/json.h"
#include "fs/check/location.h"
#include "fs/cli/cli.h"
#include "fs/cli/job_display.h"
#include "fs/cli/settings.h"
#include "fs/cli/subject.h"

#define POLL_MILLISECONDS 200

static const char *from, *to, *mode, *bwlimit, *report_file;
static int dry_run, wait_for_end, as_json;

static const struct option_row options[] = {
	{ "from", 0, "KEY[:MATERIAL]", "only files under this key, or this key material of it", &from, NULL, NULL },
	{ "to", 0, "KEY", "bring them under this key (default: the one that each file's policy names)", &to, NULL, NULL },
	{ "mode", 0, "reencrypt|rewrap", "new file keys and all blocks anew, or only the wrap of the file key (default: reencrypt)", &mode, NULL, NULL },
	{ "dry-run", 'n', NULL, "only count the files and bytes that it would move", NULL, &dry_run, NULL },
	{ "wait", 'w', NULL, "wait until the job is over; on a terminal with a progress bar", NULL, &wait_for_end, NULL },
	{ "bwlimit", 0, "RATE", "at most so many bytes a second: 512K, 10M, 1G", &bwlimit, NULL, NULL },
	{ "report", 0, "FILE", "write a row for each file to FILE, as CSV; waits", &report_file, NULL, NULL },
	{ "json", 0, NULL, "print JSON", NULL, &as_json, NULL },
	KEY_OPTION_ROWS,
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};
static const struct verb verb = { "start", "PATH", "Brings the files below PATH (a mounted directory or file, or a bucket that is not mounted) under other "
				  "keys or newer key material, while they stay in use.", migrate_start, 0 };

static enum err bandwidth(uint64_t *out)
{
	const struct settings *s;
	unsigned long long value = 0;
	const char *text = bwlimit;
	enum err e = settings_get(&s);

	if (e == ERR_OK && !text)
		text = s->bwlimit;
	if (e == ERR_OK && text) {
		e = config_size(text, &value);
		if (e != ERR_OK)
			e = err_set(ERR_USAGE, "--bwlimit: \"%s\" is no rate: write 512K, 10M or 1G", text);
	}
	*out = value;
	return e;
}

/* The exit code and what is printed at the job's end. */
static enum err finish(const json_t *job)
{
	job_display_progress_end();
	if (as_json)
		json_print(stdout, job);
	else
		job_display_result(job);
	return job_display_error(job);
}

static void show_counts(const json_t *counts)
{
	json_t *shown = json_pack("{s:O, s:O, s:O}", "Files", json_object_get(counts, "Files"), "Bytes", json_object_get(counts, "Bytes"), "Unreadable",
				  json_object_get(counts, "Unreadable"));

	if (as_json)
		json_print(stdout, shown);
	else
		printf("%lld files, %lld bytes would be moved; %lld could not be read.\n", (long long)json_integer_value(json_object_get(shown, "Files")),
		       (long long)json_integer_value(json_object_get(shown, "Bytes")),
		       (long long)json_integer_value(json_object_get(shown, "Unreadable")));
	json_decref(shown);
}

/* --- on a mount ----------------------------------------------------------------------------------- */

static json_t *start_request(const struct subject *s, uint64_t rate)
{
	json_t *request = subject_request(s, "migrate-start");

	if (!request)
		return NULL;
	if (from)
		json_object_set_new(request, "From", json_string(from));
	if (to)
		json_object_set_new(request, "To", json_string(to));
	if (mode)
		json_object_set_new(request, "Mode", json_string(mode));
	json_object_set_new(request, "Bandwidth", json_integer((json_int_t)rate));
	json_object_set_new(request, "DryRun", json_boolean(dry_run));
	json_object_set_new(request, "Report", json_boolean(report_file != NULL));
	return request;
}

static enum err job_request_of(const struct subject *s, const char *what, const char *id, json_t **reply)
{
	json_t *request = subject_request(s, what);

	if (request)
		json_object_set_new(request, "JobId", json_string(id));
	return subject_call(s, request, reply);
}

static enum err wait_for(const struct subject *s, const char *id, json_t **job_out)
{
	struct timespec nap = { .tv_nsec = POLL_MILLISECONDS * 1000000L };
	json_t *reply;
	enum err e;

	for (;;) {
		e = job_request_of(s, "migrate-status", id, &reply);
		if (e != ERR_OK)
			return e;
		*job_out = json_incref(json_object_get(reply, "Job"));
		json_decref(reply);
		job_display_progress(*job_out);
		if (job_display_is_over(*job_out))
			return ERR_OK;
		json_decref(*job_out);
		*job_out = NULL;
		nanosleep(&nap, NULL);
	}
}

static enum err fetch_report(const struct subject *s, const char *id, FILE *file)
{
	json_t *reply, *request, *next;
	json_int_t offset = 0;
	enum err e = ERR_OK;
	int more = 1;

	job_display_report_head(file);
	while (e == ERR_OK && more) {
		request = subject_request(s, "migrate-report");
		if (request) {
			json_object_set_new(request, "JobId", json_string(id));
			json_object_set_new(request, "Offset", json_integer(offset));
		}
		e = subject_call(s, request, &reply);
		if (e != ERR_OK)
			break;
		job_display_report_rows(file, json_object_get(reply, "Rows"));
		next = json_object_get(reply, "Next");
		more = json_is_integer(next);
		offset = json_integer_value(next);
		json_decref(reply);
	}
	return e;
}

static enum err mounted(const struct subject *s, uint64_t rate, FILE *report)
{
	json_t *reply, *job = NULL;
	const char *id;
	enum err e = subject_call(s, start_request(s, rate), &reply);

	if (e != ERR_OK)
		return e;
	if (dry_run) {
		show_counts(reply);
		goto out;
	}
	e = json_get_string(reply, "JobId", &id);
	if (e == ERR_OK && !wait_for_end) {
		if (as_json)
			printf("{\n    \"JobId\": \"%s\"\n}\n", id);
		else
			printf("Job %s: `rekeyfs migrate status %s` shows how far it is.\n", id, id);
		goto out;
	}
	if (e == ERR_OK)
		e = wait_for(s, id, &job);
	if (e == ERR_OK && report)
		e = fetch_report(s, id, report);
	if (e == ERR_OK)
		e = finish(job);
out:
	json_decref(job);
	json_decref(reply);
	return e;
}

/* --- not mounted --------------------------------------------------------------------------------------- */

static void progress(void *context, const json_t *job)
{
	job_display_progress(job);
}

static enum err copy_report(struct walker *w, const char *id, FILE *file)
{
	json_t *rows, *next;
	uint64_t offset = 0;
	int more = 1;

	job_display_report_head(file);
	while (more) {
		enum err e = walker_report(w, id, offset, 200, &rows);

		if (e != ERR_OK)
			return e;
		job_display_report_rows(file, json_object_get(rows, "Rows"));
		next = json_object_get(rows, "Next");
		more = json_is_integer(next);
		offset = (uint64_t)json_integer_value(next);
		json_decref(rows);
	}
	return ERR_OK;
}

static enum err run_offline(struct offline *o, const struct job_request *q, FILE *report)
{
	char id[JOB_ID_LEN + 1];
	json_t *job = NULL;
	enum err e = walker_submit(o->walker, q, id);

	if (e != ERR_OK)
		return e;
	walker_run(o->walker, progress, NULL);	/* other jobs may wait for a person: this one's end counts */
	e = walker_job(o->walker, id, &job);
	if (e == ERR_OK && report)
		e = copy_report(o->walker, id, report);
	if (e == ERR_OK)
		e = finish(job);
	json_decref(job);
	return e;
}

static enum err offline(const struct subject *s, uint64_t rate, FILE *report)
{
	struct job_request q = { .from = from, .to = to, .mode = MIGRATE_REENCRYPT, .bandwidth = rate, .report = report != NULL };
	struct offline o = { .keymgr = NULL };
	char *plain = NULL;
	json_t *counts;
	enum err e = mode ? job_mode_parse(mode, &q.mode) : ERR_OK, closed;

	if (e == ERR_OK)
		e = offline_open(s->bucket, &o);
	if (e == ERR_OK) {
		plain = location_plain_path(o.bucket, s->cipher);
		q.path = plain;
		e = plain ? ERR_OK : ERR_NO_MEMORY;
	}
	if (e == ERR_OK && dry_run) {
		e = walker_dry_run(o.walker, &q, &counts);
		if (e == ERR_OK) {
			show_counts(counts);
			json_decref(counts);
		}
	} else if (e == ERR_OK) {
		e = run_offline(&o, &q, report);
	}
	free(plain);
	closed = offline_close(&o);
	return e == ERR_OK ? closed : e;
}

int migrate_start(int argc, char **argv)
{
	struct subject s = { .path = NULL };
	FILE *report = NULL;
	uint64_t rate = 0;
	char **operands;
	int count;
	enum err e = command_line_parse(MIGRATE_PROGRAM, &verb, options, argc, argv, &operands, &count);

	if (e == ERR_OK && count != 1)
		e = err_set(ERR_USAGE, "migrate start: one PATH, please (see rekeyfs migrate start --help)");
	if (e == ERR_OK)
		e = bandwidth(&rate);
	if (e == ERR_OK)
		e = subject_find(operands[0], 1, &s);
	if (e == ERR_OK && report_file && !dry_run) {
		wait_for_end = 1;
		report = fopen(report_file, "w");
		if (!report)
			e = err_set_errno("%s", report_file);
	}
	if (e == ERR_OK)
		e = s.plain ? mounted(&s, rate, report) : offline(&s, rate, report);
	if (report && fclose(report) != 0 && e == ERR_OK)
		e = err_set_errno("%s", report_file);
	subject_release(&s);
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}
