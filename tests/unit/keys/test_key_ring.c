/* The key ring against a key manager in memory. */
#include "tests/lib/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/secret.h"
#include "fs/keys/key_ring.h"
#include "tests/lib/fixed.h"
#include "tests/lib/scratch.h"
#include "tests/unit/keys/fake_keymgr.h"

static struct keymgr manager;
static struct key_ring *ring;
static struct fixed fixed;

static int start(void **state)
{
	fake_start(&manager);
	fixed = fixed_make();
	return key_ring_new(&manager, fixed.bucket, fixed.directory, &ring) == ERR_OK ? 0 : -1;
}

static int stop(void **state)
{
	key_ring_free(ring);
	ring = NULL;
	return 0;
}

static enum err wrap(int cmk, struct key_slot *out)
{
	return key_ring_wrap(ring, WRAP_FILE_KEY, manager.cmks[cmk].id, fixed.link, 1, 7, fixed.file_key, out);
}

static enum err unwrap(const struct key_slot *slot)
{
	uint8_t key[32];
	enum err e = key_ring_unwrap(ring, WRAP_FILE_KEY, fixed.link, slot, key);

	assert_memory_equal(key, e == ERR_OK ? fixed.file_key : (uint8_t [32]){ 0 }, 32);
	return e;
}

/* Another process, or this one after its TTL: nothing is cached. */
static void restart(void)
{
	stop(NULL);
	assert_ok(key_ring_new(&manager, fixed.bucket, fixed.directory, &ring));
}

static void many_files_cost_one_call(void **state)
{
	struct key_slot slots[20];

	for (int i = 0; i < 20; i++)
		assert_ok(wrap(0, &slots[i]));
	for (int i = 0; i < 20; i++)
		assert_ok(unwrap(&slots[i]));
	assert_int_equal(manager.generated, 1);
	assert_int_equal(manager.decrypted, 0);
	assert_int_equal(manager.leases, 1);
	assert_memory_not_equal(slots[0].wrapped, slots[1].wrapped, sizeof(slots[0].wrapped));
	assert_int_equal(slots[0].epoch, 7);
	assert_int_equal(slots[0].suite, 1);
	restart();
	for (int i = 0; i < 20; i++)
		assert_ok(unwrap(&slots[i]));
	assert_int_equal(manager.generated, 1);
	assert_int_equal(manager.decrypted, 1);
	assert_int_equal(manager.leases, 2);
}

static void a_rotation_counts_for_the_next_wrap(void **state)
{
	uint8_t material[MATERIAL_ID_LEN];
	struct key_slot old, new;

	assert_ok(wrap(0, &old));
	fake_rotate(&manager, 0);
	assert_ok(wrap(0, &new));
	fake_material_id(0, 1, material);
	assert_memory_equal(new.material_id, material, sizeof(material));
	assert_ok(unwrap(&old));
	assert_ok(unwrap(&new));
	assert_int_equal(manager.generated, 2);
	assert_int_equal(manager.decrypted, 0);
}

static void a_disabled_key_refuses_at_once_and_comes_back(void **state)
{
	struct key_slot slot, other;

	assert_ok(wrap(0, &slot));
	fake_set_state(&manager, 0, KEY_DISABLED);
	assert_err(unwrap(&slot), ERR_NO_KEY);
	assert_non_null(strstr(err_message(ERR_NO_KEY), "rekeyctl enable-key --key-id a0a0a0a0-"));
	assert_err(wrap(0, &other), ERR_NO_KEY);
	assert_ok(wrap(1, &other));
	fake_set_state(&manager, 0, KEY_ENABLED);
	assert_ok(unwrap(&slot));
	assert_ok(wrap(0, &other));
}

static void states_have_their_errors(void **state)
{
	struct key_slot slot, other;

	assert_ok(wrap(0, &slot));
	fake_set_state(&manager, 0, KEY_PENDING_DELETION);
	assert_err(unwrap(&slot), ERR_NO_KEY);
	assert_non_null(strstr(err_message(ERR_NO_KEY), "pending deletion"));
	assert_err(wrap(0, &other), ERR_NO_KEY);
	fake_set_state(&manager, 0, KEY_DESTROYED);
	assert_err(unwrap(&slot), ERR_KEY_DESTROYED);
	assert_err(wrap(0, &other), ERR_NO_KEY);
	assert_non_null(strstr(err_message(ERR_NO_KEY), "destroyed"));
	fake_set_state(&manager, 0, 0);
	assert_err(unwrap(&slot), ERR_NO_KEY);
	assert_non_null(strstr(err_message(ERR_NO_KEY), "keystore /fake has no key"));
	assert_err(wrap(0, &other), ERR_NO_KEY);
}

