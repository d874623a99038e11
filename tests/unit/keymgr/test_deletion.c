/* The end of keys: windows, the gate, what stays of them. */
#include "tests/unit/keymgr/fixture.h"

#include <stdlib.h>
#include "base/clock.h"

static const struct context_pair bucket_pairs[] = { { "bucket", "01010101-0101-0101-0101-010101010101" } };
static const struct context bucket_context = { bucket_pairs, 1 };

static struct due_summary run_due(struct fixture *f)
{
	struct due_summary due;

	assert_ok(keymgr_run_due(f->k, &due));
	return due;
}

static void schedule(struct fixture *f, int days)
{
	struct deletion_options o = { .window_days = days };

	assert_ok(keymgr_schedule_deletion(f->k, f->key, &o, NULL));
}

/* Something in the reasons, or nothing at all (NULL). */
static void expect_blocker(struct fixture *f, const char *words)
{
	char *text;

	assert_ok(keymgr_deletion_blockers(f->k, f->key, &text));
	if (words && !strstr(text, words))
		fail_msg("\"%s\" is not in: %s", words, text);
	if (!words)
		assert_string_equal(text, "");
	free(text);
}

static void expect_waiting(struct fixture *f)
{
	struct due_summary due = run_due(f);

	assert_int_equal(due.destroyed, 0);
	assert_int_equal(due.waiting, 1);
	assert_int_equal(fixture_state(f), KEY_PENDING_DELETION);
}

static void expect_destroyed(struct fixture *f)
{
	struct due_summary due = run_due(f);

	assert_int_equal(due.destroyed, 1);
	assert_int_equal(due.waiting, 0);
	assert_int_equal(fixture_state(f), KEY_DESTROYED);
}

static void windows(void **state)
{
	struct fixture *f = *state;
	struct deletion_options o = { .window_days = 6 };
	struct key_metadata m;

	fixture_key(f);
	assert_err(keymgr_schedule_deletion(f->k, f->key, &o, &m), ERR_VALIDATION);
	o.window_days = 31;
	assert_err(keymgr_schedule_deletion(f->k, f->key, &o, &m), ERR_VALIDATION);
	o.window_days = -1;
	assert_err(keymgr_schedule_deletion(f->k, f->key, &o, &m), ERR_VALIDATION);
	assert_int_equal(fixture_state(f), KEY_ENABLED);
	o.window_days = 7;
	assert_ok(keymgr_schedule_deletion(f->k, f->key, &o, &m));
	assert_int_equal(m.pending_window_days, 7);
	assert_in_range(m.deletion_date, clock_now() + DAYS(7) - 5, clock_now() + DAYS(7));
	key_metadata_release(&m);
}

static void an_unused_key_goes_when_its_window_ends(void **state)
{
	struct fixture *f = *state;
	struct key_metadata m;

	fixture_key(f);
	schedule(f, 7);
	expect_blocker(f, NULL);
	fixture_clock(f, DAYS(7) - 10);
	assert_int_equal(run_due(f).destroyed, 0);
	fixture_clock(f, DAYS(7) + 1);
	expect_destroyed(f);
	assert_err(keymgr_describe_key(f->k, f->key, &m), ERR_KEY_NOT_FOUND);
	assert_err(keymgr_cancel_deletion(f->k, f->key), ERR_KEY_NOT_FOUND);
	fixture_reopen(f, 0);
	assert_int_equal(fixture_state(f), KEY_DESTROYED);
}

static void a_cancelled_deletion_keeps_the_key(void **state)
{
	struct fixture *f = *state;
	struct secret *before, *after;
	struct key_ref ref;
	struct blob b;

	fixture_key(f);
	assert_ok(keymgr_generate_data_key(f->k, f->key, &bucket_context, &before, &b, &ref));
	schedule(f, 7);
	assert_ok(keymgr_cancel_deletion(f->k, f->key));
	fixture_clock(f, DAYS(40));
	assert_int_equal(run_due(f).destroyed, 0);
	assert_int_equal(fixture_state(f), KEY_DISABLED);
	assert_ok(keymgr_enable_key(f->k, f->key));
	assert_ok(keymgr_decrypt_data_key(f->k, b.bytes, b.len, &bucket_context, &after, &ref));
	assert_memory_equal(before->bytes, after->bytes, 32);
	secret_free(before);
	secret_free(after);
}

