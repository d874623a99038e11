/* Encrypt, Decrypt, ReEncrypt and data keys through the JSON of KMS. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include "base/bytes.h"
#include "tests/unit/api/keystore.h"

#define CONTEXT ", \"EncryptionContext\": {\"a\": \"1\", \"b\": \"2\"}"

/* A request with a ciphertext and what else belongs to it. */
static const char *with_blob(const char *blob, const char *more)
{
	static char text[16384];

	snprintf(text, sizeof(text), "{\"CiphertextBlob\": \"%s\"%s}", blob, more);
	return text;
}

static char *encrypted(struct keymgr *k, const char *key, const char *more)
{
	char request[512];
	json_t *answer;
	char *blob;

	snprintf(request, sizeof(request), "{\"KeyId\": \"%s\", \"Plaintext\": \"aGVsbG8=\"%s}", key, more);
	answer = call(k, "Encrypt", request, ERR_OK);
	assert_null(json_object_get(answer, "KeyMaterialId"));
	assert_string_equal(text_of(answer, "EncryptionAlgorithm"), "SYMMETRIC_DEFAULT");
	assert_string_equal(text_of(answer, "KeyId") + 35, key);
	blob = strdup(text_of(answer, "CiphertextBlob"));
	json_decref(answer);
	return blob;
}

static void there_and_back(void **state)
{
	char key[UUID_TEXT_LEN + 1], other[UUID_TEXT_LEN + 1], more[256], *blob;
	json_t *answer;

	new_key(*state, key);
	new_key(*state, other);
	blob = encrypted(*state, key, CONTEXT);
	answer = call(*state, "Decrypt", with_blob(blob, ", \"EncryptionContext\": {\"b\": \"2\", \"a\": \"1\"}"), ERR_OK);
	assert_string_equal(text_of(answer, "Plaintext"), "aGVsbG8=");
	assert_int_equal(strlen(text_of(answer, "KeyMaterialId")), 64);
	json_decref(answer);
	call(*state, "Decrypt", with_blob(blob, ""), ERR_CIPHERTEXT);
	call(*state, "Decrypt", with_blob(blob, ", \"EncryptionContext\": {\"a\": \"1\"}"), ERR_CIPHERTEXT);
	snprintf(more, sizeof(more), "%s, \"KeyId\": \"%s\"", CONTEXT, other);
	call(*state, "Decrypt", with_blob(blob, more), ERR_INCORRECT_KEY);
	blob[100] = blob[100] == 'A' ? 'B' : 'A';
	call(*state, "Decrypt", with_blob(blob, CONTEXT), ERR_CIPHERTEXT);
	call(*state, "Decrypt", with_blob("AAAA", CONTEXT), ERR_CIPHERTEXT);
	call(*state, "Decrypt", "{}", ERR_VALIDATION);
	free(blob);
}

static void re_encrypted(void **state)
{
	char key[UUID_TEXT_LEN + 1], other[UUID_TEXT_LEN + 1], more[512], *blob;
	json_t *answer, *plain;

	new_key(*state, key);
	new_key(*state, other);
	blob = encrypted(*state, key, CONTEXT);
	snprintf(more, sizeof(more), ", \"SourceEncryptionContext\": {\"a\": \"1\", \"b\": \"2\"}, \"DestinationKeyId\": \"%s\","
		 " \"DestinationEncryptionContext\": {\"c\": \"3\"}", other);
	answer = call(*state, "ReEncrypt", with_blob(blob, more), ERR_OK);
	assert_string_equal(text_of(answer, "SourceKeyId") + 35, key);
	assert_string_equal(text_of(answer, "KeyId") + 35, other);
	assert_string_not_equal(text_of(answer, "SourceKeyMaterialId"), text_of(answer, "DestinationKeyMaterialId"));
	plain = call(*state, "Decrypt", with_blob(text_of(answer, "CiphertextBlob"), ", \"EncryptionContext\": {\"c\": \"3\"}"),
		     ERR_OK);
	assert_string_equal(text_of(plain, "Plaintext"), "aGVsbG8=");
	assert_string_equal(text_of(plain, "KeyMaterialId"), text_of(answer, "DestinationKeyMaterialId"));
	json_decref(plain);
	json_decref(answer);
	strcat(more, ", \"DryRun\": true");
	call(*state, "ReEncrypt", with_blob(blob, more), ERR_DRY_RUN);
	call(*state, "ReEncrypt", with_blob(blob, ""), ERR_VALIDATION);
	free(blob);
}

