/*
 * One use of a backing key: found, its state checked, unwrapped, counted, audited, wiped.
 *
 *   struct use u;
 *   enum err e = use_begin(&u, k, "Decrypt", context);
 *   if (e != ERR_OK)
 *           return e;
 *   e = use_ciphertext(&u, blob, len, CALL_DECRYPT);
 *   …
 *   return use_end(&u, e);
 */
#ifndef REKEYFS_KEYMGR_CORE_USE_H
#define REKEYFS_KEYMGR_CORE_USE_H

#include "keymgr/core/ciphertext.h"
#include "keymgr/core/key_name.h"
#include "keymgr/core/usage.h"

/* A backing key at hand. */
struct use_key {
	const struct cmk *cmk;
	struct key_ref ref;
	uint8_t bytes[BACKING_KEY_LEN];	/* wiped by use_end */
	int ready;
};

struct use {
	struct keymgr *k;
	const char *event;
	json_t *request;
	struct use_key source, destination;
	enum usage_operation operation;
	int data_keys, ciphertexts;	/* made under the destination, outside buckets */
};

enum err use_begin(struct use *u, struct keymgr *k, const char *event, enum usage_operation operation,
		   const struct context *context);
/* The current backing key of the CMK that `key` names becomes the destination. */
enum err use_destination(struct use *u, const char *key);
/* The backing key that a ciphertext names becomes the source; `call`: CALL_DECRYPT or CALL_MIGRATE. */
enum err use_source(struct use *u, const void *blob, size_t len, enum key_call call);
/* Returns `e`, or why what was encrypted must not be given away. */
enum err use_end(struct use *u, enum err e);

#endif