static void what_is_under_a_destroyed_key_says_so(void **state)
{
	struct fixture *f = *state;
	struct secret *s;
	struct key_ref ref;
	struct blob b;
	uint8_t id[KEY_ID_LEN];

	fixture_key(f);
	assert_ok(keymgr_create_alias(f->k, "alias/gone", f->key));
	assert_ok(keymgr_generate_data_key(f->k, f->key, &bucket_context, &s, &b, &ref));
	secret_free(s);
	schedule(f, 7);
	fixture_clock(f, DAYS(8));
	expect_destroyed(f);
	assert_err(keymgr_decrypt_data_key(f->k, b.bytes, b.len, &bucket_context, &s, &ref), ERR_KEY_DESTROYED);
	assert_err(keymgr_resolve(f->k, "alias/gone", id), ERR_KEY_NOT_FOUND);
	assert_err(keymgr_generate_data_key(f->k, f->key, &bucket_context, &s, &b, &ref), ERR_KEY_NOT_FOUND);
}

static void a_bucket_must_be_scanned(void **state)
{
	struct bucket_instance b;
	struct fixture *f = *state;

	fixture_bucket(f, 1, 0, &b);
	fixture_key(f);
	assert_ok(fixture_scan(f, &b, 0, 0, 0));	/* before: does not count */
	fixture_clock(f, 10);
	schedule(f, 7);
	expect_blocker(f, "/srv/bucket: not scanned since");
	expect_blocker(f, "rekeyfs migrate run /srv/bucket");
	fixture_clock(f, DAYS(8));
	expect_waiting(f);
	assert_ok(fixture_scan(f, &b, 0, 0, 0));
	expect_blocker(f, NULL);
	expect_destroyed(f);
}

static void a_scan_that_began_before_does_not_count(void **state)
{
	struct bucket_instance b;
	struct fixture *f = *state;

	fixture_bucket(f, 1, 0, &b);
	fixture_key(f);
	schedule(f, 7);
	fixture_clock(f, 60);
	assert_ok(fixture_scan(f, &b, 120, 0, 0));
	expect_blocker(f, "not scanned since");
	assert_ok(fixture_scan(f, &b, 30, 0, 0));
	expect_blocker(f, NULL);
}

static void references_and_unreadable_files_hold_it(void **state)
{
	struct bucket_instance b;
	struct fixture *f = *state;

	fixture_bucket(f, 1, 0, &b);
	fixture_key(f);
	schedule(f, 7);
	fixture_clock(f, DAYS(8));
	assert_ok(fixture_scan(f, &b, 0, 3, 0));
	expect_blocker(f, "3 of its files, names or policies still need it");
	expect_blocker(f, "rekeyfs policy set");
	expect_waiting(f);
	assert_ok(fixture_scan(f, &b, 0, 0, 2));
	expect_blocker(f, "2 of its files could not be read, the first is cipher/path");
	expect_waiting(f);
	assert_ok(fixture_scan(f, &b, 0, 0, 0));
	expect_destroyed(f);
}

static void every_instance_counts(void **state)
{
	struct bucket_instance one, two;
	struct fixture *f = *state;
	char id[UUID_TEXT_LEN + 1];

	fixture_bucket(f, 1, 0, &one);
	fixture_bucket(f, 2, 0, &two);
	fixture_key(f);
	schedule(f, 7);
	fixture_clock(f, DAYS(8));
	assert_ok(fixture_scan(f, &one, 0, 0, 0));
	expect_waiting(f);
	uuid_text(two.instance_id, id);
	expect_blocker(f, id);
	assert_err(keymgr_forget_bucket(f->k, two.instance_id, NULL), ERR_VALIDATION);
	assert_err(keymgr_forget_bucket(f->k, two.instance_id, f->key), ERR_VALIDATION);
	expect_waiting(f);
	assert_ok(keymgr_forget_bucket(f->k, two.instance_id, id));
	expect_destroyed(f);
}

