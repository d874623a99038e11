#include "base/json.h"

#include <stdlib.h>
#include "base/bytes.h"
#include "base/secret.h"

void json_print(FILE *to, const json_t *value)
{
	json_dumpf(value, to, JSON_INDENT(4) | JSON_ENCODE_ANY);
	fputc('\n', to);
}

enum err json_parse(const char *text, size_t len, json_t **out)
{
	json_error_t where;

	*out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	/* Without jansson's own text, which quotes the input: it may hold a secret. */
	if (!*out)
		return err_set(ERR_FORMAT, "not valid JSON at line %d, column %d", where.line, where.column);
	return ERR_OK;
}

static enum err member(const json_t *object, const char *key, const char *kind, json_t **out)
{
	if (!json_is_object(object))
		return err_set(ERR_FORMAT, "not a JSON object, where \"%s\" is looked for", key);
	*out = json_object_get(object, key);
	if (!*out)
		return err_set(ERR_NOT_FOUND, "\"%s\" (%s) is missing", key, kind);
	return ERR_OK;
}

static enum err other_type(const char *key, const char *kind)
{
	return err_set(ERR_FORMAT, "\"%s\" is not %s", key, kind);
}

enum err json_get_string(const json_t *object, const char *key, const char **out)
{
	json_t *found;
	enum err e = member(object, key, "a string", &found);

	if (e != ERR_OK)
		return e;
	if (!json_is_string(found))
		return other_type(key, "a string");
	*out = json_string_value(found);
	return ERR_OK;
}

enum err json_get_integer(const json_t *object, const char *key, long long *out)
{
	json_t *found;
	enum err e = member(object, key, "an integer", &found);

	if (e != ERR_OK)
		return e;
	if (!json_is_integer(found))
		return other_type(key, "an integer");
	*out = json_integer_value(found);
	return ERR_OK;
}

enum err json_get_bool(const json_t *object, const char *key, int *out)
{
	json_t *found;
	enum err e = member(object, key, "true or false", &found);

	if (e != ERR_OK)
		return e;
	if (!json_is_boolean(found))
		return other_type(key, "true or false");
	*out = json_is_true(found);
	return ERR_OK;
}

json_t *json_base64(const void *bytes, size_t len)
{
	char *text = malloc(BASE64_LEN(len) + 1);
	json_t *string = NULL;

	if (text) {
		bytes_to_base64(bytes, len, text);
		string = json_string(text);
		secret_wipe(text, BASE64_LEN(len));
	}
	free(text);
	return string;
}
