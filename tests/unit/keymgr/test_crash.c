/*
 * Each changing call with its Nth lower call failing, once or from then on, or with the
 * process ending there in the middle of a write.  Afterwards the keystore opens, holds the
 * old or the new contents (the new ones where the call succeeded), its log verifies, and the
 * handle that saw the failure goes on.
 */
#include "tests/unit/keymgr/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "keymgr/core/manager.h"

#define CALLS_MAX 200

static const struct unlock quiet = { .no_prompt = 1 };
static struct fixture *template;	/* made once; each run works on a copy */
static char key_a[UUID_TEXT_LEN + 1], key_b[UUID_TEXT_LEN + 1], key_due[UUID_TEXT_LEN + 1];
static uint8_t key_a_id[KEY_ID_LEN], first_material[MATERIAL_ID_LEN];
static struct bucket_instance bucket;

/* --- faults ---------------------------------------------------------------------- */

enum fault { FAULT_ONCE, FAULT_FROM_THEN_ON, FAULT_DEATH, FAULT_COUNT };
static struct { enum fault fault; int at, seen; } injected;

/* Half of a write reaches the file. */
static void tear(const struct file_io_event *event)
{
	size_t half = event->len / 2;

	for (int i = 0; i < event->iov_count && half > 0; i++) {
		size_t part = event->iov[i].iov_len < half ? event->iov[i].iov_len : half;

		if (pwrite(event->fd, event->iov[i].iov_base, part, (off_t)event->offset) < 0)
			break;
		half -= part;
	}
}

static int inject(void *context, const struct file_io_event *event)
{
	injected.seen++;
	if (injected.seen < injected.at || (injected.fault == FAULT_ONCE && injected.seen > injected.at))
		return 0;
	if (event->call == FILE_IO_WRITE)
		tear(event);
	if (injected.fault == FAULT_DEATH)
		_exit(42);
	return EIO;
}

/* --- the calls ------------------------------------------------------------------- */

static enum err do_create_key(struct keymgr *k)
{
	return keymgr_create_key(k, "made", NULL);
}

static enum err do_describe(struct keymgr *k)
{
	return keymgr_update_description(k, key_a, "changed");
}

static enum err do_disable(struct keymgr *k)
{
	return keymgr_disable_key(k, key_a);
}

static enum err do_create_alias(struct keymgr *k)
{
	return keymgr_create_alias(k, "alias/new", key_a);
}

static enum err do_update_alias(struct keymgr *k)
{
	return keymgr_update_alias(k, "alias/a", key_b);
}

static enum err do_delete_alias(struct keymgr *k)
{
	return keymgr_delete_alias(k, "alias/a");
}

static enum err do_enable_rotation(struct keymgr *k)
{
	return keymgr_enable_rotation(k, key_b, 90);
}

static enum err do_rotate(struct keymgr *k)
{
	return keymgr_rotate_on_demand(k, key_a);
}

static enum err do_schedule(struct keymgr *k)
{
	return keymgr_schedule_deletion(k, key_a, NULL, NULL);
}

static enum err do_cancel(struct keymgr *k)
{
	return keymgr_cancel_deletion(k, key_due);
}

static enum err do_refuse(struct keymgr *k)
{
	return keymgr_refuse_encrypt(k, key_a, 1);
}

static enum err do_destroy_material(struct keymgr *k)
{
	return keymgr_destroy_material(k, key_a, first_material, 0);
}

static enum err do_run_due(struct keymgr *k)
{
	struct due_summary due;

	return keymgr_run_due(k, &due);
}

static enum err do_rotate_root(struct keymgr *k)
{
	return keymgr_rotate_root(k);
}

static enum err do_add_protector(struct keymgr *k)
{
	uint8_t id[UUID_LEN];
	char code[RECOVERY_CODE_LEN + 1];

	return keymgr_add_recovery(k, code, id);
}

static int first_id(void *context, const struct protector_info *p)
{
	if (p->kind == PROTECTOR_RECOVERY)
		memcpy(context, p->id, UUID_LEN);
	return 0;
}

static enum err do_remove_protector(struct keymgr *k)
{
	uint8_t id[UUID_LEN] = { 0 };
	enum err e = keymgr_list_protectors(k, first_id, id);

	return e == ERR_OK ? keymgr_remove_protector(k, id) : e;
}

static enum err do_register(struct keymgr *k)
{
	struct bucket_instance other = bucket;

	memset(other.instance_id, 0x99, UUID_LEN);
	return keymgr_register_bucket(k, &other);
}

static enum err do_forget(struct keymgr *k)
{
	char id[UUID_TEXT_LEN + 1];

	uuid_text(bucket.instance_id, id);
	return keymgr_forget_bucket(k, bucket.instance_id, id);
}

