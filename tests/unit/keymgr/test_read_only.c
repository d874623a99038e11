/* A keystore that this process may read, not write: it decrypts, and nothing else. */
#include "tests/unit/keymgr/fixture.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/log.h"

#define NOBODY 65534

static const struct context_pair pairs[] = { { "bucket", "b" } };
static const struct context context = { pairs, 1 };

static void let_others_read(struct fixture *f)
{
	static const char *const suffixes[] = { "", ".state", ".lock", ".events", ".previous", ".key" };
	char file[FIXTURE_PATH];

	/* Those of the test run's own directories that stand above. */
	for (char *at = strstr(f->dir, "/rekeyfs-"); at; at = strstr(at + 1, "/rekeyfs-")) {
		char *end = strchrnul(at + 1, '/'), kept = *end;

		*end = 0;
		assert_int_equal(chmod(f->dir, 0755), 0);
		*end = kept;
	}
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		fixture_file(f, suffixes[i], file);
		chmod(file, 0644);
	}
}

/* As somebody who owns nothing here; the number of the expectation that failed. */
static int as_nobody(struct fixture *f, const struct blob *blob)
{
	static const struct unlock quiet = { .no_prompt = 1 };
	uint8_t out[CIPHERTEXT_MAX];
	struct key_metadata m;
	struct keymgr *k;
	struct secret *s;
	struct key_ref ref;
	struct blob b;
	size_t len;

	if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
		return 1;
	if (keymgr_open(f->path, &quiet, 0, &k) != ERR_OK)
		return 2;
	if (keymgr_decrypt_data_key(k, blob->bytes, blob->len, &context, &s, &ref) != ERR_OK)
		return 3;
	if (keymgr_describe_key(k, f->key, &m) != ERR_OK)
		return 4;
	if (keymgr_disable_key(k, f->key) != ERR_REFUSED || keymgr_create_key(k, NULL, NULL) != ERR_REFUSED)
		return 5;
	/* What was used for buckets before needs no first mark; what would have to be counted is refused. */
	if (keymgr_generate_data_key(k, f->key, &context, &s, &b, &ref) != ERR_OK)
		return 6;
	if (keymgr_encrypt(k, f->key, NULL, "x", 1, out, &len, &ref) != ERR_REFUSED)
		return 7;
	keymgr_close(k);
	return 0;
}

static void it_decrypts_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct secret *s;
	struct key_ref ref;
	struct blob blob;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	fixture_key(f);
	assert_ok(keymgr_generate_data_key(f->k, f->key, &context, &s, &blob, &ref));
	secret_free(s);
	let_others_read(f);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(as_nobody(f, &blob));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(fixture_state(f), KEY_ENABLED);
	assert_ok(keymgr_events(f->k, 1, NULL, NULL));
}

static int quiet_setup(void **state)
{
	log_open("test", "/dev/null", LOG_LEVEL_ERROR);
	return 0;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(it_decrypts_and_changes_nothing, fixture_setup, fixture_teardown),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, quiet_setup, NULL);
}
