#include "fs/check/scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "fs/bucket/record.h"
#include "fs/check/file_keys.h"
#include "fs/check/id_set.h"
#include "fs/check/walk.h"

#define ROUNDS_MAX 4

struct scan {
	struct tree *tree;
	struct bucket *b;
	const uint8_t *key_id, *material_id;
	const atomic_int *stop;
	struct scan_result *out;
	struct id_set referring;	/* file ids that were counted as references */
	struct id_set open;		/* of open files that need the key */
	enum err e;
};

static enum err add_reference(struct scan *s, const char *what)
{
	s->out->report.references++;
	if (!s->out->first_reference) {
		s->out->first_reference = strdup(what);
		return s->out->first_reference ? ERR_OK : ERR_NO_MEMORY;
	}
	return ERR_OK;
}

static enum err add_unreadable(struct scan *s, const char *what, enum err why)
{
	s->out->report.unreadable++;
	if (!s->out->report.first_unreadable) {
		s->out->first_error = why;
		snprintf(s->out->first_reason, sizeof(s->out->first_reason), "%s", err_message(why));
		s->out->report.first_unreadable = strdup(what);
		return s->out->report.first_unreadable ? ERR_OK : ERR_NO_MEMORY;
	}
	return ERR_OK;
}

/* A slot under a key that is pending deletion too: only a move to an enabled one tells whether it is what it says.  Nothing is stored. */
static enum err try_migrate(struct scan *s, enum wrap_purpose purpose, const uint8_t *node_id, const struct key_slot *slot)
{
	uint8_t root_id[UUID_LEN], to[KEY_ID_LEN], key[32];
	struct key_slot moved;
	struct policy root;
	enum err e;

	policy_root_id(s->b->policies, root_id);
	e = policy_get(s->b->policies, root_id, &root);
	if (e == ERR_OK)
		e = keymgr_resolve(key_ring_keymgr(s->b->ring), root.key, to);
	if (e == ERR_OK)
		e = key_ring_migrate(s->b->ring, purpose, node_id, slot, to, &moved, key);
	secret_wipe(key, sizeof(key));
	return e;
}

/* ERR_EXISTS: it names the key that is asked for.  ERR_OK: it is under another one, for certain.  Else it cannot be told. */
static enum err check_slot(struct scan *s, enum wrap_purpose purpose, const uint8_t *node_id, const struct key_slot *slot)
{
	struct keymgr *k = key_ring_keymgr(s->b->ring);
	struct key_ref said;
	uint8_t key[32];
	enum err e;

	if (key_slot_names(slot, s->key_id, s->material_id))
		return ERR_EXISTS;
	e = blob_ref(slot->blob, slot->blob_len, &said);
	if (e == ERR_OK && (memcmp(said.key_id, slot->key_id, KEY_ID_LEN) != 0 || memcmp(said.material_id, slot->material_id, MATERIAL_ID_LEN) != 0))
		e = ERR_NOT_AUTHENTIC;
	if (e != ERR_OK)
		return e;
	e = key_ring_unwrap(s->b->ring, purpose, node_id, slot, key);
	secret_wipe(key, sizeof(key));
	if (e == ERR_KEY_DESTROYED)
		return ERR_OK;
	if (e == ERR_NO_KEY && keymgr_key_state(k, slot->key_id) == KEY_PENDING_DELETION)
		return try_migrate(s, purpose, node_id, slot);
	return e;
}

/* One verdict a file: a reference counts before what cannot be told. */
static enum err check_headers(struct scan *s, const struct file_keys *keys, const char *path)
{
	enum err worst = keys->damaged ? ERR_FORMAT : ERR_OK;
	int seen;

