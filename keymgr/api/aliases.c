#include <string.h>
#include "keymgr/api/operation.h"
#include "keymgr/api/pages.h"
#include "keymgr/api/shapes.h"

/* The characters of a name are the key manager's to check: InvalidAliasNameException. */
#define FIELD_ALIAS { .name = "AliasName", .type = FIELD_STRING, .required = 1, .min = 1, .max = ALIAS_MAX }

const struct field fields_alias[] = { FIELD_ALIAS, FIELD_KEY("TargetKeyId"), { 0 } };
const struct field fields_delete_alias[] = { FIELD_ALIAS, { 0 } };
const struct field fields_list_aliases[] = { FIELD_KEY_OPTIONAL("KeyId"), FIELD_LIMIT, FIELD_MARKER, { 0 } };

enum err operation_create_alias(struct keymgr *k, const json_t *in, json_t **out)
{
	return keymgr_create_alias(k, request_string(in, "AliasName"), request_string(in, "TargetKeyId"));
}

enum err operation_update_alias(struct keymgr *k, const json_t *in, json_t **out)
{
	return keymgr_update_alias(k, request_string(in, "AliasName"), request_string(in, "TargetKeyId"));
}

enum err operation_delete_alias(struct keymgr *k, const json_t *in, json_t **out)
{
	return keymgr_delete_alias(k, request_string(in, "AliasName"));
}

static int list_alias(void *context, const struct alias_entry *a)
{
	struct page *p = context;
	size_t len = strlen(a->name);

	return page_wants(p, a->name, len) ? page_add(p, a->name, len, shape_alias(a)) : 0;
}

enum err operation_list_aliases(struct keymgr *k, const json_t *in, json_t **out)
{
	struct page p;
	enum err e = page_begin(&p, in, 'A', PAGE_SORTED, 50);

	if (e != ERR_OK)
		return e;
	return page_end(&p, keymgr_list_aliases(k, request_string(in, "KeyId"), list_alias, &p), "Aliases", out);
}
