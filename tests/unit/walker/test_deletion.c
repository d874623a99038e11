/* A key that is pending deletion: its files move by themselves, and it goes only when nothing needs it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "fs/walker/walker.h"
#include "tests/lib/unit.h"
#include "tests/lib/world.h"

#define WINDOW_OVER (8L * DAY_SECONDS)

static const struct caller nobody = { .umask = 022 };

static void schedule(struct world *w, const char *key)
{
	struct deletion_options o = { .window_days = 7 };
	struct key_metadata m = { 0 };

	assert_ok(keymgr_schedule_deletion(w->k, key, &o, &m));
	key_metadata_release(&m);
}

/* The newest job's member; the string lives until the next call. */
static const char *last_job(struct walker *walker, const char *member)
{
	static char text[1024];
	json_t *all = walker_status(walker), *job = json_array_get(json_object_get(all, "Jobs"), 0);
	const char *value = json_string_value(json_object_get(job, member));

	snprintf(text, sizeof(text), "%s", value ? value : "");
	json_decref(all);
	return text;
}

static size_t job_count(struct walker *walker)
{
	json_t *all = walker_status(walker);
	size_t count = json_array_size(json_object_get(all, "Jobs"));

	json_decref(all);
	return count;
}

static void assert_blocked(struct world *w, const char *key, int blocked)
{
	char *text;

	assert_ok(keymgr_deletion_blockers(w->k, key, &text));
	if ((*text != 0) != blocked)
		print_error("blockers: \"%s\"\n", text);
	assert_int_equal(*text != 0, blocked);
	free(text);
}

/* The alias moves (manual rotation), then the old key goes. */
static void leave_key_one(struct world *w)
{
	assert_ok(keymgr_update_alias(w->k, "alias/one", w->key2_text));
	schedule(w, w->key1_text);
}

static void a_key_goes_when_nothing_needs_it(void **state)
{
	struct world *w = world_new();
	struct walker *walker;

	world_mkdir(w, "d");
	world_write(w, "f", 1, 300000);
	world_write(w, "d/g", 2, 10);
	leave_key_one(w);
	assert_blocked(w, w->key1_text, 1);
	assert_ok(walker_open(w->t, &walker));
	assert_ok(walker_run(walker, NULL, NULL));
	assert_string_equal(last_job(walker, "Kind"), "deletion");
	assert_string_equal(last_job(walker, "Status"), "Complete");
	assert_int_equal(world_key_of(w, "f"), 2);
	assert_int_equal(world_key_of(w, "d/g"), 2);
	assert_memory_equal(w->b->state.names_slot.key_id, w->key2, KEY_ID_LEN);
	assert_blocked(w, w->key1_text, 0);
	assert_int_equal(keymgr_key_state(w->k, w->key1), KEY_PENDING_DELETION);
	world_clock(w, WINDOW_OVER);
	assert_ok(walker_run(walker, NULL, NULL));
	assert_int_equal(keymgr_key_state(w->k, w->key1), KEY_DESTROYED);
	walker_stop(walker);
	world_unmount(w, 1);
	world_mount(w);
	assert_true(world_holds(w, "f", 1, 300000));
	assert_true(world_holds(w, "d/g", 2, 10));
	world_free(w);
}

static void it_waits_for_a_damaged_file(void **state)
{
	struct world *w = world_new();
	struct walker *walker;
	char *lower, zeros[4096] = { 1 };
	char whole[2][4096];
	int fd;

	world_write(w, "good", 1, 5000);
	world_write(w, "bad", 2, 5000);
	world_unmount(w, 1);
	world_mount(w);
	lower = world_lower(w, "bad");
	fd = open(lower, O_RDWR);
	for (int copy = 0; copy < 2; copy++) {
		assert_int_equal(pread(fd, whole[copy], 4096, copy * 7 * 4096), 4096);
		assert_int_equal(pwrite(fd, zeros, 4096, copy * 7 * 4096), 4096);
	}
	leave_key_one(w);
	assert_ok(walker_open(w->t, &walker));
	assert_err(walker_run(walker, NULL, NULL), ERR_REFUSED);
	assert_string_equal(last_job(walker, "Status"), "Paused");
	assert_non_null(strstr(last_job(walker, "Reason"), "could not be moved"));
	assert_int_equal(world_key_of(w, "good"), 2);
	assert_blocked(w, w->key1_text, 1);
	world_clock(w, WINDOW_OVER);
	walker_run(walker, NULL, NULL);
	assert_int_equal(keymgr_key_state(w->k, w->key1), KEY_PENDING_DELETION);
	/* Restored, it moves at the next try, and the key goes. */
	for (int copy = 0; copy < 2; copy++)
		assert_int_equal(pwrite(fd, whole[copy], 4096, copy * 7 * 4096), 4096);
	close(fd);
	assert_ok(walker_run(walker, NULL, NULL));
	assert_int_equal(world_key_of(w, "bad"), 2);
	assert_true(world_holds(w, "bad", 2, 5000));
	assert_int_equal(keymgr_key_state(w->k, w->key1), KEY_DESTROYED);
	walker_stop(walker);
	free(lower);
	world_free(w);
}

