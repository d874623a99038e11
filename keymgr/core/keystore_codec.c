/* The keystore file, byte by byte: KEYSTORE.md, "The keystore file". */
#include <stdlib.h>
#include <string.h>
#include "base/kdf.h"
#include "keymgr/core/key_name.h"
#include "keymgr/core/keystore.h"

#define MAGIC "rekeykst"
#define MAGIC_LEN 8
#define HEAD_FIXED_LEN (MAGIC_LEN + 2 + 2 + UUID_LEN + 8 + 4 + 2 + 2)
#define BODY_FIXED_LEN (8 + 1 + 3 + PAST_WRAP_LEN + 4 + 4 + 4)
#define ALIAS_FIXED_LEN (2 + KEY_ID_LEN + 8 + 8)
#define BUCKET_FIXED_LEN (2 * UUID_LEN + 8 + 8 + 8 + 1 + 1 + 2)
#define PATH_LEN_MAX 4095

static size_t head_len(const struct keystore *s)
{
	size_t len = HEAD_FIXED_LEN + (size_t)s->epoch * ROOT_LINK_LEN;

	for (size_t i = 0; i < s->protector_count; i++)
		len += protector_record_len(&s->protectors[i]);
	return len;
}

static size_t body_len(const struct keystore *s)
{
	size_t len = BODY_FIXED_LEN + (size_t)(s->epoch - 1) * (32 + PAST_WRAP_LEN);

	for (size_t i = 0; i < s->cmk_count; i++)
		len += cmk_record_len(s->cmks[i]);
	for (size_t i = 0; i < s->alias_count; i++)
		len += ALIAS_FIXED_LEN + strlen(s->aliases[i].name);
	for (size_t i = 0; i < s->bucket_count; i++)
		len += BUCKET_FIXED_LEN + strlen(s->buckets[i].path);
	return len;
}

static void write_head(const struct keystore *s, struct writer *w)
{
	writer_bytes(w, MAGIC, MAGIC_LEN);
	writer_u16(w, KEYSTORE_FORMAT);
	writer_u16(w, 0);
	writer_bytes(w, s->id, sizeof(s->id));
	writer_u64(w, s->generation);
	writer_u32(w, s->epoch);
	writer_u16(w, (uint16_t)s->protector_count);
	writer_u16(w, 0);
	for (uint32_t i = 0; i < s->epoch; i++) {
		writer_bytes(w, s->links[i].public_key, sizeof(s->links[i].public_key));
		writer_bytes(w, s->links[i].signature, sizeof(s->links[i].signature));
	}
	for (size_t i = 0; i < s->protector_count; i++)
		protector_write(&s->protectors[i], w);
}

static void write_bucket(const struct registration *r, struct writer *w)
{
	writer_bytes(w, r->bucket_id, UUID_LEN);
	writer_bytes(w, r->instance_id, UUID_LEN);
	writer_u64(w, r->filesystem);
	writer_u64(w, r->root_inode);
	writer_u64(w, (uint64_t)r->registered);
	writer_u8(w, r->replica ? 1 : 0);
	writer_u8(w, 0);
	writer_u16(w, (uint16_t)strlen(r->path));
	writer_bytes(w, r->path, strlen(r->path));
}

static void write_body(const struct keystore *s, struct writer *w)
{
	writer_u64(w, s->ledger_sequence);
	writer_u8(w, s->has_handover ? 1 : 0);
	writer_zeros(w, 3);
	if (s->has_handover)
		writer_bytes(w, s->handover, sizeof(s->handover));
	else
		writer_zeros(w, sizeof(s->handover));
	writer_u32(w, (uint32_t)s->cmk_count);
	writer_u32(w, (uint32_t)s->alias_count);
	writer_u32(w, (uint32_t)s->bucket_count);
	for (uint32_t i = 0; i + 1 < s->epoch; i++) {
		writer_bytes(w, s->past[i].proof_public, sizeof(s->past[i].proof_public));
		writer_bytes(w, s->past[i].audit_wrap, sizeof(s->past[i].audit_wrap));
	}
	for (size_t i = 0; i < s->cmk_count; i++)
		cmk_write(s->cmks[i], w);
	for (size_t i = 0; i < s->alias_count; i++) {
		const struct alias_entry *a = &s->aliases[i];

		writer_u16(w, (uint16_t)strlen(a->name));
		writer_bytes(w, a->name, strlen(a->name));
		writer_bytes(w, a->key_id, sizeof(a->key_id));
		writer_u64(w, (uint64_t)a->created);
		writer_u64(w, (uint64_t)a->updated);
	}
	for (size_t i = 0; i < s->bucket_count; i++)
		write_bucket(&s->buckets[i], w);
}