static void data_keys(void **state)
{
	static const struct { const char *size; size_t len; } sizes[] = {
		{ "\"KeySpec\": \"AES_256\"", 32 }, { "\"KeySpec\": \"AES_128\"", 16 },
		{ "\"NumberOfBytes\": 1", 1 }, { "\"NumberOfBytes\": 1024", 1024 },
	};
	char key[UUID_TEXT_LEN + 1], request[256];
	json_t *answer, *plain;

	new_key(*state, key);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(request, sizeof(request), "{\"KeyId\": \"%s\", %s}", key, sizes[i].size);
		answer = call(*state, "GenerateDataKey", request, ERR_OK);
		assert_int_equal(strlen(text_of(answer, "Plaintext")), BASE64_LEN(sizes[i].len));
		plain = call(*state, "Decrypt", with_blob(text_of(answer, "CiphertextBlob"), ""), ERR_OK);
		assert_string_equal(text_of(plain, "Plaintext"), text_of(answer, "Plaintext"));
		assert_string_equal(text_of(plain, "KeyMaterialId"), text_of(answer, "KeyMaterialId"));
		json_decref(plain);
		json_decref(answer);
		answer = call(*state, "GenerateDataKeyWithoutPlaintext", request, ERR_OK);
		assert_null(json_object_get(answer, "Plaintext"));
		assert_non_null(json_object_get(answer, "CiphertextBlob"));
		json_decref(answer);
	}
	call(*state, "GenerateDataKey", with_key("{\"KeyId\": \"%K\"}", key), ERR_VALIDATION);
	call(*state, "GenerateDataKey", with_key("{\"KeyId\": \"%K\", \"KeySpec\": \"AES_256\", \"NumberOfBytes\": 32}", key),
	     ERR_VALIDATION);
	call(*state, "GenerateDataKey", with_key("{\"KeyId\": \"%K\", \"NumberOfBytes\": 0}", key), ERR_VALIDATION);
	call(*state, "GenerateDataKey", with_key("{\"KeyId\": \"%K\", \"NumberOfBytes\": 1025}", key), ERR_VALIDATION);
	call(*state, "GenerateDataKey", with_key("{\"KeyId\": \"%K\", \"KeySpec\": \"AES_192\"}", key), ERR_VALIDATION);
	call(*state, "GenerateRandom", "{}", ERR_VALIDATION);
	answer = call(*state, "GenerateRandom", "{\"NumberOfBytes\": 24}", ERR_OK);
	assert_int_equal(strlen(text_of(answer, "Plaintext")), 32);
	json_decref(answer);
}

static void sizes_of_plaintexts(void **state)
{
	char key[UUID_TEXT_LEN + 1], text[BASE64_LEN(4097) + 1], request[8192];
	uint8_t bytes[4097] = { 0 };
	json_t *answer;

	new_key(*state, key);
	bytes_to_base64(bytes, 4096, text);
	snprintf(request, sizeof(request), "{\"KeyId\": \"%s\", \"Plaintext\": \"%s\"}", key, text);
	answer = call(*state, "Encrypt", request, ERR_OK);
	assert_true(strlen(text_of(answer, "CiphertextBlob")) <= BASE64_LEN(6144));
	json_decref(answer);
	bytes_to_base64(bytes, 4097, text);
	snprintf(request, sizeof(request), "{\"KeyId\": \"%s\", \"Plaintext\": \"%s\"}", key, text);
	call(*state, "Encrypt", request, ERR_VALIDATION);
	call(*state, "Encrypt", with_key("{\"KeyId\": \"%K\", \"Plaintext\": \"\"}", key), ERR_VALIDATION);
	call(*state, "Encrypt", with_key("{\"KeyId\": \"%K\", \"Plaintext\": \"AA==\", \"GrantTokens\": [\"x\"]}", key),
	     ERR_GRANT_TOKEN);
	call(*state, "Encrypt", with_key("{\"KeyId\": \"%K\", \"Plaintext\": \"AA==\", \"EncryptionAlgorithm\": "
					 "\"RSAES_OAEP_SHA_256\"}", key), ERR_KEY_USAGE);
}

static void a_dry_run_has_the_error_that_the_call_would_have(void **state)
{
	static const char encrypt[] = "{\"KeyId\": \"%K\", \"Plaintext\": \"AA==\", \"DryRun\": true}";
	static const char generate[] = "{\"KeyId\": \"%K\", \"KeySpec\": \"AES_256\", \"DryRun\": true}";
	char key[UUID_TEXT_LEN + 1], *blob;
	json_t *usage;

	new_key(*state, key);
	call(*state, "Encrypt", with_key(encrypt, key), ERR_DRY_RUN);
	call(*state, "GenerateDataKey", with_key(generate, key), ERR_DRY_RUN);
	usage = call(*state, "GetKeyLastUsage", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK);
	assert_int_equal(json_object_size(json_object_get(usage, "KeyLastUsage")), 0);
	json_decref(usage);
	blob = encrypted(*state, key, "");
	usage = call(*state, "GetKeyLastUsage", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK);
	assert_string_equal(text_of(json_object_get(usage, "KeyLastUsage"), "Operation"), "Encrypt");
	assert_true(json_is_integer(json_object_get(usage, "TrackingStartDate")));
	assert_true(json_is_integer(json_object_get(usage, "KeyCreationDate")));
	json_decref(usage);
	call(*state, "Decrypt", with_blob(blob, ", \"DryRun\": true"), ERR_DRY_RUN);
	call(*state, "DisableKey", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK);
	call(*state, "Encrypt", with_key(encrypt, key), ERR_KEY_DISABLED);
	call(*state, "GenerateDataKeyWithoutPlaintext", with_key(generate, key), ERR_KEY_DISABLED);
	call(*state, "Decrypt", with_blob(blob, ", \"DryRun\": true"), ERR_KEY_DISABLED);
	json_decref(call(*state, "ScheduleKeyDeletion", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK));
	call(*state, "Encrypt", with_key(encrypt, key), ERR_KEY_STATE);
	call(*state, "Decrypt", with_blob(blob, ", \"DryRun\": true"), ERR_KEY_STATE);
	call(*state, "Encrypt", with_key("{\"KeyId\": \"alias/none\", \"Plaintext\": \"AA==\", \"DryRun\": true}", ""),
	     ERR_KEY_NOT_FOUND);
	free(blob);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(there_and_back),
	cmocka_unit_test(re_encrypted),
	cmocka_unit_test(data_keys),
	cmocka_unit_test(sizes_of_plaintexts),
	cmocka_unit_test(a_dry_run_has_the_error_that_the_call_would_have),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, keystore_setup, keystore_teardown);
}
