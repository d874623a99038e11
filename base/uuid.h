/* UUIDs, version 4 (RFC 9562): 16 bytes, or 36 characters of text in lower case. */
#ifndef REKEYFS_BASE_UUID_H
#define REKEYFS_BASE_UUID_H

#include <stdint.h>
#include "base/error.h"

#define UUID_LEN 16
#define UUID_TEXT_LEN 36

void uuid_random(uint8_t out[static UUID_LEN]);
void uuid_text(const uint8_t id[static UUID_LEN], char out[static UUID_TEXT_LEN + 1]);
/* ERR_FORMAT unless exactly 36 characters of the usual form. */
enum err uuid_parse(const char *text, uint8_t out[static UUID_LEN]);

#endif
