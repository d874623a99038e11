/*
 * The key manager as its users see it: a container of CMKs (KMS's customer master
 * keys), each a container of backing keys.  Semantics, limits and errors are those
 * of AWS KMS; the names too.
 *
 * Calling order: keymgr_create() once, keymgr_open() in every process, any calls,
 * keymgr_close().  A handle may be used by several threads.  Several processes may
 * hold one keystore open: every call sees what others changed (changes are made
 * under the keystore's lock, readers notice a new generation), and keymgr_watch()
 * tells within a second.
 *
 * KEY arguments are text and take, as in KMS, a key id (UUID), a key ARN, an alias
 * ("alias/x") or an alias ARN; where KMS takes an id or ARN only, an alias gives
 * ERR_ARN... as kms-semantics has it.  Errors carry a sentence (err_message).
 */
#ifndef REKEYFS_KEYMGR_KEYMGR_H
#define REKEYFS_KEYMGR_KEYMGR_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/secret.h"
#include "base/uuid.h"

#define KEY_ID_LEN UUID_LEN
#define MATERIAL_ID_LEN 32
#define BLOB_MAX 272		/* longest ciphertext of a 32-byte data key (AWS: 184) that a file header holds */
#define CIPHERTEXT_MAX 6144
#define PLAINTEXT_MAX 4096
#define ALIAS_MAX 256
#define DESCRIPTION_MAX 8192

enum key_state { KEY_ENABLED = 1, KEY_DISABLED, KEY_PENDING_DELETION, KEY_PENDING_IMPORT, KEY_UNAVAILABLE,
		 KEY_DESTROYED /* not of KMS: a tombstone */, KEY_ABSENT };
const char *key_state_name(enum key_state s);	/* "Enabled", "PendingDeletion", …, "Destroyed", "Absent" */

/* A CMK and one of its backing keys. */
struct key_ref {
	uint8_t key_id[KEY_ID_LEN];
	uint8_t material_id[MATERIAL_ID_LEN];
};

/* An encryption context: string pairs in any order, matched exactly, never secret. */
struct context_pair { const char *name, *value; };
struct context { const struct context_pair *pairs; size_t count; };

/* A ciphertext blob.  It carries key id and material id in clear. */
struct blob { uint16_t len; uint8_t bytes[BLOB_MAX]; };

/* --- opening ------------------------------------------------------------------ */

/* How a protector's secret is found.  All NULL/0: try what opens without a question
 * (a remembered keyfile), then prompt on the terminal. */
struct unlock {
	const char *keyfile;	/* --keyfile */
	const char *passfile;	/* --passfile: first line is the passphrase */
	const char *extpass;	/* --extpass: a command that prints it; never read from the keystore */
	int no_prompt;		/* fail with ERR_LOCKED instead of asking */
};

enum protector_kind { PROTECTOR_PASSPHRASE = 1, PROTECTOR_KEYFILE, PROTECTOR_COMMAND, PROTECTOR_RECOVERY };

struct keymgr;		/* an open keystore */

/* $REKEYFS_KEYSTORE, else $XDG_DATA_HOME/rekeyfs/keystore, for root /var/lib/rekeyfs/keystore.
 * malloc'd; the caller frees. */
char *keymgr_default_path(void);

struct keymgr_create_options {
	enum protector_kind kind;	/* of the first protector */
	const char *keyfile;	/* KEYFILE: made with 32 random bytes and mode 0600 where absent; NULL: PATH.key */
	struct unlock unlock;	/* PASSPHRASE, COMMAND: where the secret comes from */
};

/* A new keystore at `path` (its directory is made, mode 0700).  ERR_EXISTS. */
enum err keymgr_create(const char *path, const struct keymgr_create_options *options);

/* ERR_NOT_FOUND, ERR_LOCKED (no protector opens it), ERR_FORMAT, ERR_NOT_AUTHENTIC, ERR_ROLLBACK.  Any later call may
 * give these too, since it looks at the file: ERR_LOCKED where the protector that opened it was removed or changed
 * (open it again), ERR_CONFLICT where another keystore took its place.  A keystore that cannot be written opens and
 * decrypts; what changes it is ERR_REFUSED.  Secrets do not survive a fork: open it in the process that uses it.
 * Due work (rotations, deletions) is done at opening unless `no_due`. */
enum err keymgr_open(const char *path, const struct unlock *unlock, int no_due, struct keymgr **out);
void keymgr_close(struct keymgr *k);

/* The keystore's path, and its id (a UUID). */
const char *keymgr_path(const struct keymgr *k);
void keymgr_id(const struct keymgr *k, uint8_t out[static UUID_LEN]);

/* A number that grows with every change of keys, aliases or states by any process; cheap (a stat
 * or less).  A mount compares it each second. */
