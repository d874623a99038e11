/* What opens a keystore: list, add, remove, change. */
#include <string.h>
#include "base/secret.h"
#include "keymgr/ctl/protector_kind.h"

static const char *const kinds[] = {
	[PROTECTOR_PASSPHRASE] = "passphrase", [PROTECTOR_KEYFILE] = "keyfile",
	[PROTECTOR_COMMAND] = "command", [PROTECTOR_RECOVERY] = "recovery-code",
};

const char *protector_kind_name(enum protector_kind kind)
{
	return kind >= PROTECTOR_PASSPHRASE && kind <= PROTECTOR_RECOVERY ? kinds[kind] : "unknown";
}

enum err protector_kind_parse(const char *word, enum protector_kind *out)
{
	for (int kind = PROTECTOR_PASSPHRASE; kind <= PROTECTOR_RECOVERY; kind++)
		if (strcmp(word, kinds[kind]) == 0) {
			*out = (enum protector_kind)kind;
			return ERR_OK;
		}
	return err_set(ERR_USAGE, "\"%s\" is no kind of protector: passphrase, keyfile, command or recovery-code", word);
}

struct unlock invocation_new_secret(const struct invocation *i)
{
	return (struct unlock){ .keyfile = invocation_value(i, "new-keyfile"),
				.passfile = invocation_value(i, "new-passfile"),
				.extpass = invocation_value(i, "new-extpass"), .no_prompt = global.unlock.no_prompt };
}

static int list_one(void *context, const struct protector_info *p)
{
	json_t *list = context;
	char id[UUID_TEXT_LEN + 1];
	json_t *entry;

	uuid_text(p->id, id);
	entry = json_pack("{s:s, s:s, s:I}", "ProtectorId", id, "Kind", protector_kind_name(p->kind),
			  "CreationDate", (json_int_t)p->created);
	if (p->hint[0])
		json_object_set_new(entry, "Keyfile", json_string(p->hint));
	if (p->argon2_memory) {
		json_object_set_new(entry, "Argon2Memory", json_integer((json_int_t)p->argon2_memory));
		json_object_set_new(entry, "Argon2Passes", json_integer(p->argon2_passes));
	}
	return json_array_append_new(list, entry) != 0;
}

static int run_list(struct invocation *i)
{
	json_t *list = json_array();
	struct keymgr *k = NULL;
	enum err e = invocation_operands(i, 0);

	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e == ERR_OK)
		e = keymgr_list_protectors(k, list_one, list);
	keymgr_close(k);
	if (e == ERR_OK)
		return answer_print("ListProtectors", json_pack("{s:o}", "Protectors", list));
	json_decref(list);
	return verb_fail(e, NULL);
}

static const struct parameter add[] = {
	{ "protector", NULL, PARAMETER_TEXT, 1, "KIND", "passphrase, keyfile, command or recovery-code" },
	NEW_SECRET_PARAMETERS,
	{ NULL }
};

/* The code is printed once and kept nowhere. */
static enum err add_recovery(struct keymgr *k, json_t *answer, uint8_t id[static UUID_LEN])
{
	char code[RECOVERY_CODE_LEN + 1];
	enum err e = keymgr_add_recovery(k, code, id);

	if (e == ERR_OK && json_object_set_new(answer, "RecoveryCode", json_string(code)) != 0)
		e = ERR_NO_MEMORY;
	secret_wipe(code, sizeof(code));
	return e;
}

static enum err add_protector(const struct invocation *i, struct keymgr *k, json_t *answer)
{
	const char *kind_word = invocation_value(i, "protector");
	struct unlock from = invocation_new_secret(i);
	char text[UUID_TEXT_LEN + 1];
	enum protector_kind kind = 0;
	uint8_t id[UUID_LEN];
	enum err e = protector_kind_parse(kind_word, &kind);

