#include "keymgr/api/operation.h"
#include "keymgr/api/shapes.h"

/* As KMS, which says 7 to 30 in its own words behind a shape of 1 to 365. */
const struct field fields_schedule_deletion[] = {
	FIELD_KEY("KeyId"),
	{ .name = "PendingWindowInDays", .type = FIELD_INTEGER, .min = 7, .max = 30 },
	{ 0 }
};

enum err operation_schedule_deletion(struct keymgr *k, const json_t *in, json_t **out)
{
	struct deletion_options options = { .window_days = (int)request_integer(in, "PendingWindowInDays", 0) };
	struct key_metadata m;
	enum err e = keymgr_schedule_deletion(k, request_string(in, "KeyId"), &options, &m);

	if (e != ERR_OK)
		return e;
	*out = shape_deletion(&m);
	key_metadata_release(&m);
	return ERR_OK;
}

enum err operation_cancel_deletion(struct keymgr *k, const json_t *in, json_t **out)
{
	const char *key = request_string(in, "KeyId");
	uint8_t key_id[KEY_ID_LEN];
	enum err e = keymgr_cancel_deletion(k, key);

	if (e == ERR_OK)
		e = keymgr_resolve(k, key, key_id);
	if (e == ERR_OK)
		*out = json_pack("{s:o}", "KeyId", shape_key_arn(key_id));
	return e;
}
