#include "keymgr/core/key_name.h"

#include <stdio.h>
#include <string.h>

void key_arn(const uint8_t id[static KEY_ID_LEN], char out[static KEY_ARN_LEN])
{
	char text[UUID_TEXT_LEN + 1];

	uuid_text(id, text);
	snprintf(out, KEY_ARN_LEN, KEY_ARN_PREFIX "key/%s", text);
}

int alias_name_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/_-";
	size_t len = strnlen(name, ALIAS_MAX + 1);

	return len > 6 && len <= ALIAS_MAX && memcmp(name, "alias/", 6) == 0 && strspn(name, allowed) == len;
}

enum err alias_name_check(const char *name)
{
	if (!name || !alias_name_valid(name))
		return err_set(ERR_ALIAS_NAME, "an alias is \"alias/\" and letters, digits or any of :/_-, at most %d in all",
			       ALIAS_MAX);
	if (strncmp(name, "alias/aws/", 10) == 0)
		return err_set(ERR_ALIAS_NAME, "names that begin with alias/aws/ are reserved");
	return ERR_OK;
}

/* Behind "arn:aws:kms:REGION:ACCOUNT:" comes "key/…" or "alias/…". */
static enum err strip_arn(const char **key)
{
	const char *at = *key;

	if (strncmp(at, "arn:", 4) != 0)
		return ERR_OK;
	for (int colons = 0; colons < 5; colons++) {
		at = strchr(at, ':');
		if (!at)
			return err_set(ERR_ARN, "%.200s is no valid ARN", *key);
		at++;
	}
	if (strncmp(at, "key/", 4) != 0 && strncmp(at, "alias/", 6) != 0)
		return err_set(ERR_ARN, "%.200s is no ARN of a key or an alias", *key);
	if (strncmp(*key, KEY_ARN_PREFIX, strlen(KEY_ARN_PREFIX)) != 0)
		return err_set(ERR_KEY_NOT_FOUND, "%.200s is not of this key manager (" KEY_ARN_PREFIX "…)", *key);
	*key = strncmp(at, "key/", 4) == 0 ? at + 4 : at;
	return ERR_OK;
}

enum err key_name_find(const struct keystore *s, const char *key, enum key_name_kinds kinds, struct cmk **out)
{
	const struct alias_entry *alias;
	uint8_t id[KEY_ID_LEN];
	const char *name = key;
	enum err e;

	*out = NULL;
	if (!key || !*key)
		return err_set(ERR_VALIDATION, "no key was named");
	e = strip_arn(&name);
	if (e != ERR_OK)
		return e;
	if (strncmp(name, "alias/", 6) == 0) {
		if (kinds == KEY_NAME_ID_ONLY)
			return err_set(ERR_ARN, "%.200s is an alias: a key id or key ARN is wanted here", key);
		alias = keystore_find_alias(s, name);
		if (!alias)
			return err_set(ERR_KEY_NOT_FOUND, "there is no alias %.200s", name);
		memcpy(id, alias->key_id, sizeof(id));
	} else if (uuid_parse(name, id) != ERR_OK) {
		return err_set(ERR_KEY_NOT_FOUND, "%.200s is no key id (a UUID), key ARN or alias (alias/…)", key);
	}
	*out = keystore_find_cmk(s, id);
	if (!*out)
		return err_set(ERR_KEY_NOT_FOUND, "there is no key %.200s", key);
	return ERR_OK;
}