	for (unsigned i = 0; i < keys->count; i++) {
		const struct file_header *h = &keys->copies[i];

		s->out->copies++;
		for (unsigned n = 0; n < h->slot_count; n++) {
			enum err e = check_slot(s, WRAP_FILE_KEY, h->file_id, &h->slots[n]);

			if (e == ERR_EXISTS) {
				e = id_set_add(&s->referring, h->file_id, &seen);
				return e == ERR_OK && !seen ? add_reference(s, path) : e;
			}
			if (e != ERR_OK)
				worst = e;
		}
	}
	return worst == ERR_OK ? ERR_OK : add_unreadable(s, path, worst);
}

static enum err check_file(struct scan *s, const struct walk_entry *entry)
{
	struct file_keys keys;
	enum err e = file_keys_read(entry->dir_fd, entry->name, &entry->st, &keys);

	if (e == ERR_NOT_FOUND)		/* removed meanwhile: what is still open of it is looked at among the open ones */
		return ERR_OK;
	/* Bytes without any header: nothing tells which key they are under.  An open file has its header in memory. */
	if (e == ERR_OK && !keys.count && !keys.damaged && entry->st.st_size > 0 && !entry->reserved)
		e = ERR_FORMAT;
	if (e != ERR_OK)
		return add_unreadable(s, entry->path, e);
	/* Our own files at the root have no header, and are no content. */
	if (entry->reserved && !keys.count)
		return ERR_OK;
	return check_headers(s, &keys, entry->path);
}

static enum err check_entry(void *context, const struct walk_entry *entry)
{
	struct scan *s = context;

	if (s->stop && atomic_load(s->stop))
		return ERR_CANCELLED;
	switch (entry->kind) {
	case WALK_FILE:
		if (entry->again)
			return ERR_OK;
		s->out->report.files++;
		return check_file(s, entry);
	case WALK_UNREADABLE:
		return add_unreadable(s, entry->path, entry->error);
	default:
		return ERR_OK;
	}
}

/* What memory will write, or holds for a file without a name. */
static int check_open(void *context, struct content *c)
{
	struct scan *s = context;
	struct content_keys keys;
	int seen = 0;

	s->e = content_flush(c);
	if (s->e == ERR_NO_KEY || s->e == ERR_ERRNO + EROFS)	/* locked: its headers on disk tell */
		s->e = ERR_OK;
	content_get_keys(c, &keys);
	for (unsigned i = 0; i < keys.count; i++)
		if (memcmp(keys.refs[i].key_id, s->key_id, KEY_ID_LEN) == 0 &&
		    (!s->material_id || memcmp(keys.refs[i].material_id, s->material_id, MATERIAL_ID_LEN) == 0)) {
			if (s->e == ERR_OK)
				s->e = id_set_add(&s->open, keys.file_id, &seen);
			break;
		}
	return s->e != ERR_OK;
}

/* Those that the walk did not meet. */
static enum err count_open(struct scan *s)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < s->open.room && e == ERR_OK; i++)
		if (s->open.used[i] && !id_set_has(&s->referring, s->open.ids[i]))
			e = add_reference(s, "an open file");
	return e;
}

static enum err check_names_key(struct scan *s)
{
	struct record *record = malloc(sizeof(*record));
	enum err e = ERR_NO_MEMORY;
	int damaged;

	pthread_mutex_lock(&s->b->state_lock);	/* not while a slot is written */
	if (record)
		e = record_load(s->b->root_fd, 0, record, NULL);
	pthread_mutex_unlock(&s->b->state_lock);
	damaged = e == ERR_OK && record->count < 2;

	for (unsigned i = 0; e == ERR_OK && i < record->count; i++) {
		struct state *state = &record->slots[i].state;
		enum err told = check_slot(s, WRAP_NAMES_KEY, state->bucket_id, &state->names_slot);

		if (told == ERR_EXISTS)
			e = add_reference(s, "names key");
		else if (told != ERR_OK)
			e = add_unreadable(s, STATE_NAME, told);
	}
	if (damaged && e == ERR_OK)
		e = add_unreadable(s, STATE_NAME, ERR_FORMAT);
	free(record);
	return e;
}

