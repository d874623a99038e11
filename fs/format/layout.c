#include "fs/format/layout.h"

uint64_t layout_tag_page(uint64_t group, enum tag_copy copy)
{
	return group * GROUP_LEN + (copy == COPY_A ? (uint64_t)(1 + GROUP_SPARES) * PAGE_LEN : 0);
}

uint64_t layout_slot(uint64_t group, unsigned slot)
{
	uint64_t page = slot < GROUP_BLOCKS ? GROUP_HEAD_PAGES + slot : 1 + (slot - GROUP_BLOCKS);

	return group * GROUP_LEN + page * PAGE_LEN;
}

uint64_t layout_lower_size(uint64_t plain)
{
	uint64_t last;

	if (!plain)
		return (uint64_t)GROUP_HEAD_PAGES * PAGE_LEN;
	last = (plain - 1) / PAGE_LEN;
	return layout_slot(last / GROUP_BLOCKS, (unsigned)(last % GROUP_BLOCKS)) + plain - last * PAGE_LEN;
}

uint64_t layout_plain_size(uint64_t lower)
{
	uint64_t rest = lower % GROUP_LEN, head = (uint64_t)GROUP_HEAD_PAGES * PAGE_LEN;

	return lower / GROUP_LEN * GROUP_PLAIN + (rest > head ? rest - head : 0);
}

uint64_t layout_groups(uint64_t plain)
{
	return plain ? (plain + GROUP_PLAIN - 1) / GROUP_PLAIN : 1;
}
