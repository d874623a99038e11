/* Making, opening and closing buckets; checkpoints; copies; what is put back. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fs/bucket/record.h"
#include "fs/names/names.h"
#include "tests/unit/bucket/world.h"

static enum err try_open(struct world *w, int refuse)
{
	struct bucket *b;
	enum err e = bucket_open(w->bucket, w->k, BUCKET_READ_WRITE, refuse, &b);

	if (e == ERR_OK)
		bucket_close(b, 1);
	else
		assert_null(b);
	return e;
}

/* --- init ---------------------------------------------------------------------------- */

static void init_makes_a_bucket(void **state)
{
	struct world *w = *state;
	struct bucket_description d;
	struct key_slot slot;
	struct bucket *b;
	struct policy p;
	char *root, below[600];

	assert_ok(bucket_init(w->bucket, w->k, NULL, AEAD_XCHACHA20_POLY1305, "/some/keystore"));
	assert_ok(bucket_describe(w->bucket, &d));
	assert_int_equal(d.suite, AEAD_XCHACHA20_POLY1305);
	assert_string_equal(d.keystore_hint, "/some/keystore");
	assert_ok(bucket_names_slot(w->bucket, &slot));
	assert_memory_equal(slot.key_id, world_alias_key(w, "alias/rekeyfs").id, KEY_ID_LEN);
	assert_int_equal(world_instances(w), 1);
	b = world_open(w);
	assert_false(b->unclean);
	assert_memory_equal(b->description.id, d.id, UUID_LEN);
	assert_ok(policy_get(b->policies, b->root_dir_id, &p));
	assert_string_equal(p.key, "alias/rekeyfs");
	bucket_close(b, 1);
	snprintf(below, sizeof(below), "%s/rekeyfs.jobs", w->bucket);
	root = bucket_find_root(below);
	assert_string_equal(root, w->bucket);
	free(root);
	assert_null(bucket_find_root(w->directory));
	assert_null(bucket_find_root("/nowhere/at/all"));
	assert_err(bucket_init(w->bucket, w->k, NULL, AEAD_XCHACHA20_POLY1305, NULL), ERR_EXISTS);
	assert_err(bucket_init(below, w->k, NULL, AEAD_XCHACHA20_POLY1305, NULL), ERR_REFUSED);
}

static void init_takes_a_key(void **state)
{
	struct world *w = *state;
	struct key_text key = world_key(w, "alias/app");
	char arn[128];
	struct bucket *b;
	struct policy p;

	snprintf(arn, sizeof(arn), "arn:aws:kms:local:000000000000:key/%s", key.text);
	assert_ok(bucket_init(w->bucket, w->k, arn, AEAD_XCHACHA20_POLY1305, NULL));
	b = world_open(w);
	assert_ok(policy_get(b->policies, b->root_dir_id, &p));
	assert_string_equal(p.key, key.text);
	assert_memory_equal(b->state.names_slot.key_id, key.id, KEY_ID_LEN);
	bucket_close(b, 1);
	assert_int_not_equal(keymgr_resolve(w->k, "alias/rekeyfs", key.id), ERR_OK);
}

static void init_refuses_and_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct stat st;

	assert_err(bucket_init(w->bucket, w->k, "alias/none", AEAD_XCHACHA20_POLY1305, NULL), ERR_KEY_NOT_FOUND);
	assert_int_equal(lstat(w->bucket, &st), -1);
	world_run("mkdir %s && touch %s/precious", w->bucket, w->bucket);
	assert_err(bucket_init(w->bucket, w->k, NULL, AEAD_XCHACHA20_POLY1305, NULL), ERR_REFUSED);
	world_run("test \"$(ls -A %s)\" = precious && rm %s/precious && mkdir %s/lost+found", w->bucket, w->bucket, w->bucket);
	assert_err(bucket_init(w->bucket, w->k, "alias/none", AEAD_XCHACHA20_POLY1305, NULL), ERR_KEY_NOT_FOUND);
	world_run("test \"$(ls -A %s)\" = lost+found", w->bucket);
	assert_ok(bucket_init(w->bucket, w->k, NULL, AEAD_XCHACHA20_POLY1305, NULL));
	assert_ok(try_open(w, 1));
	assert_int_equal(world_instances(w), 1);
}

