/* The end of a key: schedule, cancel, retire; and of a single backing key. */
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "keymgr/api/operations.h"
#include "keymgr/api/shapes.h"
#include "keymgr/ctl/confirmation.h"
#include "keymgr/ctl/deletion_notes.h"
#include "keymgr/ctl/verb.h"

#define KEY_BY_ID { "key-id", "KeyId", PARAMETER_TEXT, 1, "KEY", "key id or key ARN" }
#define WINDOW { "pending-window-in-days", "PendingWindowInDays", PARAMETER_NUMBER, 0, "N", "7 to 30 (30)" }
#define IGNORE_EXTERNAL { "ignore-external", NULL, PARAMETER_TRUE, 0, NULL, \
			  "do not wait for data keys and ciphertexts made outside buckets; needs --confirm" }
#define CONFIRM { "confirm", NULL, PARAMETER_TEXT, 0, "KEYID", "the key's id typed again; asked for on a terminal" }

static const struct parameter schedule[] = {
	KEY_BY_ID, WINDOW,
	{ "shred", NULL, PARAMETER_TRUE, 0, NULL, "destroy it at the end of the window even if files need it; needs --confirm" },
	IGNORE_EXTERNAL, CONFIRM, { NULL }
};

static enum err id_text(struct keymgr *k, const char *key, char out[static UUID_TEXT_LEN + 1])
{
	uint8_t id[KEY_ID_LEN];
	enum err e = keymgr_resolve(k, key, id);

	if (e == ERR_OK)
		uuid_text(id, out);
	return e;
}

static enum err schedule_key(const struct invocation *i, struct keymgr *k, const json_t *in, json_t **out)
{
	struct deletion_options options = { .shred = invocation_flag(i, "shred"),
					    .ignore_external = invocation_flag(i, "ignore-external") };
	const char *key = invocation_value(i, "key-id");
	struct key_metadata m;
	char id[UUID_TEXT_LEN + 1];
	enum err e = api_check(i->verb->operation, in);

	options.window_days = (int)json_integer_value(json_object_get(in, "PendingWindowInDays"));
	if (e == ERR_OK && (options.shred || options.ignore_external)) {
		e = id_text(k, key, id);
		if (e == ERR_OK)
			e = confirmation_take(invocation_value(i, "confirm"), id, options.shred ?
					      "What is under this key at the end of the window is lost for good" :
					      "Ciphertexts made outside buckets will be lost for good");
		options.confirm = id;
	}
	if (e == ERR_OK)
		e = keymgr_schedule_deletion(k, key, &options, &m);
	if (e != ERR_OK)
		return e;
	*out = shape_deletion(&m);
	e = deletion_notes(k, &m, NULL);
	key_metadata_release(&m);
	return e;
}

static int run_schedule(struct invocation *i)
{
	json_t *in = NULL, *out = NULL;
	struct keymgr *k = NULL;
	enum err e = invocation_operands(i, 0);
	int code;

	if (e == ERR_OK)
		e = invocation_request(i, &in);
	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e == ERR_OK)
		e = schedule_key(i, k, in, &out);
	code = out ? answer_print(i->verb->operation, out) : 0;
	if (e != ERR_OK)
		code = verb_fail(e, i->verb->operation);
	json_decref(in);
	keymgr_close(k);
	return code;
}

static const struct parameter cancel[] = { KEY_BY_ID, { NULL } };

static enum err say_how_to_enable(const struct invocation *i, struct keymgr *k)
{
	fprintf(stderr, "The key is Disabled now.  To use it again:\n  " PROGRAM " enable-key --key-id %s\n",
		invocation_value(i, "key-id"));
	return ERR_OK;
}

static const struct parameter retire[] = {
	KEY_BY_ID,
	{ "to", NULL, PARAMETER_TEXT, 0, "KEY", "the key that takes its place: id, ARN or alias" },
	WINDOW,
	{ "undo", NULL, PARAMETER_TRUE, 0, NULL, "let a retired key encrypt again (its deletion is cancelled by cancel-key-deletion)" },
	{ NULL }
};

struct names {
	char (*all)[ALIAS_MAX + 1];
	size_t count;
	int failed;
};

static int collect(void *context, const struct alias_entry *a)
{
	struct names *n = context;
	void *grown = realloc(n->all, (n->count + 1) * sizeof(*n->all));

	if (!grown) {
		n->failed = 1;
		return 1;
	}
	n->all = grown;
	memcpy(n->all[n->count++], a->name, sizeof(*n->all));
	return 0;
}

static enum err move_aliases(struct keymgr *k, const char *from, const char *to)
{
	struct names n = { 0 };
	enum err e = keymgr_list_aliases(k, from, collect, &n);

	if (e == ERR_OK && n.failed)
		e = ERR_NO_MEMORY;
	for (size_t i = 0; e == ERR_OK && i < n.count; i++) {
		e = keymgr_update_alias(k, n.all[i], to);
		if (e == ERR_OK)
			fprintf(stderr, "%s names %s now.\n", n.all[i], to);
	}
	free(n.all);
	return e;
}

/* What takes the place must be able to: it is easier said now than found at the next write. */
static enum err check_successor(struct keymgr *k, const char *to, const uint8_t from[static KEY_ID_LEN],
				char out[static UUID_TEXT_LEN + 1])
{
	struct key_metadata m;
	enum err e = keymgr_describe_key(k, to, &m);

	if (e != ERR_OK)
		return e;
	if (memcmp(m.key_id, from, KEY_ID_LEN) == 0)
		e = err_set(ERR_USAGE, "--to: %s is the key itself", to);
	else if (m.state != KEY_ENABLED || m.encrypt_refused)
		e = err_set(ERR_REFUSED, "--to: %s is %s: it cannot take another key's place", to,
			    m.encrypt_refused ? "retired" : key_state_name(m.state));
	uuid_text(m.key_id, out);
	key_metadata_release(&m);
	return e;
}

