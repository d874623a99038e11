#include <string.h>
#include <sys/stat.h>

#include "base/file_io.h"
#include "base/log.h"
#include "fs/content/group.h"

void content_get_keys(struct content *c, struct content_keys *out)
{
	memset(out, 0, sizeof *out);
	pthread_rwlock_rdlock(&c->lock);
	memcpy(out->file_id, c->header.file_id, UUID_LEN);
	out->count = c->header.slot_count;
	for (unsigned i = 0; i < out->count; i++) {
		memcpy(out->refs[i].key_id, c->header.slots[i].key_id, KEY_ID_LEN);
		memcpy(out->refs[i].material_id, c->header.slots[i].material_id, MATERIAL_ID_LEN);
		out->epochs[i] = c->header.slots[i].epoch;
	}
	out->suite = c->header.slots[content_newest(c)].suite;
	pthread_rwlock_unlock(&c->lock);
}

enum err content_lock(struct content *c)
{
	enum err e = ERR_OK;

	content_lock_quiet(c);
	if (c->keys) {
		if (!c->read_only && !c->failed)
			e = hold_drain(c);
		if (!e && !c->read_only && !c->failed)
			e = sync_settled(c);
		group_forget(c, 1);	/* tag pages tell nothing, but are of no use now */
		secret_free(c->keys);
		c->keys = NULL;
	}
	pthread_rwlock_unlock(&c->lock);
	return e;
}

enum err content_unlock(struct content *c)
{
	enum err e = ERR_OK;

	content_lock_quiet(c);
	if (!c->keys && !(e = secret_new(64, &c->keys))) {
		for (unsigned i = 0; i < c->header.slot_count && !e; i++)
			e = key_ring_unwrap(c->b->ring, WRAP_FILE_KEY, c->header.file_id, &c->header.slots[i], c->keys->bytes + 32 * i);
		if (e) {
			secret_free(c->keys);
			c->keys = NULL;
		}
	}
	pthread_rwlock_unlock(&c->lock);
	return e;
}

/* --- without opening ------------------------------------------------------------------------- */

enum err content_view(int fd, struct header_view out[static 2], unsigned *count_out, uint64_t *size_out)
{
	uint8_t page[PAGE_LEN];
	unsigned count = 0;
	size_t got;
	enum err e, bad = ERR_OK;

	*count_out = 0;
	for (int copy = COPY_A; copy <= COPY_B; copy++) {
		if ((e = file_read(fd, page, sizeof page, layout_tag_page(0, copy), &got)))
			return e;
		if (got < sizeof page)
			continue;
		e = tag_page_read_header(page, &out[count].header, &out[count].generation);
		if (!e)
			count++;
		else if (e != ERR_NOT_FOUND)
			bad = e;
	}
	if (count == 2 && out[1].generation > out[0].generation) {
		struct header_view first = out[0];

		out[0] = out[1];
		out[1] = first;
	}
	struct stat st;
	if (fstat(fd, &st))
		return err_errno();
	*size_out = layout_plain_size((uint64_t)st.st_size);
	*count_out = count;
	return count ? ERR_OK : bad;
}

enum err content_suspect_size(struct bucket *b, int fd, uint64_t *size_out)
{
	struct content *c;
	enum err e = content_open(b, fd, 1, NULL, &c);

	*size_out = 0;
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e)
		return e;
	*size_out = content_size(c);
	content_free(c);
	return ERR_OK;
}