/* --- opening -------------------------------------------------------------------------- */

static void there_is_one_writer(void **state)
{
	struct world *w = *state;
	struct bucket *b = world_open(w), *other;

	assert_ok(bucket_lock_note(b, "mounted on /mnt/x"));
	assert_err(bucket_open(w->bucket, w->k, BUCKET_READ_WRITE, 0, &other), ERR_BUSY);
	assert_non_null(strstr(err_message(ERR_BUSY), "mounted on /mnt/x"));
	assert_non_null(strstr(err_message(ERR_BUSY), "pid "));
	other = world_open_path(w, w->bucket, BUCKET_READ_ONLY);
	assert_err(bucket_lock_note(other, "x"), ERR_ERRNO + EROFS);
	bucket_close(other, 1);
	bucket_close(b, 1);
	assert_ok(try_open(w, 1));
}

static void what_is_no_bucket_is_told(void **state)
{
	struct world *w = *state;
	struct bucket *b;

	assert_err(bucket_open(w->directory, w->k, BUCKET_READ_WRITE, 0, &b), ERR_NOT_FOUND);
	assert_non_null(strstr(err_message(ERR_NOT_FOUND), "rekeyfs init"));
	assert_err(bucket_open("/nowhere", w->k, BUCKET_READ_WRITE, 0, &b), ERR_NOT_FOUND);
}

static void a_reader_writes_nothing(void **state)
{
	struct world *w = *state;
	struct policy p = { .key = "alias/rekeyfs" };
	struct bucket *b;
	size_t len, len_after;
	uint8_t *before, *after;

	before = world_read(w, STATE_NAME, &len);
	b = world_open_path(w, w->bucket, BUCKET_READ_ONLY);
	assert_err(bucket_policy_set(b, &p), ERR_ERRNO + EROFS);
	assert_err(bucket_policy_unset(b, p.dir_id), ERR_ERRNO + EROFS);
	assert_err(bucket_rewrap_names_key(b, b->state.names_slot.key_id, 1), ERR_ERRNO + EROFS);
	assert_err(bucket_drop_pardons(b), ERR_ERRNO + EROFS);
	assert_err(bucket_checkpoint_commit(b, bucket_checkpoint_begin(b)), ERR_ERRNO + EROFS);
	bucket_close(b, 1);
	after = world_read(w, STATE_NAME, &len_after);
	assert_int_equal(len, len_after);
	assert_memory_equal(before, after, len);
	free(before);
	free(after);
}

static void another_keystore_does_not_open_it(void **state)
{
	struct world *w = *state, *stranger;
	struct bucket *b;

	world_make((void **)&stranger);
	assert_err(bucket_open(w->bucket, stranger->k, BUCKET_READ_WRITE, 0, &b), ERR_REFUSED);
	assert_non_null(strstr(err_message(ERR_REFUSED), "rekeyfs register"));
	assert_err(bucket_register(w->bucket, stranger->k), ERR_NO_KEY);
	assert_int_equal(world_instances(stranger), 0);
	world_remove((void **)&stranger);
	assert_ok(try_open(w, 1));
}

static void a_forgotten_bucket_is_registered_again(void **state)
{
	struct world *w = *state;
	char text[UUID_TEXT_LEN + 1];
	uint8_t instance[UUID_LEN];
	struct bucket *b = world_open(w);

	memcpy(instance, b->state.instance_id, UUID_LEN);
	bucket_close(b, 1);
	uuid_text(instance, text);
	assert_ok(keymgr_forget_bucket(w->k, instance, text));
	assert_err(bucket_open(w->bucket, w->k, BUCKET_READ_WRITE, 0, &b), ERR_REFUSED);
	assert_ok(bucket_register(w->bucket, w->k));
	assert_int_equal(world_instances(w), 1);
	b = world_open(w);
	assert_memory_equal(b->state.instance_id, instance, UUID_LEN);
	assert_false(b->unclean);
	bucket_close(b, 1);
}