static void a_replica_is_never_proved(void **state)
{
	struct bucket_instance b;
	struct fixture *f = *state;
	char id[UUID_TEXT_LEN + 1];

	fixture_bucket(f, 1, 1, &b);
	fixture_key(f);
	schedule(f, 7);
	fixture_clock(f, DAYS(8));
	expect_blocker(f, "has a replica at /srv/bucket");
	expect_blocker(f, "rekeyctl forget-bucket 81818181");
	assert_err(fixture_scan(f, &b, 0, 0, 0), ERR_REFUSED);
	expect_waiting(f);
	uuid_text(b.instance_id, id);
	assert_ok(keymgr_forget_bucket(f->k, b.instance_id, id));
	expect_destroyed(f);
}

static void a_lease_holds_the_scan_back(void **state)
{
	struct bucket_instance b;
	struct fixture *f = *state;

	fixture_bucket(f, 1, 0, &b);
	fixture_key(f);
	assert_ok(keymgr_take_lease(f->k, b.instance_id, f->key_id));
	schedule(f, 7);
	fixture_clock(f, 3600);
	assert_ok(fixture_scan(f, &b, 0, 0, 0));
	expect_blocker(f, "may still hold a bucket key");
	/* The lease has ended, but the scan began before. */
	fixture_clock(f, DAYS(2));
	expect_blocker(f, "not scanned since");
	assert_ok(fixture_scan(f, &b, 0, 0, 0));
	expect_blocker(f, NULL);
}

static void an_acknowledged_barrier_ends_it(void **state)
{
	struct bucket_instance b;
	struct fixture *f = *state;

	fixture_bucket(f, 1, 0, &b);
	fixture_key(f);
	assert_ok(keymgr_take_lease(f->k, b.instance_id, f->key_id));
	schedule(f, 7);
	fixture_clock(f, 100);
	expect_blocker(f, "may still hold a bucket key");
	assert_ok(keymgr_acknowledge_barrier(f->k, b.instance_id, f->key_id));
	expect_blocker(f, "not scanned since");
	fixture_clock(f, 200);
	assert_ok(fixture_scan(f, &b, 150, 0, 0));	/* began before the barrier */
	expect_blocker(f, "not scanned since");
	assert_ok(fixture_scan(f, &b, 50, 0, 0));
	expect_blocker(f, NULL);
}

static void a_pending_key_gives_no_lease(void **state)
{
	struct bucket_instance b;
	struct fixture *f = *state;
	uint8_t other[UUID_LEN] = { 9 };

	fixture_bucket(f, 1, 0, &b);
	fixture_key(f);
	assert_err(keymgr_take_lease(f->k, other, f->key_id), ERR_NOT_FOUND);
	assert_err(keymgr_take_lease(f->k, b.instance_id, other), ERR_KEY_NOT_FOUND);
	schedule(f, 7);
	assert_err(keymgr_take_lease(f->k, b.instance_id, f->key_id), ERR_KEY_STATE);
}

static void enabling_in_between_starts_anew(void **state)
{
	struct bucket_instance b;
	struct fixture *f = *state;

	fixture_bucket(f, 1, 0, &b);
	fixture_key(f);
	schedule(f, 7);
	fixture_clock(f, 10);
	assert_ok(fixture_scan(f, &b, 0, 0, 0));
	assert_ok(keymgr_cancel_deletion(f->k, f->key));
	assert_ok(keymgr_enable_key(f->k, f->key));
	fixture_clock(f, 20);
	schedule(f, 7);
	expect_blocker(f, "not scanned since");
}

/* A key that was disabled before encrypts nothing since then. */
static void a_scan_after_disabling_counts(void **state)
{
	struct bucket_instance b;
	struct fixture *f = *state;

	fixture_bucket(f, 1, 0, &b);
	fixture_key(f);
	assert_ok(keymgr_disable_key(f->k, f->key));
	fixture_clock(f, 10);
	assert_ok(fixture_scan(f, &b, 0, 0, 0));
	fixture_clock(f, 20);
	schedule(f, 7);
	expect_blocker(f, NULL);
}

