/* The KEY of the root's policy: its one text form, and finding it by the hint in the bucket's record. */
#ifndef REKEYFS_FS_BUCKET_ROOT_KEY_H
#define REKEYFS_FS_BUCKET_ROOT_KEY_H

#include <stdint.h>
#include "base/error.h"
#include "fs/bucket/state.h"
#include "fs/keys/key_ring.h"
#include "fs/policy/policy.h"

/* ARNs lose what stands before "alias/", or before the id.  ERR_INVALID: empty or too long. */
enum err root_key_text(const char *key, char out[static POLICY_KEY_MAX + 1]);
/* The CMK that the root policy names now, by the record's hint.  ERR_NOT_FOUND where no alias or key has that hint. */
enum err root_key_by_hint(struct key_ring *r, const struct state *s, uint8_t key_id_out[static KEY_ID_LEN]);

#endif
