/* What base/secret.h promises of keys in memory, as the kernel reports it, and that no copy of a
 * key is left behind by the ciphers. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/aead.h"
#include "base/random.h"
#include "base/secret.h"

#define LARGE 5000

/* The flags of the mapping around `at`, from smaps: " rd wr lo dd wf ". */
static void mapping_flags(const void *at, char out[static 128])
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	char line[512];
	int inside = 0;

	*out = 0;
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (unsigned long)at >= start && (unsigned long)at < end;
		else if (inside && sscanf(line, "VmFlags:%127[^\n]", out) == 1)
			break;
	}
	fclose(maps);
}

static void check_locked(size_t len)
{
	struct secret *s;
	char flags[128];

	assert_ok(secret_new(len, &s));
	assert_int_equal(s->len, len);
	mapping_flags(s->bytes, flags);
	assert_non_null(strstr(flags, " lo "));	/* locked */
	assert_non_null(strstr(flags, " dd "));	/* not dumped */
	assert_non_null(strstr(flags, " wf "));	/* wiped in a child */
	secret_free(s);
}

/* The address sanitizer makes mlock do nothing, and keeps copies of its own. */
static void skip_under_sanitizer(void)
{
#ifdef __SANITIZE_ADDRESS__
	print_message("# the sanitizer locks no memory and cannot be searched\n");
	skip();
#endif
}

static void secrets_are_locked_and_not_dumped(void **state)
{
	skip_under_sanitizer();
	check_locked(32);
	check_locked(64);
	check_locked(65);
	check_locked(LARGE);
}

static void the_process_is_not_dumpable(void **state)
{
	struct rlimit core;

	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
	assert_int_equal(core.rlim_max, 0);
}

static void new_secrets_are_zero_and_lengths_checked(void **state)
{
	uint8_t zeros[LARGE] = { 0 };
	struct secret *s;

	for (size_t len = 1; len <= LARGE; len += len < 70 ? 1 : 977) {
		assert_ok(secret_new(len, &s));
		assert_memory_equal(s->bytes, zeros, len);
		memset(s->bytes, 0xff, len);
		secret_free(s);
	}
	assert_err(secret_new(0, &s), ERR_INVALID);
	assert_null(s);
	assert_err(secret_new(1024 * 1024 + 1, &s), ERR_INVALID);
	assert_ok(secret_new(1024 * 1024, &s));
	secret_free(s);
	secret_free(NULL);
}

static void a_freed_secret_is_wiped(void **state)
{
	uint8_t zeros[64] = { 0 }, *bytes;
	struct secret *s, *again;

	assert_ok(secret_copy("sixty-four bytes of a key, the most that a place of a slab holds", 64, &s));
	bytes = s->bytes;
	secret_free(s);
	assert_memory_equal(bytes, zeros, 64);
	assert_ok(secret_new(64, &again));
	assert_ptr_equal(again->bytes, bytes);
	secret_free(again);
}

static void many_secrets_do_not_overlap(void **state)
{
	enum { COUNT = 5000 };
	static struct secret *held[COUNT];
	uint32_t value;

	for (uint32_t i = 0; i < COUNT; i++)
		assert_ok(secret_copy(&i, sizeof(i), &held[i]));
	for (uint32_t i = 0; i < COUNT; i++) {
		memcpy(&value, held[i]->bytes, sizeof(value));
		assert_int_equal(value, i);
		secret_free(held[i]);
	}
}

/* The child's own word, as its exit code. */
static int in_child(int (*look)(void *), void *context)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		_exit(look(context));
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int child_sees_zeros(void *context)
{
	static const uint8_t zeros[LARGE];
	struct secret *s = context;
	int same = memcmp(s->bytes, zeros, s->len) == 0;

	secret_free(s);		/* must not upset the child */
	return same ? 7 : 8;
}

