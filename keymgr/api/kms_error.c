#include "keymgr/api/kms_error.h"

#include <string.h>

#define INTERNAL "KMSInternalException"

/* A code's first row is the name that it gets; all rows are understood. */
static const struct row {
	enum err code;
	const char *name;
} table[] = {
	{ ERR_KEY_NOT_FOUND, "NotFoundException" },
	{ ERR_KEY_DISABLED, "DisabledException" },
	{ ERR_KEY_STATE, "KMSInvalidStateException" },
	{ ERR_KEY_UNAVAILABLE, "KeyUnavailableException" },
	{ ERR_ALREADY_EXISTS, "AlreadyExistsException" },
	{ ERR_LIMIT_EXCEEDED, "LimitExceededException" },
	{ ERR_VALIDATION, "ValidationException" },
	{ ERR_ALIAS_NAME, "InvalidAliasNameException" },
	{ ERR_ARN, "InvalidArnException" },
	{ ERR_CIPHERTEXT, "InvalidCiphertextException" },
	{ ERR_INCORRECT_KEY, "IncorrectKeyException" },
	{ ERR_OPERATION, "UnsupportedOperationException" },
	{ ERR_MARKER, "InvalidMarkerException" },
	{ ERR_DRY_RUN, "DryRunOperationException" },
	{ ERR_CONFLICT, "ConflictException" },
	{ ERR_SERIALIZATION, "SerializationException" },
	{ ERR_UNKNOWN_OPERATION, "UnknownOperationException" },
	{ ERR_GRANT_TOKEN, "InvalidGrantTokenException" },
	{ ERR_KEY_USAGE, "InvalidKeyUsageException" },
	/* KMS knows nothing of a key that it destroyed. */
	{ ERR_KEY_DESTROYED, "NotFoundException" },
	{ ERR_INTERNAL, INTERNAL },
	{ ERR_KEY_UNAVAILABLE, "DependencyTimeoutException" },
};

#define ROWS (sizeof(table) / sizeof(table[0]))

const char *kms_error_name(enum err e)
{
	for (size_t i = 0; i < ROWS; i++)
		if (table[i].code == e && e != ERR_INTERNAL)
			return table[i].name;
	return NULL;
}

enum err kms_error_parse(const char *name)
{
	const char *hash = strrchr(name, '#');

	if (hash)
		name = hash + 1;
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].code;
	return ERR_INTERNAL;
}

json_t *kms_error_json(enum err e)
{
	const char *name = kms_error_name(e);

	return json_pack("{s:s, s:s}", "__type", name ? name : INTERNAL,
			 "message", name ? err_message(e) : err_text(ERR_INTERNAL));
}
