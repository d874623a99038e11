#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "fs/walker/walker.h"
#include "tests/lib/unit.h"
#include "tests/lib/world.h"

static const uint64_t sizes[] = { 0, 1, 4095, 4096, 4097, 64 * 4096, 64 * 4096 + 1, 1 << 20, 333304 };
#define SIZES (sizeof(sizes) / sizeof(*sizes))

static void name_of(unsigned i, const char *dir, char *out)
{
	sprintf(out, "%s%sfile %u", dir, *dir ? "/" : "", i);
}

static void write_sizes(struct world *w, const char *dir)
{
	char name[64];

	for (unsigned i = 0; i < SIZES; i++) {
		name_of(i, dir, name);
		world_write(w, name, i, sizes[i]);
	}
}

static void assert_sizes(struct world *w, const char *dir, int key)
{
	char name[64];

	for (unsigned i = 0; i < SIZES; i++) {
		name_of(i, dir, name);
		assert_true(world_holds(w, name, i, sizes[i]));
		assert_int_equal(world_key_of(w, name), key);
	}
}

/* Runs one job to its end without a thread, and gives back how it ended. */
static json_t *run_job_now(struct world *w, const struct job_request *q)
{
	struct walker *walker;
	char id[JOB_ID_LEN + 1];
	json_t *job;

	assert_ok(walker_open(w->t, &walker));
	assert_ok(walker_submit(walker, q, id));
	walker_run(walker, NULL, NULL);
	assert_ok(walker_job(walker, id, &job));
	walker_stop(walker);
	return job;
}

static void assert_status(json_t *job, const char *status)
{
	const char *reason = json_string_value(json_object_get(job, "Reason"));

	if (strcmp(json_string_value(json_object_get(job, "Status")), status) != 0)
		print_error("reason: %s\n", reason ? reason : "none");
	assert_string_equal(json_string_value(json_object_get(job, "Status")), status);
}

static long long progress(json_t *job, const char *what)
{
	return json_integer_value(json_object_get(json_object_get(job, "Progress"), what));
}

static void run_to_end(struct world *w, const struct job_request *q)
{
	json_t *job = run_job_now(w, q);

	assert_status(job, "Complete");
	json_decref(job);
}

/* --- what a job moves ---------------------------------------------------------------------------- */

static void every_file_comes_under_the_other_key(void **state)
{
	struct world *w = world_new();
	struct job_request q = { .path = "", .from = "alias/one", .to = "alias/two", .mode = MIGRATE_REENCRYPT };
	json_t *job;

	world_mkdir(w, "d");
	world_mkdir(w, "d/e");
	write_sizes(w, "");
	write_sizes(w, "d/e");
	job = run_job_now(w, &q);
	assert_status(job, "Complete");
	/* The names key moves too: its target is the job's, since the root's policy names the key to be left. */
	assert_int_equal(progress(job, "Files"), 2 * SIZES);
	assert_int_equal(progress(job, "FilesTotal"), 2 * SIZES);
	assert_int_equal(progress(job, "Bytes"), progress(job, "BytesTotal"));
	json_decref(job);
	assert_memory_equal(w->b->state.names_slot.key_id, w->key2, KEY_ID_LEN);
	assert_sizes(w, "", 2);
	assert_sizes(w, "d/e", 2);
	world_unmount(w, 1);
	world_mount(w);
	assert_sizes(w, "", 2);
	assert_sizes(w, "d/e", 2);
	world_free(w);
}

static void there_and_back_and_there(void **state)
{
	struct world *w = world_new();
	struct job_request q = { .path = "", .from = "alias/one", .to = "alias/two", .mode = MIGRATE_REENCRYPT };
	struct job_request back = { .path = "", .from = "alias/two", .to = "alias/one", .mode = MIGRATE_REENCRYPT };

	write_sizes(w, "");
	for (int i = 0; i < 5; i++) {
		run_to_end(w, i % 2 ? &back : &q);
		if (i % 2) {
			world_unmount(w, 1);
			world_mount(w);
		}
		assert_sizes(w, "", i % 2 ? 1 : 2);
	}
	world_free(w);
}

