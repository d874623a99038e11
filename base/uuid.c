#include "base/uuid.h"

#include <string.h>
#include "base/bytes.h"
#include "base/random.h"

/* Hyphens stand before the bytes 4, 6, 8 and 10. */
static int hyphen_before(size_t byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void uuid_random(uint8_t out[static UUID_LEN])
{
	random_bytes(out, UUID_LEN);
	out[6] = (out[6] & 0x0f) | 0x40;
	out[8] = (out[8] & 0x3f) | 0x80;
}

void uuid_text(const uint8_t id[static UUID_LEN], char out[static UUID_TEXT_LEN + 1])
{
	for (size_t i = 0; i < UUID_LEN; i++) {
		if (hyphen_before(i))
			*out++ = '-';
		bytes_to_hex(&id[i], 1, out);
		out += 2;
	}
}

enum err uuid_parse(const char *text, uint8_t out[static UUID_LEN])
{
	uint8_t id[UUID_LEN];

	if (!text || strnlen(text, UUID_TEXT_LEN + 1) != UUID_TEXT_LEN)
		return ERR_FORMAT;
	for (size_t i = 0; i < UUID_LEN; i++) {
		if (hyphen_before(i) && *text++ != '-')
			return ERR_FORMAT;
		if (bytes_from_hex(text, 2, &id[i], 1) != ERR_OK)
			return ERR_FORMAT;
		text += 2;
	}
	memcpy(out, id, UUID_LEN);
	return ERR_OK;
}
