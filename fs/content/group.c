#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_io.h"
#include "base/kdf.h"
#include "base/log.h"
#include "fs/content/group.h"

#define TABLE_FIRST 8


/* --- the table ------------------------------------------------------------------- */

struct group *group_find(struct content *c, uint64_t number)
{
	struct group *g = c->table_len ? c->table[number % c->table_len] : NULL;

	while (g && g->number != number)
		g = g->next;
	return g;
}

static enum err table_grow(struct content *c)
{
	size_t len = c->table_len ? c->table_len * 4 : TABLE_FIRST;
	struct group **table = calloc(len, sizeof *table);

	if (!table)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < c->table_len; i++)
		for (struct group *g = c->table[i], *next; g; g = next) {
			next = g->next;
			g->next = table[g->number % len];
			table[g->number % len] = g;
		}
	free(c->table);
	c->table = table;
	c->table_len = len;
	return ERR_OK;
}

static enum err table_add(struct content *c, struct group *g)
{
	enum err e;

	if (c->group_count >= c->table_len * 2 && (e = table_grow(c)))
		return e;
	g->next = c->table[g->number % c->table_len];
	c->table[g->number % c->table_len] = g;
	c->group_count++;
	return ERR_OK;
}

static void group_free(struct content *c, struct group *g)
{
	hold_forget(c, g);
	free(g->older);
	free(g);
}

static void forget_if(struct content *c, int (*drop)(const struct group *g, uint64_t first), uint64_t first)
{
	for (size_t i = 0; i < c->table_len; i++)
		for (struct group **at = &c->table[i], *g; (g = *at);) {
			if (!drop(g, first)) {
				at = &g->next;
				continue;
			}
			*at = g->next;
			group_free(c, g);
			c->group_count--;
		}
}

static int is_from(const struct group *g, uint64_t first)
{
	return g->number >= first;
}

static int is_clean(const struct group *g, uint64_t first)
{
	(void)first;
	return g->number && !g->dirty && !g->unstored && !g->syncing && !g->punched && !g->held_mask;
}

void group_forget(struct content *c, uint64_t first)
{
	forget_if(c, is_from, first);
}

void group_trim(struct content *c)
{
	if (c->group_count > GROUPS_KEPT)
		forget_if(c, is_clean, 0);
}

/* --- loading ----------------------------------------------------------------------- */

static void page_key(const struct content *c, uint64_t group, unsigned key, uint8_t out[static KDF_KEY_LEN])
{
	const struct key_slot *slot = &c->header.slots[key];
	struct kdf_fields f = { slot->suite, slot->epoch, group, c->header.bucket_id, c->header.file_id };

	kdf(content_key(c, key), KDF_TAG_PAGE, &f, out);
}

enum err group_verify_page(const struct content *c, const uint8_t page[static PAGE_LEN], uint64_t group, unsigned key)
{
	uint8_t mac_key[KDF_KEY_LEN], mac[TAG_MAC_LEN];

	page_key(c, group, key, mac_key);
	kdf_mac(mac_key, page, TAG_MAC_AT, mac, sizeof mac);
	secret_wipe(mac_key, sizeof mac_key);
	return secret_equal(mac, page + TAG_MAC_AT, sizeof mac) ? ERR_OK : ERR_NOT_AUTHENTIC;
}

static int key_of_epoch(const struct content *c, uint32_t epoch)
{
	for (unsigned i = 0; i < c->header.slot_count; i++)
		if (c->header.slots[i].epoch == epoch)
			return (int)i;
	return -1;
}

/* From the page's two epochs to the header's two keys. */
static void map_keys(const struct content *c, const struct tag_page *page, struct tag_entry *out)
{
	int a = key_of_epoch(c, page->epoch_a), b = page->epoch_b ? key_of_epoch(c, page->epoch_b) : -1;

	memcpy(out, page->entries, sizeof page->entries);
	for (unsigned i = 0; i < GROUP_BLOCKS; i++) {
		int key = out[i].newer ? b : a;
		/* A hole is under no key, and must be stored as such. */
		out[i].newer = !out[i].slot ? 0 : key < 0 ? KEY_FOREIGN : (uint8_t)key;
	}
}

