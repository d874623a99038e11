#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/aead.h"
#include "base/file_io.h"
#include "base/random.h"
#include "fs/content/group.h"

static uint64_t end_group(uint64_t size)
{
	return size ? (size - 1) / GROUP_PLAIN : 0;
}

enum err resize_extend_lower(struct content *c)
{
	uint64_t want = layout_lower_size(c->size);
	struct group *g = group_find(c, 0);
	enum err e;

	if (!c->size || c->lower_size >= want || !g)
		return ERR_OK;
	if ((e = file_truncate(c->fd, want)))
		return e;
	c->lower_size = want;
	return ERR_OK;
}

/* Blocks of the last group that live behind the new end, or at the last block's home: moved to where the cut spares them. */
static enum err move_survivors(struct content *c, int dry, int *moved_out)
{
	uint8_t data[PAGE_LEN];
	int last, needed = 0;
	unsigned tail = (unsigned)(c->size % PAGE_LEN);
	struct group *g;
	size_t len;
	enum err e;

	*moved_out = 0;
	if ((e = group_get(c, end_group(c->size), &g)))
		return e;
	last = content_last(c, g->number);
	for (int i = 0; i < (int)GROUP_BLOCKS; i++) {
		int slot = g->now[i].slot - 1;
		int cut_into = i == last && tail && g->now[i].length > tail;

		if (slot < 0 || !(cut_into || (slot < (int)GROUP_BLOCKS && (slot > last || (slot == last && i != last)))))
			continue;
		needed = 1;
		if (dry)
			break;
		if ((e = block_load(c, g, (unsigned)i, data, &len)))
			return e;
		e = block_put(c, g, (unsigned)i, data, cut_into ? tail : len);
		if (!e)
			*moved_out = 1;
		else if (e != ERR_BUSY)
			return e;
	}
	if (dry)
		*moved_out = needed;
	return needed && !*moved_out ? err_set(ERR_INTERNAL, "no slot for a block behind the new end") : ERR_OK;
}

static enum err cut_lower(struct content *c)
{
	uint64_t want = layout_lower_size(c->size);
	struct stat st;
	enum err e;

	if (fstat(c->fd, &st))
		return err_errno();
	if ((uint64_t)st.st_size > want) {
		if ((e = file_truncate(c->fd, want)))
			return e;
		c->cut_fresh = 1;
		struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, st.st_mtim };
		if (futimens(c->fd, times))
			return err_errno();
	}
	c->lower_size = want;
	group_forget(c, end_group(c->size) + 1);
	c->cut = 0;
	return ERR_OK;
}

enum err resize_settle(struct content *c)
{
	int moved;
	enum err e;

	do {
		if ((e = sync_only(c)) || (e = move_survivors(c, 0, &moved)))
			return e;
	} while (moved);
	return cut_lower(c);
}

enum err resize_cut_now(struct content *c)
{
	int needed;
	enum err e;
	struct group *g;

	if ((e = group_get(c, end_group(c->size), &g)) || (e = move_survivors(c, 1, &needed)))
		return e;
	struct group *first = group_find(c, 0);
	if (needed || g->dirty || (first && first->dirty))
		return ERR_OK;
	return cut_lower(c);
}

void resize_give_back(struct content *c)
{
	for (size_t i = 0; i < c->table_len; i++)
		for (struct group *g = c->table[i]; g; g = g->next) {
			if (!g->punched || g->dirty)
				continue;
			for (unsigned s = 0; s < GROUP_BLOCKS; s++) {
				uint64_t at = layout_slot(g->number, s);

				if (g->punched >> s & 1 && !slots_has(&g->used_now, s) && !slots_has(&g->used_durable, s) &&
				    at + PAGE_LEN < layout_lower_size(c->size))
					file_punch(c->fd, at, PAGE_LEN);	/* only space: an error costs nothing */
			}
			g->punched = 0;
		}
}

