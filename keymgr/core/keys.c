/* Keys: made, described, listed, enabled and disabled. */
#include <stdlib.h>
#include <string.h>
#include "keymgr/core/change.h"
#include "keymgr/core/metadata.h"

void key_metadata_release(struct key_metadata *m)
{
	free(m->description);
	m->description = NULL;
}

enum err metadata_of(const struct cmk *cmk, struct key_metadata *out)
{
	const struct backing_key *current = cmk_current(cmk);

	*out = (struct key_metadata){
		.state = cmk->state, .created = cmk->created, .material_count = (int)cmk->backing_key_count,
		.rotation_enabled = (cmk->flags & CMK_ROTATION) != 0, .rotation_period_days = cmk->rotation_days,
		.next_rotation = cmk->flags & CMK_ROTATION ? cmk->next_rotation : 0,
		.on_demand_rotations = cmk->on_demand, .encrypt_refused = (cmk->flags & CMK_REFUSES_ENCRYPT) != 0,
	};
	if (cmk->state == KEY_PENDING_DELETION) {
		out->deletion_date = cmk->deletion_date;
		out->pending_window_days = cmk->window_days;
		out->shred = (cmk->flags & CMK_SHRED) != 0;
	}
	memcpy(out->key_id, cmk->id, KEY_ID_LEN);
	key_arn(cmk->id, out->arn);
	if (current)
		memcpy(out->current_material, current->id, MATERIAL_ID_LEN);
	out->description = strdup(cmk->description);
	return out->description ? ERR_OK : ERR_NO_MEMORY;
}

enum err keymgr_create_key(struct keymgr *k, const char *description, struct key_metadata *out)
{
	uint8_t id[KEY_ID_LEN];
	struct backing_key *first;
	struct change c;
	struct cmk *cmk;
	enum err e;

	if (out)
		*out = (struct key_metadata){ 0 };
	e = change_begin(&c, k, "CreateKey");
	if (e != ERR_OK)
		return e;
	uuid_random(id);
	change_text(&c, "description", description);
	cmk = cmk_new(id);
	if (!cmk)
		return change_end(&c, ERR_NO_MEMORY);
	cmk->created = c.now;
	e = cmk_set_description(cmk, description);
	if (e == ERR_OK)
		e = cmk_add_backing_key(cmk, &first);
	if (e == ERR_OK) {
		backing_key_make(first, k->root->bytes, (struct backing_key_place){ k->store->id, id }, c.now);
		change_of(&c, cmk);
		e = keystore_add_cmk(k->store, cmk);
	} else {
		cmk_free(cmk);
	}
	if (e == ERR_OK && out)
		e = metadata_of(cmk, out);
	e = change_end(&c, e);
	if (e != ERR_OK && out)
		key_metadata_release(out);
	return e;
}

enum err keymgr_describe_key(struct keymgr *k, const char *key, struct key_metadata *out)
{
	struct cmk *cmk;
	enum err e = manager_enter(k, ENTER_READ);

	*out = (struct key_metadata){ 0 };
	if (e != ERR_OK)
		return e;
	e = key_name_find(k->store, key, KEY_NAME_ANY, &cmk);
	if (e == ERR_OK)
		e = cmk_check(cmk, CALL_DESCRIBE);
	if (e == ERR_OK)
		e = metadata_of(cmk, out);
	manager_leave(k);
	return e;
}

enum key_state keymgr_key_state(struct keymgr *k, const uint8_t key_id[static KEY_ID_LEN])
{
	enum key_state state = KEY_ABSENT;
	const struct cmk *cmk;

	/* Where the keystore cannot be read, nothing is known of its keys. */
	if (manager_enter(k, ENTER_READ) != ERR_OK)
		return KEY_UNAVAILABLE;
	cmk = keystore_find_cmk(k->store, key_id);
	if (cmk)
		state = cmk->state;
	manager_leave(k);
	return state;
}

enum err keymgr_resolve(struct keymgr *k, const char *key, uint8_t out[static KEY_ID_LEN])
{
	struct cmk *cmk;
	enum err e = manager_enter(k, ENTER_READ);

	if (e != ERR_OK)
		return e;
	e = key_name_find(k->store, key, KEY_NAME_ANY, &cmk);
	if (e == ERR_OK)
		memcpy(out, cmk->id, KEY_ID_LEN);
	manager_leave(k);
	return e;
}

enum err keymgr_list_keys(struct keymgr *k, int (*each)(void *context, const struct key_metadata *m), void *context)
{
	struct key_metadata *all = NULL;
	size_t count = 0;
	enum err e = manager_enter(k, ENTER_READ);

	if (e != ERR_OK)
		return e;
	/* A copy, since `each` may call the key manager. */
	all = calloc(k->store->cmk_count ? k->store->cmk_count : 1, sizeof(*all));
	if (!all)
		e = ERR_NO_MEMORY;
	for (size_t i = 0; e == ERR_OK && i < k->store->cmk_count; i++)
		if (k->store->cmks[i]->state != KEY_DESTROYED)
			e = metadata_of(k->store->cmks[i], &all[count++]);
	manager_leave(k);
	for (size_t i = 0; e == ERR_OK && i < count; i++)
		if (each(context, &all[i]))
			break;
	for (size_t i = 0; i < count; i++)
		key_metadata_release(&all[i]);
	free(all);
	return e;
}

enum err keymgr_update_description(struct keymgr *k, const char *key, const char *description)
{
	struct change c;
	struct cmk *cmk;
	enum err e = change_begin(&c, k, "UpdateKeyDescription");

	if (e != ERR_OK)
		return e;
	change_text(&c, "description", description);
	e = change_cmk(&c, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK)
		e = cmk_check(cmk, CALL_UPDATE_DESCRIPTION);
	if (e == ERR_OK)
		e = cmk_set_description(cmk, description);
	return change_end(&c, e);
}

/* One step of the state table, audited also where the state stays. */
static enum err step(struct keymgr *k, const char *event, const char *key, enum key_call call)
{
	enum key_state before;
	struct change c;
	struct cmk *cmk;
	enum err e = change_begin(&c, k, event);

	if (e != ERR_OK)
		return e;
	e = change_cmk(&c, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK) {
		before = cmk->state;
		e = cmk_step(cmk, call, c.now);
		if (e == ERR_OK && cmk->state == before)
			c.kind = CHANGE_NOTHING;
	}
	return change_end(&c, e);
}

enum err keymgr_enable_key(struct keymgr *k, const char *key)
{
	return step(k, "EnableKey", key, CALL_ENABLE);
}

enum err keymgr_disable_key(struct keymgr *k, const char *key)
{
	return step(k, "DisableKey", key, CALL_DISABLE);
}

enum err keymgr_refuse_encrypt(struct keymgr *k, const char *key, int refuse)
{
	uint16_t before;
	struct change c;
	struct cmk *cmk;
	enum err e = change_begin(&c, k, "RefuseEncrypt");

	if (e != ERR_OK)
		return e;
	change_flag(&c, "refuse", refuse);
	e = change_cmk(&c, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK) {
		before = cmk->flags;
		cmk->flags = (uint16_t)(refuse ? before | CMK_REFUSES_ENCRYPT : before & ~CMK_REFUSES_ENCRYPT);
		e = cmk_step(cmk, CALL_REFUSE_ENCRYPT, c.now);
		if (e == ERR_OK && cmk->flags == before)
			c.kind = CHANGE_NOTHING;
	}
	return change_end(&c, e);
}
