/*
 * Layout arithmetic of a regular file's content: no I/O, no cryptography.
 *
 * The lower file is a row of groups.  A group holds 64 blocks of 4 KiB:
 *
 *   page   0    1 … 6          7    8 … 71
 *          [TB] [spare slots]  [TA] [data slots: the blocks' homes]
 *
 * TA is written first, so that a new group's tag page and data are one contiguous
 * write; TB and the spares are holes until the first overwrite.  Slots are numbered
 * 0 to 63 (homes) and 64 to 69 (spares).
 *
 * The plain size follows from the lower size alone: home of the last block + its
 * length.  A lower size of (0, 8 pages) never belongs to content: such a regular
 * file holds a long symlink's target (fs/names/symlink.h).
 */
#ifndef REKEYFS_FS_FORMAT_LAYOUT_H
#define REKEYFS_FS_FORMAT_LAYOUT_H

#include <stdint.h>

#define PAGE_LEN 4096u
#define GROUP_BLOCKS 64u
#define GROUP_SPARES 6u
#define GROUP_SLOTS (GROUP_BLOCKS + GROUP_SPARES)
#define GROUP_HEAD_PAGES (2u + GROUP_SPARES)
#define GROUP_PAGES (GROUP_HEAD_PAGES + GROUP_BLOCKS)
#define GROUP_LEN ((uint64_t)GROUP_PAGES * PAGE_LEN)		/* lower bytes of a group */
#define GROUP_PLAIN ((uint64_t)GROUP_BLOCKS * PAGE_LEN)	/* plain bytes of a group */
#define PLAIN_MAX ((uint64_t)1 << 43)	/* 8 TiB: the lower file stays below ext4's 16 TiB */

enum tag_copy { COPY_A, COPY_B };	/* TA, TB */

/* Offset in the lower file of a tag page, of a slot (0 to 69). */
uint64_t layout_tag_page(uint64_t group, enum tag_copy copy);
uint64_t layout_slot(uint64_t group, unsigned slot);
/* Lower size of a file of `plain` bytes that has a tag page; at least 8 pages. */
uint64_t layout_lower_size(uint64_t plain);
/* Plain size by the lower size alone: 0 for what has no data. */
uint64_t layout_plain_size(uint64_t lower);
/* Groups that `plain` bytes touch (at least 1: the first carries the header). */
uint64_t layout_groups(uint64_t plain);

#endif
