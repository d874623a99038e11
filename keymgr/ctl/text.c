/*
 * Tab-separated text: an object is a line of its scalars in the order of their names, the
 * name of the list that it stands in before them; what it contains follows.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/secret.h"
#include "keymgr/ctl/output.h"

static void print_upper(FILE *to, const char *name)
{
	for (; *name; name++)
		fputc(toupper((unsigned char)*name), to);
}

static void print_scalar(FILE *to, const json_t *value)
{
	char *text = value ? output_scalar(value) : NULL;

	if (text) {
		fputs(text, to);
		secret_wipe(text, strlen(text));
	}
	free(text);
}

static void print_value(FILE *to, const json_t *value, const char *name, const json_t *columns);

/* Empty columns for members that only others of its list have. */
static void print_object(FILE *to, const json_t *object, const char *name, const json_t *columns)
{
	size_t count, inner_count;
	const char **scalars = output_names(columns ? columns : object, 1, &count);
	const char **inner = output_names(object, 0, &inner_count);

	if (scalars && count > 0) {
		if (name) {
			print_upper(to, name);
			fputc('\t', to);
		}
		for (size_t i = 0; i < count; i++) {
			if (i > 0)
				fputc('\t', to);
			print_scalar(to, json_object_get(object, scalars[i]));
		}
		fputc('\n', to);
	}
	for (size_t i = 0; inner && i < inner_count; i++)
		print_value(to, json_object_get(object, inner[i]), inner[i], NULL);
	free(scalars);
	free(inner);
}

/* All scalar members that entries of a list have. */
static json_t *all_columns(const json_t *list)
{
	json_t *columns = json_object(), *entry, *value;
	const char *name;
	size_t i;

	json_array_foreach(list, i, entry)
		json_object_foreach(entry, name, value)
			if (!json_is_array(value) && !json_is_object(value))
				json_object_set(columns, name, value);
	return columns;
}

static void print_list(FILE *to, const json_t *list, const char *name)
{
	json_t *columns = all_columns(list), *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		print_value(to, entry, name, json_is_object(entry) ? columns : NULL);
	json_decref(columns);
}

static void print_value(FILE *to, const json_t *value, const char *name, const json_t *columns)
{
	if (json_is_object(value)) {
		print_object(to, value, name, columns);
	} else if (json_is_array(value)) {
		print_list(to, value, name);
	} else {
		if (name) {
			print_upper(to, name);
			fputc('\t', to);
		}
		print_scalar(to, value);
		fputc('\n', to);
	}
}

void output_text(FILE *to, const json_t *value)
{
	print_value(to, value, NULL, NULL);
}
