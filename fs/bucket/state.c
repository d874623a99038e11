#include "fs/bucket/state.h"

#include <string.h>
#include "base/cursor.h"
#include "base/kdf.h"
#include "base/secret.h"

#define MAGIC "rekeysta"
#define MAGIC_LEN 8u
#define FORMAT 1u
#define MAC_LEN 32u
#define MAC_AT (STATE_LEN - MAC_LEN)
/* magic, format, flags, sequence, two ids, six numbers, the root policy's hint, a count */
#define FIXED_LEN (MAGIC_LEN + 2 + 2 + 8 + 2 * UUID_LEN + 6 * 8 + STATE_HINT_LEN + 2)

_Static_assert(FIXED_LEN + STATE_PARDONS * 32u + SLOT_MAX_LEN <= MAC_AT, "the fullest state fits");

enum err state_write(const struct state *in, uint8_t out[static STATE_LEN])
{
	struct writer w = writer_over(out, MAC_AT);

	memset(out, 0, STATE_LEN);
	if (in->pardon_count > STATE_PARDONS || (in->flags & ~STATE_CLEAN))
		return ERR_INVALID;
	writer_bytes(&w, MAGIC, MAGIC_LEN);
	writer_u16(&w, FORMAT);
	writer_u16(&w, in->flags);
	writer_u64(&w, in->sequence);
	writer_bytes(&w, in->bucket_id, UUID_LEN);
	writer_bytes(&w, in->instance_id, UUID_LEN);
	writer_u64(&w, in->filesystem);
	writer_u64(&w, in->root_inode);
	writer_u64(&w, in->durable);
	writer_u64(&w, in->next_stamp);
	writer_u64(&w, (uint64_t)in->checkpoint_time);
	writer_u64(&w, in->policy_generation);
	writer_bytes(&w, in->root_hint, STATE_HINT_LEN);
	writer_u16(&w, (uint16_t)in->pardon_count);
	for (unsigned i = 0; i < in->pardon_count; i++) {
		writer_u64(&w, in->pardons[i].first);
		writer_u64(&w, in->pardons[i].last);
		writer_u64(&w, (uint64_t)in->pardons[i].from);
		writer_u64(&w, (uint64_t)in->pardons[i].to);
	}
	key_slot_write(&w, &in->names_slot);
	return w.failed ? ERR_LIMIT : ERR_OK;
}

static enum err read_pardons(struct cursor *c, struct state *out)
{
	out->pardon_count = cursor_u16(c);
	if (out->pardon_count > STATE_PARDONS)
		return ERR_FORMAT;
	for (unsigned i = 0; i < out->pardon_count; i++) {
		struct pardon *p = &out->pardons[i];

		p->first = cursor_u64(c);
		p->last = cursor_u64(c);
		p->from = (int64_t)cursor_u64(c);
		p->to = (int64_t)cursor_u64(c);
		if (p->first > p->last || p->from > p->to)
			return ERR_FORMAT;
	}
	return ERR_OK;
}

static enum err read_fields(struct cursor *c, struct state *out)
{
	const uint8_t *magic = cursor_take(c, MAGIC_LEN);

	if (!magic || memcmp(magic, MAGIC, MAGIC_LEN) != 0 || cursor_u16(c) != FORMAT)
		return ERR_FORMAT;
	out->flags = cursor_u16(c);
	out->sequence = cursor_u64(c);
	cursor_bytes(c, out->bucket_id, UUID_LEN);
	cursor_bytes(c, out->instance_id, UUID_LEN);
	out->filesystem = cursor_u64(c);
	out->root_inode = cursor_u64(c);
	out->durable = cursor_u64(c);
	out->next_stamp = cursor_u64(c);
	out->checkpoint_time = (int64_t)cursor_u64(c);
	out->policy_generation = cursor_u64(c);
	cursor_bytes(c, out->root_hint, STATE_HINT_LEN);
	/* Stamps count checkpoints: so far from the end no sum of them runs over. */
	if ((out->flags & ~STATE_CLEAN) || out->durable >= out->next_stamp || out->next_stamp > UINT64_MAX / 2)
		return ERR_FORMAT;
	return read_pardons(c, out);
}

enum err state_read(const uint8_t in[static STATE_LEN], struct state *out)
{
	struct cursor c = cursor_over(in, MAC_AT);
	enum err e;

	memset(out, 0, sizeof(*out));
	e = read_fields(&c, out);
	if (e == ERR_OK)
		e = key_slot_read(&c, &out->names_slot);
	if (e == ERR_OK)
		cursor_zeros(&c, cursor_left(&c));
	if (e != ERR_OK || c.failed)
		return ERR_FORMAT;
	return ERR_OK;
}

static void make_mac(const uint8_t *page, const uint8_t *names_key, uint8_t mac[static MAC_LEN])
{
	uint8_t key[KDF_KEY_LEN];

	kdf(names_key, KDF_STATE, NULL, key);
	kdf_mac(key, page, MAC_AT, mac, MAC_LEN);
	secret_wipe(key, sizeof(key));
}

void state_seal(uint8_t page[static STATE_LEN], const uint8_t names_key[static 32])
{
	make_mac(page, names_key, page + MAC_AT);
}

enum err state_verify(const uint8_t page[static STATE_LEN], const uint8_t names_key[static 32])
{
	uint8_t mac[MAC_LEN];

	make_mac(page, names_key, mac);
	return secret_equal(mac, page + MAC_AT, MAC_LEN) ? ERR_OK : ERR_NOT_AUTHENTIC;
}

void state_root_hint(const uint8_t bucket_id[static UUID_LEN], const char *key, uint8_t out[static STATE_HINT_LEN])
{
	uint8_t salt[KDF_KEY_LEN] = { 0 };

	memcpy(salt, bucket_id, UUID_LEN);
	kdf_mac(salt, key, strlen(key), out, STATE_HINT_LEN);
}

/* Two into the place of the first; the second is gone. */
static void merge(struct state *s, unsigned first, unsigned second)
{
	struct pardon *into = &s->pardons[first];
	const struct pardon *from = &s->pardons[second];

	into->first = from->first < into->first ? from->first : into->first;
	into->last = from->last > into->last ? from->last : into->last;
	into->from = from->from < into->from ? from->from : into->from;
	into->to = from->to > into->to ? from->to : into->to;
	memmove(&s->pardons[second], &s->pardons[second + 1], (s->pardon_count - second - 1) * sizeof(*into));
	s->pardon_count--;
}

void state_add_pardon(struct state *s, const struct pardon *p)
{
	struct pardon *last = s->pardon_count ? &s->pardons[s->pardon_count - 1] : NULL;

	/* A mount that wrote nothing and was killed pardons almost the same again. */
	if (last && p->first <= last->last && p->first >= last->first) {
		last->last = p->last > last->last ? p->last : last->last;
		last->from = p->from < last->from ? p->from : last->from;
		last->to = p->to > last->to ? p->to : last->to;
		return;
	}
	if (s->pardon_count == STATE_PARDONS)
		merge(s, 0, 1);
	s->pardons[s->pardon_count++] = *p;
}

int state_pardons_stamp(const struct state *s, uint64_t stamp)
{
	for (unsigned i = 0; i < s->pardon_count; i++)
		if (stamp >= s->pardons[i].first && stamp <= s->pardons[i].last)
			return 1;
	return 0;
}

int state_pardons_time(const struct state *s, int64_t when)
{
	for (unsigned i = 0; i < s->pardon_count; i++)
		if (when >= s->pardons[i].from && when <= s->pardons[i].to)
			return 1;
	return 0;
}
