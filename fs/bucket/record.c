#include "fs/bucket/record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/file_io.h"

#define RECORD_LEN (2 * STATE_LEN)

static enum err open_file(int root_fd, int writable, int *fd_out)
{
	*fd_out = openat(root_fd, STATE_NAME, (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*fd_out >= 0)
		return ERR_OK;
	return errno == ENOENT ? err_set(ERR_NOT_FOUND, "the bucket lacks its " STATE_NAME ": restore that file from a backup")
			       : err_set_errno("cannot open " STATE_NAME);
}

enum err record_load(int root_fd, int writable, struct record *out, int *fd_out)
{
	uint8_t pages[RECORD_LEN] = { 0 };
	size_t got;
	enum err e;
	int fd;

	memset(out, 0, sizeof(*out));
	if (fd_out)
		*fd_out = -1;
	e = open_file(root_fd, writable, &fd);
	if (e != ERR_OK)
		return e;
	e = file_read(fd, pages, sizeof(pages), 0, &got);
	for (unsigned i = 0; e == ERR_OK && i < 2; i++) {
		memcpy(out->slots[out->count].page, pages + i * STATE_LEN, STATE_LEN);
		if (state_read(out->slots[out->count].page, &out->slots[out->count].state) == ERR_OK)
			out->count++;
	}
	if (e == ERR_OK && out->count == 0)
		e = err_set(ERR_FORMAT, STATE_NAME " is damaged: restore that file from a backup");
	if (out->count == 2 && out->slots[1].state.sequence > out->slots[0].state.sequence) {
		struct record swapped = *out;

		out->slots[0] = swapped.slots[1];
		out->slots[1] = swapped.slots[0];
	}
	if (e == ERR_OK && fd_out)
		*fd_out = fd;
	else
		close(fd);
	return e;
}

static enum err make_page(const struct state *s, const uint8_t *names_key, uint8_t *page)
{
	enum err e = state_write(s, page);

	if (e == ERR_OK)
		state_seal(page, names_key);
	return e;
}

enum err record_create(int root_fd, struct state *s, const uint8_t names_key[static 32])
{
	uint8_t pages[RECORD_LEN];
	enum err e;

	s->sequence = 1;
	e = make_page(s, names_key, pages + STATE_LEN);
	s->sequence = 2;
	if (e == ERR_OK)
		e = make_page(s, names_key, pages);
	return e == ERR_OK ? file_replace(root_fd, STATE_NAME, pages, sizeof(pages), 0600) : e;
}

enum err record_store(struct bucket *b, struct state *next)
{
	uint8_t page[STATE_LEN];
	enum err e;

	next->sequence = b->state.sequence + 1;
	e = make_page(next, b->names_key->bytes, page);
	if (e == ERR_OK)
		e = file_write(b->state_fd, page, sizeof(page), next->sequence % 2 * STATE_LEN);
	if (e == ERR_OK)
		e = file_sync(b->state_fd);
	if (e == ERR_OK)
		b->state = *next;
	return e;
}
