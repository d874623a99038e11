/*
 * What the verbs of `rekeyfs` share.  A verb is a file with `int verb_NAME(int argc, char **argv)`, its declaration here and its row in
 * rekeyfs.c; it returns the exit code.
 */
#ifndef REKEYFS_FS_CLI_CLI_H
#define REKEYFS_FS_CLI_CLI_H

#include "base/command_line.h"
#include "base/error.h"
#include "keymgr/keymgr.h"

#define PROGRAM "rekeyfs"

/* --- which keystore, and how it is opened ------------------------------------------ */

/* Filled by the options below, wherever they stand on the command line. */
struct key_options { const char *keystore, *keyfile, *passfile, *extpass; int no_prompt; };
extern struct key_options key_options;

/* Rows for a verb that opens the keystore. */
#define KEY_OPTION_ROWS											\
	{ "keystore", 0, "PATH", "the keystore, instead of $REKEYFS_KEYSTORE or the default one", &key_options.keystore, NULL, NULL },	\
	{ "keyfile", 0, "FILE", "open it with this keyfile", &key_options.keyfile, NULL, NULL },	\
	{ "passfile", 0, "FILE", "the passphrase is the first line of FILE", &key_options.passfile, NULL, NULL },	\
	{ "extpass", 0, "COMMAND", "the passphrase is what COMMAND prints", &key_options.extpass, NULL, NULL },	\
	{ "no-prompt", 0, NULL, "fail rather than ask on the terminal", NULL, &key_options.no_prompt, NULL }

/* --keystore, $REKEYFS_KEYSTORE, the configuration, the default: absolute, malloc'd. */
enum err cli_keystore_path(char **out);
/* The same for the protector's secret; the strings live as long as the process. */
enum err cli_unlock(struct unlock *out);
/* Opens it, and does what is due.  ERR_NOT_FOUND says how one is made. */
enum err cli_open_keystore(struct keymgr **out);
/* The keystore if it opens without a question, for aliases and states that are nice to know; NULL if not.  Does nothing that is due. */
struct keymgr *cli_quiet_keystore(void);

/* An absolute path for one that need not exist; malloc'd. */
enum err cli_absolute(const char *path, char **out);

/* --- verbs ---------------------------------------------------------------------------- */

int verb_init(int argc, char **argv);
int verb_mount(int argc, char **argv);
int verb_umount(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_register(int argc, char **argv);
int verb_info(int argc, char **argv);
int verb_policy(int argc, char **argv);
int verb_inventory(int argc, char **argv);
int verb_migrate(int argc, char **argv);
int verb_prove_unused(int argc, char **argv);
int verb_verify_proof(int argc, char **argv);

#endif
