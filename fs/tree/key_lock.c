#include "fs/tree/node.h"

#include <stdlib.h>
#include <string.h>
#include "base/log.h"

static int is_under(struct content *c, const uint8_t *key_id)
{
	struct content_keys keys;

	content_get_keys(c, &keys);
	for (unsigned i = 0; i < keys.count; i++)
		if (!key_id || memcmp(keys.refs[i].key_id, key_id, KEY_ID_LEN) == 0)
			return 1;
	return 0;
}

/* What is open under the key, before it is locked: the kernel hands over the pages that it has not written yet. */
static void write_back(struct tree *t, struct node *n, const uint8_t *key_id)
{
	int found;

	pthread_mutex_lock(&n->lock);
	found = n->file.content && !n->file.locked && is_under(n->file.content, key_id);
	pthread_mutex_unlock(&n->lock);
	if (found && t->events.invalidate)
		t->events.invalidate(t->events.context, n);
}

/* One content under the key: 1 where it was locked or let go. */
static int lock_node(struct tree *t, struct node *n, const uint8_t *key_id, enum err *e_out)
{
	int found, closed = 0;
	enum err e = ERR_OK;

	pthread_mutex_lock(&n->lock);
	found = n->file.content && is_under(n->file.content, key_id);
	if (found) {
		e = content_lock(n->file.content);
		n->file.locked = 1;
		closed = n->file.users == 0;
		if (closed)
			file_close_locked(t, n);
	}
	pthread_mutex_unlock(&n->lock);
	if (closed)
		node_unref(t, n);
	if (e != ERR_OK) {
		log_error("a file could not be written back before its key was locked: %s", err_message(e));
		*e_out = e;
	}
	return found;
}

enum err tree_lock_key(struct tree *t, const uint8_t *key_id)
{
	struct node **all;
	size_t count;
	enum err e, r = ERR_OK;

	/* Nothing is opened from here on: what is under way ends with the namespace's lock. */
	if (!key_id)
		t->locked = 1;
	if (key_id)
		key_ring_forget(t->b->ring, key_id, 0);
	names_hold(t);
	names_release(t);
	e = file_each_open(t, &all, &count);
	if (e != ERR_OK)
		return e;
	for (size_t i = 0; i < count; i++) {
		write_back(t, all[i], key_id);
		if (lock_node(t, all[i], key_id, &r) && t->events.invalidate)
			t->events.invalidate(t->events.context, all[i]);
		node_unref(t, all[i]);
	}
	free(all);
	if (!key_id)
		key_ring_forget_all(t->b->ring);
	return r;
}

enum err tree_unlock_key(struct tree *t, const uint8_t *key_id)
{
	struct node **all;
	size_t count;
	enum err e;

	if (!key_id)
		t->locked = 0;
	e = file_each_open(t, &all, &count);
	if (e != ERR_OK)
		return e;
	for (size_t i = 0; i < count; i++) {
		struct node *n = all[i];

		pthread_mutex_lock(&n->lock);
		/* One whose other key is still away stays locked; it tries again when it is next opened. */
		if (n->file.content && n->file.locked && is_under(n->file.content, key_id))
			n->file.locked = content_unlock(n->file.content) != ERR_OK;
		pthread_mutex_unlock(&n->lock);
		node_unref(t, n);
	}
	free(all);
	return ERR_OK;
}
