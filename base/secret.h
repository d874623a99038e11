/*
 * Keys in memory: locked, not dumped, not inherited by fork, wiped when freed.
 *
 * Small secrets (at most 64 bytes) share locked pages, larger ones get pages of their
 * own; both lie between pages without access.  A child made by fork finds zeros in
 * their place, so a program that goes to the background does so before it has any.
 * Call secret_start() once before all else.
 * Thread-safe but for the bytes of one secret, which its owner guards.
 */
#ifndef REKEYFS_BASE_SECRET_H
#define REKEYFS_BASE_SECRET_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct secret {
	size_t len;
	uint8_t *bytes;
};

/* sodium_init; no core dumps and no ptrace of this process (PR_SET_DUMPABLE 0,
 * RLIMIT_CORE 0), and as much locked memory as the limits allow. */
enum err secret_start(void);

/* `len` zero bytes (1 to 1 MiB).  ERR_NO_MEMORY where memory cannot be locked. */
enum err secret_new(size_t len, struct secret **out);

/* A copy of `len` bytes; the caller wipes its own. */
enum err secret_copy(const void *bytes, size_t len, struct secret **out);

/* Wipes and frees; NULL is fine. */
void secret_free(struct secret *s);

/* Wipe `len` bytes so that no compiler drops it. */
void secret_wipe(void *bytes, size_t len);

/* 1 where equal, in constant time. */
int secret_equal(const void *a, const void *b, size_t len);

#endif
