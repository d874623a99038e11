#include "fs/check/inventory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "fs/check/file_keys.h"
#include "fs/check/key_facts.h"
#include "fs/content/content.h"

_Static_assert(offsetof(struct inventory_open, file_id) == 0, "by_file compares what stands first");

static enum err find_row(struct inventory *i, const struct key_slot *slot, struct inventory_row **out)
{
	for (size_t n = 0; n < i->count; n++)
		if (key_slot_names(slot, i->rows[n].ref.key_id, i->rows[n].ref.material_id)) {
			*out = &i->rows[n];
			return ERR_OK;
		}
	if (i->count == i->room) {
		size_t room = i->room ? 2 * i->room : 16;
		struct inventory_row *wider = realloc(i->rows, room * sizeof(*wider));

		if (!wider)
			return ERR_NO_MEMORY;
		i->rows = wider;
		i->room = room;
	}
	*out = &i->rows[i->count++];
	memset(*out, 0, sizeof(**out));
	memcpy((*out)->ref.key_id, slot->key_id, KEY_ID_LEN);
	memcpy((*out)->ref.material_id, slot->material_id, MATERIAL_ID_LEN);
	return ERR_OK;
}

static enum err add_unreadable(struct inventory *i, const char *path)
{
	i->unreadable++;
	if (i->unreadable_kept == INVENTORY_UNREADABLE_KEPT)
		return ERR_OK;
	i->unreadable_paths[i->unreadable_kept] = strdup(path);
	return i->unreadable_paths[i->unreadable_kept++] ? ERR_OK : ERR_NO_MEMORY;
}

static enum err count_keys(struct inventory *i, const struct file_keys *keys)
{
	const struct file_header *h = &keys->copies[0];
	struct inventory_row *row, *first = NULL;

	for (unsigned s = 0; s < h->slot_count; s++) {
		enum err e = find_row(i, &h->slots[s], &row);

		if (e != ERR_OK)
			return e;
		if (s && first == row)
			continue;
		first = row;
		row->files++;
		row->bytes += keys->size;
	}
	return ERR_OK;
}

static int by_file(const void *a, const void *b)
{
	return memcmp(a, b, UUID_LEN);	/* of struct inventory_open: the id stands first */
}

/* While a cut is delayed the lower size tells too much. */
static uint64_t size_of(const struct inventory *i, const struct file_keys *keys)
{
	const struct inventory_open *open = NULL;

	if (i->open_count && keys->count)
		open = bsearch(keys->copies[0].file_id, i->open, i->open_count, sizeof(*i->open), by_file);
	return open ? open->size : keys->size;
}

static enum err count_entry(void *context, const struct walk_entry *entry)
{
	struct inventory *i = context;
	struct file_keys keys;
	enum err e;

	if (entry->kind == WALK_UNREADABLE)
		return add_unreadable(i, entry->path);
	if (entry->kind != WALK_FILE || entry->again || entry->reserved)
		return ERR_OK;
	e = file_keys_read(entry->dir_fd, entry->name, &entry->st, &keys);
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	i->files++;
	if (e != ERR_OK || (!keys.count && (keys.damaged || entry->st.st_size > 0)))
		return add_unreadable(i, entry->path);
	keys.size = size_of(i, &keys);
	i->bytes += keys.size;
	i->empty += !keys.count;
	return keys.count ? count_keys(i, &keys) : ERR_OK;
}

enum err inventory_take(int dir_fd, const char *path, const char *name, struct inventory *out)
{
	struct walk_start start = { .dir_fd = dir_fd, .path = path };

	memset(out, 0, sizeof(*out));
	return name ? walk_file(&start, name, count_entry, out) : walk_tree(&start, count_entry, out);
}

static int note_open(void *context, struct content *c)
{
	struct inventory *i = context;
	struct content_keys keys;

	content_flush(c);
	content_get_keys(c, &keys);
	if (i->open_count == i->open_room) {
		size_t room = i->open_room ? 2 * i->open_room : 64;
		struct inventory_open *wider = realloc(i->open, room * sizeof(*wider));

		if (!wider)
			return 1;
		i->open = wider;
		i->open_room = room;
	}
	memcpy(i->open[i->open_count].file_id, keys.file_id, UUID_LEN);
	i->open[i->open_count++].size = content_size(c);
	return 0;
}

enum err inventory_take_open(struct bucket *b, const struct location *at, struct inventory *out)
{
	memset(out, 0, sizeof(*out));
	if (content_each(b, note_open, out))
		return ERR_NO_MEMORY;
	if (out->open_count)
		qsort(out->open, out->open_count, sizeof(*out->open), by_file);
	return location_walk(b, at, count_entry, out);
}

void inventory_release(struct inventory *i)
{
	for (size_t n = 0; n < i->unreadable_kept; n++)
		free(i->unreadable_paths[n]);
	free(i->rows);
	free(i->open);
	memset(i, 0, sizeof(*i));
}

/* --- as JSON --------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	const struct inventory_row *left = a, *right = b;

	return memcmp(&left->ref, &right->ref, sizeof(left->ref));
}

static json_t *row_json(const struct inventory_row *row, const struct key_facts *facts)
{
	json_t *o = json_object();

	key_facts_add(o, &row->ref, facts);
	json_object_set_new(o, "Files", json_integer((json_int_t)row->files));
	json_object_set_new(o, "Bytes", json_integer((json_int_t)row->bytes));
	return o;
}

static json_t *path_json(struct bucket *b, const char *path)
{
	char *plain = b ? location_plain_path(b, path) : NULL;
	json_t *text = json_string(plain ? plain : path);

	free(plain);
	return text ? text : json_string(path);	/* a plain name that is not UTF-8 */
}

json_t *inventory_json(const struct inventory *i, const uint8_t bucket_id[static UUID_LEN], const struct inventory_view *view)
{
	json_t *keys = json_array(), *unreadable = json_array();
	char id[UUID_TEXT_LEN + 1];

	if (i->count)
		qsort(i->rows, i->count, sizeof(*i->rows), by_key);
	for (size_t n = 0; n < i->count; n++) {
		struct key_facts facts;

		if (view->key_id && memcmp(view->key_id, i->rows[n].ref.key_id, KEY_ID_LEN) != 0)
			continue;
		key_facts_get(view->keymgr, &i->rows[n].ref, &facts);
		if (view->not_current && facts.current)
			continue;
		json_array_append_new(keys, row_json(&i->rows[n], &facts));
	}
	for (size_t n = 0; n < i->unreadable_kept; n++)
		json_array_append_new(unreadable, path_json(view->bucket, i->unreadable_paths[n]));
	uuid_text(bucket_id, id);
	return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:o}", "BucketId", id, "Keys", keys, "Files", (json_int_t)i->files,
			 "Bytes", (json_int_t)i->bytes, "EmptyFiles", (json_int_t)i->empty, "UnreadableFiles", (json_int_t)i->unreadable,
			 "Unreadable", unreadable);
}
