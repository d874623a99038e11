/* The keystore as a whole: make it, back it up, its root key, its due work, its audit log. */
#include <string.h>
#include "base/json.h"
#include "base/secret.h"
#include "keymgr/ctl/deletion_notes.h"
#include "keymgr/ctl/protector_kind.h"

static const struct parameter init[] = {
	{ "protector", NULL, PARAMETER_TEXT, 0, "KIND", "keyfile (default), passphrase or command" },
	{ "recovery-code", NULL, PARAMETER_TRUE, 0, NULL, "make and print a recovery code as well" },
	{ NULL }
};

/* What was made: the answer of init and restore. */
static enum err describe(const char *path, const struct keymgr_create_options *options, json_t *answer)
{
	enum err e = json_object_set_new(answer, "Keystore", json_string(path)) == 0 ? ERR_OK : ERR_NO_MEMORY;

	if (e == ERR_OK && json_object_set_new(answer, "Protector", json_string(protector_kind_name(options->kind))) != 0)
		e = ERR_NO_MEMORY;
	if (e != ERR_OK || options->kind != PROTECTOR_KEYFILE)
		return e;
	if (json_object_set_new(answer, "Keyfile", options->keyfile ? json_string(options->keyfile) :
				json_sprintf("%s.key", path)) != 0)
		return ERR_NO_MEMORY;
	fprintf(stderr, PROGRAM ": the keyfile %s opens this keystore: keep a copy of it elsewhere\n",
		json_string_value(json_object_get(answer, "Keyfile")));
	return ERR_OK;
}

static enum err add_code(const char *path, const struct keymgr_create_options *options, json_t *answer)
{
	struct unlock unlock = options->unlock;
	char code[RECOVERY_CODE_LEN + 1];
	struct keymgr *k = NULL;
	uint8_t id[UUID_LEN];
	enum err e;

	unlock.keyfile = options->kind == PROTECTOR_KEYFILE ? options->keyfile : NULL;
	e = keymgr_open(path, &unlock, 1, &k);
	if (e == ERR_OK)
		e = keymgr_add_recovery(k, code, id);
	keymgr_close(k);
	if (e == ERR_OK && json_object_set_new(answer, "RecoveryCode", json_string(code)) != 0)
		e = ERR_NO_MEMORY;
	if (e == ERR_OK)
		fputs(PROGRAM ": print the recovery code or write it down; it is shown only now\n", stderr);
	secret_wipe(code, sizeof(code));
	return e;
}

static enum err create_options(const struct invocation *i, struct keymgr_create_options *out)
{
	const char *kind = invocation_value(i, "protector");
	enum err e;

	*out = (struct keymgr_create_options){ .kind = PROTECTOR_KEYFILE, .keyfile = global.unlock.keyfile,
					       .unlock = global.unlock };
	e = kind ? protector_kind_parse(kind, &out->kind) : ERR_OK;
	if (e == ERR_OK && out->kind == PROTECTOR_RECOVERY)
		return err_set(ERR_USAGE, "a recovery code comes beside another protector: --recovery-code");
	if (e == ERR_OK && out->kind == PROTECTOR_COMMAND && !out->unlock.extpass)
		return err_set(ERR_USAGE, "--protector command needs --extpass COMMAND");
	return e;
}

static int run_init(struct invocation *i)
{
	struct keymgr_create_options options;
	json_t *answer = json_object();
	enum err e = invocation_operands(i, 0);

	if (e == ERR_OK)
		e = create_options(i, &options);
	if (e == ERR_OK)
		e = keymgr_create(global.keystore, &options);
	if (e == ERR_OK)
		e = describe(global.keystore, &options, answer);
	if (e == ERR_OK && invocation_flag(i, "recovery-code"))
		e = add_code(global.keystore, &options, answer);
	if (e == ERR_OK)
		return answer_print("Init", answer);
	json_decref(answer);
	return verb_fail(e, NULL);
}

#define BACKUP_SECRET \
	{ "backup-passfile", NULL, PARAMETER_TEXT, 0, "FILE", "its first line is the backup's passphrase" }, \
	{ "backup-extpass", NULL, PARAMETER_TEXT, 0, "COMMAND", "prints the backup's passphrase" }

static const struct parameter backup[] = { BACKUP_SECRET, { NULL } };

static struct unlock backup_secret(const struct invocation *i)
{
	return (struct unlock){ .keyfile = invocation_value(i, "backup-keyfile"),
				.passfile = invocation_value(i, "backup-passfile"),
				.extpass = invocation_value(i, "backup-extpass"), .no_prompt = global.unlock.no_prompt };
}

static int run_backup(struct invocation *i)
{
	struct unlock secret = backup_secret(i);
	struct keymgr *k = NULL;
	enum err e = invocation_operands(i, 1);

	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e == ERR_OK)
		e = keymgr_backup(k, i->operands[0], &secret);
	keymgr_close(k);
	return e == ERR_OK ? answer_print("Backup", json_pack("{s:s}", "Backup", i->operands[0])) : verb_fail(e, NULL);
}

static const struct parameter restore[] = {
	{ "backup-keyfile", NULL, PARAMETER_TEXT, 0, "FILE", "opens KEYSTORE.previous, which is no backup" },
	{ "protector", NULL, PARAMETER_TEXT, 0, "KIND", "of the restored keystore: keyfile (default), passphrase, command" },
	BACKUP_SECRET, { NULL }
};

