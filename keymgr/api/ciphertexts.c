#include "base/json.h"
#include "keymgr/api/operation.h"
#include "keymgr/api/shapes.h"
#include "keymgr/core/key_state.h"

#define FIELD_CIPHERTEXT { .name = "CiphertextBlob", .type = FIELD_BLOB, .required = 1, .min = 1, .max = CIPHERTEXT_MAX }

static enum err dry_run_ok(void)
{
	return err_set(ERR_DRY_RUN, "The request would have succeeded, but the DryRun option is set.");
}

enum err operation_dry_run_encrypt(struct keymgr *k, const char *key)
{
	struct key_metadata m;
	enum err e = keymgr_describe_key(k, key, &m);

	if (e != ERR_OK)
		return e;
	e = key_state_check(CALL_ENCRYPT, m.state, NULL);
	if (e != ERR_OK)
		err_set(e, "%s is %s.", m.arn, key_state_name(m.state));
	else if (m.encrypt_refused)
		e = err_set(ERR_KEY_STATE, "%s is retired: it encrypts nothing more.", m.arn);
	key_metadata_release(&m);
	return e == ERR_OK ? dry_run_ok() : e;
}

const struct field fields_encrypt[] = {
	FIELD_KEY("KeyId"),
	{ .name = "Plaintext", .type = FIELD_BLOB, .required = 1, .min = 1, .max = PLAINTEXT_MAX },
	FIELD_CONTEXT("EncryptionContext"), FIELD_GRANT_TOKENS, FIELD_ALGORITHM("EncryptionAlgorithm"), FIELD_DRY_RUN,
	{ 0 }
};

static enum err encrypt(struct keymgr *k, const json_t *in, const struct context *context, json_t **out)
{
	uint8_t ciphertext[CIPHERTEXT_MAX];
	struct secret *plaintext = NULL;
	struct key_ref ref;
	size_t len;
	enum err e = request_blob(in, "Plaintext", &plaintext);

	if (e == ERR_OK)
		e = keymgr_encrypt(k, request_string(in, "KeyId"), context, plaintext->bytes, plaintext->len,
				   ciphertext, &len, &ref);
	if (e == ERR_OK)
		*out = json_pack("{s:o, s:o, s:s}", "CiphertextBlob", json_base64(ciphertext, len),
				 "KeyId", shape_key_arn(ref.key_id), "EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
	secret_free(plaintext);
	return e;
}

enum err operation_encrypt(struct keymgr *k, const json_t *in, json_t **out)
{
	struct context context;
	enum err e;

	if (request_boolean(in, "DryRun"))
		return operation_dry_run_encrypt(k, request_string(in, "KeyId"));
	e = request_context(in, "EncryptionContext", &context);
	if (e == ERR_OK)
		e = encrypt(k, in, &context, out);
	request_context_release(&context);
	return e;
}

const struct field fields_decrypt[] = {
	FIELD_CIPHERTEXT, FIELD_CONTEXT("EncryptionContext"), FIELD_GRANT_TOKENS, FIELD_KEY_OPTIONAL("KeyId"),
	FIELD_ALGORITHM("EncryptionAlgorithm"), FIELD_UNSUPPORTED("Recipient"), FIELD_DRY_RUN,
	FIELD_UNSUPPORTED("DryRunModifiers"),
	{ 0 }
};

/* A dry run decrypts and tells nothing: whether it would succeed cannot be known otherwise. */
static enum err decrypt(struct keymgr *k, const json_t *in, const struct context *context, json_t **out)
{
	struct secret *ciphertext = NULL, *plaintext = NULL;
	struct key_ref ref;
	enum err e = request_blob(in, "CiphertextBlob", &ciphertext);

