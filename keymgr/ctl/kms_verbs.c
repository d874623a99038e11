/* The verbs of `aws kms`: a row each.  Those with more to do than the operation have a function. */
#include "keymgr/api/operations.h"
#include "keymgr/core/key_name.h"
#include "keymgr/ctl/deletion_notes.h"
#include "keymgr/ctl/verb.h"

#define TEXT(option, member, placeholder, help) { option, member, PARAMETER_TEXT, 0, placeholder, help }
#define TEXT_NEEDED(option, member, placeholder, help) { option, member, PARAMETER_TEXT, 1, placeholder, help }
#define NUMBER(option, member, placeholder, help) { option, member, PARAMETER_NUMBER, 0, placeholder, help }
#define KEY TEXT_NEEDED("key-id", "KeyId", "KEY", "key id, key ARN, alias/NAME or alias ARN")
#define KEY_BY_ID TEXT_NEEDED("key-id", "KeyId", "KEY", "key id or key ARN")
#define CONTEXT(option, member) { option, member, PARAMETER_MAP, 0, "K=V,…", "what is bound to it: k=v,k2=v2 or JSON" }
#define DRY_RUN { "dry-run", "DryRun", PARAMETER_TRUE, 0, NULL, "only say whether it would succeed" }, \
		{ "no-dry-run", "DryRun", PARAMETER_FALSE, 0, NULL, "do it" }
#define ALGORITHM(option, member) TEXT(option, member, "A", "SYMMETRIC_DEFAULT")
#define PAGE NUMBER("limit", "Limit", "N", "one page of at most N entries"), \
	     TEXT("marker", "Marker", "MARKER", "go on behind the page that gave this NextMarker")
#define CIPHERTEXT { "ciphertext-blob", "CiphertextBlob", PARAMETER_BLOB, 1, "BLOB", "base64, or fileb://FILE" }
#define END { NULL }

static const struct parameter key[] = { KEY, END };
static const struct parameter key_by_id[] = { KEY_BY_ID, END };
static const struct parameter page[] = { PAGE, END };

static const struct parameter create_key[] = {
	TEXT("description", "Description", "TEXT", "at most 8192 characters"),
	TEXT("alias-name", NULL, "alias/NAME", "make this alias for it as well"),
	TEXT("key-usage", "KeyUsage", "USAGE", "ENCRYPT_DECRYPT"),
	TEXT("key-spec", "KeySpec", "SPEC", "SYMMETRIC_DEFAULT"),
	TEXT("customer-master-key-spec", "CustomerMasterKeySpec", "SPEC", "the older name of --key-spec"),
	TEXT("origin", "Origin", "ORIGIN", "AWS_KMS"),
	{ "multi-region", "MultiRegion", PARAMETER_TRUE, 0, NULL, "not supported" },
	{ "no-multi-region", "MultiRegion", PARAMETER_FALSE, 0, NULL, "the default" },
	END
};

