/* A cursor driven by the input, over the input: it never leaves its bytes, and once failed it
 * gives nothing more. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One call as `what` says; the value read, for numbers. */
static uint64_t step(struct cursor *c, uint8_t what)
{
	uint8_t out[256];
	size_t len = what >> 3;

	switch (what & 7) {
	case 0:
		return cursor_u8(c);
	case 1:
		return cursor_u16(c);
	case 2:
		return cursor_u32(c);
	case 3:
		return cursor_u64(c);
	case 4:
		cursor_bytes(c, out, len);
		break;
	case 5:
		cursor_zeros(c, len);
		break;
	case 6:
		if (cursor_take(c, len) && len > 0 && c->failed)
			abort();
		break;
	default:
		cursor_take(c, SIZE_MAX - len);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t half = size / 2;
	struct cursor c = cursor_over(data + half, size - half);

	for (size_t i = 0; i < half; i++) {
		size_t before = cursor_left(&c);
		int failed = c.failed;
		uint64_t value = step(&c, data[i]);

		if (cursor_left(&c) > before || c.end != data + size || (failed && (!c.failed || value)))
			abort();
	}
	return 0;
}
