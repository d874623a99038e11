/*
 * rekeyfs.policy, byte by byte:
 *
 *   magic "rekeypol" 8 | format u16 | reserved u16 | generation u64 | nonce 24 | tag 16 |
 *   ciphertext of: root directory id 16 | count u32 |
 *                  count times (directory id 16 | on_rename u8 | enforce u8 | after_rotation u8 | key length u16 | key) |
 *                  zeros up to a multiple of 4,096
 *
 * XChaCha20-Poly1305 under KDF(names key, "policy", a = bucket id), associated data: the bucket id and all before the nonce.
 * Policies are in ascending order of directory id, each id once, the root's among them.
 */
#ifndef REKEYFS_FS_POLICY_POLICY_FILE_H
#define REKEYFS_FS_POLICY_POLICY_FILE_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "fs/policy/policy.h"

#define POLICY_FILE_NAME "rekeyfs.policy"
#define POLICY_COUNT_MAX 65536u
#define POLICY_FILE_MAX (32u * 1024 * 1024)

struct policy_list {
	uint8_t root_dir_id[UUID_LEN];
	uint64_t generation;
	size_t count, room;
	struct policy *policies;	/* ascending directory id */
};
void policy_list_release(struct policy_list *l);
/* The place of a directory's policy, or where it would go. */
size_t policy_list_find(const struct policy_list *l, const uint8_t dir_id[static UUID_LEN], int *found_out);

/* malloc'd; the caller frees.  ERR_NO_MEMORY. */
enum err policy_file_seal(const struct policy_list *in, const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN],
			  uint8_t **out, size_t *len_out);
/* ERR_NOT_AUTHENTIC, ERR_FORMAT.  Release `out` where it succeeds. */
enum err policy_file_open(const uint8_t *in, size_t len, const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN],
			  struct policy_list *out);

#endif
