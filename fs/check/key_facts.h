/* What the key manager says of a key that a header names: for info and inventory. */
#ifndef REKEYFS_FS_CHECK_KEY_FACTS_H
#define REKEYFS_FS_CHECK_KEY_FACTS_H

#include <jansson.h>
#include "keymgr/keymgr.h"

struct key_facts {
	char alias[ALIAS_MAX + 1];	/* the first by name; "" without */
	enum key_state state;
	int ordinal;			/* of the material; 0 where unknown */
	int current, destroyed;		/* of the material */
};
/* `k` NULL: nothing is known (state 0). */
void key_facts_get(struct keymgr *k, const struct key_ref *ref, struct key_facts *out);
/* "CURRENT", "NON_CURRENT", "DESTROYED"; NULL where unknown. */
const char *key_facts_material_state(const struct key_facts *f);
/* KeyId, Alias, KeyState, KeyMaterialId, KeyMaterialOrdinal, KeyMaterialState into `o`: null where unknown. */
void key_facts_add(json_t *o, const struct key_ref *ref, const struct key_facts *f);

#endif