static const struct parameter update_description[] = {
	KEY_BY_ID, TEXT_NEEDED("description", "Description", "TEXT", "at most 8192 characters"), END
};
static const struct parameter alias[] = {
	TEXT_NEEDED("alias-name", "AliasName", "alias/NAME", "letters, digits and :/_-"),
	TEXT_NEEDED("target-key-id", "TargetKeyId", "KEY", "key id or key ARN"),
	END
};
static const struct parameter delete_alias[] = {
	TEXT_NEEDED("alias-name", "AliasName", "alias/NAME", "the alias"), END
};
static const struct parameter list_aliases[] = { TEXT("key-id", "KeyId", "KEY", "only those of this key"), PAGE, END };
static const struct parameter enable_rotation[] = {
	KEY_BY_ID, NUMBER("rotation-period-in-days", "RotationPeriodInDays", "N", "90 to 2560 (365)"), END
};
static const struct parameter list_rotations[] = {
	KEY_BY_ID,
	TEXT("include-key-material", "IncludeKeyMaterial", "WHICH", "ROTATIONS_ONLY, or ALL_KEY_MATERIAL: the first too"),
	PAGE, END
};
static const struct parameter encrypt[] = {
	KEY,
	{ "plaintext", "Plaintext", PARAMETER_BLOB, 1, "BLOB", "base64, or fileb://FILE; at most 4096 bytes" },
	CONTEXT("encryption-context", "EncryptionContext"), ALGORITHM("encryption-algorithm", "EncryptionAlgorithm"),
	DRY_RUN, END
};
static const struct parameter decrypt[] = {
	CIPHERTEXT, TEXT("key-id", "KeyId", "KEY", "the key that it must be under"),
	CONTEXT("encryption-context", "EncryptionContext"), ALGORITHM("encryption-algorithm", "EncryptionAlgorithm"),
	DRY_RUN, END
};
static const struct parameter re_encrypt[] = {
	CIPHERTEXT, TEXT_NEEDED("destination-key-id", "DestinationKeyId", "KEY", "the new key"),
	TEXT("source-key-id", "SourceKeyId", "KEY", "the key that it must be under"),
	CONTEXT("source-encryption-context", "SourceEncryptionContext"),
	CONTEXT("destination-encryption-context", "DestinationEncryptionContext"),
	ALGORITHM("source-encryption-algorithm", "SourceEncryptionAlgorithm"),
	ALGORITHM("destination-encryption-algorithm", "DestinationEncryptionAlgorithm"),
	DRY_RUN, END
};
static const struct parameter data_key[] = {
	KEY, TEXT("key-spec", "KeySpec", "SPEC", "AES_256 or AES_128"),
	NUMBER("number-of-bytes", "NumberOfBytes", "N", "1 to 1024, instead of --key-spec"),
	CONTEXT("encryption-context", "EncryptionContext"), DRY_RUN, END
};
static const struct parameter random_bytes_of[] = {
	{ "number-of-bytes", "NumberOfBytes", PARAMETER_NUMBER, 1, "N", "1 to 1024" }, END
};

/* The alias first proves that it can be made, so that no key is left without its name. */
static enum err create_with_alias(struct keymgr *k, const char *name, const json_t *in, json_t **out, const char **operation)
{
	json_t *request = json_pack("{s:s, s:s}", "AliasName", name, "TargetKeyId", "-"), *nothing;
	uint8_t taken[KEY_ID_LEN];
	const char *id = NULL;
	enum err e = request ? api_check("CreateAlias", request) : ERR_NO_MEMORY;

	*operation = "CreateAlias";
	if (e == ERR_OK && keymgr_resolve(k, name, taken) == ERR_OK)
		e = err_set(ERR_ALREADY_EXISTS, "an alias with the name %s already exists", name);
	if (e == ERR_OK)
		e = alias_name_check(name);
	if (e != ERR_OK)
		goto out;
	*operation = "CreateKey";
	e = api_call(k, "CreateKey", in, out);
	if (e != ERR_OK)
		goto out;
	*operation = "CreateAlias";
	id = json_string_value(json_object_get(json_object_get(*out, "KeyMetadata"), "KeyId"));
	e = json_object_set_new(request, "TargetKeyId", json_string(id)) == 0 ?
		api_call(k, "CreateAlias", request, &nothing) : ERR_NO_MEMORY;
	if (e != ERR_OK)
		fprintf(stderr, PROGRAM ": the key %s was made, its alias was not\n", id);
out:
	json_decref(request);
	return e;
}

static int run_create_key(struct invocation *i)
{
	const char *name = invocation_value(i, "alias-name"), *operation = NULL;
	json_t *in = NULL, *out = NULL;
	struct keymgr *k = NULL;
	enum err e;

	if (!name)
		return verb_run_operation(i);
	e = invocation_operands(i, 0);
	if (e == ERR_OK)
		e = invocation_request(i, &in);
	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e == ERR_OK)
		e = create_with_alias(k, name, in, &out, &operation);
	json_decref(in);
	keymgr_close(k);
	if (e == ERR_OK)
		return answer_print("CreateKey", out);
	json_decref(out);
	return verb_fail(e, operation);
}

/* Why a key is still there whose window has ended. */
static enum err say_what_it_waits_for(const struct invocation *i, struct keymgr *k)
{
	struct key_metadata m = { 0 };
	enum err e = keymgr_describe_key(k, invocation_value(i, "key-id"), &m);