static void fill(struct content *c, struct group *g, const struct tag_page *page, enum tag_copy copy)
{
	g->generation = page->generation;
	g->stamp = page->stamp;
	g->encryptions = page->encryptions;
	g->page_epoch = page->epoch_b ? page->epoch_b : page->epoch_a;
	g->durable_copy = copy;
	map_keys(c, page, g->now);
	for (unsigned i = 0; i < GROUP_BLOCKS; i++) {
		g->keep[i] = PAGE_LEN;
		if (!g->now[i].slot)
			continue;
		slots_put(&g->used_now, g->now[i].slot - 1u, 1);
		g->has_durable |= (uint64_t)1 << i;
	}
	g->used_durable = g->used_now;
	g->young = bucket_is_young(c->b, g->stamp);
	g->unsure = !g->young && g->stamp > atomic_load(&c->b->durable);
}

/* A new group in the table, without a page so far. */
static enum err group_new(struct content *c, uint64_t number, struct group **out)
{
	struct group *g = calloc(1, sizeof *g);
	enum err e;

	if (!g)
		return ERR_NO_MEMORY;
	g->number = number;
	g->absent = 1;
	g->durable_copy = COPY_B;	/* so the first page goes to TA */
	for (unsigned i = 0; i < GROUP_BLOCKS; i++)
		g->keep[i] = PAGE_LEN;
	if ((e = table_add(c, g))) {
		free(g);
		return e;
	}
	*out = g;
	return ERR_OK;
}

enum err group_adopt(struct content *c, uint64_t number, const struct tag_page *newest, enum tag_copy copy,
		     const struct tag_page *other, struct group **out)
{
	enum err e;

	if ((e = group_new(c, number, out)))
		return e;
	struct group *g = *out;
	if (!newest)
		return ERR_OK;
	g->absent = 0;
	fill(c, g, newest, copy);
	if (other && g->young) {
		if (!(g->older = malloc(sizeof other->entries)))
			return ERR_NO_MEMORY;
		map_keys(c, other, g->older);
	}
	return ERR_OK;
}

/* One copy of a later group's tag page, where it is valid. */
static enum err load_page(struct content *c, uint64_t number, enum tag_copy copy, struct tag_page *out, int *valid_out)
{
	uint8_t page[PAGE_LEN];
	size_t got;
	enum err e;

	*valid_out = 0;
	if ((e = file_read(c->fd, page, sizeof page, layout_tag_page(number, copy), &got)))
		return e;
	if (got < sizeof page || tag_page_read(page, number, out))
		return ERR_OK;
	int key = key_of_epoch(c, out->epoch_b ? out->epoch_b : out->epoch_a);
	if (key < 0 || memcmp(out->file_id, c->header.file_id, UUID_LEN))
		return ERR_OK;
	*valid_out = !group_verify_page(c, page, number, (unsigned)key);
	return ERR_OK;
}

static enum err load_group(struct content *c, uint64_t number, struct group **out)
{
	struct tag_page pages[2];
	int valid[2];
	enum err e;

	if (!c->keys)
		return ERR_NO_KEY;
	for (int copy = COPY_A; copy <= COPY_B; copy++)
		if ((e = load_page(c, number, copy, &pages[copy], &valid[copy])))
			return e;
	if (!valid[0] && !valid[1])
		return group_adopt(c, number, NULL, COPY_A, NULL, out);
	int best = !valid[0] || (valid[1] && pages[1].generation > pages[0].generation);
	return group_adopt(c, number, &pages[best], best, valid[!best] ? &pages[!best] : NULL, out);
}

enum err group_get(struct content *c, uint64_t number, struct group **out)
{
	enum err e = ERR_OK;

	pthread_mutex_lock(&c->load);
	struct group *g = group_find(c, number);
	if (!g)
		e = load_group(c, number, &g);
	pthread_mutex_unlock(&c->load);
	*out = g;
	return e;
}

/* --- slots ------------------------------------------------------------------------- */

int group_slot(const struct content *c, const struct group *g, unsigned block)
{
	int last = content_last(c, g->number), mine = g->now[block].slot - 1;

	if (mine >= 0 && !slots_has(&g->used_durable, (unsigned)mine) && !slots_has(&g->used_syncing, (unsigned)mine) &&
	    (mine >= (int)GROUP_BLOCKS || mine < last || mine == (int)block))
		return mine;	/* moved already since the last sync */
	struct slots used = { g->used_now.home | g->used_durable.home | g->used_syncing.home,
			      g->used_now.spare | g->used_durable.spare | g->used_syncing.spare };
	if (!slots_has(&used, block))
		return (int)block;
	for (unsigned s = GROUP_BLOCKS; s < GROUP_SLOTS; s++)
		if (!slots_has(&used, s))
			return (int)s;
	for (int s = 0; s < last && s < (int)GROUP_BLOCKS; s++)	/* homes of blocks that moved; never the last block's */
		if (g->now[s].slot && !slots_has(&used, (unsigned)s))
			return s;
	return -1;
}

