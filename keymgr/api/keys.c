#include "keymgr/api/operation.h"
#include "keymgr/api/pages.h"
#include "keymgr/api/shapes.h"

const struct field fields_key[] = { FIELD_KEY("KeyId"), { 0 } };
const struct field fields_list[] = { FIELD_LIMIT, FIELD_MARKER, { 0 } };

static const char *const usages[] = { "ENCRYPT_DECRYPT", NULL };
static const char *const origins[] = { "AWS_KMS", NULL };

const struct field fields_create_key[] = {
	FIELD_UNSUPPORTED("Policy"),
	{ .name = "Description", .type = FIELD_STRING, .max = DESCRIPTION_MAX },
	{ .name = "KeyUsage", .type = FIELD_ONLY, .words = usages },
	{ .name = "CustomerMasterKeySpec", .type = FIELD_ONLY, .words = request_symmetric },
	{ .name = "KeySpec", .type = FIELD_ONLY, .words = request_symmetric },
	{ .name = "Origin", .type = FIELD_ONLY, .words = origins },
	FIELD_UNSUPPORTED("CustomKeyStoreId"),
	{ .name = "BypassPolicyLockoutSafetyCheck", .type = FIELD_BOOLEAN },
	FIELD_UNSUPPORTED("Tags"),
	FIELD_UNSUPPORTED("MultiRegion"),
	FIELD_UNSUPPORTED("XksKeyId"),
	{ 0 }
};

static json_t *metadata_answer(struct key_metadata *m)
{
	json_t *answer = json_pack("{s:o}", "KeyMetadata", shape_key_metadata(m));

	key_metadata_release(m);
	return answer;
}

enum err operation_create_key(struct keymgr *k, const json_t *in, json_t **out)
{
	const char *description = request_string(in, "Description");
	struct key_metadata m;
	enum err e = keymgr_create_key(k, description ? description : "", &m);

	if (e == ERR_OK)
		*out = metadata_answer(&m);
	return e;
}

const struct field fields_describe_key[] = { FIELD_KEY("KeyId"), FIELD_GRANT_TOKENS, { 0 } };

enum err operation_describe_key(struct keymgr *k, const json_t *in, json_t **out)
{
	struct key_metadata m;
	enum err e = keymgr_describe_key(k, request_string(in, "KeyId"), &m);

	if (e == ERR_OK)
		*out = metadata_answer(&m);
	return e;
}

static int list_key(void *context, const struct key_metadata *m)
{
	struct page *p = context;

	if (m->state == KEY_DESTROYED || !page_wants(p, m->key_id, KEY_ID_LEN))
		return 0;
	return page_add(p, m->key_id, KEY_ID_LEN,
			json_pack("{s:o, s:s}", "KeyId", shape_key_id(m->key_id), "KeyArn", m->arn));
}

enum err operation_list_keys(struct keymgr *k, const json_t *in, json_t **out)
{
	struct page p;
	enum err e = page_begin(&p, in, 'K', PAGE_BY_MARKER, 100);

	return e != ERR_OK ? e : page_end(&p, keymgr_list_keys(k, list_key, &p), "Keys", out);
}

enum err operation_enable_key(struct keymgr *k, const json_t *in, json_t **out)
{
	return keymgr_enable_key(k, request_string(in, "KeyId"));
}

enum err operation_disable_key(struct keymgr *k, const json_t *in, json_t **out)
{
	return keymgr_disable_key(k, request_string(in, "KeyId"));
}

const struct field fields_update_description[] = {
	FIELD_KEY("KeyId"),
	{ .name = "Description", .type = FIELD_STRING, .required = 1, .max = DESCRIPTION_MAX },
	{ 0 }
};

enum err operation_update_description(struct keymgr *k, const json_t *in, json_t **out)
{
	return keymgr_update_description(k, request_string(in, "KeyId"), request_string(in, "Description"));
}

static json_t *usage_shape(const struct key_usage *u)
{
	if (!u->operation[0])
		return json_object();
	return json_pack("{s:s, s:I}", "Operation", u->operation, "Timestamp", (json_int_t)u->when);
}

enum err operation_last_usage(struct keymgr *k, const json_t *in, json_t **out)
{
	const char *key = request_string(in, "KeyId");
	struct key_usage usage;
	struct key_metadata m;
	enum err e = keymgr_last_usage(k, key, &usage);

	if (e == ERR_OK)
		e = keymgr_describe_key(k, key, &m);
	if (e != ERR_OK)
		return e;
	*out = json_pack("{s:o, s:o, s:I, s:I}", "KeyId", shape_key_id(m.key_id), "KeyLastUsage", usage_shape(&usage),
			 "TrackingStartDate", (json_int_t)usage.tracked_since, "KeyCreationDate", (json_int_t)m.created);
	key_metadata_release(&m);
	return ERR_OK;
}
