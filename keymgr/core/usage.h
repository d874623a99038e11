/*
 * What backing keys were used for.  Counts gather in memory and go to the ledger with its
 * next write, after ten seconds, or at closing; but the first of a kind is durable before
 * its ciphertext leaves the key manager, so that "never" is always true.
 */
#ifndef REKEYFS_KEYMGR_CORE_USAGE_H
#define REKEYFS_KEYMGR_CORE_USAGE_H

#include "keymgr/core/manager.h"

/* `data_keys`, `ciphertexts`: made outside buckets.  Called within ENTER_USE.  An error: nothing may be returned that
 * was encrypted. */
enum err usage_note(struct keymgr *k, const struct key_ref *ref, enum usage_operation operation, int encrypts,
		    int data_keys, int ciphertexts);
/* The ledger's entry and what is not yet in it. */
struct usage usage_of(const struct keymgr *k, const struct key_ref *ref);
/* Into the ledger in memory; usage_forget once that was written. */
enum err usage_merge(struct keymgr *k);
void usage_forget(struct keymgr *k);
/* Writes what is pending; nobody holds the mutex. */
void usage_flush(struct keymgr *k);

#endif
