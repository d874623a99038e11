#include "fs/check/key_facts.h"

#include <stdio.h>
#include <string.h>
#include "base/bytes.h"

static int take_alias(void *context, const struct alias_entry *a)
{
	struct key_facts *f = context;

	snprintf(f->alias, sizeof(f->alias), "%s", a->name);
	return 1;
}

struct search { const uint8_t *id; struct key_facts *facts; };

static int take_material(void *context, const struct material *m)
{
	struct search *s = context;

	if (memcmp(m->id, s->id, MATERIAL_ID_LEN) != 0)
		return 0;
	s->facts->ordinal = m->ordinal;
	s->facts->current = m->current;
	s->facts->destroyed = m->destroyed;
	return 1;
}

void key_facts_get(struct keymgr *k, const struct key_ref *ref, struct key_facts *out)
{
	struct search s = { .id = ref->material_id, .facts = out };
	char text[UUID_TEXT_LEN + 1];

	memset(out, 0, sizeof(*out));
	if (!k)
		return;
	uuid_text(ref->key_id, text);
	out->state = keymgr_key_state(k, ref->key_id);
	keymgr_list_aliases(k, text, take_alias, out);
	keymgr_list_materials(k, text, take_material, &s);
}

const char *key_facts_material_state(const struct key_facts *f)
{
	if (f->state == KEY_DESTROYED || f->destroyed)
		return "DESTROYED";
	return !f->ordinal ? NULL : f->current ? "CURRENT" : "NON_CURRENT";
}

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

void key_facts_add(json_t *o, const struct key_ref *ref, const struct key_facts *f)
{
	char key[UUID_TEXT_LEN + 1], material[HEX_LEN(MATERIAL_ID_LEN) + 1];

	uuid_text(ref->key_id, key);
	bytes_to_hex(ref->material_id, MATERIAL_ID_LEN, material);
	json_object_set_new(o, "KeyId", json_string(key));
	json_object_set_new(o, "Alias", text_or_null(f->alias));
	json_object_set_new(o, "KeyState", text_or_null(f->state ? key_state_name(f->state) : NULL));
	json_object_set_new(o, "KeyMaterialId", json_string(material));
	json_object_set_new(o, "KeyMaterialOrdinal", f->ordinal ? json_integer(f->ordinal) : json_null());
	json_object_set_new(o, "KeyMaterialState", text_or_null(key_facts_material_state(f)));
}
