#include "keymgr/core/ciphertext.h"

#include <stdlib.h>
#include "base/cursor.h"
#include "base/kdf.h"
#include "keymgr/core/context.h"

#define VERSION 1
#define CIPHER AEAD_XCHACHA20_POLY1305

static void cipher_key(const uint8_t backing_key[static 32], const uint8_t key_id[static KEY_ID_LEN],
		       uint8_t out[static KDF_KEY_LEN])
{
	struct kdf_fields fields = { .suite = CIPHER, .a = key_id };

	kdf(backing_key, KDF_CIPHERTEXT, &fields, out);
}

enum err ciphertext_seal(const uint8_t backing_key[static 32], const struct key_ref *ref, const struct context *context,
			 const void *in, size_t len, uint8_t *out)
{
	struct writer w = writer_over(out, CIPHERTEXT_HEAD_LEN);
	uint8_t key[KDF_KEY_LEN], *ad;
	size_t ad_len;
	enum err e;

	writer_u8(&w, VERSION);
	writer_u8(&w, CIPHER);
	writer_u16(&w, 0);
	writer_bytes(&w, ref->key_id, KEY_ID_LEN);
	writer_bytes(&w, ref->material_id, MATERIAL_ID_LEN);
	e = context_encode(context, out, CIPHERTEXT_HEAD_LEN, &ad, &ad_len);
	if (e != ERR_OK)
		return e;
	cipher_key(backing_key, ref->key_id, key);
	aead_wrap(key, ad, ad_len, in, len, out + CIPHERTEXT_HEAD_LEN);
	secret_wipe(key, sizeof(key));
	free(ad);
	return ERR_OK;
}

enum err blob_ref(const void *blob, size_t len, struct key_ref *out)
{
	struct cursor c = cursor_over(blob, len);
	int known = cursor_u8(&c) == VERSION && cursor_u8(&c) == CIPHER && cursor_u16(&c) == 0;

	cursor_bytes(&c, out->key_id, KEY_ID_LEN);
	cursor_bytes(&c, out->material_id, MATERIAL_ID_LEN);
	if (c.failed || !known || cursor_left(&c) <= AEAD_WRAP_OVERHEAD || len > CIPHERTEXT_MAX)
		return err_set(ERR_CIPHERTEXT, "this is no ciphertext of a key manager that is known here");
	return ERR_OK;
}

enum err ciphertext_open(const uint8_t backing_key[static 32], const struct context *context,
			 const void *blob, size_t len, struct secret **out)
{
	uint8_t key[KDF_KEY_LEN], *ad = NULL;
	struct secret *plain = NULL;
	struct key_ref ref;
	size_t ad_len;
	enum err e;

	*out = NULL;
	e = blob_ref(blob, len, &ref);
	if (e == ERR_OK)
		e = context_encode(context, blob, CIPHERTEXT_HEAD_LEN, &ad, &ad_len);
	if (e == ERR_OK)
		e = secret_new(len - CIPHERTEXT_OVERHEAD, &plain);
	if (e != ERR_OK)
		goto out;
	cipher_key(backing_key, ref.key_id, key);
	e = aead_unwrap(key, ad, ad_len, (const uint8_t *)blob + CIPHERTEXT_HEAD_LEN, len - CIPHERTEXT_HEAD_LEN,
			plain->bytes);
	secret_wipe(key, sizeof(key));
	if (e != ERR_OK) {
		e = err_set(ERR_CIPHERTEXT, "the ciphertext is damaged, or was made with another encryption context");
		goto out;
	}
	*out = plain;
	plain = NULL;
out:
	secret_free(plain);
	free(ad);
	return e;
}