enum err keystore_write(const struct keystore *s, const uint8_t root[static ROOT_KEY_LEN], uint8_t **out, size_t *len_out)
{
	size_t head = head_len(s), body = body_len(s);
	uint8_t *bytes = NULL, *plain = NULL, key[KDF_KEY_LEN];
	struct writer w;
	enum err e = ERR_OK;

	*out = NULL;
	if (head + body + AEAD_WRAP_OVERHEAD > KEYSTORE_MAX)
		return err_set(ERR_LIMIT, "the keystore would exceed %u MiB", KEYSTORE_MAX >> 20);
	bytes = malloc(head + body + AEAD_WRAP_OVERHEAD);
	plain = malloc(body);
	if (!bytes || !plain) {
		e = ERR_NO_MEMORY;
		goto out;
	}
	w = writer_over(bytes, head);
	write_head(s, &w);
	if (w.failed || writer_len(&w) != head) {
		e = ERR_INTERNAL;
		goto out;
	}
	w = writer_over(plain, body);
	write_body(s, &w);
	if (w.failed || writer_len(&w) != body) {
		e = ERR_INTERNAL;
		goto out;
	}
	kdf(root, KDF_KEYSTORE, NULL, key);
	aead_wrap(key, bytes, head, plain, body, bytes + head);
	secret_wipe(key, sizeof(key));
	*out = bytes;
	*len_out = head + body + AEAD_WRAP_OVERHEAD;
	bytes = NULL;
out:
	free(bytes);
	free(plain);
	return e;
}

static enum err read_protectors(struct keystore *s, struct cursor *c, uint16_t count)
{
	enum err e = ERR_OK;

	s->protectors = calloc(count, sizeof(*s->protectors));
	if (!s->protectors)
		return ERR_NO_MEMORY;
	while (e == ERR_OK && s->protector_count < count) {
		struct protector *p = &s->protectors[s->protector_count];

		e = protector_read(c, p);
		if (e == ERR_OK && (keystore_find_protector(s, p->id) || p->root_epoch < 1 || p->root_epoch > s->epoch))
			e = ERR_FORMAT;
		if (e == ERR_OK)
			s->protector_count++;
	}
	return e;
}

enum err keystore_read_head(struct keystore *s, const uint8_t *bytes, size_t len, size_t *head_len_out)
{
	struct cursor c = cursor_over(bytes, len);
	const uint8_t *magic = cursor_take(&c, MAGIC_LEN);
	uint16_t format = cursor_u16(&c), count;

	if (!magic || memcmp(magic, MAGIC, MAGIC_LEN) != 0)
		return err_set(ERR_FORMAT, "this is no keystore");
	if (format != KEYSTORE_FORMAT)
		return err_set(ERR_FORMAT, "the keystore has format %u, this version reads %d", format, KEYSTORE_FORMAT);
	cursor_zeros(&c, 2);
	cursor_bytes(&c, s->id, sizeof(s->id));
	s->generation = cursor_u64(&c);
	s->epoch = cursor_u32(&c);
	count = cursor_u16(&c);
	cursor_zeros(&c, 2);
	if (c.failed || s->generation == 0 || s->epoch == 0 || s->epoch > KEYSTORE_ROOTS_MAX || count == 0 ||
	    count > KEYSTORE_PROTECTORS_MAX || s->epoch > cursor_left(&c) / ROOT_LINK_LEN) {
		s->epoch = 0;
		return ERR_FORMAT;
	}
	s->links = calloc(s->epoch, sizeof(*s->links));
	if (!s->links)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < s->epoch; i++) {
		cursor_bytes(&c, s->links[i].public_key, sizeof(s->links[i].public_key));
		cursor_bytes(&c, s->links[i].signature, sizeof(s->links[i].signature));
	}
	*head_len_out = len;
	enum err e = read_protectors(s, &c, count);
	if (e == ERR_OK && (c.failed || cursor_left(&c) < AEAD_WRAP_OVERHEAD + BODY_FIXED_LEN))
		e = ERR_FORMAT;
	*head_len_out = len - cursor_left(&c);
	return e;
}

static enum err read_past(struct keystore *s, struct cursor *c)
{
	uint32_t count = s->epoch - 1;

	if (count == 0)
		return ERR_OK;
	if (count > cursor_left(c) / (32 + PAST_WRAP_LEN))
		return ERR_FORMAT;
	s->past = calloc(count, sizeof(*s->past));
	if (!s->past)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < count; i++) {
		cursor_bytes(c, s->past[i].proof_public, sizeof(s->past[i].proof_public));
		cursor_bytes(c, s->past[i].audit_wrap, sizeof(s->past[i].audit_wrap));
	}
	return ERR_OK;
}

static enum err read_cmks(struct keystore *s, struct cursor *c, uint32_t count)
{
	struct cmk *cmk;
	enum err e = ERR_OK;

