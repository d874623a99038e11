#include "fs/bucket/root_key.h"

#include <string.h>

enum err root_key_text(const char *key, char out[static POLICY_KEY_MAX + 1])
{
	const char *alias = strstr(key, ":alias/"), *id = strstr(key, ":key/");

	if (strncmp(key, "arn:", 4) == 0 && alias)
		key = alias + 1;
	else if (strncmp(key, "arn:", 4) == 0 && id)
		key = id + strlen(":key/");
	out[0] = 0;
	if (*key == 0 || strlen(key) > POLICY_KEY_MAX)
		return err_set(ERR_INVALID, "\"%s\" is no key: write alias/NAME or a key id", key);
	strcpy(out, key);
	return ERR_OK;
}

struct search {
	const struct state *state;
	uint8_t *key_id;
	int found;
};

static int is_hinted(const struct state *s, const char *text)
{
	uint8_t hint[STATE_HINT_LEN];

	state_root_hint(s->bucket_id, text, hint);
	return memcmp(hint, s->root_hint, STATE_HINT_LEN) == 0;
}

static int try_alias(void *context, const struct alias_entry *a)
{
	struct search *s = context;

	s->found = is_hinted(s->state, a->name);
	if (s->found)
		memcpy(s->key_id, a->key_id, KEY_ID_LEN);
	return s->found;
}

static int try_key(void *context, const struct key_metadata *m)
{
	struct search *s = context;
	char text[UUID_TEXT_LEN + 1];

	uuid_text(m->key_id, text);
	s->found = is_hinted(s->state, text);
	if (s->found)
		memcpy(s->key_id, m->key_id, KEY_ID_LEN);
	return s->found;
}

enum err root_key_by_hint(struct key_ring *r, const struct state *state, uint8_t key_id_out[static KEY_ID_LEN])
{
	struct search s = { .state = state, .key_id = key_id_out };
	enum err e = keymgr_list_aliases(key_ring_keymgr(r), NULL, try_alias, &s);

	if (e == ERR_OK && !s.found)
		e = keymgr_list_keys(key_ring_keymgr(r), try_key, &s);
	if (e != ERR_OK)
		return e;
	return s.found ? ERR_OK : ERR_NOT_FOUND;
}
