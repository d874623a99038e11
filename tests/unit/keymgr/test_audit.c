/* The audit log: what it tells, how it is chained, and what happens where it cannot be written. */
#include "tests/unit/keymgr/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/json.h"
#include "base/log.h"
#include "keymgr/core/manager.h"

static const struct context_pair pairs[] = { { "bucket", "b" } };
static const struct context context = { pairs, 1 };

struct lines { char *text[64]; int count; };

static int keep(void *context_pointer, const char *line)
{
	struct lines *l = context_pointer;

	assert_true(l->count < 64);
	l->text[l->count++] = strdup(line);
	return 0;
}

static struct lines read_lines(struct fixture *f)
{
	struct lines l = { .count = 0 };

	assert_ok(keymgr_events(f->k, 1, keep, &l));
	return l;
}

static void release(struct lines *l)
{
	for (int i = 0; i < l->count; i++)
		free(l->text[i]);
}

static const char *member(const char *line, const char *name, json_t **object)
{
	const char *value = "";

	*object = json_loads(line, 0, NULL);
	assert_non_null(*object);
	json_get_string(*object, name, &value);
	return value;
}

static void expect(const char *line, const char *name, const char *value)
{
	json_t *object;

	assert_string_equal(member(line, name, &object), value);
	json_decref(object);
}

static void a_change_has_an_intent_and_an_outcome(void **state)
{
	struct fixture *f = *state;
	struct lines l;

	fixture_key(f);
	assert_ok(keymgr_disable_key(f->k, f->key));
	l = read_lines(f);
	assert_int_equal(l.count, 5);
	expect(l.text[0], "eventName", "CreateKeystore");
	expect(l.text[1], "eventName", "CreateKey");
	expect(l.text[3], "eventName", "DisableKey");
	expect(l.text[3], "phase", "intent");
	expect(l.text[4], "phase", "outcome");
	expect(l.text[4], "errorCode", "");
	assert_non_null(strstr(l.text[4], f->key));
	release(&l);
}

static void a_refusal_carries_the_error_of_kms(void **state)
{
	struct fixture *f = *state;
	struct lines l;

	fixture_key(f);
	assert_err(keymgr_cancel_deletion(f->k, f->key), ERR_KEY_STATE);
	assert_ok(keymgr_disable_key(f->k, f->key));
	l = read_lines(f);
	assert_int_equal(l.count, 6);
	expect(l.text[3], "eventName", "CancelKeyDeletion");
	expect(l.text[3], "errorCode", "KMSInvalidStateException");
	release(&l);
}

static void uses_are_told_with_their_context(void **state)
{
	struct fixture *f = *state;
	struct key_ref ref;
	struct secret *s;
	struct blob b;
	struct lines l;

	fixture_key(f);
	assert_ok(keymgr_generate_data_key(f->k, f->key, &context, &s, &b, &ref));
	secret_free(s);
	assert_err(keymgr_decrypt_data_key(f->k, b.bytes, b.len, NULL, &s, &ref), ERR_CIPHERTEXT);
	l = read_lines(f);
	expect(l.text[3], "eventName", "GenerateDataKey");
	assert_non_null(strstr(l.text[3], "\"encryptionContext\":{\"bucket\":\"b\"}"));
	assert_non_null(strstr(l.text[3], "\"keyMaterialId\":\""));
	expect(l.text[4], "eventName", "Decrypt");
	expect(l.text[4], "errorCode", "InvalidCiphertextException");
	release(&l);
}

/* Every byte of the file, changed, is found; but for what tells no line from another. */
static void every_byte_counts(void **state)
{
	struct fixture *f = *state;
	char file[FIXTURE_PATH];
	uint8_t *bytes;
	size_t len;
	int fd;

	fixture_key(f);
	fixture_file(f, ".events", file);
	bytes = fixture_load(file, &len);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t i = 0; i < len; i++) {
		uint8_t changed = bytes[i] ^ 1;

		assert_int_equal(pwrite(fd, &changed, 1, (off_t)i), 1);
		if (keymgr_events(f->k, 1, NULL, NULL) != ERR_NOT_AUTHENTIC)
			fail_msg("byte %zu of %zu may be changed", i, len);
		assert_int_equal(pwrite(fd, &bytes[i], 1, (off_t)i), 1);
	}
	assert_ok(keymgr_events(f->k, 1, NULL, NULL));
	close(fd);
	free(bytes);
}