uint64_t resize_next_group(const struct content *c, uint64_t group)
{
	off_t at = lseek(c->fd, (off_t)(group * GROUP_LEN), SEEK_DATA);

	if (at < 0)
		return errno == ENXIO ? UINT64_MAX : group;
	uint64_t found = (uint64_t)at / GROUP_LEN;
	return found > group ? found : group;
}

/* --- growing -------------------------------------------------------------------------------- */

/* Where a hole appears: said in the header before, and durably, so that a lost page is never taken for one. */
static void mark_sparse(struct content *c, struct group *first)
{
	if (c->header.flags & HEADER_SPARSE)
		return;
	c->header.flags |= HEADER_SPARSE;
	first->dirty = first->unstored = 1;
}

enum err resize_grow(struct content *c, uint64_t size)
{
	struct group *first;
	enum err e;

	if (size > PLAIN_MAX)
		return ERR_ERRNO + EFBIG;
	if ((e = group_get(c, 0, &first)) || (e = group_ready(c, first)))
		return e;
	if (size > GROUP_PLAIN || end_group(c->size) > 0) {
		/* The cut is durable first: else the old groups come back under the new size. */
		if (c->cut && (e = sync_settled(c)))
			return e;
		if (c->cut_fresh && (e = sync_only(c)))
			return e;
	}
	if (first->in_place && (e = sync_only(c)))
		return e;
	c->size = size;
	first->dirty = first->unstored = 1;
	return ERR_OK;
}

static enum err grow_by_truncate(struct content *c, uint64_t size)
{
	uint64_t blocks = (c->size + PAGE_LEN - 1) / PAGE_LEN;
	struct group *first;
	enum err e;

	if ((e = group_get(c, 0, &first)) || (e = resize_grow(c, size)))
		return e;
	if ((size + PAGE_LEN - 1) / PAGE_LEN > blocks)
		mark_sparse(c, first);
	return resize_extend_lower(c);
}

/* --- shrinking ------------------------------------------------------------------------------- */

/* The last block gets its shortened version, in any slot that the old size allows. */
static enum err shorten_last(struct content *c, struct group *g, uint64_t old_size)
{
	unsigned tail = (unsigned)(c->size % PAGE_LEN);
	unsigned block = (unsigned)((c->size - 1) / PAGE_LEN % GROUP_BLOCKS);
	uint64_t size = c->size;
	uint8_t data[PAGE_LEN];
	size_t len;
	enum err e;

	if (!tail || g->now[block].length <= tail)
		return ERR_OK;
	if ((e = block_load(c, g, block, data, &len)))
		return e;
	c->size = old_size;
	for (int i = 0; i < 3; i++) {
		e = block_put(c, g, block, data, len < tail ? len : tail);
		if (e != ERR_BUSY || (e = sync_only(c)))
			break;
		e = ERR_BUSY;
	}
	c->size = size;
	return e == ERR_BUSY ? err_set(ERR_INTERNAL, "no slot for the shortened last block") : e;
}

static enum err shrink(struct content *c, uint64_t size)
{
	uint64_t old = c->size;
	struct group *first, *g;
	enum err e;

	if ((e = group_get(c, 0, &first)) || (e = group_ready(c, first)) ||
	    (e = group_get(c, end_group(size), &g)) || (e = group_ready(c, g)))
		return e;
	if ((first->in_place || g->in_place) && (e = sync_only(c)))
		return e;
	c->size = size;
	first->dirty = first->unstored = 1;
	if (g->number) {
		/* The size alone decides: durable before an entry is cleared. */
		if ((e = sync_only(c)))
			goto back;
	}
	if (size && (e = shorten_last(c, g, old)))
		goto back;
	group_clear(g, size ? (unsigned)((size - 1) / PAGE_LEN % GROUP_BLOCKS) + 1 : 0, GROUP_BLOCKS);
	first->dirty = first->unstored = 1;
	c->cut = 1;
	return ERR_OK;
back:
	c->size = old;
	return e;
}

/* A new file key for what comes: as if the file were created anew under the CMK. */
static enum err rekey_empty(struct content *c, const uint8_t *key_id)
{
	struct key_slot slot;
	struct group *first;
	uint8_t key[32];
	int attributes;
	enum err e;
	uint32_t epoch = c->header.slots[content_newest(c)].epoch + 1;

