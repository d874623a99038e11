#include "keymgr/core/use.h"

#include <stdio.h>
#include <string.h>
#include "base/bytes.h"
#include "base/log.h"
#include "keymgr/core/context.h"

enum err use_begin(struct use *u, struct keymgr *k, const char *event, enum usage_operation operation,
		   const struct context *context)
{
	enum err e;

	*u = (struct use){ .k = k, .event = event, .operation = operation };
	e = manager_enter(k, ENTER_USE);
	if (e != ERR_OK)
		return e;
	u->request = json_object();
	if (context && context->count > 0)
		json_object_set_new(u->request, "encryptionContext", context_json(context));
	return ERR_OK;
}

static enum err unwrap(struct use *u, struct use_key *key, const struct cmk *cmk, const struct backing_key *b)
{
	struct backing_key_place place = { u->k->store->id, cmk->id };
	enum err e = backing_key_unwrap(b, u->k->root->bytes, place, key->bytes);

	if (e == ERR_OK) {
		memcpy(key->ref.material_id, b->id, MATERIAL_ID_LEN);
		key->ready = 1;
	}
	return e;
}

static void note_cmk(struct use *u, struct use_key *key, const struct cmk *cmk, const char *member)
{
	char id[UUID_TEXT_LEN + 1];

	key->cmk = cmk;
	memcpy(key->ref.key_id, cmk->id, KEY_ID_LEN);
	uuid_text(cmk->id, id);
	json_object_set_new(u->request, member, json_string(id));
}

enum err use_destination(struct use *u, const char *key)
{
	struct cmk *cmk;
	enum err e = key_name_find(u->k->store, key, KEY_NAME_ANY, &cmk);

	if (e != ERR_OK)
		return e;
	note_cmk(u, &u->destination, cmk, "keyId");
	e = cmk_check(cmk, CALL_ENCRYPT);
	return e == ERR_OK ? unwrap(u, &u->destination, cmk, cmk_current(cmk)) : e;
}

enum err use_source(struct use *u, const void *blob, size_t len, enum key_call call)
{
	struct key_ref ref;
	struct cmk *cmk;
	struct backing_key *b;
	char id[UUID_TEXT_LEN + 1];
	enum err e = blob_ref(blob, len, &ref);

	if (e != ERR_OK)
		return e;
	cmk = keystore_find_cmk(u->k->store, ref.key_id);
	if (!cmk) {
		uuid_text(ref.key_id, id);
		return err_set(ERR_KEY_NOT_FOUND, "the ciphertext is under key %s, which this keystore does not hold", id);
	}
	note_cmk(u, &u->source, cmk, u->operation == USED_DECRYPT ? "keyId" : "sourceKeyId");
	e = cmk_check(cmk, call);
	if (e != ERR_OK)
		return e;
	b = cmk_find_backing_key(cmk, ref.material_id);
	if (!b)
		return err_set(ERR_CIPHERTEXT, "the ciphertext names key material that its key never had");
	return unwrap(u, &u->source, cmk, b);
}

static void audit(struct use *u, enum err error)
{
	struct use_key *key = u->destination.cmk ? &u->destination : &u->source;
	struct audit_event event = { .name = u->event, .request = u->request, .read_only = 1, .error = error,
				     .key_id = key->cmk ? key->cmk->id : NULL };
	char id[HEX_LEN(MATERIAL_ID_LEN) + 1];
	enum err e;

	if (key->ready) {
		bytes_to_hex(key->ref.material_id, MATERIAL_ID_LEN, id);
		json_object_set_new(u->request, "keyMaterialId", json_string(id));
	}
	e = u->k->writable ? audit_append(u->k, &event, 0) : ERR_REFUSED;
	if (e != ERR_OK && !u->k->audit.warned)
		log_warning("%s and what follows could not be audited: %s", u->event, err_message(e));
	u->k->audit.warned = e != ERR_OK;
}

enum err use_end(struct use *u, enum err e)
{
	char message[1024];

	if (e == ERR_OK && u->source.ready)
		e = usage_note(u->k, &u->source.ref, u->operation, 0, 0, 0);
	if (e == ERR_OK && u->destination.ready)
		e = usage_note(u->k, &u->destination.ref, u->operation, 1, u->data_keys, u->ciphertexts);
	snprintf(message, sizeof(message), "%s", err_message(e));
	audit(u, e);
	if (e != ERR_OK)
		err_set(e, "%s", message);
	secret_wipe(u->source.bytes, sizeof(u->source.bytes));
	secret_wipe(u->destination.bytes, sizeof(u->destination.bytes));
	json_decref(u->request);
	manager_leave(u->k);
	return e;
}
