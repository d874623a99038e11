#include <string.h>

#include "fs/format/key_slot.h"

void key_slot_write(struct writer *w, const struct key_slot *slot)
{
	writer_bytes(w, slot->key_id, sizeof slot->key_id);
	writer_bytes(w, slot->material_id, sizeof slot->material_id);
	writer_u8(w, slot->suite);
	writer_u8(w, 0);
	writer_u32(w, slot->epoch);
	writer_u16(w, slot->blob_len);
	writer_bytes(w, slot->wrapped, sizeof slot->wrapped);
	writer_bytes(w, slot->check, sizeof slot->check);
	writer_bytes(w, slot->blob, slot->blob_len);
}

enum err key_slot_read(struct cursor *c, struct key_slot *out)
{
	memset(out, 0, sizeof *out);
	cursor_bytes(c, out->key_id, sizeof out->key_id);
	cursor_bytes(c, out->material_id, sizeof out->material_id);
	out->suite = cursor_u8(c);
	int reserved = cursor_u8(c);
	out->epoch = cursor_u32(c);
	out->blob_len = cursor_u16(c);
	cursor_bytes(c, out->wrapped, sizeof out->wrapped);
	cursor_bytes(c, out->check, sizeof out->check);
	if (c->failed)
		return ERR_TRUNCATED;
	if (reserved || !out->epoch || !out->blob_len || out->blob_len > SLOT_BLOB_MAX)
		return ERR_FORMAT;
	cursor_bytes(c, out->blob, out->blob_len);
	return c->failed ? ERR_TRUNCATED : ERR_OK;
}
