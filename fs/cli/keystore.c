#include "fs/cli/cli.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fs/cli/settings.h"

struct key_options key_options;

enum err cli_absolute(const char *path, char **out)
{
	char directory[PATH_MAX];

	*out = NULL;
	if (path[0] == '/') {
		*out = strdup(path);
		return *out ? ERR_OK : ERR_NO_MEMORY;
	}
	if (!getcwd(directory, sizeof(directory)))
		return err_set_errno("cannot tell the current directory");
	return asprintf(out, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory, path) < 0 ? ERR_NO_MEMORY : ERR_OK;
}

enum err cli_keystore_path(char **out)
{
	const struct settings *s;
	const char *variable = getenv("REKEYFS_KEYSTORE");
	char *standard;
	enum err e = settings_get(&s);

	*out = NULL;
	if (e != ERR_OK)
		return e;
	if (key_options.keystore)
		return cli_absolute(key_options.keystore, out);
	if (!(variable && *variable) && s->keystore)
		return cli_absolute(s->keystore, out);
	standard = keymgr_default_path();
	if (!standard)
		return ERR_NO_MEMORY;
	e = cli_absolute(standard, out);
	free(standard);
	return e;
}

/* An option of one kind puts the configuration's of all kinds aside. */
enum err cli_unlock(struct unlock *out)
{
	const struct settings *s;
	enum err e = settings_get(&s);
	int given = key_options.keyfile || key_options.passfile || key_options.extpass;

	if (e != ERR_OK)
		return e;
	*out = (struct unlock){
		.keyfile = given ? key_options.keyfile : s->keyfile,
		.passfile = given ? key_options.passfile : s->passfile,
		.extpass = given ? key_options.extpass : s->extpass,
		.no_prompt = key_options.no_prompt,
	};
	return ERR_OK;
}

enum err cli_open_keystore(struct keymgr **out)
{
	struct unlock unlock;
	char *path = NULL;
	enum err e = cli_keystore_path(&path);

	*out = NULL;
	if (e == ERR_OK)
		e = cli_unlock(&unlock);
	if (e == ERR_OK) {
		e = keymgr_open(path, &unlock, 0, out);
		if (e == ERR_NOT_FOUND)
			e = err_set(e, "there is no keystore at %s: name yours with --keystore or $REKEYFS_KEYSTORE; "
				    "`rekeyfs init` makes one", path);
	}
	free(path);
	return e;
}

struct keymgr *cli_quiet_keystore(void)
{
	struct keymgr *k = NULL;
	struct unlock unlock;
	char *path = NULL;

	if (cli_keystore_path(&path) == ERR_OK && cli_unlock(&unlock) == ERR_OK) {
		unlock.no_prompt = 1;
		if (keymgr_open(path, &unlock, 1, &k) != ERR_OK)
			k = NULL;
	}
	free(path);
	return k;
}