/* The file without line `without`, with `twice` doubled, or cut before `end`; -1: none of these. */
static void rewrite(const char *file, const uint8_t *bytes, size_t len, int without, int twice, int end)
{
	const char *at = (const char *)bytes, *stop = at + len;
	FILE *to = fopen(file, "w");

	assert_non_null(to);
	for (int i = 0; at < stop && i != end; i++) {
		const char *next = memchr(at, '\n', (size_t)(stop - at)) + 1;

		if (i != without)
			fwrite(at, 1, (size_t)(next - at), to);
		if (i == twice)
			fwrite(at, 1, (size_t)(next - at), to);
		at = next;
	}
	fclose(to);
}

static void a_line_cannot_be_removed_doubled_or_cut_off(void **state)
{
	struct fixture *f = *state;
	char file[FIXTURE_PATH];
	uint8_t *bytes;
	size_t len;

	fixture_key(f);
	assert_ok(keymgr_disable_key(f->k, f->key));
	fixture_file(f, ".events", file);
	bytes = fixture_load(file, &len);
	for (int i = 0; i < 5; i++) {
		rewrite(file, bytes, len, i, -1, -1);
		assert_err(keymgr_events(f->k, 1, NULL, NULL), ERR_NOT_AUTHENTIC);
		rewrite(file, bytes, len, -1, i, -1);
		assert_err(keymgr_events(f->k, 1, NULL, NULL), ERR_NOT_AUTHENTIC);
		rewrite(file, bytes, len, -1, -1, i);
		assert_err(keymgr_events(f->k, 1, NULL, NULL), ERR_NOT_AUTHENTIC);
	}
	rewrite(file, bytes, len, -1, -1, -1);
	assert_ok(keymgr_events(f->k, 1, NULL, NULL));
	free(bytes);
}

static void a_torn_line_is_cut_off_by_the_next(void **state)
{
	struct fixture *f = *state;
	char file[FIXTURE_PATH];
	uint8_t *bytes;
	size_t len;
	FILE *to;

	fixture_key(f);
	fixture_file(f, ".events", file);
	to = fopen(file, "a");
	/* Longer than the line that comes. */
	fputs("{\"eventVersion\":\"1.0\",\"sequ", to);
	for (int i = 0; i < 5000; i++)
		fputc('x', to);
	fclose(to);
	assert_ok(keymgr_events(f->k, 1, NULL, NULL));
	assert_ok(keymgr_disable_key(f->k, f->key));
	assert_ok(keymgr_events(f->k, 1, NULL, NULL));
	assert_int_equal(fixture_events(f, "DisableKey"), 2);
	bytes = fixture_load(file, &len);
	assert_int_equal(bytes[len - 1], '\n');
	free(bytes);
}

/* Somebody without the key adds a line: the log is broken there, and ours go on from what we know. */
static void a_foreign_line_is_found(void **state)
{
	struct fixture *f = *state;
	char file[FIXTURE_PATH];
	struct lines l;
	FILE *to;

	fixture_key(f);
	l = read_lines(f);
	fixture_file(f, ".events", file);
	to = fopen(file, "a");
	fprintf(to, "%s\n", l.text[2]);
	fclose(to);
	release(&l);
	assert_err(keymgr_events(f->k, 1, NULL, NULL), ERR_NOT_AUTHENTIC);
	assert_ok(keymgr_disable_key(f->k, f->key));
	assert_err(keymgr_events(f->k, 1, NULL, NULL), ERR_NOT_AUTHENTIC);
}

/* Writes to one file fail, as on a full disk. */
static int refuse_writes(void *fd, const struct file_io_event *event)
{
	return event->call == FILE_IO_WRITE && event->fd == *(int *)fd ? ENOSPC : 0;
}

