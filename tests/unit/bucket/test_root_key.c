/* The names key under the root policy's CMK: policies, rotation, deletion, migration. */
#include "tests/lib/unit.h"

#include <string.h>
#include "fs/bucket/record.h"
#include "fs/bucket/root_key.h"
#include "tests/unit/bucket/world.h"

static struct policy root_policy(const struct bucket *b, const char *key)
{
	struct policy p = { 0 };

	memcpy(p.dir_id, b->root_dir_id, UUID_LEN);
	strcpy(p.key, key);
	return p;
}

/* Both slots of the record name this CMK: no old copy needs another. */
static void assert_both_slots(const struct bucket *b, const uint8_t *key_id)
{
	struct record record;

	assert_ok(record_load(b->root_fd, 0, &record, NULL));
	assert_int_equal(record.count, 2);
	for (int i = 0; i < 2; i++)
		assert_memory_equal(record.slots[i].state.names_slot.key_id, key_id, KEY_ID_LEN);
}

static void schedule(struct world *w, const char *key)
{
	const struct deletion_options options = { .window_days = 7 };
	struct key_metadata m;

	assert_ok(keymgr_schedule_deletion(w->k, key, &options, &m));
	key_metadata_release(&m);
}

static void texts_of_keys_have_one_form(void **state)
{
	char out[POLICY_KEY_MAX + 1], long_one[400];

	assert_ok(root_key_text("alias/x", out));
	assert_string_equal(out, "alias/x");
	assert_ok(root_key_text("arn:aws:kms:local:000000000000:alias/x/y", out));
	assert_string_equal(out, "alias/x/y");
	assert_ok(root_key_text("arn:aws:kms:local:000000000000:key/7e8dbb1c-3c1e-4f0a-9d5b-0a1b2c3d4e5f", out));
	assert_string_equal(out, "7e8dbb1c-3c1e-4f0a-9d5b-0a1b2c3d4e5f");
	assert_err(root_key_text("", out), ERR_INVALID);
	memset(long_one, 'k', sizeof(long_one));
	long_one[399] = 0;
	assert_err(root_key_text(long_one, out), ERR_INVALID);
}

static void setting_the_roots_policy_moves_the_names_key(void **state)
{
	struct world *w = *state;
	struct key_text key = world_key(w, "alias/other");
	struct bucket *b = world_open(w);
	uint32_t epoch = b->state.names_slot.epoch;
	uint64_t generation = b->state.policy_generation;
	struct policy p = root_policy(b, "alias/other"), got;

	assert_ok(bucket_policy_set(b, &p));
	assert_both_slots(b, key.id);
	assert_int_equal(b->state.names_slot.epoch, epoch + 1);
	assert_int_equal(b->state.policy_generation, generation + 1);
	bucket_close(b, 1);
	b = world_open(w);
	assert_ok(policy_get(b->policies, b->root_dir_id, &got));
	assert_string_equal(got.key, "alias/other");
	assert_memory_equal(b->state.names_slot.key_id, key.id, KEY_ID_LEN);
	p.key[0] = 'x';
	assert_err(bucket_policy_set(b, &p), ERR_NO_KEY);
	assert_ok(policy_get(b->policies, b->root_dir_id, &got));
	assert_string_equal(got.key, "alias/other");
	assert_err(bucket_policy_unset(b, b->root_dir_id), ERR_REFUSED);
	bucket_close(b, 1);
}

static void policies_of_directories_come_and_go(void **state)
{
	struct world *w = *state;
	struct policy p = { .dir_id = { 3 }, .key = "arn:aws:kms:local:000000000000:alias/rekeyfs", .enforce = ENFORCE_DENY }, got;
	struct bucket *b = world_open(w);

	assert_true(policy_only_root(b->policies));
	assert_ok(bucket_policy_set(b, &p));
	bucket_close(b, 1);
	b = world_open(w);
	assert_ok(policy_get(b->policies, p.dir_id, &got));
	assert_string_equal(got.key, "alias/rekeyfs");
	assert_int_equal(got.enforce, ENFORCE_DENY);
	assert_ok(bucket_policy_unset(b, p.dir_id));
	assert_err(bucket_policy_unset(b, p.dir_id), ERR_NOT_FOUND);
	bucket_close(b, 1);
	b = world_open(w);
	assert_true(policy_only_root(b->policies));
	bucket_close(b, 1);
}

static void a_rotation_is_followed_by_a_rewrap(void **state)
{
	struct world *w = *state;
	struct key_text key = world_alias_key(w, "alias/rekeyfs");
	struct bucket *b = world_open(w);
	uint64_t sequence = b->state.sequence;
	struct key_slot before = b->state.names_slot;

	assert_ok(bucket_rewrap_names_key(b, key.id, 0));
	assert_int_equal(b->state.sequence, sequence);		/* nothing to do */
	assert_ok(bucket_rewrap_names_key(b, key.id, 1));
	assert_int_equal(b->state.sequence, sequence + 2);
	assert_int_equal(b->state.names_slot.epoch, before.epoch + 1);
	assert_ok(keymgr_rotate_on_demand(w->k, key.text));
	assert_ok(bucket_rewrap_names_key(b, key.id, 0));
	assert_int_equal(b->state.names_slot.epoch, before.epoch + 2);
	assert_memory_not_equal(b->state.names_slot.material_id, before.material_id, MATERIAL_ID_LEN);
	assert_both_slots(b, key.id);
	bucket_close(b, 1);
	b = world_open(w);
	bucket_close(b, 1);
}