static void a_root_header_of_another_directory_is_refused(void **state)
{
	struct world *w = *state;
	char header[DIR_HEADER_TEXT + 1];
	struct bucket *b = world_open(w);
	uint8_t other[UUID_LEN] = { 7 };
	enum err e;

	dir_header_make(b->names_key->bytes, b->description.id, other, header);
	bucket_close(b, 1);
	world_run("ln -sfn %s %s/" DIR_HEADER_NAME, header, w->bucket);
	e = try_open(w, 0);
	assert_int_equal(e, ERR_NOT_AUTHENTIC);
	world_run("rm %s/" DIR_HEADER_NAME, w->bucket);
	e = try_open(w, 0);
	assert_int_equal(e, ERR_NOT_FOUND);
}

/* --- the record ---------------------------------------------------------------------------- */

static void a_damaged_slot_leaves_the_other(void **state)
{
	struct world *w = *state;
	uint8_t *good, *bad;
	size_t len;

	good = world_read(w, STATE_NAME, &len);
	assert_int_equal(len, 2 * STATE_LEN);
	bad = malloc(len);
	for (size_t at = 0; at < STATE_LEN; at += 97) {
		memcpy(bad, good, len);
		bad[at] ^= 0x40;
		world_write(w, STATE_NAME, bad, len);
		assert_ok(try_open(w, 0));
		memcpy(bad, good, len);
		bad[STATE_LEN + at] ^= 0x40;
		world_write(w, STATE_NAME, bad, len);
		assert_ok(try_open(w, 0));
		memcpy(bad, good, len);
		bad[at] ^= 0x40;
		bad[STATE_LEN + at] ^= 0x40;
		world_write(w, STATE_NAME, bad, len);
		assert_int_not_equal(try_open(w, 0), ERR_OK);
	}
	world_write(w, STATE_NAME, good, len);
	assert_ok(try_open(w, 1));
	free(good);
	free(bad);
}

/* --- stamps ---------------------------------------------------------------------------------- */

static void checkpoints_cover_what_was_stamped_before(void **state)
{
	struct world *w = *state;
	struct bucket *b = world_open(w);
	uint64_t first = b->first_stamp, covered;

	assert_int_equal(atomic_load(&b->stamp), first);
	covered = bucket_checkpoint_begin(b);
	assert_int_equal(covered, first);
	assert_int_equal(atomic_load(&b->stamp), first + 1);
	assert_true(atomic_load(&b->durable) < first);
	/* An attempt that failed is made again, and never runs more than one ahead of the record. */
	assert_int_equal(bucket_checkpoint_begin(b), covered);
	assert_int_equal(atomic_load(&b->stamp), first + 1);
	assert_err(bucket_checkpoint_commit(b, covered + 1), ERR_INVALID);
	assert_ok(bucket_checkpoint_commit(b, covered));
	assert_int_equal(atomic_load(&b->durable), first);
	assert_err(bucket_checkpoint_commit(b, covered), ERR_INVALID);
	assert_false(bucket_is_young(b, first));
	assert_false(bucket_is_young(b, first + 1));
	bucket_close(b, 1);
	b = world_open(w);
	assert_false(b->unclean);
	assert_int_equal(b->first_stamp, first + 1);
	assert_int_equal(atomic_load(&b->durable), first);
	assert_int_equal(b->state.pardon_count, 0);
	bucket_close(b, 1);
}

