#include <string.h>

#include "base/file_io.h"
#include "fs/content/group.h"

/* How many blocks from `block` on lie side by side in the lower file and are whole. */
static unsigned run_length(const struct group *g, unsigned block, unsigned max)
{
	const struct tag_entry *first = &g->now[block];
	unsigned n = 1;

	while (n < max && block + n < GROUP_BLOCKS) {
		const struct tag_entry *e = &first[n];

		if (g->held_mask >> (block + n) & 1 || e->slot != first->slot + n || e->length != PAGE_LEN || e->newer != first->newer ||
		    (e->slot - 1u >= GROUP_BLOCKS) != (first->slot - 1u >= GROUP_BLOCKS))
			break;
		n++;
	}
	return n;
}

/* Whole blocks straight into the caller's memory, one lower read a run, opened in place. */
static enum err read_run(struct content *c, struct group *g, unsigned block, unsigned count, uint8_t *out)
{
	const struct tag_entry *first = &g->now[block];
	struct aead *a;
	enum err e;

	if ((e = file_read_all(c->fd, out, (size_t)count * PAGE_LEN, layout_slot(g->number, first->slot - 1u))))
		return e == ERR_TRUNCATED ? ERR_NOT_AUTHENTIC : e;
	if ((e = block_cipher(c, g->number, first->newer, &a)))
		return e;
	for (unsigned i = 0; i < count && !e; i++)
		e = block_open(c, a, g->number, block + i, first + i, out + (size_t)i * PAGE_LEN, out + (size_t)i * PAGE_LEN);
	aead_put(a);
	return e;
}

/* One block by way of a buffer: a part of it, a short one, a hole, or one that needs its older version. */
static enum err read_one(struct content *c, struct group *g, unsigned block, unsigned from, size_t len, uint8_t *out)
{
	uint8_t data[PAGE_LEN];
	size_t had;
	enum err e;

	if ((e = block_load(c, g, block, data, &had)))
		return e;
	size_t some = had > from ? had - from : 0;
	some = some < len ? some : len;
	memcpy(out, data + from, some);
	memset(out + some, 0, len - some);
	return ERR_OK;
}

/* The part of a read that lies in one group. */
static enum err read_group(struct content *c, struct group *g, uint64_t offset, size_t len, uint8_t *out)
{
	enum err e = ERR_OK;

	while (len && !e) {
		unsigned block = (unsigned)(offset / PAGE_LEN % GROUP_BLOCKS), from = (unsigned)(offset % PAGE_LEN);
		const struct tag_entry *entry = &g->now[block];
		size_t part = PAGE_LEN - from < len ? PAGE_LEN - from : len;

		if (!from && len >= PAGE_LEN && entry->slot && !(g->held_mask >> block & 1) && entry->length == PAGE_LEN && entry->newer < c->header.slot_count) {
			unsigned count = run_length(g, block, (unsigned)(len / PAGE_LEN));

			e = read_run(c, g, block, count, out);
			if (!e)
				part = (size_t)count * PAGE_LEN;
			else if (e == ERR_NOT_AUTHENTIC)	/* which one, and is there an older version? */
				e = read_one(c, g, block, 0, part, out);
		} else {
			e = read_one(c, g, block, from, part, out);
		}
		offset += part;
		out += part;
		len -= part;
	}
	return e;
}

static int holds_too_many(const struct content *c)
{
	return c->group_count > GROUPS_KEPT;
}

enum err content_read(struct content *c, void *out, size_t len, uint64_t offset, size_t *got_out)
{
	uint8_t *at = out;
	enum err e = ERR_OK;

	*got_out = 0;
	pthread_rwlock_rdlock(&c->lock);
	if (!c->keys)
		e = ERR_NO_KEY;
	if (offset >= c->size || e)
		len = 0;
	else if (len > c->size - offset)
		len = (size_t)(c->size - offset);
	while (len && !e) {
		uint64_t rest = GROUP_PLAIN - offset % GROUP_PLAIN;
		size_t part = rest < len ? (size_t)rest : len;
		struct group *g;

		if (!(e = group_get(c, offset / GROUP_PLAIN, &g)))
			e = read_group(c, g, offset, part, at);
		if (e)
			break;
		offset += part;
		at += part;
		len -= part;
	}
	*got_out = (size_t)(at - (uint8_t *)out);
	int trim = holds_too_many(c);
	pthread_rwlock_unlock(&c->lock);
	if (trim) {
		pthread_rwlock_wrlock(&c->lock);
		group_trim(c);
		pthread_rwlock_unlock(&c->lock);
	}
	return e;
}