/* Each step may have been done before: a retirement that was cut short is begun again. */
static enum err retire_key(struct keymgr *k, struct key_metadata *from, const char *to, int window)
{
	struct deletion_options options = { .window_days = window };
	char successor[UUID_TEXT_LEN + 1], key[UUID_TEXT_LEN + 1];
	enum err e = check_successor(k, to, from->key_id, successor);

	uuid_text(from->key_id, key);
	if (e == ERR_OK)
		e = move_aliases(k, key, successor);
	if (e == ERR_OK && !from->encrypt_refused)
		e = keymgr_refuse_encrypt(k, key, 1);
	if (e == ERR_OK && from->state != KEY_PENDING_DELETION) {
		key_metadata_release(from);
		*from = (struct key_metadata){ 0 };
		e = keymgr_schedule_deletion(k, key, &options, from);
	}
	return e == ERR_OK ? deletion_notes(k, from, successor) : e;
}

static enum err retire_or_undo(const struct invocation *i, struct keymgr *k, const json_t *in, json_t **out)
{
	const char *key = invocation_value(i, "key-id"), *to = invocation_value(i, "to");
	struct key_metadata m = { 0 };
	enum err e;

	if (invocation_flag(i, "undo"))
		return keymgr_refuse_encrypt(k, key, 0);
	if (!to)
		return err_set(ERR_USAGE, "--to KEY is missing: the key that takes its place");
	e = api_check("ScheduleKeyDeletion", in);
	if (e == ERR_OK && strstr(key, "alias/"))
		e = err_set(ERR_ARN, "%.200s is an alias: a key id or key ARN is wanted here", key);
	if (e == ERR_OK)
		e = keymgr_describe_key(k, key, &m);
	if (e == ERR_OK)
		e = retire_key(k, &m, to, (int)json_integer_value(json_object_get(in, "PendingWindowInDays")));
	if (e == ERR_OK)
		*out = shape_deletion(&m);
	key_metadata_release(&m);
	return e;
}

static int run_retire(struct invocation *i)
{
	json_t *in = NULL, *out = NULL;
	struct keymgr *k = NULL;
	enum err e = invocation_operands(i, 0);

	if (e == ERR_OK)
		e = invocation_request(i, &in);
	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e == ERR_OK)
		e = retire_or_undo(i, k, in, &out);
	json_decref(in);
	keymgr_close(k);
	return e == ERR_OK ? answer_print("RetireKey", out) : verb_fail(e, NULL);
}

static const struct parameter destroy[] = {
	KEY_BY_ID,
	{ "key-material-id", NULL, PARAMETER_TEXT, 1, "ID", "KeyMaterialId of one that is not CURRENT" },
	IGNORE_EXTERNAL, CONFIRM, { NULL }
};

static enum err destroy_material(const struct invocation *i, struct keymgr *k)
{
	const char *key = invocation_value(i, "key-id"), *material = invocation_value(i, "key-material-id");
	int ignore_external = invocation_flag(i, "ignore-external");
	char id[UUID_TEXT_LEN + 1];
	uint8_t material_id[MATERIAL_ID_LEN];
	enum err e = bytes_from_hex(material, strlen(material), material_id, sizeof(material_id));

	if (e != ERR_OK)
		return err_set(ERR_USAGE, "--key-material-id: \"%.80s\" is not 64 digits of hex (list-key-rotations tells them)",
			       material);
	e = id_text(k, key, id);
	if (e == ERR_OK && ignore_external)
		e = confirmation_take(invocation_value(i, "confirm"), id,
				      "Ciphertexts made outside buckets will be lost for good");
	return e == ERR_OK ? keymgr_destroy_material(k, key, material_id, ignore_external) : e;
}

static int run_destroy(struct invocation *i)
{
	struct keymgr *k = NULL;
	enum err e = invocation_operands(i, 0);

	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e == ERR_OK)
		e = destroy_material(i, k);
	keymgr_close(k);
	return e == ERR_OK ? 0 : verb_fail(e, NULL);
}

const struct ctl_verb verbs_deletion[] = {
	{ "schedule-key-deletion", "delete a key when its window ends and nothing needs it", schedule, "ScheduleKeyDeletion",
	  run_schedule, "schedule-key-deletion --key-id 1234abcd-12ab-34cd-56ef-1234567890ab --pending-window-in-days 7" },
	{ "cancel-key-deletion", "keep a key that is pending deletion; it becomes Disabled", cancel, "CancelKeyDeletion",
	  NULL, "cancel-key-deletion --key-id 1234abcd-12ab-34cd-56ef-1234567890ab", .after = say_how_to_enable },
	{ "retire-key", "put another key in a key's place, and delete it", retire, NULL, run_retire,
	  "retire-key --key-id 1234abcd-12ab-34cd-56ef-1234567890ab --to 0987dcba-09fe-87dc-65ba-ab0987654321" },
	{ "destroy-key-material", "destroy one backing key that nothing needs", destroy, NULL, run_destroy,
	  "destroy-key-material --key-id 1234abcd-12ab-34cd-56ef-1234567890ab --key-material-id 0123…cdef" },
	{ NULL }
};
