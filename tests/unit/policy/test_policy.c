/* The table of policies in memory and in its bucket. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/file_io.h"
#include "fs/policy/policy.h"
#include "fs/policy/policy_file.h"
#include "tests/lib/fixed.h"
#include "tests/lib/scratch.h"

static struct policy_table *make_table(const struct fixed *f)
{
	struct policy_table *t;

	assert_ok(policy_table_new(f->directory, "alias/rekeyfs", &t));
	return t;
}

static struct policy make_policy(uint8_t id, const char *key)
{
	struct policy p = { .dir_id = { id }, .enforce = ENFORCE_WARN };

	strcpy(p.key, key);
	return p;
}

static void a_new_table_has_the_root(void **state)
{
	struct fixed f = fixed_make();
	struct policy_table *t = make_table(&f);
	uint8_t root[UUID_LEN];
	struct policy p;

	assert_true(policy_only_root(t));
	assert_int_equal(policy_table_generation(t), 1);
	policy_root_id(t, root);
	assert_memory_equal(root, f.directory, UUID_LEN);
	assert_ok(policy_get(t, f.directory, &p));
	assert_string_equal(p.key, "alias/rekeyfs");
	assert_int_equal(p.on_rename, ON_RENAME_MIGRATE);
	assert_int_equal(p.enforce, ENFORCE_NO);
	assert_int_equal(p.after_rotation, AFTER_ROTATION_NONE);
	assert_err(policy_get(t, f.link, &p), ERR_NOT_FOUND);
	assert_err(policy_unset(t, f.directory), ERR_REFUSED);
	assert_err(policy_unset(t, f.link), ERR_NOT_FOUND);
	policy_table_free(t);
	assert_err(policy_table_new(f.directory, "", &t), ERR_INVALID);
}

static int count_one(void *context, const struct policy *p)
{
	++*(int *)context;
	return *(int *)context == 100;
}

static void policies_are_set_replaced_and_unset(void **state)
{
	struct fixed f = fixed_make();
	struct policy_table *t = make_table(&f);
	struct policy p, got;
	int count = 0;

	for (int i = 0; i < 90; i++) {
		p = make_policy((uint8_t)(i * 37 % 256), "alias/x");
		if (memcmp(p.dir_id, f.directory, UUID_LEN) != 0)
			assert_ok(policy_set(t, &p));
	}
	assert_false(policy_only_root(t));
	assert_ok(policy_each(t, count_one, &count));
	assert_int_equal(count, 91);
	for (int i = 0; i < 90; i++) {
		p = make_policy((uint8_t)(i * 37 % 256), "alias/y");
		p.on_rename = ON_RENAME_KEEP;
		assert_ok(policy_set(t, &p));
		assert_ok(policy_get(t, p.dir_id, &got));
		assert_memory_equal(&got, &p, sizeof(p));
	}
	for (int i = 0; i < 90; i++) {
		p = make_policy((uint8_t)(i * 37 % 256), "");
		assert_ok(policy_unset(t, p.dir_id));
		assert_err(policy_get(t, p.dir_id, &got), ERR_NOT_FOUND);
	}
	assert_true(policy_only_root(t));
	policy_table_free(t);
}

static void nonsense_is_refused(void **state)
{
	struct fixed f = fixed_make();
	struct policy_table *t = make_table(&f);
	struct policy p = make_policy(1, "");

	assert_err(policy_set(t, &p), ERR_INVALID);
	p = make_policy(1, "alias/x");
	p.enforce = 7;
	assert_err(policy_set(t, &p), ERR_INVALID);
	p = make_policy(1, "alias/x");
	memset(p.key, 'k', sizeof(p.key));	/* no end */
	assert_err(policy_set(t, &p), ERR_INVALID);
	assert_true(policy_only_root(t));
	policy_table_free(t);
}

