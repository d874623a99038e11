#include "keymgr/core/rotation.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "keymgr/core/change.h"
#include "keymgr/core/usage.h"

enum err rotation_turn(struct keymgr *k, struct cmk *cmk, int on_demand, int64_t now)
{
	struct backing_key_place place = { k->store->id, cmk->id };
	struct backing_key *added;
	enum err e = cmk_add_backing_key(cmk, &added);

	if (e != ERR_OK)
		return e;
	if (cmk->backing_key_count > 1)
		added[-1].retired = now;
	backing_key_make(added, k->root->bytes, place, now);
	added->flags = on_demand ? BACKING_KEY_ON_DEMAND : 0;
	return ERR_OK;
}

int rotation_is_due(const struct cmk *cmk, int64_t now)
{
	return (cmk->flags & CMK_ROTATION) && cmk->next_rotation <= now &&
	       key_state_check(CALL_ROTATE, cmk->state, NULL) == ERR_OK;
}

enum err rotation_turn_due(struct keymgr *k, struct cmk *cmk, int64_t now)
{
	int64_t period = (int64_t)cmk->rotation_days * DAY_SECONDS;

	cmk->next_rotation += (now - cmk->next_rotation) / period * period + period;
	return rotation_turn(k, cmk, 0, now);
}

static enum err set_period(struct cmk *cmk, int days, int64_t now)
{
	if (days == 0)
		days = cmk->rotation_days ? cmk->rotation_days : ROTATION_DAYS_DEFAULT;
	if (days < ROTATION_DAYS_MIN || days > ROTATION_DAYS_MAX)
		return err_set(ERR_VALIDATION, "a rotation period is %d to %d days, not %d", ROTATION_DAYS_MIN,
			       ROTATION_DAYS_MAX, days);
	cmk->rotation_days = (uint16_t)days;
	cmk->flags |= CMK_ROTATION;
	cmk->next_rotation = now + (int64_t)days * DAY_SECONDS;
	return ERR_OK;
}

enum err keymgr_enable_rotation(struct keymgr *k, const char *key, int period_days)
{
	struct change c;
	struct cmk *cmk;
	enum err e = change_begin(&c, k, "EnableKeyRotation");

	if (e != ERR_OK)
		return e;
	if (period_days)
		change_number(&c, "rotationPeriodInDays", period_days);
	e = change_cmk(&c, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK)
		e = cmk_check(cmk, CALL_ENABLE_ROTATION);
	if (e == ERR_OK)
		e = set_period(cmk, period_days, c.now);
	return change_end(&c, e);
}

enum err keymgr_disable_rotation(struct keymgr *k, const char *key)
{
	struct change c;
	struct cmk *cmk;
	enum err e = change_begin(&c, k, "DisableKeyRotation");

	if (e != ERR_OK)
		return e;
	e = change_cmk(&c, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK)
		e = cmk_check(cmk, CALL_DISABLE_ROTATION);
	if (e == ERR_OK && !(cmk->flags & CMK_ROTATION))
		c.kind = CHANGE_NOTHING;
	if (e == ERR_OK) {
		cmk->flags &= (uint16_t)~CMK_ROTATION;
		cmk->next_rotation = 0;
	}
	return change_end(&c, e);
}

enum err keymgr_rotate_on_demand(struct keymgr *k, const char *key)
{
	struct change c;
	struct cmk *cmk;
	enum err e = change_begin(&c, k, "RotateKeyOnDemand");

	if (e != ERR_OK)
		return e;
	e = change_cmk(&c, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK)
		e = cmk_check(cmk, CALL_ROTATE);
	if (e == ERR_OK && cmk->on_demand >= ROTATIONS_ON_DEMAND_MAX)
		e = err_set(ERR_LIMIT_EXCEEDED, "a key is rotated on demand at most %d times: make a new key and move the "
			    "alias to it", ROTATIONS_ON_DEMAND_MAX);
	if (e == ERR_OK) {
		cmk->on_demand++;
		e = rotation_turn(k, cmk, 1, c.now);
	}
	return change_end(&c, e);
}

static void describe(const struct keymgr *k, const struct cmk *cmk, uint32_t i, struct material *out)
{
	const struct backing_key *b = &cmk->backing_keys[i];
	struct key_ref ref;
	struct usage used;

	memcpy(ref.key_id, cmk->id, KEY_ID_LEN);
	memcpy(ref.material_id, b->id, MATERIAL_ID_LEN);
	used = usage_of(k, &ref);
	*out = (struct material){
		.current = b == cmk_current(cmk), .on_demand = (b->flags & BACKING_KEY_ON_DEMAND) != 0, .first = i == 0,
		.destroyed = (b->flags & BACKING_KEY_DESTROYED) != 0, .ordinal = (int)i + 1, .date = b->created,
		.data_keys = used.data_keys, .ciphertexts = used.ciphertexts,
	};
	memcpy(out->id, b->id, MATERIAL_ID_LEN);
}

enum err keymgr_list_materials(struct keymgr *k, const char *key, int (*each)(void *context, const struct material *m), void *context)
{
	struct material *all = NULL;
	uint32_t count = 0;
	struct cmk *cmk;
	enum err e = manager_enter(k, ENTER_LEDGER);

	if (e != ERR_OK)
		return e;
	e = key_name_find(k->store, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK)
		e = cmk_check(cmk, CALL_DESCRIBE);
	if (e == ERR_OK) {
		all = calloc(cmk->backing_key_count, sizeof(*all));
		e = all ? ERR_OK : ERR_NO_MEMORY;
	}
	for (; e == ERR_OK && count < cmk->backing_key_count; count++)
		describe(k, cmk, count, &all[count]);
	manager_leave(k);
	for (uint32_t i = 0; e == ERR_OK && i < count; i++)
		if (each(context, &all[i]))
			break;
	free(all);
	return e;
}

int keymgr_material_ordinal(struct keymgr *k, const struct key_ref *ref)
{
	const struct backing_key *b = NULL;
	const struct cmk *cmk;
	int ordinal = 0;

	if (manager_enter(k, ENTER_READ) != ERR_OK)
		return 0;
	cmk = keystore_find_cmk(k->store, ref->key_id);
	if (cmk)
		b = cmk_find_backing_key(cmk, ref->material_id);
	if (b)
		ordinal = (int)(b - cmk->backing_keys) + 1;
	manager_leave(k);
	return ordinal;
}
