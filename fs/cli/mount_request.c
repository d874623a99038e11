#include "fs/cli/mount_request.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/config.h"
#include "fs/cli/cli.h"
#include "fs/cli/settings.h"

#define OPTIONS_MAX_LEN 4096

typedef enum err (*setter)(struct mount_request *r, const char *value);

static enum err set_idle(struct mount_request *r, const char *value)
{
	return config_duration(value, &r->options.idle_seconds);
}

static enum err set_rollback(struct mount_request *r, const char *value)
{
	if (strcmp(value, "warn") != 0 && strcmp(value, "refuse") != 0)
		return err_set(ERR_USAGE, "\"%s\" is neither warn nor refuse", value);
	r->options.refuse_rollback = strcmp(value, "refuse") == 0;
	return ERR_OK;
}

static enum err set_log(struct mount_request *r, const char *value)
{
	enum err e = ERR_OK;

	free(r->log_path);
	r->log_path = NULL;
	if (strcmp(value, "syslog") == 0) {
		r->options.log = "syslog";
		return e;
	}
	e = cli_absolute(value, &r->log_path);
	r->options.log = r->log_path;
	return e;
}

static enum err set_log_level(struct mount_request *r, const char *value)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };

	for (int i = 0; i < 4; i++)
		if (strcmp(value, names[i]) == 0) {
			r->options.log_level = (enum log_level)i;
			return ERR_OK;
		}
	return err_set(ERR_USAGE, "\"%s\" is none of error, warning, info, debug", value);
}

static enum err set_threads(struct mount_request *r, const char *value)
{
	char *end;
	unsigned long count = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || count < 1 || count > 256)
		return err_set(ERR_USAGE, "\"%s\" is not a number from 1 to 256", value);
	r->options.threads = (unsigned)count;
	return ERR_OK;
}

static enum err set_bwlimit(struct mount_request *r, const char *value)
{
	unsigned long long rate;
	enum err e = config_size(value, &rate);

	r->options.walker.bandwidth = e == ERR_OK ? rate : 0;
	return e;
}

static enum err set_hours(struct mount_request *r, const char *value)
{
	return walker_parse_hours(value, &r->options.walker);
}

/* Key options of fstab, where there is no other place; those of the command line win. */
static enum err keep_first(const char **to, const char *value)
{
	if (!*to)
		*to = strdup(value);
	return *to ? ERR_OK : ERR_NO_MEMORY;
}

static enum err set_keystore(struct mount_request *r, const char *value)
{
	return keep_first(&key_options.keystore, value);
}

static enum err set_keyfile(struct mount_request *r, const char *value)
{
	return keep_first(&key_options.keyfile, value);
}

static enum err set_passfile(struct mount_request *r, const char *value)
{
	return keep_first(&key_options.passfile, value);
}

static enum err set_extpass(struct mount_request *r, const char *value)
{
	return keep_first(&key_options.extpass, value);
}

static const struct { const char *name; setter set; } values[] = {
	{ "idle", set_idle }, { "rollback", set_rollback }, { "log", set_log }, { "log-level", set_log_level },
	{ "bwlimit", set_bwlimit }, { "hours", set_hours }, { "threads", set_threads }, { "keystore", set_keystore }, { "keyfile", set_keyfile },
	{ "passfile", set_passfile }, { "extpass", set_extpass },
};

enum err mount_request_set(struct mount_request *r, const char *name, const char *value)
{
	enum err e;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (strcmp(values[i].name, name) != 0)
			continue;
		e = values[i].set(r, value);
		return e == ERR_USAGE ? err_set(e, "%s: %s", name, err_message(e)) : e;
	}
	return err_set(ERR_USAGE, "%s: no such mount option (see rekeyfs(1))", name);
}

static int set_flag(struct mount_request *r, const char *name)
{
	struct mount_options *o = &r->options;
	const struct { const char *name; int *to; int value; } flags[] = {
		{ "ro", &o->read_only, 1 }, { "rw", &o->read_only, 0 },
		{ "suid", &o->suid, 1 }, { "nosuid", &o->suid, 0 },
		{ "dev", &o->dev, 1 }, { "nodev", &o->dev, 0 },
		{ "noexec", &o->noexec, 1 }, { "exec", &o->noexec, 0 },
		{ "noatime", &o->noatime, 1 }, { "atime", &o->noatime, 0 },
		{ "allow_other", &r->share, 1 }, { "noallow_other", &r->share, 0 },
		{ "private", &r->private, 1 },
	};
	int found = 0;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(flags[i].name, name) == 0) {
			*flags[i].to = flags[i].value;
			found = 1;
		}
	if (strcmp(name, "noallow_other") == 0)
		r->private = 1;
	if (strcmp(name, "allow_other") == 0)
		r->private = 0;
	return found;
}

/* What mount(8) alone means, what holds anyway, and what mount.fuse adds. */
static int is_harmless(const char *name)
{
	static const char *const names[] = { "defaults", "auto", "noauto", "user", "users", "nouser", "owner", "group", "nofail", "_netdev",
					     "default_permissions", "async", "relatime", "diratime" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return 1;
	return strncmp(name, "x-", 2) == 0;
}

static enum err take_option(struct mount_request *r, char *option)
{
	char *value = strchr(option, '=');

	if (!*option || set_flag(r, option) || is_harmless(option))
		return ERR_OK;
	if (!value)
		return err_set(ERR_USAGE, "-o %s: no such mount option (see rekeyfs(1))", option);
	*value++ = 0;
	if (strcmp(option, "comment") == 0 || strcmp(option, "fsname") == 0 || strcmp(option, "subtype") == 0)
		return ERR_OK;
	return mount_request_set(r, option, value);
}

enum err mount_request_options(struct mount_request *r, const char *text)
{
	char copy[OPTIONS_MAX_LEN], *save = NULL;
	enum err e = ERR_OK;

	if (strlen(text) >= sizeof(copy))
		return err_set(ERR_USAGE, "the mount options are too long");
	strcpy(copy, text);
	for (char *option = strtok_r(copy, ",", &save); option && e == ERR_OK; option = strtok_r(NULL, ",", &save))
		e = take_option(r, option);
	return e;
}

enum err mount_request_init(struct mount_request *r)
{
	const struct settings *s;
	enum err e = settings_get(&s);

	*r = (struct mount_request){ .options.log_level = LOG_LEVEL_WARNING };
	if (e == ERR_OK && s->options)
		e = mount_request_options(r, s->options);
	if (e == ERR_OK && s->idle)
		e = mount_request_set(r, "idle", s->idle);
	if (e == ERR_OK && s->rollback)
		e = mount_request_set(r, "rollback", s->rollback);
	if (e == ERR_OK && s->log)
		e = mount_request_set(r, "log", s->log);
	if (e == ERR_OK && s->log_level)
		e = mount_request_set(r, "log-level", s->log_level);
	if (e == ERR_USAGE)
		return err_set(e, "configuration, [mount]: %s", err_message(e));
	if (e == ERR_OK && s->bwlimit)
		e = mount_request_set(r, "bwlimit", s->bwlimit);
	if (e == ERR_OK && s->hours)
		e = mount_request_set(r, "hours", s->hours);
	return e == ERR_USAGE ? err_set(e, "configuration, [walker]: %s", err_message(e)) : e;
}

void mount_request_release(struct mount_request *r)
{
	free(r->log_path);
	r->log_path = NULL;
}

void mount_request_finish(struct mount_request *r)
{
	r->options.allow_other = !r->private && (r->share || geteuid() == 0);
}
