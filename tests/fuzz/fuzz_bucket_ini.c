/* rekeyfs.bucket: what is read is printed to what is read as the same; an error has a sentence. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "fs/bucket/description.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[DESCRIPTION_LEN_MAX];
	struct bucket_description d, again;
	enum err e = description_parse("rekeyfs.bucket", (const char *)data, size, &d);
	size_t len;

	if (e != ERR_OK) {
		if (e == ERR_FORMAT && strncmp(err_message(e), "rekeyfs.bucket", 14) != 0)
			abort();
		return 0;
	}
	len = description_print(&d, text);
	if (len >= sizeof(text) || description_parse("printed", text, len, &again) != ERR_OK ||
	    memcmp(again.id, d.id, UUID_LEN) != 0 || again.suite != d.suite || again.format != d.format)
		abort();
	/* Left out, or whole. */
	if (again.keystore_hint[0] && strcmp(again.keystore_hint, d.keystore_hint) != 0)
		abort();
	return 0;
}