static void a_retired_key_only_reads(void **state)
{
	struct key_slot slot, other;

	assert_ok(wrap(0, &slot));
	manager.cmks[0].refused = 1;
	manager.generation++;
	assert_err(wrap(0, &other), ERR_NO_KEY);
	assert_non_null(strstr(err_message(ERR_NO_KEY), "refuses to encrypt"));
	assert_ok(unwrap(&slot));
}

static void a_destroyed_backing_key_is_forgotten(void **state)
{
	struct key_slot old, new;

	assert_ok(wrap(0, &old));
	fake_rotate(&manager, 0);
	assert_ok(wrap(0, &new));
	manager.cmks[0].destroyed[0] = 1;
	manager.generation++;
	assert_err(unwrap(&old), ERR_KEY_DESTROYED);
	assert_ok(unwrap(&new));
}

static void cached_keys_outlast_a_key_service_that_is_away(void **state)
{
	struct key_slot slot, other;

	assert_ok(wrap(0, &slot));
	manager.away = 1;
	assert_ok(unwrap(&slot));
	assert_ok(wrap(0, &other));
	restart();
	assert_err(unwrap(&slot), ERR_KEY_EXPIRED);
	assert_err(wrap(0, &other), ERR_KEY_EXPIRED);
	manager.away = 0;
	assert_ok(unwrap(&slot));
	assert_ok(wrap(0, &other));
}

static void slots_that_were_changed_are_refused(void **state)
{
	struct key_slot slot, changed;
	uint8_t key[32];

	assert_ok(wrap(0, &slot));
	changed = slot;
	changed.key_id[3] ^= 1;
	assert_err(unwrap(&changed), ERR_NOT_AUTHENTIC);
	changed = slot;
	changed.material_id[3] ^= 1;
	assert_err(unwrap(&changed), ERR_NOT_AUTHENTIC);
	changed = slot;
	changed.epoch++;
	assert_err(unwrap(&changed), ERR_NOT_AUTHENTIC);
	changed = slot;
	changed.suite++;
	assert_err(unwrap(&changed), ERR_NOT_AUTHENTIC);
	changed = slot;
	changed.check[31] ^= 1;
	assert_err(unwrap(&changed), ERR_NOT_AUTHENTIC);
	changed = slot;
	changed.wrapped[40] ^= 1;
	assert_err(unwrap(&changed), ERR_NOT_AUTHENTIC);
	changed = slot;
	changed.blob_len--;
	assert_err(unwrap(&changed), ERR_NOT_AUTHENTIC);
	changed = slot;
	changed.blob[changed.blob_len - 1] ^= 0x20;	/* no such data key */
	assert_err(unwrap(&changed), ERR_NOT_AUTHENTIC);
	assert_err(key_ring_unwrap(ring, WRAP_NAMES_KEY, fixed.link, &slot, key), ERR_NOT_AUTHENTIC);
	assert_err(key_ring_unwrap(ring, WRAP_FILE_KEY, fixed.bucket, &slot, key), ERR_NOT_AUTHENTIC);
	assert_ok(unwrap(&slot));
}

static void a_slot_of_another_bucket_is_refused(void **state)
{
	struct key_slot slot;

	assert_ok(wrap(0, &slot));
	stop(NULL);
	memset(fixed.bucket, 9, UUID_LEN);
	restart();
	assert_err(unwrap(&slot), ERR_NOT_AUTHENTIC);
}

static enum err migrate(const struct key_slot *slot, int to, struct key_slot *out)
{
	uint8_t key[32];
	enum err e = key_ring_migrate(ring, WRAP_FILE_KEY, fixed.link, slot, manager.cmks[to].id, out, key);

	assert_memory_equal(key, e == ERR_OK ? fixed.file_key : (uint8_t [32]){ 0 }, 32);
	return e;
}

static void a_pending_key_gives_its_files_to_another(void **state)
{
	struct key_slot slots[10], moved;

	for (int i = 0; i < 10; i++)
		assert_ok(wrap(0, &slots[i]));
	fake_set_state(&manager, 0, KEY_PENDING_DELETION);
	for (int i = 0; i < 10; i++) {
		assert_err(unwrap(&slots[i]), ERR_NO_KEY);
		assert_ok(migrate(&slots[i], 1, &moved));
		assert_memory_equal(moved.key_id, manager.cmks[1].id, KEY_ID_LEN);
		assert_int_equal(moved.epoch, 7);
		assert_int_equal(moved.suite, 1);
		assert_ok(unwrap(&moved));
		assert_err(unwrap(&slots[i]), ERR_NO_KEY);
	}
	assert_int_equal(manager.migrated, 1);
	assert_int_equal(manager.generated, 2);
	assert_err(migrate(&slots[0], 0, &moved), ERR_NO_KEY);
	fake_set_state(&manager, 1, KEY_DISABLED);
	assert_err(migrate(&slots[0], 1, &moved), ERR_NO_KEY);
	assert_ok(migrate(&slots[0], 2, &moved));
	fake_set_state(&manager, 0, KEY_DISABLED);
	assert_err(migrate(&slots[0], 2, &moved), ERR_NO_KEY);
	fake_set_state(&manager, 0, KEY_DESTROYED);
	assert_err(migrate(&slots[0], 2, &moved), ERR_KEY_DESTROYED);
}

