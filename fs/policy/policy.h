/*
 * The policies of a bucket: which CMK encrypts what is newly written below a directory.  One table, sealed in
 * `rekeyfs.policy` under KDF(names key, "policy"), replaced atomically; its generation is kept in the checkpoint's anchor too, so that an
 * old table put back is noticed.  Keyed by directory id, so that a renamed directory keeps its policy and a key's policies are found without a walk.
 */
#ifndef REKEYFS_FS_POLICY_POLICY_H
#define REKEYFS_FS_POLICY_POLICY_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/uuid.h"

enum policy_on_rename { ON_RENAME_MIGRATE, ON_RENAME_KEEP };
enum policy_enforce { ENFORCE_NO, ENFORCE_WARN, ENFORCE_DENY };
enum policy_after_rotation { AFTER_ROTATION_NONE, AFTER_ROTATION_REWRAP, AFTER_ROTATION_REENCRYPT };

#define POLICY_KEY_MAX 256
struct policy {
	uint8_t dir_id[UUID_LEN];
	char key[POLICY_KEY_MAX + 1];	/* alias/x, resolved when a file is written, or a key id */
	enum policy_on_rename on_rename;
	enum policy_enforce enforce;
	enum policy_after_rotation after_rotation;
};

struct policy_table;	/* readers and writers from any thread (an rwlock inside) */

/* Load from the bucket's root.  ERR_NOT_FOUND, ERR_NOT_AUTHENTIC. */
enum err policy_table_load(int root_fd, const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN], struct policy_table **out);
/* A new table with one policy for `root_dir_id`; generation 1; not yet stored. */
enum err policy_table_new(const uint8_t root_dir_id[static UUID_LEN], const char *key, struct policy_table **out);
/* Seal and replace `rekeyfs.policy`; the generation grows by one first. */
enum err policy_table_store(struct policy_table *t, int root_fd, const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN]);
void policy_table_free(struct policy_table *t);
uint64_t policy_table_generation(struct policy_table *t);
/* At least `generation` (an older table that was accepted all the same). */
void policy_table_raise(struct policy_table *t, uint64_t generation);

/* ERR_NOT_FOUND where this directory has none of its own. */
enum err policy_get(struct policy_table *t, const uint8_t dir_id[static UUID_LEN], struct policy *out);
enum err policy_set(struct policy_table *t, const struct policy *p);		/* in memory; then store */
/* ERR_REFUSED for the root's (`root_dir_id` given to new or stored in the table). */
enum err policy_unset(struct policy_table *t, const uint8_t dir_id[static UUID_LEN]);
enum err policy_each(struct policy_table *t, int (*each)(void *context, const struct policy *p), void *context);
/* 1 where no directory but the root has a policy (a fast path for creates). */
int policy_only_root(struct policy_table *t);
void policy_root_id(struct policy_table *t, uint8_t out[static UUID_LEN]);

const char *policy_on_rename_name(enum policy_on_rename v);	/* "migrate", "keep"; the others likewise */
const char *policy_enforce_name(enum policy_enforce v);		/* "no", "warn", "deny" */
const char *policy_after_rotation_name(enum policy_after_rotation v);	/* "none", "rewrap", "reencrypt" */
enum err policy_on_rename_parse(const char *text, enum policy_on_rename *out);
enum err policy_enforce_parse(const char *text, enum policy_enforce *out);
enum err policy_after_rotation_parse(const char *text, enum policy_after_rotation *out);

#endif