static void an_unclean_end_is_pardoned_for_good(void **state)
{
	struct world *w = *state;
	struct bucket *b = world_open(w);
	uint64_t durable, next;
	int64_t now = time(NULL);

	world_checkpoint(b);
	durable = atomic_load(&b->durable);
	bucket_checkpoint_begin(b);		/* cut inside a checkpoint */
	next = b->state.next_stamp;
	bucket_close(b, 0);

	b = world_open_path(w, w->bucket, BUCKET_READ_ONLY);
	assert_false(bucket_is_young(b, durable));
	assert_true(bucket_is_young(b, durable + 1));
	assert_true(bucket_is_young(b, next + 1000));
	assert_true(bucket_is_suspect(b, now));
	assert_false(bucket_is_suspect(b, now - 100));
	bucket_close(b, 0);

	b = world_open(w);
	assert_true(b->unclean);
	assert_int_equal(b->state.pardon_count, 1);
	assert_false(bucket_is_young(b, durable));
	for (uint64_t stamp = durable + 1; stamp <= next + 2; stamp++)
		assert_true(bucket_is_young(b, stamp));
	assert_int_equal(b->first_stamp, next + 3);
	assert_false(bucket_is_young(b, next + 3));
	assert_true(bucket_is_suspect(b, now));
	assert_false(bucket_is_suspect(b, now - 100));
	assert_false(bucket_is_suspect(b, now + 100));
	world_checkpoint(b);
	bucket_close(b, 1);

	b = world_open(w);			/* later checkpoints do not cover what the crash left */
	assert_false(b->unclean);
	assert_true(bucket_is_young(b, next + 1));
	assert_false(bucket_is_young(b, next + 3));
	assert_true(bucket_is_suspect(b, now));
	assert_ok(bucket_drop_pardons(b));
	assert_false(bucket_is_young(b, next + 1));
	assert_false(bucket_is_suspect(b, now));
	bucket_close(b, 1);
	b = world_open(w);
	assert_false(bucket_is_young(b, next + 1));
	bucket_close(b, 1);
}

static void a_checkpoint_that_was_not_ended_is_no_clean_end(void **state)
{
	struct world *w = *state;
	struct bucket *b = world_open(w);

	bucket_checkpoint_begin(b);
	bucket_close(b, 1);
	b = world_open(w);
	assert_true(b->unclean);
	bucket_close(b, 1);
	b = world_open(w);
	assert_false(b->unclean);
	bucket_close(b, 1);
}

static void many_crashes_keep_stamps_rising(void **state)
{
	struct world *w = *state;
	uint64_t stamps[50];
	struct bucket *b;

	for (int i = 0; i < 50; i++) {
		b = world_open(w);
		stamps[i] = b->first_stamp;
		if (i > 0) {
			assert_true(stamps[i] > stamps[i - 1] + 1);
			/* The checkpoint covered the first stamp, not what came behind it. */
			assert_int_equal(bucket_is_young(b, stamps[i - 1]), (i - 1) % 3 != 0);
			assert_true(bucket_is_young(b, stamps[i - 1] + 1));
		}
		if (i % 3 == 0)
			world_checkpoint(b);
		bucket_close(b, 0);
	}
	b = world_open(w);
	assert_true(b->state.pardon_count <= STATE_PARDONS);
	bucket_close(b, 1);
}

/* --- copies and what is put back ----------------------------------------------------------- */

static void a_copy_is_another_instance(void **state)
{
	struct world *w = *state;
	uint8_t first[UUID_LEN], second[UUID_LEN];
	struct bucket *b = world_open(w), *copy;

	memcpy(first, b->state.instance_id, UUID_LEN);
	bucket_close(b, 1);
	world_run("cp -a %s %s", w->bucket, w->copy);
	copy = world_open_path(w, w->copy, BUCKET_READ_ONLY);
	bucket_close(copy, 0);
	assert_int_equal(world_instances(w), 1);
	copy = world_open_path(w, w->copy, BUCKET_READ_WRITE);
	memcpy(second, copy->state.instance_id, UUID_LEN);
	assert_memory_not_equal(first, second, UUID_LEN);
	assert_int_equal(world_instances(w), 2);
	b = world_open(w);
	assert_memory_equal(b->state.instance_id, first, UUID_LEN);
	assert_memory_equal(b->names_key->bytes, copy->names_key->bytes, 32);
	world_checkpoint(copy);
	bucket_close(copy, 1);
	bucket_close(b, 1);
	copy = world_open_path(w, w->copy, BUCKET_READ_WRITE);
	assert_memory_equal(copy->state.instance_id, second, UUID_LEN);
	bucket_close(copy, 1);
	assert_int_equal(world_instances(w), 2);
	world_run("cp -a %s %s/third", w->bucket, w->directory);
	world_run("rm -r %s && mv %s/third %s", w->copy, w->directory, w->copy);
	assert_ok(bucket_register(w->copy, w->k));
	assert_int_equal(world_instances(w), 3);
}

