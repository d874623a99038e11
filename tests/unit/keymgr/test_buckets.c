/* Bucket instances, their anchors and leases; data keys as buckets use them. */
#include "tests/unit/keymgr/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "keymgr/core/lease.h"
#include "keymgr/core/manager.h"

static void registering_and_finding(void **state)
{
	struct fixture *f = *state;
	struct bucket_instance b, found;
	uint8_t other[UUID_LEN] = { 7 };
	uint64_t before, after;

	assert_err(keymgr_find_bucket(f->k, other, NULL, &found), ERR_NOT_FOUND);
	fixture_bucket(f, 1, 0, &b);
	assert_ok(keymgr_find_bucket(f->k, b.bucket_id, NULL, &found));
	assert_string_equal(found.path, "/srv/bucket");
	assert_memory_equal(found.instance_id, b.instance_id, UUID_LEN);
	assert_true(found.filesystem == 1 && found.root_inode == 1 && !found.replica);
	bucket_instance_release(&found);
	assert_err(keymgr_find_bucket(f->k, b.bucket_id, other, &found), ERR_NOT_FOUND);
	/* Seen again elsewhere: no change of the keystore itself. */
	assert_ok(keymgr_generation(f->k, &before));
	fixture_clock(f, 500);
	b.path = (char *)"/mnt/moved";
	assert_ok(keymgr_register_bucket(f->k, &b));
	assert_ok(keymgr_generation(f->k, &after));
	assert_int_equal(before, after);
	assert_ok(keymgr_find_bucket(f->k, b.bucket_id, b.instance_id, &found));
	assert_string_equal(found.path, "/mnt/moved");
	assert_true(found.last_seen >= found.registered + 499);
	bucket_instance_release(&found);
}

static int count(void *context, const struct bucket_instance *b)
{
	++*(int *)context;
	return 0;
}

static void a_copy_is_an_instance_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct bucket_instance b, copy, found;
	int instances = 0;

	fixture_bucket(f, 1, 0, &b);
	copy = b;
	memset(copy.instance_id, 0xcc, UUID_LEN);
	copy.path = (char *)"/mnt/copy";
	assert_ok(keymgr_register_bucket(f->k, &copy));
	assert_ok(keymgr_list_buckets(f->k, count, &instances));
	assert_int_equal(instances, 2);
	assert_ok(keymgr_find_bucket(f->k, b.bucket_id, b.instance_id, &found));
	assert_string_equal(found.path, "/srv/bucket");
	bucket_instance_release(&found);
	/* An instance id is one of one bucket. */
	memset(copy.bucket_id, 0x44, UUID_LEN);
	assert_err(keymgr_register_bucket(f->k, &copy), ERR_CONFLICT);
}

static void anchors_only_grow(void **state)
{
	struct fixture *f = *state;
	struct bucket_instance b, found;
	uint8_t other[UUID_LEN] = { 7 };

	fixture_bucket(f, 1, 0, &b);
	assert_ok(keymgr_anchor_bucket(f->k, b.instance_id, 10, 3));
	assert_ok(keymgr_anchor_bucket(f->k, b.instance_id, 9, 4));
	fixture_reopen(f, 0);
	assert_ok(keymgr_find_bucket(f->k, b.bucket_id, NULL, &found));
	assert_int_equal(found.checkpoint, 10);
	assert_int_equal(found.policy_generation, 4);
	bucket_instance_release(&found);
	assert_err(keymgr_anchor_bucket(f->k, other, 1, 1), ERR_NOT_FOUND);
}

static void forgetting(void **state)
{
	struct fixture *f = *state;
	struct bucket_instance b, found;
	char id[UUID_TEXT_LEN + 1];

	fixture_bucket(f, 1, 0, &b);
	uuid_text(b.instance_id, id);
	assert_ok(keymgr_forget_bucket(f->k, b.instance_id, id));
	assert_err(keymgr_find_bucket(f->k, b.bucket_id, NULL, &found), ERR_NOT_FOUND);
	assert_err(keymgr_forget_bucket(f->k, b.instance_id, id), ERR_NOT_FOUND);
}