static void a_child_inherits_no_secret(void **state)
{
	struct secret *small, *large;

	assert_ok(secret_new(32, &small));
	assert_ok(secret_new(LARGE, &large));
	memset(small->bytes, 0x5a, small->len);
	memset(large->bytes, 0x5a, large->len);
	assert_int_equal(in_child(child_sees_zeros, small), 7);
	assert_int_equal(in_child(child_sees_zeros, large), 7);
	assert_int_equal(small->bytes[31], 0x5a);
	assert_int_equal(large->bytes[LARGE - 1], 0x5a);
	secret_free(small);
	secret_free(large);
}

static int without_locked_memory(void *context)
{
	static const struct rlimit none;
	struct secret *s;

	if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (getuid() == 0 && setuid(65534) != 0))
		return 1;
	return secret_new(LARGE, &s) == ERR_NO_MEMORY && s == NULL &&
	       strstr(err_message(ERR_NO_MEMORY), "locked memory") ? 7 : 8;
}

static void memory_that_cannot_be_locked_is_refused(void **state)
{
	skip_under_sanitizer();
	assert_int_equal(in_child(without_locked_memory, NULL), 7);
}

static void comparing_and_wiping(void **state)
{
	uint8_t a[32] = { 1 }, b[32] = { 1 }, zeros[32] = { 0 };

	assert_true(secret_equal(a, b, 32));
	b[31] = 1;
	assert_false(secret_equal(a, b, 32));
	assert_true(secret_equal(a, b, 0));
	secret_wipe(a, 32);
	assert_memory_equal(a, zeros, 32);
}

/* How often the 32 bytes, kept here only as their complement, stand in this process's memory. */
static int count_in_memory(const uint8_t complement[static 32])
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[512], mode[5];
	int found = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s", &start, &end, mode) != 3 || mode[0] != 'r' || mode[1] != 'w')
			continue;
		for (const uint8_t *at = (uint8_t *)start; at + 32 <= (uint8_t *)end; at++) {
			size_t same = 0;

			while (same < 32 && (at[same] ^ complement[same]) == 0xff)
				same++;
			found += same == 32;
		}
	}
	fclose(maps);
	return found;
}

static void no_key_is_left_in_memory(void **state)
{
	static const enum aead_suite suites[] = { AEAD_AES_256_GCM, AEAD_XCHACHA20_POLY1305 };
	uint8_t complement[32], nonce[AEAD_NONCE_LEN] = { 0 }, tag[AEAD_TAG_LEN], block[4096] = { 0 };
	struct secret *key;
	struct aead *a;

	skip_under_sanitizer();
	if (getenv("VALGRIND") && *getenv("VALGRIND") == '1') {
		print_message("# valgrind's own memory cannot be searched\n");
		skip();
	}
	for (size_t i = 0; i < 2; i++) {
		if (!aead_available(suites[i]))
			continue;
		random_bytes(complement, sizeof(complement));
		assert_ok(secret_new(32, &key));
		for (int b = 0; b < 32; b++)
			key->bytes[b] = (uint8_t)~complement[b];
		assert_ok(aead_get(suites[i], key->bytes, &a));
		aead_seal(a, nonce, 0, NULL, 0, block, sizeof(block), block, tag);
		assert_true(count_in_memory(complement) >= 2);	/* the search does find it */
		aead_put(a);
		assert_int_equal(count_in_memory(complement), 1);
		secret_free(key);
		assert_int_equal(count_in_memory(complement), 0);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(secrets_are_locked_and_not_dumped),
	cmocka_unit_test(the_process_is_not_dumpable),
	cmocka_unit_test(new_secrets_are_zero_and_lengths_checked),
	cmocka_unit_test(a_freed_secret_is_wiped),
	cmocka_unit_test(many_secrets_do_not_overlap),
	cmocka_unit_test(a_child_inherits_no_secret),
	cmocka_unit_test(memory_that_cannot_be_locked_is_refused),
	cmocka_unit_test(comparing_and_wiping),
	cmocka_unit_test(no_key_is_left_in_memory),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (secret_start() != ERR_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