	if (e == ERR_OK && kind == PROTECTOR_KEYFILE && !from.keyfile)
		e = err_set(ERR_USAGE, "--protector keyfile needs --new-keyfile FILE");
	if (e == ERR_OK && kind == PROTECTOR_COMMAND && !from.extpass)
		e = err_set(ERR_USAGE, "--protector command needs --new-extpass COMMAND");
	if (e == ERR_OK && kind == PROTECTOR_RECOVERY)
		e = add_recovery(k, answer, id);
	else if (e == ERR_OK)
		e = keymgr_add_protector(k, kind, &from, id);
	if (e != ERR_OK)
		return e;
	uuid_text(id, text);
	json_object_set_new(answer, "ProtectorId", json_string(text));
	json_object_set_new(answer, "Kind", json_string(kind_word));
	if (kind == PROTECTOR_RECOVERY)
		fputs(PROGRAM ": print this code or write it down; it opens the keystore and is shown only now\n", stderr);
	return ERR_OK;
}

static int run_add(struct invocation *i)
{
	json_t *answer = json_object();
	struct keymgr *k = NULL;
	enum err e = invocation_operands(i, 0);

	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e == ERR_OK)
		e = add_protector(i, k, answer);
	keymgr_close(k);
	if (e == ERR_OK)
		return answer_print("AddProtector", answer);
	json_decref(answer);
	return verb_fail(e, NULL);
}

static const struct parameter by_id[] = {
	{ "protector-id", NULL, PARAMETER_TEXT, 1, "ID", "as list-protectors tells it" }, { NULL }
};

static enum err protector_id(const struct invocation *i, uint8_t out[static UUID_LEN])
{
	const char *text = invocation_value(i, "protector-id");

	if (uuid_parse(text, out) != ERR_OK)
		return err_set(ERR_USAGE, "--protector-id: \"%.64s\" is no id (list-protectors tells them)", text);
	return ERR_OK;
}

static int run_remove(struct invocation *i)
{
	struct keymgr *k = NULL;
	uint8_t id[UUID_LEN];
	enum err e = invocation_operands(i, 0);

	if (e == ERR_OK)
		e = protector_id(i, id);
	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e == ERR_OK)
		e = keymgr_remove_protector(k, id);
	keymgr_close(k);
	return e == ERR_OK ? 0 : verb_fail(e, NULL);
}

static const struct parameter change[] = {
	{ "protector-id", NULL, PARAMETER_TEXT, 0, "ID", "which passphrase, where there are several" },
	{ "new-passfile", NULL, PARAMETER_TEXT, 0, "FILE", "its first line is the new passphrase" },
	{ "new-extpass", NULL, PARAMETER_TEXT, 0, "COMMAND", "prints the new passphrase" },
	{ NULL }
};

static int run_change(struct invocation *i)
{
	struct unlock from = invocation_new_secret(i);
	const char *which = invocation_value(i, "protector-id");
	struct keymgr *k = NULL;
	uint8_t id[UUID_LEN];
	enum err e = invocation_operands(i, 0);

	if (e == ERR_OK && which)
		e = protector_id(i, id);
	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e == ERR_OK)
		e = keymgr_change_passphrase(k, which ? id : NULL, &from);
	keymgr_close(k);
	return e == ERR_OK ? 0 : verb_fail(e, NULL);
}

const struct ctl_verb verbs_protectors[] = {
	{ "list-protectors", "what opens the keystore", NULL, NULL, run_list, "list-protectors --output table" },
	{ "add-protector", "add a passphrase, keyfile, command or recovery code", add, NULL, run_add,
	  "add-protector --protector passphrase" },
	{ "remove-protector", "remove one (never the last), with a new root key", by_id, NULL, run_remove,
	  "remove-protector --protector-id 1234abcd-12ab-34cd-56ef-1234567890ab" },
	{ "change-passphrase", "another passphrase, with a new root key", change, NULL, run_change, "change-passphrase" },
	{ NULL }
};
