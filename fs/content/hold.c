#include <stdlib.h>
#include <string.h>

#include "base/file_io.h"
#include "base/random.h"
#include "fs/content/group.h"

/*
 * Blocks that are held in memory because their group has no slot left (FORMAT.md, "Crash rules", 7): the kernel writes back in the order of
 * offsets, so that a group's share of scattered overwrites comes at once, and a sync a group would be paid.  Held together,
 * many groups share each sync.
 */

#define HOLD_MAX ((uint64_t)16 << 20)	/* bytes in all files */

static atomic_uint_fast64_t held_in_all;

int hold_is_full(void)
{
	return atomic_load(&held_in_all) >= HOLD_MAX;
}

enum err hold_put(struct content *c, struct group *g, unsigned block, const void *data, size_t len)
{
	if (!g->held && !(g->held = calloc(GROUP_BLOCKS, sizeof *g->held)))
		return ERR_NO_MEMORY;
	struct held *h = &g->held[block];
	if (!h->data) {
		if (!(h->data = malloc(PAGE_LEN)))
			return ERR_NO_MEMORY;
		g->held_mask |= (uint64_t)1 << block;
		c->held_count++;
		atomic_fetch_add(&held_in_all, PAGE_LEN);
	}
	memcpy(h->data, data, len);
	h->len = (uint16_t)len;
	content_changed(c);
	return ERR_OK;
}

static void hold_drop(struct content *c, struct group *g, unsigned block)
{
	struct held *h = &g->held[block];

	if (!h->data)
		return;
	free(h->data);
	h->data = NULL;
	g->held_mask &= ~((uint64_t)1 << block);
	c->held_count--;
	atomic_fetch_sub(&held_in_all, PAGE_LEN);
	if (!g->held_mask) {
		free(g->held);
		g->held = NULL;
	}
}

void hold_forget(struct content *c, struct group *g)
{
	for (unsigned i = 0; i < GROUP_BLOCKS && g->held; i++)
		hold_drop(c, g, i);
}

/* --- in place ------------------------------------------------------------------------------ */

/* Worth it where many blocks of the group wait: each has a whole version in a slot of its own already. */
static int fits_in_place(const struct content *c, const struct group *g)
{
	if (__builtin_popcountll(g->held_mask) <= HOLD_SCATTERED || g->young || g->unsure)
		return 0;
	for (unsigned i = 0; i < GROUP_BLOCKS; i++)
		if (g->held_mask >> i & 1 && (g->held[i].len != PAGE_LEN || g->now[i].length != PAGE_LEN || !g->now[i].slot ||
					      g->now[i].newer >= c->header.slot_count))
			return 0;
	return 1;
}

/* Seals what is held for the slots that the blocks are in, into the held pages themselves; the tag page tells it. */
static enum err seal_in_place(struct content *c, struct group *g)
{
	unsigned key = content_newest(c);
	uint8_t nonces[GROUP_BLOCKS * AEAD_NONCE_LEN];
	struct aead *a;
	enum err e;

	if ((e = block_cipher(c, g->number, key, &a)))
		return e;
	random_bytes(nonces, sizeof nonces);
	for (unsigned i = 0; i < GROUP_BLOCKS; i++) {
		struct held *h;
		int slot = g->now[i].slot - 1;

		if (!(g->held_mask >> i & 1))
			continue;
		h = &g->held[i];
		h->was = g->now[i];
		block_seal(c, a, g, i, key, h->data, PAGE_LEN, h->data, &g->now[i], nonces + (size_t)i * AEAD_NONCE_LEN);
		group_set(g, i, slot, key, PAGE_LEN);
	}
	aead_put(a);
	g->sealed = 1;
	return group_store(c, g);
}

/* Everything holds its old version again; what was held is lost, and the caller hears of it. */
static void undo_in_place(struct content *c, struct group *g)
{
	for (unsigned i = 0; i < GROUP_BLOCKS; i++)
		if (g->held_mask >> i & 1)
			group_undo(g, i, &g->held[i].was);
	g->dirty = g->unstored = 1;	/* a page that says otherwise is superseded */
	g->sealed = 0;
	hold_forget(c, g);
}

