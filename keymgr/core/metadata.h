/* A CMK as users of the key manager see it. */
#ifndef REKEYFS_KEYMGR_CORE_METADATA_H
#define REKEYFS_KEYMGR_CORE_METADATA_H

#include "keymgr/core/cmk.h"

/* The caller releases it (key_metadata_release).  ERR_NO_MEMORY. */
enum err metadata_of(const struct cmk *cmk, struct key_metadata *out);

#endif