static void what_was_made_outside_buckets_holds_it(void **state)
{
	struct fixture *f = *state;
	struct deletion_options ignore = { .window_days = 7, .ignore_external = 1 };
	uint8_t out[CIPHERTEXT_MAX];
	struct key_ref ref;
	struct secret *s;
	size_t len;

	fixture_key(f);
	assert_ok(keymgr_encrypt(f->k, f->key, NULL, "secret", 6, out, &len, &ref));
	assert_ok(keymgr_client_data_key(f->k, f->key, NULL, 16, &s, out, &len, &ref));
	secret_free(s);
	schedule(f, 7);
	fixture_clock(f, DAYS(8));
	fixture_reopen(f, 1);
	expect_blocker(f, "1 data keys and 1 ciphertexts were made under it outside buckets");
	expect_blocker(f, "--ignore-external");
	expect_waiting(f);
	assert_ok(keymgr_cancel_deletion(f->k, f->key));
	assert_ok(keymgr_schedule_deletion(f->k, f->key, &ignore, NULL));
	expect_blocker(f, NULL);
	fixture_clock(f, DAYS(16));
	expect_destroyed(f);
}

static void shredding_asks_for_the_id_and_keeps_the_window(void **state)
{
	struct fixture *f = *state;
	struct deletion_options o = { .window_days = 7, .shred = 1 };
	struct bucket_instance b;
	struct key_metadata m;

	fixture_bucket(f, 1, 0, &b);
	fixture_key(f);
	assert_err(keymgr_schedule_deletion(f->k, f->key, &o, NULL), ERR_VALIDATION);
	o.confirm = "yes";
	assert_err(keymgr_schedule_deletion(f->k, f->key, &o, NULL), ERR_VALIDATION);
	o.confirm = f->key;
	assert_ok(keymgr_schedule_deletion(f->k, f->key, &o, &m));
	assert_int_equal(m.shred, 1);
	key_metadata_release(&m);
	assert_ok(fixture_scan(f, &b, 0, 5, 5));
	expect_blocker(f, NULL);
	fixture_clock(f, DAYS(6));
	assert_int_equal(run_due(f).destroyed, 0);
	fixture_clock(f, DAYS(8));
	expect_destroyed(f);
}

static void other_keys_survive(void **state)
{
	struct fixture *f = *state;
	char other[UUID_TEXT_LEN + 1];
	struct secret *before, *after;
	struct key_ref ref;
	struct blob b;

	fixture_key(f);
	memcpy(other, f->key, sizeof(other));
	assert_ok(keymgr_generate_data_key(f->k, other, &bucket_context, &before, &b, &ref));
	fixture_key(f);
	schedule(f, 7);
	fixture_clock(f, DAYS(8));
	expect_destroyed(f);
	fixture_reopen(f, 0);
	assert_ok(keymgr_decrypt_data_key(f->k, b.bytes, b.len, &bucket_context, &after, &ref));
	assert_memory_equal(before->bytes, after->bytes, 32);
	secret_free(before);
	secret_free(after);
}

/* The material's wrap is in no file that the key manager leaves. */
static void no_older_generation_stays(void **state)
{
	struct fixture *f = *state;
	char previous[FIXTURE_PATH];
	uint8_t *before, *current, *kept;
	size_t before_len, current_len, kept_len;

	fixture_key(f);
	schedule(f, 7);
	fixture_file(f, ".previous", previous);
	before = fixture_load(f->path, &before_len);
	fixture_clock(f, DAYS(8));
	expect_destroyed(f);
	current = fixture_load(f->path, &current_len);
	kept = fixture_load(previous, &kept_len);
	assert_int_equal(kept_len, current_len);
	assert_memory_equal(kept, current, kept_len);
	assert_true(before_len != current_len || memcmp(before, current, current_len) != 0);
	free(before);
	free(current);
	free(kept);
}

