#include "keymgr/ctl/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/config.h"

#define SYSTEM_FILE "/etc/rekeyfs/rekeyfs.ini"

struct reading {
	struct settings *settings;
	const char *path;
};

static int is_own(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_uid == geteuid() || st.st_uid == 0) &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* The other sections are rekeyfs's to check. */
static enum err take(void *context, const char *section, const char *key, const char *value)
{
	struct reading *r = context;
	struct settings *s = r->settings;
	const struct { const char *key; char **to; } rows[] = {
		{ "keystore", &s->keystore }, { "keyfile", &s->keyfile },
		{ "passfile", &s->passfile }, { "extpass", &s->extpass },
	};

	if (strcmp(section, "keys") != 0)
		return ERR_OK;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(key, rows[i].key) != 0)
			continue;
		if (rows[i].to == &s->extpass && *value && !is_own(r->path))
			return err_set(ERR_REFUSED, "extpass: the file is not yours or root's alone to write");
		free(*rows[i].to);
		*rows[i].to = *value ? strdup(value) : NULL;
		return *value && !*rows[i].to ? ERR_NO_MEMORY : ERR_OK;
	}
	return err_set(ERR_USAGE, "unknown key \"%s\" in [keys]", key);
}

static enum err load_file(const char *path, struct settings *s)
{
	struct reading r = { s, path };
	enum err e = config_read_file(path, take, &r);

	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err settings_load(struct settings *out)
{
	const char *directory = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char path[4096] = "";
	enum err e;

	*out = (struct settings){ 0 };
	if (directory && *directory)
		snprintf(path, sizeof(path), "%s/rekeyfs/rekeyfs.ini", directory);
	else if (home && *home)
		snprintf(path, sizeof(path), "%s/.config/rekeyfs/rekeyfs.ini", home);
	e = load_file(SYSTEM_FILE, out);
	if (e == ERR_OK && *path)
		e = load_file(path, out);
	if (e != ERR_OK)
		settings_release(out);
	return e;
}

void settings_release(struct settings *s)
{
	free(s->keystore);
	free(s->keyfile);
	free(s->passfile);
	free(s->extpass);
	*s = (struct settings){ 0 };
}
