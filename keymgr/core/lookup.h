/*
 * A hash table of positions in an array: constant-time lookup of keys and aliases.
 * It owns no entries; the caller compares.
 */
#ifndef REKEYFS_KEYMGR_CORE_LOOKUP_H
#define REKEYFS_KEYMGR_CORE_LOOKUP_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct lookup {
	uint32_t *slots;	/* position + 1, or 0 */
	size_t size;		/* a power of two */
};

uint64_t lookup_hash(const void *bytes, size_t len);

/* Empty, for `count` entries.  What it held is given back.  ERR_NO_MEMORY. */
enum err lookup_init(struct lookup *l, size_t count);
void lookup_release(struct lookup *l);
/* There must be room: at most the `count` of lookup_init. */
void lookup_add(struct lookup *l, uint64_t hash, size_t position);
/* The position for which `same(array, position, wanted)` is true, or -1. */
long lookup_find(const struct lookup *l, uint64_t hash, int (*same)(const void *array, size_t position, const void *wanted),
		 const void *array, const void *wanted);

#endif
