/* Migration jobs, over the control socket. */
#include "fs/mount/walker_hooks.h"

#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/json.h"

#define PATH_BYTES_MAX 32768
#define REPORT_ROWS 200

enum err walker_of_call(struct control_call *call, struct walker **out)
{
	*out = hooks_state(call->mount, &walker_hooks);
	return *out ? ERR_OK : err_set(ERR_REFUSED, "the bucket is mounted read-only: mount it without -o ro first");
}

enum err path_of_call(struct control_call *call, char **out)
{
	const char *text;
	size_t len = 0;
	enum err e = json_get_string(call->request, "Path", &text);

	*out = e == ERR_OK ? malloc(PATH_BYTES_MAX + 1) : NULL;
	if (e == ERR_OK && !*out)
		e = ERR_NO_MEMORY;
	if (e == ERR_OK)
		e = bytes_from_base64(text, strlen(text), *out, PATH_BYTES_MAX, &len);
	if (e == ERR_OK && memchr(*out, 0, len))
		e = ERR_INVALID;
	if (e != ERR_OK) {
		free(*out);
		*out = NULL;
		return e;
	}
	(*out)[len] = 0;
	return ERR_OK;
}

enum err location_of_call(struct control_call *call, struct location *out)
{
	char *path;
	enum err e = path_of_call(call, &path);

	memset(out, 0, sizeof(*out));
	out->dir_fd = -1;
	if (e == ERR_OK)
		e = location_open(call->mount->bucket, path, out);
	free(path);
	return e;
}

const char *text_of_call(struct control_call *call, const char *member)
{
	return json_string_value(json_object_get(call->request, member));
}

static enum err read_request(struct control_call *call, char **path, struct job_request *q)
{
	const char *mode = text_of_call(call, "Mode");
	long long bandwidth = 0;
	enum err e = path_of_call(call, path);

	if (e == ERR_OK && json_object_get(call->request, "Bandwidth"))
		e = json_get_integer(call->request, "Bandwidth", &bandwidth);
	if (e == ERR_OK && bandwidth < 0)
		e = ERR_INVALID;
	*q = (struct job_request){ .path = *path, .from = text_of_call(call, "From"), .to = text_of_call(call, "To"), .mode = MIGRATE_REENCRYPT,
				   .bandwidth = (uint64_t)bandwidth, .report = json_is_true(json_object_get(call->request, "Report")) };
	return e == ERR_OK && mode ? job_mode_parse(mode, &q->mode) : e;
}

enum err control_migrate_start(struct control_call *call)
{
	char id[JOB_ID_LEN + 1], *path = NULL;
	struct job_request q;
	struct walker *w;
	json_t *counts = NULL;
	enum err e = walker_of_call(call, &w);

	if (e == ERR_OK)
		e = read_request(call, &path, &q);
	if (e == ERR_OK && json_is_true(json_object_get(call->request, "DryRun"))) {
		e = walker_dry_run(w, &q, &counts);
		if (e == ERR_OK)
			json_object_update(call->reply, counts);
	} else if (e == ERR_OK) {
		e = walker_submit(w, &q, id);
		if (e == ERR_OK)
			json_object_set_new(call->reply, "JobId", json_string(id));
	}
	json_decref(counts);
	free(path);
	return e;
}

enum err control_migrate_list(struct control_call *call)
{
	struct walker *w;
	json_t *all = NULL;
	enum err e = walker_of_call(call, &w);

	if (e == ERR_OK)
		all = walker_status(w);
	if (e == ERR_OK && !all)
		e = ERR_NO_MEMORY;
	if (all)
		json_object_update(call->reply, all);
	json_decref(all);
	return e;
}

enum err control_migrate_status(struct control_call *call)
{
	struct walker *w;
	const char *id;
	json_t *job = NULL;
	enum err e = walker_of_call(call, &w);

	if (e == ERR_OK)
		e = json_get_string(call->request, "JobId", &id);
	if (e == ERR_OK)
		e = walker_job(w, id, &job);
	if (e == ERR_OK)
		json_object_set_new(call->reply, "Job", job);
	return e;
}

static enum err by_id(struct control_call *call, enum err (*what)(struct walker *w, const char *id))
{
	struct walker *w;
	const char *id;
	enum err e = walker_of_call(call, &w);

	if (e == ERR_OK)
		e = json_get_string(call->request, "JobId", &id);
	return e == ERR_OK ? what(w, id) : e;
}

enum err control_migrate_pause(struct control_call *call)
{
	return by_id(call, walker_pause);
}

enum err control_migrate_resume(struct control_call *call)
{
	return by_id(call, walker_resume);
}

enum err control_migrate_cancel(struct control_call *call)
{
	return by_id(call, walker_cancel);
}

enum err control_migrate_report(struct control_call *call)
{
	struct walker *w;
	const char *id;
	long long offset = 0;
	json_t *rows = NULL;
	enum err e = walker_of_call(call, &w);

	if (e == ERR_OK)
		e = json_get_string(call->request, "JobId", &id);
	if (e == ERR_OK)
		e = json_get_integer(call->request, "Offset", &offset);
	if (e == ERR_OK && offset < 0)
		e = ERR_INVALID;
	if (e == ERR_OK)
		e = walker_report(w, id, (uint64_t)offset, REPORT_ROWS, &rows);
	if (e == ERR_OK)
		json_object_update(call->reply, rows);
	json_decref(rows);
	return e;
}
