#include "base/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "base/file_io.h"

#define FILE_MAX_LEN (1024 * 1024)
/* inih cuts longer ones without a word, but for its return value. */
#define LINE_LEN_MAX 198
#define SECTION_LEN_MAX 49

struct source {
	const char *name;
	const char *at, *end;
	int line;		/* of the line handed out last */
	config_fn take;
	void *context;
	enum err error;		/* the first, with its sentence */
};

static void fail(struct source *s, enum err e, const char *message)
{
	if (s->error == ERR_OK)
		s->error = err_set(e, "%s:%d: %s", s->name, s->line, message);
}

/* What inih would cut or read as another line's continuation. */
static void check_line(struct source *s, const char *line, size_t len)
{
	const char *bracket;

	if (memchr(line, 0, len))
		fail(s, ERR_USAGE, "a NUL byte");
	if (len > LINE_LEN_MAX)
		fail(s, ERR_USAGE, "the line is too long (at most 198 characters)");
	if (len > 0 && line[0] == '[') {
		bracket = memchr(line, ']', len);
		if (bracket && bracket - line - 1 > SECTION_LEN_MAX)
			fail(s, ERR_USAGE, "the section's name is too long (at most 49 characters)");
	}
}

/* inih's fgets.  Blanks that begin a line are left out: for inih they mark a
 * continuation of the line before. */
static char *next_line(char *out, int room, void *stream)
{
	struct source *s = stream;
	const char *newline;
	size_t len;

	if (s->at == s->end || s->error != ERR_OK)
		return NULL;
	newline = memchr(s->at, '\n', (size_t)(s->end - s->at));
	len = (size_t)((newline ? newline : s->end) - s->at);
	s->line++;
	while (len > 0 && (*s->at == ' ' || *s->at == '\t')) {
		s->at++;
		len--;
	}
	check_line(s, s->at, len);
	if (s->error != ERR_OK || len + 2 > (size_t)room)
		return NULL;
	memcpy(out, s->at, len);
	out[len] = '\n';
	out[len + 1] = 0;
	s->at = newline ? newline + 1 : s->end;
	return out;
}

static int take_pair(void *user, const char *section, const char *key, const char *value)
{
	struct source *s = user;
	enum err e;

	if (s->error == ERR_OK) {
		e = s->take(s->context, section, key, value);
		if (e != ERR_OK)
			fail(s, e, err_message(e));
	}
	return s->error == ERR_OK;
}

enum err config_read_text(const char *name, const char *text, size_t len, config_fn take, void *context)
{
	struct source s = { .name = name, .at = text, .end = text + len, .take = take, .context = context };
	int line = ini_parse_stream(next_line, &s, take_pair, &s);

	if (s.error != ERR_OK)
		return s.error;
	if (line > 0)
		return err_set(ERR_USAGE, "%s:%d: neither a [section] nor a `key = value`", name, line);
	return line < 0 ? ERR_NO_MEMORY : ERR_OK;
}

enum err config_read_file(const char *path, config_fn take, void *context)
{
	uint8_t *text;
	size_t len;
	enum err e = file_load(AT_FDCWD, path, FILE_MAX_LEN, &text, &len);

	if (e == ERR_NOT_FOUND)
		return err_set(e, "%s does not exist", path);
	if (e != ERR_OK)
		return err_set(e, "cannot read %s: %s", path, err_text(e));
	e = config_read_text(path, (const char *)text, len, take, context);
	free(text);
	return e;
}

enum err config_bool(const char *value, int *out)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(value, words[i]) == 0) {
			*out = (int)(i % 2);
			return ERR_OK;
		}
	return err_set(ERR_USAGE, "\"%s\" is neither yes nor no", value);
}

/* Decimal digits, then at most one letter of `units`, which multiplies by its factor. */
static int scaled(const char *value, const char *units, const unsigned long long *factors,
		  unsigned long long max, unsigned long long *out)
{
	unsigned long long v;
	const char *unit;
	char *end;

	if (!isdigit((unsigned char)*value))
		return 0;
	errno = 0;
	v = strtoull(value, &end, 10);
	if (errno)
		return 0;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1] || v > max / factors[unit - units])
			return 0;
		v *= factors[unit - units];
	}
	*out = v;
	return v <= max;
}

enum err config_duration(const char *value, long *seconds_out)
{
	static const unsigned long long factors[] = { 1, 60, 3600, 86400 };
	unsigned long long v;

	if (!scaled(value, "smhd", factors, LONG_MAX, &v))
		return err_set(ERR_USAGE, "\"%s\" is not a time: write 30, 30s, 10m, 2h or 7d", value);
	*seconds_out = (long)v;
	return ERR_OK;
}

enum err config_size(const char *value, unsigned long long *out)
{
	static const unsigned long long factors[] = { 1ULL << 10, 1ULL << 10, 1ULL << 20, 1ULL << 20,
						      1ULL << 30, 1ULL << 30, 1ULL << 40, 1ULL << 40 };

	if (!scaled(value, "KkMmGgTt", factors, ULLONG_MAX, out))
		return err_set(ERR_USAGE, "\"%s\" is not a size: write 4096, 64K, 10M or 1G", value);
	return ERR_OK;
}
