#include <string.h>
#include "keymgr/api/operation.h"
#include "keymgr/api/pages.h"
#include "keymgr/api/shapes.h"

const struct field fields_enable_rotation[] = {
	FIELD_KEY("KeyId"),
	{ .name = "RotationPeriodInDays", .type = FIELD_INTEGER, .min = 90, .max = 2560 },
	{ 0 }
};

enum err operation_enable_rotation(struct keymgr *k, const json_t *in, json_t **out)
{
	return keymgr_enable_rotation(k, request_string(in, "KeyId"), (int)request_integer(in, "RotationPeriodInDays", 0));
}

enum err operation_disable_rotation(struct keymgr *k, const json_t *in, json_t **out)
{
	return keymgr_disable_rotation(k, request_string(in, "KeyId"));
}

/* DescribeKey takes an alias; the calls of rotation do not. */
static enum err describe_by_id(struct keymgr *k, const char *key, struct key_metadata *out)
{
	if (strncmp(key, "alias/", 6) == 0 || strstr(key, ":alias/"))
		return err_set(ERR_ARN, "%.300s is an alias: give the key's id or ARN here "
			       "(DescribeKey tells it)", key);
	return keymgr_describe_key(k, key, out);
}

enum err operation_rotation_status(struct keymgr *k, const json_t *in, json_t **out)
{
	struct key_metadata m;
	enum err e = describe_by_id(k, request_string(in, "KeyId"), &m);
	int on;

	if (e != ERR_OK)
		return e;
	on = m.rotation_enabled;
	*out = json_pack("{s:b, s:o, s:o*, s:o*}", "KeyRotationEnabled", on, "KeyId", shape_key_id(m.key_id),
			 "RotationPeriodInDays", on ? json_integer(m.rotation_period_days) : NULL,
			 "NextRotationDate", on && m.next_rotation ? json_integer(m.next_rotation) : NULL);
	key_metadata_release(&m);
	return ERR_OK;
}

enum err operation_rotate(struct keymgr *k, const json_t *in, json_t **out)
{
	const char *key = request_string(in, "KeyId");
	uint8_t key_id[KEY_ID_LEN];
	enum err e = keymgr_rotate_on_demand(k, key);

	if (e == ERR_OK)
		e = keymgr_resolve(k, key, key_id);
	if (e == ERR_OK)
		*out = json_pack("{s:o}", "KeyId", shape_key_id(key_id));
	return e;
}

static const char *const included[] = { "ROTATIONS_ONLY", "ALL_KEY_MATERIAL", NULL };

const struct field fields_list_rotations[] = {
	FIELD_KEY("KeyId"),
	{ .name = "IncludeKeyMaterial", .type = FIELD_WORD, .words = included },
	FIELD_LIMIT, FIELD_MARKER,
	{ 0 }
};

struct rotations {
	struct page page;
	int all;
	uint8_t key_id[KEY_ID_LEN];
};

static int list_rotation(void *context, const struct material *m)
{
	struct rotations *r = context;

	if (m->destroyed || (m->first && !r->all) || !page_wants(&r->page, m->id, MATERIAL_ID_LEN))
		return 0;
	return page_add(&r->page, m->id, MATERIAL_ID_LEN, shape_rotation(r->key_id, m));
}

enum err operation_list_rotations(struct keymgr *k, const json_t *in, json_t **out)
{
	const char *include = request_string(in, "IncludeKeyMaterial");
	const char *key = request_string(in, "KeyId");
	struct rotations r = { .all = include && strcmp(include, "ALL_KEY_MATERIAL") == 0 };
	struct key_metadata m;
	enum err e = describe_by_id(k, key, &m);

	if (e != ERR_OK)
		return e;
	memcpy(r.key_id, m.key_id, KEY_ID_LEN);
	key_metadata_release(&m);
	e = page_begin(&r.page, in, 'R', PAGE_BY_MARKER, 100);
	return e != ERR_OK ? e : page_end(&r.page, keymgr_list_materials(k, key, list_rotation, &r), "Rotations", out);
}
