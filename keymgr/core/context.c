#include "keymgr/core/context.h"

#include <stdlib.h>
#include <string.h>
#include "base/cursor.h"

static int by_name(const void *a, const void *b)
{
	const struct context_pair *x = *(const struct context_pair *const *)a;
	const struct context_pair *y = *(const struct context_pair *const *)b;

	return strcmp(x->name, y->name);
}

static enum err measure(const struct context *c, size_t *len_out)
{
	size_t strings = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct context_pair *p = &c->pairs[i];

		if (!p->name || !p->value || !*p->name)
			return err_set(ERR_VALIDATION, "an encryption context's names are not empty");
		strings += strnlen(p->name, CONTEXT_MAX + 1) + strnlen(p->value, CONTEXT_MAX + 1);
		if (strings > CONTEXT_MAX)
			return err_set(ERR_VALIDATION, "an encryption context has at most %d bytes", CONTEXT_MAX);
	}
	*len_out = 4 + 8 * c->count + strings;
	return ERR_OK;
}

static void write_string(struct writer *w, const char *text)
{
	writer_u32(w, (uint32_t)strlen(text));
	writer_bytes(w, text, strlen(text));
}

static enum err write_pairs(const struct context *c, struct writer *w)
{
	const struct context_pair **sorted = calloc(c->count ? c->count : 1, sizeof(*sorted));
	enum err e = ERR_OK;

	if (!sorted)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < c->count; i++)
		sorted[i] = &c->pairs[i];
	qsort(sorted, c->count, sizeof(*sorted), by_name);
	writer_u32(w, (uint32_t)c->count);
	for (size_t i = 0; i < c->count && e == ERR_OK; i++) {
		if (i > 0 && strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
			e = err_set(ERR_VALIDATION, "the encryption context names \"%s\" twice", sorted[i]->name);
		write_string(w, sorted[i]->name);
		write_string(w, sorted[i]->value);
	}
	free(sorted);
	return e;
}

enum err context_encode(const struct context *c, const void *head, size_t head_len, uint8_t **out, size_t *len_out)
{
	static const struct context none;
	struct writer w;
	size_t len = 0;
	enum err e;

	*out = NULL;
	if (!c)
		c = &none;
	e = measure(c, &len);
	if (e != ERR_OK)
		return e;
	*out = malloc(head_len + len);
	if (!*out)
		return ERR_NO_MEMORY;
	w = writer_over(*out, head_len + len);
	writer_bytes(&w, head, head_len);
	e = write_pairs(c, &w);
	if (e != ERR_OK) {
		free(*out);
		*out = NULL;
		return e;
	}
	*len_out = head_len + len;
	return ERR_OK;
}

const char *context_value(const struct context *c, const char *name)
{
	for (size_t i = 0; c && i < c->count; i++)
		if (c->pairs[i].name && strcmp(c->pairs[i].name, name) == 0)
			return c->pairs[i].value;
	return NULL;
}

json_t *context_json(const struct context *c)
{
	json_t *object = json_object();

	for (size_t i = 0; c && i < c->count; i++)
		if (c->pairs[i].name && c->pairs[i].value)
			json_object_set_new(object, c->pairs[i].name, json_string(c->pairs[i].value));
	return object;
}
