#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_io.h"
#include "base/random.h"
#include "fs/content/group.h"

/* The ciphertext of one group's share of a write, with room for the tag page before it: a new group's first page and
 * its data are neighbours and go out in one write. */
struct scratch { uint8_t tag[PAGE_LEN], data[GROUP_BLOCKS * PAGE_LEN], nonces[GROUP_BLOCKS * AEAD_NONCE_LEN]; };

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void scratch_make_key(void)
{
	pthread_key_create(&scratch_key, free);
}

static struct scratch *scratch_get(void)
{
	pthread_once(&scratch_once, scratch_make_key);
	struct scratch *s = pthread_getspecific(scratch_key);

	if (!s && (s = aligned_alloc(PAGE_LEN, (sizeof *s + PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN)) && pthread_setspecific(scratch_key, s)) {
		free(s);
		s = NULL;
	}
	return s;
}

/* One write within one group. */
struct part {
	struct content *c;
	struct group *g;
	struct scratch *s;
	struct aead *cipher;
	unsigned key;
	/* The run that is being gathered: blocks [block, block + count) in slots from `slot` on, `len` bytes. */
	unsigned block, count;
	int slot;
	size_t len;
	struct tag_entry was[GROUP_BLOCKS];
};

static enum err run_flush(struct part *p)
{
	struct content *c = p->c;
	struct group *g = p->g;
	enum err e;

	if (!p->count)
		return ERR_OK;
	uint64_t at = layout_slot(g->number, (unsigned)p->slot);
	/* The first page of a new group rides along. */
	int with_tag = !g->generation && !p->slot && !g->syncing && g->durable_copy == COPY_B;
	if (with_tag && (e = group_encode(c, g, p->s->tag)))
		goto undo;
	e = with_tag ? file_write(c->fd, p->s->tag, PAGE_LEN + p->len, at - PAGE_LEN) : file_write(c->fd, p->s->data, p->len, at);
	if (e)
		goto undo;
	if (with_tag)
		group_stored(c, g);
	if (at + p->len > c->lower_size)
		c->lower_size = at + p->len;
	content_changed(c);
	p->count = 0;
	p->len = 0;
	return ERR_OK;
undo:
	for (unsigned i = p->count; i--;)
		group_undo(g, p->block + i, &p->was[i]);
	p->count = 0;
	p->len = 0;
	return e;
}

/* Seal a block's next version into the run; a run ends where the lower file is not contiguous or a block is short. */
static enum err run_add(struct part *p, unsigned block, const void *data, size_t len)
{
	int slot = group_slot(p->c, p->g, block);
	struct tag_entry entry = { 0 };
	enum err e;

	if (slot < 0)
		return ERR_BUSY;
	int side_by_side = p->count && block == p->block + p->count && slot == p->slot + (int)p->count &&
			   (slot >= (int)GROUP_BLOCKS) == (p->slot >= (int)GROUP_BLOCKS) && p->len == (size_t)p->count * PAGE_LEN;
	if (p->count && !side_by_side && (e = run_flush(p)))
		return e;
	if (!p->count) {
		p->block = block;
		p->slot = slot;
	}
	p->was[p->count] = p->g->now[block];
	block_seal(p->c, p->cipher, p->g, block, p->key, data, len, p->s->data + p->len, &entry,
		   p->s->nonces + (size_t)block * AEAD_NONCE_LEN);
	memcpy(p->g->now[block].nonce, entry.nonce, sizeof entry.nonce);
	memcpy(p->g->now[block].tag, entry.tag, sizeof entry.tag);
	group_set(p->g, block, slot, p->key, (unsigned)len);
	p->count++;
	p->len += len;
	return ERR_OK;
}

/* What the block that contains `offset` holds after the write: the caller's bytes, or `merged` with old ones around them. */
static enum err block_content(struct part *p, uint64_t offset, const uint8_t *bytes, size_t len, uint8_t merged[static PAGE_LEN],
			      const uint8_t **data_out, size_t *len_out)
{
	struct content *c = p->c;
	uint64_t start = offset - offset % PAGE_LEN;
	unsigned block = (unsigned)(start / PAGE_LEN % GROUP_BLOCKS), from = (unsigned)(offset % PAGE_LEN);
	size_t length = c->size - start < PAGE_LEN ? (size_t)(c->size - start) : PAGE_LEN, had = 0;
	enum err e;

	*len_out = length;
	*data_out = bytes;
	if (!from && len >= length)
		return ERR_OK;
	if (p->g->now[block].slot && (e = block_load(c, p->g, block, merged, &had)))
		return e;
	if (had < length)
		memset(merged + had, 0, length - had);
	memcpy(merged + from, bytes, len);
	*data_out = merged;
	return ERR_OK;
}

/* As much of the write as this group takes before it needs a sync (ERR_BUSY); `done_out` bytes are in. */
static enum err write_part(struct content *c, struct group *g, const uint8_t *bytes, size_t len, uint64_t offset, size_t *done_out)
{
	struct part p = { .c = c, .g = g, .key = content_newest(c), .s = scratch_get() };
	uint8_t merged[PAGE_LEN];
	size_t added = 0;
	enum err e, flushed;