	if ((e = group_get(c, 0, &first)) || (e = group_ready(c, first)))
		return e;
	random_bytes(key, sizeof key);
	if ((e = key_ring_wrap(c->b->ring, WRAP_FILE_KEY, key_id, c->header.file_id, c->b->description.suite, epoch, key, &slot)))
		goto out;
	if ((e = attributes_any(c, &attributes)))
		goto out;
	if (attributes) {	/* they are under the old key: both stay until they are moved */
		if (content_newest(c)) {
			c->header.slots[0] = c->header.slots[1];
			memcpy(c->keys->bytes, c->keys->bytes + 32, 32);
		}
		c->header.slots[1] = slot;
		c->header.slot_count = 2;
		memcpy(c->keys->bytes + 32, key, 32);
		first->dirty = first->unstored = 1;
		if ((e = sync_only(c)) || (e = attributes_reseal(c, &attributes)))
			goto out;
	}
	c->header.slots[0] = slot;
	c->header.slot_count = 1;
	memcpy(c->keys->bytes, key, 32);
	secret_wipe(c->keys->bytes + 32, 32);
	c->header.flags &= ~HEADER_SPARSE;
	first->dirty = first->unstored = 1;
out:
	secret_wipe(key, sizeof key);
	return e;
}

enum err content_truncate(struct content *c, uint64_t size, const uint8_t *new_key)
{
	enum err e;

	if (size > PLAIN_MAX)
		return ERR_ERRNO + EFBIG;
	content_lock_quiet(c);
	if ((e = content_may_write(c)))
		goto unlock;
	if (!size)
		hold_forget_all(c);
	if ((e = hold_drain(c)))
		goto unlock;
	if (size > c->size)
		e = grow_by_truncate(c, size);
	else if (size < c->size)
		e = shrink(c, size);
	if (!e && !size && new_key)
		e = rekey_empty(c, new_key);
	content_changed(c);
unlock:
	pthread_rwlock_unlock(&c->lock);
	return e;
}

/* --- holes -------------------------------------------------------------------------------------- */

/* Zeros over part of one block. */
static enum err zero_part(struct content *c, uint64_t offset, unsigned len)
{
	uint64_t number = offset / PAGE_LEN;
	unsigned block = (unsigned)(number % GROUP_BLOCKS), from = (unsigned)(offset % PAGE_LEN);
	uint8_t data[PAGE_LEN];
	struct group *g;
	size_t had;
	enum err e;

	if (!len)
		return ERR_OK;
	if ((e = group_get(c, number / GROUP_BLOCKS, &g)) || (e = group_ready(c, g)) || (e = block_load(c, g, block, data, &had)))
		return e;
	if (had <= from)
		return ERR_OK;
	memset(data + from, 0, len < had - from ? len : had - from);
	while ((e = block_put(c, g, block, data, had)) == ERR_BUSY)
		if ((e = sync_only(c)))
			break;
	return e;
}

static enum err clear_blocks(struct content *c, uint64_t first, uint64_t end)
{
	enum err e = ERR_OK;

	for (uint64_t n = resize_next_group(c, first / GROUP_BLOCKS); n < (end + GROUP_BLOCKS - 1) / GROUP_BLOCKS && !e;
	     n = resize_next_group(c, n + 1)) {
		unsigned from = n == first / GROUP_BLOCKS ? (unsigned)(first % GROUP_BLOCKS) : 0;
		unsigned to = n == end / GROUP_BLOCKS ? (unsigned)(end % GROUP_BLOCKS) : GROUP_BLOCKS;
		struct group *g;

		if ((e = group_get(c, n, &g)) || g->absent || (e = group_ready(c, g)))
			continue;
		if (g->in_place && (e = sync_only(c)))
			break;
		for (unsigned i = from; i < to; i++)
			g->punched |= (uint64_t)(g->now[i].slot != 0) << i;
		group_clear(g, from, to);
		group_trim(c);
	}
	return e;
}

