/*
 * Extended attributes (user.*, trusted.*) as they lie in the bucket.  The lower name is `user.rekeyfs.` or `trusted.rekeyfs.` and
 * base64url of 24 bytes of keyed BLAKE2b(KDF(names key, "xattr-name", b = node id)) of the plain name; the value holds name and value:
 *   version u8 | epoch u32 | nonce 24 | tag 16 | XChaCha20-Poly1305 of (name length u8 | name | value)
 * under KDF(key, "xattr", epoch, a = bucket id, b = node id), where key is the file key for regular files (epoch: its epoch), and the names key (epoch 0)
 * for directories (node id: directory id) and all else (node id zero).  Associated data: bucket id | node id | epoch | lower name.
 */
#ifndef REKEYFS_FS_NAMES_SEALED_XATTR_H
#define REKEYFS_FS_NAMES_SEALED_XATTR_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/uuid.h"

#define XATTR_LOWER_MAX 64
#define XATTR_SEALED_OVERHEAD (1 + 4 + 24 + 16 + 1)

struct xattr_key {
	const uint8_t *names_key, *bucket_id, *node_id;	/* 32, 16, 16 bytes */
	const uint8_t *key;		/* 32: file key or names key */
	uint32_t epoch;
};

/* 1 where `name` is one that is sealed (user.*, trusted.*), 0 where it passes through (security.*, system.*). */
int xattr_is_sealed(const char *name);
/* ERR_TOO_LONG over 255 characters. */
enum err xattr_lower_name(const struct xattr_key *k, const char *name, char out[static XATTR_LOWER_MAX]);
/* 1 where a lower name is a sealed one of ours. */
int xattr_is_lower(const char *lower);
/* `out` has room for XATTR_SEALED_OVERHEAD + strlen(name) + len. */
enum err xattr_seal(const struct xattr_key *k, const char *lower, const char *name, const void *value, size_t len, uint8_t *out, size_t *len_out);
/* The epoch that a sealed value is under (no key).  ERR_FORMAT. */
enum err xattr_epoch(const uint8_t *sealed, size_t len, uint32_t *epoch_out);
/* `out` has room for `len`: receives the value; name_out 256 bytes.  ERR_NOT_AUTHENTIC. */
enum err xattr_open(const struct xattr_key *k, const char *lower, const uint8_t *sealed, size_t len, char *name_out, uint8_t *out, size_t *len_out);

#endif
