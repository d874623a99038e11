#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"
#include "base/log.h"
#include "base/random.h"
#include "fs/content/group.h"

/*
 * Moving a file to another key (FORMAT.md, "Re-encryption").  There is no cursor: what is to be done next follows from the header
 * and the entries, so a crash anywhere resumes.
 *
 *   {a}     header {a, b} stored                                        -> SYNC
 *   {a, b}  blocks of a sealed anew under b in free slots, tag pages of groups under a stored anew -> SYNC, until none is left
 *   {a, b}  attributes sealed anew; header {b} stored                   -> SYNC
 *   {b}     the other copy of the header still names a: stored again    -> SYNC
 *   {b}     DONE
 *
 * A rewrap is the first and the last two: the same file key in another slot.
 */

static int same_slot(const struct key_slot *a, const struct key_slot *b)
{
	return !memcmp(a->key_id, b->key_id, SLOT_KEY_ID_LEN) && !memcmp(a->material_id, b->material_id, SLOT_MATERIAL_LEN);
}

/* Does either header copy on disk name a key, or say something unreadable, beside what the header holds now? */
static enum err other_copy_stale(struct content *c, int *stale_out)
{
	uint8_t page[PAGE_LEN];
	struct file_header h;
	uint64_t generation;
	size_t got;
	enum err e;

	*stale_out = 0;
	for (int copy = COPY_A; copy <= COPY_B; copy++) {
		if ((e = file_read(c->fd, page, sizeof page, layout_tag_page(0, copy), &got)))
			return e;
		if (got < sizeof page)
			continue;
		e = tag_page_read_header(page, &h, &generation);
		if (e == ERR_NOT_FOUND)
			continue;
		if (e)
			*stale_out = 1;
		for (unsigned i = 0; !e && i < h.slot_count; i++) {
			int known = 0;

			for (unsigned j = 0; j < c->header.slot_count; j++)
				known |= h.slots[i].epoch == c->header.slots[j].epoch && same_slot(&h.slots[i], &c->header.slots[j]) &&
					 !memcmp(h.slots[i].wrapped, c->header.slots[j].wrapped, SLOT_WRAP_LEN);
			*stale_out |= !known;
		}
	}
	return ERR_OK;
}

static void touch_header(struct group *first)
{
	first->dirty = first->unstored = 1;
}

/* The same file key, wrapped under the current backing key of `to`. */
static enum err rewrap_slot(struct content *c, unsigned i, const uint8_t *to)
{
	struct key_slot slot;
	enum err e = key_ring_wrap(c->b->ring, WRAP_FILE_KEY, to, c->header.file_id, c->header.slots[i].suite, c->header.slots[i].epoch,
				   content_key(c, i), &slot);

	if (!e)
		c->header.slots[i] = slot;
	return e;
}

/* A new file key as the header's second. */
static enum err add_key(struct content *c, const uint8_t *to, uint8_t suite)
{
	struct key_slot slot;
	uint8_t *key = c->keys->bytes + 32;
	enum err e;

	random_bytes(key, 32);
	e = key_ring_wrap(c->b->ring, WRAP_FILE_KEY, to, c->header.file_id, suite ? suite : c->header.slots[0].suite,
			  c->header.slots[0].epoch + 1, key, &slot);
	if (e)
		return e;
	c->header.slots[1] = slot;
	c->header.slot_count = 2;
	return ERR_OK;
}

/* Moves what of one group is under the first key into free slots.  `left_out`: something stays for the next round. */
static enum err move_group(struct content *c, struct group *g, uint64_t *bytes, int *left_out)
{
	uint8_t data[PAGE_LEN];
	size_t len;
	enum err e;

	for (unsigned i = 0; i < GROUP_BLOCKS; i++) {
		if (!g->now[i].slot || g->now[i].newer == content_newest(c))
			continue;
		if ((e = block_load(c, g, i, data, &len)))
			return e;
		if (!len) {	/* never synced, and lost in a crash */
			group_clear(g, i, i + 1);
			continue;
		}
		e = block_put(c, g, i, data, len);
		if (e == ERR_BUSY) {
			*left_out = 1;
			return ERR_OK;
		}
		if (e)
			return e;
		*bytes += len;
	}
	return ERR_OK;
}

/* One pass over the groups.  `moved_out`: something changed and must be made durable; `left_out`: another round is needed. */
static enum err move_round(struct content *c, uint64_t budget, uint64_t *bytes, int *moved_out, int *left_out)
{
	uint32_t epoch = c->header.slots[content_newest(c)].epoch;
	uint64_t end = layout_groups(c->size);
	enum err e = ERR_OK;