/* Clears [offset, end) within the size. */
static enum err punch(struct content *c, uint64_t offset, uint64_t end)
{
	uint64_t first = (offset + PAGE_LEN - 1) / PAGE_LEN, last = end / PAGE_LEN;
	struct group *g;
	enum err e;

	if (end == c->size)
		last = (end + PAGE_LEN - 1) / PAGE_LEN;
	if (first > last)	/* inside one block */
		return zero_part(c, offset, (unsigned)(end - offset));
	if ((e = zero_part(c, offset, (unsigned)(first * PAGE_LEN - offset))))
		return e;
	if (last * PAGE_LEN < end && (e = zero_part(c, last * PAGE_LEN, (unsigned)(end - last * PAGE_LEN))))
		return e;
	if (first == last)
		return ERR_OK;
	if ((e = group_get(c, 0, &g)) || (e = group_ready(c, g)))
		return e;
	if (!(c->header.flags & HEADER_SPARSE)) {
		if (g->in_place && (e = sync_only(c)))
			return e;
		mark_sparse(c, g);
		if (last > GROUP_BLOCKS && (e = sync_only(c)))
			return e;
	}
	return clear_blocks(c, first, last);
}

enum err content_punch(struct content *c, uint64_t offset, uint64_t len, int keep_size)
{
	uint64_t end = offset + len;
	enum err e;

	if (end < offset || end > PLAIN_MAX)
		return ERR_ERRNO + EFBIG;
	content_lock_quiet(c);
	if ((e = content_may_write(c)) || (e = hold_drain(c)))
		goto unlock;
	if (offset < c->size && len)
		e = punch(c, offset, end < c->size ? end : c->size);
	if (!e && !keep_size && end > c->size)
		e = grow_by_truncate(c, end);
	content_changed(c);
unlock:
	pthread_rwlock_unlock(&c->lock);
	return e;
}

enum err content_allocate(struct content *c, uint64_t offset, uint64_t len, int keep_size)
{
	uint64_t end = offset + len;
	enum err e;

	if (end < offset || end > PLAIN_MAX)
		return ERR_ERRNO + EFBIG;
	content_lock_quiet(c);
	if ((e = content_may_write(c)))
		goto unlock;
	uint64_t from = layout_slot(offset / GROUP_PLAIN, (unsigned)(offset / PAGE_LEN % GROUP_BLOCKS));
	if (fallocate(c->fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(layout_lower_size(end) - from)) && errno != EOPNOTSUPP)
		e = err_errno();
	if (!e && !keep_size && end > c->size)
		e = grow_by_truncate(c, end);
	content_changed(c);
unlock:
	pthread_rwlock_unlock(&c->lock);
	return e;
}

enum err content_seek(struct content *c, uint64_t offset, int whence, uint64_t *out)
{
	enum err e = ERR_OK;
	uint64_t at = offset;

	pthread_rwlock_rdlock(&c->lock);
	while (!e && at < c->size) {
		uint64_t number = at / GROUP_PLAIN, data = resize_next_group(c, number);
		struct group *g;

		if (data > number) {	/* the lower file has nothing here: holes */
			if (whence == SEEK_HOLE)
				break;
			at = data == UINT64_MAX ? c->size : data * GROUP_PLAIN;
			continue;
		}
		if ((e = group_get(c, number, &g)))
			break;
		unsigned i = (unsigned)(at / PAGE_LEN % GROUP_BLOCKS);
		while (i < GROUP_BLOCKS && (g->now[i].slot != 0 || g->held_mask >> i & 1) != (whence == SEEK_DATA)) {
			at = (at / PAGE_LEN + 1) * PAGE_LEN;
			i++;
		}
		if (i < GROUP_BLOCKS)
			break;
	}
	if (!e && (offset >= c->size || (at >= c->size && whence == SEEK_DATA)))
		e = ERR_ERRNO + ENXIO;
	*out = at < c->size ? at : c->size;
	pthread_rwlock_unlock(&c->lock);
	return e;
}
