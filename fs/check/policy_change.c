#include "fs/check/policy_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *warn_disabled(const char *key)
{
	char *text;

	return asprintf(&text, "%s is Disabled: files cannot be created here until `rekeyctl enable-key --key-id %s`", key, key) < 0 ? NULL : text;
}

static char *warn_pending(const char *key)
{
	char *text;

	return asprintf(&text, "%s is pending deletion: nothing can be created here, and its deletion waits; name another by `rekeyfs policy set DIR --key KEY`, "
			"or keep it by `rekeyctl cancel-key-deletion --key-id %s`", key, key) < 0 ? NULL : text;
}

/* A sentence where the key that `key` names cannot encrypt now; ERR_REFUSED where it never will again. */
static enum err check_key(struct keymgr *k, const char *key, char **warning)
{
	struct key_metadata m = { 0 };
	char id[UUID_TEXT_LEN + 1];
	enum err e = keymgr_describe_key(k, key, &m);

	*warning = NULL;
	if (e == ERR_KEY_NOT_FOUND)
		return err_set(e, "there is no key %s: `rekeyctl list-keys` and `rekeyctl list-aliases` show what there is, `rekeyctl create-key --alias-name "
			       "alias/NAME` makes one", key);
	if (e != ERR_OK)
		return e;
	uuid_text(m.key_id, id);
	if (m.encrypt_refused)
		e = err_set(ERR_REFUSED, "%s (%s) is being retired and encrypts nothing more: name another key", key, id);
	else if (m.state == KEY_DISABLED)
		*warning = warn_disabled(id);
	else if (m.state == KEY_PENDING_DELETION)
		*warning = warn_pending(id);
	else if (m.state != KEY_ENABLED)
		e = err_set(ERR_REFUSED, "%s (%s) is %s: name another key", key, id, key_state_name(m.state));
	key_metadata_release(&m);
	return e;
}

static enum err fill(struct bucket *b, const struct location *at, const struct policy_request *q, struct policy *p)
{
	enum err e = ERR_OK;

	if (policy_get(b->policies, at->id, p) != ERR_OK) {
		memset(p, 0, sizeof(*p));
		memcpy(p->dir_id, at->id, UUID_LEN);
		if (!q->key)
			return err_set(ERR_USAGE, "the directory has no policy of its own yet: name its key by --key KEY");
	}
	if (q->key && strlen(q->key) > POLICY_KEY_MAX)
		return err_set(ERR_USAGE, "a key's name has at most %d characters", POLICY_KEY_MAX);
	if (q->key)
		snprintf(p->key, sizeof(p->key), "%s", q->key);
	if (q->enforce)
		e = policy_enforce_parse(q->enforce, &p->enforce);
	if (e == ERR_OK && q->on_rename)
		e = policy_on_rename_parse(q->on_rename, &p->on_rename);
	if (e == ERR_OK && q->after_rotation)
		e = policy_after_rotation_parse(q->after_rotation, &p->after_rotation);
	return e;
}

enum err policy_change_set(struct bucket *b, const struct location *at, const struct policy_request *request, char **warning_out)
{
	struct policy p;
	char *warning = NULL;
	enum err e;

	if (warning_out)
		*warning_out = NULL;
	if (!at->is_directory)
		return err_set(ERR_REFUSED, "only a directory has a policy: it decides which key new files in it get");
	e = fill(b, at, request, &p);
	if (e == ERR_OK)
		e = check_key(key_ring_keymgr(b->ring), p.key, &warning);
	if (e == ERR_OK)
		e = bucket_policy_set(b, &p);
	if (e == ERR_OK && warning_out) {
		*warning_out = warning;
		warning = NULL;
	}
	free(warning);
	return e;
}

enum err policy_change_unset(struct bucket *b, const struct location *at)
{
	struct policy own;

	if (!at->is_directory || policy_get(b->policies, at->id, &own) != ERR_OK)
		return err_set(ERR_NOT_FOUND, "it has no policy of its own");
	if (memcmp(at->id, b->root_dir_id, UUID_LEN) == 0)
		return err_set(ERR_REFUSED, "the root always has a policy: `rekeyfs policy set` changes it");
	return bucket_policy_unset(b, at->id);
}

json_t *policy_change_show(struct bucket *b, const struct location *at)
{
	struct keymgr *k = key_ring_keymgr(b->ring);
	const struct policy *p = &at->policy;
	char id[UUID_TEXT_LEN + 1], dir[UUID_TEXT_LEN + 1], *warning = NULL;
	uint8_t key_id[KEY_ID_LEN] = { 0 };
	int known = keymgr_resolve(k, p->key, key_id) == ERR_OK;
	json_t *o;

	uuid_text(key_id, id);
	uuid_text(p->dir_id, dir);
	o = json_pack("{s:s, s:s?, s:s, s:b, s:s, s:s, s:s, s:s}", "Key", p->key, "KeyId", known ? id : NULL, "KeyState",
		key_state_name(known ? keymgr_key_state(k, key_id) : KEY_ABSENT), "Own", memcmp(p->dir_id, at->id, UUID_LEN) == 0, "DirectoryId", dir,
		"OnRename", policy_on_rename_name(p->on_rename), "Enforce", policy_enforce_name(p->enforce), "AfterRotation",
		policy_after_rotation_name(p->after_rotation));
	enum err e = check_key(k, p->key, &warning);
	if (o && (e != ERR_OK || warning))
		json_object_set_new(o, "Warning", json_string(warning ? warning : err_message(e)));
	free(warning);
	return o;
}