static enum err do_anchor(struct keymgr *k)
{
	return keymgr_anchor_bucket(k, bucket.instance_id, 1000, 1000);
}

static enum err do_lease(struct keymgr *k)
{
	return keymgr_take_lease(k, bucket.instance_id, key_a_id);
}

static enum err do_scan(struct keymgr *k)
{
	struct scan_report report = { .started = clock_now(), .ended = clock_now() };

	memcpy(report.instance_id, bucket.instance_id, UUID_LEN);
	memcpy(report.key_id, key_a_id, KEY_ID_LEN);
	return keymgr_report_scan(k, &report);
}

static enum err do_encrypt(struct keymgr *k)
{
	uint8_t out[CIPHERTEXT_MAX];
	struct key_ref ref;
	size_t len;

	return keymgr_encrypt(k, key_a, NULL, "x", 1, out, &len, &ref);
}

static const struct { const char *name; enum err (*run)(struct keymgr *k); } calls[] = {
	{ "CreateKey", do_create_key }, { "UpdateKeyDescription", do_describe }, { "DisableKey", do_disable },
	{ "CreateAlias", do_create_alias }, { "UpdateAlias", do_update_alias }, { "DeleteAlias", do_delete_alias },
	{ "EnableKeyRotation", do_enable_rotation }, { "RotateKeyOnDemand", do_rotate },
	{ "ScheduleKeyDeletion", do_schedule }, { "CancelKeyDeletion", do_cancel }, { "RefuseEncrypt", do_refuse },
	{ "DestroyKeyMaterial", do_destroy_material }, { "run due", do_run_due }, { "RotateRoot", do_rotate_root },
	{ "AddProtector", do_add_protector }, { "RemoveProtector", do_remove_protector },
	{ "RegisterBucket", do_register }, { "ForgetBucket", do_forget }, { "AnchorBucket", do_anchor },
	{ "TakeLease", do_lease }, { "ReportScan", do_scan }, { "Encrypt", do_encrypt },
};

/* --- what a keystore holds, as text ------------------------------------------------- */

static void describe(struct keymgr *k, FILE *to)
{
	const struct keystore *s = k->store;

	for (size_t i = 0; i < s->cmk_count; i++) {
		const struct cmk *c = s->cmks[i];

		fprintf(to, "%s %d %d %u \"%s\"", key_state_name(c->state), c->flags, c->rotation_days, c->backing_key_count,
			c->description);
		for (uint32_t m = 0; m < c->backing_key_count; m++)
			fprintf(to, " %d", c->backing_keys[m].flags);
		fputc('\n', to);
	}
	for (size_t i = 0; i < s->alias_count; i++)
		fprintf(to, "%s %02x\n", s->aliases[i].name, s->aliases[i].key_id[0]);
	fprintf(to, "%zu buckets, %zu protectors\n", s->bucket_count, s->protector_count);
}

static void describe_ledger(struct keymgr *k, FILE *to)
{
	const struct ledger *l = &k->ledger;
	unsigned long long anchors = 0, ciphertexts = 0;

	for (uint32_t i = 0; i < l->sighting_count; i++)
		anchors += l->sightings[i].checkpoint;
	for (uint32_t i = 0; i < l->usage_count; i++)
		ciphertexts += l->usages[i].ciphertexts;
	fprintf(to, "anchors %llu, leases %u, ciphertexts %llu, lost %d\n", anchors, l->lease_count, ciphertexts,
		l->lost_at != 0);
}

/* Every wrap opens. */
static void check_materials(struct keymgr *k)
{
	uint8_t bytes[BACKING_KEY_LEN];

	for (size_t i = 0; i < k->store->cmk_count; i++) {
		const struct cmk *c = k->store->cmks[i];

		for (uint32_t m = 0; m < c->backing_key_count; m++)
			if (!(c->backing_keys[m].flags & BACKING_KEY_DESTROYED))
				assert_ok(backing_key_unwrap(&c->backing_keys[m], k->root->bytes,
							     (struct backing_key_place){ k->store->id, c->id }, bytes));
	}
}

static int pass_over(void *context, const struct bucket_instance *b)
{
	return 0;
}

/* What a handle knows once it has looked again. */
static char *observe_handle(struct keymgr *k)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert_ok(keymgr_list_buckets(k, pass_over, NULL));
	check_materials(k);
	describe(k, to);
	describe_ledger(k, to);
	fclose(to);
	return text;
}

/* Opens, checks what must always hold, and tells what is in it. */
static char *observe(const char *path)
{
	struct keymgr *k;
	char *text;

	assert_ok(keymgr_open(path, &quiet, 1, &k));
	assert_ok(keymgr_events(k, 1, NULL, NULL));
	text = observe_handle(k);
	keymgr_close(k);
	return text;
}

/* --- the runs -------------------------------------------------------------------- */

