/* Keys, aliases, rotation and deletion through the JSON of KMS. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include "base/bytes.h"
#include "keymgr/api/operations.h"
#include "keymgr/api/shapes.h"
#include "tests/unit/api/keystore.h"

/* The members of an object, in their order. */
static void assert_members(const json_t *object, const char *expected)
{
	char text[1024] = "";
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value) {
		strcat(text, *text ? " " : "");
		strcat(text, name);
	}
	assert_string_equal(text, expected);
}

static void metadata_has_kms_members_in_its_order(void **state)
{
	json_t *answer = call(*state, "CreateKey", "{\"Description\": \"für alle\", \"KeyUsage\": \"ENCRYPT_DECRYPT\","
			      " \"KeySpec\": \"SYMMETRIC_DEFAULT\", \"Origin\": \"AWS_KMS\", \"MultiRegion\": false}", ERR_OK);
	json_t *m = json_object_get(answer, "KeyMetadata"), *same;
	uint8_t bytes[MATERIAL_ID_LEN];
	char key[64];

	assert_members(answer, "KeyMetadata");
	assert_members(m, "AWSAccountId KeyId Arn CreationDate Enabled Description KeyUsage KeyState Origin KeyManager "
		       "CustomerMasterKeySpec KeySpec EncryptionAlgorithms MultiRegion CurrentKeyMaterialId");
	assert_string_equal(text_of(m, "Description"), "für alle");
	assert_string_equal(text_of(m, "KeyState"), "Enabled");
	assert_string_equal(text_of(m, "KeyManager"), "CUSTOMER");
	assert_true(json_is_true(json_object_get(m, "Enabled")));
	assert_true(json_is_false(json_object_get(m, "MultiRegion")));
	assert_true(json_is_integer(json_object_get(m, "CreationDate")));
	assert_ok(uuid_parse(text_of(m, "KeyId"), bytes));
	assert_int_equal(strncmp(text_of(m, "Arn"), "arn:aws:kms:local:000000000000:key/", 35), 0);
	assert_string_equal(text_of(m, "Arn") + 35, text_of(m, "KeyId"));
	assert_ok(bytes_from_hex(text_of(m, "CurrentKeyMaterialId"), 64, bytes, MATERIAL_ID_LEN));
	snprintf(key, sizeof(key), "%s", text_of(m, "KeyId"));
	same = call(*state, "DescribeKey", with_key("{\"KeyId\": \"arn:aws:kms:local:000000000000:key/%K\"}", key), ERR_OK);
	assert_true(json_equal(answer, same));
	json_decref(answer);
	json_decref(same);
}

static void what_a_key_cannot_be(void **state)
{
	call(*state, "CreateKey", "{\"KeySpec\": \"RSA_2048\"}", ERR_OPERATION);
	call(*state, "CreateKey", "{\"KeyUsage\": \"SIGN_VERIFY\"}", ERR_OPERATION);
	call(*state, "CreateKey", "{\"Origin\": \"AWS_CLOUDHSM\"}", ERR_OPERATION);
	call(*state, "CreateKey", "{\"MultiRegion\": true}", ERR_OPERATION);
	call(*state, "CreateKey", "{\"Policy\": \"{}\"}", ERR_OPERATION);
	call(*state, "CreateKey", "{\"Tags\": [{\"TagKey\": \"a\", \"TagValue\": \"b\"}]}", ERR_OPERATION);
	call(*state, "CreateKey", "{\"Name\": \"x\"}", ERR_VALIDATION);
	call(*state, "CreateKey", "{\"Description\": 1}", ERR_SERIALIZATION);
	call(*state, "MakeKey", NULL, ERR_UNKNOWN_OPERATION);
	call(*state, "", NULL, ERR_UNKNOWN_OPERATION);
}

static void states(void **state)
{
	char key[UUID_TEXT_LEN + 1];
	json_t *answer;

	new_key(*state, key);
	assert_null(call(*state, "DisableKey", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK));
	answer = call(*state, "DescribeKey", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK);
	assert_string_equal(text_of(answer, "KeyMetadata.KeyState"), "Disabled");
	assert_true(json_is_false(json_object_get(json_object_get(answer, "KeyMetadata"), "Enabled")));
	json_decref(answer);
	call(*state, "RotateKeyOnDemand", with_key("{\"KeyId\": \"%K\"}", key), ERR_KEY_DISABLED);
	assert_null(call(*state, "EnableKey", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK));
	assert_null(call(*state, "UpdateKeyDescription", with_key("{\"KeyId\": \"%K\", \"Description\": \"\"}", key), ERR_OK));
	call(*state, "UpdateKeyDescription", with_key("{\"KeyId\": \"%K\"}", key), ERR_VALIDATION);
	call(*state, "DescribeKey", "{\"KeyId\": \"00000000-0000-4000-8000-000000000000\"}", ERR_KEY_NOT_FOUND);
	call(*state, "DescribeKey", "{\"KeyId\": \"arn:aws:kms\"}", ERR_ARN);
	call(*state, "DescribeKey", "{}", ERR_VALIDATION);
}

