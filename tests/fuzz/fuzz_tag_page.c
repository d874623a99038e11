/* Tag pages: whatever is accepted is written back to the same bytes, but for the MAC. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fs/format/tag_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t page[PAGE_LEN] = { 0 }, again[PAGE_LEN] = { 0 };
	struct file_header header;
	struct tag_page out;
	uint64_t generation;

	memcpy(page, data, size < PAGE_LEN ? size : PAGE_LEN);
	for (uint64_t group = 0; group < 2; group++) {
		if (tag_page_read(page, group, &out))
			continue;
		if (tag_page_write(&out, again) || memcmp(page, again, TAG_MAC_AT))
			abort();
	}
	tag_page_read_header(page, &header, &generation);
	return 0;
}
