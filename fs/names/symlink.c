#include "fs/names/symlink.h"

#include <string.h>
#include "base/aead.h"
#include "base/bytes.h"
#include "base/cursor.h"
#include "base/kdf.h"
#include "base/random.h"
#include "base/secret.h"

#define MAGIC_LEN 8u
#define NONCE_AT UUID_LEN
#define TAG_AT (NONCE_AT + AEAD_NONCE_LEN)
#define TEXT_AT (TAG_AT + AEAD_TAG_LEN)
#define LOWER_SYMLINK_MAX 4095u

_Static_assert(TEXT_AT == SYMLINK_OVERHEAD, "id, nonce and tag");
_Static_assert(BASE64URL_LEN(SYMLINK_OVERHEAD + SYMLINK_SHORT_MAX) <= LOWER_SYMLINK_MAX, "fits a lower symlink");
_Static_assert(BASE64URL_LEN(SYMLINK_OVERHEAD + SYMLINK_SHORT_MAX + 1) > LOWER_SYMLINK_MAX, "and no longer one does");

/* The cipher and the associated data of link `id`. */
static enum err get_cipher(const uint8_t *names_key, const uint8_t *bucket_id, const uint8_t *id,
			   struct aead **cipher_out, uint8_t ad[static 2 * UUID_LEN])
{
	const struct kdf_fields fields = { .b = id };
	uint8_t key[KDF_KEY_LEN];
	enum err e;

	memcpy(ad, bucket_id, UUID_LEN);
	memcpy(ad + UUID_LEN, id, UUID_LEN);
	kdf(names_key, KDF_SYMLINK, &fields, key);
	e = aead_get(AEAD_XCHACHA20_POLY1305, key, cipher_out);
	secret_wipe(key, sizeof(key));
	return e;
}

enum err symlink_seal(const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN], const char *target, size_t len,
		      uint8_t out[static SYMLINK_SEALED_MAX + 1], size_t *len_out, int *is_file_out)
{
	uint8_t sealed[SYMLINK_OVERHEAD + SYMLINK_PLAIN_MAX], ad[2 * UUID_LEN];
	struct aead *cipher;
	enum err e;

	*len_out = 0;
	*is_file_out = len > SYMLINK_SHORT_MAX;
	if (len > SYMLINK_PLAIN_MAX)
		return ERR_TOO_LONG;
	if (len == 0 || memchr(target, 0, len))
		return ERR_INVALID;
	random_bytes(sealed, TAG_AT);
	e = get_cipher(names_key, bucket_id, sealed, &cipher, ad);
	if (e != ERR_OK)
		return e;
	aead_seal(cipher, sealed + NONCE_AT, 0, ad, sizeof(ad), target, len, sealed + TEXT_AT, sealed + TAG_AT);
	aead_put(cipher);
	if (*is_file_out) {
		memcpy(out, SYMLINK_FILE_MAGIC, MAGIC_LEN);
		memcpy(out + MAGIC_LEN, sealed, TEXT_AT + len);
		*len_out = MAGIC_LEN + TEXT_AT + len;
	} else {
		*len_out = bytes_to_base64url(sealed, TEXT_AT + len, (char *)out);
	}
	return ERR_OK;
}

/* The sealed bytes of a lower symlink's text or of a file, by their form alone. */
static enum err parse(const uint8_t *in, size_t len, int is_file, uint8_t sealed[static SYMLINK_OVERHEAD + SYMLINK_PLAIN_MAX],
		      size_t *len_out)
{
	struct cursor c = cursor_over(in, len);
	const uint8_t *magic;

	*len_out = 0;
	if (!is_file) {
		if (len > LOWER_SYMLINK_MAX || bytes_from_base64url((const char *)in, len, sealed,
								     SYMLINK_OVERHEAD + SYMLINK_SHORT_MAX, len_out) != ERR_OK)
			return ERR_FORMAT;
		return *len_out > SYMLINK_OVERHEAD ? ERR_OK : ERR_FORMAT;
	}
	magic = cursor_take(&c, MAGIC_LEN);
	if (!magic || memcmp(magic, SYMLINK_FILE_MAGIC, MAGIC_LEN) != 0)
		return ERR_FORMAT;
	if (cursor_left(&c) <= SYMLINK_OVERHEAD + SYMLINK_SHORT_MAX || cursor_left(&c) > SYMLINK_OVERHEAD + SYMLINK_PLAIN_MAX)
		return ERR_FORMAT;
	*len_out = cursor_left(&c);
	cursor_bytes(&c, sealed, *len_out);
	return ERR_OK;
}

enum err symlink_open(const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN], const uint8_t *sealed_in, size_t len, int is_file,
		      char out[static SYMLINK_PLAIN_MAX + 1], size_t *len_out)
{
	uint8_t sealed[SYMLINK_OVERHEAD + SYMLINK_PLAIN_MAX], ad[2 * UUID_LEN];
	struct aead *cipher;
	size_t got, plain;
	enum err e;

	*len_out = 0;
	out[0] = 0;
	e = parse(sealed_in, len, is_file, sealed, &got);
	if (e != ERR_OK)
		return e;
	plain = got - TEXT_AT;
	e = get_cipher(names_key, bucket_id, sealed, &cipher, ad);
	if (e != ERR_OK)
		return e;
	e = aead_open(cipher, sealed + NONCE_AT, 0, ad, sizeof(ad), sealed + TEXT_AT, plain, sealed + TAG_AT, out);
	aead_put(cipher);
	if (e == ERR_OK && memchr(out, 0, plain)) {
		secret_wipe(out, plain);
		e = ERR_NOT_AUTHENTIC;
	}
	if (e != ERR_OK)
		return e;
	out[plain] = 0;
	*len_out = plain;
	return ERR_OK;
}

int symlink_is_file(const struct stat *lower)
{
	return S_ISREG(lower->st_mode) && lower->st_size > (off_t)(MAGIC_LEN + SYMLINK_OVERHEAD + SYMLINK_SHORT_MAX) &&
	       lower->st_size <= (off_t)SYMLINK_SEALED_MAX;
}

uint64_t symlink_plain_size(const struct stat *lower)
{
	uint64_t chars = lower->st_size > 0 ? (uint64_t)lower->st_size : 0;
	uint64_t sealed = chars / 4 * 3 + (chars % 4 ? chars % 4 - 1 : 0);

	if (symlink_is_file(lower))
		sealed = chars - MAGIC_LEN;
	return sealed > SYMLINK_OVERHEAD ? sealed - SYMLINK_OVERHEAD : 0;
}
