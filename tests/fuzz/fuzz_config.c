/* No text hurts the parser; keys and values reach the handler whole; an error has a sentence. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* memmem of a C string. */
static int stands_in(const char *part, const uint8_t *data, size_t size)
{
	return !*part || memmem(data, size, part, strlen(part));
}

struct text {
	const uint8_t *data;
	size_t size;
};

static enum err take(void *context, const char *section, const char *key, const char *value)
{
	const struct text *text = context;
	unsigned long long size;
	long seconds;
	int flag;

	if (!stands_in(section, text->data, text->size) || !stands_in(key, text->data, text->size) ||
	    !stands_in(value, text->data, text->size))
		abort();
	if (config_duration(value, &seconds) == ERR_OK && seconds < 0)
		abort();
	config_bool(value, &flag);
	config_size(value, &size);
	return strcmp(key, "unknown") == 0 ? err_set(ERR_USAGE, "unknown key") : ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text text = { data, size };
	enum err e = config_read_text("fuzz.ini", (const char *)data, size, take, &text);

	if (e != ERR_OK && strncmp(err_message(e), "fuzz.ini:", 9) != 0)
		abort();
	return 0;
}
