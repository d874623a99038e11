#include <string.h>
#include <sys/stat.h>
#include "base/secret.h"
#include "fs/cli/cli.h"

#define ABOUT "An encrypted directory whose keys can be rotated, replaced and deleted like those of AWS KMS."

static const struct verb verbs[] = {
	{ "init", "BUCKET", "make a bucket, and a keystore where there is none", verb_init, 0 },
	{ "mount", "BUCKET MOUNTPOINT", "mount a bucket", verb_mount, 0 },
	{ "umount", "MOUNTPOINT", "unmount, and wait until everything is written", verb_umount, 0 },
	{ "status", "[PATH]", "what is mounted, what runs, which keys are about to go", verb_status, 0 },
	{ "register", "BUCKET", "make a moved or copied bucket known to the keystore", verb_register, 0 },
	{ "info", "PATH…", "show which key a file is under, or a directory's policy", verb_info, 0 },
	{ "policy", "get|set|unset DIR", "the key of what is newly written below a directory", verb_policy, 0 },
	{ "inventory", "PATH", "count files and bytes by key", verb_inventory, 0 },
	{ "migrate", "start|list|status|pause|resume|cancel|run …", "bring files under other keys", verb_migrate, 0 },
	{ "prove-unused", "KEY[:MATERIAL]", "prove that no registered bucket needs a key", verb_prove_unused, 0 },
	{ "verify-proof", "FILE", "check such a proof", verb_verify_proof, 0 },
	{ NULL, NULL, NULL, NULL, 0 }
};

static const struct option_row leading[] = {
	KEY_OPTION_ROWS,
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};

static int is_verb(const char *word)
{
	for (const struct verb *verb = verbs; verb->name; verb++)
		if (strcmp(verb->name, word) == 0)
			return 1;
	return 0;
}

/* `rekeyfs BUCKET MOUNTPOINT -o …`: the form in which mount(8) calls a filesystem's program. */
static int is_mount_form(int argc, char **argv)
{
	struct stat st;

	if (argc < 3 || argv[1][0] == '-' || is_verb(argv[1]))
		return 0;
	return strchr(argv[1], '/') || (stat(argv[1], &st) == 0 && S_ISDIR(st.st_mode));
}

int main(int argc, char **argv)
{
	enum err e = secret_start();

	if (e == ERR_OK)
		e = command_line_leading(PROGRAM, leading, &argc, &argv);
	if (e != ERR_OK)
		return command_line_fail(PROGRAM, e);
	if (is_mount_form(argc, argv)) {
		argv[0] = "mount";
		return verb_mount(argc, argv);
	}
	return command_line_run(PROGRAM, ABOUT, verbs, argc, argv);
}
