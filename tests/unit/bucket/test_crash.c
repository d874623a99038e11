/*
 * Everything that writes to a bucket's own files, taken away at each of its file calls (a kill), and with each call failing, once or from
 * then on: the bucket is as before or as after, and opens.
 */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "fs/bucket/record.h"
#include "tests/unit/bucket/world.h"

#define CALLS_MAX 400

/* --- init -------------------------------------------------------------------------- */

static void do_init(struct world *w, struct keymgr *k, void *context)
{
	bucket_init(w->bucket, k, NULL, AEAD_XCHACHA20_POLY1305, NULL);
}

static void init_stopped_anywhere_can_be_done_again(void **state)
{
	struct world *w = *state;
	int calls = 0, unregistered = 0, made = 0;
	struct bucket *b;

	while (world_stop_at(w, calls, do_init, NULL)) {
		enum err e = bucket_open(w->bucket, w->k, BUCKET_READ_WRITE, 1, &b);

		assert_true(++calls < CALLS_MAX);
		if (e == ERR_NOT_FOUND) {
			e = bucket_init(w->bucket, w->k, NULL, AEAD_XCHACHA20_POLY1305, NULL);
			assert_ok(e);
		} else if (e == ERR_REFUSED) {		/* whole, but not yet registered */
			unregistered++;
			assert_ok(bucket_register(w->bucket, w->k));
		} else {
			assert_ok(e);
			made++;
			bucket_close(b, 1);
		}
		b = world_open(w);
		assert_false(b->unclean);
		bucket_close(b, 1);
		world_run("rm -r %s", w->bucket);
	}
	assert_true(unregistered > 0);
	b = world_open(w);
	bucket_close(b, 1);
}

static void init_that_fails_leaves_nothing(void **state)
{
	struct world *w = *state;
	enum err e = ERR_INTERNAL;

	for (int calls = 0; e != ERR_OK; calls++) {
		assert_true(calls < CALLS_MAX);
		world_fail_at(calls, 1);
		e = bucket_init(w->bucket, w->k, NULL, AEAD_XCHACHA20_POLY1305, NULL);
		world_heal();
		assert_int_equal(access(w->bucket, F_OK), e == ERR_OK ? 0 : -1);
	}
}

/* --- what an open bucket does ----------------------------------------------------------- */

enum what { CHECKPOINT, POLICY, ROOT_POLICY, UNSET, REWRAP, WHAT_END };

struct act {
	enum what what;
	char root_key[UUID_TEXT_LEN + 1];
};

static enum err perform(struct bucket *b, const struct act *act)
{
	struct policy p = { .dir_id = { 9 } };
	uint8_t key_id[KEY_ID_LEN];
	enum err e;

	strcpy(p.key, act->root_key);
	switch (act->what) {
	case CHECKPOINT:
		return bucket_checkpoint_commit(b, bucket_checkpoint_begin(b));
	case POLICY:
		return bucket_policy_set(b, &p);
	case ROOT_POLICY:
		memcpy(p.dir_id, b->root_dir_id, UUID_LEN);
		return bucket_policy_set(b, &p);
	case UNSET:
		e = bucket_policy_unset(b, p.dir_id);
		return e == ERR_NOT_FOUND ? ERR_OK : e;
	default:
		e = key_ring_resolve(b->ring, act->root_key, key_id);
		return e == ERR_OK ? bucket_rewrap_names_key(b, key_id, 1) : e;
	}
}

static void open_and_perform(struct world *w, struct keymgr *k, void *context)
{
	struct bucket *b;

	if (bucket_open(w->bucket, k, BUCKET_READ_WRITE, 1, &b) == ERR_OK) {
		perform(b, context);
		bucket_close(b, 1);
	}
}

/* The bucket opens, and its parts fit each other. */
static void check_whole(struct world *w, const uint8_t *names_key)
{
	struct bucket *b = world_open(w);
	uint8_t key_id[KEY_ID_LEN];
	struct policy p;

	assert_memory_equal(b->names_key->bytes, names_key, 32);
	assert_ok(policy_get(b->policies, b->root_dir_id, &p));
	assert_ok(key_ring_resolve(b->ring, p.key, key_id));
	assert_true(b->state.policy_generation <= policy_table_generation(b->policies));
	assert_true(atomic_load(&b->durable) < b->first_stamp);
	if (b->unclean)
		assert_true(bucket_is_young(b, b->first_stamp - 1));
	bucket_close(b, 1);
}

static void stop_everywhere(struct world *w, enum what what)
{
	struct key_text first = world_key(w, NULL), second = world_key(w, NULL);
	struct act act = { .what = what };
	struct bucket *b = world_open(w);
	uint8_t names_key[32];
	int calls = 0;

	memcpy(names_key, b->names_key->bytes, 32);
	bucket_close(b, 1);
	do {
		assert_true(calls < CALLS_MAX);
		strcpy(act.root_key, calls % 2 ? first.text : second.text);
	} while (world_stop_at(w, calls++, open_and_perform, &act) && (check_whole(w, names_key), 1));
	check_whole(w, names_key);
}

static void a_checkpoint_stopped_anywhere(void **state)
{
	stop_everywhere(*state, CHECKPOINT);
}

static void a_policy_stopped_anywhere(void **state)
{
	stop_everywhere(*state, POLICY);
}

static void a_root_policy_stopped_anywhere(void **state)
{
	stop_everywhere(*state, ROOT_POLICY);
}

