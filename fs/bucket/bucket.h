/*
 * An open bucket: descriptor, identity, names key, policies, checkpoint record, lock.
 *
 *   rekeyfs.bucket   INI that a person can read: format, bucket id, suite, hint of the keystore
 *   rekeyfs.state    two alternating 4 KiB slots: names key slot, instance, checkpoint (state.h)
 *   rekeyfs.policy   the policies;   rekeyfs.lock   the one writer's lock;   rekeyfs.jobs/
 *   rekeyfs.dir      the root directory's header
 */
#ifndef REKEYFS_FS_BUCKET_BUCKET_H
#define REKEYFS_FS_BUCKET_BUCKET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include "base/aead.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "fs/bucket/state.h"
#include "fs/keys/key_ring.h"
#include "fs/policy/policy.h"

#define BUCKET_FORMAT 1

/* What rekeyfs.bucket says: no key is needed for it. */
struct bucket_description {
	unsigned format;
	uint8_t id[UUID_LEN];
	enum aead_suite suite;		/* of new files */
	char keystore_hint[1024];	/* for messages only: a planted bucket never chooses the keys */
};

enum bucket_mode {
	BUCKET_READ_WRITE,	/* takes the writer's lock; ERR_BUSY says who holds it (pid, host, mount point) */
	BUCKET_READ_ONLY,	/* no lock, nothing is ever written */
};

struct bucket {
	char *path;			/* absolute */
	int root_fd;			/* O_RDONLY | O_DIRECTORY */
	int lock_fd;			/* -1 read-only; a child that outlives the mount must close it, for it holds the lock */
	int state_fd;
	enum bucket_mode mode;
	struct bucket_description description;
	uint8_t root_dir_id[UUID_LEN];
	struct key_ring *ring;
	struct secret *names_key;
	struct policy_table *policies;
	struct state state;		/* guarded by state_lock */
	struct state at_open;		/* as opening left it, never written while shared: pardons, instance */
	pthread_mutex_t state_lock;
	atomic_uint_fast64_t stamp;	/* of new tag pages; grows at each checkpoint's begin */
	atomic_uint_fast64_t durable;	/* the last durable checkpoint */
	int64_t begun_at;		/* lower clock at the last bucket_checkpoint_begin; guarded by state_lock */
	uint64_t first_stamp;		/* this mount's first: pages from it on were written by this mount */
	int unclean;			/* the last mount did not end cleanly */
};

/* Make a bucket in directory `path` (made where absent; ERR_EXISTS where it is one already, ERR_REFUSED where it is not empty).  `key`: the root
 * policy's (NULL: alias/rekeyfs, and a CMK is made for it where it does not exist).  Registers the instance. */
enum err bucket_init(const char *path, struct keymgr *k, const char *key, enum aead_suite suite, const char *keystore_hint);
/* ERR_NOT_FOUND (no bucket there), ERR_FORMAT, ERR_BUSY, ERR_NO_KEY (the root policy's CMK), ERR_REFUSED: the key manager does not know the bucket
 * (`rekeyfs register BUCKET`), ERR_ROLLBACK where the state or policies are older than the anchor and `refuse_rollback` (else a log line).
 * Read-write after an unclean end: pardons the stamps in question and stores the record (FORMAT.md, "After a crash"). */
enum err bucket_open(const char *path, struct keymgr *k, enum bucket_mode mode, int refuse_rollback, struct bucket **out);
/* Read-write: writes the clean mark (call bucket_checkpoint_* before).  `clean` 0: leave it as it is, as a crash would. */
void bucket_close(struct bucket *b, int clean);
/* Registers this copy as an instance of its own with the key manager (a new instance id where it was another's). */
enum err bucket_register(const char *path, struct keymgr *k);

/* Who holds the bucket, for the ERR_BUSY of others: `text` (a mount point…) is shown behind pid and host. */
enum err bucket_lock_note(struct bucket *b, const char *text);

/* Only the description (no key, no lock). */
enum err bucket_describe(const char *path, struct bucket_description *out);
/* The names key's slot as it lies there, without keys (inventory, proof). */
enum err bucket_names_slot(const char *path, struct key_slot *out);
/* Is `path`, or a parent of it, a bucket?  Returns its root (malloc'd) or NULL. */
char *bucket_find_root(const char *path);

/* 1 where a tag page with this stamp may not have been whole at the crash: fallbacks are allowed. Never for what this mount wrote. */
int bucket_is_young(struct bucket *b, uint64_t stamp);
/* 1 where the lower file's ctime lies in a time whose end was a crash: its size must be read from its tag page. */
int bucket_is_suspect(struct bucket *b, int64_t lower_ctime);

/* Checkpoint, in three steps; the caller syncs between begin and commit (fs/content/checkpoint.h).  begin: stamp grows, returns what will be covered. */
uint64_t bucket_checkpoint_begin(struct bucket *b);
enum err bucket_checkpoint_commit(struct bucket *b, uint64_t covered);
/* A repair that read every file whole: no crash of before excuses anything any more.  Nobody else may use the bucket meanwhile. */
enum err bucket_drop_pardons(struct bucket *b);
/* Tell the key manager (unmount, hourly). */
enum err bucket_anchor(struct bucket *b);

/* Wrap the names key under the root policy's CMK (policy set on the root, migration); no-op where it already is under its CURRENT material unless `force`. */
enum err bucket_rewrap_names_key(struct bucket *b, const uint8_t key_id[static KEY_ID_LEN], int force);
/* Set or unset policies and make it durable; the root's rewraps the names key.  The caller has checked the KEY. */
enum err bucket_policy_set(struct bucket *b, const struct policy *p);
enum err bucket_policy_unset(struct bucket *b, const uint8_t dir_id[static UUID_LEN]);

#endif
