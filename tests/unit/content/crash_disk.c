#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"
#include "tests/lib/unit.h"
#include "tests/unit/content/crash_disk.h"

#define UNIT 4096u

static void reach(struct crash_disk *d, uint64_t size)
{
	if (size > d->room) {
		d->bytes = realloc(d->bytes, size * 2);
		assert_non_null(d->bytes);
		memset(d->bytes + d->room, 0, size * 2 - d->room);
		d->room = size * 2;
	}
}

static void add(struct crash_disk *d, int kind, uint64_t offset, const void *bytes, size_t len)
{
	if (d->count == d->max) {
		d->max = d->max ? d->max * 2 : 64;
		d->pending = realloc(d->pending, d->max * sizeof *d->pending);
		assert_non_null(d->pending);
	}
	struct unit *u = &d->pending[d->count++];
	*u = (struct unit){ kind, offset, len, NULL };
	if (bytes) {
		u->bytes = malloc(len);
		memcpy(u->bytes, bytes, len);
	}
}

static void apply(uint8_t **bytes, uint64_t *size, const struct unit *u)
{
	if (u->kind == 'W') {
		memcpy(*bytes + u->offset, u->bytes, u->len);
		if (u->offset + u->len > *size)
			*size = u->offset + u->len;
	} else if (u->kind == 'T') {
		if (u->offset < *size)
			memset(*bytes + u->offset, 0, *size - u->offset);
		*size = u->offset;
	} else if (u->offset < *size) {
		memset(*bytes + u->offset, 0, u->len < *size - u->offset ? u->len : *size - u->offset);
	}
}

static void harden(struct crash_disk *d)
{
	if (d->at_sync)
		d->at_sync(d->context);
	for (size_t i = 0; i < d->count; i++) {
		apply(&d->bytes, &d->size, &d->pending[i]);
		free(d->pending[i].bytes);
	}
	d->count = 0;
}

static int hear(void *context, const struct file_io_event *e)
{
	struct crash_disk *d = context;
	struct stat st;
	uint64_t at = e->offset;

	if (e->call == FILE_IO_SYNCFS) {
		harden(d);
		return 0;
	}
	if (fstat(e->fd, &st) || st.st_ino != d->inode)
		return 0;
	if (e->call == FILE_IO_SYNC) {
		harden(d);
	} else if (e->call == FILE_IO_TRUNCATE) {
		reach(d, e->offset);
		add(d, 'T', e->offset, NULL, 0);
	} else if (e->call == FILE_IO_PUNCH) {
		add(d, 'P', e->offset, NULL, e->len);
	} else if (e->call == FILE_IO_WRITE) {
		reach(d, e->offset + e->len + UNIT);
		for (int i = 0; i < e->iov_count; i++)
			for (size_t done = 0; done < e->iov[i].iov_len;) {
				size_t some = UNIT - at % UNIT;

				some = some < e->iov[i].iov_len - done ? some : e->iov[i].iov_len - done;
				add(d, 'W', at, (uint8_t *)e->iov[i].iov_base + done, some);
				done += some;
				at += some;
			}
	}
	return 0;
}

void crash_disk_start(struct crash_disk *d, int fd)
{
	struct stat st;

	memset(d, 0, sizeof *d);
	assert_int_equal(fstat(fd, &st), 0);
	d->inode = st.st_ino;
	file_io_set_hook(hear, d);
}

void crash_disk_stop(struct crash_disk *d)
{
	file_io_set_hook(NULL, NULL);
	for (size_t i = 0; i < d->count; i++)
		free(d->pending[i].bytes);
	free(d->pending);
	free(d->bytes);
}

void crash_disk_pause(struct crash_disk *d, int pause)
{
	file_io_set_hook(pause ? NULL : hear, d);
}

size_t crash_disk_writes(const struct crash_disk *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->count; i++)
		n += d->pending[i].kind == 'W';
	return n;
}

size_t crash_disk_sizes(const struct crash_disk *d)
{
	return d->count - crash_disk_writes(d);
}

void crash_disk_state(const struct crash_disk *d, int (*keep)(void *context, size_t i), void *context, size_t sizes, int fd)
{
	uint8_t *bytes = calloc(1, d->room + 1);
	uint64_t size = d->size;
	size_t writes = 0, changes = 0;

	assert_non_null(bytes);
	memcpy(bytes, d->bytes ? d->bytes : (uint8_t *)"", d->size);
	for (size_t i = 0; i < d->count; i++) {
		const struct unit *u = &d->pending[i];

		if (u->kind == 'W' ? keep(context, writes++) : changes++ < sizes)
			apply(&bytes, &size, u);
	}
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, bytes, size, 0), size);
	free(bytes);
}