/* The used parts of the template's files. */
#define PART_MAX 65536
static struct part { const char *suffix; off_t offset; size_t len; uint8_t bytes[PART_MAX]; } parts[] = {
	{ .suffix = "" }, { .suffix = ".previous" }, { .suffix = ".events" }, { .suffix = ".state" },
	{ .suffix = ".state", .offset = LEDGER_COPY_LEN },
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static void load_parts(void)
{
	char name[FIXTURE_PATH];

	for (size_t i = 0; i < PARTS; i++) {
		int fd;

		fixture_file(template, parts[i].suffix, name);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_ok(file_read(fd, parts[i].bytes, PART_MAX, (uint64_t)parts[i].offset, &parts[i].len));
		close(fd);
	}
}

static void fresh_copy(char path[static FIXTURE_PATH])
{
	char name[FIXTURE_PATH + 16];
	static int number;

	snprintf(path, FIXTURE_PATH, "%.200s/run%d", template->dir, number++);
	assert_int_equal(mkdir(path, 0700), 0);
	strcat(path, "/keystore");
	for (size_t i = 0; i < PARTS; i++) {
		int fd;

		snprintf(name, sizeof(name), "%s%s", path, parts[i].suffix);
		fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, parts[i].bytes, parts[i].len, parts[i].offset), (ssize_t)parts[i].len);
		close(fd);
	}
}

static void discard(char path[static FIXTURE_PATH])
{
	*strrchr(path, '/') = 0;
	fixture_remove(path);
}

/* Returns whether the fault was reached. */
static int run_failing(int call, enum fault fault, int at, const char *before, const char *after)
{
	char path[FIXTURE_PATH], *now, *here;
	struct keymgr *k;
	enum err e;
	int reached;

	fresh_copy(path);
	assert_ok(keymgr_open(path, &quiet, 1, &k));
	injected.fault = fault;
	injected.at = at;
	injected.seen = 0;
	file_io_set_hook(inject, NULL);
	e = calls[call].run(k);
	file_io_set_hook(NULL, NULL);
	reached = injected.seen >= at;
	now = observe(path);
	if (strcmp(now, after) != 0 && (e == ERR_OK || strcmp(now, before) != 0))
		fail_msg("%s, fault %d at %d, returned %d (%s):\n%snot\n%snor\n%s", calls[call].name, (int)fault, at, (int)e,
			 err_message(e), now, before, after);
	/* The same handle sees what the file has, and goes on. */
	here = observe_handle(k);
	if (strcmp(here, now) != 0)
		fail_msg("%s, fault %d at %d: the handle has\n%snot\n%s", calls[call].name, (int)fault, at, here, now);
	free(here);
	free(now);
	e = keymgr_update_description(k, key_b, "afterwards");
	if (e != ERR_OK)
		fail_msg("after %s, fault %d at %d: %s", calls[call].name, (int)fault, at, err_message(e));
	keymgr_close(k);
	discard(path);
	return reached;
}

static int run_dying(int call, int at, const char *before, const char *after)
{
	char path[FIXTURE_PATH], *now;
	struct keymgr *k;
	int status;
	pid_t pid;

	fresh_copy(path);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (keymgr_open(path, &quiet, 1, &k) != ERR_OK)
			_exit(1);
		injected.fault = FAULT_DEATH;
		injected.at = at;
		injected.seen = 0;
		file_io_set_hook(inject, NULL);
		_exit(calls[call].run(k) == ERR_OK ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 42));
	now = observe(path);
	if (strcmp(now, after) != 0 && (WEXITSTATUS(status) == 0 || strcmp(now, before) != 0))
		fail_msg("%s, death at %d:\n%snot\n%snor\n%s", calls[call].name, at, now, before, after);
	free(now);
	assert_ok(keymgr_open(path, &quiet, 1, &k));
	assert_ok(keymgr_update_description(k, key_b, "afterwards"));
	assert_ok(keymgr_events(k, 1, NULL, NULL));
	keymgr_close(k);
	discard(path);
	return WEXITSTATUS(status) == 42;
}

static char *after_success(int call)
{
	char path[FIXTURE_PATH], *text;
	struct keymgr *k;

	fresh_copy(path);
	assert_ok(keymgr_open(path, &quiet, 1, &k));
	assert_ok(calls[call].run(k));
	keymgr_close(k);
	text = observe(path);
	discard(path);
	return text;
}

static void run_all(enum fault fault)
{
	char path[FIXTURE_PATH], *before;

	fresh_copy(path);
	before = observe(path);
	discard(path);
	for (size_t call = 0; call < sizeof(calls) / sizeof(calls[0]); call++) {
		char *after = after_success((int)call);
		int at = 1, reached = 1;

		for (; reached; at++) {
			assert_true(at < CALLS_MAX);
			reached = fault == FAULT_DEATH ? run_dying((int)call, at, before, after) :
				  run_failing((int)call, fault, at, before, after);
		}
		assert_true(at > 2);	/* there was something to fail */
		free(after);
	}
	free(before);
}

