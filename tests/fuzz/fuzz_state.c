/* A slot of rekeyfs.state, padded to its length: what is read is written as it was, but for the MAC. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "fs/bucket/state.h"
#include "tests/lib/fixed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t page[STATE_LEN] = { 0 }, again[STATE_LEN];
	struct fixed f = fixed_make();
	struct state s;

	memcpy(page, data, size < sizeof(page) ? size : sizeof(page));
	if (state_read(page, &s) != ERR_OK)
		return 0;
	if (state_write(&s, again) != ERR_OK || memcmp(page, again, STATE_LEN - 32) != 0)
		abort();
	state_seal(again, f.names_key);
	if (state_verify(again, f.names_key) != ERR_OK)
		abort();
	return 0;
}
