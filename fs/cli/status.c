#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "fs/bucket/bucket.h"
#include "fs/cli/cli.h"
#include "fs/cli/client.h"

static int as_json;

static const struct option_row options[] = {
	{ "json", 0, NULL, "print all there is to know as JSON", NULL, &as_json, NULL },
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};
static const struct verb verb = { "status", "[PATH]", "Shows the mounted buckets, or the one that PATH lies in (a mounted path, or a bucket).",
				  verb_status, 0 };

static const char *text_of(const json_t *object, const char *key)
{
	const char *text;

	return json_get_string(object, key, &text) == ERR_OK ? text : "?";
}

static long long number_of(const json_t *object, const char *key)
{
	long long number;

	return json_get_integer(object, key, &number) == ERR_OK ? number : 0;
}

static void print_jobs(const json_t *jobs)
{
	const json_t *job, *progress;
	size_t i;

	json_array_foreach(jobs, i, job) {
		progress = json_object_get(job, "Progress");
		printf("  job %s: %s", text_of(job, "JobId"), text_of(job, "Status"));
		if (progress)
			printf(", %lld of %lld files, %lld of %lld bytes", number_of(progress, "Files"), number_of(progress, "FilesTotal"),
			       number_of(progress, "Bytes"), number_of(progress, "BytesTotal"));
		if (json_object_get(job, "Reason"))
			printf(" (%s)", text_of(job, "Reason"));
		printf("\n");
	}
}

static void print_pending(const json_t *keys)
{
	const json_t *key;
	size_t i;

	json_array_foreach(keys, i, key) {
		const char *blockers = text_of(key, "Blockers");

		printf("  key %s is to be deleted at %s\n", text_of(key, "KeyId"), text_of(key, "DeletionDate"));
		while (*blockers && strcmp(blockers, "?") != 0) {
			int len = (int)strcspn(blockers, "\n");

			printf("    it waits: %.*s\n", len, blockers);
			blockers += len + (blockers[len] == '\n');
		}
	}
}

static void print_status(const json_t *status)
{
	const json_t *checkpoint = json_object_get(status, "Checkpoint");

	printf("%s on %s%s\n", text_of(status, "Bucket"), text_of(status, "MountPoint"),
	       json_is_true(json_object_get(status, "ReadOnly")) ? " (read-only)" : "");
	printf("  bucket %s, instance %s, %s\n", text_of(status, "BucketId"), text_of(status, "InstanceId"), text_of(status, "CipherSuite"));
	printf("  keystore %s\n", text_of(status, "Keystore"));
	printf("  process %lld since %s, %lld open files, %lld cached nodes\n", number_of(status, "Process"), text_of(status, "Since"),
	       number_of(status, "OpenFiles"), number_of(status, "CachedNodes"));
	printf("  checkpoint %lld of %s%s\n", number_of(checkpoint, "Number"), text_of(checkpoint, "Date"),
	       json_is_true(json_object_get(checkpoint, "Changed")) ? ", changed since" : "");
	print_pending(json_object_get(status, "PendingKeys"));
	print_jobs(json_object_get(status, "Jobs"));
}

static int collect(void *context, const json_t *status)
{
	json_array_append(context, (json_t *)status);
	return 0;
}

static enum err ask_one(const char *path, json_t *all)
{
	char *bucket = bucket_find_root(path);
	struct client *c;
	json_t *status = NULL;
	enum err e = bucket ? client_open_bucket(bucket, &c) : client_open_path(path, &c);

	free(bucket);
	if (e != ERR_OK)
		return e;
	e = client_call(c, client_request("status"), NULL, NULL, &status);
	if (e == ERR_OK)
		json_array_append_new(all, status);
	client_close(c);
	return e;
}

static void print_all(const json_t *all)
{
	const json_t *status;
	size_t i;

	if (as_json) {
		json_print(stdout, all);
		return;
	}
	json_array_foreach(all, i, status)
		print_status(status);
	if (json_array_size(all) == 0)
		printf("No bucket is mounted.\n");
}

int verb_status(int argc, char **argv)
{
	json_t *all = json_array();
	char **operands;
	int count;
	enum err e = command_line_parse(PROGRAM, &verb, options, argc, argv, &operands, &count);

	if (e == ERR_OK && !all)
		e = ERR_NO_MEMORY;
	if (e == ERR_OK && count > 1)
		e = err_set(ERR_USAGE, "status: at most one PATH, please (see rekeyfs status --help)");
	if (e == ERR_OK && count == 1)
		e = ask_one(operands[0], all);
	else if (e == ERR_OK)
		clients_each(collect, all);
	if (e == ERR_OK)
		print_all(all);
	json_decref(all);
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}