/* Taking a young lease again writes nothing. */
static void leases_are_cheap(void **state)
{
	struct fixture *f = *state;
	struct bucket_instance b;
	uint64_t sequence;

	fixture_bucket(f, 1, 0, &b);
	fixture_key(f);
	assert_ok(keymgr_take_lease(f->k, b.instance_id, f->key_id));
	sequence = f->k->ledger.sequence;
	for (int i = 0; i < 100; i++)
		assert_ok(keymgr_take_lease(f->k, b.instance_id, f->key_id));
	assert_int_equal(f->k->ledger.sequence, sequence);
	assert_ok(keymgr_acknowledge_barrier(f->k, b.instance_id, f->key_id));
	sequence = f->k->ledger.sequence;
	assert_ok(keymgr_take_lease(f->k, b.instance_id, f->key_id));
	assert_int_equal(f->k->ledger.sequence, sequence + 1);
	assert_int_equal(ledger_find_lease(&f->k->ledger, b.instance_id, f->key_id)->acknowledged, 0);
}

/* The time of day may be moved; the boot's own clock decides while it is known. */
static void a_lease_ends_by_the_boots_clock(void **state)
{
	struct lease l = { .taken = 1000000, .taken_boot = 5000, .boot_id = { 1 } };
	struct moment m = { .day = 1000000 + 10 * LEASE_SECONDS, .boot = 5000 + LEASE_SECONDS - 1, .boot_id = { 1 } };
	int64_t end;

	assert_int_equal(lease_was_over(&l, 2000000, &m, &end), 0);
	assert_int_equal(end, 1000000 + LEASE_SECONDS);
	m.boot++;
	assert_int_equal(lease_was_over(&l, 2000000, &m, NULL), 1);
	/* Another boot: only the time of day is left. */
	m = (struct moment){ .day = 1000000 + LEASE_SECONDS - 1, .boot = 9000000, .boot_id = { 2 } };
	assert_int_equal(lease_was_over(&l, 2000000, &m, NULL), 0);
	m.day++;
	assert_int_equal(lease_was_over(&l, 2000000, &m, NULL), 1);
	/* Where no boot is known, neither is it the same. */
	memset(l.boot_id, 0, sizeof(l.boot_id));
	m = (struct moment){ .day = 1000001, .boot = 9000000 };
	assert_int_equal(lease_was_over(&l, 2000000, &m, NULL), 0);
	/* An acknowledgement from before what it is asked for does not count. */
	l.acknowledged = 1000010;
	m.day = 1000020;
	assert_int_equal(lease_was_over(&l, 1000005, &m, &end), 1);
	assert_int_equal(end, 1000010);
	assert_int_equal(lease_was_over(&l, 1000015, &m, NULL), 0);
}

/* --- data keys --------------------------------------------------------------------- */

static const struct context_pair pairs[] = { { "bucket", "b" }, { "a", "1" } };
static const struct context_pair turned[] = { { "a", "1" }, { "bucket", "b" } };
static const struct context context = { pairs, 2 }, turned_context = { turned, 2 };

static void a_context_matches_in_any_order(void **state)
{
	struct fixture *f = *state;
	struct secret *a, *b;
	struct key_ref ref;
	struct blob blob;

	fixture_key(f);
	assert_ok(keymgr_generate_data_key(f->k, f->key, &context, &a, &blob, &ref));
	assert_int_equal(blob.len, 124);
	assert_ok(keymgr_decrypt_data_key(f->k, blob.bytes, blob.len, &turned_context, &b, &ref));
	assert_memory_equal(a->bytes, b->bytes, 32);
	secret_free(a);
	secret_free(b);
	assert_err(keymgr_decrypt_data_key(f->k, blob.bytes, blob.len, NULL, &b, &ref), ERR_CIPHERTEXT);
	assert_err(keymgr_decrypt_data_key(f->k, blob.bytes, 40, &context, &b, &ref), ERR_CIPHERTEXT);
	assert_err(keymgr_decrypt_data_key(f->k, NULL, 0, &context, &b, &ref), ERR_CIPHERTEXT);
}

static void a_blob_of_another_keystore(void **state)
{
	struct keymgr_create_options options = { .kind = PROTECTOR_KEYFILE };
	struct fixture *f = *state;
	char path[FIXTURE_PATH];
	struct key_metadata m;
	struct keymgr *other;
	struct secret *s;
	struct key_ref ref;
	struct blob blob;

	fixture_file(f, "-other", path);
	assert_ok(keymgr_create(path, &options));
	assert_ok(keymgr_open(path, NULL, 1, &other));
	assert_ok(keymgr_create_key(other, NULL, &m));
	assert_ok(keymgr_generate_data_key(other, m.arn, &context, &s, &blob, &ref));
	secret_free(s);
	assert_err(keymgr_decrypt_data_key(f->k, blob.bytes, blob.len, &context, &s, &ref), ERR_KEY_NOT_FOUND);
	key_metadata_release(&m);
	keymgr_close(other);
}

