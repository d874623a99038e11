#include "keymgr/core/change.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"

static enum err append(const struct change *c, enum audit_phase phase, enum err error, int durable)
{
	struct audit_event event = { .name = c->event, .request = c->request, .phase = phase, .error = error,
				     .key_id = c->has_key ? c->key_id : NULL };

	return audit_append(c->k, &event, durable);
}

/* The ledger follows the line that was written last. */
static void note_audit_head(struct keymgr *k)
{
	k->ledger.audit_sequence = k->audit.sequence;
	memcpy(k->ledger.audit_hash, k->audit.hash, AUDIT_HASH_LEN);
}

/* Called with everything locked.  Without the line nothing is noted, so that the next one tries again. */
static enum err note_clock(struct keymgr *k)
{
	int64_t offset = clock_offset();
	struct change c = { .k = k, .event = "ClockOffsetChanged" };
	enum err e;

	if (offset == k->ledger.clock_offset)
		return ERR_OK;
	c.request = json_pack("{s:I, s:I}", "from", (json_int_t)k->ledger.clock_offset, "to", (json_int_t)offset);
	e = append(&c, AUDIT_SINGLE, ERR_OK, 1);
	if (e == ERR_OK) {
		k->ledger.clock_offset = offset;
		note_audit_head(k);
	}
	json_decref(c.request);
	return e;
}

void change_note_clock(struct keymgr *k)
{
	enum err e;

	if (!k->writable || clock_offset() == k->ledger.clock_offset)
		return;
	e = manager_enter(k, ENTER_CHANGE);
	if (e == ERR_OK) {
		e = note_clock(k);
		if (e == ERR_OK)
			e = ledger_commit(k);
		manager_leave(k);
	}
	if (e != ERR_OK)
		log_warning("a moved clock could not be audited: %s", err_message(e));
}

enum err change_begin(struct change *c, struct keymgr *k, const char *event)
{
	enum err e;

	*c = (struct change){ .k = k, .event = event };
	e = manager_enter(k, ENTER_CHANGE);
	if (e != ERR_OK)
		return e;
	c->request = json_object();
	c->now = clock_now();
	return ERR_OK;
}

void change_of(struct change *c, const struct cmk *cmk)
{
	memcpy(c->key_id, cmk->id, sizeof(c->key_id));
	c->has_key = 1;
	change_id(c, "keyId", cmk->id);
}

enum err change_cmk(struct change *c, const char *key, enum key_name_kinds kinds, struct cmk **out)
{
	enum err e = key_name_find(c->k->store, key, kinds, out);

	if (e == ERR_OK)
		change_of(c, *out);
	else
		change_text(c, "keyId", key);
	return e;
}

void change_text(struct change *c, const char *member, const char *value)
{
	if (value)
		json_object_set_new(c->request, member, json_string(value));
}

void change_number(struct change *c, const char *member, int64_t value)
{
	json_object_set_new(c->request, member, json_integer(value));
}

void change_flag(struct change *c, const char *member, int value)
{
	json_object_set_new(c->request, member, json_boolean(value));
}

void change_id(struct change *c, const char *member, const uint8_t id[static UUID_LEN])
{
	char text[UUID_TEXT_LEN + 1];

	uuid_text(id, text);
	change_text(c, member, text);
}

/* After the keystore was replaced: nothing here undoes that. */
static void finish_keystore(struct change *c)
{
	enum err e = append(c, AUDIT_OUTCOME, ERR_OK, 1);

	if (e == ERR_OK)
		note_audit_head(c->k);
	else
		log_warning("%s was done, but its outcome could not be audited: %s", c->event, err_message(e));
	e = ledger_commit(c->k);
	if (e != ERR_OK)
		log_warning("%s was done, but: %s", c->event, err_message(e));
}

static enum err commit_keystore(struct change *c)
{
	struct keymgr *k = c->k;
	char message[1024];
	enum err e = ERR_OK;

	/* Under the root key before the last: it must follow before another one comes. */
	if (k->ledger.epoch != k->store->epoch)
		e = ledger_commit(k);
	if (e == ERR_OK)
		e = append(c, AUDIT_INTENT, ERR_OK, 1);
	if (e != ERR_OK)
		return err_set(e, "nothing was changed, since the audit log cannot be written: %s", err_message(e));
	note_audit_head(k);
	e = storage_commit(k, c->commit);
	if (e == ERR_OK) {
		finish_keystore(c);
		return ERR_OK;
	}
	/* Memory and file may have parted: the line goes under the root key that the file has. */
	snprintf(message, sizeof(message), "%s", err_message(e));
	if (storage_refresh(k) == ERR_OK)
		append(c, AUDIT_OUTCOME, err_set(e, "%s", message), 0);
	return err_set(e, "%s", message);
}

static enum err commit_ledger(struct change *c)
{
	enum err e = ERR_OK;

	if (c->kind == CHANGE_LEDGER) {
		e = append(c, AUDIT_SINGLE, ERR_OK, 1);
		if (e != ERR_OK)
			return err_set(e, "nothing was changed, since the audit log cannot be written: %s", err_message(e));
		note_audit_head(c->k);
	}
	return ledger_commit(c->k);
}

static enum err commit(struct change *c)
{
	enum err e = c->kind == CHANGE_SILENT ? ERR_OK : note_clock(c->k);

	if (e != ERR_OK)
		return err_set(e, "nothing was changed, since the audit log cannot be written: %s", err_message(e));
	switch (c->kind) {
	case CHANGE_KEYSTORE:
		return commit_keystore(c);
	case CHANGE_LEDGER:
	case CHANGE_LEDGER_QUIET:
		return commit_ledger(c);
	case CHANGE_NOTHING:
		return append(c, AUDIT_SINGLE, ERR_OK, 0);
	case CHANGE_SILENT:
		break;
	}
	return ERR_OK;
}

enum err change_end(struct change *c, enum err e)
{
	char message[1024];

	if (e == ERR_OK) {
		e = commit(c);
	} else if (c->kind != CHANGE_LEDGER_QUIET) {
		/* The sentence is the caller's; a log that cannot be written has been warned of. */
		snprintf(message, sizeof(message), "%s", err_message(e));
		append(c, AUDIT_SINGLE, e, 0);
		err_set(e, "%s", message);
	}
	if (e != ERR_OK) {
		c->k->stale = 1;
		c->k->ledger.sequence = 0;
	}
	json_decref(c->request);
	manager_leave(c->k);
	return e;
}
