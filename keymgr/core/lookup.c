#include "keymgr/core/lookup.h"

#include <assert.h>
#include <stdlib.h>

uint64_t lookup_hash(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t hash = 0xcbf29ce484222325;	/* FNV-1a */

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001b3;
	return hash ^ hash >> 32;
}

enum err lookup_init(struct lookup *l, size_t count)
{
	size_t size = 16;

	while (size < 2 * count)
		size *= 2;
	free(l->slots);
	l->slots = calloc(size, sizeof(*l->slots));
	l->size = l->slots ? size : 0;
	return l->slots ? ERR_OK : ERR_NO_MEMORY;
}

void lookup_release(struct lookup *l)
{
	free(l->slots);
	*l = (struct lookup){ 0 };
}

void lookup_add(struct lookup *l, uint64_t hash, size_t position)
{
	size_t at = (size_t)hash & (l->size - 1);

	assert(l->size > 0);
	while (l->slots[at])
		at = (at + 1) & (l->size - 1);
	l->slots[at] = (uint32_t)position + 1;
}

long lookup_find(const struct lookup *l, uint64_t hash, int (*same)(const void *array, size_t position, const void *wanted),
		 const void *array, const void *wanted)
{
	size_t at;

	if (l->size == 0)
		return -1;
	for (at = (size_t)hash & (l->size - 1); l->slots[at]; at = (at + 1) & (l->size - 1))
		if (same(array, l->slots[at] - 1, wanted))
			return (long)l->slots[at] - 1;
	return -1;
}
