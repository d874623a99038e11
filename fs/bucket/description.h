/*
 * rekeyfs.bucket: what a bucket says of itself without a key.
 *
 *   [bucket]
 *   format = 1
 *   id = 6f1c…            a UUID
 *   suite = AES-256-GCM   of new files
 *   keystore = /path      a hint for messages; left out where it does not fit a line
 */
#ifndef REKEYFS_FS_BUCKET_DESCRIPTION_H
#define REKEYFS_FS_BUCKET_DESCRIPTION_H

#include <stddef.h>
#include "base/error.h"
#include "fs/bucket/bucket.h"

#define DESCRIPTION_NAME "rekeyfs.bucket"
#define DESCRIPTION_LEN_MAX 16384

/* `name` stands for the file in messages.  ERR_FORMAT. */
enum err description_parse(const char *name, const char *text, size_t len, struct bucket_description *out);
/* ERR_NOT_FOUND where there is no bucket. */
enum err description_load(int root_fd, const char *path, struct bucket_description *out);
/* Replaces it, durably. */
enum err description_store(int root_fd, const struct bucket_description *d);
/* `out` has room for DESCRIPTION_LEN_MAX. */
size_t description_print(const struct bucket_description *d, char *out);

#endif
