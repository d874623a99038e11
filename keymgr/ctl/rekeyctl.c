/* rekeyctl: the keys, in the verbs of `aws kms`.  The verbs are tables in the files *_verbs.c. */
#include <stdlib.h>
#include <string.h>
#include "base/command_line.h"
#include "base/log.h"
#include "base/secret.h"
#include "keymgr/api/json_memory.h"
#include "keymgr/ctl/settings.h"
#include "keymgr/ctl/verb.h"

#define VERBS_MAX 64

static const char about[] =
	"Keys of rekeyfs: a keystore's CMKs and their backing keys, in the verbs of `aws kms`.\n\n"
	"Options of every verb, before or after it: --keystore PATH, --keyfile FILE, --passfile FILE,\n"
	"--extpass COMMAND, --no-prompt, --output json|table|text, --cli-binary-format FORMAT.";

static const struct ctl_verb *const lists[] = { verbs_keystore, verbs_protectors, verbs_kms, verbs_deletion, verbs_buckets };

static struct { const char *keystore, *keyfile, *passfile, *extpass, *output, *binary_format; int no_prompt; } given;

static const struct option_row global_rows[] = {
	{ "keystore", 0, "PATH", "the keystore ($REKEYFS_KEYSTORE)", &given.keystore },
	{ "keyfile", 0, "FILE", "the keyfile that opens it", &given.keyfile },
	{ "passfile", 0, "FILE", "its first line is the passphrase", &given.passfile },
	{ "extpass", 0, "COMMAND", "prints the passphrase", &given.extpass },
	{ "no-prompt", 0, NULL, "fail instead of asking for a passphrase", NULL, &given.no_prompt },
	{ "output", 0, "FORMAT", "json, table or text", &given.output },
	{ "cli-binary-format", 0, "FORMAT", "blobs as arguments: base64, or raw-in-base64-out", &given.binary_format },
	{ NULL }
};

static const struct ctl_verb *find_verb(const char *name)
{
	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++)
		for (const struct ctl_verb *v = lists[l]; v->name; v++)
			if (strcmp(v->name, name) == 0)
				return v;
	return NULL;
}

/* Options win over the environment, that over the configuration, that over the default. */
static enum err settle(struct settings *s, char **path_out)
{
	const char *environment = getenv("REKEYFS_KEYSTORE");
	enum err e = settings_load(s);

	*path_out = NULL;
	if (e != ERR_OK)
		return e;
	if (given.keystore)
		global.keystore = given.keystore;
	else if (s->keystore && !(environment && *environment))
		global.keystore = s->keystore;
	else
		global.keystore = *path_out = keymgr_default_path();
	if (!global.keystore)
		return ERR_NO_MEMORY;
	global.unlock = (struct unlock){ .keyfile = given.keyfile, .passfile = given.passfile,
					 .extpass = given.extpass, .no_prompt = given.no_prompt };
	if (!given.keyfile && !given.passfile && !given.extpass) {
		global.unlock.keyfile = s->keyfile;
		global.unlock.passfile = s->passfile;
		global.unlock.extpass = s->extpass;
		global.configured_secret = s->keyfile || s->passfile || s->extpass;
	}
	if (given.binary_format && strcmp(given.binary_format, "base64") != 0 &&
	    strcmp(given.binary_format, "raw-in-base64-out") != 0)
		return err_set(ERR_USAGE, "--cli-binary-format: base64 or raw-in-base64-out");
	global.raw_blobs = given.binary_format && strcmp(given.binary_format, "raw-in-base64-out") == 0;
	return given.output ? output_parse(given.output, &global.output) : ERR_OK;
}

static enum err check_required(const struct invocation *i)
{
	const struct parameter *p = i->verb->parameters;

	for (int row = 0; p && p[row].option; row++)
		if (p[row].required && !i->values[row])
			return err_set(ERR_USAGE, "--%s is missing (see " PROGRAM " %s --help)", p[row].option, i->verb->name);
	return ERR_OK;
}

/* The verb's own rows, then those of all verbs. */
static void option_rows(struct invocation *i, struct option_row *rows)
{
	const struct parameter *p = i->verb->parameters;
	int row = 0;

	for (; p && p[row].option; row++)
		rows[row] = (struct option_row){ p[row].option, 0, p[row].placeholder, p[row].help,
						 p[row].placeholder ? &i->values[row] : NULL, &i->flags[row], NULL };
	memcpy(rows + row, global_rows, sizeof(global_rows));
}

static int run(int argc, char **argv)
{
	struct option_row rows[PARAMETERS_MAX + sizeof(global_rows) / sizeof(global_rows[0])];
	struct invocation i = { .verb = find_verb(argv[0]) };
	struct settings settings = { 0 };
	char summary[512], *path = NULL;
	struct verb help = { .name = i.verb->name, .arguments = i.verb->operands, .summary = summary };
	enum err e;
	int code;

	snprintf(summary, sizeof(summary), "%s\n\nExample:\n  " PROGRAM " %s", i.verb->summary, i.verb->example);
	option_rows(&i, rows);
	e = command_line_parse(PROGRAM, &help, rows, argc, argv, &i.operands, &i.operand_count);
	if (e == ERR_OK)
		e = check_required(&i);
	if (e == ERR_OK)
		e = settle(&settings, &path);
	if (e != ERR_OK)
		code = verb_fail(e, NULL);
	else
		code = i.verb->run ? i.verb->run(&i) : verb_run_operation(&i);
	settings_release(&settings);
	free(path);
	return code;
}

int main(int argc, char **argv)
{
	struct verb verbs[VERBS_MAX] = { { 0 } };
	size_t count = 0;
	enum err e;

	log_open(PROGRAM, NULL, LOG_LEVEL_WARNING);
	json_memory_start();
	e = secret_start();
	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++)
		for (const struct ctl_verb *v = lists[l]; v->name && count < VERBS_MAX - 1; v++)
			verbs[count++] = (struct verb){ .name = v->name, .arguments = v->operands,
							.summary = v->summary, .run = run };
	if (e == ERR_OK)
		e = command_line_leading(PROGRAM, global_rows, &argc, &argv);
	if (e != ERR_OK)
		return command_line_fail(PROGRAM, e);
	return command_line_run(PROGRAM, about, verbs, argc, argv);
}
