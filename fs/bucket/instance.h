/* A bucket and the key manager's registry: which instance it is there, and how new it has to be. */
#ifndef REKEYFS_FS_BUCKET_INSTANCE_H
#define REKEYFS_FS_BUCKET_INSTANCE_H

#include <stdint.h>
#include "base/error.h"
#include "fs/bucket/state.h"
#include "fs/keys/key_ring.h"

/* ERR_REFUSED where the key manager has no instance of this bucket: a planted bucket never chooses the keys. */
enum err instance_check_known(struct keymgr *k, const uint8_t bucket_id[static UUID_LEN], const char *path);
/* Adds the instance that `s` names, or tells where and that it was seen. */
enum err instance_register(struct keymgr *k, const struct state *s, const char *path);
/* What the key manager was told last of the instance that `s` names; zeros where it was told nothing. */
enum err instance_anchor(struct keymgr *k, const struct state *s, uint64_t *checkpoint_out, uint64_t *policy_generation_out);

#endif