/* The data, behind the flush of the tags.  What cannot be written holds its old version again. */
static enum err write_in_place(struct content *c, struct group *g)
{
	enum err e = ERR_OK, first = ERR_OK;

	g->in_place = 1;
	g->sealed = 0;
	for (unsigned i = 0, n; i < GROUP_BLOCKS; i += n) {
		struct iovec pages[GROUP_BLOCKS];
		int slot = g->now[i].slot - 1;

		for (n = 0; i + n < GROUP_BLOCKS && g->held_mask >> (i + n) & 1 && g->now[i + n].slot - 1 == slot + (int)n &&
			    (!n || slot + (int)n != (int)GROUP_BLOCKS); n++)
			pages[n] = (struct iovec){ g->held[i + n].data, PAGE_LEN };
		if (!n) {
			n = 1;
			continue;
		}
		e = file_write_vector(c->fd, pages, (int)n, layout_slot(g->number, (unsigned)slot));
		first = first ? first : e;
		for (unsigned j = i; e && j < i + n; j++) {
			group_undo(g, j, &g->held[j].was);
			g->unstored = 1;	/* stored anew after the next sync */
		}
	}
	hold_forget(c, g);
	return first;
}

/* --- draining -------------------------------------------------------------------------------- */

static enum err each_held(struct content *c, enum err (*each)(struct content *c, struct group *g))
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < c->table_len && c->held_count; i++)
		for (struct group *g = c->table[i]; g && !e; g = g->next)
			if (g->held_mask)
				e = each(c, g);
	return e;
}

static enum err seal_each(struct content *c, struct group *g)
{
	return fits_in_place(c, g) ? seal_in_place(c, g) : ERR_OK;
}

static enum err undo_each(struct content *c, struct group *g)
{
	if (g->sealed)
		undo_in_place(c, g);
	return ERR_OK;
}

static enum err write_each(struct content *c, struct group *g)
{
	return g->sealed ? write_in_place(c, g) : ERR_OK;
}

static int any_sealed(const struct content *c)
{
	for (size_t i = 0; i < c->table_len; i++)
		for (const struct group *g = c->table[i]; g; g = g->next)
			if (g->sealed)
				return 1;
	return 0;
}

static enum err put_each(struct content *c, struct group *g)
{
	enum err e = ERR_OK;

	if (g->in_place)
		return ERR_OK;
	for (unsigned i = 0; i < GROUP_BLOCKS && !e && g->held; i++) {
		if (!(g->held_mask >> i & 1))
			continue;
		e = block_put(c, g, i, g->held[i].data, g->held[i].len);
		if (!e)
			hold_drop(c, g, i);
	}
	return e == ERR_BUSY ? ERR_OK : e;
}

static enum err forget_each(struct content *c, struct group *g)
{
	hold_forget(c, g);
	return ERR_OK;
}

void hold_forget_all(struct content *c)
{
	each_held(c, forget_each);
}

/* Tags of all groups with many blocks, one flush, their data in place. */
static enum err bulk(struct content *c)
{
	enum err e = each_held(c, seal_each);

	if (e || !any_sealed(c)) {
		each_held(c, undo_each);
		return e;
	}
	if ((e = file_sync(c->fd))) {
		c->failed = e;	/* the kernel tells it once: nothing may be promised after */
		each_held(c, undo_each);
		return e;
	}
	return each_held(c, write_each);
}

enum err hold_drain(struct content *c)
{
	enum err e = ERR_OK;

	while (c->held_count && !e) {
		unsigned before = c->held_count;

		if ((e = sync_only(c)) || (e = bulk(c)) || (e = each_held(c, put_each)))
			break;
		if (c->held_count == before)
			e = err_set(ERR_INTERNAL, "no slot for a block");
	}
	if (e)
		hold_forget_all(c);
	return e;
}
