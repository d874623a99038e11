/* What is due: automatic rotations, and deletions whose window has ended.  Under the lock only one process acts. */
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "keymgr/core/change.h"
#include "keymgr/core/deletion.h"
#include "keymgr/core/rotation.h"

/* Is anything worth taking the lock for?  The mutex is held. */
static int anything_due(const struct keymgr *k, int64_t now)
{
	for (size_t i = 0; i < k->store->cmk_count; i++)
		if (rotation_is_due(k->store->cmks[i], now) || deletion_is_due(k->store->cmks[i], now))
			return 1;
	return 0;
}

enum due { DUE_ROTATION, DUE_DELETION };

static int may_act(const struct keymgr *k, const struct cmk *cmk, enum due what, int64_t now)
{
	if (what == DUE_ROTATION)
		return rotation_is_due(cmk, now);
	return deletion_is_due(cmk, now) && deletion_may_go_on(k, cmk);
}

/* One key, as a change of its own: its line in the log, and one that fails does not hold up the others.
 * `done_out`: it was still due under the lock. */
static enum err act(struct keymgr *k, const uint8_t id[static KEY_ID_LEN], enum due what, int *done_out)
{
	struct change c;
	struct cmk *cmk;
	enum err e = change_begin(&c, k, what == DUE_ROTATION ? "RotateKey" : "DeleteKey");

	*done_out = 0;
	if (e != ERR_OK)
		return e;
	cmk = keystore_find_cmk(k->store, id);
	if (!cmk || !may_act(k, cmk, what, c.now)) {
		c.kind = CHANGE_SILENT;
		return change_end(&c, ERR_OK);
	}
	change_of(&c, cmk);
	if (what == DUE_ROTATION) {
		e = rotation_turn_due(k, cmk, c.now);
	} else {
		change_flag(&c, "shred", (cmk->flags & CMK_SHRED) != 0);
		c.commit = COMMIT_DESTROY;
		e = deletion_destroy(k, cmk, c.now);
	}
	e = change_end(&c, e);
	*done_out = e == ERR_OK;
	return e;
}

/* The `position`th key, if it wants `what` now. */
static int next(struct keymgr *k, size_t *position, enum due what, uint8_t id[static KEY_ID_LEN], int *found_out, enum err *e_out)
{
	int64_t now = clock_now();

	*found_out = 0;
	*e_out = manager_enter(k, ENTER_READ);
	if (*e_out != ERR_OK)
		return 0;
	for (; *position < k->store->cmk_count && !*found_out; (*position)++) {
		const struct cmk *cmk = k->store->cmks[*position];

		if (what == DUE_ROTATION ? rotation_is_due(cmk, now) : deletion_is_due(cmk, now)) {
			memcpy(id, cmk->id, KEY_ID_LEN);
			*found_out = 1;
		}
	}
	manager_leave(k);
	return *found_out;
}

static enum err act_on_all(struct keymgr *k, enum due what, int *acted, int *waiting)
{
	uint8_t id[KEY_ID_LEN];
	enum err first = ERR_OK, e;
	size_t position = 0;
	int found, done;

	while (next(k, &position, what, id, &found, &e)) {
		e = act(k, id, what, &done);
		if (e != ERR_OK) {
			log_warning("what is due of a key could not be done: %s", err_message(e));
			first = first == ERR_OK ? e : first;
		}
		*acted += done;
		*waiting += !done && e == ERR_OK;
	}
	return first == ERR_OK ? e : first;
}

enum err keymgr_run_due(struct keymgr *k, struct due_summary *out)
{
	struct due_summary ignored;
	int not_due = 0, due;
	enum err e;

	out = out ? out : &ignored;
	*out = (struct due_summary){ 0 };
	change_note_clock(k);
	e = manager_enter(k, ENTER_READ);
	if (e != ERR_OK)
		return e;
	due = anything_due(k, clock_now());
	manager_leave(k);
	if (!due)
		return ERR_OK;
	e = act_on_all(k, DUE_ROTATION, &out->rotated, &not_due);
	if (e == ERR_OK)
		e = act_on_all(k, DUE_DELETION, &out->destroyed, &out->waiting);
	return e;
}
