#include "keymgr/api/request.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"

const char *const request_symmetric[] = { "SYMMETRIC_DEFAULT", NULL };

static const json_t *present(const json_t *in, const char *name)
{
	const json_t *value = json_object_get(in, name);

	return value && !json_is_null(value) ? value : NULL;
}

/* KMS writes a member's name in a message with a small first letter. */
static const char *written(const struct field *f, char out[static 64])
{
	size_t len = strnlen(f->name, 63);

	memcpy(out, f->name, len);
	out[len] = 0;
	out[0] = (char)tolower((unsigned char)out[0]);
	return out;
}

static enum err out_of_range(const struct field *f, const char *value, const char *what, long bound)
{
	char name[64];

	return err_set(ERR_VALIDATION, "1 validation error detected: Value %s%s%sat '%s' failed to satisfy constraint: "
		       "Member must have %s %ld", value ? "'" : "", value ? value : "", value ? "' " : "",
		       written(f, name), what, bound);
}

static enum err other_type(const struct field *f, const char *kind)
{
	return err_set(ERR_SERIALIZATION, "%s must be %s", f->name, kind);
}

static enum err check_len(const struct field *f, size_t len)
{
	if (len < (size_t)f->min)
		return out_of_range(f, NULL, "length greater than or equal to", f->min);
	if (f->max && len > (size_t)f->max)
		return out_of_range(f, NULL, "length less than or equal to", f->max);
	return ERR_OK;
}

static size_t characters(const char *utf8)
{
	size_t count = 0;

	for (; *utf8; utf8++)
		count += (*utf8 & 0xc0) != 0x80;
	return count;
}

static enum err check_string(const struct field *f, const json_t *value)
{
	if (!json_is_string(value))
		return other_type(f, "a string");
	return check_len(f, characters(json_string_value(value)));
}

static enum err check_integer(const struct field *f, const json_t *value)
{
	json_int_t number = json_integer_value(value);
	char text[32];

	if (!json_is_integer(value))
		return other_type(f, "an integer");
	snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, number);
	if (number < f->min)
		return out_of_range(f, text, "value greater than or equal to", f->min);
	if (number > f->max)
		return out_of_range(f, text, "value less than or equal to", f->max);
	return ERR_OK;
}

static enum err check_boolean(const struct field *f, const json_t *value)
{
	return json_is_boolean(value) ? ERR_OK : other_type(f, "true or false");
}

/* How many bytes a base64 text of whole quartets stands for. */
static size_t blob_len(const json_t *value)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	return len < 4 ? 0 : len / 4 * 3 - (text[len - 1] == '=') - (text[len - 2] == '=');
}

/* Bits that carry nothing are checked by request_blob(). */
static enum err check_blob(const struct field *f, const json_t *value)
{
	size_t len = json_string_length(value);
	const char *text = json_string_value(value);

	if (!json_is_string(value))
		return other_type(f, "base64");
	if (len % 4 != 0)
		return err_set(ERR_SERIALIZATION, "%s is not base64", f->name);
	for (size_t i = 0; i < len; i++) {
		int padding = text[i] == '=' && i + 2 >= len && (i + 1 == len || text[i + 1] == '=');

		if (!isalnum((unsigned char)text[i]) && text[i] != '+' && text[i] != '/' && !padding)
			return err_set(ERR_SERIALIZATION, "%s is not base64", f->name);
	}
	return check_len(f, blob_len(value));
}

static enum err check_map(const struct field *f, const json_t *value)
{
	const char *name;
	json_t *member;

	if (!json_is_object(value))
		return other_type(f, "an object of strings");
	json_object_foreach((json_t *)value, name, member)
		if (!json_is_string(member))
			return other_type(f, "an object of strings");
	return ERR_OK;
}

static enum err check_word(const struct field *f, const json_t *value)
{
	const char *text = json_string_value(value);
	char name[64];