static int keep_material(void *context_pointer, const struct material *m)
{
	*(struct material *)context_pointer = *m;
	return 0;
}

static struct material only_material(struct fixture *f)
{
	struct material m;

	assert_ok(keymgr_list_materials(f->k, f->key, keep_material, &m));
	return m;
}

static void what_buckets_use_is_not_counted(void **state)
{
	struct fixture *f = *state;
	uint8_t out[CIPHERTEXT_MAX];
	struct key_usage usage;
	struct material m;
	struct key_ref ref;
	struct secret *s;
	struct blob blob;
	size_t len;

	fixture_key(f);
	assert_ok(keymgr_last_usage(f->k, f->key, &usage));
	assert_string_equal(usage.operation, "");
	assert_ok(keymgr_generate_data_key(f->k, f->key, &context, &s, &blob, &ref));
	secret_free(s);
	m = only_material(f);
	assert_true(m.data_keys == 0 && m.ciphertexts == 0);
	assert_ok(keymgr_generate_data_key(f->k, f->key, NULL, &s, &blob, &ref));
	secret_free(s);
	for (int i = 0; i < 3; i++)
		assert_ok(keymgr_encrypt(f->k, f->key, NULL, "x", 1, out, &len, &ref));
	assert_ok(keymgr_client_data_key(f->k, f->key, NULL, 1024, &s, out, &len, &ref));
	assert_int_equal(s->len, 1024);
	secret_free(s);
	fixture_reopen(f, 0);		/* nothing of it is lost */
	m = only_material(f);
	assert_int_equal(m.data_keys, 2);
	assert_int_equal(m.ciphertexts, 3);
	assert_ok(keymgr_last_usage(f->k, f->key, &usage));
	assert_string_equal(usage.operation, "GenerateDataKey");
	assert_in_range(usage.when, clock_now() - 60, clock_now());
	assert_true(usage.tracked_since <= usage.when);
}

/* What a process encrypted is counted although it was killed right after. */
static void the_first_of_a_kind_is_counted_for_good(void **state)
{
	struct fixture *f = *state;
	uint8_t out[CIPHERTEXT_MAX];
	struct key_ref ref;
	struct material m;
	struct keymgr *k;
	struct secret *s;
	size_t len;
	int status;
	pid_t pid;

	fixture_key(f);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		_exit(keymgr_open(f->path, NULL, 1, &k) != ERR_OK ||
		      keymgr_encrypt(k, f->key, NULL, "x", 1, out, &len, &ref) != ERR_OK ||
		      keymgr_client_data_key(k, f->key, NULL, 32, &s, out, &len, &ref) != ERR_OK);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	m = only_material(f);
	assert_int_equal(m.ciphertexts, 1);
	assert_int_equal(m.data_keys, 1);
}

static void limits_of_plaintexts(void **state)
{
	static uint8_t plain[PLAINTEXT_MAX + 1];
	struct fixture *f = *state;
	uint8_t out[CIPHERTEXT_MAX];
	struct key_ref ref;
	struct secret *s;
	size_t len;

	fixture_key(f);
	assert_err(keymgr_encrypt(f->k, f->key, NULL, plain, 0, out, &len, &ref), ERR_VALIDATION);
	assert_err(keymgr_encrypt(f->k, f->key, NULL, plain, PLAINTEXT_MAX + 1, out, &len, &ref), ERR_VALIDATION);
	assert_ok(keymgr_encrypt(f->k, f->key, NULL, plain, PLAINTEXT_MAX, out, &len, &ref));
	assert_true(len <= CIPHERTEXT_MAX);
	assert_ok(keymgr_decrypt(f->k, f->key, NULL, out, len, &s, &ref));
	assert_int_equal(s->len, PLAINTEXT_MAX);
	secret_free(s);
	assert_err(keymgr_client_data_key(f->k, f->key, NULL, 0, &s, out, &len, &ref), ERR_VALIDATION);
	assert_err(keymgr_client_data_key(f->k, f->key, NULL, 1025, &s, out, &len, &ref), ERR_VALIDATION);
}

