/* A keystore of its own for a test, opened. */
#ifndef REKEYFS_TESTS_UNIT_API_KEYSTORE_H
#define REKEYFS_TESTS_UNIT_API_KEYSTORE_H

#include <jansson.h>
#include "keymgr/keymgr.h"

/* Group setup and teardown: `*state` is the struct keymgr. */
int keystore_setup(void **state);
int keystore_teardown(void **state);

/* api_call() with a request as text; fails the test unless `expected` comes.  The answer, or NULL. */
json_t *call(struct keymgr *k, const char *operation, const char *request, enum err expected);
/* A new key's id. */
void new_key(struct keymgr *k, char out[static UUID_TEXT_LEN + 1]);
/* Text of a member of the answer, which may lie in an object ("KeyMetadata.KeyId"). */
const char *text_of(const json_t *answer, const char *path);
/* A request in which each %K is a key's id. */
const char *with_key(const char *format, const char *key);

#endif