static void a_rewrap_keeps_the_blocks(void **state)
{
	struct world *w = world_new();
	struct job_request q = { .path = "", .to = "alias/two", .mode = MIGRATE_REWRAP };
	uint8_t before[4096], after[4096];
	char *lower;
	int fd;

	world_write(w, "f", 3, 10000);
	lower = world_lower(w, "f");
	fd = open(lower, O_RDONLY);
	assert_int_equal(pread(fd, before, 4096, 8 * 4096), 4096);
	run_to_end(w, &q);
	assert_int_equal(pread(fd, after, 4096, 8 * 4096), 4096);
	assert_memory_equal(before, after, 4096);
	assert_int_equal(world_key_of(w, "f"), 2);
	assert_true(world_holds(w, "f", 3, 10000));
	close(fd);
	free(lower);
	world_free(w);
}

static void modification_times_stay(void **state)
{
	struct world *w = world_new();
	struct job_request q = { .path = "", .to = "alias/two", .mode = MIGRATE_REENCRYPT };
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1000000000, .tv_nsec = 123456789 } };
	struct stat st;
	char *lower;

	world_write(w, "f", 3, 700000);
	lower = world_lower(w, "f");
	assert_int_equal(utimensat(AT_FDCWD, lower, times, 0), 0);
	run_to_end(w, &q);
	world_unmount(w, 1);
	assert_int_equal(stat(lower, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	free(lower);
	world_mount(w);
	world_free(w);
}

static void only_below_the_path_and_only_from_the_key(void **state)
{
	struct world *w = world_new();
	struct job_request dir = { .path = "d", .to = "alias/two", .mode = MIGRATE_REENCRYPT };
	struct job_request file = { .path = "g", .to = "alias/two", .mode = MIGRATE_REENCRYPT };
	struct job_request back = { .path = "", .from = "alias/one", .to = "alias/one", .mode = MIGRATE_REENCRYPT };
	json_t *job;

	world_mkdir(w, "d");
	world_write(w, "d/f", 1, 5000);
	world_write(w, "g", 2, 5000);
	world_write(w, "h", 3, 5000);
	run_to_end(w, &dir);
	assert_int_equal(world_key_of(w, "d/f"), 2);
	assert_int_equal(world_key_of(w, "g"), 1);
	run_to_end(w, &file);
	assert_int_equal(world_key_of(w, "g"), 2);
	assert_int_equal(world_key_of(w, "h"), 1);
	assert_memory_equal(w->b->state.names_slot.key_id, w->key1, KEY_ID_LEN);
	job = run_job_now(w, &back);
	assert_status(job, "Complete");
	assert_int_equal(progress(job, "Files"), 0);
	json_decref(job);
	world_free(w);
}

static void the_policies_decide_where_to(void **state)
{
	struct world *w = world_new();
	struct job_request q = { .path = "", .mode = MIGRATE_REENCRYPT };

	world_mkdir(w, "d");
	world_mkdir(w, "d/e");
	world_write(w, "f", 1, 5000);
	world_write(w, "d/e/g", 2, 5000);
	world_set_policy(w, "d", "alias/two");
	run_to_end(w, &q);
	assert_int_equal(world_key_of(w, "f"), 1);
	assert_int_equal(world_key_of(w, "d/e/g"), 2);
	world_free(w);
}

static void material_of(struct world *w, const char *path, uint8_t out[static MATERIAL_ID_LEN])
{
	struct header_view views[2];
	char *lower = world_lower(w, path);
	int fd = open(lower, O_RDONLY);
	unsigned count;
	uint64_t size;

	assert_ok(content_view(fd, views, &count, &size));
	assert_true(count > 0);
	memcpy(out, views[0].header.slots[views[0].header.slot_count - 1].material_id, MATERIAL_ID_LEN);
	close(fd);
	free(lower);
}

static void older_key_material_is_left(void **state)
{
	struct world *w = world_new();
	uint8_t first[MATERIAL_ID_LEN], second[MATERIAL_ID_LEN];
	char from[256];
	struct job_request q = { .path = "", .from = from, .mode = MIGRATE_REENCRYPT };

	world_write(w, "f", 1, 5000);
	material_of(w, "f", first);
	assert_ok(keymgr_rotate_on_demand(w->k, w->key1_text));
	world_write(w, "g", 2, 5000);
	material_of(w, "g", second);
	assert_memory_not_equal(first, second, MATERIAL_ID_LEN);
	sprintf(from, "%s:", w->key1_text);
	bytes_to_hex(first, MATERIAL_ID_LEN, from + strlen(from));
	run_to_end(w, &q);
	material_of(w, "f", first);
	assert_memory_equal(first, second, MATERIAL_ID_LEN);
	assert_memory_equal(w->b->state.names_slot.material_id, second, MATERIAL_ID_LEN);
	assert_true(world_holds(w, "f", 1, 5000));
	world_free(w);
}

static void a_hard_link_is_moved_once(void **state)
{
	struct world *w = world_new();
	struct job_request q = { .path = "", .to = "alias/two", .mode = MIGRATE_REENCRYPT };
	json_t *job;

	world_write(w, "f", 1, 100000);
	world_mkdir(w, "d");
	world_link(w, "f", "d/g");
	job = run_job_now(w, &q);
	assert_int_equal(progress(job, "Files"), 1);
	assert_int_equal(progress(job, "Bytes"), 100000);
	json_decref(job);
	assert_true(world_holds(w, "d/g", 1, 100000));
	assert_int_equal(world_key_of(w, "d/g"), 2);
	world_free(w);
}

static void attributes_come_along(void **state)
{
	struct world *w = world_new();
	struct job_request q = { .path = "", .to = "alias/two", .mode = MIGRATE_REENCRYPT };
	char value[16];
	struct node *n;
	struct stat st;
	size_t len;

	world_write(w, "f", 1, 100);
	assert_ok(tree_resolve(w->t, "f", &n, &st));
	assert_ok(tree_setxattr(w->t, n, "user.colour", "blue", 4, 0));
	tree_forget(w->t, n, 1);
	run_to_end(w, &q);
	world_unmount(w, 1);
	world_mount(w);
	assert_ok(tree_resolve(w->t, "f", &n, &st));
	assert_ok(tree_getxattr(w->t, n, "user.colour", value, sizeof(value), &len));
	tree_forget(w->t, n, 1);
	assert_int_equal(len, 4);
	assert_memory_equal(value, "blue", 4);
	world_free(w);
}

/* --- what goes wrong -------------------------------------------------------------------------------- */

static void damage(struct world *w, const char *path, off_t at, size_t len)
{
	char *lower = world_lower(w, path), zeros[8192];
	int fd = open(lower, O_WRONLY);

	memset(zeros, 0x5a, sizeof(zeros));
	assert_int_equal(pwrite(fd, zeros, len, at), (ssize_t)len);
	close(fd);
	free(lower);
}

static void a_damaged_file_is_told_and_the_others_move(void **state)
{
	struct world *w = world_new();
	struct job_request q = { .path = "", .from = "alias/one", .to = "alias/two", .mode = MIGRATE_REENCRYPT, .report = 1 };
	struct walker *walker;
	json_t *job, *rows;
	const char *path;

	world_write(w, "bad", 1, 5000);
	world_write(w, "good", 2, 5000);
	world_unmount(w, 1);
	world_mount(w);
	damage(w, "bad", 9 * 4096, 10);
	job = run_job_now(w, &q);
	assert_status(job, "Failed");
	assert_int_equal(json_integer_value(json_object_get(job, "Failed")), 1);
	path = json_string_value(json_object_get(json_array_get(json_object_get(job, "Failures"), 0), "Path"));
	assert_string_equal(path, "/bad");
	assert_int_equal(world_key_of(w, "good"), 2);
	assert_true(world_holds(w, "good", 2, 5000));
	assert_ok(walker_open(w->t, &walker));
	assert_ok(walker_report(walker, json_string_value(json_object_get(job, "JobId")), 0, 100, &rows));
	assert_true(json_array_size(json_object_get(rows, "Rows")) >= 2);
	walker_stop(walker);
	json_decref(rows);
	json_decref(job);
	world_free(w);
}

static void requests_that_make_no_sense_are_refused(void **state)
{
	struct world *w = world_new();
	struct job_request q = { .path = "absent", .mode = MIGRATE_REENCRYPT };
	struct walker *walker;
	char id[JOB_ID_LEN + 1];
	json_t *jobs;

	assert_ok(walker_open(w->t, &walker));
	assert_err(walker_submit(walker, &q, id), ERR_NOT_FOUND);
	q.path = "";
	q.to = "alias/none";
	assert_err(walker_submit(walker, &q, id), ERR_KEY_NOT_FOUND);
	q.to = NULL;
	q.from = "alias/none";
	assert_err(walker_submit(walker, &q, id), ERR_KEY_NOT_FOUND);
	assert_ok(keymgr_disable_key(w->k, w->key2_text));
	q.from = NULL;
	q.to = "alias/two";
	assert_err(walker_submit(walker, &q, id), ERR_KEY_STATE);
	jobs = walker_status(walker);
	assert_int_equal(json_array_size(json_object_get(jobs, "Jobs")), 0);
	json_decref(jobs);
	assert_err(walker_pause(walker, "0"), ERR_NOT_FOUND);
	walker_stop(walker);
	world_free(w);
}

static void a_dry_run_counts_and_moves_nothing(void **state)
{
	struct world *w = world_new();
	struct job_request q = { .path = "", .to = "alias/two", .mode = MIGRATE_REENCRYPT };
	struct walker *walker;
	json_t *counts;

	world_write(w, "f", 1, 5000);
	world_write(w, "g", 1, 7000);
	assert_ok(walker_open(w->t, &walker));
	assert_ok(walker_dry_run(walker, &q, &counts));
	assert_int_equal(json_integer_value(json_object_get(counts, "Files")), 2);
	assert_int_equal(json_integer_value(json_object_get(counts, "Bytes")), 12000);
	json_decref(counts);
	walker_stop(walker);
	assert_int_equal(world_key_of(w, "f"), 1);
	world_free(w);
}

/* --- while it runs ----------------------------------------------------------------------------------- */

static void wait_for(struct walker *walker, const char *id, const char *status)
{
	struct timespec nap = { .tv_nsec = 10000000 };
	const char *now = "";
	json_t *job;

	for (int i = 0; i < 3000; i++) {
		int there;

		assert_ok(walker_job(walker, id, &job));
		now = json_string_value(json_object_get(job, "Status"));
		there = strcmp(now, status) == 0;
		if (!there && (strcmp(now, "Failed") == 0 || strcmp(now, "Complete") == 0)) {
			print_error("it ended as %s\n", now);
			fail();
		}
		json_decref(job);
		if (there)
			return;
		nanosleep(&nap, NULL);
	}
	fail();
}

static void a_job_is_paused_and_goes_on(void **state)
{
	struct world *w = world_new();
	struct job_request q = { .path = "", .to = "alias/two", .mode = MIGRATE_REENCRYPT, .bandwidth = 400000 };
	char id[JOB_ID_LEN + 1], name[32];
	struct walker *walker;

	for (unsigned i = 0; i < 20; i++) {
		sprintf(name, "f%u", i);
		world_write(w, name, i, 100000);
	}
	assert_ok(walker_start(w->t, &walker));
	assert_ok(walker_submit(walker, &q, id));
	wait_for(walker, id, "Active");
	assert_true(walker_busy(walker));
	assert_ok(walker_pause(walker, id));
	wait_for(walker, id, "Paused");
	assert_false(walker_busy(walker));
	walker_stop(walker);
	world_unmount(w, 1);
	world_mount(w);
	assert_ok(walker_start(w->t, &walker));
	wait_for(walker, id, "Paused");		/* a person's pause outlives the mount */
	assert_err(walker_pause(walker, id), ERR_REFUSED);
	assert_ok(walker_resume(walker, id));
	wait_for(walker, id, "Active");
	assert_ok(walker_cancel(walker, id));
	wait_for(walker, id, "Cancelled");
	assert_err(walker_resume(walker, id), ERR_REFUSED);
	q.bandwidth = 0;
	assert_ok(walker_submit(walker, &q, id));
	wait_for(walker, id, "Complete");
	walker_stop(walker);
	for (unsigned i = 0; i < 20; i++) {
		sprintf(name, "f%u", i);
		assert_true(world_holds(w, name, i, 100000));
		assert_int_equal(world_key_of(w, name), 2);
	}
	world_free(w);
}

static void jobs_keep_to_their_hours(void **state)
{
	static const char *const wrong[] = { "", "22", "22:00", "22:00-", "22:00-06:00x", "22:60-06:00", "25:00-06:00", "-1:00-06:00", "a:b-c:d" };
	struct world *w = world_new();
	struct job_request q = { .path = "", .to = "alias/two", .mode = MIGRATE_REENCRYPT };
	struct walker_limits limits = { .bandwidth = 0 };
	time_t now = time(NULL);
	char id[JOB_ID_LEN + 1];
	struct walker *walker;
	struct tm day;
	json_t *job;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_err(walker_parse_hours(wrong[i], &limits), ERR_USAGE);
	assert_ok(walker_parse_hours("22:00-06:30", &limits));
	assert_int_equal(limits.from, 22 * 60);
	assert_int_equal(limits.until, 6 * 60 + 30);
	assert_ok(walker_parse_hours("00:00-24:00", &limits));
	assert_int_equal(limits.from, limits.until);
	world_write(w, "f", 1, 5000);
	assert_non_null(localtime_r(&now, &day));
	limits.from = (unsigned)(day.tm_hour * 60 + day.tm_min + 120) % 1440;
	limits.until = (limits.from + 60) % 1440;
	assert_ok(walker_start(w->t, &walker));
	walker_set_limits(walker, &limits);
	assert_ok(walker_submit(walker, &q, id));
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	assert_ok(walker_job(walker, id, &job));
	assert_status(job, "New");
	assert_non_null(strstr(json_string_value(json_object_get(job, "Reason")), "jobs run from"));
	json_decref(job);
	world_clock(w, 150 * 60);
	walker_kick(walker);
	wait_for(walker, id, "Complete");
	walker_stop(walker);
	assert_int_equal(world_key_of(w, "f"), 2);
	world_free(w);
}

struct writing { struct world *w; const char *path; atomic_int stop; uint64_t size; unsigned rounds; };

/* Appends, and writes over what is there. */
static void *write_on(void *argument)
{
	struct writing *g = argument;
	struct open_file *f = world_open(g->w, g->path);
	struct content *c = open_file_content(f);
	uint8_t bytes[7000];

	while (!atomic_load(&g->stop)) {
		size_t len = 1 + g->rounds * 977 % sizeof(bytes);
		uint64_t offset = g->rounds % 3 || g->size < len ? g->size : g->rounds * 4099 % (g->size - len + 1);

		for (size_t i = 0; i < len; i++)
			bytes[i] = world_byte(9, offset + i);
		if (content_write(c, bytes, len, offset) != ERR_OK)
			break;
		if (offset + len > g->size)
			g->size = offset + len;
		if (++g->rounds % 50 == 0 && content_sync(c, 0) != ERR_OK)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
	}
	world_close(g->w, f);
	return NULL;
}

/* As a mount's timer does, but all the time. */
static void *checkpoint_on(void *argument)
{
	struct writing *g = argument;

	while (!atomic_load(&g->stop)) {
		assert_ok(content_checkpoint(g->w->b));
		g->rounds++;
	}
	return NULL;
}

static void files_are_written_meanwhile(void **state)
{
	struct world *w = world_new();
	struct job_request q = { .path = "", .to = "alias/two", .mode = MIGRATE_REENCRYPT };
	struct job_request back = { .path = "", .to = "alias/one", .mode = MIGRATE_REENCRYPT };
	struct writing writers[3] = { { .w = w, .path = "a" }, { .w = w, .path = "b" }, { .w = w, .path = "c" } };
	struct writing checkpoints = { .w = w };
	char id[JOB_ID_LEN + 1];
	struct walker *walker;
	pthread_t threads[3], timer;

	for (int i = 0; i < 3; i++) {
		writers[i].size = 300000u * (unsigned)i;
		world_write(w, writers[i].path, 9, writers[i].size);
	}
	write_sizes(w, "");
	assert_ok(walker_start(w->t, &walker));
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_on, &writers[i]), 0);
	assert_int_equal(pthread_create(&timer, NULL, checkpoint_on, &checkpoints), 0);
	for (int i = 0; i < 6; i++) {
		assert_ok(walker_submit(walker, i % 2 ? &back : &q, id));
		wait_for(walker, id, "Complete");
	}
	for (int i = 0; i < 3; i++) {
		atomic_store(&writers[i].stop, 1);
		pthread_join(threads[i], NULL);
	}
	atomic_store(&checkpoints.stop, 1);
	pthread_join(timer, NULL);
	assert_true(checkpoints.rounds > 0);
	walker_stop(walker);
	world_unmount(w, 1);
	world_mount(w);
	for (int i = 0; i < 3; i++) {
		assert_true(writers[i].rounds > 20);
		assert_true(world_holds(w, writers[i].path, 9, writers[i].size));
		assert_int_equal(world_key_of(w, writers[i].path), 1);
	}
	assert_sizes(w, "", 1);
	world_free(w);
}

