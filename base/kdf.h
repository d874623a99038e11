/*
 * The one key derivation: keyed BLAKE2b-256 (libsodium crypto_generichash) over
 * fixed-width fields, in this order:
 *
 *   label   16 bytes, zero padded     suite  u8      epoch  u32 LE
 *   number  u64 LE (group)            a      16 bytes (bucket id)
 *   b       16 bytes (file or directory id)
 *
 * Every label of the project stands here, so that none is used for two things.
 */
#ifndef REKEYFS_BASE_KDF_H
#define REKEYFS_BASE_KDF_H

#include <stddef.h>
#include <stdint.h>

#define KDF_KEY_LEN 32
#define KDF_ID_LEN 16

/* A bucket: */
#define KDF_BLOCK      "block"		/* file key, suite, epoch, group -> cipher key of a group's blocks */
#define KDF_TAG_PAGE   "tagpage"	/* file key, suite, epoch, group -> MAC key of a group's tag pages */
#define KDF_COMMIT     "commit"		/* any wrapped key -> check value in its slot */
#define KDF_XATTR      "xattr"		/* file key or names key -> extended attributes' values */
#define KDF_XATTR_NAME "xattr-name"	/* names key, node id -> their lower names */
#define KDF_NAME_SIV   "name-siv"	/* names key, directory id -> synthetic IV of names */
#define KDF_NAME       "name"		/* names key, directory id -> cipher of names */
#define KDF_LONG_NAME  "long-name"	/* names key, directory id -> hash of long cipher names */
#define KDF_DIRECTORY  "directory"	/* names key -> MAC of directory headers */
#define KDF_SYMLINK    "symlink"	/* names key, link id -> cipher of a symlink's target */
#define KDF_STATE      "state"		/* names key -> MAC of rekeyfs.state */
#define KDF_POLICY     "policy"		/* names key -> seal of rekeyfs.policy */
#define KDF_JOB        "job"		/* names key -> MAC of job files */
/* A keystore: */
#define KDF_KEYSTORE   "keystore"	/* root key -> seal of the keystore file */
#define KDF_MATERIAL   "material"	/* root key -> wrap of backing keys */
#define KDF_AUDIT      "audit"		/* root key -> MAC of audit lines */
#define KDF_KS_STATE   "ks-state"	/* root key -> MAC of keystore.state */
#define KDF_PROOF      "proof"		/* root key -> Ed25519 seed that signs proofs */
#define KDF_PROTECTOR  "protector"	/* a protector's secret -> MAC of its record */
#define KDF_CIPHERTEXT "ciphertext"	/* backing key -> cipher key of ciphertext blobs */
#define KDF_MATERIAL_ID "material-id"	/* backing key, CMK id -> KeyMaterialId */
#define KDF_ROOT_LINK  "root-link"	/* root key -> Ed25519 seed that signs the next root key */
#define KDF_PAST       "past"		/* root key -> wrap of an earlier root key's MAC keys */
#define KDF_PROTECTOR_KEY "protector-key" /* a protector's secret -> wrap of its private key */

struct kdf_fields {
	uint8_t suite;
	uint32_t epoch;
	uint64_t number;
	const uint8_t *a;	/* 16 bytes, or NULL for zeros */
	const uint8_t *b;	/* 16 bytes, or NULL for zeros */
};

/* `fields` may be NULL: all zero.  `label` has at most 16 characters. */
void kdf(const uint8_t key[static KDF_KEY_LEN], const char *label,
	 const struct kdf_fields *fields, uint8_t out[static KDF_KEY_LEN]);

/* Keyed BLAKE2b of `len` bytes to `out_len` (16 to 64) bytes: the one MAC. */
void kdf_mac(const uint8_t key[static KDF_KEY_LEN], const void *bytes, size_t len,
	     uint8_t *out, size_t out_len);

#endif
