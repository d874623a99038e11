#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "fs/check/policy_change.h"
#include "fs/cli/cli.h"
#include "fs/cli/subject.h"

#define POLICY_PROGRAM PROGRAM " policy"

static struct policy_request request;
static int as_json;

static int run_get(int argc, char **argv);
static int run_set(int argc, char **argv);
static int run_unset(int argc, char **argv);

static const struct verb verbs[] = {
	{ "get", "DIR", "show which policy governs new files in DIR, and where it stands", run_get, 0 },
	{ "set", "DIR", "give DIR a policy: which key encrypts what is newly written below it", run_set, 0 },
	{ "unset", "DIR", "take DIR's own policy away: the one above it governs", run_unset, 0 },
	{ NULL, NULL, NULL, NULL, 0 }
};

static const struct option_row set_options[] = {
	{ "key", 'k', "KEY", "key of new files: alias/NAME (resolved at each write), or a key id", &request.key, NULL, NULL },
	{ "enforce", 0, "deny|warn|no", "what happens to a file under another key that is to come here", &request.enforce, NULL, NULL },
	{ "on-rename", 0, "migrate|keep", "whether a file that is renamed to here comes under this key", &request.on_rename, NULL, NULL },
	{ "after-rotation", 0, "none|rewrap|reencrypt", "what happens to older files when the key was rotated", &request.after_rotation, NULL, NULL },
	{ "json", 0, NULL, "print JSON", NULL, &as_json, NULL },
	KEY_OPTION_ROWS,
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};
static const struct option_row options[] = {
	{ "json", 0, NULL, "print JSON", NULL, &as_json, NULL },
	KEY_OPTION_ROWS,
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "-";
}

static void show(const char *path, const json_t *policy)
{
	if (as_json) {
		json_print(stdout, policy);
		return;
	}
	printf("%s: %s", path, text_of(policy, "Key"));
	if (strcmp(text_of(policy, "Key"), text_of(policy, "KeyId")) != 0)
		printf(" (%s)", text_of(policy, "KeyId"));
	printf(", %s; enforce %s, on rename %s, after rotation %s%s\n", text_of(policy, "KeyState"), text_of(policy, "Enforce"),
	       text_of(policy, "OnRename"), text_of(policy, "AfterRotation"),
	       json_is_true(json_object_get(policy, "Own")) ? "" : "; by a directory above");
}

/* --- on a mount --------------------------------------------------------------------------------- */

static enum err mounted(const struct subject *s, const char *what, json_t **policy, char **warning)
{
	json_t *ask = subject_request(s, what), *reply = NULL;
	const char *text;
	enum err e;

	if (ask && request.key)
		json_object_set_new(ask, "Key", json_string(request.key));
	if (ask && request.enforce)
		json_object_set_new(ask, "Enforce", json_string(request.enforce));
	if (ask && request.on_rename)
		json_object_set_new(ask, "OnRename", json_string(request.on_rename));
	if (ask && request.after_rotation)
		json_object_set_new(ask, "AfterRotation", json_string(request.after_rotation));
	e = subject_call(s, ask, &reply);
	if (e == ERR_OK) {
		*policy = json_incref(json_object_get(reply, "Policy"));
		text = json_string_value(json_object_get(reply, "Warning"));
		*warning = text ? strdup(text) : NULL;
	}
	json_decref(reply);
	return e;
}

/* --- in a bucket that is not mounted -------------------------------------------------------------- */

static enum err offline(const struct subject *s, const char *what, json_t **policy, char **warning)
{
	struct offline o = { .keymgr = NULL };
	struct location at = { .dir_fd = -1 };
	enum err e = offline_open(s->bucket, &o), closed;

	if (e == ERR_OK)
		e = location_open_cipher(o.bucket, s->cipher, &at);
	if (e == ERR_OK && strcmp(what, "policy-set") == 0)
		e = policy_change_set(o.bucket, &at, &request, warning);
	else if (e == ERR_OK && strcmp(what, "policy-unset") == 0)
		e = policy_change_unset(o.bucket, &at);
	location_release(&at);
	if (e == ERR_OK) {
		e = location_open_cipher(o.bucket, s->cipher, &at);
		if (e == ERR_OK)
			*policy = policy_change_show(o.bucket, &at);
		location_release(&at);
	}
	closed = offline_close(&o);
	return e == ERR_OK ? closed : e;
}

static int run(int argc, char **argv, const struct option_row *rows, const struct verb *which, const char *what)
{
	struct subject s = { .path = NULL };
	json_t *policy = NULL;
	char **operands, *warning = NULL;
	int count;
	enum err e = command_line_parse(POLICY_PROGRAM, which, rows, argc, argv, &operands, &count);

	if (e == ERR_OK && count != 1)
		e = err_set(ERR_USAGE, "policy %s: one DIR, please (see rekeyfs policy %s --help)", which->name, which->name);
	if (e == ERR_OK)
		e = subject_find(operands[0], 1, &s);
	if (e == ERR_OK)
		e = s.plain ? mounted(&s, what, &policy, &warning) : offline(&s, what, &policy, &warning);
	if (e == ERR_OK && policy)
		show(operands[0], policy);
	if (e == ERR_OK && !warning && policy && json_object_get(policy, "Warning"))
		warning = strdup(text_of(policy, "Warning"));
	if (e == ERR_OK && warning)
		fprintf(stderr, PROGRAM ": warning: %s\n", warning);
	free(warning);
	json_decref(policy);
	subject_release(&s);
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}

static int run_get(int argc, char **argv)
{
	return run(argc, argv, options, &verbs[0], "policy-get");
}

static int run_set(int argc, char **argv)
{
	return run(argc, argv, set_options, &verbs[1], "policy-set");
}

static int run_unset(int argc, char **argv)
{
	return run(argc, argv, options, &verbs[2], "policy-unset");
}

int verb_policy(int argc, char **argv)
{
	return command_line_run(POLICY_PROGRAM, "Which key encrypts what is newly written below a directory.", verbs, argc, argv);
}