	*done_out = 0;
	if (!p.s)
		return ERR_NO_MEMORY;
	if (g->in_place)
		return ERR_BUSY;
	if ((e = block_cipher(c, g->number, p.key, &p.cipher)))
		return e;
	unsigned first = (unsigned)(offset / PAGE_LEN % GROUP_BLOCKS);
	size_t blocks = (offset % PAGE_LEN + len + PAGE_LEN - 1) / PAGE_LEN;
	random_bytes(p.s->nonces + (size_t)first * AEAD_NONCE_LEN, blocks * AEAD_NONCE_LEN);
	while (added < len) {
		unsigned block = (unsigned)(offset / PAGE_LEN % GROUP_BLOCKS);
		size_t some = PAGE_LEN - offset % PAGE_LEN, length;
		const uint8_t *data;

		some = some < len - added ? some : len - added;
		if ((e = block_content(&p, offset, bytes + added, some, merged, &data, &length)))
			break;
		if (p.count && data == merged && (e = run_flush(&p)))	/* `merged` is used anew */
			break;
		*done_out = p.count ? *done_out : added;
		if ((e = run_add(&p, block, data, length)))
			break;
		if (p.count == 1)
			*done_out = added;	/* what came before this run is written */
		added += some;
		offset += some;
	}
	flushed = run_flush(&p);
	if (!flushed && (!e || e == ERR_BUSY))
		*done_out = added;
	aead_put(p.cipher);
	return flushed ? flushed : e;
}

/* --- bulk overwrites, in place ------------------------------------------------------------ */

/* The blocks [first, first + count) of one group in a bulk overwrite. */
struct stretch { struct group *g; unsigned first, count; size_t at; };

static enum err bulk_stretch(struct content *c, uint64_t number, size_t blocks, size_t at, struct stretch *out)
{
	unsigned first = (unsigned)((number + at) % GROUP_BLOCKS);
	size_t count = GROUP_BLOCKS - first < blocks - at ? GROUP_BLOCKS - first : blocks - at;

	*out = (struct stretch){ NULL, first, (unsigned)count, at };
	return group_get(c, (number + at) / GROUP_BLOCKS, &out->g);
}

/* Seal a stretch for the slots that its blocks are in. */
static enum err bulk_seal(struct content *c, const struct stretch *s, const uint8_t *bytes, uint8_t *cipher, struct tag_entry *was)
{
	unsigned key = content_newest(c);
	uint8_t nonces[GROUP_BLOCKS * AEAD_NONCE_LEN];
	struct group *g = s->g;
	struct aead *a;
	enum err e;

