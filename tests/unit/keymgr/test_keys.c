/* Keys, aliases and their states through the interface: what KMS allows and what it refuses. */
#include "tests/unit/keymgr/fixture.h"

#include <stdio.h>
#include <stdlib.h>

static const struct context_pair pairs[] = { { "bucket", "b" }, { "z", "1" } };
static const struct context context = { pairs, 2 };


static void check_crypto(struct fixture *f, const void *blob, size_t len, enum err encrypt, enum err decrypt)
{
	uint8_t out[CIPHERTEXT_MAX];
	struct secret *s;
	struct blob b;
	struct key_ref ref;
	size_t n;

	assert_err(keymgr_generate_data_key(f->k, f->key, &context, &s, &b, &ref), encrypt);
	secret_free(s);
	assert_err(keymgr_client_data_key(f->k, f->key, NULL, 16, &s, out, &n, &ref), encrypt);
	secret_free(s);
	assert_err(keymgr_encrypt(f->k, f->key, NULL, "x", 1, out, &n, &ref), encrypt);
	assert_err(keymgr_decrypt_data_key(f->k, blob, len, &context, &s, &ref), decrypt);
	secret_free(s);
	assert_err(keymgr_decrypt(f->k, NULL, &context, blob, len, &s, &ref), decrypt);
	secret_free(s);
}

static void make_blob(struct fixture *f, struct blob *b)
{
	struct secret *s;
	struct key_ref ref;

	assert_ok(keymgr_generate_data_key(f->k, f->key, &context, &s, b, &ref));
	secret_free(s);
}

static void a_new_key_is_enabled(void **state)
{
	struct fixture *f = *state;
	struct key_metadata m;
	char arn[128];

	fixture_key(f);
	assert_ok(keymgr_describe_key(f->k, f->key, &m));
	assert_int_equal(m.state, KEY_ENABLED);
	assert_int_equal(m.material_count, 1);
	assert_int_equal(m.rotation_enabled, 0);
	assert_string_equal(m.description, "a key");
	snprintf(arn, sizeof(arn), "arn:aws:kms:local:000000000000:key/%s", f->key);
	assert_string_equal(m.arn, arn);
	key_metadata_release(&m);
	assert_ok(keymgr_describe_key(f->k, arn, &m));
	key_metadata_release(&m);
}

static void a_disabled_key(void **state)
{
	struct fixture *f = *state;
	struct blob b;

	fixture_key(f);
	make_blob(f, &b);
	assert_ok(keymgr_disable_key(f->k, f->key));
	assert_int_equal(fixture_state(f), KEY_DISABLED);
	check_crypto(f, b.bytes, b.len, ERR_KEY_DISABLED, ERR_KEY_DISABLED);
	assert_err(keymgr_enable_rotation(f->k, f->key, 0), ERR_KEY_DISABLED);
	assert_err(keymgr_disable_rotation(f->k, f->key), ERR_KEY_DISABLED);
	assert_err(keymgr_rotate_on_demand(f->k, f->key), ERR_KEY_DISABLED);
	assert_err(keymgr_cancel_deletion(f->k, f->key), ERR_KEY_STATE);
	assert_ok(keymgr_create_alias(f->k, "alias/of-disabled", f->key));
	assert_ok(keymgr_update_description(f->k, f->key, "other"));
	assert_ok(keymgr_disable_key(f->k, f->key));
	assert_ok(keymgr_enable_key(f->k, f->key));
	check_crypto(f, b.bytes, b.len, ERR_OK, ERR_OK);
}