	if (e == ERR_OK)
		e = keymgr_decrypt(k, request_string(in, "KeyId"), context, ciphertext->bytes, ciphertext->len,
				   &plaintext, &ref);
	if (e == ERR_OK && request_boolean(in, "DryRun"))
		e = dry_run_ok();
	else if (e == ERR_OK)
		*out = json_pack("{s:o, s:o, s:s, s:o}", "KeyId", shape_key_arn(ref.key_id),
				 "Plaintext", json_base64(plaintext->bytes, plaintext->len),
				 "EncryptionAlgorithm", "SYMMETRIC_DEFAULT",
				 "KeyMaterialId", shape_material_id(ref.material_id));
	secret_free(ciphertext);
	secret_free(plaintext);
	return e;
}

enum err operation_decrypt(struct keymgr *k, const json_t *in, json_t **out)
{
	struct context context;
	enum err e = request_context(in, "EncryptionContext", &context);

	if (e == ERR_OK)
		e = decrypt(k, in, &context, out);
	request_context_release(&context);
	return e;
}

const struct field fields_re_encrypt[] = {
	FIELD_CIPHERTEXT, FIELD_CONTEXT("SourceEncryptionContext"), FIELD_KEY_OPTIONAL("SourceKeyId"),
	FIELD_KEY("DestinationKeyId"), FIELD_CONTEXT("DestinationEncryptionContext"),
	FIELD_ALGORITHM("SourceEncryptionAlgorithm"), FIELD_ALGORITHM("DestinationEncryptionAlgorithm"),
	FIELD_GRANT_TOKENS, FIELD_DRY_RUN, FIELD_UNSUPPORTED("DryRunModifiers"),
	{ 0 }
};

static enum err dry_run_re_encrypt(struct keymgr *k, const json_t *in, const struct secret *ciphertext,
				   const struct context *from)
{
	struct secret *plaintext = NULL;
	struct key_ref ref;
	enum err e = keymgr_decrypt(k, request_string(in, "SourceKeyId"), from, ciphertext->bytes, ciphertext->len,
				    &plaintext, &ref);

	secret_free(plaintext);
	return e == ERR_OK ? operation_dry_run_encrypt(k, request_string(in, "DestinationKeyId")) : e;
}

static enum err re_encrypt(struct keymgr *k, const json_t *in, const struct secret *ciphertext,
			   const struct context *from, const struct context *to, json_t **out)
{
	struct key_ref from_ref, to_ref;
	uint8_t bytes[CIPHERTEXT_MAX];
	size_t len;
	enum err e = keymgr_re_encrypt(k, request_string(in, "SourceKeyId"), from, ciphertext->bytes, ciphertext->len,
				       request_string(in, "DestinationKeyId"), to, bytes, &len, &from_ref, &to_ref);

	if (e == ERR_OK)
		*out = json_pack("{s:o, s:o, s:o, s:s, s:s, s:o, s:o}", "CiphertextBlob", json_base64(bytes, len),
				 "SourceKeyId", shape_key_arn(from_ref.key_id), "KeyId", shape_key_arn(to_ref.key_id),
				 "SourceEncryptionAlgorithm", "SYMMETRIC_DEFAULT",
				 "DestinationEncryptionAlgorithm", "SYMMETRIC_DEFAULT",
				 "SourceKeyMaterialId", shape_material_id(from_ref.material_id),
				 "DestinationKeyMaterialId", shape_material_id(to_ref.material_id));
	return e;
}

enum err operation_re_encrypt(struct keymgr *k, const json_t *in, json_t **out)
{
	struct context from = { 0 }, to = { 0 };
	struct secret *ciphertext = NULL;
	enum err e = request_blob(in, "CiphertextBlob", &ciphertext);

	if (e == ERR_OK)
		e = request_context(in, "SourceEncryptionContext", &from);
	if (e == ERR_OK)
		e = request_context(in, "DestinationEncryptionContext", &to);
	if (e == ERR_OK && request_boolean(in, "DryRun"))
		e = dry_run_re_encrypt(k, in, ciphertext, &from);
	else if (e == ERR_OK)
		e = re_encrypt(k, in, ciphertext, &from, &to, out);
	request_context_release(&from);
	request_context_release(&to);
	secret_free(ciphertext);
	return e;
}