static void an_enabled_key_gives_its_files_too(void **state)
{
	struct key_slot slot, moved;

	assert_ok(wrap(0, &slot));
	assert_ok(migrate(&slot, 1, &moved));
	assert_memory_equal(moved.key_id, manager.cmks[1].id, KEY_ID_LEN);
	assert_ok(unwrap(&moved));
	assert_int_equal(manager.migrated, 0);
}

static size_t refresh(uint8_t (*changed)[KEY_ID_LEN], size_t max)
{
	size_t count;

	assert_ok(key_ring_refresh(ring, changed, max, &count));
	return count;
}

static void keys_that_left_enabled_are_told_once(void **state)
{
	uint8_t changed[FAKE_CMKS][KEY_ID_LEN];
	struct key_slot slot;

	assert_int_equal(refresh(changed, FAKE_CMKS), 0);
	for (int i = 0; i < 3; i++)
		assert_ok(wrap(i, &slot));
	assert_int_equal(refresh(changed, FAKE_CMKS), 0);
	fake_set_state(&manager, 3, KEY_DISABLED);	/* never in use */
	assert_err(wrap(3, &slot), ERR_NO_KEY);
	fake_set_state(&manager, 1, KEY_DISABLED);
	assert_err(wrap(1, &slot), ERR_NO_KEY);		/* a wrap saw it first */
	assert_int_equal(refresh(changed, FAKE_CMKS), 1);
	assert_memory_equal(changed[0], manager.cmks[1].id, KEY_ID_LEN);
	assert_int_equal(refresh(changed, FAKE_CMKS), 0);
	fake_set_state(&manager, 1, KEY_ENABLED);
	assert_int_equal(refresh(changed, FAKE_CMKS), 0);
	fake_set_state(&manager, 0, KEY_PENDING_DELETION);
	fake_set_state(&manager, 1, KEY_DISABLED);
	assert_int_equal(refresh(changed, 1), 1);
	assert_int_equal(refresh(changed, 1), 1);
	assert_int_equal(refresh(changed, 1), 0);
}

static void forgotten_keys_are_asked_for_again_under_a_new_lease(void **state)
{
	struct key_slot slot, other;

	assert_ok(wrap(0, &slot));
	assert_int_equal(manager.leases, 1);
	key_ring_forget(ring, manager.cmks[0].id, 1);
	assert_ok(unwrap(&slot));
	assert_int_equal(manager.decrypted, 0);
	assert_ok(wrap(0, &other));
	assert_int_equal(manager.generated, 2);
	assert_int_equal(manager.leases, 2);
	key_ring_forget(ring, manager.cmks[0].id, 0);
	assert_ok(unwrap(&slot));
	assert_int_equal(manager.decrypted, 1);
	assert_int_equal(manager.leases, 3);
	key_ring_forget_all(ring);
	assert_ok(unwrap(&other));
	assert_int_equal(manager.decrypted, 2);
	assert_int_equal(manager.leases, 4);
}

static void disable_first(struct keymgr *k)
{
	k->on_lease = NULL;
	fake_set_state(k, 0, KEY_PENDING_DELETION);
}

/* Between the data key and its lease the deletion was scheduled, and a scan may have begun: nothing is wrapped any more. */
static void a_key_scheduled_before_the_lease_encrypts_nothing(void **state)
{
	struct key_slot slot;

	manager.on_lease = disable_first;
	assert_err(wrap(0, &slot), ERR_NO_KEY);
	assert_int_equal(manager.generated, 1);
	fake_set_state(&manager, 0, KEY_ENABLED);
	assert_ok(wrap(0, &slot));
	assert_int_equal(manager.generated, 2);
}

static void rotate_first(struct keymgr *k)
{
	k->on_generate = NULL;
	fake_rotate(k, 0);
}

static void a_key_rotated_meanwhile_is_not_current(void **state)
{
	uint8_t material[MATERIAL_ID_LEN];
	struct key_slot slot;

	manager.on_generate = rotate_first;
	assert_ok(wrap(0, &slot));
	fake_material_id(0, 1, material);
	assert_memory_equal(slot.material_id, material, sizeof(material));
	assert_int_equal(manager.generated, 2);
}

