#include "fs/policy/policy_file.h"

#include <stdlib.h>
#include <string.h>
#include "base/aead.h"
#include "base/cursor.h"
#include "base/kdf.h"
#include "base/random.h"
#include "base/secret.h"

#define MAGIC "rekeypol"
#define MAGIC_LEN 8u
#define FORMAT 1u
#define CLEAR_LEN (MAGIC_LEN + 2 + 2 + 8)
#define NONCE_AT CLEAR_LEN
#define TAG_AT (NONCE_AT + AEAD_NONCE_LEN)
#define TEXT_AT (TAG_AT + AEAD_TAG_LEN)
#define PAD 4096u
#define POLICY_FIXED (UUID_LEN + 3u + 2u)

_Static_assert(TEXT_AT + (UUID_LEN + 4) + POLICY_COUNT_MAX * (POLICY_FIXED + POLICY_KEY_MAX) + PAD <= POLICY_FILE_MAX, "the fullest table fits");

void policy_list_release(struct policy_list *l)
{
	free(l->policies);
	memset(l, 0, sizeof(*l));
}

size_t policy_list_find(const struct policy_list *l, const uint8_t dir_id[static UUID_LEN], int *found_out)
{
	size_t low = 0, high = l->count;

	*found_out = 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(dir_id, l->policies[middle].dir_id, UUID_LEN);

		if (order == 0) {
			*found_out = 1;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The cipher and the associated data: bucket id and the clear bytes. */
static enum err get_cipher(const uint8_t *names_key, const uint8_t *bucket_id, const uint8_t *clear,
			   struct aead **cipher_out, uint8_t ad[static UUID_LEN + CLEAR_LEN])
{
	const struct kdf_fields fields = { .a = bucket_id };
	uint8_t key[KDF_KEY_LEN];
	enum err e;

	memcpy(ad, bucket_id, UUID_LEN);
	memcpy(ad + UUID_LEN, clear, CLEAR_LEN);
	kdf(names_key, KDF_POLICY, &fields, key);
	e = aead_get(AEAD_XCHACHA20_POLY1305, key, cipher_out);
	secret_wipe(key, sizeof(key));
	return e;
}

static void write_text(struct writer *w, const struct policy_list *in)
{
	writer_bytes(w, in->root_dir_id, UUID_LEN);
	writer_u32(w, (uint32_t)in->count);
	for (size_t i = 0; i < in->count; i++) {
		const struct policy *p = &in->policies[i];
		size_t key_len = strlen(p->key);

		writer_bytes(w, p->dir_id, UUID_LEN);
		writer_u8(w, (uint8_t)p->on_rename);
		writer_u8(w, (uint8_t)p->enforce);
		writer_u8(w, (uint8_t)p->after_rotation);
		writer_u16(w, (uint16_t)key_len);
		writer_bytes(w, p->key, key_len);
	}
}

static size_t padded_text_len(const struct policy_list *in)
{
	size_t len = UUID_LEN + 4;

	for (size_t i = 0; i < in->count; i++)
		len += POLICY_FIXED + strlen(in->policies[i].key);
	return (len + PAD - 1) / PAD * PAD;
}

enum err policy_file_seal(const struct policy_list *in, const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN],
			  uint8_t **out, size_t *len_out)
{
	size_t text_len = padded_text_len(in), len = TEXT_AT + text_len;
	uint8_t ad[UUID_LEN + CLEAR_LEN];
	uint8_t *bytes = calloc(1, len);
	struct aead *cipher;
	struct writer w;
	enum err e;

	*out = NULL;
	*len_out = 0;
	if (!bytes)
		return ERR_NO_MEMORY;
	w = writer_over(bytes, len);
	writer_bytes(&w, MAGIC, MAGIC_LEN);
	writer_u16(&w, FORMAT);
	writer_u16(&w, 0);
	writer_u64(&w, in->generation);
	random_bytes(bytes + NONCE_AT, AEAD_NONCE_LEN);
	w = writer_over(bytes + TEXT_AT, text_len);
	write_text(&w, in);
	e = w.failed ? ERR_INTERNAL : get_cipher(names_key, bucket_id, bytes, &cipher, ad);
	if (e != ERR_OK) {
		free(bytes);
		return e;
	}
	aead_seal(cipher, bytes + NONCE_AT, 0, ad, sizeof(ad), bytes + TEXT_AT, text_len, bytes + TEXT_AT, bytes + TAG_AT);
	aead_put(cipher);
	*out = bytes;
	*len_out = len;
	return ERR_OK;
}

static enum err read_policy(struct cursor *c, struct policy *out)
{
	uint8_t on_rename, enforce, after_rotation;
	uint16_t key_len;

	memset(out, 0, sizeof(*out));
	cursor_bytes(c, out->dir_id, UUID_LEN);
	on_rename = cursor_u8(c);
	enforce = cursor_u8(c);
	after_rotation = cursor_u8(c);
	key_len = cursor_u16(c);
	if (on_rename > ON_RENAME_KEEP || enforce > ENFORCE_DENY || after_rotation > AFTER_ROTATION_REENCRYPT ||
	    key_len == 0 || key_len > POLICY_KEY_MAX)
		return ERR_FORMAT;
	out->on_rename = on_rename;
	out->enforce = enforce;
	out->after_rotation = after_rotation;
	cursor_bytes(c, out->key, key_len);
	if (c->failed || memchr(out->key, 0, key_len))
		return ERR_FORMAT;
	return ERR_OK;
}

static enum err read_text(const uint8_t *text, size_t len, struct policy_list *out)
{
	struct cursor c = cursor_over(text, len);
	enum err e = ERR_OK;
	uint32_t count;
	int found;

	cursor_bytes(&c, out->root_dir_id, UUID_LEN);
	count = cursor_u32(&c);
	if (c.failed || count == 0 || count > POLICY_COUNT_MAX || count > cursor_left(&c) / POLICY_FIXED)
		return ERR_FORMAT;
	out->policies = calloc(count, sizeof(*out->policies));
	if (!out->policies)
		return ERR_NO_MEMORY;
	out->room = count;
	while (e == ERR_OK && out->count < count) {
		struct policy *p = &out->policies[out->count];

		e = read_policy(&c, p);
		if (e == ERR_OK && out->count > 0 && memcmp(p[-1].dir_id, p->dir_id, UUID_LEN) >= 0)
			e = ERR_FORMAT;
		out->count++;
	}
	if (e != ERR_OK)
		return e;
	policy_list_find(out, out->root_dir_id, &found);
	if (!found || cursor_left(&c) >= PAD || !cursor_zeros(&c, cursor_left(&c)))
		return ERR_FORMAT;
	return ERR_OK;
}

enum err policy_file_open(const uint8_t *in, size_t len, const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN],
			  struct policy_list *out)
{
	struct cursor c = cursor_over(in, len);
	const uint8_t *magic = cursor_take(&c, MAGIC_LEN);
	uint8_t ad[UUID_LEN + CLEAR_LEN], *text;
	struct aead *cipher;
	size_t text_len;
	enum err e;

	memset(out, 0, sizeof(*out));
	if (!magic || memcmp(magic, MAGIC, MAGIC_LEN) != 0 || cursor_u16(&c) != FORMAT || cursor_u16(&c) != 0)
		return ERR_FORMAT;
	out->generation = cursor_u64(&c);
	if (len < TEXT_AT + PAD || len > POLICY_FILE_MAX || (len - TEXT_AT) % PAD)
		return ERR_FORMAT;
	text_len = len - TEXT_AT;
	text = malloc(text_len);
	if (!text)
		return ERR_NO_MEMORY;
	e = get_cipher(names_key, bucket_id, in, &cipher, ad);
	if (e == ERR_OK) {
		e = aead_open(cipher, in + NONCE_AT, 0, ad, sizeof(ad), in + TEXT_AT, text_len, in + TAG_AT, text);
		aead_put(cipher);
	}
	if (e == ERR_OK)
		e = read_text(text, text_len, out);
	if (e != ERR_OK)
		policy_list_release(out);
	free(text);
	return e;
}