static void lists_of_keys(void **state)
{
	char key[4][UUID_TEXT_LEN + 1], request[256];
	json_t *page, *keys;

	for (int i = 0; i < 4; i++)
		new_key(*state, key[i]);
	page = call(*state, "ListKeys", NULL, ERR_OK);
	assert_members(page, "Keys Truncated");
	keys = json_object_get(page, "Keys");
	assert_members(json_array_get(keys, 0), "KeyId KeyArn");
	assert_string_equal(text_of(json_array_get(keys, json_array_size(keys) - 1), "KeyId"), key[3]);
	json_decref(page);
	page = call(*state, "ListKeys", "{\"Limit\": 1}", ERR_OK);
	assert_members(page, "Keys NextMarker Truncated");
	snprintf(request, sizeof(request), "{\"Limit\": 1000, \"Marker\": \"%s\"}", text_of(page, "NextMarker"));
	json_decref(page);
	json_decref(call(*state, "ListKeys", request, ERR_OK));
	call(*state, "ListAliases", request, ERR_MARKER);
	call(*state, "ListKeys", "{\"Limit\": 0}", ERR_VALIDATION);
	call(*state, "ListKeys", "{\"Limit\": 1001}", ERR_VALIDATION);
	call(*state, "ListKeys", "{\"Marker\": \"x\"}", ERR_MARKER);
	assert_string_equal(api_pages("ListKeys"), "Keys");
	assert_null(api_pages("DescribeKey"));
}

static void aliases(void **state)
{
	char a[UUID_TEXT_LEN + 1], b[UUID_TEXT_LEN + 1];
	json_t *answer, *entry;

	new_key(*state, a);
	new_key(*state, b);
	assert_null(call(*state, "CreateAlias", with_key("{\"AliasName\": \"alias/x\", \"TargetKeyId\": \"%K\"}", a), ERR_OK));
	call(*state, "CreateAlias", with_key("{\"AliasName\": \"alias/x\", \"TargetKeyId\": \"%K\"}", b), ERR_ALREADY_EXISTS);
	call(*state, "CreateAlias", with_key("{\"AliasName\": \"x\", \"TargetKeyId\": \"%K\"}", b), ERR_ALIAS_NAME);
	call(*state, "CreateAlias", with_key("{\"AliasName\": \"alias/aws/x\", \"TargetKeyId\": \"%K\"}", b), ERR_ALIAS_NAME);
	assert_null(call(*state, "UpdateAlias", with_key("{\"AliasName\": \"alias/x\", \"TargetKeyId\": \"%K\"}", b), ERR_OK));
	answer = call(*state, "ListAliases", with_key("{\"KeyId\": \"%K\"}", b), ERR_OK);
	assert_members(answer, "Aliases Truncated");
	entry = json_array_get(json_object_get(answer, "Aliases"), 0);
	assert_members(entry, "AliasName AliasArn TargetKeyId CreationDate LastUpdatedDate");
	assert_string_equal(text_of(entry, "AliasArn"), "arn:aws:kms:local:000000000000:alias/x");
	assert_string_equal(text_of(entry, "TargetKeyId"), b);
	json_decref(answer);
	answer = call(*state, "DescribeKey", "{\"KeyId\": \"arn:aws:kms:local:000000000000:alias/x\"}", ERR_OK);
	assert_string_equal(text_of(answer, "KeyMetadata.KeyId"), b);
	json_decref(answer);
	assert_null(call(*state, "DeleteAlias", "{\"AliasName\": \"alias/x\"}", ERR_OK));
	call(*state, "DeleteAlias", "{\"AliasName\": \"alias/x\"}", ERR_KEY_NOT_FOUND);
}