/* --- what it does by itself ----------------------------------------------------------------------------- */

static void drift(void *context, struct node *n)
{
	walker_drift(context, n);
}

static void a_rename_brings_files_under_the_new_policy(void **state)
{
	struct world *w = world_new();
	struct tree_events events = { .drift = drift };
	struct walker *walker;

	world_mkdir(w, "one");
	world_mkdir(w, "one/sub");
	world_mkdir(w, "two");
	world_set_policy(w, "two", "alias/two");
	world_write(w, "one/f", 1, 5000);
	world_write(w, "one/sub/g", 2, 5000);
	world_write(w, "one/stays", 3, 5000);
	assert_ok(walker_open(w->t, &walker));
	events.context = walker;
	tree_set_events(w->t, &events);
	assert_ok(world_rename(w, "one/f", "two/f"));
	assert_ok(world_rename(w, "one/sub", "two/sub"));
	assert_ok(walker_run(walker, NULL, NULL));
	assert_int_equal(world_key_of(w, "two/f"), 2);
	assert_int_equal(world_key_of(w, "two/sub/g"), 2);
	assert_int_equal(world_key_of(w, "one/stays"), 1);
	assert_true(world_holds(w, "two/f", 1, 5000));
	assert_true(world_holds(w, "two/sub/g", 2, 5000));
	tree_set_events(w->t, &(struct tree_events){ .context = NULL });
	walker_stop(walker);
	world_free(w);
}