static void shrink_keep(uint16_t *keep, uint64_t had, unsigned block, int was, unsigned length)
{
	if (was)
		*keep = *keep < length ? *keep : (uint16_t)length;
	else if (had >> block & 1)
		*keep = 0;
}

void group_set(struct group *g, unsigned block, int slot, unsigned key, unsigned length)
{
	struct tag_entry *e = &g->now[block];
	int was = e->slot != 0;

	shrink_keep(&g->keep[block], g->has_durable, block, was, length);
	if (g->syncing)
		shrink_keep(&g->keep_next[block], g->has_syncing, block, was, length);
	if (was)
		slots_put(&g->used_now, e->slot - 1u, 0);
	slots_put(&g->used_now, (unsigned)slot, 1);
	e->slot = (uint8_t)(slot + 1);
	e->newer = (uint8_t)key;
	e->length = (uint16_t)length;
	e->keep = g->keep[block];
	g->punched &= ~((uint64_t)1 << block);
	if (g->encryptions < UINT32_MAX)
		g->encryptions++;
	g->dirty = g->unstored = 1;
	g->absent = 0;
}

void group_undo(struct group *g, unsigned block, const struct tag_entry *was)
{
	slots_put(&g->used_now, g->now[block].slot - 1u, 0);
	g->now[block] = *was;
	if (was->slot)
		slots_put(&g->used_now, was->slot - 1u, 1);
}

void group_clear(struct group *g, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++) {
		if (!g->now[i].slot)
			continue;
		slots_put(&g->used_now, g->now[i].slot - 1u, 0);
		memset(&g->now[i], 0, sizeof g->now[i]);
		g->keep[i] = 0;
		g->keep_next[i] = 0;
	}
	g->dirty = g->unstored = 1;
}

/* --- storing ------------------------------------------------------------------------ */

enum err group_encode(struct content *c, struct group *g, uint8_t page[static PAGE_LEN])
{
	struct tag_page p = { .generation = g->generation + 1, .group = g->number, .encryptions = g->encryptions };
	unsigned newest = content_newest(c);
	uint8_t key[KDF_KEY_LEN];
	enum err e;

	if (!c->keys)
		return ERR_NO_KEY;
	memcpy(p.entries, g->now, sizeof p.entries);
	p.stamp = atomic_load(&c->b->stamp);
	p.epoch_a = c->header.slots[0].epoch;
	p.epoch_b = newest ? c->header.slots[1].epoch : 0;
	memcpy(p.file_id, c->header.file_id, UUID_LEN);
	if (!g->number) {
		p.size = c->size;
		p.has_header = 1;
		p.header = c->header;
	}
	if ((e = tag_page_write(&p, page)))
		return e;
	page_key(c, g->number, newest, key);
	kdf_mac(key, page, TAG_MAC_AT, page + TAG_MAC_AT, TAG_MAC_LEN);
	secret_wipe(key, sizeof key);
	g->stamp = p.stamp;
	return ERR_OK;
}

uint64_t group_store_at(const struct group *g)
{
	return layout_tag_page(g->number, g->durable_copy == COPY_A ? COPY_B : COPY_A);
}

void group_stored(struct content *c, struct group *g)
{
	g->generation++;
	g->page_epoch = c->header.slots[content_newest(c)].epoch;
	g->unstored = 0;
	g->dirty = 1;
	g->absent = 0;
	content_changed(c);
}

enum err group_store(struct content *c, struct group *g)
{
	uint8_t page[PAGE_LEN];
	uint64_t at = group_store_at(g);
	enum err e;

	assert(!g->syncing && !g->in_place && !g->unsure);
	if ((e = group_encode(c, g, page)))
		return e;
	if ((e = file_write(c->fd, page, sizeof page, at)))
		return e;
	group_stored(c, g);
	if (at + PAGE_LEN > c->lower_size)
		c->lower_size = at + PAGE_LEN;
	return ERR_OK;
}