static int count_policy(void *context, const struct policy *p)
{
	struct scan *s = context;
	uint8_t id[KEY_ID_LEN];

	if (keymgr_resolve(key_ring_keymgr(s->b->ring), p->key, id) == ERR_OK && memcmp(id, s->key_id, KEY_ID_LEN) == 0)
		s->out->policies++;
	return 0;
}

static void begin_round(struct scan *s)
{
	struct scan_report *r = &s->out->report;

	id_set_release(&s->referring);
	id_set_release(&s->open);
	free(r->first_unreadable);
	free(s->out->first_reference);
	r->first_unreadable = s->out->first_reference = NULL;
	r->references = r->unreadable = r->files = s->out->copies = s->out->policies = 0;
	s->out->rounds++;
}

/* Open contents before the walk (one that is stored and closed during it is seen on disk or here) and after it (what was opened meanwhile). */
static enum err round_once(struct scan *s)
{
	struct walk_start start = { .dir_fd = s->b->root_fd, .path = "" };
	enum err e;

	begin_round(s);
	content_each(s->b, check_open, s);
	e = s->e;
	if (e == ERR_OK)
		e = check_names_key(s);
	if (e == ERR_OK)
		e = walk_tree(&start, check_entry, s);
	if (e == ERR_OK) {
		content_each(s->b, check_open, s);
		e = s->e == ERR_OK ? count_open(s) : s->e;
	}
	if (e == ERR_OK)
		e = policy_each(s->b->policies, count_policy, s);
	return e;
}

static enum err rounds(struct scan *s)
{
	enum err e = ERR_OK;

	for (unsigned i = 1; i <= ROUNDS_MAX; i++) {
		uint64_t moves = tree_moves(s->tree);

		if (i == ROUNDS_MAX)
			tree_hold_moves(s->tree, 1);
		e = round_once(s);
		if (i == ROUNDS_MAX)
			tree_hold_moves(s->tree, 0);
		if (e != ERR_OK || tree_moves(s->tree) == moves)
			break;
	}
	return e;
}

enum err scan_run(struct tree *t, const uint8_t key_id[static KEY_ID_LEN], const uint8_t *material_id, const atomic_int *stop, struct scan_result *out)
{
	struct scan s = { .tree = t, .b = tree_bucket(t), .key_id = key_id, .material_id = material_id, .stop = stop, .out = out };
	struct scan_report *r = &out->report;
	enum err e;

	memset(out, 0, sizeof(*out));
	if (s.b->mode != BUCKET_READ_WRITE)
		return err_set(ERR_REFUSED, "a bucket that is open read-only cannot prove anything: its writer may be elsewhere");
	memcpy(r->key_id, key_id, KEY_ID_LEN);
	if (material_id)
		memcpy(r->material_id, material_id, MATERIAL_ID_LEN);
	memcpy(r->instance_id, s.b->state.instance_id, UUID_LEN);
	key_ring_refresh(s.b->ring, NULL, 0, &(size_t){ 0 });
	key_ring_forget(s.b->ring, key_id, 1);
	e = keymgr_acknowledge_barrier(key_ring_keymgr(s.b->ring), r->instance_id, key_id);
	if (e == ERR_OK) {
		r->started = clock_now();
		e = rounds(&s);
		r->ended = clock_now();
	}
	out->checkpoint = atomic_load(&s.b->durable);
	out->policy_generation = policy_table_generation(s.b->policies);
	id_set_release(&s.referring);
	id_set_release(&s.open);
	if (e != ERR_OK)
		scan_result_release(out);
	return e;
}

int scan_is_clean(const struct scan_result *r)
{
	return !r->report.references && !r->report.unreadable;
}

void scan_result_release(struct scan_result *r)
{
	free(r->report.first_unreadable);
	free(r->first_reference);
	r->report.first_unreadable = r->first_reference = NULL;
}
