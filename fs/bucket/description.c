#include "fs/bucket/description.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/config.h"
#include "base/file_io.h"

/* Where "keystore = …" would be longer, base/config.h would not read it back. */
#define HINT_MAX 180

static enum err take(void *context, const char *section, const char *key, const char *value)
{
	struct bucket_description *d = context;

	if (strcmp(section, "bucket") != 0)
		return err_set(ERR_FORMAT, "no section [%s] is known", section);
	if (strcmp(key, "format") == 0) {
		if (strcmp(value, "1") != 0)
			return err_set(ERR_FORMAT, "format %s is not known to this version: a newer rekeyfs made the bucket", value);
		d->format = BUCKET_FORMAT;
	} else if (strcmp(key, "id") == 0) {
		if (uuid_parse(value, d->id) != ERR_OK)
			return err_set(ERR_FORMAT, "\"%s\" is not an id", value);
	} else if (strcmp(key, "suite") == 0) {
		d->suite = aead_by_name(value);
		if (!d->suite)
			return err_set(ERR_FORMAT, "no cipher suite \"%s\" is known", value);
	} else if (strcmp(key, "keystore") == 0) {
		snprintf(d->keystore_hint, sizeof(d->keystore_hint), "%s", value);
	} else {
		return err_set(ERR_FORMAT, "no key \"%s\" is known", key);
	}
	return ERR_OK;
}

enum err description_parse(const char *name, const char *text, size_t len, struct bucket_description *out)
{
	static const uint8_t none[UUID_LEN];
	enum err e;

	memset(out, 0, sizeof(*out));
	e = config_read_text(name, text, len, take, out);
	if (e == ERR_USAGE)
		return err_set(ERR_FORMAT, "%s", err_message(e));
	if (e != ERR_OK)
		return e;
	if (!out->format || !out->suite || memcmp(out->id, none, UUID_LEN) == 0)
		return err_set(ERR_FORMAT, "%s lacks format, id or suite", name);
	return ERR_OK;
}

enum err description_load(int root_fd, const char *path, struct bucket_description *out)
{
	uint8_t *text;
	size_t len;
	char *name;
	enum err e = file_load(root_fd, DESCRIPTION_NAME, DESCRIPTION_LEN_MAX, &text, &len);

	if (e == ERR_NOT_FOUND)
		return err_set(e, "%s is no bucket: `rekeyfs init %s` makes one", path, path);
	if (e != ERR_OK)
		return err_set(e, "cannot read %s/" DESCRIPTION_NAME ": %s", path, err_text(e));
	if (asprintf(&name, "%s/" DESCRIPTION_NAME, path) < 0) {
		free(text);
		return ERR_NO_MEMORY;
	}
	e = description_parse(name, (const char *)text, len, out);
	free(name);
	free(text);
	return e;
}

/* INI has no way to write some values. */
static int fits_a_line(const char *hint)
{
	size_t len = strlen(hint);

	if (len == 0 || len > HINT_MAX || hint[0] == ' ' || hint[len - 1] == ' ')
		return 0;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)hint[i] < ' ' || hint[i] == 127 || hint[i] == ';')
			return 0;
	return 1;
}

size_t description_print(const struct bucket_description *d, char *out)
{
	int with_hint = fits_a_line(d->keystore_hint);
	char id[UUID_TEXT_LEN + 1];

	uuid_text(d->id, id);
	return (size_t)snprintf(out, DESCRIPTION_LEN_MAX,
		"# A rekeyfs bucket: encrypted files.  `rekeyfs mount` shows them, `rekeyfs info` tells which keys they are under.\n"
		"[bucket]\n"
		"format = %u\n"
		"id = %s\n"
		"# Cipher suite of new files.\n"
		"suite = %s\n"
		"%s%s%s", d->format, id, aead_name(d->suite),
		with_hint ? "# Where its keys were when it was made (a hint; --keystore decides).\nkeystore = " : "",
		with_hint ? d->keystore_hint : "", with_hint ? "\n" : "");
}

enum err description_store(int root_fd, const struct bucket_description *d)
{
	char text[DESCRIPTION_LEN_MAX];
	size_t len = description_print(d, text);

	return file_replace(root_fd, DESCRIPTION_NAME, text, len, 0644);
}
