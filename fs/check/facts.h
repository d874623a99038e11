/* What `info` shows of one path. */
#ifndef REKEYFS_FS_CHECK_FACTS_H
#define REKEYFS_FS_CHECK_FACTS_H

#include <jansson.h>
#include "fs/check/location.h"
#include "fs/tree/tree.h"

/* Of an entry of a bucket by the clear fields alone; `k` may be NULL.  {"Path", "BucketId", "KeyId", "Alias", "KeyMaterialId", "KeyMaterialOrdinal",
 * "CipherSuite", "Size", "KeyState", …} for a file, {"Path", "BucketId", "DirectoryId"} for a directory, {"Path", "BucketId", "Type"} for all else.
 * `bucket_root`: of the bucket it lies in. */
enum err facts_of_entry(const char *path, const char *bucket_root, struct keymgr *k, json_t **out);

/* Of a plain path (relative to the root) in an open bucket: with the size that the mount shows, and a directory's policy. */
enum err facts_of_path(struct tree *t, const char *plain_path, json_t **out);

#endif