/* --- after a crash --------------------------------------------------------------------- */

/* The blocks of the newest page that do not verify. */
static enum err find_bad(struct content *c, struct group *g, uint64_t *bad_out)
{
	*bad_out = 0;
	for (unsigned i = 0; i < GROUP_BLOCKS; i++) {
		enum err e = g->now[i].slot ? block_verify(c, g, i) : ERR_OK;

		if (e == ERR_NOT_AUTHENTIC)
			*bad_out |= (uint64_t)1 << i;
		else if (e)
			return e;
	}
	return ERR_OK;
}

/* The newest page was not whole: the older one is the durable one, and what failed gets its older version back. */
static void take_older(struct group *g, uint64_t bad, const uint16_t *length)
{
	static const struct tag_entry none;
	struct slots used = { 0 };
	uint64_t has = 0;

	for (unsigned i = 0; i < GROUP_BLOCKS; i++) {
		const struct tag_entry *old = g->older ? &g->older[i] : &none;

		if (old->slot) {
			slots_put(&used, old->slot - 1u, 1);
			has |= (uint64_t)1 << i;
		}
		if (!(bad >> i & 1))
			continue;
		slots_put(&g->used_now, g->now[i].slot - 1u, 0);
		g->now[i] = length[i] && old->slot ? *old : none;
	}
	for (unsigned i = 0; i < GROUP_BLOCKS; i++)
		if (g->now[i].slot)
			slots_put(&g->used_now, g->now[i].slot - 1u, 1);
	g->durable_copy = g->durable_copy == COPY_A ? COPY_B : COPY_A;
	g->used_durable = used;
	g->has_durable = has;
	g->dirty = g->unstored = 1;
}

/* Blocks of which a fallback shows only the first bytes: written anew at that length. */
static enum err cut_short(struct content *c, struct group *g, uint64_t bad, const uint16_t *length)
{
	uint8_t data[PAGE_LEN];
	size_t len;
	enum err e = ERR_OK;

	for (unsigned i = 0; i < GROUP_BLOCKS && !e; i++) {
		if (!(bad >> i & 1) || !g->now[i].slot || length[i] >= g->now[i].length)
			continue;
		if ((e = block_load(c, g, i, data, &len)))
			return e;
		while ((e = block_put(c, g, i, data, length[i])) == ERR_BUSY)
			if ((e = sync_only(c)))
				return e;
	}
	return e;
}

static enum err repair(struct content *c, struct group *g)
{
	struct group *first = group_find(c, 0);
	uint16_t length[GROUP_BLOCKS] = { 0 };
	uint8_t data[PAGE_LEN];
	uint64_t bad, lost = 0;
	int last = content_last(c, g->number);
	size_t len;
	enum err e;

	if ((g != first && (e = group_ready(c, first))) || (e = find_bad(c, g, &bad)))
		return e;
	for (unsigned i = 0; i < GROUP_BLOCKS; i++) {
		if (!(bad >> i & 1))
			continue;
		if (block_load(c, g, i, data, &len))
			lost |= (uint64_t)1 << i;	/* stays as it is: EIO, never garbage */
		length[i] = (uint16_t)len;
	}
	bad &= ~lost;
	if (bad) {
		take_older(g, bad, length);
		c->header.flags |= HEADER_SPARSE;	/* what was never synced is a hole now */
		if (first != g)
			first->dirty = first->unstored = 1;
	}
	if (last < (int)GROUP_BLOCKS - 1)
		for (unsigned i = (unsigned)(last + 1); i < GROUP_BLOCKS; i++)
			if (g->now[i].slot)
				group_clear(g, i, i + 1);
	if (!g->unstored)
		return ERR_OK;
	if ((e = sync_only(c)) || (e = cut_short(c, g, bad, length)))
		return e;
	return g->unstored ? sync_only(c) : ERR_OK;
}

enum err group_ready(struct content *c, struct group *g)
{
	enum err e;

	if (!g->young && !g->unsure)
		return ERR_OK;
	if ((e = file_sync(c->fd)))	/* a killed mount leaves pages in the cache alone */
		return e;
	g->unsure = 0;
	if (g->young && !(e = repair(c, g))) {
		g->young = 0;
		free(g->older);
		g->older = NULL;
	}
	return e;
}
