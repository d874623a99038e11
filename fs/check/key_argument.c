#include "fs/check/key_argument.h"

#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"

struct search { const uint8_t *id; int found; };

static int compare(void *context, const struct material *m)
{
	struct search *s = context;

	s->found |= memcmp(m->id, s->id, MATERIAL_ID_LEN) == 0;
	return s->found;
}

static enum err find_key(struct keymgr *k, const char *key, uint8_t out[static KEY_ID_LEN])
{
	enum err e = keymgr_resolve(k, key, out);

	/* A destroyed key has no metadata, but files may still name it. */
	if (e == ERR_KEY_NOT_FOUND && uuid_parse(key, out) == ERR_OK && keymgr_key_state(k, out) != KEY_ABSENT)
		return ERR_OK;
	if (e == ERR_KEY_NOT_FOUND)
		return err_set(e, "there is no key %s: `rekeyctl list-keys` and `rekeyctl list-aliases` show what there is", key);
	return e;
}

enum err key_argument_parse(struct keymgr *k, const char *text, struct key_ref *out, int *has_material)
{
	const char *colon = strrchr(text, ':');
	struct search s = { .id = out->material_id };
	char *key, id[UUID_TEXT_LEN + 1];
	enum err e;

	memset(out, 0, sizeof(*out));
	*has_material = colon && strlen(colon + 1) == HEX_LEN(MATERIAL_ID_LEN) &&
			bytes_from_hex(colon + 1, HEX_LEN(MATERIAL_ID_LEN), out->material_id, MATERIAL_ID_LEN) == ERR_OK;
	key = *has_material ? strndup(text, (size_t)(colon - text)) : strdup(text);
	if (!key)
		return ERR_NO_MEMORY;
	e = find_key(k, key, out->key_id);
	if (e == ERR_OK && *has_material) {
		uuid_text(out->key_id, id);	/* an alias is not taken there */
		e = keymgr_list_materials(k, id, compare, &s);
		if (e == ERR_OK && !s.found)
			e = err_set(ERR_KEY_NOT_FOUND, "%s has no backing key %s: `rekeyctl list-key-rotations --key-id %s` shows them", key,
				    colon + 1, id);
	}
	free(key);
	return e;
}