static void a_key_pending_deletion(void **state)
{
	struct fixture *f = *state;
	struct key_metadata m;
	struct blob b;

	fixture_key(f);
	make_blob(f, &b);
	assert_ok(keymgr_create_alias(f->k, "alias/x", f->key));
	assert_ok(keymgr_schedule_deletion(f->k, f->key, NULL, &m));
	assert_int_equal(m.state, KEY_PENDING_DELETION);
	assert_int_equal(m.pending_window_days, 30);
	key_metadata_release(&m);
	check_crypto(f, b.bytes, b.len, ERR_KEY_STATE, ERR_KEY_STATE);
	assert_err(keymgr_enable_key(f->k, f->key), ERR_KEY_STATE);
	assert_err(keymgr_disable_key(f->k, f->key), ERR_KEY_STATE);
	assert_err(keymgr_enable_rotation(f->k, f->key, 0), ERR_KEY_STATE);
	assert_err(keymgr_disable_rotation(f->k, f->key), ERR_KEY_STATE);
	assert_err(keymgr_rotate_on_demand(f->k, f->key), ERR_KEY_STATE);
	assert_err(keymgr_schedule_deletion(f->k, f->key, NULL, NULL), ERR_KEY_STATE);
	assert_err(keymgr_create_alias(f->k, "alias/y", f->key), ERR_KEY_STATE);
	assert_err(keymgr_update_description(f->k, f->key, "other"), ERR_KEY_STATE);
	assert_err(keymgr_update_alias(f->k, "alias/x", f->key), ERR_KEY_STATE);
	assert_ok(keymgr_describe_key(f->k, "alias/x", &m));
	key_metadata_release(&m);
	assert_ok(keymgr_delete_alias(f->k, "alias/x"));
	assert_ok(keymgr_cancel_deletion(f->k, f->key));
	assert_int_equal(fixture_state(f), KEY_DISABLED);
	assert_ok(keymgr_enable_key(f->k, f->key));
	check_crypto(f, b.bytes, b.len, ERR_OK, ERR_OK);
}

static void a_retired_key_decrypts_only(void **state)
{
	struct fixture *f = *state;
	struct key_metadata m;
	struct blob b;

	fixture_key(f);
	make_blob(f, &b);
	assert_ok(keymgr_refuse_encrypt(f->k, f->key, 1));
	check_crypto(f, b.bytes, b.len, ERR_KEY_STATE, ERR_OK);
	assert_err(keymgr_create_alias(f->k, "alias/back", f->key), ERR_KEY_STATE);
	assert_ok(keymgr_describe_key(f->k, f->key, &m));
	assert_int_equal(m.encrypt_refused, 1);
	key_metadata_release(&m);
	assert_ok(keymgr_refuse_encrypt(f->k, f->key, 0));
	check_crypto(f, b.bytes, b.len, ERR_OK, ERR_OK);
}

static void names_of_keys(void **state)
{
	struct fixture *f = *state;
	uint8_t id[KEY_ID_LEN];
	char text[256];

	fixture_key(f);
	assert_ok(keymgr_create_alias(f->k, "alias/a", f->key));
	assert_ok(keymgr_resolve(f->k, "alias/a", id));
	assert_memory_equal(id, f->key_id, sizeof(id));
	assert_ok(keymgr_resolve(f->k, "arn:aws:kms:local:000000000000:alias/a", id));
	snprintf(text, sizeof(text), "arn:aws:kms:local:000000000000:key/%s", f->key);
	assert_ok(keymgr_resolve(f->k, text, id));
	assert_err(keymgr_resolve(f->k, "alias/b", id), ERR_KEY_NOT_FOUND);
	assert_err(keymgr_resolve(f->k, "12345678-1234-1234-1234-123456789abc", id), ERR_KEY_NOT_FOUND);
	assert_err(keymgr_resolve(f->k, "nonsense", id), ERR_KEY_NOT_FOUND);
	assert_err(keymgr_resolve(f->k, "", id), ERR_VALIDATION);
	assert_err(keymgr_resolve(f->k, NULL, id), ERR_VALIDATION);
	assert_err(keymgr_resolve(f->k, "arn:aws:kms", id), ERR_ARN);
	assert_err(keymgr_resolve(f->k, "arn:aws:kms:local:000000000000:cluster/x", id), ERR_ARN);
	snprintf(text, sizeof(text), "arn:aws:kms:eu-west-1:123456789012:key/%s", f->key);
	assert_err(keymgr_resolve(f->k, text, id), ERR_KEY_NOT_FOUND);
}

