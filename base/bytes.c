#include "base/bytes.h"

/* Keys pass through here: no tables that a key's bytes index, no early exit on a good form. */

static char hex_digit(unsigned v)
{
	return (char)('0' + v + ((9 - v) >> 8 & ('a' - '0' - 10)));
}

void bytes_to_hex(const void *bytes, size_t len, char *out)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++) {
		*out++ = hex_digit(at[i] >> 4);
		*out++ = hex_digit(at[i] & 15);
	}
	*out = 0;
}

/* 0xff.. where `low` <= c <= `high`, else 0. */
static unsigned between(unsigned c, unsigned low, unsigned high)
{
	return ((c - low) | (high - c)) >> 8 ? 0 : ~0U;
}

static int hex_value(char digit)
{
	unsigned c = (unsigned char)digit;
	unsigned number = between(c, '0', '9'), letter = between(c, 'a', 'f');

	return (int)((number & (c - '0')) | (letter & (c - 'a' + 10)) | ~(number | letter));
}

enum err bytes_from_hex(const char *text, size_t text_len, void *out, size_t out_len)
{
	uint8_t *at = out;

	if (text_len != HEX_LEN(out_len))
		return ERR_FORMAT;
	for (size_t i = 0; i < out_len; i++) {
		int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return ERR_FORMAT;
		at[i] = (uint8_t)(high << 4 | low);
	}
	return ERR_OK;
}

/* `last` are the two digits behind the letters and numbers: "+/" or "-_". */
static char digit_of(unsigned v, const char last[static 2])
{
	unsigned digit = (between(v, 0, 25) & (v + 'A')) | (between(v, 26, 51) & (v - 26 + 'a')) |
			 (between(v, 52, 61) & (v - 52 + '0')) | (between(v, 62, 62) & (unsigned char)last[0]) |
			 (between(v, 63, 63) & (unsigned char)last[1]);

	return (char)digit;
}

static int value_of(char digit, const char last[static 2])
{
	unsigned c = (unsigned char)digit;
	unsigned upper = between(c, 'A', 'Z'), lower = between(c, 'a', 'z'), number = between(c, '0', '9');
	unsigned first = between(c, (unsigned char)last[0], (unsigned char)last[0]);
	unsigned second = between(c, (unsigned char)last[1], (unsigned char)last[1]);

	return (int)((upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (number & (c - '0' + 52)) |
		     (first & 62) | (second & 63) | ~(upper | lower | number | first | second));
}

static size_t encode(const uint8_t *bytes, size_t len, const char last[static 2], char *out)
{
	char *start = out;

	for (size_t i = 0; i < len; i += 3) {
		size_t part = len - i < 3 ? len - i : 3;
		unsigned v = (unsigned)bytes[i] << 16;

		if (part > 1)
			v |= (unsigned)bytes[i + 1] << 8;
		if (part > 2)
			v |= bytes[i + 2];
		for (size_t d = 0; d <= part; d++)
			*out++ = digit_of(v >> (18 - 6 * d) & 63, last);
	}
	*out = 0;
	return (size_t)(out - start);
}

/* `text` without padding.  `len` of the form 4n + 1 encodes nothing. */
static enum err decode(const char *text, size_t len, const char last[static 2],
		       uint8_t *out, size_t max, size_t *len_out)
{
	size_t bytes = len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0);
	size_t done = 0;

	*len_out = 0;
	if (len % 4 == 1)
		return ERR_FORMAT;
	if (bytes > max)
		return ERR_LIMIT;
	for (size_t i = 0; i < len; i += 4) {
		size_t digits = len - i < 4 ? len - i : 4;
		unsigned v = 0;

		for (size_t d = 0; d < digits; d++) {
			int value = value_of(text[i + d], last);

			if (value < 0)
				return ERR_FORMAT;
			v |= (unsigned)value << (18 - 6 * d);
		}
		for (size_t b = 0; b + 1 < digits; b++) {
			out[done++] = (uint8_t)(v >> 16);
			v = v << 8 & 0xffffff;
		}
		if (v)		/* bits that carry nothing */
			return ERR_FORMAT;
	}
	*len_out = done;
	return ERR_OK;
}

size_t bytes_to_base64url(const void *bytes, size_t len, char *out)
{
	return encode(bytes, len, "-_", out);
}

enum err bytes_from_base64url(const char *text, size_t text_len, void *out, size_t max, size_t *len_out)
{
	return decode(text, text_len, "-_", out, max, len_out);
}

size_t bytes_to_base64(const void *bytes, size_t len, char *out)
{
	size_t done = encode(bytes, len, "+/", out);

	while (done % 4)
		out[done++] = '=';
	out[done] = 0;
	return done;
}

enum err bytes_from_base64(const char *text, size_t text_len, void *out, size_t max, size_t *len_out)
{
	size_t padding = 0;

	*len_out = 0;
	if (text_len % 4)
		return ERR_FORMAT;
	while (padding < 2 && padding < text_len && text[text_len - 1 - padding] == '=')
		padding++;
	return decode(text, text_len - padding, "+/", out, max, len_out);
}