static void re_encrypting(void **state)
{
	struct fixture *f = *state;
	uint8_t one[CIPHERTEXT_MAX], two[CIPHERTEXT_MAX];
	struct key_ref from, to;
	char first[UUID_TEXT_LEN + 1];
	struct secret *s;
	size_t len, more;

	fixture_key(f);
	memcpy(first, f->key, sizeof(first));
	assert_ok(keymgr_encrypt(f->k, first, &context, "text", 4, one, &len, &from));
	fixture_key(f);
	assert_err(keymgr_decrypt(f->k, f->key, &context, one, len, &s, &from), ERR_INCORRECT_KEY);
	assert_err(keymgr_re_encrypt(f->k, f->key, &context, one, len, f->key, NULL, two, &more, &from, &to), ERR_INCORRECT_KEY);
	assert_ok(keymgr_re_encrypt(f->k, NULL, &context, one, len, f->key, NULL, two, &more, &from, &to));
	assert_memory_equal(to.key_id, f->key_id, KEY_ID_LEN);
	assert_memory_not_equal(from.key_id, f->key_id, KEY_ID_LEN);
	assert_ok(keymgr_decrypt(f->k, f->key, NULL, two, more, &s, &to));
	assert_memory_equal(s->bytes, "text", 4);
	secret_free(s);
	assert_ok(keymgr_disable_key(f->k, first));
	assert_err(keymgr_re_encrypt(f->k, NULL, &context, one, len, f->key, NULL, two, &more, &from, &to), ERR_KEY_DISABLED);
}

/* --- many keys -------------------------------------------------------------------- */

#define MANY 1000
#define MATERIALS 25

/* Filled in memory, since that many audited changes take their time. */
static void fill(struct keymgr *k, uint8_t last[static KEY_ID_LEN])
{
	for (int i = 0; i < MANY; i++) {
		uint8_t id[KEY_ID_LEN];
		struct cmk *cmk;

		uuid_random(id);
		cmk = cmk_new(id);
		for (int m = 0; m < MATERIALS; m++) {
			struct backing_key *b;

			assert_ok(cmk_add_backing_key(cmk, &b));
			backing_key_make(b, k->root->bytes, (struct backing_key_place){ k->store->id, id }, 1000 + m);
		}
		assert_ok(keystore_add_cmk(k->store, cmk));
		memcpy(last, id, KEY_ID_LEN);
	}
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void a_thousand_keys_open_within_a_second(void **state)
{
	struct fixture *f = *state;
	uint8_t *bytes, last[KEY_ID_LEN];
	struct key_metadata m;
	char id[UUID_TEXT_LEN + 1];
	double begin;
	size_t len;

	fill(f->k, last);
	f->k->store->generation++;
	assert_ok(keystore_write(f->k->store, f->k->root->bytes, &bytes, &len));
	keymgr_close(f->k);
	f->k = NULL;
	fixture_store(f->path, bytes, len);
	free(bytes);
	begin = seconds();
	fixture_reopen(f, 0);
	assert_true(seconds() - begin < 1);
	uuid_text(last, id);
	begin = seconds();
	for (int i = 0; i < 1000; i++) {
		assert_ok(keymgr_describe_key(f->k, id, &m));
		key_metadata_release(&m);
	}
	assert_true(seconds() - begin < 1);
	assert_int_equal(m.material_count, MATERIALS);
	assert_ok(keymgr_rotate_root(f->k));
	assert_ok(keymgr_rotate_on_demand(f->k, id));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
static const struct CMUnitTest tests[] = {
	TEST(registering_and_finding),
	TEST(a_copy_is_an_instance_of_its_own),
	TEST(anchors_only_grow),
	TEST(forgetting),
	TEST(leases_are_cheap),
	cmocka_unit_test(a_lease_ends_by_the_boots_clock),
	TEST(a_context_matches_in_any_order),
	TEST(a_blob_of_another_keystore),
	TEST(what_buckets_use_is_not_counted),
	TEST(the_first_of_a_kind_is_counted_for_good),
	TEST(limits_of_plaintexts),
	TEST(re_encrypting),
	TEST(a_thousand_keys_open_within_a_second),
};

UNIT_MAIN(tests)
