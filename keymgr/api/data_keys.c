#include <string.h>
#include "base/json.h"
#include "base/random.h"
#include "keymgr/api/operation.h"
#include "keymgr/api/shapes.h"

#define BYTES_MAX 1024

static const char *const specs[] = { "AES_256", "AES_128", NULL };

#define FIELD_BYTES(is_required) { .name = "NumberOfBytes", .type = FIELD_INTEGER, .required = (is_required), \
				   .min = 1, .max = BYTES_MAX }

const struct field fields_data_key[] = {
	FIELD_KEY("KeyId"), FIELD_CONTEXT("EncryptionContext"), FIELD_BYTES(0),
	{ .name = "KeySpec", .type = FIELD_WORD, .words = specs },
	FIELD_GRANT_TOKENS, FIELD_UNSUPPORTED("Recipient"), FIELD_DRY_RUN,
	{ 0 }
};

static enum err data_key_len(const json_t *in, size_t *out)
{
	const char *spec = request_string(in, "KeySpec");
	long bytes = request_integer(in, "NumberOfBytes", 0);

	if (!spec == !bytes)
		return err_set(ERR_VALIDATION, "Please specify either number of bytes or key spec.");
	*out = bytes ? (size_t)bytes : strcmp(spec, "AES_128") == 0 ? 16 : 32;
	return ERR_OK;
}

static enum err data_key(struct keymgr *k, const json_t *in, const struct context *context, size_t len,
			 int with_plaintext, json_t **out)
{
	uint8_t blob[CIPHERTEXT_MAX];
	struct secret *key = NULL;
	struct key_ref ref;
	size_t blob_len;
	json_t *plaintext;
	enum err e = keymgr_client_data_key(k, request_string(in, "KeyId"), context, len, &key, blob, &blob_len, &ref);

	if (e != ERR_OK)
		return e;
	plaintext = with_plaintext ? json_base64(key->bytes, key->len) : NULL;
	if (plaintext || !with_plaintext)
		*out = json_pack("{s:o, s:o*, s:o, s:o}", "CiphertextBlob", json_base64(blob, blob_len),
				 "Plaintext", plaintext, "KeyId", shape_key_arn(ref.key_id),
				 "KeyMaterialId", shape_material_id(ref.material_id));
	secret_free(key);
	return ERR_OK;
}

static enum err generate(struct keymgr *k, const json_t *in, int with_plaintext, json_t **out)
{
	struct context context;
	size_t len = 0;
	enum err e = data_key_len(in, &len);

	if (e != ERR_OK)
		return e;
	if (request_boolean(in, "DryRun"))
		return operation_dry_run_encrypt(k, request_string(in, "KeyId"));
	e = request_context(in, "EncryptionContext", &context);
	if (e == ERR_OK)
		e = data_key(k, in, &context, len, with_plaintext, out);
	request_context_release(&context);
	return e;
}

enum err operation_data_key(struct keymgr *k, const json_t *in, json_t **out)
{
	return generate(k, in, 1, out);
}

enum err operation_data_key_without_plaintext(struct keymgr *k, const json_t *in, json_t **out)
{
	return generate(k, in, 0, out);
}

const struct field fields_random[] = {
	FIELD_BYTES(1), FIELD_UNSUPPORTED("CustomKeyStoreId"), FIELD_UNSUPPORTED("Recipient"), { 0 }
};

enum err operation_random(struct keymgr *k, const json_t *in, json_t **out)
{
	size_t len = (size_t)request_integer(in, "NumberOfBytes", 0);
	uint8_t bytes[BYTES_MAX];

	random_bytes(bytes, len);
	*out = json_pack("{s:o}", "Plaintext", json_base64(bytes, len));
	secret_wipe(bytes, len);
	return ERR_OK;
}
