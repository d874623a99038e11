/* What commands ask of keys and files, over the control socket. */
#include "fs/mount/walker_hooks.h"

#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/json.h"
#include "fs/check/facts.h"
#include "fs/check/inventory.h"
#include "fs/check/policy_change.h"
#include "fs/check/proof.h"

enum err control_info(struct control_call *call)
{
	json_t *facts = NULL;
	char *path;
	enum err e = path_of_call(call, &path);

	if (e == ERR_OK)
		e = facts_of_path(call->mount->tree, path, &facts);
	if (e == ERR_OK)
		json_object_set_new(call->reply, "Info", facts);
	free(path);
	return e;
}

enum err control_inventory(struct control_call *call)
{
	struct bucket *b = call->mount->bucket;
	struct inventory_view view = { .keymgr = call->mount->keymgr, .bucket = b,
				       .not_current = json_is_true(json_object_get(call->request, "NotCurrent")) };
	const char *key = text_of_call(call, "Key");
	struct inventory *found = calloc(1, sizeof(*found));
	struct location at;
	uint8_t key_id[KEY_ID_LEN];
	json_t *shown = NULL;
	enum err e = location_of_call(call, &at);

	if (e == ERR_OK && !found)
		e = ERR_NO_MEMORY;
	if (e == ERR_OK && key) {
		e = keymgr_resolve(call->mount->keymgr, key, key_id);
		if (e == ERR_KEY_NOT_FOUND)	/* destroyed: files may still name it */
			e = uuid_parse(key, key_id) == ERR_OK ? ERR_OK : err_set(e, "there is no key %s", key);
		view.key_id = key_id;
	}
	if (e == ERR_OK)
		e = inventory_take_open(b, &at, found);
	if (e == ERR_OK) {
		shown = inventory_json(found, b->description.id, &view);
		json_object_set_new(call->reply, "Inventory", shown);
	}
	if (found)
		inventory_release(found);
	free(found);
	location_release(&at);
	return e;
}

enum err control_scan(struct control_call *call)
{
	const char *key, *material = text_of_call(call, "KeyMaterialId");
	struct mount *m = call->mount;
	struct key_ref ref = { 0 };
	struct scan_result result;
	enum err e = json_get_string(call->request, "KeyId", &key);

	if (e == ERR_OK)
		e = uuid_parse(key, ref.key_id);
	if (e == ERR_OK && material)
		e = bytes_from_hex(material, strlen(material), ref.material_id, MATERIAL_ID_LEN);
	if (e != ERR_OK)
		return e;
	e = scan_run(m->tree, ref.key_id, material ? ref.material_id : NULL, &m->ending, &result);
	if (e != ERR_OK)
		return e;
	e = keymgr_report_scan(m->keymgr, &result.report);
	if (e == ERR_OK)
		json_object_set_new(call->reply, "Scan", proof_scan_json(m->bucket, &result));
	scan_result_release(&result);
	return e;
}

/* --- policies ----------------------------------------------------------------------------------- */

enum err control_policy_get(struct control_call *call)
{
	struct location at;
	enum err e = location_of_call(call, &at);

	if (e == ERR_OK)
		json_object_set_new(call->reply, "Policy", policy_change_show(call->mount->bucket, &at));
	location_release(&at);
	return e;
}

/* The one after a change: the location was found before it. */
static enum err show_again(struct control_call *call)
{
	struct walker *w;
	enum err e = control_policy_get(call);

	if (walker_of_call(call, &w) == ERR_OK)
		walker_kick(w);
	return e;
}

enum err control_policy_set(struct control_call *call)
{
	struct policy_request q = { .key = text_of_call(call, "Key"), .enforce = text_of_call(call, "Enforce"),
				    .on_rename = text_of_call(call, "OnRename"), .after_rotation = text_of_call(call, "AfterRotation") };
	struct location at;
	char *warning = NULL;
	enum err e = location_of_call(call, &at);

	if (e == ERR_OK)
		e = policy_change_set(call->mount->bucket, &at, &q, &warning);
	location_release(&at);
	if (warning)
		json_object_set_new(call->reply, "Warning", json_string(warning));
	free(warning);
	return e == ERR_OK ? show_again(call) : e;
}

enum err control_policy_unset(struct control_call *call)
{
	struct location at;
	enum err e = location_of_call(call, &at);

	if (e == ERR_OK)
		e = policy_change_unset(call->mount->bucket, &at);
	location_release(&at);
	return e == ERR_OK ? show_again(call) : e;
}