	for (uint32_t i = 0; e == ERR_OK && i < count; i++) {
		e = cmk_read(c, &cmk);
		if (e == ERR_OK)
			e = keystore_add_cmk(s, cmk);
	}
	return e == ERR_EXISTS || e == ERR_LIMIT_EXCEEDED ? ERR_FORMAT : e;
}

/* One text of `len` bytes without a NUL, copied to `out` of `room` bytes. */
static int read_text(struct cursor *c, size_t len, char *out, size_t room)
{
	const uint8_t *text = len < room ? cursor_take(c, len) : NULL;

	if (!text || memchr(text, 0, len))
		return 0;
	memcpy(out, text, len);
	out[len] = 0;
	return 1;
}

static enum err read_aliases(struct keystore *s, struct cursor *c, uint32_t count)
{
	if (count > KEYSTORE_ALIASES_MAX || count > cursor_left(c) / ALIAS_FIXED_LEN)
		return ERR_FORMAT;
	s->aliases = calloc(count ? count : 1, sizeof(*s->aliases));
	if (!s->aliases)
		return ERR_NO_MEMORY;
	s->alias_room = count ? count : 1;
	for (; s->alias_count < count; s->alias_count++) {
		struct alias_entry *a = &s->aliases[s->alias_count];

		if (!read_text(c, cursor_u16(c), a->name, sizeof(a->name)))
			return ERR_FORMAT;
		cursor_bytes(c, a->key_id, sizeof(a->key_id));
		a->created = (int64_t)cursor_u64(c);
		a->updated = (int64_t)cursor_u64(c);
		if (c->failed || !alias_name_valid(a->name) || !keystore_find_cmk(s, a->key_id) ||
		    (s->alias_count > 0 && strcmp(a[-1].name, a->name) >= 0))
			return ERR_FORMAT;
	}
	return keystore_index_aliases(s);
}

static enum err read_buckets(struct keystore *s, struct cursor *c, uint32_t count)
{
	char path[PATH_LEN_MAX + 1];
	struct registration r;
	enum err e = ERR_OK;
	uint8_t flags;

	for (uint32_t i = 0; e == ERR_OK && i < count; i++) {
		r = (struct registration){ .path = path };
		cursor_bytes(c, r.bucket_id, UUID_LEN);
		cursor_bytes(c, r.instance_id, UUID_LEN);
		r.filesystem = cursor_u64(c);
		r.root_inode = cursor_u64(c);
		r.registered = (int64_t)cursor_u64(c);
		flags = cursor_u8(c);
		r.replica = flags & 1;
		cursor_zeros(c, 1);
		if (!read_text(c, cursor_u16(c), path, sizeof(path)) || c->failed || flags > 1 ||
		    keystore_find_instance(s, r.instance_id))
			return ERR_FORMAT;
		e = keystore_add_bucket(s, &r);
	}
	return e == ERR_LIMIT_EXCEEDED ? ERR_FORMAT : e;
}

static enum err read_plain(struct keystore *s, const uint8_t *plain, size_t len)
{
	struct cursor c = cursor_over(plain, len);
	uint32_t cmks, aliases, buckets;
	uint8_t handover;
	enum err e;

	s->ledger_sequence = cursor_u64(&c);
	handover = cursor_u8(&c);
	s->has_handover = handover;
	cursor_zeros(&c, 3);
	if (handover)
		cursor_bytes(&c, s->handover, sizeof(s->handover));
	else
		cursor_zeros(&c, sizeof(s->handover));
	cmks = cursor_u32(&c);
	aliases = cursor_u32(&c);
	buckets = cursor_u32(&c);
	if (c.failed || handover > 1)
		return ERR_FORMAT;
	e = read_past(s, &c);
	if (e == ERR_OK)
		e = read_cmks(s, &c, cmks);
	if (e == ERR_OK)
		e = read_aliases(s, &c, aliases);
	if (e == ERR_OK)
		e = read_buckets(s, &c, buckets);
	if (e == ERR_OK && (c.failed || cursor_left(&c) > 0))
		e = ERR_FORMAT;
	return e;
}

enum err keystore_read_body(struct keystore *s, const uint8_t root[static ROOT_KEY_LEN],
			    const uint8_t *bytes, size_t len, size_t head)
{
	uint8_t key[KDF_KEY_LEN], *plain;
	size_t plain_len;
	enum err e;

	if (len < head || len - head < AEAD_WRAP_OVERHEAD)
		return ERR_TRUNCATED;
	plain_len = len - head - AEAD_WRAP_OVERHEAD;
	plain = malloc(plain_len ? plain_len : 1);
	if (!plain)
		return ERR_NO_MEMORY;
	kdf(root, KDF_KEYSTORE, NULL, key);
	e = aead_unwrap(key, bytes, head, bytes + head, len - head, plain);
	secret_wipe(key, sizeof(key));
	if (e == ERR_OK)
		e = read_plain(s, plain, plain_len);
	free(plain);
	return e;
}