	for (uint64_t n = 0; n < end && !e; n = resize_next_group(c, n + 1)) {
		struct group *g;

		if (budget && *bytes >= budget) {
			*left_out = 1;
			break;
		}
		if ((e = group_get(c, n, &g)) || (e = group_ready(c, g)))
			break;
		if (g->absent)
			continue;
		if (g->in_place) {
			*moved_out = *left_out = 1;
			continue;
		}
		e = move_group(c, g, bytes, left_out);
		if (!e && (g->page_epoch != epoch || g->unstored)) {
			touch_header(g);
			e = group_store(c, g);
		}
		*moved_out |= g->dirty;
		if (!g->dirty)
			group_trim(c);
	}
	return e;
}

/* The header keeps only its newest key. */
static void drop_old_key(struct content *c)
{
	c->header.slots[0] = c->header.slots[1];
	c->header.slot_count = 1;
	memcpy(c->keys->bytes, c->keys->bytes + 32, 32);
	secret_wipe(c->keys->bytes + 32, 32);
	for (size_t i = 0; i < c->table_len; i++)
		for (struct group *g = c->table[i]; g; g = g->next)
			for (unsigned j = 0; j < GROUP_BLOCKS; j++)
				g->now[j].newer = 0;	/* none was left under the other */
}

static enum err reencrypt_step(struct content *c, struct group *first, uint64_t budget, uint64_t *bytes)
{
	int moved = 0, left = 0, attributes;
	enum err e = move_round(c, budget, bytes, &moved, &left);

	if (e || moved || left)
		return e;
	if ((e = attributes_reseal(c, &attributes)))
		return e;
	drop_old_key(c);
	touch_header(first);
	return ERR_OK;
}

/* Is the header's only key the one that is wanted?  `fresh` gets the slot that it would have. */
static enum err is_there(struct content *c, const uint8_t *to, uint8_t suite, int *there_out)
{
	unsigned i = content_newest(c);
	struct key_slot fresh;
	enum err e = key_ring_wrap(c->b->ring, WRAP_FILE_KEY, to, c->header.file_id, c->header.slots[i].suite, c->header.slots[i].epoch,
				   content_key(c, i), &fresh);

	*there_out = !e && same_slot(&fresh, &c->header.slots[i]) && (!suite || suite == c->header.slots[i].suite);
	return e;
}

static enum err step(struct content *c, enum migrate_mode mode, const uint8_t *to, uint8_t suite, int force, uint64_t budget,
		     enum migrate_next *next, uint64_t *bytes)
{
	struct group *first;
	int there, stale;
	enum err e;

	if ((e = group_get(c, 0, &first)) || (e = group_ready(c, first)) || (e = is_there(c, to, suite, &there)))
		return e;
	if (first->in_place)
		return ERR_OK;	/* a bulk overwrite first becomes durable */
	if (c->header.slot_count == 2) {
		if (!there && (e = rewrap_slot(c, 1, to)))
			return e;
		if (!there) {
			touch_header(first);
			return ERR_OK;
		}
		return reencrypt_step(c, first, budget, bytes);
	}
	if (!there || force) {
		e = mode == MIGRATE_REWRAP ? rewrap_slot(c, 0, to) : add_key(c, to, suite);
		if (!e)
			touch_header(first);
		return e;
	}
	if (first->dirty || first->unstored)
		return ERR_OK;
	if ((e = other_copy_stale(c, &stale)))
		return e;
	if (stale)
		touch_header(first);
	else
		*next = MIGRATE_DONE;
	return ERR_OK;
}

/* Under the lock, so that no write of a user's comes between the two looks at the time. */
static enum err step_keeping_time(struct content *c, enum migrate_mode mode, const uint8_t *to, uint8_t suite, int force, uint64_t budget,
				  enum migrate_next *next, uint64_t *bytes)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat before, after;
	enum err e;

	if (fstat(c->fd, &before))
		return err_errno();
	e = step(c, mode, to, suite, force, budget, next, bytes);
	times[1] = before.st_mtim;
	if (!fstat(c->fd, &after) && (after.st_mtim.tv_sec != before.st_mtim.tv_sec || after.st_mtim.tv_nsec != before.st_mtim.tv_nsec) &&
	    futimens(c->fd, times) && !e)
		e = err_errno();
	return e;
}

enum err content_migrate_step(struct content *c, enum migrate_mode mode, const uint8_t to[static KEY_ID_LEN], uint8_t suite, int force,
			      uint64_t budget, enum migrate_next *next_out, uint64_t *bytes_out)
{
	uint64_t bytes = 0;
	enum err e;

	*next_out = MIGRATE_SYNC;
	content_lock_quiet(c);
	if (!(e = content_may_write(c)) && !(e = hold_drain(c)))
		e = step_keeping_time(c, mode, to, suite, force, budget, next_out, &bytes);
	pthread_rwlock_unlock(&c->lock);
	if (bytes_out)
		*bytes_out = bytes;
	return e;
}
