#include "fs/cli/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/config.h"

#define SYSTEM_FILE "/etc/rekeyfs/rekeyfs.ini"

static struct settings settings;

static const struct row { const char *section, *key; char **to; } rows[] = {
	{ "keys", "keystore", &settings.keystore },
	{ "keys", "keyfile", &settings.keyfile },
	{ "keys", "passfile", &settings.passfile },
	{ "keys", "extpass", &settings.extpass },
	{ "bucket", "suite", &settings.suite },
	{ "mount", "options", &settings.options },
	{ "mount", "idle", &settings.idle },
	{ "mount", "rollback", &settings.rollback },
	{ "mount", "log", &settings.log },
	{ "mount", "log-level", &settings.log_level },
	{ "walker", "bwlimit", &settings.bwlimit },
	{ "walker", "hours", &settings.hours },
};

static int is_own(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_uid == geteuid() || st.st_uid == 0) && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* `context`: the file's path. */
static enum err take(void *context, const char *section, const char *key, const char *value)
{
	int known = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		if (strcmp(section, row->section) != 0)
			continue;
		known = 1;
		if (strcmp(key, row->key) != 0)
			continue;
		if (row->to == &settings.extpass && *value && !is_own(context))
			return err_set(ERR_REFUSED, "extpass: the file must be yours or root's, and writable by nobody else");
		free(*row->to);
		*row->to = *value ? strdup(value) : NULL;
		return *value && !*row->to ? ERR_NO_MEMORY : ERR_OK;
	}
	return known ? err_set(ERR_USAGE, "unknown key \"%s\" in [%s]", key, section) : err_set(ERR_USAGE, "unknown section [%s]", section);
}

static enum err load(const char *path)
{
	enum err e = config_read_file(path, take, (void *)path);

	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err load_all(void)
{
	const char *directory = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char path[4096] = "";
	enum err e = load(SYSTEM_FILE);

	if (directory && *directory)
		snprintf(path, sizeof(path), "%s/rekeyfs/rekeyfs.ini", directory);
	else if (home && *home)
		snprintf(path, sizeof(path), "%s/.config/rekeyfs/rekeyfs.ini", home);
	return e == ERR_OK && *path ? load(path) : e;
}

enum err settings_get(const struct settings **out)
{
	static int loaded;
	enum err e = loaded ? ERR_OK : load_all();

	loaded = e == ERR_OK;
	*out = &settings;
	return e;
}
