#include "fs/names/names.h"

#include <string.h>
#include "base/bytes.h"
#include "base/cursor.h"
#include "base/kdf.h"
#include "base/secret.h"
#include "base/xchacha20.h"

#define SIV_LEN XCHACHA20_NONCE_LEN
#define PAD 16u
#define PADDED_MAX 256u
#define HASH_LEN 32u

_Static_assert(NAME_TEXT_MAX == BASE64URL_LEN(SIV_LEN + PADDED_MAX), "the longest text");
_Static_assert(NAME_HASH_TEXT == BASE64URL_LEN(HASH_LEN), "a long name's hash");
_Static_assert(BASE64URL_LEN(SIV_LEN + NAME_LONG_OVER) <= NAME_LOWER_MAX, "a short name fits");

void names_key_make(const uint8_t names_key[static 32], const uint8_t dir_id[static UUID_LEN], struct names_key *out)
{
	const struct kdf_fields fields = { .b = dir_id };

	kdf(names_key, KDF_NAME_SIV, &fields, out->siv);
	kdf(names_key, KDF_NAME, &fields, out->cipher);
	kdf(names_key, KDF_LONG_NAME, &fields, out->hash);
}

void names_key_wipe(struct names_key *k)
{
	secret_wipe(k, sizeof(*k));
}

/* A name padded with zeros to `padded` bytes. */
static void make_siv(const struct names_key *k, const uint8_t *name, size_t len, size_t padded, uint8_t siv[static SIV_LEN])
{
	uint8_t input[2 + PADDED_MAX];
	struct writer w = writer_over(input, sizeof(input));

	writer_u16(&w, (uint16_t)len);
	writer_bytes(&w, name, padded);
	kdf_mac(k->siv, input, writer_len(&w), siv, SIV_LEN);
	secret_wipe(input, sizeof(input));
}

static void hash_text(const struct names_key *k, const char *text, char out[static NAME_HASH_TEXT + 1])
{
	uint8_t hash[HASH_LEN];

	kdf_mac(k->hash, text, strlen(text), hash, sizeof(hash));
	bytes_to_base64url(hash, sizeof(hash), out);
}

static int is_dots(const char *name, size_t len)
{
	return (len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.');
}

enum err names_encrypt(const struct names_key *k, const char *plain, size_t len, struct lower_name *out)
{
	size_t padded = (len + PAD - 1) / PAD * PAD;
	uint8_t name[PADDED_MAX] = { 0 };
	uint8_t sealed[SIV_LEN + PADDED_MAX];

	memset(out, 0, sizeof(*out));
	if (len > NAME_PLAIN_MAX)
		return ERR_TOO_LONG;
	if (len == 0 || is_dots(plain, len) || memchr(plain, '/', len) || memchr(plain, 0, len))
		return ERR_INVALID;
	memcpy(name, plain, len);
	make_siv(k, name, len, padded, sealed);
	xchacha20_xor(k->cipher, sealed, name, padded, sealed + SIV_LEN);
	secret_wipe(name, sizeof(name));
	out->is_long = len > NAME_LONG_OVER;
	if (!out->is_long) {
		bytes_to_base64url(sealed, SIV_LEN + padded, out->name);
		return ERR_OK;
	}
	bytes_to_base64url(sealed, SIV_LEN + padded, out->text);
	hash_text(k, out->text, out->name);
	return ERR_OK;
}

/* The length of a padded name; 0 where its padding is not ours. */
static size_t unpadded_len(const uint8_t *name, size_t padded)
{
	size_t len = padded;

	while (len > 0 && name[len - 1] == 0)
		len--;
	return len + PAD > padded ? len : 0;
}

enum err names_decrypt(const struct names_key *k, const char *lower, size_t len, char plain_out[static NAME_PLAIN_MAX + 1], size_t *len_out)
{
	uint8_t sealed[SIV_LEN + PADDED_MAX], siv[SIV_LEN];
	uint8_t name[PADDED_MAX] = { 0 };
	enum err e = ERR_NOT_AUTHENTIC;
	size_t got, padded, plain_len;

	*len_out = 0;
	plain_out[0] = 0;
	if (len > NAME_TEXT_MAX || bytes_from_base64url(lower, len, sealed, sizeof(sealed), &got) != ERR_OK)
		return ERR_NOT_AUTHENTIC;
	if (got < SIV_LEN + PAD || (got - SIV_LEN) % PAD)
		return ERR_NOT_AUTHENTIC;
	padded = got - SIV_LEN;
	xchacha20_xor(k->cipher, sealed, sealed + SIV_LEN, padded, name);
	plain_len = unpadded_len(name, padded);
	make_siv(k, name, plain_len, padded, siv);
	if (!secret_equal(siv, sealed, SIV_LEN))
		goto out;
	/* Nothing that names_encrypt makes fails these, but another program with the key may have written it. */
	if (plain_len == 0 || plain_len > NAME_PLAIN_MAX || is_dots((const char *)name, plain_len) ||
	    memchr(name, '/', plain_len) || memchr(name, 0, plain_len))
		goto out;
	memcpy(plain_out, name, plain_len);
	plain_out[plain_len] = 0;
	*len_out = plain_len;
	e = ERR_OK;
out:
	secret_wipe(name, sizeof(name));
	return e;
}

int names_long_matches(const struct names_key *k, const char *lower, const char *text)
{
	char hash[NAME_HASH_TEXT + 1];

	if (strlen(lower) != NAME_HASH_TEXT)
		return 0;
	hash_text(k, text, hash);
	return secret_equal(hash, lower, NAME_HASH_TEXT);
}

int names_is_long(const char *lower)
{
	return strlen(lower) == NAME_HASH_TEXT && !strchr(lower, '.');
}

int names_is_reserved(const char *lower)
{
	size_t len = strlen(lower);

	if (strncmp(lower, "rekeyfs.", 8) == 0 || is_dots(lower, len))
		return 1;
	/* Of the lower filesystem itself, where the bucket is the root of one. */
	if (strcmp(lower, "lost+found") == 0)
		return 1;
	if (len == NAME_HASH_TEXT + strlen(NAME_SUFFIX) && strcmp(lower + NAME_HASH_TEXT, NAME_SUFFIX) == 0)
		return 2;
	return 0;
}