	if ((e = block_cipher(c, g->number, key, &a)))
		return e;
	random_bytes(nonces, (size_t)s->count * AEAD_NONCE_LEN);
	for (unsigned i = 0; i < s->count; i++) {
		struct tag_entry entry = { 0 };
		int slot = g->now[s->first + i].slot - 1;

		was[i] = g->now[s->first + i];
		block_seal(c, a, g, s->first + i, key, bytes + (size_t)i * PAGE_LEN, PAGE_LEN, cipher + (size_t)i * PAGE_LEN, &entry,
			   nonces + (size_t)i * AEAD_NONCE_LEN);
		memcpy(g->now[s->first + i].nonce, entry.nonce, sizeof entry.nonce);
		memcpy(g->now[s->first + i].tag, entry.tag, sizeof entry.tag);
		group_set(g, s->first + i, slot, key, PAGE_LEN);
	}
	aead_put(a);
	return ERR_OK;
}

/* Writes a stretch in place.  Where that fails, what was not written holds its old version again. */
static enum err bulk_write_data(struct content *c, const struct stretch *s, const uint8_t *cipher, const struct tag_entry *was)
{
	struct group *g = s->g;
	enum err e = ERR_OK;

	g->in_place = 1;
	for (unsigned i = 0, n; i < s->count; i += n) {
		int slot = g->now[s->first + i].slot - 1;

		for (n = 1; i + n < s->count && g->now[s->first + i + n].slot - 1 == slot + (int)n && slot + (int)n != (int)GROUP_BLOCKS; n++)
			;
		if (!e)
			e = file_write(c->fd, cipher + (size_t)i * PAGE_LEN, (size_t)n * PAGE_LEN, layout_slot(g->number, (unsigned)slot));
		for (unsigned j = i; e && j < i + n; j++) {
			group_undo(g, s->first + j, &was[j]);
			g->unstored = 1;	/* the page says otherwise: written anew after the next sync */
		}
	}
	return e;
}

/* Before the flush: everything holds its old version, and a page that says otherwise is superseded. */
static void bulk_undo(struct content *c, uint64_t number, size_t sealed, const struct tag_entry *was)
{
	struct stretch s;

	for (size_t at = 0; at < sealed && !bulk_stretch(c, number, sealed, at, &s); at += s.count)
		for (unsigned i = 0; i < s.count; i++) {
			group_undo(s.g, s.first + i, &was[at + i]);
			s.g->dirty = s.g->unstored = 1;
		}
}

/* How many whole, present, full blocks from block number `number` on a bulk overwrite may take. */
static size_t bulk_extent(struct content *c, uint64_t number, size_t max)
{
	size_t n = 0;

	while (n < max) {
		struct group *g;
		unsigned i = (unsigned)((number + n) % GROUP_BLOCKS);

		if (group_get(c, (number + n) / GROUP_BLOCKS, &g) || g->absent || g->young || g->unsure)
			break;
		if (!g->now[i].slot || g->now[i].length != PAGE_LEN || g->now[i].newer >= c->header.slot_count)
			break;
		n++;
	}
	return n;
}

/* Tag pages, one flush, the data in place (FORMAT.md, "Crash rules", 7).  The caller has synced: every group's durable page is what holds. */
static enum err bulk_write(struct content *c, uint64_t number, size_t blocks, const uint8_t *bytes)
{
	uint8_t *cipher = malloc(blocks * PAGE_LEN);
	struct tag_entry *was = malloc(blocks * sizeof *was);
	enum err e = cipher && was ? ERR_OK : ERR_NO_MEMORY;
	struct stretch s = { 0 };
	size_t sealed = 0;

	for (; sealed < blocks && !e; sealed += e ? 0 : s.count) {
		if (!(e = bulk_stretch(c, number, blocks, sealed, &s)))
			e = bulk_seal(c, &s, bytes + sealed * PAGE_LEN, cipher + sealed * PAGE_LEN, was + sealed);
		if (!e && (e = group_store(c, s.g)))
			bulk_undo(c, number + sealed, s.count, was + sealed);
	}
	if (!e && (e = file_sync(c->fd)))
		c->failed = e;	/* the kernel tells it once: nothing may be promised after */
	if (e)
		bulk_undo(c, number, sealed, was);
	for (size_t at = 0; at < blocks && (!e || sealed == blocks) && !c->failed; at += s.count) {
		enum err more = bulk_stretch(c, number, blocks, at, &s);

		if (more || (more = bulk_write_data(c, &s, cipher + at * PAGE_LEN, was + at)))
			e = e ? e : more;
	}
	content_changed(c);
	free(was);
	free(cipher);
	return e;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The size and the group are made ready for the next part.  ERR_BUSY: a sync in flight stands in the way. */
static enum err prepare(struct content *c, uint64_t offset, uint64_t end, struct group **out)
{
	uint64_t blocks = (c->size + PAGE_LEN - 1) / PAGE_LEN;
	struct group *first;
	enum err e;