	if (!text)
		return other_type(f, "a string");
	for (const char *const *word = f->words; *word; word++)
		if (strcmp(*word, text) == 0)
			return ERR_OK;
	if (f->type == FIELD_ONLY)
		return err_set(f->other ? f->other : ERR_OPERATION, "%s %.64s is not supported here: only %s is",
			       f->name, text, f->words[0]);
	return err_set(ERR_VALIDATION, "1 validation error detected: Value '%.64s' at '%s' failed to satisfy constraint: "
		       "Member must satisfy enum value set: [%s%s%s]", text, written(f, name), f->words[0],
		       f->words[1] ? ", " : "", f->words[1] ? f->words[1] : "");
}

static enum err check_absent(const struct field *f, const json_t *value)
{
	if (json_is_false(value) || (json_is_string(value) && json_string_length(value) == 0) ||
	    (json_is_array(value) && json_array_size(value) == 0) ||
	    (json_is_object(value) && json_object_size(value) == 0))
		return ERR_OK;
	return err_set(f->other ? f->other : ERR_OPERATION, "%s is not supported by this key manager", f->name);
}

static enum err (*const checks[])(const struct field *f, const json_t *value) = {
	[FIELD_STRING] = check_string, [FIELD_WORD] = check_word, [FIELD_INTEGER] = check_integer,
	[FIELD_BOOLEAN] = check_boolean, [FIELD_BLOB] = check_blob, [FIELD_MAP] = check_map,
	[FIELD_ONLY] = check_word, [FIELD_ABSENT] = check_absent,
};

static int is_known(const struct field *fields, const char *name)
{
	for (const struct field *f = fields; f->name; f++)
		if (strcmp(f->name, name) == 0)
			return 1;
	return 0;
}

enum err request_check(const json_t *in, const struct field *fields)
{
	const char *name;
	json_t *unused;
	enum err e;

	if (!json_is_object(in))
		return err_set(ERR_SERIALIZATION, "a request is a JSON object");
	json_object_foreach((json_t *)in, name, unused)
		if (!is_known(fields, name))
			return err_set(ERR_VALIDATION, "no member \"%.64s\" belongs to this operation", name);
	for (const struct field *f = fields; f->name; f++) {
		const json_t *value = present(in, f->name);
		char text[64];

		if (!value && f->required)
			return err_set(ERR_VALIDATION, "1 validation error detected: Value null at '%s' failed to "
				       "satisfy constraint: Member must not be null", written(f, text));
		e = value ? checks[f->type](f, value) : ERR_OK;
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

const char *request_string(const json_t *in, const char *name)
{
	return json_string_value(present(in, name));
}

long request_integer(const json_t *in, const char *name, long absent)
{
	const json_t *value = present(in, name);

	return value ? (long)json_integer_value(value) : absent;
}

int request_boolean(const json_t *in, const char *name)
{
	return json_is_true(present(in, name));
}

enum err request_blob(const json_t *in, const char *name, struct secret **out)
{
	const json_t *value = present(in, name);
	struct secret *s = NULL;
	size_t len;
	enum err e;

	*out = NULL;
	if (!value)
		return ERR_OK;
	e = secret_new(blob_len(value), &s);
	if (e != ERR_OK)
		return e;
	e = bytes_from_base64(json_string_value(value), json_string_length(value), s->bytes, s->len, &len);
	if (e != ERR_OK) {
		secret_free(s);
		return err_set(ERR_SERIALIZATION, "%s is not base64", name);
	}
	*out = s;
	return ERR_OK;
}

enum err request_context(const json_t *in, const char *name, struct context *out)
{
	const json_t *map = present(in, name);
	struct context_pair *pairs;
	const char *key;
	json_t *value;

	*out = (struct context){ 0 };
	if (!map || json_object_size(map) == 0)
		return ERR_OK;
	pairs = calloc(json_object_size(map), sizeof(*pairs));
	if (!pairs)
		return ERR_NO_MEMORY;
	json_object_foreach((json_t *)map, key, value)
		pairs[out->count++] = (struct context_pair){ key, json_string_value(value) };
	out->pairs = pairs;
	return ERR_OK;
}

void request_context_release(struct context *c)
{
	free((void *)c->pairs);
	*c = (struct context){ 0 };
}
