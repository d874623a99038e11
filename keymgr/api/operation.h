/* An operation: one row of the table in operations.c, its function in its family's file. */
#ifndef REKEYFS_KEYMGR_API_OPERATION_H
#define REKEYFS_KEYMGR_API_OPERATION_H

#include "keymgr/api/request.h"

/* `in` has passed request_check().  An answer goes to `*out`, which is NULL before; ERR_NO_MEMORY where
 * json_pack() gave none (operations.c sees to it for those that answer). */
typedef enum err operation_fn(struct keymgr *k, const json_t *in, json_t **out);

struct operation {
	const char *name;
	const struct field *fields;
	operation_fn *run;
	int answers;		/* has an output */
	const char *pages;	/* its member that holds pages */
};

/* keys.c */
operation_fn operation_create_key, operation_describe_key, operation_list_keys, operation_enable_key,
	operation_disable_key, operation_update_description, operation_last_usage;
extern const struct field fields_create_key[], fields_describe_key[], fields_list[], fields_key[],
	fields_update_description[];
/* aliases.c */
operation_fn operation_create_alias, operation_update_alias, operation_delete_alias, operation_list_aliases;
extern const struct field fields_alias[], fields_delete_alias[], fields_list_aliases[];
/* rotation.c */
operation_fn operation_enable_rotation, operation_disable_rotation, operation_rotation_status,
	operation_rotate, operation_list_rotations;
extern const struct field fields_enable_rotation[], fields_list_rotations[];
/* deletion.c */
operation_fn operation_schedule_deletion, operation_cancel_deletion;
extern const struct field fields_schedule_deletion[];
/* ciphertexts.c */
operation_fn operation_encrypt, operation_decrypt, operation_re_encrypt;
extern const struct field fields_encrypt[], fields_decrypt[], fields_re_encrypt[];
/* data_keys.c */
operation_fn operation_data_key, operation_data_key_without_plaintext, operation_random;
extern const struct field fields_data_key[], fields_random[];

/* DryRun of what encrypts under KEY: the error that it would have, or ERR_DRY_RUN (ciphertexts.c). */
enum err operation_dry_run_encrypt(struct keymgr *k, const char *key);

#endif
