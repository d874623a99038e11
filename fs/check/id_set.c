#include "fs/check/id_set.h"

#include <stdlib.h>
#include <string.h>

/* Ids are random or inode numbers, which a multiplication spreads well enough. */
static size_t place(const struct id_set *s, const uint8_t id[static ID_SET_LEN])
{
	uint64_t part[2];

	memcpy(part, id, sizeof(part));
	uint64_t hash = (part[0] * 0x9e3779b97f4a7c15u) ^ (part[1] * 0xc2b2ae3d27d4eb4fu);
	size_t at = (size_t)(hash ^ hash >> 29) & (s->room - 1);

	while (s->used[at] && memcmp(s->ids[at], id, ID_SET_LEN) != 0)
		at = (at + 1) & (s->room - 1);
	return at;
}

static enum err grow(struct id_set *s)
{
	struct id_set wider = { .room = s->room ? 2 * s->room : 64, .count = s->count };

	wider.ids = calloc(wider.room, sizeof(*wider.ids));
	wider.used = calloc(wider.room, 1);
	if (!wider.ids || !wider.used) {
		id_set_release(&wider);
		return ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < s->room; i++)
		if (s->used[i]) {
			size_t at = place(&wider, s->ids[i]);

			memcpy(wider.ids[at], s->ids[i], ID_SET_LEN);
			wider.used[at] = 1;
		}
	id_set_release(s);
	*s = wider;
	return ERR_OK;
}

void id_set_release(struct id_set *s)
{
	free(s->ids);
	free(s->used);
	memset(s, 0, sizeof(*s));
}

enum err id_set_add(struct id_set *s, const uint8_t id[static ID_SET_LEN], int *seen_out)
{
	*seen_out = 0;
	if (2 * s->count >= s->room && grow(s) != ERR_OK)
		return ERR_NO_MEMORY;
	size_t at = place(s, id);

	if (s->used[at]) {
		*seen_out = 1;
		return ERR_OK;
	}
	memcpy(s->ids[at], id, ID_SET_LEN);
	s->used[at] = 1;
	s->count++;
	return ERR_OK;
}

enum err id_set_add_inode(struct id_set *s, const struct stat *st, int *seen_out)
{
	uint64_t part[2] = { (uint64_t)st->st_dev, (uint64_t)st->st_ino };
	uint8_t id[ID_SET_LEN];

	memcpy(id, part, sizeof(id));
	return id_set_add(s, id, seen_out);
}

int id_set_has(const struct id_set *s, const uint8_t id[static ID_SET_LEN])
{
	return s->room && s->used[place(s, id)];
}