static void an_alias_is_no_key_id(void **state)
{
	struct fixture *f = *state;

	fixture_key(f);
	assert_ok(keymgr_create_alias(f->k, "alias/a", f->key));
	assert_err(keymgr_disable_key(f->k, "alias/a"), ERR_ARN);
	assert_err(keymgr_rotate_on_demand(f->k, "alias/a"), ERR_ARN);
	assert_err(keymgr_enable_rotation(f->k, "arn:aws:kms:local:000000000000:alias/a", 0), ERR_ARN);
	assert_err(keymgr_schedule_deletion(f->k, "alias/a", NULL, NULL), ERR_ARN);
	assert_err(keymgr_create_alias(f->k, "alias/b", "alias/a"), ERR_ARN);
}

static void alias_names(void **state)
{
	static const char *const wrong[] = { "a", "alias", "alias/", "alias/a b", "alias/ä", "Alias/a", "alias/a.b", "alias/aws/x" };
	struct fixture *f = *state;
	char name[ALIAS_MAX + 2];

	fixture_key(f);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_err(keymgr_create_alias(f->k, wrong[i], f->key), ERR_ALIAS_NAME);
	memset(name, 'a', sizeof(name));
	memcpy(name, "alias/", 6);
	name[ALIAS_MAX + 1] = 0;
	assert_err(keymgr_create_alias(f->k, name, f->key), ERR_ALIAS_NAME);
	name[ALIAS_MAX] = 0;
	assert_ok(keymgr_create_alias(f->k, name, f->key));
	assert_ok(keymgr_create_alias(f->k, "alias/A/b:c_d-e9", f->key));
	assert_err(keymgr_create_alias(f->k, "alias/A/b:c_d-e9", f->key), ERR_ALREADY_EXISTS);
}

static int count_alias(void *count, const struct alias_entry *a)
{
	++*(int *)count;
	return 0;
}

static void fifty_aliases_a_key(void **state)
{
	struct fixture *f = *state;
	char name[32], first[UUID_TEXT_LEN + 1];
	int count = 0;

	fixture_key(f);
	memcpy(first, f->key, sizeof(first));
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "alias/n%d", i);
		assert_ok(keymgr_create_alias(f->k, name, f->key));
	}
	assert_err(keymgr_create_alias(f->k, "alias/n50", f->key), ERR_LIMIT_EXCEEDED);
	fixture_key(f);
	assert_ok(keymgr_create_alias(f->k, "alias/n50", f->key));
	assert_err(keymgr_update_alias(f->k, "alias/n50", first), ERR_LIMIT_EXCEEDED);
	assert_ok(keymgr_update_alias(f->k, "alias/n7", f->key));
	assert_ok(keymgr_list_aliases(f->k, f->key, count_alias, &count));
	assert_int_equal(count, 2);
}

static int check_order(void *context_pointer, const struct alias_entry *a)
{
	char *last = context_pointer;

	assert_true(strcmp(last, a->name) < 0);
	snprintf(last, ALIAS_MAX + 1, "%s", a->name);
	return 0;
}

static void moving_and_deleting_aliases(void **state)
{
	struct fixture *f = *state;
	char last[ALIAS_MAX + 1] = "";
	uint8_t id[KEY_ID_LEN];

	fixture_key(f);
	assert_ok(keymgr_create_alias(f->k, "alias/m", f->key));
	assert_ok(keymgr_create_alias(f->k, "alias/c", f->key));
	assert_ok(keymgr_create_alias(f->k, "alias/z", f->key));
	fixture_key(f);
	assert_ok(keymgr_update_alias(f->k, "alias/m", f->key));
	assert_ok(keymgr_resolve(f->k, "alias/m", id));
	assert_memory_equal(id, f->key_id, sizeof(id));
	assert_err(keymgr_update_alias(f->k, "alias/none", f->key), ERR_KEY_NOT_FOUND);
	assert_err(keymgr_delete_alias(f->k, "alias/none"), ERR_KEY_NOT_FOUND);
	assert_ok(keymgr_list_aliases(f->k, NULL, check_order, last));
	assert_string_equal(last, "alias/z");
	assert_ok(keymgr_delete_alias(f->k, "alias/c"));
	assert_err(keymgr_resolve(f->k, "alias/c", id), ERR_KEY_NOT_FOUND);
	assert_ok(keymgr_resolve(f->k, "alias/z", id));
	fixture_reopen(f, 0);
	assert_ok(keymgr_resolve(f->k, "alias/z", id));
	assert_err(keymgr_resolve(f->k, "alias/c", id), ERR_KEY_NOT_FOUND);
}

