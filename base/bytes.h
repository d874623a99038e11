/* Text forms of bytes: hex (lower case), base64url without padding (RFC 4648 section 5),
 * standard base64 with padding (section 4).  Decoding is strict: one form only, bits that
 * carry nothing must be zero.  Buffers include room for the closing NUL. */
#ifndef REKEYFS_BASE_BYTES_H
#define REKEYFS_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

#define HEX_LEN(n) (2 * (n))
#define BASE64URL_LEN(n) (((n) * 4 + 2) / 3)
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

void bytes_to_hex(const void *bytes, size_t len, char *out /* HEX_LEN + 1 */);
enum err bytes_from_hex(const char *text, size_t text_len, void *out, size_t out_len);
size_t bytes_to_base64url(const void *bytes, size_t len, char *out /* BASE64URL_LEN + 1 */);
/* ERR_FORMAT for anything but the canonical form, ERR_LIMIT where `max` is too small. */
enum err bytes_from_base64url(const char *text, size_t text_len, void *out, size_t max, size_t *len_out);
size_t bytes_to_base64(const void *bytes, size_t len, char *out /* BASE64_LEN + 1 */);
enum err bytes_from_base64(const char *text, size_t text_len, void *out, size_t max, size_t *len_out);

#endif
