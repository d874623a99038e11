#include <string.h>

#include "base/cursor.h"
#include "fs/format/tag_page.h"

#define MAGIC "rekeyfs\1"
#define MAGIC_LEN 8
#define FLAG_NEWER 1u

static enum err entry_read(struct cursor *c, struct tag_entry *out, uint64_t used[static 2])
{
	cursor_bytes(c, out->nonce, sizeof out->nonce);
	cursor_bytes(c, out->tag, sizeof out->tag);
	out->slot = cursor_u8(c);
	unsigned flags = cursor_u8(c);
	out->newer = flags & FLAG_NEWER;
	out->length = cursor_u16(c);
	out->keep = cursor_u16(c);
	if (cursor_u16(c) || flags & ~FLAG_NEWER || out->keep > PAGE_LEN)
		return ERR_FORMAT;
	if (!out->slot) {	/* a hole: all zero */
		static const uint8_t zeros[sizeof out->nonce];
		if (out->length || flags || memcmp(out->nonce, zeros, sizeof out->nonce) ||
		    memcmp(out->tag, zeros, sizeof out->tag) || out->keep)
			return ERR_FORMAT;
		return ERR_OK;
	}
	if (out->slot > GROUP_SLOTS || !out->length || out->length > PAGE_LEN)
		return ERR_FORMAT;
	unsigned slot = out->slot - 1u;
	uint64_t bit = (uint64_t)1 << slot % 64;
	if (used[slot / 64] & bit)	/* two entries never name one slot */
		return ERR_FORMAT;
	used[slot / 64] |= bit;
	return ERR_OK;
}

static enum err header_read(struct cursor *c, struct file_header *out)
{
	const uint8_t *magic = cursor_take(c, MAGIC_LEN);
	unsigned format = cursor_u16(c);
	enum err e;

	memset(out, 0, sizeof *out);
	out->type = cursor_u8(c);
	out->slot_count = cursor_u8(c);
	out->flags = cursor_u32(c);
	cursor_bytes(c, out->bucket_id, UUID_LEN);
	cursor_bytes(c, out->file_id, UUID_LEN);
	if (c->failed || memcmp(magic, MAGIC, MAGIC_LEN))
		return ERR_FORMAT;
	if (format != HEADER_FORMAT || out->type != NODE_FILE || out->slot_count < 1 || out->slot_count > 2 ||
	    out->flags & ~HEADER_SPARSE)
		return ERR_FORMAT;
	for (unsigned i = 0; i < out->slot_count; i++)
		if ((e = key_slot_read(c, &out->slots[i])))
			return ERR_FORMAT;
	if (out->slot_count == 2 && out->slots[0].epoch >= out->slots[1].epoch)
		return ERR_FORMAT;
	return ERR_OK;
}

/* The 64 bytes of fields; `header_len` tells how long the header behind them is. */
static enum err fields_read(struct cursor *c, uint64_t group, struct tag_page *out, size_t *header_len)
{
	out->generation = cursor_u64(c);
	out->group = cursor_u64(c);
	out->size = cursor_u64(c);
	out->stamp = cursor_u64(c);
	out->encryptions = cursor_u32(c);
	out->epoch_a = cursor_u32(c);
	out->epoch_b = cursor_u32(c);
	*header_len = cursor_u16(c);
	unsigned reserved = cursor_u16(c);
	cursor_bytes(c, out->file_id, UUID_LEN);
	if (c->failed || reserved || out->group != group || !out->generation || !out->epoch_a ||
	    (out->epoch_b && out->epoch_b <= out->epoch_a) || out->size > PLAIN_MAX || (group && out->size) ||
	    *header_len > TAG_HEADER_MAX || !group != !!*header_len)
		return ERR_FORMAT;
	return ERR_OK;
}

static int all_zero(const uint8_t *bytes, size_t len)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, len - 1);
}

/* Fields and header, which need no look at the entries. */
static enum err head_read(const uint8_t page[static PAGE_LEN], uint64_t group, struct tag_page *out)
{
	struct cursor c = cursor_over(page + TAG_FIELDS_AT, TAG_HEADER_AT - TAG_FIELDS_AT);
	size_t header_len;
	enum err e = fields_read(&c, group, out, &header_len);