struct listed { char ids[8][UUID_TEXT_LEN + 1]; int count, stop_at; };

static int note_key(void *context_pointer, const struct key_metadata *m)
{
	struct listed *l = context_pointer;

	uuid_text(m->key_id, l->ids[l->count++]);
	return l->count == l->stop_at;
}

static void keys_are_listed_as_they_were_made(void **state)
{
	struct fixture *f = *state;
	struct listed l = { .count = 0 };
	char made[3][UUID_TEXT_LEN + 1];

	for (int i = 0; i < 3; i++) {
		fixture_key(f);
		memcpy(made[i], f->key, sizeof(made[i]));
	}
	assert_ok(keymgr_list_keys(f->k, note_key, &l));
	assert_int_equal(l.count, 3);
	assert_memory_equal(l.ids, made, sizeof(made));
	l = (struct listed){ .stop_at = 2 };
	assert_ok(keymgr_list_keys(f->k, note_key, &l));
	assert_int_equal(l.count, 2);
}

static void descriptions(void **state)
{
	struct fixture *f = *state;
	char *text = malloc(DESCRIPTION_MAX + 2);
	struct key_metadata m;

	assert_non_null(text);
	memset(text, 'd', DESCRIPTION_MAX + 1);
	text[DESCRIPTION_MAX + 1] = 0;
	assert_err(keymgr_create_key(f->k, text, &m), ERR_VALIDATION);
	fixture_key(f);
	assert_err(keymgr_update_description(f->k, f->key, text), ERR_VALIDATION);
	text[DESCRIPTION_MAX] = 0;
	assert_ok(keymgr_update_description(f->k, f->key, text));
	assert_ok(keymgr_describe_key(f->k, f->key, &m));
	assert_string_equal(m.description, text);
	key_metadata_release(&m);
	free(text);
}

/* Enabling what is enabled changes nothing, so it wakes nobody. */
static void the_generation_grows_with_changes_only(void **state)
{
	struct fixture *f = *state;
	uint64_t before, after;

	fixture_key(f);
	assert_ok(keymgr_generation(f->k, &before));
	assert_ok(keymgr_enable_key(f->k, f->key));
	assert_ok(keymgr_generation(f->k, &after));
	assert_int_equal(after, before);
	assert_err(keymgr_disable_key(f->k, "nonsense"), ERR_KEY_NOT_FOUND);
	assert_ok(keymgr_generation(f->k, &after));
	assert_int_equal(after, before);
	assert_ok(keymgr_disable_key(f->k, f->key));
	assert_ok(keymgr_generation(f->k, &after));
	assert_int_equal(after, before + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
static const struct CMUnitTest tests[] = {
	TEST(a_new_key_is_enabled),
	TEST(a_disabled_key),
	TEST(a_key_pending_deletion),
	TEST(a_retired_key_decrypts_only),
	TEST(names_of_keys),
	TEST(an_alias_is_no_key_id),
	TEST(alias_names),
	TEST(fifty_aliases_a_key),
	TEST(moving_and_deleting_aliases),
	TEST(keys_are_listed_as_they_were_made),
	TEST(descriptions),
	TEST(the_generation_grows_with_changes_only),
};

UNIT_MAIN(tests)
