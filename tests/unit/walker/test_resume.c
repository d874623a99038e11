/* A migration that is killed at any of its calls to the lower file goes on where it was. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file_io.h"
#include "fs/walker/walker.h"
#include "tests/lib/unit.h"
#include "tests/lib/world.h"

#define KILLED 9

static const struct { const char *name; uint64_t size; } files[] = {
	{ "small", 100 }, { "page", 4096 }, { "group", 64 * 4096 + 5 }, { "long", 150 * 4096 + 77 }, { "d/below", 20000 }, { "empty", 0 },
};
#define FILES (sizeof(files) / sizeof(*files))

struct countdown { long left; };

static int count_down(void *context, const struct file_io_event *event)
{
	struct countdown *c = context;

	if (event->call == FILE_IO_READ)
		return 0;
	if (c->left-- == 0)
		_exit(KILLED);
	return 0;
}

/* In a process of its own, which ends at call `after`.  1 where it was killed, 0 where the job ended before. */
static int migrate_and_die(struct world *w, const struct job_request *q, long after)
{
	struct unlock unlock = { .no_prompt = 1 };
	struct countdown c = { .left = after };
	struct walker *walker;
	char id[JOB_ID_LEN + 1];
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* Secrets are not inherited. */
		assert_ok(keymgr_open(w->keystore, &unlock, 0, &w->k));
		world_mount(w);
		assert_ok(walker_open(w->t, &walker));
		assert_ok(walker_submit(walker, q, id));
		file_io_set_hook(count_down, &c);
		walker_run(walker, NULL, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == KILLED;
}

static void assert_all(struct world *w)
{
	for (unsigned i = 0; i < FILES; i++)
		assert_true(world_holds(w, files[i].name, i, files[i].size));
}

/* The killed job lies in the bucket, and a walker that opens it runs it to the end. */
static void go_on(struct world *w)
{
	struct walker *walker;
	json_t *all, *job;

	assert_ok(walker_open(w->t, &walker));
	assert_ok(walker_run(walker, NULL, NULL));
	all = walker_status(walker);
	job = json_array_get(json_object_get(all, "Jobs"), 0);
	assert_string_equal(json_string_value(json_object_get(job, "Status")), "Complete");
	json_decref(all);
	walker_stop(walker);
}

static void killed_everywhere(enum migrate_mode mode, const char *from, const char *to, long step)
{
	struct world *w = world_new();
	struct job_request q = { .path = "", .from = from, .to = to, .mode = mode };
	int round = 0, killed = 1;

	world_mkdir(w, "d");
	for (unsigned i = 0; i < FILES; i++)
		world_write(w, files[i].name, i, files[i].size);
	world_unmount(w, 1);
	for (long after = 0; killed; after += step) {
		int to_two = round++ % 2 == 0;

		q.from = to_two ? "alias/one" : "alias/two";
		q.to = to_two ? "alias/two" : "alias/one";
		killed = migrate_and_die(w, &q, after);
		world_mount(w);
		assert_all(w);
		if (killed)
			go_on(w);
		for (unsigned i = 0; i < FILES; i++)
			assert_int_equal(world_key_of(w, files[i].name), to_two ? 2 : 1);
		assert_all(w);
		world_unmount(w, 1);
	}
	print_message("# killed at %d places\n", round - 1);
	assert_true(round > 10);
	world_free(w);
}

static void a_rewrap_is_killed_at_every_write(void **state)
{
	killed_everywhere(MIGRATE_REWRAP, "alias/one", "alias/two", 1);
}

static void a_re_encryption_is_killed_at_every_fifth_call(void **state)
{
	killed_everywhere(MIGRATE_REENCRYPT, "alias/one", "alias/two", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rewrap_is_killed_at_every_write),
		cmocka_unit_test(a_re_encryption_is_killed_at_every_fifth_call),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
