/* Several processes and threads with one keystore open. */
#include "tests/unit/keymgr/fixture.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct context_pair pairs[] = { { "bucket", "b" } };
static const struct context context = { pairs, 1 };
static const struct unlock quiet = { .no_prompt = 1 };

static void a_change_is_seen_by_the_next_call(void **state)
{
	struct fixture *f = *state;
	struct keymgr *other = fixture_open_second(f);
	uint8_t id[KEY_ID_LEN];
	uint64_t before, after;

	fixture_key(f);
	assert_int_equal(keymgr_key_state(other, f->key_id), KEY_ENABLED);
	assert_ok(keymgr_create_alias(other, "alias/x", f->key));
	assert_ok(keymgr_resolve(f->k, "alias/x", id));
	assert_ok(keymgr_generation(other, &before));
	assert_ok(keymgr_disable_key(f->k, f->key));
	assert_ok(keymgr_generation(other, &after));
	assert_true(after > before);
	assert_int_equal(keymgr_key_state(other, f->key_id), KEY_DISABLED);
	keymgr_close(other);
}

static void a_watch_wakes(void **state)
{
	struct fixture *f = *state;
	struct keymgr *other = fixture_open_second(f);
	struct pollfd p = { .fd = keymgr_watch(other), .events = POLLIN };
	uint64_t generation;

	assert_true(p.fd >= 0);
	assert_int_equal(p.fd, keymgr_watch(other));
	assert_int_equal(poll(&p, 1, 0), 0);
	fixture_key(f);
	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_ok(keymgr_generation(other, &generation));
	assert_int_equal(poll(&p, 1, 0), 0);
	keymgr_close(other);
}

/* The new root key reaches who has the keystore open, as long as his protector is there. */
static void a_new_root_key_is_followed(void **state)
{
	struct fixture *f = *state;
	struct keymgr *other = fixture_open_second(f);
	struct secret *a, *b;
	struct key_ref ref;
	struct blob blob;

	fixture_key(f);
	assert_ok(keymgr_generate_data_key(f->k, f->key, &context, &a, &blob, &ref));
	for (int i = 0; i < 3; i++)
		assert_ok(keymgr_rotate_root(f->k));
	assert_ok(keymgr_decrypt_data_key(other, blob.bytes, blob.len, &context, &b, &ref));
	assert_memory_equal(a->bytes, b->bytes, 32);
	assert_ok(keymgr_rotate_root(other));
	assert_ok(keymgr_disable_key(f->k, f->key));
	assert_ok(keymgr_events(f->k, 1, NULL, NULL));
	secret_free(a);
	secret_free(b);
	keymgr_close(other);
	fixture_reopen(f, 0);
}

static void a_removed_protector_locks_its_processes_out(void **state)
{
	struct fixture *f = *state;
	char keyfile[FIXTURE_PATH];
	struct unlock second = { .keyfile = keyfile };
	uint8_t id[UUID_LEN];
	struct keymgr *other;
	uint64_t generation;

	fixture_file(f, ".second", keyfile);
	assert_ok(keymgr_add_protector(f->k, PROTECTOR_KEYFILE, &second, id));
	assert_ok(keymgr_open(f->path, &second, 1, &other));
	assert_ok(keymgr_generation(other, &generation));
	assert_ok(keymgr_remove_protector(f->k, id));
	assert_err(keymgr_generation(other, &generation), ERR_LOCKED);
	keymgr_close(other);
	assert_err(keymgr_open(f->path, &second, 1, &other), ERR_LOCKED);
}

#define CHANGES 25

static int child(const char *path, int number)
{
	struct keymgr *k;
	char alias[64];
	struct key_metadata m;

	if (keymgr_open(path, &quiet, 0, &k) != ERR_OK)
		return 1;
	for (int i = 0; i < CHANGES; i++) {
		struct secret *a = NULL, *b = NULL;
		struct key_ref ref;
		struct blob blob;
		int good;

		snprintf(alias, sizeof(alias), "alias/p%d-%d", number, i);
		if (keymgr_create_key(k, alias, &m) != ERR_OK || keymgr_create_alias(k, alias, m.arn) != ERR_OK)
			return 2;
		good = keymgr_generate_data_key(k, alias, &context, &a, &blob, &ref) == ERR_OK &&
		       keymgr_decrypt_data_key(k, blob.bytes, blob.len, &context, &b, &ref) == ERR_OK &&
		       memcmp(a->bytes, b->bytes, 32) == 0;
		secret_free(a);
		secret_free(b);
		if (!good)
			return 3;
		if (i % 8 == 0 && keymgr_rotate_root(k) != ERR_OK)
			return 4;
		key_metadata_release(&m);
	}
	keymgr_close(k);
	return 0;
}

