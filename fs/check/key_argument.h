/* KEY or KEY:MATERIAL, as commands take it. */
#ifndef REKEYFS_FS_CHECK_KEY_ARGUMENT_H
#define REKEYFS_FS_CHECK_KEY_ARGUMENT_H

#include "keymgr/keymgr.h"

/* KEY is whatever the key manager resolves (id, ARN, alias), or the id of a destroyed key; MATERIAL its KeyMaterialId, 64 hex digits behind the last colon.
 * ERR_KEY_NOT_FOUND with a sentence. */
enum err key_argument_parse(struct keymgr *k, const char *text, struct key_ref *out, int *has_material);

#endif
