/* Encrypt, Decrypt and ReEncrypt: small plaintexts outside buckets, counted. */
#include <string.h>
#include "keymgr/core/use.h"

enum err keymgr_encrypt(struct keymgr *k, const char *key, const struct context *context, const void *in, size_t len,
			uint8_t *out, size_t *len_out, struct key_ref *ref_out)
{
	struct use u;
	struct key_ref ref;
	enum err e;

	if (len < 1 || len > PLAINTEXT_MAX)
		return err_set(ERR_VALIDATION, "a plaintext has 1 to %d bytes, not %zu", PLAINTEXT_MAX, len);
	e = use_begin(&u, k, "Encrypt", USED_ENCRYPT, context);
	if (e != ERR_OK)
		return e;
	u.ciphertexts = 1;
	e = use_destination(&u, key);
	if (e == ERR_OK)
		e = ciphertext_seal(u.destination.bytes, &u.destination.ref, context, in, len, out);
	ref = u.destination.ref;
	e = use_end(&u, e);
	if (e == ERR_OK) {
		*len_out = len + CIPHERTEXT_OVERHEAD;
		if (ref_out)
			*ref_out = ref;
	}
	return e;
}

/* `key` names the key that the ciphertext is said to be under. */
static enum err check_key(struct use *u, const char *key)
{
	struct cmk *cmk;
	enum err e;

	if (!key)
		return ERR_OK;
	e = key_name_find(u->k->store, key, KEY_NAME_ANY, &cmk);
	if (e == ERR_OK && cmk != u->source.cmk)
		e = err_set(ERR_INCORRECT_KEY, "the ciphertext is under another key than %s", key);
	return e;
}

static enum err open_source(struct use *u, const char *key, const struct context *context, const void *in, size_t len,
			    struct secret **out)
{
	enum err e = use_source(u, in, len, CALL_DECRYPT);

	if (e == ERR_OK)
		e = check_key(u, key);
	if (e == ERR_OK)
		e = ciphertext_open(u->source.bytes, context, in, len, out);
	return e;
}

enum err keymgr_decrypt(struct keymgr *k, const char *key, const struct context *context, const void *in, size_t len,
			struct secret **out, struct key_ref *ref_out)
{
	struct use u;
	struct key_ref ref;
	enum err e;

	*out = NULL;
	e = use_begin(&u, k, "Decrypt", USED_DECRYPT, context);
	if (e != ERR_OK)
		return e;
	e = open_source(&u, key, context, in, len, out);
	ref = u.source.ref;
	e = use_end(&u, e);
	if (e != ERR_OK) {
		secret_free(*out);
		*out = NULL;
	} else if (ref_out) {
		*ref_out = ref;
	}
	return e;
}

enum err keymgr_re_encrypt(struct keymgr *k, const char *from, const struct context *from_context, const void *in, size_t len,
			   const char *to, const struct context *to_context,
			   uint8_t *out, size_t *len_out, struct key_ref *from_ref_out, struct key_ref *to_ref_out)
{
	struct secret *plain = NULL;
	struct use u;
	struct key_ref from_ref, to_ref;
	size_t plain_len = 0;
	enum err e = use_begin(&u, k, "ReEncrypt", USED_RE_ENCRYPT, from_context);

	if (e != ERR_OK)
		return e;
	u.ciphertexts = 1;
	e = open_source(&u, from, from_context, in, len, &plain);
	if (e == ERR_OK)
		e = use_destination(&u, to);
	if (e == ERR_OK) {
		plain_len = plain->len;
		e = ciphertext_seal(u.destination.bytes, &u.destination.ref, to_context, plain->bytes, plain_len, out);
	}
	secret_free(plain);
	from_ref = u.source.ref;
	to_ref = u.destination.ref;
	e = use_end(&u, e);
	if (e != ERR_OK)
		return e;
	*len_out = plain_len + CIPHERTEXT_OVERHEAD;
	if (from_ref_out)
		*from_ref_out = from_ref;
	if (to_ref_out)
		*to_ref_out = to_ref;
	return ERR_OK;
}
