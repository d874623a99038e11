/* Rotation: automatic when its day has come, and on demand. */
#include "tests/unit/keymgr/fixture.h"

static const struct context_pair pairs[] = { { "bucket", "b" } };
static const struct context context = { pairs, 1 };

static struct key_metadata describe(struct fixture *f)
{
	struct key_metadata m;

	assert_ok(keymgr_describe_key(f->k, f->key, &m));
	key_metadata_release(&m);
	return m;
}

static int run_due(struct fixture *f)
{
	struct due_summary due;

	assert_ok(keymgr_run_due(f->k, &due));
	return due.rotated;
}

struct materials { struct material all[40]; int count; };

static int note_material(void *context_pointer, const struct material *m)
{
	struct materials *l = context_pointer;

	l->all[l->count++] = *m;
	return 0;
}

static struct materials list(struct fixture *f)
{
	struct materials l = { .count = 0 };

	assert_ok(keymgr_list_materials(f->k, f->key, note_material, &l));
	return l;
}

static void periods(void **state)
{
	struct fixture *f = *state;

	fixture_key(f);
	assert_err(keymgr_enable_rotation(f->k, f->key, 89), ERR_VALIDATION);
	assert_err(keymgr_enable_rotation(f->k, f->key, 2561), ERR_VALIDATION);
	assert_err(keymgr_enable_rotation(f->k, f->key, -1), ERR_VALIDATION);
	assert_ok(keymgr_enable_rotation(f->k, f->key, 90));
	assert_ok(keymgr_enable_rotation(f->k, f->key, 2560));
	assert_int_equal(describe(f).rotation_period_days, 2560);
	fixture_key(f);
	assert_ok(keymgr_enable_rotation(f->k, f->key, 0));
	assert_int_equal(describe(f).rotation_period_days, 365);
	assert_ok(keymgr_disable_rotation(f->k, f->key));
	assert_int_equal(describe(f).next_rotation, 0);
}

static void a_rotation_keeps_what_was_encrypted(void **state)
{
	struct fixture *f = *state;
	struct key_ref first, second, back;
	struct secret *a, *b;
	struct blob blob;

	fixture_key(f);
	assert_ok(keymgr_generate_data_key(f->k, f->key, &context, &a, &blob, &first));
	assert_ok(keymgr_rotate_on_demand(f->k, f->key));
	assert_ok(keymgr_decrypt_data_key(f->k, blob.bytes, blob.len, &context, &b, &back));
	assert_memory_equal(a->bytes, b->bytes, 32);
	assert_memory_equal(&first, &back, sizeof(first));
	secret_free(a);
	secret_free(b);
	assert_ok(keymgr_generate_data_key(f->k, f->key, &context, &a, &blob, &second));
	secret_free(a);
	assert_memory_equal(second.key_id, first.key_id, KEY_ID_LEN);
	assert_memory_not_equal(second.material_id, first.material_id, MATERIAL_ID_LEN);
	assert_memory_equal(describe(f).current_material, second.material_id, MATERIAL_ID_LEN);
	assert_int_equal(keymgr_material_ordinal(f->k, &first), 1);
	assert_int_equal(keymgr_material_ordinal(f->k, &second), 2);
	second.material_id[0] ^= 1;
	assert_int_equal(keymgr_material_ordinal(f->k, &second), 0);
}

static void twenty_five_on_demand(void **state)
{
	struct fixture *f = *state;
	struct materials l;

	fixture_key(f);
	for (int i = 0; i < 25; i++)
		assert_ok(keymgr_rotate_on_demand(f->k, f->key));
	assert_err(keymgr_rotate_on_demand(f->k, f->key), ERR_LIMIT_EXCEEDED);
	assert_int_equal(describe(f).on_demand_rotations, 25);
	/* The limit is none for automatic ones. */
	assert_ok(keymgr_enable_rotation(f->k, f->key, 90));
	fixture_clock(f, DAYS(90) + 1);
	assert_int_equal(run_due(f), 1);
	l = list(f);
	assert_int_equal(l.count, 27);
	assert_true(l.all[0].first && !l.all[0].on_demand && !l.all[0].current && l.all[0].ordinal == 1);
	assert_true(!l.all[1].first && l.all[1].on_demand && !l.all[1].current && l.all[1].ordinal == 2);
	assert_true(!l.all[26].first && !l.all[26].on_demand && l.all[26].current);
}

static void an_automatic_rotation_comes_on_its_day(void **state)
{
	struct fixture *f = *state;
	int64_t next;

	fixture_key(f);
	assert_ok(keymgr_enable_rotation(f->k, f->key, 90));
	next = describe(f).next_rotation;
	fixture_clock(f, DAYS(90) - 5);
	assert_int_equal(run_due(f), 0);
	fixture_clock(f, DAYS(90) + 1);
	assert_int_equal(run_due(f), 1);
	assert_int_equal(run_due(f), 0);
	assert_int_equal(describe(f).material_count, 2);
	assert_int_equal(describe(f).next_rotation, next + DAYS(90));
	fixture_clock(f, DAYS(180) + 1);
	assert_int_equal(run_due(f), 1);
	assert_int_equal(describe(f).material_count, 3);
}

static void it_happens_at_the_next_opening(void **state)
{
	struct fixture *f = *state;

	fixture_key(f);
	assert_ok(keymgr_enable_rotation(f->k, f->key, 365));
	fixture_clock(f, DAYS(366));
	fixture_reopen(f, 1);
	assert_int_equal(describe(f).material_count, 1);
	fixture_reopen(f, 0);
	assert_int_equal(describe(f).material_count, 2);
}

static void missed_rotations_are_one(void **state)
{
	struct fixture *f = *state;
	int64_t first;

	fixture_key(f);
	assert_ok(keymgr_enable_rotation(f->k, f->key, 90));
	first = describe(f).next_rotation;
	fixture_clock(f, DAYS(90 * 5 + 10));
	assert_int_equal(run_due(f), 1);
	assert_int_equal(describe(f).material_count, 2);
	assert_int_equal(describe(f).next_rotation, first + DAYS(90 * 5));
}

static void rotating_on_demand_leaves_the_schedule(void **state)
{
	struct fixture *f = *state;
	int64_t next;

	fixture_key(f);
	assert_ok(keymgr_enable_rotation(f->k, f->key, 90));
	next = describe(f).next_rotation;
	fixture_clock(f, DAYS(30));
	assert_ok(keymgr_rotate_on_demand(f->k, f->key));
	assert_int_equal(describe(f).next_rotation, next);
	assert_int_equal(describe(f).rotation_period_days, 90);
}

static void a_disabled_key_waits_with_its_rotation(void **state)
{
	struct fixture *f = *state;

	fixture_key(f);
	assert_ok(keymgr_enable_rotation(f->k, f->key, 90));
	assert_ok(keymgr_disable_key(f->k, f->key));
	fixture_clock(f, DAYS(91));
	assert_int_equal(run_due(f), 0);
	assert_ok(keymgr_enable_key(f->k, f->key));
	assert_int_equal(run_due(f), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
static const struct CMUnitTest tests[] = {
	TEST(periods),
	TEST(a_rotation_keeps_what_was_encrypted),
	TEST(twenty_five_on_demand),
	TEST(an_automatic_rotation_comes_on_its_day),
	TEST(it_happens_at_the_next_opening),
	TEST(missed_rotations_are_one),
	TEST(rotating_on_demand_leaves_the_schedule),
	TEST(a_disabled_key_waits_with_its_rotation),
};

UNIT_MAIN(tests)