static void an_unregistered_bucket_gets_no_keys(void **state)
{
	struct key_slot slot;

	manager.unregistered = 1;
	assert_err(wrap(0, &slot), ERR_REFUSED);
	assert_non_null(strstr(err_message(ERR_REFUSED), "rekeyfs register"));
	stop(NULL);
	assert_ok(key_ring_new(&manager, fixed.bucket, fixed.none, &ring));	/* an offline tool needs none */
	assert_ok(wrap(0, &slot));
}

static void move_clock(const char *directory, long seconds)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/clock", directory);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%ld\n", seconds);
	fclose(f);
	setenv("REKEYFS_CLOCK_FILE", path, 1);
}

static void bucket_keys_expire(void **state)
{
	uint8_t changed[1][KEY_ID_LEN];
	struct key_slot slot;
	char *directory = NULL;

	assert_int_equal(scratch_make((void **)&directory), 0);
	move_clock(directory, 0);
	assert_ok(wrap(0, &slot));
	move_clock(directory, BUCKET_KEY_TTL - 10);
	assert_ok(unwrap(&slot));
	assert_int_equal(manager.decrypted, 0);
	move_clock(directory, BUCKET_KEY_TTL + 10);
	refresh(changed, 1);
	assert_ok(unwrap(&slot));
	assert_int_equal(manager.decrypted, 1);
	assert_int_equal(manager.leases, 2);
	assert_ok(wrap(0, &slot));
	assert_int_equal(manager.generated, 2);
	assert_int_equal(manager.leases, 2);		/* it is fresh */
	unsetenv("REKEYFS_CLOCK_FILE");
	scratch_remove((void **)&directory);
}

static void keys_are_resolved(void **state)
{
	uint8_t id[KEY_ID_LEN];

	assert_ok(key_ring_resolve(ring, "a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1", id));
	assert_memory_equal(id, manager.cmks[1].id, KEY_ID_LEN);
	assert_err(key_ring_resolve(ring, "alias/none", id), ERR_NO_KEY);
	assert_non_null(strstr(err_message(ERR_NO_KEY), "alias/none"));
	assert_ptr_equal(key_ring_keymgr(ring), &manager);
}

static void *use_much(void *failed)
{
	struct key_slot slot;
	uint8_t key[32];

	for (int i = 0; i < 300; i++) {
		enum err e = key_ring_wrap(ring, WRAP_FILE_KEY, manager.cmks[i % 3].id, fixed.link, 1, 7, fixed.file_key, &slot);

		if (e == ERR_OK)
			e = key_ring_unwrap(ring, WRAP_FILE_KEY, fixed.link, &slot, key);
		if (e == ERR_OK ? memcmp(key, fixed.file_key, 32) != 0 : e != ERR_NO_KEY)
			*(int *)failed = 1;
		if (i % 60 == 0)
			key_ring_forget(ring, manager.cmks[i % 3].id, i % 2);
	}
	return NULL;
}

static void threads_share_it(void **state)
{
	pthread_t threads[4];
	int failed[4] = { 0 };
	uint8_t changed[FAKE_CMKS][KEY_ID_LEN];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_much, &failed[i]), 0);
	for (int i = 0; i < 20; i++)
		refresh(changed, FAKE_CMKS);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_false(failed[i]);
	}
}

#define RING_TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

static const struct CMUnitTest tests[] = {
	RING_TEST(many_files_cost_one_call),
	RING_TEST(a_rotation_counts_for_the_next_wrap),
	RING_TEST(a_disabled_key_refuses_at_once_and_comes_back),
	RING_TEST(states_have_their_errors),
	RING_TEST(a_retired_key_only_reads),
	RING_TEST(a_destroyed_backing_key_is_forgotten),
	RING_TEST(cached_keys_outlast_a_key_service_that_is_away),
	RING_TEST(slots_that_were_changed_are_refused),
	RING_TEST(a_slot_of_another_bucket_is_refused),
	RING_TEST(a_pending_key_gives_its_files_to_another),
	RING_TEST(an_enabled_key_gives_its_files_too),
	RING_TEST(keys_that_left_enabled_are_told_once),
	RING_TEST(forgotten_keys_are_asked_for_again_under_a_new_lease),
	RING_TEST(a_key_scheduled_before_the_lease_encrypts_nothing),
	RING_TEST(a_key_rotated_meanwhile_is_not_current),
	RING_TEST(an_unregistered_bucket_gets_no_keys),
	RING_TEST(bucket_keys_expire),
	RING_TEST(keys_are_resolved),
	RING_TEST(threads_share_it),
};

UNIT_MAIN(tests)
