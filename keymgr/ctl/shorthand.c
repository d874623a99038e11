#include "keymgr/ctl/shorthand.h"

#include <stdlib.h>
#include <string.h>
#include "base/json.h"

struct scanner {
	const char *at;
	char *word;		/* room for the whole text */
};

/* Up to `stop`, to a comma or the end, quotes and backslashes taken off. */
static enum err scan(struct scanner *s, char stop)
{
	char quote = 0, *to = s->word;

	for (; *s->at; s->at++) {
		if (*s->at == '\\' && s->at[1])
			*to++ = *++s->at;
		else if (quote && *s->at == quote)
			quote = 0;
		else if (quote)
			*to++ = *s->at;
		else if ((*s->at == '"' || *s->at == '\'') && to == s->word)
			quote = *s->at;
		else if (*s->at == stop || *s->at == ',')
			break;
		else
			*to++ = *s->at;
	}
	*to = 0;
	return quote ? err_set(ERR_USAGE, "a quote is not closed in a list of name=value") : ERR_OK;
}

static enum err scan_pair(struct scanner *s, json_t *map)
{
	char *name = NULL;
	enum err e = scan(s, '=');

	if (e == ERR_OK && (*s->at != '=' || !*s->word))
		e = err_set(ERR_USAGE, "\"%.200s\" is not name=value", s->word);
	if (e != ERR_OK)
		return e;
	name = strdup(s->word);
	s->at++;
	e = name ? scan(s, ',') : ERR_NO_MEMORY;
	if (e == ERR_OK && json_object_get(map, name))
		e = err_set(ERR_USAGE, "\"%.200s\" is given twice", name);
	if (e == ERR_OK && json_object_set_new(map, name, json_string(s->word)) != 0)
		e = err_set(ERR_USAGE, "a name or value is not UTF-8");
	free(name);
	return e;
}

static enum err scan_pairs(const char *text, json_t *map)
{
	struct scanner s = { text, malloc(strlen(text) + 1) };
	enum err e = s.word ? ERR_OK : ERR_NO_MEMORY;

	while (e == ERR_OK && *s.at) {
		e = scan_pair(&s, map);
		if (e == ERR_OK && *s.at == ',' && !*++s.at)
			e = err_set(ERR_USAGE, "nothing follows the last comma");
	}
	free(s.word);
	return e;
}

enum err shorthand_map(const char *text, json_t **out)
{
	enum err e;

	*out = NULL;
	if (text[strspn(text, " \t\n")] == '{') {
		e = json_parse(text, strlen(text), out);
		return e == ERR_FORMAT ? err_set(ERR_USAGE, "%s", err_message(e)) : e;
	}
	*out = json_object();
	e = *out ? scan_pairs(text, *out) : ERR_NO_MEMORY;
	if (e != ERR_OK) {
		json_decref(*out);
		*out = NULL;
	}
	return e;
}
