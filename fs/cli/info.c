#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "fs/check/facts.h"
#include "fs/cli/cli.h"
#include "fs/cli/subject.h"

static int as_json;

static const struct option_row options[] = {
	{ "json", 0, NULL, "print an array of objects", NULL, &as_json, NULL },
	KEY_OPTION_ROWS,
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};
static const struct verb verb = { "info", "PATH…", "Shows which key, key material and cipher a file is under, and the policy of a directory.  PATH is on a mount, "
				  "or names a file of a bucket as it lies there: then no key is needed.", verb_info, 0 };

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "-";
}

static void print_key(const json_t *o)
{
	const json_t *ordinal = json_object_get(o, "KeyMaterialOrdinal");

	if (!json_is_string(json_object_get(o, "KeyId"))) {
		printf("  key            none yet: the file is empty\n");
		return;
	}
	printf("  key            %s", text_of(o, "KeyId"));
	if (json_is_string(json_object_get(o, "Alias")))
		printf("  %s", text_of(o, "Alias"));
	if (json_is_string(json_object_get(o, "KeyState")))
		printf("  %s", text_of(o, "KeyState"));
	printf("\n  key material   %s", text_of(o, "KeyMaterialId"));
	if (json_is_integer(ordinal))
		printf("  number %lld, %s", (long long)json_integer_value(ordinal), text_of(o, "KeyMaterialState"));
	printf("\n  cipher suite   %s\n", text_of(o, "CipherSuite"));
	if (json_is_true(json_object_get(o, "Migrating")))
		printf("  it is being re-encrypted: its blocks are under this key and an older one\n");
}

static void print_policy(const json_t *policy)
{
	printf("  new files      %s", text_of(policy, "Key"));
	if (json_is_string(json_object_get(policy, "KeyId")) && strcmp(text_of(policy, "Key"), text_of(policy, "KeyId")) != 0)
		printf("  %s", text_of(policy, "KeyId"));
	printf("  %s%s\n", text_of(policy, "KeyState"), json_is_true(json_object_get(policy, "Own")) ? "" : "  (by the policy of a directory above)");
	if (json_object_get(policy, "Warning"))
		printf("  warning        %s\n", text_of(policy, "Warning"));
}

static void print_info(const char *path, const json_t *o)
{
	printf("%s\n", path);
	if (json_object_get(o, "DirectoryId"))
		printf("  directory      %s\n", text_of(o, "DirectoryId"));
	if (json_object_get(o, "Policy"))
		print_policy(json_object_get(o, "Policy"));
	if (json_object_get(o, "Size")) {
		print_key(o);
		printf("  size           %lld\n", (long long)json_integer_value(json_object_get(o, "Size")));
	}
	if (json_object_get(o, "Type"))
		printf("  %s: under no key of its own\n", text_of(o, "Type"));
	printf("  bucket         %s\n", text_of(o, "BucketId"));
}

static enum err one(const char *path, struct keymgr **k, json_t **out)
{
	struct subject s;
	json_t *reply = NULL;
	enum err e = subject_find(path, 0, &s);

	*out = NULL;
	if (e == ERR_OK && s.plain) {
		e = subject_call(&s, subject_request(&s, "info"), &reply);
		if (e == ERR_OK)
			*out = json_incref(json_object_get(reply, "Info"));
		if (e == ERR_OK && !*out)
			e = ERR_FORMAT;
	} else if (e == ERR_OK) {
		if (!*k)
			*k = cli_quiet_keystore();
		e = facts_of_entry(path, s.bucket, *k, out);
	}
	if (e == ERR_OK) {
		json_t *shown = json_string(path);

		if (shown)
			json_object_set_new(*out, "Path", shown);
	}
	json_decref(reply);
	subject_release(&s);
	return e;
}

int verb_info(int argc, char **argv)
{
	json_t *all = json_array(), *o;
	struct keymgr *k = NULL;
	char **operands;
	int count, exit_code = 0;
	enum err e = command_line_parse(PROGRAM, &verb, options, argc, argv, &operands, &count);

	if (e == ERR_OK && count == 0)
		e = err_set(ERR_USAGE, "info: which PATH? (see rekeyfs info --help)");
	if (e != ERR_OK)
		exit_code = command_line_fail(PROGRAM, e);
	for (int i = 0; e == ERR_OK && i < count; i++) {
		enum err each = one(operands[i], &k, &o);

		if (each != ERR_OK) {
			each = err_set(each, "%s: %s", operands[i], err_message(each));
			int code = command_line_fail(PROGRAM, each);

			exit_code = exit_code ? exit_code : code;
			continue;
		}
		if (!as_json)
			print_info(operands[i], o);
		json_array_append_new(all, o);
	}
	if (e == ERR_OK && as_json)
		json_print(stdout, all);
	json_decref(all);
	keymgr_close(k);
	return exit_code;
}
