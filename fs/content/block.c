#include <string.h>

#include "base/cursor.h"
#include "base/file_io.h"
#include "base/kdf.h"
#include "base/log.h"
#include "base/random.h"
#include "fs/content/group.h"

#define AD_LEN (16 + 16 + 8 + 4 + 2 + 1)

enum err block_cipher(const struct content *c, uint64_t group, unsigned key, struct aead **out)
{
	const struct key_slot *slot = &c->header.slots[key];
	struct kdf_fields f = { slot->suite, slot->epoch, group, c->header.bucket_id, c->header.file_id };
	uint8_t subkey[KDF_KEY_LEN];
	enum err e;

	kdf(content_key(c, key), KDF_BLOCK, &f, subkey);
	e = aead_get(slot->suite, subkey, out);
	secret_wipe(subkey, sizeof subkey);
	return e;
}

static void associated_data(const struct content *c, uint64_t number, unsigned key, size_t len, uint8_t out[static AD_LEN])
{
	struct writer w = writer_over(out, AD_LEN);

	writer_bytes(&w, c->header.bucket_id, UUID_LEN);
	writer_bytes(&w, c->header.file_id, UUID_LEN);
	writer_u64(&w, number);
	writer_u32(&w, c->header.slots[key].epoch);
	writer_u16(&w, (uint16_t)len);
	writer_u8(&w, c->header.slots[key].suite);
}

void block_seal(const struct content *c, struct aead *a, const struct group *g, unsigned block, unsigned key,
		const void *in, size_t len, void *out, struct tag_entry *entry, const uint8_t nonce[static 24])
{
	uint64_t number = g->number * GROUP_BLOCKS + block;
	uint8_t ad[AD_LEN];

	associated_data(c, number, key, len, ad);
	memcpy(entry->nonce, nonce, AEAD_NONCE_LEN);
	aead_seal(a, entry->nonce, number, ad, sizeof ad, in, len, out, entry->tag);
}

enum err block_open(const struct content *c, struct aead *a, uint64_t group, unsigned block, const struct tag_entry *entry,
		    const void *in, void *out)
{
	uint64_t number = group * GROUP_BLOCKS + block;
	uint8_t ad[AD_LEN];

	associated_data(c, number, entry->newer, entry->length, ad);
	return aead_open(a, entry->nonce, number, ad, sizeof ad, in, entry->length, entry->tag, out);
}

/* Reads and opens what `entry` says of the block. */
static enum err load_entry(struct content *c, struct group *g, unsigned block, const struct tag_entry *entry, uint8_t *out)
{
	struct aead *a;
	uint8_t cipher[PAGE_LEN];
	enum err e;

	if (entry->newer >= c->header.slot_count)
		return ERR_NOT_AUTHENTIC;
	if ((e = file_read_all(c->fd, cipher, entry->length, layout_slot(g->number, entry->slot - 1u))))
		return e == ERR_TRUNCATED ? ERR_NOT_AUTHENTIC : e;
	if ((e = block_cipher(c, g->number, entry->newer, &a)))
		return e;
	e = block_open(c, a, g->number, block, entry, cipher, out);
	aead_put(a);
	return e;
}

enum err block_verify(struct content *c, struct group *g, unsigned block)
{
	uint8_t data[PAGE_LEN];

	return load_entry(c, g, block, &g->now[block], data);
}

enum err block_load(struct content *c, struct group *g, unsigned block, uint8_t out[static PAGE_LEN], size_t *len_out)
{
	const struct tag_entry *entry = &g->now[block];
	enum err e = ERR_OK;

	*len_out = 0;
	if (g->held_mask >> block & 1) {
		memcpy(out, g->held[block].data, g->held[block].len);
		*len_out = g->held[block].len;
		return ERR_OK;
	}
	if (!entry->slot) {
		/* A hole: of a sparse file, or what was never synced. */
		if (c->header.flags & HEADER_SPARSE || g->young || (g->absent && c->suspect))
			return ERR_OK;
		e = ERR_NOT_AUTHENTIC;
	} else if (!(e = load_entry(c, g, block, entry, out))) {
		*len_out = entry->length;
		return ERR_OK;
	}
	if (e == ERR_NOT_AUTHENTIC && entry->slot && g->young) {
		const struct tag_entry *old = g->older ? &g->older[block] : NULL;

		if (!old || !old->slot || !entry->keep)
			return ERR_OK;
		if (!(e = load_entry(c, g, block, old, out))) {
			*len_out = old->length < entry->keep ? old->length : entry->keep;
			return ERR_OK;
		}
	}
	if (e == ERR_NOT_AUTHENTIC) {
		char id[UUID_TEXT_LEN + 1];

		uuid_text(c->header.file_id, id);
		log_error("file %s: block %llu is not authentic", id, (unsigned long long)(g->number * GROUP_BLOCKS + block));
	}
	return e;
}

enum err block_put(struct content *c, struct group *g, unsigned block, const void *data, size_t len)
{
	unsigned key = content_newest(c);
	uint8_t cipher[PAGE_LEN], nonce[AEAD_NONCE_LEN];
	struct tag_entry entry = { 0 };
	struct aead *a;
	enum err e;

	int slot = g->in_place ? -1 : group_slot(c, g, block);
	if (slot < 0)
		return ERR_BUSY;
	if ((e = block_cipher(c, g->number, key, &a)))
		return e;
	random_bytes(nonce, sizeof nonce);
	block_seal(c, a, g, block, key, data, len, cipher, &entry, nonce);
	aead_put(a);
	uint64_t at = layout_slot(g->number, (unsigned)slot);
	if ((e = file_write(c->fd, cipher, len, at)))
		return e;
	memcpy(g->now[block].nonce, entry.nonce, sizeof entry.nonce);
	memcpy(g->now[block].tag, entry.tag, sizeof entry.tag);
	group_set(g, block, slot, key, (unsigned)len);
	content_changed(c);
	if (at + len > c->lower_size)
		c->lower_size = at + len;
	return ERR_OK;
}