static void migrating_from_a_pending_key(void **state)
{
	struct fixture *f = *state;
	char from[UUID_TEXT_LEN + 1];
	struct secret *before, *after;
	struct bucket_instance bucket;
	struct blob old, fresh;
	struct key_ref ref;

	fixture_key(f);
	memcpy(from, f->key, sizeof(from));
	assert_ok(keymgr_generate_data_key(f->k, from, &bucket_context, &before, &old, &ref));
	fixture_key(f);		/* the destination */
	assert_ok(keymgr_schedule_deletion(f->k, from, NULL, NULL));
	assert_err(keymgr_migrate_data_key(f->k, old.bytes, old.len, &bucket_context, f->key, &fresh, &ref), ERR_REFUSED);
	fixture_bucket(f, 1, 0, &bucket);
	assert_ok(keymgr_migrate_data_key(f->k, old.bytes, old.len, &bucket_context, f->key, &fresh, &ref));
	assert_memory_equal(ref.key_id, f->key_id, KEY_ID_LEN);
	assert_err(keymgr_decrypt_data_key(f->k, old.bytes, old.len, &bucket_context, &after, &ref), ERR_KEY_STATE);
	assert_ok(keymgr_decrypt_data_key(f->k, fresh.bytes, fresh.len, &bucket_context, &after, &ref));
	assert_memory_equal(before->bytes, after->bytes, 32);
	secret_free(before);
	secret_free(after);
	assert_err(keymgr_migrate_data_key(f->k, old.bytes, old.len, &bucket_context, from, &fresh, &ref), ERR_KEY_STATE);
	assert_err(keymgr_migrate_data_key(f->k, old.bytes, old.len, NULL, f->key, &fresh, &ref), ERR_VALIDATION);
	assert_ok(keymgr_cancel_deletion(f->k, from));
	assert_err(keymgr_migrate_data_key(f->k, old.bytes, old.len, &bucket_context, f->key, &fresh, &ref), ERR_KEY_DISABLED);
}

struct ids { uint8_t id[4][MATERIAL_ID_LEN]; int destroyed[4], count; };

static int note_material(void *context_pointer, const struct material *m)
{
	struct ids *l = context_pointer;

	memcpy(l->id[l->count], m->id, MATERIAL_ID_LEN);
	l->destroyed[l->count++] = m->destroyed;
	return 0;
}

static struct ids materials(struct fixture *f)
{
	struct ids l = { .count = 0 };

	assert_ok(keymgr_list_materials(f->k, f->key, note_material, &l));
	return l;
}

static enum err scan_material(struct fixture *f, const struct bucket_instance *b, const uint8_t *material, uint64_t references)
{
	struct scan_report report = { .started = clock_now(), .ended = clock_now(), .references = references };

	memcpy(report.instance_id, b->instance_id, UUID_LEN);
	memcpy(report.key_id, f->key_id, KEY_ID_LEN);
	memcpy(report.material_id, material, MATERIAL_ID_LEN);
	return keymgr_report_scan(f->k, &report);
}

