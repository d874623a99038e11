#include "fs/mount/key_watch.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"

struct key_set {
	unsigned count;
	uint8_t ids[KEY_WATCH_MAX][KEY_ID_LEN];
};

static int index_of(const uint8_t (*ids)[KEY_ID_LEN], unsigned count, const uint8_t *id)
{
	for (unsigned i = 0; i < count; i++)
		if (memcmp(ids[i], id, KEY_ID_LEN) == 0)
			return (int)i;
	return -1;
}

static void add(struct key_set *set, const uint8_t *id)
{
	if (index_of(set->ids, set->count, id) < 0 && set->count < KEY_WATCH_MAX)
		memcpy(set->ids[set->count++], id, KEY_ID_LEN);
}

static int add_content_keys(void *context, struct content *c)
{
	struct content_keys keys;

	content_get_keys(c, &keys);
	for (unsigned i = 0; i < keys.count; i++)
		add(context, keys.refs[i].key_id);
	return 0;
}

static void names_key_id(struct mount *m, uint8_t out[static KEY_ID_LEN])
{
	pthread_mutex_lock(&m->bucket->state_lock);
	memcpy(out, m->bucket->state.names_slot.key_id, KEY_ID_LEN);
	pthread_mutex_unlock(&m->bucket->state_lock);
}

/* Neither holds where the keystore cannot be read: what was open stays open, until its keys' time ends. */
static int must_lock(enum key_state state)
{
	return state != KEY_ENABLED && state != KEY_PENDING_DELETION && state != KEY_UNAVAILABLE;
}

static int may_open(enum key_state state)
{
	return state == KEY_ENABLED || state == KEY_PENDING_DELETION;
}

static void lock_key(struct key_watch *w, struct mount *m, const uint8_t *id)
{
	char text[UUID_TEXT_LEN + 1];
	enum err e;

	uuid_text(id, text);
	log_info("CMK %s is no longer enabled: closing what is under it", text);
	e = tree_lock_key(m->tree, id);
	if (e != ERR_OK)
		log_error("not all of what is under CMK %s could be written back: %s", text, err_text(e));
	key_ring_forget(m->bucket->ring, id, 0);
	if (w->locked_count < KEY_WATCH_MAX)
		memcpy(w->locked[w->locked_count++], id, KEY_ID_LEN);
}

static void unlock_enabled(struct key_watch *w, struct mount *m)
{
	char text[UUID_TEXT_LEN + 1];

	for (unsigned i = 0; i < w->locked_count;) {
		if (!may_open(keymgr_key_state(m->keymgr, w->locked[i]))) {
			i++;
			continue;
		}
		uuid_text(w->locked[i], text);
		log_info("CMK %s may be used again", text);
		tree_unlock_key(m->tree, w->locked[i]);
		memcpy(w->locked[i], w->locked[--w->locked_count], KEY_ID_LEN);
	}
}

/* The names key's CMK. */
static void look_at_bucket(struct key_watch *w, struct mount *m)
{
	uint8_t id[KEY_ID_LEN];
	enum key_state state;

	names_key_id(m, id);
	state = keymgr_key_state(m->keymgr, id);
	if (!w->bucket_locked && must_lock(state)) {
		w->bucket_locked = 1;
		log_warning("the CMK of the root policy is no longer enabled: the whole bucket is locked");
		if (tree_lock_key(m->tree, NULL) != ERR_OK)
			log_error("not all of the bucket could be written back before it was locked");
		key_ring_forget_all(m->bucket->ring);
	} else if (w->bucket_locked && may_open(state)) {
		w->bucket_locked = 0;
		log_info("the CMK of the root policy is enabled: the bucket is open again");
		tree_unlock_key(m->tree, NULL);
	}
}

static int changed(struct key_watch *w, struct mount *m)
{
	uint64_t generation = w->generation;
	int64_t offset = clock_offset();
	int any;

	/* A keystore that cannot be read now is not a changed one. */
	if (keymgr_generation(m->keymgr, &generation) != ERR_OK)
		generation = w->generation;
	any = w->started && (generation != w->generation || offset != w->clock_offset);
	w->generation = generation;
	w->clock_offset = offset;
	w->started = 1;
	return any;
}

int key_watch_look(struct key_watch *w, struct mount *m)
{
	static struct key_set set;	/* the timer's alone */
	uint8_t gone[64][KEY_ID_LEN];
	size_t count = 0;
	int any = changed(w, m);
	enum err e = key_ring_refresh(m->bucket->ring, gone, 64, &count);

	if (e != ERR_OK)
		log_warning("cannot look at the states of keys: %s", err_text(e));
	set.count = 0;
	for (size_t i = 0; e == ERR_OK && i < count; i++)
		add(&set, gone[i]);
	if (any)
		content_each(m->bucket, add_content_keys, &set);
	for (unsigned i = 0; i < set.count; i++)
		if (index_of(w->locked, w->locked_count, set.ids[i]) < 0 && must_lock(keymgr_key_state(m->keymgr, set.ids[i])))
			lock_key(w, m, set.ids[i]);
	if (any || count > 0) {
		look_at_bucket(w, m);
		unlock_enabled(w, m);
	}
	return any;
}

static int add_pending(void *context, const struct key_metadata *metadata)
{
	void **both = context;
	struct mount *m = both[0];
	char id[UUID_TEXT_LEN + 1], when[CLOCK_TEXT_LEN + 1], *blockers = NULL;
	json_t *entry;

	if (metadata->state != KEY_PENDING_DELETION)
		return 0;
	entry = json_object();
	uuid_text(metadata->key_id, id);
	clock_text(metadata->deletion_date, when);
	json_object_set_new(entry, "KeyId", json_string(id));
	json_object_set_new(entry, "DeletionDate", json_string(when));
	if (keymgr_deletion_blockers(m->keymgr, id, &blockers) == ERR_OK)
		json_object_set_new(entry, "Blockers", json_string(blockers));
	free(blockers);
	json_array_append_new(both[1], entry);
	return 0;
}

json_t *key_watch_pending(struct mount *m)
{
	json_t *pending = json_array();
	void *both[] = { m, pending };

	if (pending)
		keymgr_list_keys(m->keymgr, add_pending, both);
	return pending;
}