	if (e == ERR_OK)
		e = deletion_waiting(k, &m);
	key_metadata_release(&m);
	return e;
}

#define ROW(name, operation, parameters, summary, example) \
	{ name, summary, parameters, operation, NULL, name example }

const struct ctl_verb verbs_kms[] = {
	{ "create-key", "make a CMK", create_key, "CreateKey", run_create_key,
	  "create-key --description 'project files' --alias-name alias/projects" },
	{ "describe-key", "a key's metadata", key, "DescribeKey", NULL, "describe-key --key-id alias/projects",
	  .after = say_what_it_waits_for },
	ROW("list-keys", "ListKeys", page, "all keys", ""),
	ROW("update-key-description", "UpdateKeyDescription", update_description, "describe a key anew",
	    " --key-id 1234abcd-12ab-34cd-56ef-1234567890ab --description 'old projects'"),
	ROW("enable-key", "EnableKey", key_by_id, "let a disabled key be used again",
	    " --key-id 1234abcd-12ab-34cd-56ef-1234567890ab"),
	ROW("disable-key", "DisableKey", key_by_id, "refuse every use of a key until it is enabled",
	    " --key-id 1234abcd-12ab-34cd-56ef-1234567890ab"),
	ROW("get-key-last-usage", "GetKeyLastUsage", key_by_id, "when a key was last used, and for what",
	    " --key-id 1234abcd-12ab-34cd-56ef-1234567890ab"),
	ROW("create-alias", "CreateAlias", alias, "give a key a name",
	    " --alias-name alias/app --target-key-id 1234abcd-12ab-34cd-56ef-1234567890ab"),
	ROW("update-alias", "UpdateAlias", alias, "let an alias name another key",
	    " --alias-name alias/app --target-key-id 0987dcba-09fe-87dc-65ba-ab0987654321"),
	ROW("delete-alias", "DeleteAlias", delete_alias, "remove an alias; its key stays", " --alias-name alias/app"),
	ROW("list-aliases", "ListAliases", list_aliases, "all aliases, or those of a key", ""),
	ROW("enable-key-rotation", "EnableKeyRotation", enable_rotation, "rotate a key by itself",
	    " --key-id 1234abcd-12ab-34cd-56ef-1234567890ab --rotation-period-in-days 90"),
	ROW("disable-key-rotation", "DisableKeyRotation", key_by_id, "no longer rotate a key by itself",
	    " --key-id 1234abcd-12ab-34cd-56ef-1234567890ab"),
	ROW("get-key-rotation-status", "GetKeyRotationStatus", key_by_id, "whether and when a key rotates by itself",
	    " --key-id 1234abcd-12ab-34cd-56ef-1234567890ab"),
	ROW("rotate-key-on-demand", "RotateKeyOnDemand", key_by_id, "make a new backing key now (at most 25 times a key)",
	    " --key-id 1234abcd-12ab-34cd-56ef-1234567890ab"),
	ROW("list-key-rotations", "ListKeyRotations", list_rotations, "a key's backing keys",
	    " --key-id 1234abcd-12ab-34cd-56ef-1234567890ab --include-key-material ALL_KEY_MATERIAL"),
	ROW("encrypt", "Encrypt", encrypt, "encrypt at most 4096 bytes under a key",
	    " --key-id alias/projects --plaintext fileb://secret --encryption-context purpose=backup"),
	ROW("decrypt", "Decrypt", decrypt, "decrypt a ciphertext",
	    " --ciphertext-blob fileb://secret.enc --encryption-context purpose=backup"),
	ROW("re-encrypt", "ReEncrypt", re_encrypt, "bring a ciphertext under another key",
	    " --ciphertext-blob fileb://secret.enc --destination-key-id alias/new"),
	ROW("generate-data-key", "GenerateDataKey", data_key, "a data key, in clear and encrypted",
	    " --key-id alias/projects --key-spec AES_256"),
	ROW("generate-data-key-without-plaintext", "GenerateDataKeyWithoutPlaintext", data_key, "a data key, encrypted only",
	    " --key-id alias/projects --key-spec AES_256"),
	ROW("generate-random", "GenerateRandom", random_bytes_of, "random bytes", " --number-of-bytes 32"),
	{ NULL }
};