static int run_restore(struct invocation *i)
{
	struct unlock secret = backup_secret(i);
	struct keymgr_create_options options;
	json_t *answer = json_object();
	uint64_t generation = 0;
	enum err e = invocation_operands(i, 1);

	if (e == ERR_OK)
		e = create_options(i, &options);
	if (e == ERR_OK)
		e = keymgr_restore(i->operands[0], &secret, global.keystore, &options, &generation);
	if (e == ERR_OK)
		e = describe(global.keystore, &options, answer);
	if (e == ERR_OK && json_object_set_new(answer, "Generation", json_integer((json_int_t)generation)) == 0)
		return answer_print("Restore", answer);
	json_decref(answer);
	return verb_fail(e == ERR_OK ? ERR_NO_MEMORY : e, NULL);
}

static int run_rotate_root(struct invocation *i)
{
	struct keymgr *k = NULL;
	enum err e = invocation_operands(i, 0);

	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e == ERR_OK)
		e = keymgr_rotate_root(k);
	keymgr_close(k);
	return e == ERR_OK ? 0 : verb_fail(e, NULL);
}

struct waiting {
	struct keymgr *k;
	enum err error;
};

static int print_waiting(void *context, const struct key_metadata *m)
{
	struct waiting *w = context;

	w->error = deletion_waiting(w->k, m);
	return w->error != ERR_OK;
}

static int run_due(struct invocation *i)
{
	struct due_summary summary = { 0 };
	struct waiting waiting = { 0 };
	enum err e = invocation_operands(i, 0);

	/* Opened without due work, so that what is done is told. */
	if (e == ERR_OK)
		e = global_open(1, &waiting.k);
	if (e == ERR_OK)
		e = keymgr_run_due(waiting.k, &summary);
	if (e == ERR_OK && summary.waiting > 0)
		e = keymgr_list_keys(waiting.k, print_waiting, &waiting);
	if (e == ERR_OK)
		e = waiting.error;
	keymgr_close(waiting.k);
	if (e != ERR_OK)
		return verb_fail(e, NULL);
	return answer_print("RunDue", json_pack("{s:i, s:i, s:i}", "Rotated", summary.rotated,
						"Destroyed", summary.destroyed, "Waiting", summary.waiting));
}

static const struct parameter events[] = {
	{ "verify", NULL, PARAMETER_TRUE, 0, NULL, "check that no line was changed, added or taken out" }, { NULL }
};

struct listing {
	json_t *list;		/* NULL: lines are printed as they are */
	uint64_t count;
	enum err error;
};

/* The members of a line that a table has room for. */
static json_t *event_summary(const char *line)
{
	static const char *const members[][2] = { { "eventTime", "EventTime" }, { "eventName", "EventName" },
						  { "phase", "Phase" }, { "errorCode", "Error" } };
	json_t *event = NULL, *entry = json_object(), *value;

	if (entry && json_parse(line, strlen(line), &event) == ERR_OK) {
		for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
			value = json_object_get(event, members[i][0]);
			json_object_set_new(entry, members[i][1], value ? json_incref(value) : json_string(""));
		}
		value = json_object_get(json_array_get(json_object_get(event, "resources"), 0), "ARN");
		json_object_set_new(entry, "Key", value ? json_incref(value) : json_string(""));
	}
	json_decref(event);
	return entry;
}

static int print_event(void *context, const char *line)
{
	struct listing *l = context;

	l->count++;
	if (!l->list)
		return puts(line) < 0;
	if (json_array_append_new(l->list, event_summary(line)) != 0)
		l->error = ERR_NO_MEMORY;
	return l->error != ERR_OK;
}

static int run_events(struct invocation *i)
{
	struct listing l = { .list = global.output == OUTPUT_JSON ? NULL : json_array() };
	int verify = invocation_flag(i, "verify");
	struct keymgr *k = NULL;
	enum err e = invocation_operands(i, 0);

	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e == ERR_OK)
		e = keymgr_events(k, verify, print_event, &l);
	if (e == ERR_OK)
		e = l.error;
	keymgr_close(k);
	if (e != ERR_OK) {
		fflush(stdout);
		json_decref(l.list);
		return verb_fail(e, NULL);
	}
	if (verify)
		fprintf(stderr, PROGRAM ": %llu events, the chain is whole\n", (unsigned long long)l.count);
	return answer_print("Events", l.list ? json_pack("{s:o}", "Events", l.list) : NULL);
}

const struct ctl_verb verbs_keystore[] = {
	{ "init", "make a keystore", init, NULL, run_init, "init --protector passphrase --recovery-code" },
	{ "backup", "write all keys to one sealed file with a passphrase of its own", backup, NULL, run_backup,
	  "backup keystore.backup", "FILE" },
	{ "restore", "make a keystore from a backup", restore, NULL, run_restore,
	  "restore keystore.backup --keystore /srv/keystore", "FILE" },
	{ "rotate-root", "a new root key; all backing keys are wrapped anew", NULL, NULL, run_rotate_root, "rotate-root" },
	{ "run-due", "do the rotations and deletions whose day has come", NULL, NULL, run_due, "run-due" },
	{ "events", "the audit log, JSON lines", events, NULL, run_events, "events --verify" },
	{ NULL }
};
