/* A text that decodes is the one text of its bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/uuid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char *terminated = malloc(size + 1), *again = malloc(size + 8);
	uint8_t *out = malloc(size + 1), id[UUID_LEN];
	size_t len;

	if (!terminated || !again || !out)
		abort();
	memcpy(terminated, text, size);
	terminated[size] = 0;
	if (bytes_from_hex(text, size, out, size / 2) == ERR_OK) {
		bytes_to_hex(out, size / 2, again);
		if (memcmp(again, text, size) != 0)
			abort();
	}
	if (bytes_from_base64(text, size, out, size, &len) == ERR_OK &&
	    (bytes_to_base64(out, len, again) != size || memcmp(again, text, size) != 0))
		abort();
	if (bytes_from_base64url(text, size, out, size, &len) == ERR_OK &&
	    (bytes_to_base64url(out, len, again) != size || memcmp(again, text, size) != 0))
		abort();
	if (uuid_parse(terminated, id) == ERR_OK) {
		char uuid[UUID_TEXT_LEN + 1];

		uuid_text(id, uuid);
		if (strcmp(uuid, terminated) != 0)
			abort();
	}
	free(terminated);
	free(again);
	free(out);
	return 0;
}