static void an_older_record_is_noticed(void **state)
{
	struct world *w = *state;
	struct bucket *b;
	uint64_t durable;
	uint8_t *old;
	size_t len;

	old = world_read(w, STATE_NAME, &len);
	b = world_open(w);
	world_checkpoint(b);
	world_checkpoint(b);
	durable = atomic_load(&b->durable);
	bucket_close(b, 1);
	world_write(w, STATE_NAME, old, len);
	free(old);
	assert_err(bucket_open(w->bucket, w->k, BUCKET_READ_WRITE, 1, &b), ERR_ROLLBACK);
	assert_err(bucket_open(w->bucket, w->k, BUCKET_READ_ONLY, 1, &b), ERR_ROLLBACK);
	assert_ok(bucket_open(w->bucket, w->k, BUCKET_READ_WRITE, 0, &b));
	assert_true(atomic_load(&b->durable) >= durable);	/* the greater counts */
	assert_true(b->first_stamp > durable);
	assert_false(bucket_is_young(b, durable));
	bucket_close(b, 1);
	assert_ok(try_open(w, 1));
}

static void older_policies_are_noticed(void **state)
{
	struct world *w = *state;
	struct policy p = { .dir_id = { 5 }, .key = "alias/rekeyfs" };
	struct bucket *b;
	uint8_t *old;
	size_t len;

	old = world_read(w, "rekeyfs.policy", &len);
	b = world_open(w);
	assert_ok(bucket_policy_set(b, &p));
	bucket_close(b, 1);
	world_write(w, "rekeyfs.policy", old, len);
	free(old);
	assert_err(bucket_open(w->bucket, w->k, BUCKET_READ_WRITE, 1, &b), ERR_ROLLBACK);
	assert_ok(bucket_open(w->bucket, w->k, BUCKET_READ_WRITE, 0, &b));
	assert_err(policy_get(b->policies, p.dir_id, &p), ERR_NOT_FOUND);
	bucket_close(b, 1);
	assert_ok(try_open(w, 1));		/* accepted once, it is the newest */
}

#define EMPTY_TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_remove)
#define BUCKET_TEST(f) cmocka_unit_test_setup_teardown(f, world_make_bucket, world_remove)

static const struct CMUnitTest tests[] = {
	EMPTY_TEST(init_makes_a_bucket),
	EMPTY_TEST(init_takes_a_key),
	EMPTY_TEST(init_refuses_and_leaves_nothing),
	BUCKET_TEST(there_is_one_writer),
	BUCKET_TEST(what_is_no_bucket_is_told),
	BUCKET_TEST(a_reader_writes_nothing),
	BUCKET_TEST(another_keystore_does_not_open_it),
	BUCKET_TEST(a_forgotten_bucket_is_registered_again),
	BUCKET_TEST(a_root_header_of_another_directory_is_refused),
	BUCKET_TEST(a_damaged_slot_leaves_the_other),
	BUCKET_TEST(checkpoints_cover_what_was_stamped_before),
	BUCKET_TEST(an_unclean_end_is_pardoned_for_good),
	BUCKET_TEST(a_checkpoint_that_was_not_ended_is_no_clean_end),
	BUCKET_TEST(many_crashes_keep_stamps_rising),
	BUCKET_TEST(a_copy_is_another_instance),
	BUCKET_TEST(an_older_record_is_noticed),
	BUCKET_TEST(older_policies_are_noticed),
};

UNIT_MAIN(tests)