	if ((e = group_get(c, offset / GROUP_PLAIN, out)) || (e = group_get(c, 0, &first)))
		return e;
	if (c->in_flight && (c->cut || (*out)->young || (*out)->unsure || first->young || first->unsure ||
			     (end > c->size && first->in_place)))
		return ERR_BUSY;
	if ((e = group_ready(c, *out)))
		return e;
	if (end <= c->size)
		return ERR_OK;
	if (offset / PAGE_LEN > blocks)	/* a gap */
		c->header.flags |= HEADER_SPARSE;
	uint64_t old = c->size;
	if ((e = resize_grow(c, end)))
		c->size = old;
	if (!e)
		e = group_get(c, offset / GROUP_PLAIN, out);	/* a cut may have forgotten it */
	return e;
}

/* `size` was promised to a write that then failed. */
static void take_back_size(struct content *c, uint64_t size, uint64_t reached)
{
	if (c->size > size)
		c->size = reached > size ? reached : size;
}

static enum err write_locked(struct content *c, const uint8_t *bytes, size_t len, uint64_t offset)
{
	uint64_t old_size = c->size;
	int dry = 0;	/* rounds without progress */
	enum err e = ERR_OK;

	while (len) {
		uint64_t rest = GROUP_PLAIN - offset % GROUP_PLAIN;
		size_t part = rest < len ? (size_t)rest : len, done = 0;
		struct group *g;

		if ((e = content_may_write(c)))
			break;
		e = prepare(c, offset, offset + part, &g);
		if (!e)
			e = write_part(c, g, bytes, part, offset, &done);
		bytes += done;
		offset += done;
		len -= done;
		part -= done;
		dry = done ? 0 : dry + 1;
		if (e != ERR_BUSY) {
			if (e)
				break;
			continue;
		}
		if (dry > 8) {
			e = err_set(ERR_INTERNAL, "no slot for a block");
			break;
		}
		if ((e = sync_make_room(c)))
			break;
		if (part < (GROUP_SPARES + 1) * PAGE_LEN || offset % PAGE_LEN || c->in_flight || sync_only(c))
			continue;
		size_t bulk = bulk_extent(c, offset / PAGE_LEN, len / PAGE_LEN);
		if (bulk <= GROUP_SPARES)
			continue;
		if ((e = bulk_write(c, offset / PAGE_LEN, bulk, bytes)))
			break;
		bytes += bulk * PAGE_LEN;
		offset += bulk * PAGE_LEN;
		len -= bulk * PAGE_LEN;
	}
	if (e)
		take_back_size(c, old_size, offset);
	if (!e)
		e = resize_extend_lower(c);
	group_trim(c);
	return e;
}

enum err content_write(struct content *c, const void *bytes, size_t len, uint64_t offset)
{
	enum err e;

	if (offset > PLAIN_MAX || len > PLAIN_MAX - offset)
		return ERR_ERRNO + EFBIG;
	pthread_rwlock_wrlock(&c->lock);
	e = write_locked(c, bytes, len, offset);
	pthread_rwlock_unlock(&c->lock);
	return e;
}

enum err content_append(struct content *c, const void *bytes, size_t len, uint64_t *offset_out)
{
	enum err e;

	pthread_rwlock_wrlock(&c->lock);
	*offset_out = c->size;
	e = len > PLAIN_MAX - c->size ? ERR_ERRNO + EFBIG : write_locked(c, bytes, len, c->size);
	pthread_rwlock_unlock(&c->lock);
	return e;
}
