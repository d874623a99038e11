#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/file_io.h"
#include "base/json.h"
#include "fs/check/proof.h"
#include "fs/cli/cli.h"

#define PROOF_MAX (16u << 20)

static const char *expected;

static const struct option_row options[] = {
	{ "public-key", 0, "BASE64", "the public key that must have signed it", &expected, NULL, NULL },
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};
static const struct verb verb = { "verify-proof", "FILE", "Checks the signature of what prove-unused wrote; no keystore is needed.", verb_verify_proof, 0 };

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "-";
}

static enum err check_claims(const json_t *proof)
{
	const json_t *scan;
	size_t i;

	json_array_foreach(json_object_get(proof, "Buckets"), i, scan)
		if (!proof_scan_is_clean(scan))
			return err_set(ERR_REFUSED, "it is signed, but says that the key is in use");
	return ERR_OK;
}

static void show(const json_t *proof, const char *public_key)
{
	const json_t *scan, *buckets = json_object_get(proof, "Buckets");
	size_t i;

	printf("Signed by %s, the key of keystore %s, at %s:\n", public_key, text_of(proof, "KeystoreId"), text_of(proof, "Date"));
	printf("nothing needed key %s", text_of(proof, "KeyId"));
	if (json_object_get(proof, "KeyMaterialId"))
		printf(", material %s", text_of(proof, "KeyMaterialId"));
	printf(" (%s) in %zu bucket instances.\n", text_of(proof, "KeyState"), json_array_size(buckets));
	json_array_foreach(buckets, i, scan)
		printf("  bucket %s, instance %s: %lld files, scanned from %s to %s\n", text_of(scan, "BucketId"), text_of(scan, "InstanceId"),
		       (long long)json_integer_value(json_object_get(scan, "Files")), text_of(scan, "Started"), text_of(scan, "Ended"));
	printf("Whose signature that is, the key's owner tells: compare the public key with his.\n");
}

int verb_verify_proof(int argc, char **argv)
{
	char text[BASE64_LEN(32) + 1], **operands;
	json_t *certificate = NULL;
	uint8_t *bytes = NULL, public_key[32];
	size_t len;
	int count;
	enum err e = command_line_parse(PROGRAM, &verb, options, argc, argv, &operands, &count);

	if (e == ERR_OK && count != 1)
		e = err_set(ERR_USAGE, "verify-proof: one FILE, please (see rekeyfs verify-proof --help)");
	if (e == ERR_OK) {
		e = file_load(AT_FDCWD, operands[0], PROOF_MAX, &bytes, &len);
		if (e != ERR_OK)
			e = err_set(e, "%s: %s", operands[0], err_text(e));
	}
	if (e == ERR_OK)
		e = json_parse((char *)bytes, len, &certificate);
	if (e == ERR_OK)
		e = proof_verify(certificate, public_key);
	if (e == ERR_OK) {
		bytes_to_base64(public_key, sizeof(public_key), text);
		if (expected && strcmp(expected, text) != 0)
			e = err_set(ERR_NOT_AUTHENTIC, "it was signed by %s", text);
	}
	if (e == ERR_OK)
		e = check_claims(json_object_get(certificate, "Proof"));
	if (e == ERR_OK)
		show(json_object_get(certificate, "Proof"), text);
	json_decref(certificate);
	free(bytes);
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}
