/* Data keys: what a mount uses, and what clients ask for. */
#include <string.h>
#include "base/random.h"
#include "keymgr/core/context.h"
#include "keymgr/core/use.h"

#define DATA_KEY_LEN 32
#define DATA_KEY_MAX 1024

/* A new random key of `bytes` under the destination. */
static enum err make(struct use *u, const struct context *context, size_t bytes, struct secret **key_out, uint8_t *blob_out)
{
	enum err e = secret_new(bytes, key_out);

	if (e != ERR_OK)
		return e;
	random_bytes((*key_out)->bytes, bytes);
	return ciphertext_seal(u->destination.bytes, &u->destination.ref, context, (*key_out)->bytes, bytes, blob_out);
}

/* Nothing leaves that was not counted. */
static enum err finish(struct use *u, enum err e, struct secret **key, struct key_ref *ref_out)
{
	struct key_ref ref = u->destination.ready ? u->destination.ref : u->source.ref;

	e = use_end(u, e);
	if (e != ERR_OK) {
		secret_free(*key);
		*key = NULL;
	} else if (ref_out) {
		*ref_out = ref;
	}
	return e;
}

enum err keymgr_generate_data_key(struct keymgr *k, const char *key, const struct context *context,
				  struct secret **key_out, struct blob *blob_out, struct key_ref *ref_out)
{
	struct use u;
	enum err e;

	*key_out = NULL;
	e = use_begin(&u, k, "GenerateDataKey", USED_GENERATE_DATA_KEY, context);
	if (e != ERR_OK)
		return e;
	u.data_keys = context_value(context, "bucket") == NULL;
	e = use_destination(&u, key);
	if (e == ERR_OK)
		e = make(&u, context, DATA_KEY_LEN, key_out, blob_out->bytes);
	blob_out->len = DATA_KEY_LEN + CIPHERTEXT_OVERHEAD;
	return finish(&u, e, key_out, ref_out);
}

enum err keymgr_client_data_key(struct keymgr *k, const char *key, const struct context *context, size_t bytes,
				struct secret **key_out, uint8_t *blob_out, size_t *len_out, struct key_ref *ref_out)
{
	struct use u;
	enum err e;

	*key_out = NULL;
	if (bytes < 1 || bytes > DATA_KEY_MAX)
		return err_set(ERR_VALIDATION, "a data key has 1 to %d bytes, not %zu", DATA_KEY_MAX, bytes);
	e = use_begin(&u, k, "GenerateDataKey", USED_GENERATE_DATA_KEY, context);
	if (e != ERR_OK)
		return e;
	u.data_keys = 1;
	json_object_set_new(u.request, "numberOfBytes", json_integer((json_int_t)bytes));
	e = use_destination(&u, key);
	if (e == ERR_OK)
		e = make(&u, context, bytes, key_out, blob_out);
	*len_out = bytes + CIPHERTEXT_OVERHEAD;
	return finish(&u, e, key_out, ref_out);
}

enum err keymgr_decrypt_data_key(struct keymgr *k, const void *blob, size_t len, const struct context *context,
				 struct secret **key_out, struct key_ref *ref_out)
{
	struct use u;
	enum err e;

	*key_out = NULL;
	e = use_begin(&u, k, "Decrypt", USED_DECRYPT, context);
	if (e != ERR_OK)
		return e;
	e = use_source(&u, blob, len, CALL_DECRYPT);
	if (e == ERR_OK && len != DATA_KEY_LEN + CIPHERTEXT_OVERHEAD)
		e = err_set(ERR_CIPHERTEXT, "this is no data key of %d bytes", DATA_KEY_LEN);
	if (e == ERR_OK)
		e = ciphertext_open(u.source.bytes, context, blob, len, key_out);
	return finish(&u, e, key_out, ref_out);
}

/* Only what belongs to a registered bucket may be taken from a pending key. */
static enum err check_bucket(struct keymgr *k, const struct context *context)
{
	const char *text = context_value(context, "bucket");
	uint8_t id[UUID_LEN];

	if (!text || uuid_parse(text, id) != ERR_OK)
		return err_set(ERR_VALIDATION, "MigrateDataKey is for buckets: the encryption context names none");
	for (size_t i = 0; i < k->store->bucket_count; i++)
		if (memcmp(k->store->buckets[i].bucket_id, id, UUID_LEN) == 0)
			return ERR_OK;
	return err_set(ERR_REFUSED, "bucket %s is not registered with this keystore: rekeyfs register BUCKET", text);
}

enum err keymgr_migrate_data_key(struct keymgr *k, const void *blob, size_t len, const struct context *context,
				 const char *to_key, struct blob *blob_out, struct key_ref *ref_out)
{
	struct secret *key = NULL;
	struct use u;
	enum err e = use_begin(&u, k, "MigrateDataKey", USED_MIGRATE, context);

	if (e != ERR_OK)
		return e;
	e = check_bucket(k, context);
	if (e == ERR_OK)
		e = use_source(&u, blob, len, CALL_MIGRATE);
	if (e == ERR_OK && len != DATA_KEY_LEN + CIPHERTEXT_OVERHEAD)
		e = err_set(ERR_CIPHERTEXT, "this is no data key of %d bytes", DATA_KEY_LEN);
	if (e == ERR_OK)
		e = ciphertext_open(u.source.bytes, context, blob, len, &key);
	if (e == ERR_OK)
		e = use_destination(&u, to_key);
	if (e == ERR_OK)
		e = ciphertext_seal(u.destination.bytes, &u.destination.ref, context, key->bytes, key->len, blob_out->bytes);
	blob_out->len = DATA_KEY_LEN + CIPHERTEXT_OVERHEAD;
	e = finish(&u, e, &key, ref_out);
	secret_free(key);
	return e;
}