static void one_call_fails(void **state)
{
	run_all(FAULT_ONCE);
}

static void every_call_fails_from_then_on(void **state)
{
	run_all(FAULT_FROM_THEN_ON);
}

static void the_process_dies(void **state)
{
	run_all(FAULT_DEATH);
}

/* Writes to one descriptor fail. */
static int refuse_writes(void *fd, const struct file_io_event *event)
{
	return event->call == FILE_IO_WRITE && event->fd == *(int *)fd ? ENOSPC : 0;
}

/* The ledger follows a new root key before another one comes, or none comes. */
static void the_ledger_is_never_left_two_root_keys_behind(void **state)
{
	char path[FIXTURE_PATH], *now, *before;
	struct keymgr *k;
	int fd;

	fresh_copy(path);
	before = observe(path);
	assert_ok(keymgr_open(path, &quiet, 1, &k));
	assert_ok(keymgr_list_buckets(k, pass_over, NULL));
	fd = k->ledger_fd;
	file_io_set_hook(refuse_writes, &fd);
	assert_ok(keymgr_rotate_root(k));
	assert_err(keymgr_rotate_root(k), ERR_ERRNO + ENOSPC);
	assert_err(keymgr_update_description(k, key_b, "no"), ERR_ERRNO + ENOSPC);
	file_io_set_hook(NULL, NULL);
	now = observe(path);
	assert_string_equal(now, before);
	free(now);
	assert_ok(keymgr_rotate_root(k));
	assert_ok(keymgr_rotate_root(k));
	keymgr_close(k);
	now = observe(path);
	assert_string_equal(now, before);
	free(now);
	free(before);
	discard(path);
}

/* Making a keystore: it is there or it is not, and can be made again. */
static void making_one_fails(void **state)
{
	struct keymgr_create_options options = { .kind = PROTECTOR_KEYFILE };
	char path[FIXTURE_PATH];
	struct keymgr *k;
	int reached = 1;

	for (int at = 1; reached; at++) {
		enum err e;

		snprintf(path, sizeof(path), "%.200s/new%d/keystore", template->dir, at);
		injected.fault = FAULT_ONCE;
		injected.at = at;
		injected.seen = 0;
		file_io_set_hook(inject, NULL);
		e = keymgr_create(path, &options);
		file_io_set_hook(NULL, NULL);
		reached = injected.seen >= at;
		if (e != ERR_OK && access(path, F_OK) != 0)
			e = keymgr_create(path, &options);
		if (e == ERR_OK) {
			assert_ok(keymgr_open(path, &quiet, 0, &k));
			assert_ok(keymgr_create_key(k, NULL, NULL));
			keymgr_close(k);
		}
	}
}

static int note_first(void *context, const struct material *m)
{
	if (m->first)
		memcpy(first_material, m->id, sizeof(first_material));
	return 0;
}

static int make_template(void **state)
{
	struct deletion_options o = { .window_days = 7, .ignore_external = 1 };
	void *fixture = NULL;
	char code[RECOVERY_CODE_LEN + 1];
	uint8_t id[UUID_LEN];

	log_open("test", "/dev/null", LOG_LEVEL_ERROR);
	fixture_setup(&fixture);
	template = fixture;
	fixture_key(template);
	memcpy(key_due, template->key, sizeof(key_due));
	assert_ok(keymgr_schedule_deletion(template->k, key_due, &o, NULL));
	fixture_clock(template, DAYS(8));
	fixture_key(template);
	memcpy(key_b, template->key, sizeof(key_b));
	fixture_key(template);
	memcpy(key_a, template->key, sizeof(key_a));
	memcpy(key_a_id, template->key_id, sizeof(key_a_id));
	assert_ok(keymgr_create_alias(template->k, "alias/a", key_a));
	assert_ok(keymgr_rotate_on_demand(template->k, key_a));
	assert_ok(keymgr_list_materials(template->k, key_a, note_first, NULL));
	assert_ok(keymgr_add_recovery(template->k, code, id));
	fixture_bucket(template, 1, 0, &bucket);
	assert_ok(uuid_parse(key_due, template->key_id));
	assert_ok(fixture_scan(template, &bucket, 0, 0, 0));
	keymgr_close(template->k);
	template->k = NULL;
	load_parts();
	return 0;
}

static int drop_template(void **state)
{
	void *fixture = template;

	return fixture_teardown(&fixture);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(one_call_fails),
	cmocka_unit_test(every_call_fails_from_then_on),
	cmocka_unit_test(the_process_dies),
	cmocka_unit_test(the_ledger_is_never_left_two_root_keys_behind),
	cmocka_unit_test(making_one_fails),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_template, drop_template);
}
