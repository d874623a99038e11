#include "fs/names/sealed_xattr.h"

#include <string.h>
#include "base/aead.h"
#include "base/bytes.h"
#include "base/cursor.h"
#include "base/kdf.h"
#include "base/random.h"
#include "base/secret.h"

#define VERSION 1u
#define HASH_LEN 24u
#define HASH_TEXT BASE64URL_LEN(HASH_LEN)
#define NAME_MAX_LEN 255u
#define NONCE_AT (1 + 4)
#define TAG_AT (NONCE_AT + AEAD_NONCE_LEN)
#define TEXT_AT (TAG_AT + AEAD_TAG_LEN)
#define AD_MAX (2 * UUID_LEN + 4 + XATTR_LOWER_MAX)

_Static_assert(TEXT_AT + 1 == XATTR_SEALED_OVERHEAD, "version, epoch, nonce, tag, name length");

static const struct {
	const char *plain, *lower;
} prefixes[] = {
	{ "user.", "user.rekeyfs." },
	{ "trusted.", "trusted.rekeyfs." },
};
#define PREFIXES (sizeof(prefixes) / sizeof(prefixes[0]))

static int begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

int xattr_is_sealed(const char *name)
{
	for (size_t i = 0; i < PREFIXES; i++)
		if (begins(name, prefixes[i].plain))
			return 1;
	return 0;
}

enum err xattr_lower_name(const struct xattr_key *k, const char *name, char out[static XATTR_LOWER_MAX])
{
	const struct kdf_fields fields = { .b = k->node_id };
	uint8_t key[KDF_KEY_LEN], hash[HASH_LEN];
	size_t len = strlen(name);
	size_t i = 0;

	out[0] = 0;
	if (len > NAME_MAX_LEN)
		return ERR_TOO_LONG;
	while (i < PREFIXES && !begins(name, prefixes[i].plain))
		i++;
	if (i == PREFIXES)
		return ERR_INVALID;
	kdf(k->names_key, KDF_XATTR_NAME, &fields, key);
	kdf_mac(key, name, len, hash, sizeof(hash));
	secret_wipe(key, sizeof(key));
	strcpy(out, prefixes[i].lower);
	bytes_to_base64url(hash, sizeof(hash), out + strlen(out));
	return ERR_OK;
}

int xattr_is_lower(const char *lower)
{
	uint8_t hash[HASH_LEN];
	size_t got;

	for (size_t i = 0; i < PREFIXES; i++)
		if (begins(lower, prefixes[i].lower)) {
			const char *text = lower + strlen(prefixes[i].lower);

			return strlen(text) == HASH_TEXT && bytes_from_base64url(text, HASH_TEXT, hash, sizeof(hash), &got) == ERR_OK;
		}
	return 0;
}

/* The cipher, and the associated data of the attribute `lower`. */
static enum err get_cipher(const struct xattr_key *k, const char *lower, struct aead **cipher_out, uint8_t ad[static AD_MAX], size_t *ad_len_out)
{
	const struct kdf_fields fields = { .epoch = k->epoch, .a = k->bucket_id, .b = k->node_id };
	struct writer w = writer_over(ad, AD_MAX);
	uint8_t key[KDF_KEY_LEN];
	enum err e;

	writer_bytes(&w, k->bucket_id, UUID_LEN);
	writer_bytes(&w, k->node_id, UUID_LEN);
	writer_u32(&w, k->epoch);
	writer_bytes(&w, lower, strlen(lower));
	if (w.failed)
		return ERR_INVALID;
	*ad_len_out = writer_len(&w);
	kdf(k->key, KDF_XATTR, &fields, key);
	e = aead_get(AEAD_XCHACHA20_POLY1305, key, cipher_out);
	secret_wipe(key, sizeof(key));
	return e;
}

enum err xattr_seal(const struct xattr_key *k, const char *lower, const char *name, const void *value, size_t len, uint8_t *out, size_t *len_out)
{
	size_t name_len = strlen(name), ad_len;
	struct writer w = writer_over(out, XATTR_SEALED_OVERHEAD + name_len + len);
	uint8_t nonce[AEAD_NONCE_LEN], ad[AD_MAX];
	struct aead *cipher;
	enum err e;

	*len_out = 0;
	if (name_len == 0 || name_len > NAME_MAX_LEN)
		return name_len ? ERR_TOO_LONG : ERR_INVALID;
	e = get_cipher(k, lower, &cipher, ad, &ad_len);
	if (e != ERR_OK)
		return e;
	random_bytes(nonce, sizeof(nonce));
	writer_u8(&w, VERSION);
	writer_u32(&w, k->epoch);
	writer_bytes(&w, nonce, sizeof(nonce));
	writer_zeros(&w, AEAD_TAG_LEN);
	writer_u8(&w, (uint8_t)name_len);
	writer_bytes(&w, name, name_len);
	writer_bytes(&w, value, len);
	aead_seal(cipher, nonce, 0, ad, ad_len, out + TEXT_AT, 1 + name_len + len, out + TEXT_AT, out + TAG_AT);
	aead_put(cipher);
	*len_out = writer_len(&w);
	return ERR_OK;
}

enum err xattr_epoch(const uint8_t *sealed, size_t len, uint32_t *epoch_out)
{
	struct cursor c = cursor_over(sealed, len);
	uint8_t version = cursor_u8(&c);

	*epoch_out = cursor_u32(&c);
	if (c.failed || version != VERSION || len <= XATTR_SEALED_OVERHEAD)
		return ERR_FORMAT;
	return ERR_OK;
}

/* Name and value from the opened text at the start of `out`; the value is moved there. */
static enum err split(const struct xattr_key *k, const char *lower, uint8_t *out, size_t text_len, char *name_out, size_t *len_out)
{
	struct cursor c = cursor_over(out, text_len);
	size_t name_len = cursor_u8(&c);
	char expected[XATTR_LOWER_MAX];

	if (name_len == 0 || name_len > cursor_left(&c))
		return ERR_NOT_AUTHENTIC;
	cursor_bytes(&c, name_out, name_len);
	name_out[name_len] = 0;
	if (strlen(name_out) != name_len || xattr_lower_name(k, name_out, expected) != ERR_OK || strcmp(expected, lower) != 0)
		return ERR_NOT_AUTHENTIC;
	*len_out = cursor_left(&c);
	memmove(out, c.at, *len_out);
	return ERR_OK;
}

enum err xattr_open(const struct xattr_key *k, const char *lower, const uint8_t *sealed, size_t len, char *name_out, uint8_t *out, size_t *len_out)
{
	size_t text_len, ad_len;
	uint8_t ad[AD_MAX];
	struct aead *cipher;
	uint32_t epoch;
	enum err e;

	*len_out = 0;
	name_out[0] = 0;
	if (xattr_epoch(sealed, len, &epoch) != ERR_OK || epoch != k->epoch)
		return ERR_NOT_AUTHENTIC;
	text_len = len - TEXT_AT;
	e = get_cipher(k, lower, &cipher, ad, &ad_len);
	if (e != ERR_OK)
		return e;
	e = aead_open(cipher, sealed + NONCE_AT, 0, ad, ad_len, sealed + TEXT_AT, text_len, sealed + TAG_AT, out);
	aead_put(cipher);
	if (e == ERR_OK)
		e = split(k, lower, out, text_len, name_out, len_out);
	if (e != ERR_OK) {
		secret_wipe(out, text_len);
		name_out[0] = 0;
	}
	return e;
}
