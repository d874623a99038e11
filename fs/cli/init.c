#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/aead.h"
#include "fs/bucket/bucket.h"
#include "fs/cli/cli.h"
#include "fs/cli/settings.h"

static const char *key, *suite_name, *protector;
static int recovery_code;

static const struct option_row options[] = {
	{ "key", 0, "KEY", "default key of the root directory: alias/NAME or a key id (alias/rekeyfs, made where absent)", &key, NULL, NULL },
	{ "suite", 0, "SUITE", "cipher of new files: AES-256-GCM or XChaCha20-Poly1305", &suite_name, NULL, NULL },
	{ "protector", 0, "KIND", "of a new keystore: keyfile (generated, the default) or passphrase", &protector, NULL, NULL },
	{ "recovery-code", 0, NULL, "add a recovery code to the keystore and print it", NULL, &recovery_code, NULL },
	KEY_OPTION_ROWS,
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};
static const struct verb verb = { "init", "BUCKET", "Makes an encrypted bucket in the empty or new directory BUCKET; where there is no keystore, "
				  "makes one too.", verb_init, 0 };

static enum err parse_suite(enum aead_suite *out)
{
	const struct settings *s;
	enum err e = settings_get(&s);
	const char *name = suite_name;

	if (e != ERR_OK)
		return e;
	if (!name)
		name = s->suite;
	*out = name ? aead_by_name(name) : aead_default();
	if (!*out)
		return err_set(ERR_USAGE, "--suite %s: no such cipher suite; there are AES-256-GCM and XChaCha20-Poly1305", name);
	if (!aead_available(*out))
		return err_set(ERR_UNSUPPORTED, "--suite %s: not on this machine, or not with its libraries", name);
	return ERR_OK;
}

static enum err new_keystore_options(struct keymgr_create_options *out)
{
	const char *kind = protector ? protector : key_options.passfile || key_options.extpass ? "passphrase" : "keyfile";
	enum err e;

	*out = (struct keymgr_create_options){ .kind = PROTECTOR_KEYFILE, .keyfile = key_options.keyfile };
	if (strcmp(kind, "keyfile") == 0)
		return ERR_OK;
	if (strcmp(kind, "passphrase") != 0)
		return err_set(ERR_USAGE, "--protector %s: there are keyfile and passphrase", kind);
	out->kind = PROTECTOR_PASSPHRASE;
	e = cli_unlock(&out->unlock);
	out->unlock.keyfile = NULL;
	return e;
}

static enum err make_keystore(const char *path)
{
	struct keymgr_create_options create;
	enum err e = new_keystore_options(&create);

	if (e == ERR_OK)
		e = keymgr_create(path, &create);
	if (e != ERR_OK)
		return e;
	printf("Made the keystore %s.\n", path);
	if (create.kind == PROTECTOR_KEYFILE) {
		printf("It opens with the keyfile %s%s (mode 0600): keep a copy of both elsewhere.\n"
		       "Without them nobody can read the bucket.\n", create.keyfile ? create.keyfile : path, create.keyfile ? "" : ".key");
		if (!recovery_code)
			printf("A recovery code to print and put away: `rekeyctl add-protector --protector recovery-code`.\n");
	} else {
		printf("It opens with your passphrase: without it nobody can read the bucket.\n");
	}
	return ERR_OK;
}

static enum err print_recovery_code(struct keymgr *k)
{
	char code[RECOVERY_CODE_LEN + 1];
	uint8_t id[UUID_LEN];
	enum err e = keymgr_add_recovery(k, code, id);

	if (e == ERR_OK)
		printf("Recovery code: %s\nIt opens the keystore wherever a passphrase is asked for: print it and put it away.\n", code);
	secret_wipe(code, sizeof(code));
	return e;
}

static enum err open_or_make_keystore(struct keymgr **out)
{
	struct stat st;
	char *path = NULL;
	enum err e = cli_keystore_path(&path);

	if (e != ERR_OK)
		return e;
	if (lstat(path, &st) != 0)
		e = make_keystore(path);
	else if (protector)
		e = err_set(ERR_USAGE, "--protector is for a new keystore, and %s is there already: leave it out, or see `rekeyctl add-protector`", path);
	if (e == ERR_OK)
		e = cli_open_keystore(out);
	if (e == ERR_OK && recovery_code)
		e = print_recovery_code(*out);
	free(path);
	return e;
}

/* Before a keystore is made for nothing. */
static enum err check_place(const char *bucket)
{
	struct bucket_description description;

	if (bucket_describe(bucket, &description) == ERR_OK)
		return err_set(ERR_EXISTS, "%s is a bucket already: mount it with `rekeyfs mount %s MOUNTPOINT`", bucket, bucket);
	return ERR_OK;
}

int verb_init(int argc, char **argv)
{
	enum aead_suite suite = 0;
	struct keymgr *k = NULL;
	char **operands;
	int count;
	enum err e = command_line_parse(PROGRAM, &verb, options, argc, argv, &operands, &count);

	if (e == ERR_OK && count != 1)
		e = err_set(ERR_USAGE, "init: one BUCKET, please (see rekeyfs init --help)");
	if (e == ERR_OK)
		e = parse_suite(&suite);
	if (e == ERR_OK)
		e = check_place(operands[0]);
	if (e == ERR_OK)
		e = open_or_make_keystore(&k);
	if (e == ERR_OK)
		e = bucket_init(operands[0], k, key, suite, keymgr_path(k));
	if (e == ERR_OK)
		printf("Made the bucket %s (%s).  Mount it with `rekeyfs mount %s MOUNTPOINT`.\n", operands[0], aead_name(suite), operands[0]);
	keymgr_close(k);
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}
