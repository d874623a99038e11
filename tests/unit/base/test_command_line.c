#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/command_line.h"

static struct {
	const char *key, *format;
	int foreground;
	char each[64];
} seen;

static enum err add(const char *argument)
{
	if (strcmp(argument, "bad") == 0)
		return err_set(ERR_USAGE, "%s is no option of a mount", argument);
	strcat(seen.each, argument);
	strcat(seen.each, ";");
	return ERR_OK;
}

static const struct option_row options[] = {
	{ "key", 'k', "KEY", "the default key", &seen.key },
	{ "foreground", 'f', NULL, "stay in the foreground", NULL, &seen.foreground },
	{ "options", 'o', "OPTIONS", "options of the mount", .each = add },
	{ "a-very-long-name-for-an-option", 0, "FORMAT", "text or json", &seen.format },
	{ NULL },
};

static int ran;

static int run_mount(int argc, char **argv)
{
	assert_string_equal(argv[0], "mount");
	ran = argc;
	return 42;
}

static int run_hidden(int argc, char **argv)
{
	return 43;
}

static const struct verb verbs[] = {
	{ "mount", "BUCKET MOUNTPOINT", "mount a bucket", run_mount },
	{ "serve", "", "what is not for people", run_hidden, .hidden = 1 },
	{ NULL },
};

