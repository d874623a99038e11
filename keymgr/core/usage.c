#include "keymgr/core/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "keymgr/core/key_name.h"
#include "keymgr/core/storage.h"

#define FLUSH_SECONDS 10

static struct usage *find_pending(const struct keymgr *k, const struct key_ref *ref)
{
	for (size_t i = 0; i < k->pending_count; i++)
		if (memcmp(&k->pending[i].ref, ref, sizeof(*ref)) == 0)
			return &k->pending[i];
	return NULL;
}

static struct usage *pending(struct keymgr *k, const struct key_ref *ref)
{
	struct usage *found = find_pending(k, ref), *grown;

	if (found)
		return found;
	grown = realloc(k->pending, (k->pending_count + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	k->pending = grown;
	if (k->pending_count == 0)
		k->pending_since = clock_boot();
	found = &grown[k->pending_count++];
	*found = (struct usage){ .ref = *ref };
	return found;
}

static void add(struct usage *to, const struct usage *more)
{
	to->data_keys += more->data_keys;
	to->ciphertexts += more->ciphertexts;
	to->encrypted |= more->encrypted;
	if (more->operation != USED_NEVER) {
		to->operation = more->operation;
		to->last_used = more->last_used;
	}
}

struct usage usage_of(const struct keymgr *k, const struct key_ref *ref)
{
	const struct usage *written = ledger_find_usage(&k->ledger, ref), *more = find_pending(k, ref);
	struct usage all = { .ref = *ref };

	if (written)
		add(&all, written);
	if (more)
		add(&all, more);
	return all;
}

enum err usage_merge(struct keymgr *k)
{
	struct usage *to;
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < k->pending_count; i++) {
		e = ledger_usage(&k->ledger, &k->pending[i].ref, &to);
		if (e == ERR_OK)
			add(to, &k->pending[i]);
	}
	return e;
}

void usage_forget(struct keymgr *k)
{
	free(k->pending);
	k->pending = NULL;
	k->pending_count = 0;
}

/* Is this the first of its kind?  Then nobody may see it before it is counted for good. */
static int must_be_durable(const struct keymgr *k, const struct key_ref *ref, int encrypts, int data_keys, int ciphertexts)
{
	const struct usage *written = ledger_find_usage(&k->ledger, ref);

	if (!written)
		return encrypts || data_keys || ciphertexts;
	return (encrypts && !written->encrypted) || (data_keys && written->data_keys == 0) ||
	       (ciphertexts && written->ciphertexts == 0);
}

enum err usage_note(struct keymgr *k, const struct key_ref *ref, enum usage_operation operation, int encrypts,
		    int data_keys, int ciphertexts)
{
	int durable = must_be_durable(k, ref, encrypts, data_keys, ciphertexts);
	struct usage one = { .data_keys = (uint64_t)data_keys, .ciphertexts = (uint64_t)ciphertexts,
			     .encrypted = encrypts != 0, .operation = (uint8_t)operation, .last_used = clock_now() };
	struct usage *u = pending(k, ref);
	enum err e;

	if (!u)
		return ERR_NO_MEMORY;
	add(u, &one);
	if (!durable && (!k->writable || clock_boot() - k->pending_since < FLUSH_SECONDS))
		return ERR_OK;
	if (!k->writable)
		return err_set(ERR_REFUSED, "the keystore %s cannot be written, so that what is encrypted cannot be counted",
			       k->path);
	e = ledger_commit(k);
	if (e != ERR_OK && !durable) {
		log_warning("usage could not be noted: %s", err_message(e));
		return ERR_OK;
	}
	return e;
}

void usage_flush(struct keymgr *k)
{
	enum err e;

	if (k->pending_count == 0 || !k->writable)
		return;
	e = manager_enter(k, ENTER_CHANGE);
	if (e == ERR_OK) {
		e = ledger_commit(k);
		manager_leave(k);
	}
	if (e != ERR_OK)
		log_warning("usage could not be noted: %s", err_message(e));
}

static const char *const operation_names[] = {
	[USED_ENCRYPT] = "Encrypt", [USED_DECRYPT] = "Decrypt", [USED_RE_ENCRYPT] = "ReEncrypt",
	[USED_GENERATE_DATA_KEY] = "GenerateDataKey", [USED_MIGRATE] = "MigrateDataKey",
};

static void find_last(const struct keymgr *k, const struct cmk *cmk, struct key_usage *out)
{
	for (uint32_t i = 0; i < cmk->backing_key_count; i++) {
		struct key_ref ref;
		struct usage u;

		memcpy(ref.key_id, cmk->id, KEY_ID_LEN);
		memcpy(ref.material_id, cmk->backing_keys[i].id, MATERIAL_ID_LEN);
		u = usage_of(k, &ref);
		if (u.operation != USED_NEVER && (!*out->operation || u.last_used > out->when)) {
			snprintf(out->operation, sizeof(out->operation), "%s", operation_names[u.operation]);
			out->when = u.last_used;
		}
	}
}

enum err keymgr_last_usage(struct keymgr *k, const char *key, struct key_usage *out)
{
	struct cmk *cmk;
	enum err e = manager_enter(k, ENTER_LEDGER);

	*out = (struct key_usage){ 0 };
	if (e != ERR_OK)
		return e;
	e = key_name_find(k->store, key, KEY_NAME_ANY, &cmk);
	if (e == ERR_OK)
		e = cmk_check(cmk, CALL_DESCRIBE);
	if (e == ERR_OK) {
		out->tracked_since = cmk->created > k->ledger.since ? cmk->created : k->ledger.since;
		find_last(k, cmk, out);
	}
	manager_leave(k);
	return e;
}