static void rotations(void **state)
{
	char key[UUID_TEXT_LEN + 1];
	json_t *answer, *list;

	new_key(*state, key);
	answer = call(*state, "GetKeyRotationStatus", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK);
	assert_members(answer, "KeyRotationEnabled KeyId");
	json_decref(answer);
	call(*state, "EnableKeyRotation", with_key("{\"KeyId\": \"%K\", \"RotationPeriodInDays\": 89}", key), ERR_VALIDATION);
	call(*state, "EnableKeyRotation", with_key("{\"KeyId\": \"%K\", \"RotationPeriodInDays\": 2561}", key), ERR_VALIDATION);
	assert_null(call(*state, "EnableKeyRotation", with_key("{\"KeyId\": \"%K\", \"RotationPeriodInDays\": 90}", key), ERR_OK));
	answer = call(*state, "GetKeyRotationStatus", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK);
	assert_members(answer, "KeyRotationEnabled KeyId RotationPeriodInDays NextRotationDate");
	assert_int_equal(json_integer_value(json_object_get(answer, "RotationPeriodInDays")), 90);
	json_decref(answer);
	answer = call(*state, "RotateKeyOnDemand", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK);
	assert_string_equal(text_of(answer, "KeyId"), key);
	json_decref(answer);
	answer = call(*state, "ListKeyRotations", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK);
	list = json_object_get(answer, "Rotations");
	assert_int_equal(json_array_size(list), 1);
	assert_members(json_array_get(list, 0), "KeyId KeyMaterialId KeyMaterialState RotationDate RotationType");
	assert_string_equal(text_of(json_array_get(list, 0), "RotationType"), "ON_DEMAND");
	json_decref(answer);
	answer = call(*state, "ListKeyRotations", with_key("{\"KeyId\": \"%K\", \"IncludeKeyMaterial\": \"ALL_KEY_MATERIAL\"}", key),
		      ERR_OK);
	list = json_object_get(answer, "Rotations");
	assert_int_equal(json_array_size(list), 2);
	assert_members(json_array_get(list, 0), "KeyId KeyMaterialId KeyMaterialState");
	assert_string_equal(text_of(json_array_get(list, 0), "KeyMaterialState"), "NON_CURRENT");
	json_decref(answer);
	call(*state, "ListKeyRotations", with_key("{\"KeyId\": \"%K\", \"IncludeKeyMaterial\": \"ALL\"}", key), ERR_VALIDATION);
	call(*state, "GetKeyRotationStatus", "{\"KeyId\": \"alias/x\"}", ERR_ARN);
}

static void deletion(void **state)
{
	char key[UUID_TEXT_LEN + 1];
	json_t *answer;

	new_key(*state, key);
	call(*state, "ScheduleKeyDeletion", with_key("{\"KeyId\": \"%K\", \"PendingWindowInDays\": 6}", key), ERR_VALIDATION);
	call(*state, "ScheduleKeyDeletion", with_key("{\"KeyId\": \"%K\", \"PendingWindowInDays\": 31}", key), ERR_VALIDATION);
	call(*state, "CancelKeyDeletion", with_key("{\"KeyId\": \"%K\"}", key), ERR_KEY_STATE);
	answer = call(*state, "ScheduleKeyDeletion", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK);
	assert_members(answer, "KeyId DeletionDate KeyState PendingWindowInDays");
	assert_int_equal(json_integer_value(json_object_get(answer, "PendingWindowInDays")), 30);
	assert_string_equal(text_of(answer, "KeyState"), "PendingDeletion");
	assert_string_equal(text_of(answer, "KeyId") + 35, key);
	json_decref(answer);
	answer = call(*state, "DescribeKey", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK);
	assert_true(json_is_integer(json_object_get(json_object_get(answer, "KeyMetadata"), "DeletionDate")));
	json_decref(answer);
	call(*state, "ScheduleKeyDeletion", with_key("{\"KeyId\": \"%K\"}", key), ERR_KEY_STATE);
	answer = call(*state, "CancelKeyDeletion", with_key("{\"KeyId\": \"%K\"}", key), ERR_OK);
	assert_string_equal(text_of(answer, "KeyId") + 35, key);
	json_decref(answer);
}

static void dates_become_text_where_aws_prints_them(void **state)
{
	json_t *value = json_loads("{\"CreationDate\": 1795508278, \"Count\": 1795508278, \"A\": [{\"RotationDate\": 0}],"
				   " \"KeyLastUsage\": {\"Timestamp\": 1}}", 0, NULL);
	json_t *wanted = json_loads("{\"CreationDate\": \"2026-11-24T08:17:58+00:00\", \"Count\": 1795508278,"
				    " \"A\": [{\"RotationDate\": \"1970-01-01T00:00:00+00:00\"}],"
				    " \"KeyLastUsage\": {\"Timestamp\": \"1970-01-01T00:00:01+00:00\"}}", 0, NULL);

	assert_ok(shape_dates(value));
	assert_true(json_equal(value, wanted));
	json_decref(value);
	json_decref(wanted);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(metadata_has_kms_members_in_its_order),
	cmocka_unit_test(what_a_key_cannot_be),
	cmocka_unit_test(states),
	cmocka_unit_test(lists_of_keys),
	cmocka_unit_test(aliases),
	cmocka_unit_test(rotations),
	cmocka_unit_test(deletion),
	cmocka_unit_test(dates_become_text_where_aws_prints_them),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, keystore_setup, keystore_teardown);
}
