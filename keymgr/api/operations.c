#include "keymgr/api/operations.h"

#include <string.h>
#include "keymgr/api/operation.h"

static const struct operation table[] = {
	{ "CreateKey", fields_create_key, operation_create_key, 1 },
	{ "DescribeKey", fields_describe_key, operation_describe_key, 1 },
	{ "ListKeys", fields_list, operation_list_keys, 1, "Keys" },
	{ "EnableKey", fields_key, operation_enable_key, 0 },
	{ "DisableKey", fields_key, operation_disable_key, 0 },
	{ "UpdateKeyDescription", fields_update_description, operation_update_description, 0 },
	{ "GetKeyLastUsage", fields_key, operation_last_usage, 1 },
	{ "EnableKeyRotation", fields_enable_rotation, operation_enable_rotation, 0 },
	{ "DisableKeyRotation", fields_key, operation_disable_rotation, 0 },
	{ "GetKeyRotationStatus", fields_key, operation_rotation_status, 1 },
	{ "RotateKeyOnDemand", fields_key, operation_rotate, 1 },
	{ "ListKeyRotations", fields_list_rotations, operation_list_rotations, 1, "Rotations" },
	{ "ScheduleKeyDeletion", fields_schedule_deletion, operation_schedule_deletion, 1 },
	{ "CancelKeyDeletion", fields_key, operation_cancel_deletion, 1 },
	{ "CreateAlias", fields_alias, operation_create_alias, 0 },
	{ "UpdateAlias", fields_alias, operation_update_alias, 0 },
	{ "DeleteAlias", fields_delete_alias, operation_delete_alias, 0 },
	{ "ListAliases", fields_list_aliases, operation_list_aliases, 1, "Aliases" },
	{ "Encrypt", fields_encrypt, operation_encrypt, 1 },
	{ "Decrypt", fields_decrypt, operation_decrypt, 1 },
	{ "ReEncrypt", fields_re_encrypt, operation_re_encrypt, 1 },
	{ "GenerateDataKey", fields_data_key, operation_data_key, 1 },
	{ "GenerateDataKeyWithoutPlaintext", fields_data_key, operation_data_key_without_plaintext, 1 },
	{ "GenerateRandom", fields_random, operation_random, 1 },
};

static const struct operation *find(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

enum err api_check(const char *operation, const json_t *in)
{
	const struct operation *o = find(operation);

	if (!o)
		return err_set(ERR_UNKNOWN_OPERATION, "there is no operation %.64s", operation);
	return request_check(in, o->fields);
}

enum err api_call(struct keymgr *k, const char *operation, const json_t *in, json_t **out_json)
{
	json_t *empty = in ? NULL : json_object();
	const struct operation *o;
	enum err e;

	*out_json = NULL;
	if (!in && !empty)
		return ERR_NO_MEMORY;
	if (!in)
		in = empty;
	e = api_check(operation, in);
	if (e == ERR_OK) {
		o = find(operation);
		e = o->run(k, in, out_json);
		if (e == ERR_OK && o->answers && !*out_json)
			e = ERR_NO_MEMORY;
	}
	json_decref(empty);
	return e;
}

const char *api_pages(const char *operation)
{
	const struct operation *o = find(operation);

	return o ? o->pages : NULL;
}
