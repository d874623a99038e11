#include "keymgr/core/deletion.h"

#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "keymgr/core/change.h"
#include "keymgr/core/metadata.h"
#include "keymgr/core/usage.h"

int deletion_is_due(const struct cmk *cmk, int64_t now)
{
	return cmk->state == KEY_PENDING_DELETION && cmk->deletion_date <= now;
}

static struct gate gate_of(const struct cmk *cmk)
{
	return (struct gate){ .cmk = cmk, .ignore_external = (cmk->flags & CMK_IGNORES_EXTERNAL) != 0 };
}

int deletion_may_go_on(const struct keymgr *k, const struct cmk *cmk)
{
	struct gate gate = gate_of(cmk);

	return (cmk->flags & CMK_SHRED) || gate_reasons(k, &gate, NULL) == 0;
}

static void destroy_backing_key(struct backing_key *b, int64_t now)
{
	if (b->flags & BACKING_KEY_DESTROYED)
		return;
	b->flags |= BACKING_KEY_DESTROYED;
	b->destroyed = now;
	if (b->retired == 0)
		b->retired = now;
	secret_wipe(b->wrap, sizeof(b->wrap));
}

enum err deletion_destroy(struct keymgr *k, struct cmk *cmk, int64_t now)
{
	enum err e = cmk_step(cmk, CALL_DESTROY, now);

	if (e != ERR_OK)
		return e;
	for (uint32_t i = 0; i < cmk->backing_key_count; i++)
		destroy_backing_key(&cmk->backing_keys[i], now);
	for (size_t i = k->store->alias_count; i-- > 0;)
		if (memcmp(k->store->aliases[i].key_id, cmk->id, KEY_ID_LEN) == 0)
			keystore_remove_alias(k->store, &k->store->aliases[i]);
	cmk->deletion_date = now;
	cmk->flags = 0;
	cmk->next_rotation = 0;
	ledger_forget_key(&k->ledger, cmk->id);
	return cmk_set_description(cmk, "");
}

static enum err check_options(const struct cmk *cmk, const struct deletion_options *o, int *days_out)
{
	char id[UUID_TEXT_LEN + 1];

	*days_out = o->window_days ? o->window_days : DELETION_WINDOW_MAX;
	if (*days_out < DELETION_WINDOW_MIN || *days_out > DELETION_WINDOW_MAX)
		return err_set(ERR_VALIDATION, "a deletion's window is %d to %d days, not %d", DELETION_WINDOW_MIN,
			       DELETION_WINDOW_MAX, *days_out);
	uuid_text(cmk->id, id);
	if (o->shred && (!o->confirm || strcmp(o->confirm, id) != 0))
		return err_set(ERR_VALIDATION, "shredding makes everything under the key unreadable: its id is typed again "
			       "to confirm it: %s", id);
	return ERR_OK;
}

static void mark_pending(struct cmk *cmk, const struct deletion_options *o, int days, int64_t now)
{
	cmk->window_days = (uint16_t)days;
	cmk->deletion_date = now + (int64_t)days * DAY_SECONDS;
	cmk->flags &= (uint16_t)~(CMK_SHRED | CMK_IGNORES_EXTERNAL);
	if (o->shred)
		cmk->flags |= CMK_SHRED;
	if (o->ignore_external)
		cmk->flags |= CMK_IGNORES_EXTERNAL;
}

enum err keymgr_schedule_deletion(struct keymgr *k, const char *key, const struct deletion_options *o, struct key_metadata *out)
{
	static const struct deletion_options usual;
	struct change c;
	struct cmk *cmk;
	int days;
	enum err e = change_begin(&c, k, "ScheduleKeyDeletion");

	if (out)
		*out = (struct key_metadata){ 0 };
	if (e != ERR_OK)
		return e;
	if (!o)
		o = &usual;
	change_number(&c, "pendingWindowInDays", o->window_days ? o->window_days : DELETION_WINDOW_MAX);
	change_flag(&c, "shred", o->shred);
	change_flag(&c, "ignoreExternal", o->ignore_external);
	e = change_cmk(&c, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK)
		e = check_options(cmk, o, &days);
	if (e == ERR_OK)
		e = cmk_step(cmk, CALL_SCHEDULE_DELETION, c.now);
	if (e == ERR_OK) {
		mark_pending(cmk, o, days, c.now);
		e = out ? metadata_of(cmk, out) : ERR_OK;
	}
	e = change_end(&c, e);
	if (e != ERR_OK && out)
		key_metadata_release(out);
	return e;
}

