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
	int hold;	/* so many blocks are overwritten that they are held, to be written in place */
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
	int held = p->g->held_mask >> block & 1, slot;
	struct tag_entry entry = { 0 };
	enum err e;

	slot = held || (p->hold && p->g->now[block].slot) || p->g->in_place ? -1 : group_slot(p->c, p->g, block);
	if (slot < 0)
		return hold_put(p->c, p->g, block, data, len);
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
	if ((p->g->now[block].slot || p->g->held_mask >> block & 1) && (e = block_load(c, p->g, block, merged, &had)))
		return e;
	if (had < length)
		memset(merged + had, 0, length - had);
	memcpy(merged + from, bytes, len);
	*data_out = merged;
	return ERR_OK;
}

/* More blocks of the part have a version in a slot than are worth spares. */
static int is_bulk(const struct group *g, unsigned first, size_t blocks)
{
	unsigned present = 0;

	for (size_t i = 0; i < blocks; i++)
		present += g->now[first + i].slot != 0;
	return present > HOLD_SCATTERED;
}

/* Writes one group's share; where it fails `done_out` bytes are in. */
static enum err write_part(struct content *c, struct group *g, const uint8_t *bytes, size_t len, uint64_t offset, size_t *done_out)
{
	struct part p = { .c = c, .g = g, .key = content_newest(c), .s = scratch_get() };
	uint8_t merged[PAGE_LEN];
	size_t added = 0;
	enum err e, flushed;

	*done_out = 0;
	if (!p.s)
		return ERR_NO_MEMORY;
	if ((e = block_cipher(c, g->number, p.key, &p.cipher)))
		return e;
	unsigned first = (unsigned)(offset / PAGE_LEN % GROUP_BLOCKS);
	size_t blocks = (offset % PAGE_LEN + len + PAGE_LEN - 1) / PAGE_LEN;
	p.hold = is_bulk(g, first, blocks);
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
	if (!flushed && !e)
		*done_out = added;
	aead_put(p.cipher);
	return flushed ? flushed : e;
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
	if (c->in_flight && (c->cut || c->cut_fresh || (*out)->young || (*out)->unsure || first->young || first->unsure ||
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

/* In the middle of a change: the lock is given up until no sync is in flight. */
static enum err wait_for_flight(struct content *c)
{
	if (!c->in_flight)
		return ERR_OK;
	pthread_rwlock_unlock(&c->lock);
	content_lock_quiet(c);
	return content_may_write(c);
}

static enum err write_locked(struct content *c, const uint8_t *bytes, size_t len, uint64_t offset)
{
	uint64_t old_size = c->size;
	enum err e = ERR_OK;

	while (len) {
		uint64_t rest = GROUP_PLAIN - offset % GROUP_PLAIN;
		size_t part = rest < len ? (size_t)rest : len, done = 0;
		struct group *g;

		if ((e = content_may_write(c)))
			break;
		e = prepare(c, offset, offset + part, &g);
		if (e == ERR_BUSY || (!e && hold_is_full() && c->held_count)) {
			if ((e = wait_for_flight(c)) || (e = hold_drain(c)))
				break;
			continue;
		}
		if (!e)
			e = write_part(c, g, bytes, part, offset, &done);
		bytes += done;
		offset += done;
		len -= done;
		if (e)
			break;
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