	if (e)
		return all_zero(page, PAGE_LEN) ? ERR_NOT_FOUND : e;
	out->has_header = !group;
	if (out->has_header) {
		c = cursor_over(page + TAG_HEADER_AT, header_len);
		if ((e = header_read(&c, &out->header)))
			return e;
		if (cursor_left(&c) || memcmp(out->header.file_id, out->file_id, UUID_LEN))
			return ERR_FORMAT;
	}
	c = cursor_over(page + TAG_HEADER_AT + header_len, TAG_HEADER_MAX - header_len);
	return cursor_zeros(&c, TAG_HEADER_MAX - header_len) ? ERR_OK : ERR_FORMAT;
}

enum err tag_page_read(const uint8_t page[static PAGE_LEN], uint64_t group, struct tag_page *out)
{
	uint64_t used[2] = { 0, 0 };
	enum err e;

	memset(out, 0, sizeof *out);
	if ((e = head_read(page, group, out)))
		return e;
	struct cursor c = cursor_over(page, TAG_FIELDS_AT);
	for (unsigned i = 0; i < GROUP_BLOCKS; i++) {
		if ((e = entry_read(&c, &out->entries[i], used)))
			return e;
		if (out->entries[i].newer && !out->epoch_b)
			return ERR_FORMAT;
	}
	return c.failed ? ERR_TRUNCATED : ERR_OK;
}

enum err tag_page_read_header(const uint8_t page[static PAGE_LEN], struct file_header *out, uint64_t *generation_out)
{
	struct tag_page head;
	enum err e;

	memset(&head, 0, sizeof head);
	if ((e = head_read(page, 0, &head)))
		return e;
	*out = head.header;
	*generation_out = head.generation;
	return ERR_OK;
}

static void header_write(struct writer *w, const struct file_header *h)
{
	writer_bytes(w, MAGIC, MAGIC_LEN);
	writer_u16(w, HEADER_FORMAT);
	writer_u8(w, h->type);
	writer_u8(w, (uint8_t)h->slot_count);
	writer_u32(w, h->flags);
	writer_bytes(w, h->bucket_id, UUID_LEN);
	writer_bytes(w, h->file_id, UUID_LEN);
	for (unsigned i = 0; i < h->slot_count; i++)
		key_slot_write(w, &h->slots[i]);
}

static void entry_write(struct writer *w, const struct tag_entry *e)
{
	writer_bytes(w, e->nonce, sizeof e->nonce);
	writer_bytes(w, e->tag, sizeof e->tag);
	writer_u8(w, e->slot);
	writer_u8(w, e->newer ? FLAG_NEWER : 0);
	writer_u16(w, e->length);
	writer_u16(w, e->keep);
	writer_u16(w, 0);
}

enum err tag_page_write(const struct tag_page *in, uint8_t page[static PAGE_LEN])
{
	struct writer w = writer_over(page, TAG_FIELDS_AT);
	struct writer h = writer_over(page + TAG_HEADER_AT, TAG_HEADER_MAX);

	memset(page + TAG_FIELDS_AT, 0, PAGE_LEN - TAG_FIELDS_AT);
	for (unsigned i = 0; i < GROUP_BLOCKS; i++)
		entry_write(&w, &in->entries[i]);
	if (in->has_header)
		header_write(&h, &in->header);
	if (h.failed)
		return ERR_LIMIT;
	w = writer_over(page + TAG_FIELDS_AT, TAG_HEADER_AT - TAG_FIELDS_AT);
	writer_u64(&w, in->generation);
	writer_u64(&w, in->group);
	writer_u64(&w, in->size);
	writer_u64(&w, in->stamp);
	writer_u32(&w, in->encryptions);
	writer_u32(&w, in->epoch_a);
	writer_u32(&w, in->epoch_b);
	writer_u16(&w, (uint16_t)writer_len(&h));
	writer_u16(&w, 0);
	writer_bytes(&w, in->file_id, UUID_LEN);
	return w.failed ? ERR_LIMIT : ERR_OK;
}
