/*
 * Targets of symbolic links: under KDF(names key, "symlink", b = link id), with a random id inside, so that a rename or a hard
 * link changes nothing:  base64url(id 16 | nonce 24 | tag 16 | ciphertext), XChaCha20-Poly1305, associated data bucket id | id.
 * Too long for the lower symlink (over 4,095 characters): the same bytes, not base64url, with magic "rekeysym" before them, in a regular file of
 * under 8 pages: no content file has such a size.
 */
#ifndef REKEYFS_FS_NAMES_SYMLINK_H
#define REKEYFS_FS_NAMES_SYMLINK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/error.h"
#include "base/uuid.h"

#define SYMLINK_PLAIN_MAX 4095
#define SYMLINK_OVERHEAD 56
#define SYMLINK_FILE_MAGIC "rekeysym"
#define SYMLINK_SHORT_MAX 3015		/* longest plain target that a lower symlink holds */
#define SYMLINK_SEALED_MAX (8 + SYMLINK_OVERHEAD + SYMLINK_PLAIN_MAX)

/* Text (NUL-ended) for a lower symlink where `len` <= SYMLINK_SHORT_MAX, else bytes for a file. */
enum err symlink_seal(const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN], const char *target, size_t len,
		      uint8_t out[static SYMLINK_SEALED_MAX + 1], size_t *len_out, int *is_file_out);
/* ERR_NOT_AUTHENTIC, ERR_FORMAT.  `out` gets a NUL. */
enum err symlink_open(const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN], const uint8_t *sealed, size_t len, int is_file,
		      char out[static SYMLINK_PLAIN_MAX + 1], size_t *len_out);
/* 1 where a lower regular file of this size is a long symlink. */
int symlink_is_file(const struct stat *lower);
/* Plain st_size by the lower stat alone (lower symlink or file). */
uint64_t symlink_plain_size(const struct stat *lower);

#endif
