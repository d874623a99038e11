/* Parts of answers, with KMS's member names in KMS's order.  New references; NULL without memory. */
#ifndef REKEYFS_KEYMGR_API_SHAPES_H
#define REKEYFS_KEYMGR_API_SHAPES_H

#include <jansson.h>
#include "keymgr/keymgr.h"

#define SHAPE_ACCOUNT "000000000000"

json_t *shape_key_id(const uint8_t key_id[static KEY_ID_LEN]);
json_t *shape_key_arn(const uint8_t key_id[static KEY_ID_LEN]);
json_t *shape_material_id(const uint8_t material_id[static MATERIAL_ID_LEN]);
/* KeyMetadata. */
json_t *shape_key_metadata(const struct key_metadata *m);
/* The answer of ScheduleKeyDeletion. */
json_t *shape_deletion(const struct key_metadata *m);
/* An entry of Aliases. */
json_t *shape_alias(const struct alias_entry *a);
/* An entry of Rotations. */
json_t *shape_rotation(const uint8_t key_id[static KEY_ID_LEN], const struct material *m);

/* Takes `value` over, also on an error.  ERR_NO_MEMORY, also where `value` is NULL. */
enum err shape_set(json_t *object, const char *name, json_t *value);

/* Numbers that are dates become text as `aws` prints them ("2026-11-24T08:17:58+00:00"), everywhere
 * inside `value`.  ERR_NO_MEMORY. */
enum err shape_dates(json_t *value);

#endif
