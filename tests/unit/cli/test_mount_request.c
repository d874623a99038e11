/* What `rekeyfs mount -o …` means. */
#include <string.h>
#include <unistd.h>
#include "fs/cli/cli.h"
#include "fs/cli/mount_request.h"
#include "tests/lib/unit.h"

static struct mount_request r;

static int begin(void **state)
{
	memset(&r, 0, sizeof(r));
	memset(&key_options, 0, sizeof(key_options));
	return 0;
}

static int end(void **state)
{
	mount_request_release(&r);
	return 0;
}

static void flags(void **state)
{
	assert_ok(mount_request_options(&r, "ro,noatime,suid,dev,noexec"));
	assert_true(r.options.read_only && r.options.noatime && r.options.suid && r.options.dev && r.options.noexec);
	assert_ok(mount_request_options(&r, "rw,atime,nosuid,nodev,exec"));
	assert_false(r.options.read_only || r.options.noatime || r.options.suid || r.options.dev || r.options.noexec);
}

static void the_last_word_on_sharing_counts(void **state)
{
	mount_request_finish(&r);
	assert_int_equal(r.options.allow_other, geteuid() == 0);
	assert_ok(mount_request_options(&r, "allow_other"));
	mount_request_finish(&r);
	assert_true(r.options.allow_other);
	assert_ok(mount_request_options(&r, "noallow_other"));
	mount_request_finish(&r);
	assert_false(r.options.allow_other);
	assert_ok(mount_request_options(&r, "allow_other"));
	mount_request_finish(&r);
	assert_true(r.options.allow_other);
	assert_ok(mount_request_options(&r, "private"));
	mount_request_finish(&r);
	assert_false(r.options.allow_other);
}

static void values(void **state)
{
	assert_ok(mount_request_options(&r, "idle=10m,rollback=refuse,log-level=debug,threads=3,log=syslog"));
	assert_int_equal(r.options.idle_seconds, 600);
	assert_true(r.options.refuse_rollback);
	assert_int_equal(r.options.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(r.options.threads, 3);
	assert_string_equal(r.options.log, "syslog");
	assert_ok(mount_request_set(&r, "log", "relative"));
	assert_int_equal(r.options.log[0], '/');
	assert_ok(mount_request_set(&r, "rollback", "warn"));
	assert_false(r.options.refuse_rollback);
}

static void keys_of_the_command_line_win(void **state)
{
	key_options.keyfile = "/given";
	assert_ok(mount_request_options(&r, "keystore=/of/fstab,keyfile=/of/fstab"));
	assert_string_equal(key_options.keystore, "/of/fstab");
	assert_string_equal(key_options.keyfile, "/given");
	free((char *)key_options.keystore);
}

static void what_mount_alone_means_is_taken(void **state)
{
	struct mount_options before = r.options;

	assert_ok(mount_request_options(&r, "defaults,auto,user,nofail,_netdev,x-systemd.automount,comment=x,fsname=y,default_permissions"));
	assert_ok(mount_request_options(&r, ""));
	assert_ok(mount_request_options(&r, ",,"));
	assert_memory_equal(&before, &r.options, sizeof(before));
}

static void mistakes(void **state)
{
	static const char *const wrong[] = { "nonsense", "ro,nonsense", "ro=1", "idle", "idle=soon", "idle=-1", "threads=0", "threads=257",
					     "threads=x", "rollback=maybe", "log-level=loud", "nonempty", "=", "x=y" };
	char text[5000];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_err(mount_request_options(&r, wrong[i]), ERR_USAGE);
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	assert_err(mount_request_options(&r, text), ERR_USAGE);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(flags, begin, end),
	cmocka_unit_test_setup_teardown(the_last_word_on_sharing_counts, begin, end),
	cmocka_unit_test_setup_teardown(values, begin, end),
	cmocka_unit_test_setup_teardown(keys_of_the_command_line_win, begin, end),
	cmocka_unit_test_setup_teardown(what_mount_alone_means_is_taken, begin, end),
	cmocka_unit_test_setup_teardown(mistakes, begin, end),
};
UNIT_MAIN(tests)