enum err keymgr_generation(struct keymgr *k, uint64_t *out);
/* An inotify descriptor that becomes readable when the keystore may have changed; owned by `k`.  It is read
 * away by keymgr_generation(), which is what to call then.  -1 where the system gives none. */
int keymgr_watch(struct keymgr *k);

/* --- data keys: what a mount uses ---------------------------------------------- */

/* A new 32-byte data key under KEY's current backing key.  ERR_KEY_NOT_FOUND, ERR_KEY_DISABLED, ERR_KEY_STATE. */
enum err keymgr_generate_data_key(struct keymgr *k, const char *key, const struct context *context,
				  struct secret **key_out, struct blob *blob_out, struct key_ref *ref_out);
/* The data key in `blob`.  ERR_CIPHERTEXT (damaged, or another context), ERR_KEY_DISABLED, ERR_KEY_STATE,
 * ERR_KEY_NOT_FOUND; ERR_KEY_DESTROYED where the key or its material is known to be destroyed. */
enum err keymgr_decrypt_data_key(struct keymgr *k, const void *blob, size_t len, const struct context *context,
				 struct secret **key_out, struct key_ref *ref_out);
/* MigrateDataKey: the one operation that a key in PendingDeletion (or a disabled one: no) still does.  Re-wraps
 * a data key under an enabled KEY, for the context of a registered bucket (`bucket_id` must be the value of
 * the context's "bucket", as UUID text; ERR_REFUSED where that is not registered), and returns the new blob; the
 * plaintext never leaves the key manager. */
enum err keymgr_migrate_data_key(struct keymgr *k, const void *blob, size_t len, const struct context *context,
				 const char *to_key, struct blob *blob_out, struct key_ref *ref_out);
/* What a blob says of itself in clear, without any key.  ERR_CIPHERTEXT. */
enum err blob_ref(const void *blob, size_t len, struct key_ref *out);

/* --- keys ---------------------------------------------------------------------- */

struct key_metadata {
	uint8_t key_id[KEY_ID_LEN];
	char arn[128];
	char *description;		/* owned by the struct; key_metadata_release */
	enum key_state state;
	int64_t created, deletion_date;	/* deletion_date: 0 unless pending */
	int pending_window_days;
	uint8_t current_material[MATERIAL_ID_LEN];
	int material_count;
	int rotation_enabled, rotation_period_days;
	int64_t next_rotation;		/* 0 without */
	int on_demand_rotations;
	int encrypt_refused;		/* set by retire-key: no policy or alias brings it back */
	int shred;			/* pending deletion is crypto-shredding: no proof is asked */
};
void key_metadata_release(struct key_metadata *m);

enum err keymgr_create_key(struct keymgr *k, const char *description, struct key_metadata *out);
enum err keymgr_describe_key(struct keymgr *k, const char *key, struct key_metadata *out);
/* By id, without taking a destroyed or absent key for an error. */
enum key_state keymgr_key_state(struct keymgr *k, const uint8_t key_id[static KEY_ID_LEN]);
/* Resolve KEY to an id (aliases too).  ERR_KEY_NOT_FOUND. */
enum err keymgr_resolve(struct keymgr *k, const char *key, uint8_t out[static KEY_ID_LEN]);
/* Calls `each` for every key in order of creation until it returns non-zero. */
enum err keymgr_list_keys(struct keymgr *k, int (*each)(void *context, const struct key_metadata *m), void *context);
enum err keymgr_update_description(struct keymgr *k, const char *key, const char *description);
enum err keymgr_enable_key(struct keymgr *k, const char *key);
enum err keymgr_disable_key(struct keymgr *k, const char *key);

struct alias_entry { char name[ALIAS_MAX + 1]; uint8_t key_id[KEY_ID_LEN]; int64_t created, updated; };
enum err keymgr_create_alias(struct keymgr *k, const char *alias, const char *key);
enum err keymgr_update_alias(struct keymgr *k, const char *alias, const char *key);
enum err keymgr_delete_alias(struct keymgr *k, const char *alias);
/* `key` NULL: all.  By name. */
enum err keymgr_list_aliases(struct keymgr *k, const char *key, int (*each)(void *context, const struct alias_entry *a), void *context);

struct material {
	uint8_t id[MATERIAL_ID_LEN];
	int current, on_demand, first, destroyed;
	int ordinal;			/* 1 is the first */
	int64_t date;			/* of creation, by rotation but for the first */
	uint64_t data_keys, ciphertexts;	/* made under it outside buckets; bucket keys are not counted */
};
enum err keymgr_enable_rotation(struct keymgr *k, const char *key, int period_days /* 0: 365 or what it was */);
enum err keymgr_disable_rotation(struct keymgr *k, const char *key);
enum err keymgr_rotate_on_demand(struct keymgr *k, const char *key);
enum err keymgr_list_materials(struct keymgr *k, const char *key, int (*each)(void *context, const struct material *m), void *context);
/* Ordinal of a material, 0 where unknown. */
int keymgr_material_ordinal(struct keymgr *k, const struct key_ref *ref);

