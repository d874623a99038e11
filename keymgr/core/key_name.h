/*
 * How a key is named by users: a key id, a key ARN, an alias or an alias ARN.
 */
#ifndef REKEYFS_KEYMGR_CORE_KEY_NAME_H
#define REKEYFS_KEYMGR_CORE_KEY_NAME_H

#include "keymgr/core/keystore.h"

#define KEY_ARN_PREFIX "arn:aws:kms:local:000000000000:"
#define KEY_ARN_LEN 128		/* room for one, as in struct key_metadata */

void key_arn(const uint8_t id[static KEY_ID_LEN], char out[static KEY_ARN_LEN]);

/* "alias/" and letters, digits, ":/_-", at most 256 in all. */
int alias_name_valid(const char *name);
/* ERR_ALIAS_NAME with a sentence; names of AWS ("alias/aws/") are refused too. */
enum err alias_name_check(const char *name);

enum key_name_kinds { KEY_NAME_ID_ONLY, KEY_NAME_ANY };
/* The CMK, whatever its state.  ERR_KEY_NOT_FOUND; ERR_ARN for a malformed ARN, and for an alias where
 * only an id or ARN will do. */
enum err key_name_find(const struct keystore *s, const char *key, enum key_name_kinds kinds, struct cmk **out);

#endif