static void an_unset_stopped_anywhere(void **state)
{
	stop_everywhere(*state, UNSET);
}

static void a_rewrap_stopped_anywhere(void **state)
{
	stop_everywhere(*state, REWRAP);
}

/* --- stamps -------------------------------------------------------------------------------- */

/* A mount that stamps as it likes, and tells which stamps it used by the length of a file. */
static void stamp_and_tell(struct world *w, struct keymgr *k, void *context)
{
	char path[600];
	struct bucket *b;
	FILE *f;

	if (bucket_open(w->bucket, k, BUCKET_READ_WRITE, 1, &b) != ERR_OK)
		_exit(0);
	snprintf(path, sizeof(path), "%s/told", w->directory);
	for (int i = 0; i < 4; i++) {
		uint64_t covered;

		f = fopen(path, "a");
		fprintf(f, "%llu\n", (unsigned long long)atomic_load(&b->stamp));
		covered = bucket_checkpoint_begin(b);
		fprintf(f, "%llu\n", (unsigned long long)atomic_load(&b->stamp));
		fclose(f);
		bucket_checkpoint_commit(b, covered);
	}
	_exit(0);
}

/* The highest stamp that was told so far, and one in it that is not covered and not young. */
static void check_told(struct world *w)
{
	struct bucket *b = world_open(w);
	unsigned long long stamp;
	char path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%s/told", w->directory);
	f = fopen(path, "r");
	while (f && fscanf(f, "%llu", &stamp) == 1) {
		assert_true(stamp < b->first_stamp);		/* no stamp is used twice */
		assert_true(bucket_is_young(b, stamp) || stamp <= atomic_load(&b->durable));
	}
	if (f)
		fclose(f);
	bucket_close(b, 0);
}

static void stamps_are_pardoned_wherever_it_stops(void **state)
{
	struct world *w = *state;
	int calls = 0;

	while (world_stop_at(w, calls++, stamp_and_tell, NULL)) {
		assert_true(calls < CALLS_MAX);
		check_told(w);
	}
	check_told(w);
}

/* --- failing calls --------------------------------------------------------------------------- */

/* Each file call of an open bucket's work fails, once or for good: an error is told, the next attempt succeeds, what is stored fits. */
static void fail_everywhere(struct world *w, enum what what, int once)
{
	struct key_text first = world_key(w, NULL), second = world_key(w, NULL);
	struct act act = { .what = what };
	struct bucket *b = world_open(w);
	uint8_t names_key[32];
	int failed = 1;

	memcpy(names_key, b->names_key->bytes, 32);
	for (int calls = 0; failed; calls++) {
		enum err e;

		assert_true(calls < CALLS_MAX);
		strcpy(act.root_key, calls % 2 ? first.text : second.text);
		world_fail_at(calls, once);
		e = perform(b, &act);
		failed = world_heal() > calls;
		/* A call that fails without hurting (a look at the keystore) may pass. */
		if (!failed)
			assert_ok(e);
		assert_ok(perform(b, &act));
		if (calls % 4 == 0) {
			bucket_close(b, calls % 8 == 0);
			check_whole(w, names_key);
			b = world_open(w);
		}
	}
	bucket_close(b, 1);
	check_whole(w, names_key);
}

static void calls_that_fail_once(void **state)
{
	for (int what = 0; what < WHAT_END; what++)
		fail_everywhere(*state, what, 1);
}

static void calls_that_fail_from_then_on(void **state)
{
	for (int what = 0; what < WHAT_END; what++)
		fail_everywhere(*state, what, 0);
}

/* An opening that fails has not lost what a crash left. */
static void an_opening_that_fails_can_be_made_again(void **state)
{
	struct world *w = *state;
	struct bucket *b = world_open(w);
	uint64_t young = atomic_load(&b->stamp);
	enum err e = ERR_INTERNAL;

	bucket_checkpoint_begin(b);
	bucket_close(b, 0);
	for (int calls = 0; e != ERR_OK; calls++) {
		assert_true(calls < CALLS_MAX);
		world_fail_at(calls, 0);
		e = bucket_open(w->bucket, w->k, BUCKET_READ_WRITE, 1, &b);
		world_heal();
	}
	assert_true(b->unclean);
	assert_true(bucket_is_young(b, young));
	assert_true(bucket_is_young(b, young + 1));
	bucket_close(b, 1);
}

#define EMPTY_TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_remove)
#define BUCKET_TEST(f) cmocka_unit_test_setup_teardown(f, world_make_bucket, world_remove)

static const struct CMUnitTest tests[] = {
	EMPTY_TEST(init_stopped_anywhere_can_be_done_again),
	EMPTY_TEST(init_that_fails_leaves_nothing),
	BUCKET_TEST(a_checkpoint_stopped_anywhere),
	BUCKET_TEST(a_policy_stopped_anywhere),
	BUCKET_TEST(a_root_policy_stopped_anywhere),
	BUCKET_TEST(an_unset_stopped_anywhere),
	BUCKET_TEST(a_rewrap_stopped_anywhere),
	BUCKET_TEST(stamps_are_pardoned_wherever_it_stops),
	BUCKET_TEST(calls_that_fail_once),
	BUCKET_TEST(calls_that_fail_from_then_on),
	BUCKET_TEST(an_opening_that_fails_can_be_made_again),
};

UNIT_MAIN(tests)