static void a_stored_table_is_loaded(void **state)
{
	struct fixed f = fixed_make();
	struct policy_table *t = make_table(&f), *back;
	struct policy p = make_policy(9, "alias/nine"), got;
	int fd = open(*state, O_RDONLY | O_DIRECTORY);

	assert_err(policy_table_load(fd, f.names_key, f.bucket, &back), ERR_NOT_FOUND);
	assert_ok(policy_set(t, &p));
	assert_ok(policy_table_store(t, fd, f.names_key, f.bucket));
	assert_int_equal(policy_table_generation(t), 2);
	assert_ok(policy_table_load(fd, f.names_key, f.bucket, &back));
	assert_int_equal(policy_table_generation(back), 2);
	assert_ok(policy_get(back, p.dir_id, &got));
	assert_memory_equal(&got, &p, sizeof(p));
	policy_table_free(back);
	assert_err(policy_table_load(fd, f.file_key, f.bucket, &back), ERR_NOT_AUTHENTIC);
	policy_table_raise(t, 10);
	policy_table_raise(t, 5);
	assert_ok(policy_table_store(t, fd, f.names_key, f.bucket));
	assert_int_equal(policy_table_generation(t), 11);
	policy_table_free(t);
	close(fd);
}

struct fault { int countdown; };

static int fail_at(void *context, const struct file_io_event *event)
{
	struct fault *fault = context;

	return fault->countdown-- <= 0 ? EIO : 0;
}

/* Every call of a store fails once, and everything behind it: the old table or the new one is there, whole. */
static void a_store_that_fails_leaves_a_table(void **state)
{
	struct fixed f = fixed_make();
	struct policy_table *t = make_table(&f), *back;
	int fd = open(*state, O_RDONLY | O_DIRECTORY);
	enum err e = ERR_INTERNAL;
	struct policy p, got;

	assert_ok(policy_table_store(t, fd, f.names_key, f.bucket));
	for (int calls = 0; e != ERR_OK; calls++) {
		struct fault fault = { .countdown = calls };
		char before[POLICY_KEY_MAX + 1], after[32];

		assert_true(calls < 20);
		snprintf(after, sizeof(after), "alias/after-%d", calls);
		assert_ok(policy_get(t, f.directory, &p));
		strcpy(before, p.key);
		strcpy(p.key, after);
		assert_ok(policy_set(t, &p));
		file_io_set_hook(fail_at, &fault);
		e = policy_table_store(t, fd, f.names_key, f.bucket);
		file_io_set_hook(NULL, NULL);
		assert_ok(policy_table_load(fd, f.names_key, f.bucket, &back));
		assert_ok(policy_get(back, f.directory, &got));
		assert_true(strcmp(got.key, after) == 0 || (e != ERR_OK && strcmp(got.key, before) == 0));
		policy_table_free(back);
		if (e != ERR_OK && strcmp(got.key, before) == 0) {
			strcpy(p.key, before);
			assert_ok(policy_set(t, &p));
		}
	}
	policy_table_free(t);
	close(fd);
}

static void words_are_parsed_and_printed(void **state)
{
	enum policy_on_rename on_rename;
	enum policy_enforce enforce;
	enum policy_after_rotation after;

	for (int v = 0; v < 2; v++) {
		assert_ok(policy_on_rename_parse(policy_on_rename_name(v), &on_rename));
		assert_int_equal(on_rename, v);
	}
	for (int v = 0; v < 3; v++) {
		assert_ok(policy_enforce_parse(policy_enforce_name(v), &enforce));
		assert_int_equal(enforce, v);
		assert_ok(policy_after_rotation_parse(policy_after_rotation_name(v), &after));
		assert_int_equal(after, v);
	}
	assert_err(policy_enforce_parse("maybe", &enforce), ERR_USAGE);
	assert_string_equal(err_message(ERR_USAGE), "enforce is no, warn or deny, not \"maybe\"");
	assert_err(policy_on_rename_parse("", &on_rename), ERR_USAGE);
	assert_err(policy_after_rotation_parse("RENAME", &after), ERR_USAGE);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_new_table_has_the_root),
	cmocka_unit_test(policies_are_set_replaced_and_unset),
	cmocka_unit_test(nonsense_is_refused),
	cmocka_unit_test_setup_teardown(a_stored_table_is_loaded, scratch_make, scratch_remove),
	cmocka_unit_test_setup_teardown(a_store_that_fails_leaves_a_table, scratch_make, scratch_remove),
	cmocka_unit_test(words_are_parsed_and_printed),
};

UNIT_MAIN(tests)
