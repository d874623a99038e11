#include "keymgr/ctl/output.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/json.h"

#define WIDTH_DEFAULT 80

enum err output_parse(const char *word, enum output_format *out)
{
	static const char *const words[] = { [OUTPUT_JSON] = "json", [OUTPUT_TABLE] = "table", [OUTPUT_TEXT] = "text" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i]) == 0) {
			*out = (enum output_format)i;
			return ERR_OK;
		}
	return err_set(ERR_USAGE, "--output: \"%s\" is none of json, table, text", word);
}

static size_t terminal_width(FILE *to)
{
	struct winsize size;

	if (ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return WIDTH_DEFAULT;
}

void output_print(FILE *to, enum output_format format, const char *title, const json_t *value)
{
	if (!value)
		return;
	switch (format) {
	case OUTPUT_JSON: json_print(to, value); break;
	case OUTPUT_TABLE: output_table(to, title, value, terminal_width(to)); break;
	case OUTPUT_TEXT: output_text(to, value); break;
	}
}

char *output_scalar(const json_t *value)
{
	char number[64];

	switch (json_typeof(value)) {
	case JSON_STRING: return strdup(json_string_value(value));
	case JSON_TRUE: return strdup("True");
	case JSON_FALSE: return strdup("False");
	case JSON_INTEGER:
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return strdup(number);
	case JSON_REAL:
		snprintf(number, sizeof(number), "%.17g", json_real_value(value));
		return strdup(number);
	default: return strdup("None");
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **output_names(const json_t *object, int scalars, size_t *count_out)
{
	const char **names = calloc(json_object_size(object) + 1, sizeof(*names));
	const char *name;
	json_t *value;
	size_t count = 0;

	*count_out = 0;
	if (!names)
		return NULL;
	json_object_foreach((json_t *)object, name, value) {
		int scalar = !json_is_array(value) && !json_is_object(value);

		if (scalar == scalars)
			names[count++] = name;
	}
	qsort(names, count, sizeof(*names), by_name);
	*count_out = count;
	return names;
}