static void without_the_log_changes_are_refused_and_decryption_goes_on(void **state)
{
	struct fixture *f = *state;
	struct deletion_options o = { .window_days = 7, .ignore_external = 1 };
	struct due_summary due;
	struct secret *s;
	struct key_ref ref;
	struct blob b;
	uint64_t before, after;
	int fd;

	fixture_key(f);
	assert_ok(keymgr_generate_data_key(f->k, f->key, &context, &s, &b, &ref));
	secret_free(s);
	assert_ok(keymgr_generation(f->k, &before));
	fd = f->k->audit.fd;
	file_io_set_hook(refuse_writes, &fd);
	assert_err(keymgr_disable_key(f->k, f->key), ERR_ERRNO + ENOSPC);
	assert_err(keymgr_create_key(f->k, "x", NULL), ERR_ERRNO + ENOSPC);
	assert_ok(keymgr_generation(f->k, &after));
	assert_int_equal(before, after);
	assert_int_equal(fixture_state(f), KEY_ENABLED);
	assert_ok(keymgr_decrypt_data_key(f->k, b.bytes, b.len, &context, &s, &ref));
	secret_free(s);
	file_io_set_hook(NULL, NULL);
	/* Destruction too. */
	assert_ok(keymgr_schedule_deletion(f->k, f->key, &o, NULL));
	fixture_clock(f, DAYS(8));
	file_io_set_hook(refuse_writes, &fd);
	assert_true(keymgr_run_due(f->k, &due) != ERR_OK);
	assert_int_equal(due.destroyed, 0);
	file_io_set_hook(NULL, NULL);
	assert_int_equal(fixture_state(f), KEY_PENDING_DELETION);
	assert_ok(keymgr_run_due(f->k, &due));
	assert_int_equal(due.destroyed, 1);
	assert_ok(keymgr_events(f->k, 1, NULL, NULL));
}

static void a_moved_clock_is_audited_once(void **state)
{
	struct fixture *f = *state;
	struct due_summary due;
	struct lines l;

	fixture_clock(f, 100);
	assert_ok(keymgr_run_due(f->k, &due));
	assert_ok(keymgr_run_due(f->k, &due));
	fixture_reopen(f, 0);
	l = read_lines(f);
	assert_int_equal(l.count, 2);
	expect(l.text[1], "eventName", "ClockOffsetChanged");
	assert_non_null(strstr(l.text[1], "\"from\":0,\"to\":100"));
	release(&l);
	fixture_clock(f, -100);
	fixture_key(f);
	assert_int_equal(fixture_events(f, "\"from\":100,\"to\":-100"), 1);
}

static void lines_from_outside(void **state)
{
	struct fixture *f = *state;

	assert_ok(keymgr_audit(f->k, "MigrateStarted", "{\"job\": \"7\"}", NULL));
	assert_ok(keymgr_audit(f->k, "MigrateEnded", NULL, "Cancelled"));
	assert_err(keymgr_audit(f->k, "Wrong", "[1]", NULL), ERR_INVALID);
	assert_err(keymgr_audit(f->k, "Wrong", "{", NULL), ERR_FORMAT);
	assert_int_equal(fixture_events(f, "\"job\":\"7\""), 1);
	assert_int_equal(fixture_events(f, "\"errorCode\":\"Cancelled\""), 1);
	assert_int_equal(fixture_events(f, "Wrong"), 0);
}

/* A log that holds a very long request keeps its line, without it. */
static void long_requests_are_left_out(void **state)
{
	struct fixture *f = *state;
	char *text = malloc(200000);

	assert_non_null(text);
	memset(text, 'x', 199999);
	memcpy(text, "{\"a\":\"", 6);
	strcpy(text + 199990, "\"}");
	assert_ok(keymgr_audit(f->k, "Long", text, NULL));
	assert_int_equal(fixture_events(f, "Long"), 1);
	assert_ok(keymgr_audit(f->k, "Next", NULL, NULL));
	assert_ok(keymgr_events(f->k, 1, NULL, NULL));
	free(text);
}

static int quiet_setup(void **state)
{
	log_open("test", "/dev/null", LOG_LEVEL_ERROR);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
static const struct CMUnitTest tests[] = {
	TEST(a_change_has_an_intent_and_an_outcome),
	TEST(a_refusal_carries_the_error_of_kms),
	TEST(uses_are_told_with_their_context),
	TEST(every_byte_counts),
	TEST(a_line_cannot_be_removed_doubled_or_cut_off),
	TEST(a_torn_line_is_cut_off_by_the_next),
	TEST(a_foreign_line_is_found),
	TEST(without_the_log_changes_are_refused_and_decryption_goes_on),
	TEST(a_moved_clock_is_audited_once),
	TEST(lines_from_outside),
	TEST(long_requests_are_left_out),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, quiet_setup, NULL);
}