/* Through the same gate as a whole key: ERR_REFUSED, with the reasons, unless proved unused (or never used), and for
 * the current one; ERR_NOT_FOUND, ERR_KEY_DESTROYED. */
enum err keymgr_destroy_material(struct keymgr *k, const char *key, const uint8_t material[static MATERIAL_ID_LEN], int ignore_external);

struct deletion_options { int window_days /* 0: 30 */; int shred; const char *confirm /* shred: the id typed again */; int ignore_external; };
enum err keymgr_schedule_deletion(struct keymgr *k, const char *key, const struct deletion_options *o, struct key_metadata *out);
enum err keymgr_cancel_deletion(struct keymgr *k, const char *key);
/* encrypt = no: no alias, policy or data key uses it from now on (retire-key). */
enum err keymgr_refuse_encrypt(struct keymgr *k, const char *key, int refuse);

/* --- plain cryptography (rekeyctl encrypt …) ------------------------------------- */

/* out buffers: CIPHERTEXT_MAX and PLAINTEXT_MAX bytes. */
enum err keymgr_encrypt(struct keymgr *k, const char *key, const struct context *context, const void *in, size_t len,
			uint8_t *out, size_t *len_out, struct key_ref *ref_out);
/* `key` NULL, or the key that must have been used (ERR_INCORRECT_KEY). */
enum err keymgr_decrypt(struct keymgr *k, const char *key, const struct context *context, const void *in, size_t len,
			struct secret **out, struct key_ref *ref_out);
enum err keymgr_re_encrypt(struct keymgr *k, const char *from /* or NULL */, const struct context *from_context, const void *in, size_t len,
			   const char *to, const struct context *to_context,
			   uint8_t *out, size_t *len_out, struct key_ref *from_ref_out, struct key_ref *to_ref_out);
/* A data key of 1 to 1024 bytes for a client: counted against its backing key. */
enum err keymgr_client_data_key(struct keymgr *k, const char *key, const struct context *context, size_t bytes,
				struct secret **key_out, uint8_t *blob_out /* CIPHERTEXT_MAX */, size_t *len_out, struct key_ref *ref_out);

/* GetKeyLastUsage: the last successful cryptographic operation under a key, by any process. */
struct key_usage {
	char operation[48];		/* "GenerateDataKey", …; empty where none was noted */
	int64_t when;			/* of it; 0 */
	int64_t tracked_since;		/* since when uses are noted, the key's creation at the earliest */
};
enum err keymgr_last_usage(struct keymgr *k, const char *key, struct key_usage *out);

/* --- buckets: registry, anchors, scans -------------------------------------------- */

/* A bucket instance: a copy that is mounted elsewhere (another file system or root inode) is another one. */
struct bucket_instance {
	uint8_t bucket_id[UUID_LEN], instance_id[UUID_LEN];
	char *path;			/* where it was last seen; owned by the struct */
	uint64_t filesystem, root_inode;
	int64_t registered, last_seen;
	uint64_t checkpoint, policy_generation;	/* the anchor: the newest that was ever told */
	int replica;			/* made known by register-replica: cannot be scanned */
};
void bucket_instance_release(struct bucket_instance *b);

/* Adds the instance, or updates path and last_seen of the one with this instance id. Audited. */
enum err keymgr_register_bucket(struct keymgr *k, const struct bucket_instance *b);
enum err keymgr_forget_bucket(struct keymgr *k, const uint8_t instance_id[static UUID_LEN], const char *confirm);
enum err keymgr_list_buckets(struct keymgr *k, int (*each)(void *context, const struct bucket_instance *b), void *context);
/* ERR_NOT_FOUND unless bucket and instance are registered. */
enum err keymgr_find_bucket(struct keymgr *k, const uint8_t bucket_id[static UUID_LEN],
			    const uint8_t *instance_id /* or NULL: any */, struct bucket_instance *out);
/* The anchor only grows. */
enum err keymgr_anchor_bucket(struct keymgr *k, const uint8_t instance_id[static UUID_LEN], uint64_t checkpoint, uint64_t policy_generation);

/* What a mount tells of its bucket keys.  A lease is taken when a data key for a bucket context is generated or
 * decrypted for `instance_id` (take it before: a key that is stopped in between then refuses); it ends by itself after
 * its TTL (BUCKET_KEY_TTL and a minute), or when the mount acknowledges.  Taking a young one again costs nothing. */
