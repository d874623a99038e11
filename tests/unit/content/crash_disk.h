/*
 * A disk for one file that remembers what reached it: page writes, sizes and syncs, heard through base/file_io's hook.  From
 * it comes any state that a power cut may leave: all up to the last sync, of the page writes since then any subset, and of the
 * size changes since then (which a journal orders) any prefix.
 */
#ifndef REKEYFS_TESTS_CRASH_DISK_H
#define REKEYFS_TESTS_CRASH_DISK_H

#include <stddef.h>
#include <stdint.h>

struct unit { int kind; uint64_t offset; size_t len; uint8_t *bytes; };	/* kind: 'W', 'T' (size), 'P' (punch) */

struct crash_disk {
	uint64_t inode;
	uint8_t *bytes;			/* durable */
	uint64_t size, room;
	struct unit *pending;
	size_t count, max;
	void (*at_sync)(void *context);	/* just before what is pending becomes durable */
	void *context;
};

void crash_disk_start(struct crash_disk *d, int fd);	/* takes the hook */
void crash_disk_stop(struct crash_disk *d);
/* While paused nothing is recorded. */
void crash_disk_pause(struct crash_disk *d, int pause);
/* Number of data writes and of size changes that are pending. */
size_t crash_disk_writes(const struct crash_disk *d);
size_t crash_disk_sizes(const struct crash_disk *d);
/* Write the state with data write i where keep(context, i), and the first `sizes` size changes, to `fd`. */
void crash_disk_state(const struct crash_disk *d, int (*keep)(void *context, size_t i), void *context, size_t sizes, int fd);

#endif
