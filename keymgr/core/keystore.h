/*
 * The contents of a keystore in memory, and their form on disk: a clear head, then one
 * seal over all the rest.  Backing keys stay wrapped.
 *
 * keystore_read_head() needs no key and trusts nothing; keystore_read_body() verifies
 * the seal, with the head as its associated data.  A struct is used by one thread at a time.
 */
#ifndef REKEYFS_KEYMGR_CORE_KEYSTORE_H
#define REKEYFS_KEYMGR_CORE_KEYSTORE_H

#include "keymgr/core/cmk.h"
#include "keymgr/core/lookup.h"
#include "keymgr/core/root_key.h"
#include "keymgr/protectors/protector.h"

#define KEYSTORE_FORMAT 1
#define KEYSTORE_MAX (64u << 20)
#define KEYSTORE_PROTECTORS_MAX 64
#define KEYSTORE_ROOTS_MAX 65536
#define KEYSTORE_CMKS_MAX 100000
#define KEYSTORE_ALIASES_MAX 1000000
#define KEYSTORE_BUCKETS_MAX 65536
#define ALIASES_PER_KEY_MAX 50

/* The MAC keys of an earlier root key: what it vouched for stays verifiable. */
#define PAST_WRAP_LEN (32 + AEAD_WRAP_OVERHEAD)
struct past_root {
	uint8_t proof_public[32];		/* Ed25519: proofs signed then */
	uint8_t audit_wrap[PAST_WRAP_LEN];	/* key of its audit lines */
};

/* A registered bucket instance.  What changes often of it is in the ledger. */
struct registration {
	uint8_t bucket_id[UUID_LEN], instance_id[UUID_LEN];
	uint64_t filesystem, root_inode;
	int64_t registered;
	int replica;
	char *path;		/* at registration */
};

struct keystore {
	/* the clear head */
	uint8_t id[UUID_LEN];
	uint64_t generation;
	struct root_link *links;	/* of epoch 1, 2, … */
	uint32_t epoch;			/* their count: the current root key's */
	struct protector *protectors;
	size_t protector_count;
	/* the sealed body */
	uint64_t ledger_sequence;	/* the ledger is at least this new */
	struct past_root *past;		/* of epochs 1 to epoch - 1 */
	int has_handover;		/* the ledger may still be under the root key before */
	uint8_t handover[PAST_WRAP_LEN];
	struct cmk **cmks;		/* in order of creation */
	size_t cmk_count, cmk_room;
	struct alias_entry *aliases;	/* by name */
	size_t alias_count, alias_room;
	struct registration *buckets;
	size_t bucket_count;
	/* derived */
	struct lookup by_id, by_alias;
};

struct keystore *keystore_new(void);
void keystore_free(struct keystore *s);		/* NULL is fine */

struct cmk *keystore_find_cmk(const struct keystore *s, const uint8_t id[static KEY_ID_LEN]);
struct alias_entry *keystore_find_alias(const struct keystore *s, const char *name);
struct registration *keystore_find_instance(const struct keystore *s, const uint8_t instance_id[static UUID_LEN]);
struct protector *keystore_find_protector(const struct keystore *s, const uint8_t id[static UUID_LEN]);

/* Takes the CMK over, also on an error. */
enum err keystore_add_cmk(struct keystore *s, struct cmk *cmk);
/* There is none of this name yet. */
enum err keystore_add_alias(struct keystore *s, const struct alias_entry *a);
void keystore_remove_alias(struct keystore *s, struct alias_entry *a);
/* Aliases that were put there by name, in order: makes them findable. */
enum err keystore_index_aliases(struct keystore *s);
/* Copies; the path too. */
enum err keystore_add_bucket(struct keystore *s, const struct registration *r);
void keystore_remove_bucket(struct keystore *s, struct registration *r);
enum err keystore_add_protector(struct keystore *s, const struct protector *p);
void keystore_remove_protector(struct keystore *s, struct protector *p);

/* The keys that a root key gives. */
enum root_purpose { ROOT_AUDIT = 1, ROOT_LEDGER = 2 };
/* Of the current epoch, or of an earlier one where it is kept: the audit's for all, the ledger's for the last
 * one (handover).  ERR_NOT_FOUND, ERR_NOT_AUTHENTIC.  The caller wipes. */
enum err keystore_mac_key(const struct keystore *s, const uint8_t root[static ROOT_KEY_LEN], enum root_purpose purpose,
			  uint32_t epoch, uint8_t out[static 32]);
/* The first root key: epoch 1. */
enum err keystore_first_root(struct keystore *s, const uint8_t root[static ROOT_KEY_LEN]);
/* A new root key: everything under the old one is wrapped anew, the link signed, the root sealed to every protector. */
enum err keystore_next_root(struct keystore *s, const uint8_t old_root[static ROOT_KEY_LEN],
			    const uint8_t new_root[static ROOT_KEY_LEN]);

/* malloc'd bytes.  ERR_LIMIT, ERR_NO_MEMORY. */
enum err keystore_write(const struct keystore *s, const uint8_t root[static ROOT_KEY_LEN], uint8_t **out, size_t *len_out);
/* Reads the clear head; `head_len_out`: where the seal begins.  ERR_FORMAT, ERR_UNSUPPORTED. */
enum err keystore_read_head(struct keystore *s, const uint8_t *bytes, size_t len, size_t *head_len_out);
/* Opens the seal and reads the rest.  ERR_NOT_AUTHENTIC, ERR_FORMAT. */
enum err keystore_read_body(struct keystore *s, const uint8_t root[static ROOT_KEY_LEN],
			    const uint8_t *bytes, size_t len, size_t head_len);

#endif