static void key_material_goes_through_the_same_gate(void **state)
{
	struct fixture *f = *state;
	uint8_t unknown[MATERIAL_ID_LEN] = { 1 };
	struct bucket_instance bucket;
	struct secret *s;
	struct key_ref ref;
	struct blob old, fresh;
	struct ids l;

	fixture_bucket(f, 1, 0, &bucket);
	fixture_key(f);
	assert_ok(keymgr_generate_data_key(f->k, f->key, &bucket_context, &s, &old, &ref));
	secret_free(s);
	assert_ok(keymgr_take_lease(f->k, bucket.instance_id, f->key_id));
	assert_err(keymgr_destroy_material(f->k, f->key, ref.material_id, 0), ERR_REFUSED);	/* current */
	assert_err(keymgr_destroy_material(f->k, f->key, unknown, 0), ERR_NOT_FOUND);
	fixture_clock(f, 10);
	assert_ok(keymgr_rotate_on_demand(f->k, f->key));
	assert_err(keymgr_destroy_material(f->k, f->key, ref.material_id, 0), ERR_REFUSED);	/* leased */
	fixture_clock(f, 20);
	assert_ok(keymgr_acknowledge_barrier(f->k, bucket.instance_id, f->key_id));
	assert_err(keymgr_destroy_material(f->k, f->key, ref.material_id, 0), ERR_REFUSED);	/* not scanned */
	assert_ok(scan_material(f, &bucket, ref.material_id, 2));
	assert_err(keymgr_destroy_material(f->k, f->key, ref.material_id, 0), ERR_REFUSED);	/* needed */
	assert_ok(scan_material(f, &bucket, ref.material_id, 0));
	assert_ok(keymgr_destroy_material(f->k, f->key, ref.material_id, 0));
	l = materials(f);
	assert_true(l.count == 2 && l.destroyed[0] && !l.destroyed[1]);
	assert_err(keymgr_destroy_material(f->k, f->key, ref.material_id, 0), ERR_KEY_DESTROYED);
	assert_err(keymgr_decrypt_data_key(f->k, old.bytes, old.len, &bucket_context, &s, &ref), ERR_KEY_DESTROYED);
	assert_ok(keymgr_generate_data_key(f->k, f->key, &bucket_context, &s, &fresh, &ref));
	secret_free(s);
	assert_ok(keymgr_decrypt_data_key(f->k, fresh.bytes, fresh.len, &bucket_context, &s, &ref));
	secret_free(s);
}

/* A mount that goes on with the newer material keeps a lease; the older one's ends by itself. */
static void a_lease_for_newer_material_does_not_hold_the_older(void **state)
{
	struct fixture *f = *state;
	struct bucket_instance bucket;
	struct key_ref ref;
	struct secret *s;
	struct blob b;

	fixture_bucket(f, 1, 0, &bucket);
	fixture_key(f);
	assert_ok(keymgr_generate_data_key(f->k, f->key, &bucket_context, &s, &b, &ref));
	secret_free(s);
	assert_ok(keymgr_take_lease(f->k, bucket.instance_id, f->key_id));
	assert_ok(keymgr_rotate_on_demand(f->k, f->key));
	fixture_clock(f, DAYS(2));
	assert_ok(keymgr_take_lease(f->k, bucket.instance_id, f->key_id));
	assert_ok(scan_material(f, &bucket, ref.material_id, 0));
	assert_ok(keymgr_destroy_material(f->k, f->key, ref.material_id, 0));
}

static void material_that_never_encrypted_needs_no_scan(void **state)
{
	struct bucket_instance bucket;
	struct fixture *f = *state;
	struct ids l;

	fixture_bucket(f, 1, 0, &bucket);
	fixture_clock(f, 5);
	fixture_key(f);
	assert_ok(keymgr_rotate_on_demand(f->k, f->key));
	l = materials(f);
	assert_ok(keymgr_destroy_material(f->k, f->key, l.id[0], 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
static const struct CMUnitTest tests[] = {
	TEST(windows),
	TEST(an_unused_key_goes_when_its_window_ends),
	TEST(a_cancelled_deletion_keeps_the_key),
	TEST(what_is_under_a_destroyed_key_says_so),
	TEST(a_bucket_must_be_scanned),
	TEST(a_scan_that_began_before_does_not_count),
	TEST(references_and_unreadable_files_hold_it),
	TEST(every_instance_counts),
	TEST(a_replica_is_never_proved),
	TEST(a_lease_holds_the_scan_back),
	TEST(an_acknowledged_barrier_ends_it),
	TEST(a_pending_key_gives_no_lease),
	TEST(enabling_in_between_starts_anew),
	TEST(a_scan_after_disabling_counts),
	TEST(what_was_made_outside_buckets_holds_it),
	TEST(shredding_asks_for_the_id_and_keeps_the_window),
	TEST(other_keys_survive),
	TEST(no_older_generation_stays),
	TEST(migrating_from_a_pending_key),
	TEST(key_material_goes_through_the_same_gate),
	TEST(a_lease_for_newer_material_does_not_hold_the_older),
	TEST(material_that_never_encrypted_needs_no_scan),
};

UNIT_MAIN(tests)
