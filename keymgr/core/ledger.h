/*
 * The ledger, `keystore.state`: what changes often.  Bucket instances as they were last
 * seen, their anchors, leases and scans, what was made outside buckets, last usage, the
 * audit chain's head, and the newest generation of the keystore that was ever written.
 *
 * Two copies in one file, written in turn, each whole and synced, MACed under a key of the
 * root key; the valid one with the higher sequence counts.  A lost or older ledger never
 * opens a gate: `lost_at` then makes what it would have counted unknown.
 */
#ifndef REKEYFS_KEYMGR_CORE_LEDGER_H
#define REKEYFS_KEYMGR_CORE_LEDGER_H

#include "keymgr/core/keystore.h"

#define LEDGER_COPY_LEN (8u << 20)	/* of the file for a copy; only what is used is written */
#define LEDGER_HEAD_LEN 64
#define LEDGER_ENTRIES_MAX 100000
#define BOOT_ID_LEN 16

/* A registered instance as it was last seen. */
struct sighting {
	uint8_t instance_id[UUID_LEN];
	int64_t last_seen;
	uint64_t checkpoint, policy_generation;
	char *path;
};

struct lease {
	uint8_t instance_id[UUID_LEN], key_id[KEY_ID_LEN];
	int64_t taken;			/* time of day */
	int64_t taken_boot;		/* CLOCK_BOOTTIME */
	uint8_t boot_id[BOOT_ID_LEN];	/* on which boot of which machine */
	int64_t acknowledged;		/* 0: not */
};

struct scan {
	uint8_t instance_id[UUID_LEN], key_id[KEY_ID_LEN], material_id[MATERIAL_ID_LEN];
	int64_t started, ended;
	uint64_t references, unreadable, files;
	int64_t started_boot;		/* the same moment on CLOCK_BOOTTIME, and of which boot */
	uint8_t boot_id[BOOT_ID_LEN];
	char *first_unreadable;		/* never NULL */
};

enum usage_operation { USED_NEVER, USED_ENCRYPT, USED_DECRYPT, USED_RE_ENCRYPT, USED_GENERATE_DATA_KEY, USED_MIGRATE };
struct usage {
	struct key_ref ref;
	uint64_t data_keys, ciphertexts;	/* made outside buckets */
	int64_t last_used;
	uint8_t operation;
	uint8_t encrypted;			/* ever, buckets included */
};

struct ledger {
	uint64_t sequence;
	uint32_t epoch;			/* of the root key under whose MAC it stands */
	uint64_t generation;		/* the newest of the keystore that was written */
	uint64_t audit_sequence;	/* the last audit line known to be whole */
	uint8_t audit_hash[32];
	int64_t clock_offset;		/* as it was last audited */
	int64_t since;			/* usage is counted since */
	int64_t lost_at;		/* an earlier ledger was lost, then; 0 */
	struct sighting *sightings;
	struct lease *leases;
	struct scan *scans;
	struct usage *usages;
	uint32_t sighting_count, lease_count, scan_count, usage_count;
};

void ledger_release(struct ledger *l);
struct sighting *ledger_find_sighting(const struct ledger *l, const uint8_t instance_id[static UUID_LEN]);
struct lease *ledger_find_lease(const struct ledger *l, const uint8_t instance_id[static UUID_LEN],
				const uint8_t key_id[static KEY_ID_LEN]);
struct scan *ledger_find_scan(const struct ledger *l, const uint8_t instance_id[static UUID_LEN],
			      const uint8_t key_id[static KEY_ID_LEN], const uint8_t material_id[static MATERIAL_ID_LEN]);
struct usage *ledger_find_usage(const struct ledger *l, const struct key_ref *ref);

/* Found or added, all else zero.  ERR_LIMIT, ERR_NO_MEMORY. */
enum err ledger_sighting(struct ledger *l, const uint8_t instance_id[static UUID_LEN], struct sighting **out);
enum err ledger_lease(struct ledger *l, const uint8_t instance_id[static UUID_LEN],
		      const uint8_t key_id[static KEY_ID_LEN], struct lease **out);
enum err ledger_scan(struct ledger *l, const uint8_t instance_id[static UUID_LEN], const uint8_t key_id[static KEY_ID_LEN],
		     const uint8_t material_id[static MATERIAL_ID_LEN], struct scan **out);
enum err ledger_usage(struct ledger *l, const struct key_ref *ref, struct usage **out);
/* Drops all that is of an instance, or of a key. */
void ledger_forget_instance(struct ledger *l, const uint8_t instance_id[static UUID_LEN]);
void ledger_forget_key(struct ledger *l, const uint8_t key_id[static KEY_ID_LEN]);

/* A whole copy with its MAC under `mac_key`, malloc'd.  ERR_LIMIT, ERR_NO_MEMORY. */
enum err ledger_write(const struct ledger *l, const uint8_t keystore_id[static UUID_LEN],
		      const uint8_t mac_key[static 32], uint8_t **out, size_t *len_out);
/* Sequence, epoch and whole length as a copy's head (LEDGER_HEAD_LEN bytes) has them; nothing is verified. */
enum err ledger_read_head(const uint8_t *bytes, const uint8_t keystore_id[static UUID_LEN],
			  uint64_t *sequence_out, uint32_t *epoch_out, size_t *len_out);
/* ERR_NOT_AUTHENTIC, ERR_FORMAT, ERR_NO_MEMORY. */
enum err ledger_read(const uint8_t *bytes, size_t len, const uint8_t keystore_id[static UUID_LEN],
		     const uint8_t mac_key[static 32], struct ledger *out);

#endif
