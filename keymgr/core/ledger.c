#include "keymgr/core/ledger.h"

#include <stdlib.h>
#include <string.h>

void ledger_release(struct ledger *l)
{
	for (uint32_t i = 0; i < l->sighting_count; i++)
		free(l->sightings[i].path);
	for (uint32_t i = 0; i < l->scan_count; i++)
		free(l->scans[i].first_unreadable);
	free(l->sightings);
	free(l->leases);
	free(l->scans);
	free(l->usages);
	*l = (struct ledger){ 0 };
}

struct sighting *ledger_find_sighting(const struct ledger *l, const uint8_t instance_id[static UUID_LEN])
{
	for (uint32_t i = 0; i < l->sighting_count; i++)
		if (memcmp(l->sightings[i].instance_id, instance_id, UUID_LEN) == 0)
			return &l->sightings[i];
	return NULL;
}

struct lease *ledger_find_lease(const struct ledger *l, const uint8_t instance_id[static UUID_LEN],
				const uint8_t key_id[static KEY_ID_LEN])
{
	for (uint32_t i = 0; i < l->lease_count; i++)
		if (memcmp(l->leases[i].instance_id, instance_id, UUID_LEN) == 0 &&
		    memcmp(l->leases[i].key_id, key_id, KEY_ID_LEN) == 0)
			return &l->leases[i];
	return NULL;
}

struct scan *ledger_find_scan(const struct ledger *l, const uint8_t instance_id[static UUID_LEN],
			      const uint8_t key_id[static KEY_ID_LEN], const uint8_t material_id[static MATERIAL_ID_LEN])
{
	for (uint32_t i = 0; i < l->scan_count; i++)
		if (memcmp(l->scans[i].instance_id, instance_id, UUID_LEN) == 0 &&
		    memcmp(l->scans[i].key_id, key_id, KEY_ID_LEN) == 0 &&
		    memcmp(l->scans[i].material_id, material_id, MATERIAL_ID_LEN) == 0)
			return &l->scans[i];
	return NULL;
}

struct usage *ledger_find_usage(const struct ledger *l, const struct key_ref *ref)
{
	for (uint32_t i = 0; i < l->usage_count; i++)
		if (memcmp(&l->usages[i].ref, ref, sizeof(*ref)) == 0)
			return &l->usages[i];
	return NULL;
}

/* One more element, zero, at the end of an array. */
static enum err append(void **array, uint32_t *count, size_t element, void **out)
{
	uint8_t *grown;

	if (*count >= LEDGER_ENTRIES_MAX)
		return err_set(ERR_LIMIT, "the keystore's state holds at most %d entries of a kind", LEDGER_ENTRIES_MAX);
	grown = realloc(*array, (*count + 1) * element);
	if (!grown)
		return ERR_NO_MEMORY;
	*array = grown;
	*out = grown + *count * element;
	memset(*out, 0, element);
	(*count)++;
	return ERR_OK;
}

enum err ledger_sighting(struct ledger *l, const uint8_t instance_id[static UUID_LEN], struct sighting **out)
{
	enum err e = ERR_OK;
	char *path;

	*out = ledger_find_sighting(l, instance_id);
	if (*out)
		return ERR_OK;
	path = strdup("");
	if (!path)
		return ERR_NO_MEMORY;
	e = append((void **)&l->sightings, &l->sighting_count, sizeof(**out), (void **)out);
	if (e != ERR_OK) {
		free(path);
		return e;
	}
	memcpy((*out)->instance_id, instance_id, UUID_LEN);
	(*out)->path = path;
	return ERR_OK;
}

enum err ledger_lease(struct ledger *l, const uint8_t instance_id[static UUID_LEN],
		      const uint8_t key_id[static KEY_ID_LEN], struct lease **out)
{
	enum err e = ERR_OK;

	*out = ledger_find_lease(l, instance_id, key_id);
	if (*out)
		return ERR_OK;
	e = append((void **)&l->leases, &l->lease_count, sizeof(**out), (void **)out);
	if (e == ERR_OK) {
		memcpy((*out)->instance_id, instance_id, UUID_LEN);
		memcpy((*out)->key_id, key_id, KEY_ID_LEN);
	}
	return e;
}

enum err ledger_scan(struct ledger *l, const uint8_t instance_id[static UUID_LEN], const uint8_t key_id[static KEY_ID_LEN],
		     const uint8_t material_id[static MATERIAL_ID_LEN], struct scan **out)
{
	char *path;
	enum err e;

	*out = ledger_find_scan(l, instance_id, key_id, material_id);
	if (*out)
		return ERR_OK;
	path = strdup("");
	if (!path)
		return ERR_NO_MEMORY;
	e = append((void **)&l->scans, &l->scan_count, sizeof(**out), (void **)out);
	if (e != ERR_OK) {
		free(path);
		return e;
	}
	memcpy((*out)->instance_id, instance_id, UUID_LEN);
	memcpy((*out)->key_id, key_id, KEY_ID_LEN);
	memcpy((*out)->material_id, material_id, MATERIAL_ID_LEN);
	(*out)->first_unreadable = path;
	return ERR_OK;
}

enum err ledger_usage(struct ledger *l, const struct key_ref *ref, struct usage **out)
{
	enum err e = ERR_OK;

	*out = ledger_find_usage(l, ref);
	if (*out)
		return ERR_OK;
	e = append((void **)&l->usages, &l->usage_count, sizeof(**out), (void **)out);
	if (e == ERR_OK)
		(*out)->ref = *ref;
	return e;
}

static void drop_scan(struct ledger *l, uint32_t i)
{
	free(l->scans[i].first_unreadable);
	l->scans[i] = l->scans[--l->scan_count];
}

void ledger_forget_instance(struct ledger *l, const uint8_t instance_id[static UUID_LEN])
{
	struct sighting *s = ledger_find_sighting(l, instance_id);

	if (s) {
		free(s->path);
		*s = l->sightings[--l->sighting_count];
	}
	for (uint32_t i = l->lease_count; i-- > 0;)
		if (memcmp(l->leases[i].instance_id, instance_id, UUID_LEN) == 0)
			l->leases[i] = l->leases[--l->lease_count];
	for (uint32_t i = l->scan_count; i-- > 0;)
		if (memcmp(l->scans[i].instance_id, instance_id, UUID_LEN) == 0)
			drop_scan(l, i);
}

void ledger_forget_key(struct ledger *l, const uint8_t key_id[static KEY_ID_LEN])
{
	for (uint32_t i = l->lease_count; i-- > 0;)
		if (memcmp(l->leases[i].key_id, key_id, KEY_ID_LEN) == 0)
			l->leases[i] = l->leases[--l->lease_count];
	for (uint32_t i = l->scan_count; i-- > 0;)
		if (memcmp(l->scans[i].key_id, key_id, KEY_ID_LEN) == 0)
			drop_scan(l, i);
	for (uint32_t i = l->usage_count; i-- > 0;)
		if (memcmp(l->usages[i].ref.key_id, key_id, KEY_ID_LEN) == 0)
			l->usages[i] = l->usages[--l->usage_count];
}