enum err keymgr_cancel_deletion(struct keymgr *k, const char *key)
{
	struct change c;
	struct cmk *cmk;
	enum err e = change_begin(&c, k, "CancelKeyDeletion");

	if (e != ERR_OK)
		return e;
	e = change_cmk(&c, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK)
		e = cmk_step(cmk, CALL_CANCEL_DELETION, c.now);
	if (e == ERR_OK) {
		cmk->deletion_date = 0;
		cmk->window_days = 0;
		cmk->flags &= (uint16_t)~(CMK_SHRED | CMK_IGNORES_EXTERNAL);
	}
	return change_end(&c, e);
}

enum err keymgr_deletion_blockers(struct keymgr *k, const char *key, char **text_out)
{
	struct gate gate;
	struct cmk *cmk;
	enum err e = manager_enter(k, ENTER_LEDGER);

	*text_out = NULL;
	if (e != ERR_OK)
		return e;
	e = key_name_find(k->store, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK && cmk->state != KEY_PENDING_DELETION)
		e = err_set(ERR_KEY_STATE, "key %s is %s, no deletion is pending", key, key_state_name(cmk->state));
	if (e == ERR_OK && (cmk->flags & CMK_SHRED)) {
		*text_out = strdup("");
		e = *text_out ? ERR_OK : ERR_NO_MEMORY;
	} else if (e == ERR_OK) {
		gate = gate_of(cmk);
		e = gate_text(k, &gate, text_out);
	}
	manager_leave(k);
	return e;
}

/* Was the backing key never used to encrypt, as far as is known for sure? */
static int never_used(const struct keymgr *k, const struct cmk *cmk, const struct backing_key *b)
{
	struct key_ref ref;
	struct usage used;

	memcpy(ref.key_id, cmk->id, KEY_ID_LEN);
	memcpy(ref.material_id, b->id, MATERIAL_ID_LEN);
	used = usage_of(k, &ref);
	return !used.encrypted && b->created >= k->ledger.since && b->created > k->ledger.lost_at;
}

static enum err check_material(const struct keymgr *k, const struct cmk *cmk, const struct backing_key *b, int ignore_external)
{
	struct gate gate = { .cmk = cmk, .backing_key = b, .ignore_external = ignore_external };
	char *reasons;
	enum err e;

	if (!b)
		return err_set(ERR_NOT_FOUND, "the key has no such key material");
	if (b->flags & BACKING_KEY_DESTROYED)
		return err_set(ERR_KEY_DESTROYED, "this key material was destroyed already");
	if (b == cmk_current(cmk))
		return err_set(ERR_REFUSED, "this is the key's current material: rekeyctl rotate-key-on-demand first");
	if (never_used(k, cmk, b))
		return ERR_OK;
	e = gate_text(k, &gate, &reasons);
	if (e == ERR_OK && *reasons)
		e = err_set(ERR_REFUSED, "the key material may still be needed: %s", reasons);
	free(reasons);
	return e;
}

enum err keymgr_destroy_material(struct keymgr *k, const char *key, const uint8_t material[static MATERIAL_ID_LEN], int ignore_external)
{
	char id[HEX_LEN(MATERIAL_ID_LEN) + 1];
	struct backing_key *b;
	struct change c;
	struct cmk *cmk;
	enum err e = change_begin(&c, k, "DestroyKeyMaterial");

	if (e != ERR_OK)
		return e;
	bytes_to_hex(material, MATERIAL_ID_LEN, id);
	change_text(&c, "keyMaterialId", id);
	change_flag(&c, "ignoreExternal", ignore_external);
	c.commit = COMMIT_DESTROY;
	e = change_cmk(&c, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK)
		e = cmk_check(cmk, CALL_DESTROY_MATERIAL);
	if (e == ERR_OK) {
		b = cmk_find_backing_key(cmk, material);
		e = check_material(k, cmk, b, ignore_external);
	}
	if (e == ERR_OK)
		destroy_backing_key(b, c.now);
	return change_end(&c, e);
}
