#include "keymgr/api/shapes.h"

#include <string.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "keymgr/core/key_name.h"

json_t *shape_key_id(const uint8_t key_id[static KEY_ID_LEN])
{
	char text[UUID_TEXT_LEN + 1];

	uuid_text(key_id, text);
	return json_string(text);
}

json_t *shape_key_arn(const uint8_t key_id[static KEY_ID_LEN])
{
	char text[KEY_ARN_LEN];

	key_arn(key_id, text);
	return json_string(text);
}

json_t *shape_material_id(const uint8_t material_id[static MATERIAL_ID_LEN])
{
	char text[HEX_LEN(MATERIAL_ID_LEN) + 1];

	bytes_to_hex(material_id, MATERIAL_ID_LEN, text);
	return json_string(text);
}

enum err shape_set(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) == 0 ? ERR_OK : ERR_NO_MEMORY;
}

static json_t *date_or_null(int64_t when)
{
	return when ? json_integer(when) : NULL;
}

/* "*" leaves an absent member out. */
json_t *shape_key_metadata(const struct key_metadata *m)
{
	int pending = m->state == KEY_PENDING_DELETION;

	return json_pack("{s:s, s:o, s:s, s:I, s:b, s:s, s:s, s:s, s:o*, s:s, s:s, s:s, s:s, s:[s], s:b, s:o*}",
			 "AWSAccountId", SHAPE_ACCOUNT,
			 "KeyId", shape_key_id(m->key_id),
			 "Arn", m->arn,
			 "CreationDate", (json_int_t)m->created,
			 "Enabled", m->state == KEY_ENABLED,
			 "Description", m->description ? m->description : "",
			 "KeyUsage", "ENCRYPT_DECRYPT",
			 "KeyState", key_state_name(m->state),
			 "DeletionDate", pending ? date_or_null(m->deletion_date) : NULL,
			 "Origin", "AWS_KMS",
			 "KeyManager", "CUSTOMER",
			 "CustomerMasterKeySpec", "SYMMETRIC_DEFAULT",
			 "KeySpec", "SYMMETRIC_DEFAULT",
			 "EncryptionAlgorithms", "SYMMETRIC_DEFAULT",
			 "MultiRegion", 0,
			 "CurrentKeyMaterialId", m->material_count ? shape_material_id(m->current_material) : NULL);
}

json_t *shape_deletion(const struct key_metadata *m)
{
	return json_pack("{s:s, s:I, s:s, s:i}", "KeyId", m->arn, "DeletionDate", (json_int_t)m->deletion_date,
			 "KeyState", key_state_name(m->state), "PendingWindowInDays", m->pending_window_days);
}

json_t *shape_alias(const struct alias_entry *a)
{
	return json_pack("{s:s, s:o, s:o, s:I, s:I}", "AliasName", a->name,
			 "AliasArn", json_sprintf(KEY_ARN_PREFIX "%s", a->name),
			 "TargetKeyId", shape_key_id(a->key_id),
			 "CreationDate", (json_int_t)a->created, "LastUpdatedDate", (json_int_t)a->updated);
}

/* The first material was made with the key, not by a rotation. */
json_t *shape_rotation(const uint8_t key_id[static KEY_ID_LEN], const struct material *m)
{
	return json_pack("{s:o, s:o, s:s, s:o*, s:s*}", "KeyId", shape_key_id(key_id),
			 "KeyMaterialId", shape_material_id(m->id),
			 "KeyMaterialState", m->current ? "CURRENT" : "NON_CURRENT",
			 "RotationDate", m->first ? NULL : json_integer(m->date),
			 "RotationType", m->first ? NULL : m->on_demand ? "ON_DEMAND" : "AUTOMATIC");
}

static int is_date(const char *name)
{
	static const char *const names[] = { "CreationDate", "DeletionDate", "LastUpdatedDate", "NextRotationDate",
					     "RotationDate", "Timestamp", "TrackingStartDate", "KeyCreationDate",
					     "RegistrationDate", "LastSeenDate" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return 1;
	return 0;
}

static json_t *date_text(int64_t when)
{
	char text[CLOCK_TEXT_LEN + 1];

	clock_text(when, text);
	text[CLOCK_TEXT_LEN - 1] = 0;	/* the Z */
	return json_sprintf("%s+00:00", text);
}

enum err shape_dates(json_t *value)
{
	enum err e = ERR_OK;
	const char *name;
	json_t *member;
	size_t i;

	json_array_foreach(value, i, member)
		e = e != ERR_OK ? e : shape_dates(member);
	json_object_foreach(value, name, member) {
		if (e != ERR_OK)
			break;
		if (json_is_integer(member) && is_date(name))
			e = shape_set(value, name, date_text(json_integer_value(member)));
		else
			e = shape_dates(member);
	}
	return e;
}
