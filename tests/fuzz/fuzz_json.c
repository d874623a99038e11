/* What parses prints, and the printed text parses to the same value. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *value = NULL, *again = NULL;
	const char *string;
	char *text = NULL;
	long long integer;
	size_t len = 0;
	FILE *to;
	int flag;

	if (json_parse((const char *)data, size, &value) != ERR_OK)
		return 0;
	to = open_memstream(&text, &len);
	if (!to)
		abort();
	json_print(to, value);
	fclose(to);
	if (json_parse(text, len, &again) != ERR_OK || !json_equal(value, again))
		abort();
	if (json_get_string(value, "KeyId", &string) == ERR_OK && memchr(string, 0, strlen(string) + 1) == NULL)
		abort();
	json_get_integer(value, "KeyId", &integer);
	json_get_bool(value, "KeyId", &flag);
	json_decref(value);
	json_decref(again);
	free(text);
	return 0;
}
