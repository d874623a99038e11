/* Aliases: names that move from key to key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "keymgr/core/change.h"

static enum err count_of(const struct keystore *s, const struct cmk *cmk, size_t *out)
{
	*out = 0;
	for (size_t i = 0; i < s->alias_count; i++)
		*out += memcmp(s->aliases[i].key_id, cmk->id, KEY_ID_LEN) == 0;
	if (*out < ALIASES_PER_KEY_MAX)
		return ERR_OK;
	return err_set(ERR_LIMIT_EXCEEDED, "a key has at most %d aliases", ALIASES_PER_KEY_MAX);
}

enum err keymgr_create_alias(struct keymgr *k, const char *alias, const char *key)
{
	struct alias_entry a = { 0 };
	struct change c;
	struct cmk *cmk;
	size_t count;
	enum err e = change_begin(&c, k, "CreateAlias");

	if (e != ERR_OK)
		return e;
	change_text(&c, "aliasName", alias);
	e = alias_name_check(alias);
	if (e == ERR_OK)
		e = change_cmk(&c, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK)
		e = cmk_check(cmk, CALL_ALIAS_TO);
	if (e == ERR_OK && keystore_find_alias(k->store, alias))
		e = err_set(ERR_ALREADY_EXISTS, "there is an alias %s already: update-alias moves it", alias);
	if (e == ERR_OK)
		e = count_of(k->store, cmk, &count);
	if (e == ERR_OK) {
		snprintf(a.name, sizeof(a.name), "%s", alias);
		memcpy(a.key_id, cmk->id, KEY_ID_LEN);
		a.created = a.updated = c.now;
		e = keystore_add_alias(k->store, &a);
	}
	return change_end(&c, e);
}

static enum err find_alias(struct keymgr *k, const char *alias, struct alias_entry **out)
{
	enum err e = alias_name_check(alias);

	*out = NULL;
	if (e != ERR_OK)
		return e;
	*out = keystore_find_alias(k->store, alias);
	return *out ? ERR_OK : err_set(ERR_KEY_NOT_FOUND, "there is no alias %s", alias);
}

enum err keymgr_update_alias(struct keymgr *k, const char *alias, const char *key)
{
	struct alias_entry *a;
	struct change c;
	struct cmk *cmk;
	size_t count;
	enum err e = change_begin(&c, k, "UpdateAlias");

	if (e != ERR_OK)
		return e;
	change_text(&c, "aliasName", alias);
	e = find_alias(k, alias, &a);
	if (e == ERR_OK)
		e = change_cmk(&c, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK)
		e = cmk_check(cmk, CALL_ALIAS_TO);
	if (e == ERR_OK && memcmp(a->key_id, cmk->id, KEY_ID_LEN) != 0)
		e = count_of(k->store, cmk, &count);
	if (e == ERR_OK) {
		memcpy(a->key_id, cmk->id, KEY_ID_LEN);
		a->updated = c.now;
	}
	return change_end(&c, e);
}

enum err keymgr_delete_alias(struct keymgr *k, const char *alias)
{
	struct alias_entry *a;
	struct change c;
	enum err e = change_begin(&c, k, "DeleteAlias");

	if (e != ERR_OK)
		return e;
	change_text(&c, "aliasName", alias);
	e = find_alias(k, alias, &a);
	if (e == ERR_OK) {
		change_of(&c, keystore_find_cmk(k->store, a->key_id));
		keystore_remove_alias(k->store, a);
	}
	return change_end(&c, e);
}

enum err keymgr_list_aliases(struct keymgr *k, const char *key, int (*each)(void *context, const struct alias_entry *a), void *context)
{
	struct alias_entry *all = NULL;
	struct cmk *cmk = NULL;
	size_t count = 0;
	enum err e = manager_enter(k, ENTER_READ);

	if (e != ERR_OK)
		return e;
	if (key)
		e = key_name_find(k->store, key, KEY_NAME_ID_ONLY, &cmk);
	if (e == ERR_OK) {
		all = calloc(k->store->alias_count ? k->store->alias_count : 1, sizeof(*all));
		e = all ? ERR_OK : ERR_NO_MEMORY;
	}
	for (size_t i = 0; e == ERR_OK && i < k->store->alias_count; i++)
		if (!cmk || memcmp(k->store->aliases[i].key_id, cmk->id, KEY_ID_LEN) == 0)
			all[count++] = k->store->aliases[i];
	manager_leave(k);
	for (size_t i = 0; e == ERR_OK && i < count; i++)
		if (each(context, &all[i]))
			break;
	free(all);
	return e;
}
