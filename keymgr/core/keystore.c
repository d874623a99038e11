#include "keymgr/core/keystore.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "base/kdf.h"

struct keystore *keystore_new(void)
{
	struct keystore *s = calloc(1, sizeof(*s));

	if (s && (lookup_init(&s->by_id, 16) != ERR_OK || lookup_init(&s->by_alias, 16) != ERR_OK)) {
		keystore_free(s);
		s = NULL;
	}
	return s;
}

void keystore_free(struct keystore *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->cmk_count; i++)
		cmk_free(s->cmks[i]);
	for (size_t i = 0; i < s->bucket_count; i++)
		free(s->buckets[i].path);
	free(s->links);
	free(s->protectors);
	free(s->past);
	free(s->cmks);
	free(s->aliases);
	free(s->buckets);
	lookup_release(&s->by_id);
	lookup_release(&s->by_alias);
	free(s);
}

static int same_cmk(const void *array, size_t position, const void *wanted)
{
	struct cmk *const *cmks = array;

	return memcmp(cmks[position]->id, wanted, KEY_ID_LEN) == 0;
}

struct cmk *keystore_find_cmk(const struct keystore *s, const uint8_t id[static KEY_ID_LEN])
{
	long at = lookup_find(&s->by_id, lookup_hash(id, KEY_ID_LEN), same_cmk, s->cmks, id);

	return at < 0 ? NULL : s->cmks[at];
}

static int same_alias(const void *array, size_t position, const void *wanted)
{
	const struct alias_entry *aliases = array;

	return strcmp(aliases[position].name, wanted) == 0;
}

struct alias_entry *keystore_find_alias(const struct keystore *s, const char *name)
{
	long at = lookup_find(&s->by_alias, lookup_hash(name, strlen(name)), same_alias, s->aliases, name);

	return at < 0 ? NULL : &s->aliases[at];
}

struct registration *keystore_find_instance(const struct keystore *s, const uint8_t instance_id[static UUID_LEN])
{
	for (size_t i = 0; i < s->bucket_count; i++)
		if (memcmp(s->buckets[i].instance_id, instance_id, UUID_LEN) == 0)
			return &s->buckets[i];
	return NULL;
}

struct protector *keystore_find_protector(const struct keystore *s, const uint8_t id[static UUID_LEN])
{
	for (size_t i = 0; i < s->protector_count; i++)
		if (memcmp(s->protectors[i].id, id, UUID_LEN) == 0)
			return &s->protectors[i];
	return NULL;
}

/* Room for one more element; doubles. */
static enum err grow(void **array, size_t count, size_t *room, size_t element, size_t max)
{
	size_t wanted = *room ? 2 * *room : 8;
	void *grown;

	if (count >= max)
		return err_set(ERR_LIMIT_EXCEEDED, "a keystore holds at most %zu of these", max);
	if (count < *room)
		return ERR_OK;
	grown = realloc(*array, wanted * element);
	if (!grown)
		return ERR_NO_MEMORY;
	*array = grown;
	*room = wanted;
	return ERR_OK;
}

static enum err index_cmks(struct keystore *s)
{
	enum err e = lookup_init(&s->by_id, 2 * s->cmk_room);

	for (size_t i = 0; e == ERR_OK && i < s->cmk_count; i++)
		lookup_add(&s->by_id, lookup_hash(s->cmks[i]->id, KEY_ID_LEN), i);
	return e;
}

/* Positions move with every change of the sorted array. */
enum err keystore_index_aliases(struct keystore *s)
{
	enum err e = lookup_init(&s->by_alias, s->alias_count);

	for (size_t i = 0; e == ERR_OK && i < s->alias_count; i++)
		lookup_add(&s->by_alias, lookup_hash(s->aliases[i].name, strlen(s->aliases[i].name)), i);
	return e;
}

enum err keystore_add_cmk(struct keystore *s, struct cmk *cmk)
{
	size_t room = s->cmk_room;
	enum err e = grow((void **)&s->cmks, s->cmk_count, &s->cmk_room, sizeof(*s->cmks), KEYSTORE_CMKS_MAX);

	if (e == ERR_OK && keystore_find_cmk(s, cmk->id))
		e = ERR_EXISTS;
	if (e != ERR_OK) {
		cmk_free(cmk);
		return e;
	}
	s->cmks[s->cmk_count++] = cmk;
	if (s->cmk_room != room)
		return index_cmks(s);
	lookup_add(&s->by_id, lookup_hash(cmk->id, KEY_ID_LEN), s->cmk_count - 1);
	return ERR_OK;
}

enum err keystore_add_alias(struct keystore *s, const struct alias_entry *a)
{
	enum err e = grow((void **)&s->aliases, s->alias_count, &s->alias_room, sizeof(*s->aliases),
			  KEYSTORE_ALIASES_MAX);
	size_t low = 0, high = s->alias_count;

	if (e != ERR_OK)
		return e;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(s->aliases[middle].name, a->name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	memmove(&s->aliases[low + 1], &s->aliases[low], (s->alias_count - low) * sizeof(*s->aliases));
	s->aliases[low] = *a;
	s->alias_count++;
	return keystore_index_aliases(s);
}

void keystore_remove_alias(struct keystore *s, struct alias_entry *a)
{
	size_t at = (size_t)(a - s->aliases);

	s->alias_count--;
	memmove(a, a + 1, (s->alias_count - at) * sizeof(*a));
	/* Less than before fits; without memory the old table stays, which the next reading repairs. */
	(void)keystore_index_aliases(s);
}

enum err keystore_add_bucket(struct keystore *s, const struct registration *r)
{
	struct registration *grown;

	if (s->bucket_count >= KEYSTORE_BUCKETS_MAX)
		return err_set(ERR_LIMIT_EXCEEDED, "a keystore knows at most %d buckets", KEYSTORE_BUCKETS_MAX);
	grown = realloc(s->buckets, (s->bucket_count + 1) * sizeof(*grown));
	if (!grown)
		return ERR_NO_MEMORY;
	s->buckets = grown;
	grown[s->bucket_count] = *r;
	grown[s->bucket_count].path = strdup(r->path ? r->path : "");
	if (!grown[s->bucket_count].path)
		return ERR_NO_MEMORY;
	s->bucket_count++;
	return ERR_OK;
}

void keystore_remove_bucket(struct keystore *s, struct registration *r)
{
	size_t at = (size_t)(r - s->buckets);

	free(r->path);
	s->bucket_count--;
	memmove(r, r + 1, (s->bucket_count - at) * sizeof(*r));
}

enum err keystore_add_protector(struct keystore *s, const struct protector *p)
{
	struct protector *grown;

	if (s->protector_count >= KEYSTORE_PROTECTORS_MAX)
		return err_set(ERR_LIMIT_EXCEEDED, "a keystore has at most %d protectors", KEYSTORE_PROTECTORS_MAX);
	grown = realloc(s->protectors, (s->protector_count + 1) * sizeof(*grown));
	if (!grown)
		return ERR_NO_MEMORY;
	s->protectors = grown;
	grown[s->protector_count++] = *p;
	return ERR_OK;
}

void keystore_remove_protector(struct keystore *s, struct protector *p)
{
	size_t at = (size_t)(p - s->protectors);

	s->protector_count--;
	memmove(p, p + 1, (s->protector_count - at) * sizeof(*p));
}
