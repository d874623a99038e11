#include <stdio.h>
#include <stdlib.h>
#include "base/json.h"
#include "base/log.h"
#include "fs/cli/cli.h"
#include "fs/cli/client.h"
#include "fs/cli/mount_request.h"
#include "fs/mount/daemon.h"
#include "fs/mount/mount_point.h"

static struct mount_request request;
static const char *idle, *log_to, *log_level, *rollback;
static int foreground, read_only;

static enum err take_options(const char *text)
{
	return mount_request_options(&request, text);
}

static const struct option_row options[] = {
	{ "foreground", 'f', NULL, "stay in the foreground, and log to standard error", NULL, &foreground, NULL },
	{ "options", 'o', "OPTIONS", "ro, allow_other, private, suid, dev, noexec, noatime, …: see rekeyfs(1)", NULL, NULL, take_options },
	{ "read-only", 'r', NULL, "as -o ro: beside the one mount that writes there may be others", NULL, &read_only, NULL },
	{ "idle", 0, "TIME", "unmount after TIME without use (30s, 10m, 2h)", &idle, NULL, NULL },
	{ "log", 0, "FILE", "log lines go to FILE, or to \"syslog\"", &log_to, NULL, NULL },
	{ "log-level", 0, "LEVEL", "error, warning (the default), info or debug", &log_level, NULL, NULL },
	{ "rollback", 0, "WHAT", "what to do with a bucket that is older than when last seen: warn or refuse", &rollback, NULL, NULL },
	KEY_OPTION_ROWS,
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};
static const struct verb verb = { "mount", "BUCKET MOUNTPOINT", "Mounts a bucket; returns when it can be used.", verb_mount, 0 };

static enum err take_values(void)
{
	const struct { const char *name, *value; } given[] = {
		{ "idle", idle }, { "log", log_to }, { "log-level", log_level }, { "rollback", rollback },
	};
	enum err e = ERR_OK;

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]) && e == ERR_OK; i++)
		if (given[i].value)
			e = mount_request_set(&request, given[i].name, given[i].value);
	if (read_only)
		request.options.read_only = 1;
	request.options.foreground = foreground;
	mount_request_finish(&request);
	return e;
}

static enum err resolve_bucket(const char *path, char **out)
{
	struct bucket_description description;
	enum err e;

	*out = realpath(path, NULL);
	if (!*out)
		return err_set_errno("cannot find the bucket %s", path);
	e = bucket_describe(*out, &description);
	if (e == ERR_NOT_FOUND)
		e = err_set(e, "%s is no bucket: `rekeyfs init %s` makes one", path, path);
	return e;
}

/* Who holds it, from its own mouth. */
static enum err say_who_holds(const char *bucket, enum err e)
{
	const char *point = NULL;
	long long process = 0;
	json_t *status = NULL;
	struct client *c;
	char said[512];

	snprintf(said, sizeof(said), "%s", err_message(e));
	if (client_open_bucket(bucket, &c) == ERR_OK) {
		if (client_call(c, client_request("status"), NULL, NULL, &status) == ERR_OK &&
		    json_get_string(status, "MountPoint", &point) == ERR_OK && json_get_integer(status, "Process", &process) == ERR_OK)
			snprintf(said, sizeof(said), "the bucket %s is mounted on %s by process %lld already: use that, or mount it read-only (-r)",
				 bucket, point, process);
		json_decref(status);
		client_close(c);
	}
	return err_set(e, "%s", said);
}

struct starting {
	struct daemon daemon;
	const struct mount_options *options;
};

/* The mount answers: from here on the log alone hears of it. */
static void ready(void *context)
{
	struct starting *s = context;

	if (!s->options->log)
		log_open(PROGRAM, "syslog", s->options->log_level);
	daemon_ready(&s->daemon);
}

static enum err serve(const struct mount_options *o)
{
	struct starting s = { .options = o };
	struct keymgr *k = NULL;
	enum err e = ERR_OK;

	if (!o->foreground)
		e = daemon_fork(&s.daemon);
	if (e == ERR_OK && log_open(PROGRAM, o->log, o->log_level) != 0)
		e = err_set(ERR_INVALID, "cannot open the log %s", o->log);
	if (e == ERR_OK)
		e = cli_open_keystore(&k);
	if (e == ERR_OK)
		e = mount_serve(o, k, o->foreground ? NULL : ready, &s);
	keymgr_close(k);
	return e == ERR_BUSY ? say_who_holds(o->bucket, e) : e;
}

int verb_mount(int argc, char **argv)
{
	char **operands, *bucket = NULL, *point = NULL;
	int count;
	enum err e = mount_request_init(&request);

	if (e == ERR_OK)
		e = command_line_parse(PROGRAM, &verb, options, argc, argv, &operands, &count);
	if (e == ERR_OK && count != 2)
		e = err_set(ERR_USAGE, "mount: a BUCKET and a MOUNTPOINT, please (see rekeyfs mount --help)");
	if (e == ERR_OK)
		e = take_values();
	if (e == ERR_OK)
		e = resolve_bucket(operands[0], &bucket);
	if (e == ERR_OK)
		e = mount_point_check(bucket, operands[1], &point);
	if (e == ERR_OK) {
		request.options.bucket = bucket;
		request.options.mount_point = point;
		e = serve(&request.options);
	}
	free(bucket);
	free(point);
	mount_request_release(&request);
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}
