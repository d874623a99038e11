#include "keymgr/api/json_memory.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include "base/secret.h"

static void *take(size_t len)
{
	return malloc(len);
}

static void give_back(void *block)
{
	if (block)
		secret_wipe(block, malloc_usable_size(block));
	free(block);
}

/* Without a realloc function jansson copies and frees. */
void json_memory_start(void)
{
	json_set_alloc_funcs(take, give_back);
}