static void it_waits_for_a_policy_that_names_it(void **state)
{
	struct world *w = world_new();
	struct walker *walker;

	world_mkdir(w, "d");
	world_mkdir(w, "d/e");
	world_set_policy(w, "d", "alias/two");
	world_write(w, "f", 1, 5000);
	world_write(w, "d/e/g", 2, 5000);
	schedule(w, w->key2_text);
	assert_ok(walker_open(w->t, &walker));
	assert_err(walker_run(walker, NULL, NULL), ERR_REFUSED);
	assert_string_equal(last_job(walker, "Status"), "Paused");
	assert_non_null(strstr(last_job(walker, "Reason"), "policy of /d names alias/two"));
	assert_non_null(strstr(last_job(walker, "Reason"), "rekeyfs policy set"));
	assert_non_null(strstr(last_job(walker, "Reason"), "rekeyctl retire-key"));
	assert_blocked(w, w->key2_text, 1);
	world_set_policy(w, "d", "alias/one");
	assert_ok(walker_run(walker, NULL, NULL));
	assert_string_equal(last_job(walker, "Status"), "Complete");
	assert_int_equal(world_key_of(w, "d/e/g"), 1);
	assert_true(world_holds(w, "d/e/g", 2, 5000));
	assert_blocked(w, w->key2_text, 0);
	walker_stop(walker);
	world_free(w);
}

static void cancelled_it_stays_and_so_do_the_files(void **state)
{
	struct world *w = world_new();
	struct walker *walker;

	world_mkdir(w, "d");
	world_set_policy(w, "d", "alias/two");
	world_write(w, "d/g", 2, 5000);
	schedule(w, w->key2_text);
	assert_ok(walker_open(w->t, &walker));
	assert_err(walker_run(walker, NULL, NULL), ERR_REFUSED);
	assert_ok(keymgr_cancel_deletion(w->k, w->key2_text));
	assert_ok(walker_run(walker, NULL, NULL));
	assert_string_equal(last_job(walker, "Status"), "Cancelled");
	assert_int_equal(job_count(walker), 1);
	assert_int_equal(keymgr_key_state(w->k, w->key2), KEY_DISABLED);
	assert_ok(keymgr_enable_key(w->k, w->key2_text));
	assert_true(world_holds(w, "d/g", 2, 5000));
	assert_int_equal(world_key_of(w, "d/g"), 2);
	/* Scheduled anew, it begins anew. */
	world_set_policy(w, "d", "alias/one");
	schedule(w, w->key2_text);
	assert_ok(walker_run(walker, NULL, NULL));
	assert_int_equal(world_key_of(w, "d/g"), 1);
	walker_stop(walker);
	world_free(w);
}

static void open_and_unlinked_files_are_not_forgotten(void **state)
{
	struct world *w = world_new();
	struct open_file *kept, *gone, *fresh;
	struct walker *walker;
	struct node *n;
	struct stat st;
	uint8_t byte;
	size_t got;

	world_write(w, "kept", 1, 100000);
	world_write(w, "gone", 2, 100000);
	kept = world_open(w, "kept");
	gone = world_open(w, "gone");
	world_unlink(w, "gone");
	/* Created, and nothing of it stored yet. */
	assert_ok(tree_create(w->t, tree_root(w->t), "fresh", 0644, O_RDWR, &nobody, &n, &st, &fresh));
	tree_forget(w->t, n, 1);
	leave_key_one(w);
	assert_ok(walker_open(w->t, &walker));
	assert_ok(walker_run(walker, NULL, NULL));
	assert_blocked(w, w->key1_text, 0);
	world_clock(w, WINDOW_OVER);
	assert_ok(walker_run(walker, NULL, NULL));
	assert_int_equal(keymgr_key_state(w->k, w->key1), KEY_DESTROYED);
	assert_ok(content_read(open_file_content(gone), &byte, 1, 99999, &got));
	assert_int_equal(byte, world_byte(2, 99999));
	assert_ok(content_write(open_file_content(fresh), "x", 1, 0));
	world_close(w, kept);
	world_close(w, gone);
	world_close(w, fresh);
	walker_stop(walker);
	world_unmount(w, 1);
	world_mount(w);
	assert_true(world_holds(w, "kept", 1, 100000));
	assert_int_equal(world_key_of(w, "fresh"), 2);
	world_free(w);
}

static void a_file_that_comes_back_keeps_the_key(void **state)
{
	struct world *w = world_new();
	struct walker *walker;
	char *lower, command[2048];

	world_write(w, "f", 1, 5000);
	world_unmount(w, 1);
	world_mount(w);
	lower = world_lower(w, "f");
	snprintf(command, sizeof(command), "cp -a %s %s/backup", lower, w->dir);
	assert_int_equal(system(command), 0);
	leave_key_one(w);
	assert_ok(walker_open(w->t, &walker));
	assert_ok(walker_run(walker, NULL, NULL));
	assert_blocked(w, w->key1_text, 0);
	walker_stop(walker);
	world_unlink(w, "f");
	world_unmount(w, 1);
	/* From a backup, within the window. */
	snprintf(command, sizeof(command), "cp -a %s/backup %s", w->dir, lower);
	assert_int_equal(system(command), 0);
	world_mount(w);
	assert_int_equal(world_key_of(w, "f"), 1);
	world_clock(w, WINDOW_OVER);
	assert_ok(walker_open(w->t, &walker));
	assert_ok(walker_run(walker, NULL, NULL));
	assert_true(world_holds(w, "f", 1, 5000));
	assert_int_equal(world_key_of(w, "f"), 2);
	walker_stop(walker);
	free(lower);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_goes_when_nothing_needs_it),
		cmocka_unit_test(it_waits_for_a_damaged_file),
		cmocka_unit_test(it_waits_for_a_policy_that_names_it),
		cmocka_unit_test(cancelled_it_stays_and_so_do_the_files),
		cmocka_unit_test(open_and_unlinked_files_are_not_forgotten),
		cmocka_unit_test(a_file_that_comes_back_keeps_the_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
