#include "keymgr/ctl/parameter.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/file_io.h"
#include "base/json.h"
#include "base/secret.h"
#include "keymgr/ctl/shorthand.h"

#define FILE_MAX (1 << 20)

/* What an option's text stands for: itself, or a file's contents. */
struct source {
	const char *text;
	size_t len;
	uint8_t *loaded;	/* to be wiped and freed */
	int is_file, is_bytes;	/* file:// or fileb://; fileb:// */
};

static void source_release(struct source *s)
{
	if (s->loaded)
		secret_wipe(s->loaded, s->len);
	free(s->loaded);
}

static enum err source_open(const struct parameter *p, const char *text, struct source *s)
{
	const char *path = NULL;
	enum err e;

	*s = (struct source){ .text = text, .len = strlen(text) };
	if (strncmp(text, "file://", 7) == 0)
		path = text + 7;
	if (strncmp(text, "fileb://", 8) == 0) {
		path = text + 8;
		s->is_bytes = 1;
	}
	if (!path)
		return ERR_OK;
	s->is_file = 1;
	e = file_load(AT_FDCWD, path, FILE_MAX, &s->loaded, &s->len);
	if (e != ERR_OK)
		return err_set(e, "--%s: cannot read %s: %s", p->option, path, err_text(e));
	s->text = (const char *)s->loaded;
	return ERR_OK;
}

static enum err text_json(const struct parameter *p, const struct source *s, json_t **out)
{
	*out = json_stringn(s->text, s->len);
	if (!*out || strlen(json_string_value(*out)) != s->len)
		return err_set(ERR_USAGE, "--%s: not text in UTF-8", p->option);
	return ERR_OK;
}

static enum err number_json(const struct parameter *p, const struct source *s, json_t **out)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(s->text, &end, 10);
	if (errno || end == s->text || *end)
		return err_set(ERR_USAGE, "--%s: \"%.64s\" is not a whole number", p->option, s->text);
	*out = json_integer(number);
	return *out ? ERR_OK : ERR_NO_MEMORY;
}

/* Decoding proves the form.  White space may surround the text of a file. */
static enum err base64_json(const struct parameter *p, const struct source *s, json_t **out)
{
	size_t begin = strspn(s->text, " \t\r\n"), end = s->len, len;
	uint8_t *bytes = malloc(s->len + 1);
	enum err e = bytes ? ERR_OK : ERR_NO_MEMORY;

	while (end > begin && isspace((unsigned char)s->text[end - 1]))
		end--;
	if (e == ERR_OK && bytes_from_base64(s->text + begin, end - begin, bytes, s->len + 1, &len) != ERR_OK)
		e = err_set(ERR_USAGE, "--%s: not base64; fileb://FILE takes a file's bytes, and "
			    "--cli-binary-format raw-in-base64-out the text itself", p->option);
	if (e == ERR_OK) {
		*out = json_stringn(s->text + begin, end - begin);
		e = *out ? ERR_OK : ERR_NO_MEMORY;
	}
	if (bytes)
		secret_wipe(bytes, s->len);
	free(bytes);
	return e;
}

static enum err blob_json(const struct parameter *p, const struct source *s, int raw, json_t **out)
{
	if (!s->is_bytes && !(raw && !s->is_file))
		return base64_json(p, s, out);
	*out = json_base64(s->text, s->len);
	return *out ? ERR_OK : ERR_NO_MEMORY;
}

static enum err map_json(const struct parameter *p, const struct source *s, json_t **out)
{
	enum err e = shorthand_map(s->text, out);

	return e == ERR_USAGE ? err_set(e, "--%s: %s", p->option, err_message(e)) : e;
}

enum err parameter_json(const struct parameter *p, const char *text, int raw_blobs, json_t **out)
{
	struct source s = { 0 };
	enum err e;

	*out = NULL;
	if (p->type == PARAMETER_TRUE || p->type == PARAMETER_FALSE) {
		*out = json_boolean(p->type == PARAMETER_TRUE);
		return ERR_OK;
	}
	e = source_open(p, text, &s);
	if (e == ERR_OK)
		switch (p->type) {
		case PARAMETER_NUMBER: e = number_json(p, &s, out); break;
		case PARAMETER_BLOB: e = blob_json(p, &s, raw_blobs, out); break;
		case PARAMETER_MAP: e = map_json(p, &s, out); break;
		default: e = text_json(p, &s, out); break;
		}
	source_release(&s);
	if (e != ERR_OK) {
		json_decref(*out);
		*out = NULL;
	}
	return e;
}
