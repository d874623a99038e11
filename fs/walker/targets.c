#include "fs/walker/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void resolve(struct keymgr *k, struct target *t)
{
	struct key_metadata m = { 0 };

	t->e = keymgr_describe_key(k, t->key, &m);
	if (t->e == ERR_OK && (m.state != KEY_ENABLED || m.encrypt_refused))
		t->e = err_set(ERR_KEY_STATE, "%s is %s", t->key, m.state != KEY_ENABLED ? key_state_name(m.state) : "being retired");
	if (t->e == ERR_OK) {
		memcpy(t->ref.key_id, m.key_id, KEY_ID_LEN);
		memcpy(t->ref.material_id, m.current_material, MATERIAL_ID_LEN);
	} else {
		walker_text(t->reason, sizeof(t->reason), err_message(t->e));
	}
	key_metadata_release(&m);
}

enum err targets_get(struct targets *t, struct keymgr *k, const char *key, const struct target **out)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->list[i].key, key) == 0) {
			*out = &t->list[i];
			return ERR_OK;
		}
	if (t->count == t->room) {
		size_t room = t->room ? 2 * t->room : 8;
		struct target *wider = realloc(t->list, room * sizeof(*wider));

		if (!wider)
			return ERR_NO_MEMORY;
		t->list = wider;
		t->room = room;
	}
	struct target *fresh = &t->list[t->count++];

	memset(fresh, 0, sizeof(*fresh));
	snprintf(fresh->key, sizeof(fresh->key), "%s", key);
	resolve(k, fresh);
	*out = fresh;
	return ERR_OK;
}

void targets_release(struct targets *t)
{
	free(t->list);
	memset(t, 0, sizeof(*t));
}