/* Splits a line at blanks, as a NULL-ended argv. */
static int split(const char *line, char *copy, char **argv)
{
	int argc = 0;

	strcpy(copy, line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return argc;
}

static char words[512], *argv_of[32], **operands;
static int operand_count;

static enum err parse(const char *line)
{
	int argc = split(line, words, argv_of);

	memset(&seen, 0, sizeof(seen));
	return command_line_parse("rekeyfs", &verbs[0], options, argc, argv_of, &operands, &operand_count);
}

static void options_and_operands_mix(void **state)
{
	assert_ok(parse("mount bucket -f --key=alias/a point -o ro -oallow_other --options x -k last"));
	assert_string_equal(seen.key, "last");
	assert_int_equal(seen.foreground, 1);
	assert_string_equal(seen.each, "ro;allow_other;x;");
	assert_int_equal(operand_count, 2);
	assert_string_equal(operands[0], "bucket");
	assert_string_equal(operands[1], "point");
	assert_null(operands[2]);
}

static void nothing_is_seen_where_nothing_stands(void **state)
{
	assert_ok(parse("mount"));
	assert_null(seen.key);
	assert_int_equal(seen.foreground, 0);
	assert_int_equal(operand_count, 0);
	assert_null(operands[0]);
}

static void two_dashes_end_options(void **state)
{
	assert_ok(parse("mount -- -f --key"));
	assert_int_equal(seen.foreground, 0);
	assert_int_equal(operand_count, 2);
	assert_string_equal(operands[0], "-f");
}

static void wrong_options_are_named(void **state)
{
	static const struct { const char *line, *message; } wrong[] = {
		{ "mount --nothing", "--nothing: no such option (see rekeyfs mount --help)" },
		{ "mount -x", "-x: no such option (see rekeyfs mount --help)" },
		{ "mount a --key", "--key: the option needs an argument (see rekeyfs mount --help)" },
		{ "mount a -k", "-k: the option needs an argument (see rekeyfs mount --help)" },
		{ "mount --foreground=yes", "--foreground=yes: the option takes no argument (see rekeyfs mount --help)" },
		{ "mount -o bad", "bad is no option of a mount" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_err(parse(wrong[i].line), ERR_USAGE);
		assert_string_equal(err_message(ERR_USAGE), wrong[i].message);
	}
}

static enum err lead(const char *line, int *argc_out, char ***argv_out)
{
	*argc_out = split(line, words, argv_of);
	*argv_out = argv_of;
	memset(&seen, 0, sizeof(seen));
	return command_line_leading("rekeyctl", options, argc_out, argv_out);
}

static void options_before_the_verb(void **state)
{
	char **argv;
	int argc;

	assert_ok(lead("rekeyctl --key K -f list-keys --key other", &argc, &argv));
	assert_string_equal(seen.key, "K");
	assert_int_equal(seen.foreground, 1);
	assert_int_equal(argc, 4);
	assert_string_equal(argv[0], "rekeyctl");
	assert_string_equal(argv[1], "list-keys");
	assert_string_equal(argv[3], "other");
	assert_null(argv[4]);

	assert_ok(lead("rekeyctl list-keys", &argc, &argv));
	assert_int_equal(argc, 2);
	assert_ok(lead("rekeyctl", &argc, &argv));
	assert_int_equal(argc, 1);
	assert_ok(lead("rekeyctl --key K --help", &argc, &argv));
	assert_string_equal(argv[1], "--help");
	assert_ok(lead("rekeyctl --version", &argc, &argv));
	assert_string_equal(argv[1], "--version");
	assert_err(lead("rekeyctl --nothing list-keys", &argc, &argv), ERR_USAGE);
	assert_string_equal(err_message(ERR_USAGE), "--nothing: no such option (see rekeyctl --help)");
}

/* What `run` prints on `fd` in a child, and its exit code. */
static int print_of(const char *line, int fd, char *out, size_t room)
{
	char *argv[32];
	int argc = split(line, words, argv), ends[2], status;
	size_t len = 0;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int quiet = open("/dev/null", O_WRONLY);

		dup2(quiet, 1);
		dup2(quiet, 2);
		dup2(ends[1], fd);
		if (strcmp(argv[0], "mount") == 0)
			command_line_parse("rekeyfs", &verbs[0], options, argc, argv, &operands, &operand_count);
		status = command_line_run("rekeyfs", "An encrypted bucket.", verbs, argc, argv);
		fflush(NULL);
		_exit(status);
	}
	close(ends[1]);
	while ((got = read(ends[0], out + len, room - 1 - len)) > 0)
		len += (size_t)got;
	out[len] = 0;
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void help_comes_from_the_tables(void **state)
{
	char text[4096];

	assert_int_equal(print_of("mount --help", 1, text, sizeof(text)), 0);
	assert_string_equal(text,
		"Usage: rekeyfs mount [OPTION…] BUCKET MOUNTPOINT\n"
		"mount a bucket\n\n"
		"Options:\n"
		"  -k, --key KEY                 the default key\n"
		"  -f, --foreground              stay in the foreground\n"
		"  -o, --options OPTIONS         options of the mount\n"
		"      --a-very-long-name-for-an-option FORMAT\n"
		"                                text or json\n"
		"      --help                    print this and end\n");
	assert_int_equal(print_of("rekeyfs --help", 1, text, sizeof(text)), 0);
	assert_string_equal(text,
		"Usage: rekeyfs VERB [OPTION…] [ARGUMENT…]\n"
		"An encrypted bucket.\n\n"
		"Verbs:\n"
		"  mount                         mount a bucket\n\n"
		"`rekeyfs VERB --help` lists a verb's options.\n");
	assert_int_equal(print_of("rekeyfs --version", 1, text, sizeof(text)), 0);
	assert_int_equal(strncmp(text, "rekeyfs ", 8), 0);
}

static void a_wrong_verb_lists_the_verbs(void **state)
{
	char text[4096];

	assert_int_equal(print_of("rekeyfs moutn a b", 2, text, sizeof(text)), 2);
	assert_non_null(strstr(text, "rekeyfs: no verb \"moutn\"\n"));
	assert_non_null(strstr(text, "mount a bucket"));
	assert_int_equal(print_of("rekeyfs", 2, text, sizeof(text)), 2);
	assert_non_null(strstr(text, "Usage: rekeyfs VERB"));
}

static void a_verb_runs_with_its_own_arguments(void **state)
{
	char line[] = "rekeyfs mount a b", *argv[8];
	int argc = split(line, words, argv);

	assert_int_equal(command_line_run("rekeyfs", "", verbs, argc, argv), 42);
	assert_int_equal(ran, 3);
	argv[1] = "serve";
	assert_int_equal(command_line_run("rekeyfs", "", verbs, argc, argv), 43);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(options_and_operands_mix),
	cmocka_unit_test(nothing_is_seen_where_nothing_stands),
	cmocka_unit_test(two_dashes_end_options),
	cmocka_unit_test(wrong_options_are_named),
	cmocka_unit_test(options_before_the_verb),
	cmocka_unit_test(help_comes_from_the_tables),
	cmocka_unit_test(a_wrong_verb_lists_the_verbs),
	cmocka_unit_test(a_verb_runs_with_its_own_arguments),
};

UNIT_MAIN(tests)