static void a_rotation_is_followed_where_the_policy_says_so(void **state)
{
	struct world *w = world_new();
	uint8_t before[MATERIAL_ID_LEN], after[MATERIAL_ID_LEN];
	struct policy p = { .key = "alias/two", .after_rotation = AFTER_ROTATION_REWRAP };
	struct walker *walker;
	struct node *n;
	struct stat st;
	json_t *jobs;

	world_mkdir(w, "d");
	assert_ok(tree_resolve(w->t, "d", &n, &st));
	assert_ok(tree_dir_id(w->t, n, p.dir_id));
	tree_forget(w->t, n, 1);
	assert_ok(bucket_policy_set(w->b, &p));
	world_write(w, "d/f", 1, 5000);
	world_write(w, "g", 2, 5000);
	assert_ok(walker_open(w->t, &walker));
	assert_ok(walker_run(walker, NULL, NULL));
	material_of(w, "d/f", before);
	assert_ok(keymgr_rotate_on_demand(w->k, w->key2_text));
	assert_ok(keymgr_rotate_on_demand(w->k, w->key1_text));
	for (int i = 0; i < 3; i++)
		assert_ok(walker_run(walker, NULL, NULL));
	material_of(w, "d/f", after);
	assert_memory_not_equal(before, after, MATERIAL_ID_LEN);
	jobs = walker_status(walker);
	assert_int_equal(json_array_size(json_object_get(jobs, "Jobs")), 1);
	json_decref(jobs);
	walker_stop(walker);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_comes_under_the_other_key),
		cmocka_unit_test(there_and_back_and_there),
		cmocka_unit_test(a_rewrap_keeps_the_blocks),
		cmocka_unit_test(modification_times_stay),
		cmocka_unit_test(only_below_the_path_and_only_from_the_key),
		cmocka_unit_test(the_policies_decide_where_to),
		cmocka_unit_test(older_key_material_is_left),
		cmocka_unit_test(a_hard_link_is_moved_once),
		cmocka_unit_test(attributes_come_along),
		cmocka_unit_test(a_damaged_file_is_told_and_the_others_move),
		cmocka_unit_test(requests_that_make_no_sense_are_refused),
		cmocka_unit_test(a_dry_run_counts_and_moves_nothing),
		cmocka_unit_test(a_job_is_paused_and_goes_on),
		cmocka_unit_test(jobs_keep_to_their_hours),
		cmocka_unit_test(files_are_written_meanwhile),
		cmocka_unit_test(a_rename_brings_files_under_the_new_policy),
		cmocka_unit_test(a_rotation_is_followed_where_the_policy_says_so),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