static void a_disabled_key_locks_the_bucket(void **state)
{
	struct world *w = *state;
	struct key_text key = world_alias_key(w, "alias/rekeyfs");
	struct bucket *b;

	assert_ok(keymgr_disable_key(w->k, key.text));
	assert_err(bucket_open(w->bucket, w->k, BUCKET_READ_WRITE, 0, &b), ERR_NO_KEY);
	assert_non_null(strstr(err_message(ERR_NO_KEY), "enable-key"));
	assert_ok(keymgr_enable_key(w->k, key.text));
	b = world_open(w);
	bucket_close(b, 1);
}

/* alias/rekeyfs moved on while nothing was mounted, and its old key is to be deleted. */
static void a_pending_key_hands_the_bucket_to_its_alias(void **state)
{
	struct world *w = *state;
	struct key_text old = world_alias_key(w, "alias/rekeyfs"), key = world_key(w, NULL);
	uint8_t names_key[32];
	struct bucket *b = world_open(w);

	memcpy(names_key, b->names_key->bytes, 32);
	bucket_close(b, 1);
	assert_ok(keymgr_update_alias(w->k, "alias/rekeyfs", key.text));
	schedule(w, old.text);
	b = world_open_path(w, w->bucket, BUCKET_READ_ONLY);
	assert_memory_equal(b->names_key->bytes, names_key, 32);
	assert_memory_equal(b->state.names_slot.key_id, old.id, KEY_ID_LEN);
	bucket_close(b, 0);
	b = world_open(w);
	assert_memory_equal(b->names_key->bytes, names_key, 32);
	assert_both_slots(b, key.id);
	bucket_close(b, 1);
}

static void a_pending_key_that_the_root_names_has_nowhere_to_go(void **state)
{
	struct world *w = *state;
	struct key_text key = world_alias_key(w, "alias/rekeyfs");
	struct bucket *b;

	schedule(w, key.text);
	assert_err(bucket_open(w->bucket, w->k, BUCKET_READ_WRITE, 0, &b), ERR_NO_KEY);
	assert_non_null(strstr(err_message(ERR_NO_KEY), "cancel-key-deletion"));
	assert_non_null(strstr(err_message(ERR_NO_KEY), "update-alias"));
	assert_ok(keymgr_cancel_deletion(w->k, key.text));
	assert_ok(keymgr_enable_key(w->k, key.text));
	b = world_open(w);
	bucket_close(b, 1);
}

/* The policy names its key by id. */
static void a_key_id_is_found_by_its_hint(void **state)
{
	struct world *w = *state;
	struct key_text old = world_alias_key(w, "alias/rekeyfs"), key = world_key(w, NULL);
	struct bucket *b = world_open(w);
	struct policy p = root_policy(b, key.text);
	struct state next;
	struct key_slot slot;

	assert_ok(bucket_policy_set(b, &p));
	/* A crash between the record and the old key's slot: the names key is back under the old one. */
	assert_ok(key_ring_wrap(b->ring, WRAP_NAMES_KEY, old.id, b->description.id, AEAD_XCHACHA20_POLY1305,
				b->state.names_slot.epoch + 1, b->names_key->bytes, &slot));
	next = b->state;
	next.names_slot = slot;
	assert_ok(record_store(b, &next));
	assert_ok(record_store(b, &next));
	bucket_close(b, 1);
	schedule(w, old.text);
	b = world_open(w);
	assert_both_slots(b, key.id);
	bucket_close(b, 1);
}

/* A mount that is open while its root key is scheduled for deletion can still be given another. */
static void an_open_bucket_leaves_a_pending_key(void **state)
{
	struct world *w = *state;
	struct key_text old = world_alias_key(w, "alias/rekeyfs"), key = world_key(w, "alias/next");
	struct bucket *b = world_open(w);
	struct policy p = root_policy(b, "alias/next");

	schedule(w, old.text);
	assert_ok(bucket_policy_set(b, &p));
	assert_both_slots(b, key.id);
	bucket_close(b, 1);
	b = world_open(w);
	bucket_close(b, 1);
}

#define BUCKET_TEST(f) cmocka_unit_test_setup_teardown(f, world_make_bucket, world_remove)

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(texts_of_keys_have_one_form),
	BUCKET_TEST(setting_the_roots_policy_moves_the_names_key),
	BUCKET_TEST(policies_of_directories_come_and_go),
	BUCKET_TEST(a_rotation_is_followed_by_a_rewrap),
	BUCKET_TEST(a_disabled_key_locks_the_bucket),
	BUCKET_TEST(a_pending_key_hands_the_bucket_to_its_alias),
	BUCKET_TEST(a_pending_key_that_the_root_names_has_nowhere_to_go),
	BUCKET_TEST(a_key_id_is_found_by_its_hint),
	BUCKET_TEST(an_open_bucket_leaves_a_pending_key),
};

UNIT_MAIN(tests)
