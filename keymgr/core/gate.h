/*
 * The gate before destruction: what stands in the way of destroying a key, or one of its
 * backing keys, as sentences.  An instance that was not scanned, a replica, a lost ledger
 * mean unknown, and unknown never counts as zero.
 *
 * The ledger must be fresh (ENTER_LEDGER or more).
 */
#ifndef REKEYFS_KEYMGR_CORE_GATE_H
#define REKEYFS_KEYMGR_CORE_GATE_H

#include <stdio.h>
#include "keymgr/core/manager.h"

struct gate {
	const struct cmk *cmk;
	const struct backing_key *backing_key;	/* NULL: the whole key */
	int ignore_external;
};

/* Writes one line a reason to `to` (NULL: only counts); returns how many there are. */
int gate_reasons(const struct keymgr *k, const struct gate *g, FILE *to);
/* All reasons as malloc'd text, empty where there is none. */
enum err gate_text(const struct keymgr *k, const struct gate *g, char **out);

#endif