#define BUCKET_KEY_TTL 86400
enum err keymgr_take_lease(struct keymgr *k, const uint8_t instance_id[static UUID_LEN], const uint8_t key_id[static KEY_ID_LEN]);
/* "I hold no bucket key of this CMK that could still encrypt": the barrier; the scan begins after. */
enum err keymgr_acknowledge_barrier(struct keymgr *k, const uint8_t instance_id[static UUID_LEN], const uint8_t key_id[static KEY_ID_LEN]);

struct scan_report {
	uint8_t instance_id[UUID_LEN];
	uint8_t key_id[KEY_ID_LEN];
	uint8_t material_id[MATERIAL_ID_LEN];	/* all zero: every material of the key */
	int64_t started, ended;			/* clock_now() */
	uint64_t references, unreadable;	/* files, names key, policies that need it; what could not be read */
	char *first_unreadable;			/* cipher path of one, or NULL */
	uint64_t files;				/* looked at */
};
/* Kept per instance and key; replaces the last one.  Zero counts are what the deletion waits for. */
enum err keymgr_report_scan(struct keymgr *k, const struct scan_report *report);
/* Why KEY in PendingDeletion would not be destroyed now: one line a reason ("bucket … at …: not scanned since …, run
 * rekeyfs migrate run …"), malloc'd text, empty where nothing stands in the way but the date. */
enum err keymgr_deletion_blockers(struct keymgr *k, const char *key, char **text_out);

/* Rotations whose day has come, deletions whose window has ended and whose gate is open. Under the lock only one acts. */
struct due_summary { int rotated, destroyed, waiting; };
enum err keymgr_run_due(struct keymgr *k, struct due_summary *out);

/* --- protectors, root, backup, audit ------------------------------------------------ */

struct protector_info { uint8_t id[UUID_LEN]; enum protector_kind kind; char hint[256] /* keyfile path */; int64_t created;
			uint64_t argon2_memory; uint32_t argon2_passes; };
enum err keymgr_list_protectors(struct keymgr *k, int (*each)(void *context, const struct protector_info *p), void *context);
/* A recovery code: 36 digits in nine groups of four, to be printed and put away.  A text that is one opens
 * the keystore wherever a passphrase is asked for. */
#define RECOVERY_CODE_LEN 44
/* Adds a protector with a new random code; the caller prints and wipes it. */
enum err keymgr_add_recovery(struct keymgr *k, char code_out[static RECOVERY_CODE_LEN + 1], uint8_t id_out[static UUID_LEN]);
enum err keymgr_add_protector(struct keymgr *k, enum protector_kind kind, const struct unlock *secret_from, uint8_t id_out[static UUID_LEN]);
/* Refused for the last one (ERR_REFUSED); makes a new root key.  Whoever opened the keystore by it is locked out. */
enum err keymgr_remove_protector(struct keymgr *k, const uint8_t id[static UUID_LEN]);
enum err keymgr_change_passphrase(struct keymgr *k, const uint8_t *id /* or NULL: the only one */, const struct unlock *new_secret);
enum err keymgr_rotate_root(struct keymgr *k);
/* One sealed file with a passphrase of its own.  Restoring (from a backup, or from a keystore file as it stands, such as
 * PATH.previous under another name) makes a new root key, one protector and the next generation; ERR_EXISTS where
 * there is anything at `path`. */
enum err keymgr_backup(struct keymgr *k, const char *file, const struct unlock *secret);
enum err keymgr_restore(const char *file, const struct unlock *backup_secret, const char *path, const struct keymgr_create_options *options, uint64_t *generation_out);
/* Signature over a proof (Ed25519, libsodium crypto_sign_detached) and the public key. */
enum err keymgr_sign(struct keymgr *k, const void *bytes, size_t len, uint8_t signature[static 64], uint8_t public_key[static 32]);
/* Without a keystore.  ERR_NOT_AUTHENTIC. */
enum err keymgr_verify_signature(const void *bytes, size_t len, const uint8_t signature[static 64], const uint8_t public_key[static 32]);

/* Is this the public key of a signature that this keystore made, now or under an earlier root key? */
int keymgr_knows_signer(struct keymgr *k, const uint8_t public_key[static 32]);

/* An audit event in CloudTrail's fields (eventName, requestParameters as JSON text…). Rarely called from outside. */
enum err keymgr_audit(struct keymgr *k, const char *event_name, const char *request_json, const char *error_or_null);
/* Calls `each` with each line (JSON text) since `from`; `verify`: checks the chain, ERR_NOT_AUTHENTIC where it breaks. */
enum err keymgr_events(struct keymgr *k, int verify, int (*each)(void *context, const char *line), void *context);

#endif