static int count_key(void *count, const struct key_metadata *m)
{
	++*(int *)count;
	return 0;
}

static int count_alias(void *count, const struct alias_entry *a)
{
	++*(int *)count;
	return 0;
}

static void processes_change_it_at_once(void **state)
{
	struct fixture *f = *state;
	int keys = 0, aliases = 0, status;
	pid_t pids[3];

	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(child(f->path, i));
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	assert_ok(keymgr_list_keys(f->k, count_key, &keys));
	assert_int_equal(keys, 3 * CHANGES);
	assert_ok(keymgr_list_aliases(f->k, NULL, count_alias, &aliases));
	assert_int_equal(aliases, 3 * CHANGES);
	/* Two lines a change, one a use: the chain is whole. */
	assert_int_equal(fixture_events(f, "\"eventName\":\"CreateKey\""), 2 * 3 * CHANGES);
	assert_int_equal(fixture_events(f, "\"eventName\":\"GenerateDataKey\""), 3 * CHANGES);
}

struct thread { struct fixture *f; int number, failed; };

static void *in_thread(void *argument)
{
	struct thread *t = argument;

	for (int i = 0; i < 10 && !t->failed; i++) {
		struct secret *a = NULL, *b = NULL;
		struct key_metadata m;
		struct key_ref ref;
		struct blob blob;

		t->failed = keymgr_generate_data_key(t->f->k, t->f->key, &context, &a, &blob, &ref) != ERR_OK ||
			    keymgr_decrypt_data_key(t->f->k, blob.bytes, blob.len, &context, &b, &ref) != ERR_OK ||
			    memcmp(a->bytes, b->bytes, 32) != 0 || keymgr_create_key(t->f->k, "t", &m) != ERR_OK;
		secret_free(a);
		secret_free(b);
		if (!t->failed)
			key_metadata_release(&m);
	}
	return NULL;
}

static void threads_share_a_handle(void **state)
{
	struct thread threads[4];
	pthread_t ids[4];
	struct fixture *f = *state;
	int keys = 0;

	fixture_key(f);
	for (int i = 0; i < 4; i++) {
		threads[i] = (struct thread){ .f = f, .number = i };
		assert_int_equal(pthread_create(&ids[i], NULL, in_thread, &threads[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(ids[i], NULL);
		assert_int_equal(threads[i].failed, 0);
	}
	assert_ok(keymgr_list_keys(f->k, count_key, &keys));
	assert_int_equal(keys, 41);
	assert_ok(keymgr_events(f->k, 1, NULL, NULL));
}

/* What is due is done once, whoever comes first. */
static void only_one_acts_on_what_is_due(void **state)
{
	struct due_summary one, two;
	struct fixture *f = *state;
	struct keymgr *other;
	struct key_metadata m;

	fixture_key(f);
	assert_ok(keymgr_enable_rotation(f->k, f->key, 90));
	other = fixture_open_second(f);
	fixture_clock(f, DAYS(91));
	assert_ok(keymgr_run_due(f->k, &one));
	assert_ok(keymgr_run_due(other, &two));
	assert_int_equal(one.rotated + two.rotated, 1);
	assert_ok(keymgr_describe_key(other, f->key, &m));
	assert_int_equal(m.material_count, 2);
	key_metadata_release(&m);
	keymgr_close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
static const struct CMUnitTest tests[] = {
	TEST(a_change_is_seen_by_the_next_call),
	TEST(a_watch_wakes),
	TEST(a_new_root_key_is_followed),
	TEST(a_removed_protector_locks_its_processes_out),
	TEST(processes_change_it_at_once),
	TEST(threads_share_a_handle),
	TEST(only_one_acts_on_what_is_due),
};

UNIT_MAIN(tests)
