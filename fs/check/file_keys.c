#include "fs/check/file_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/file_io.h"

_Static_assert(SLOT_KEY_ID_LEN == KEY_ID_LEN && SLOT_MATERIAL_LEN == MATERIAL_ID_LEN, "slots name keys as the key manager does");

static enum err read_copy(int fd, const struct stat *st, enum tag_copy copy, struct file_keys *out, uint64_t generations[static 2])
{
	uint8_t page[PAGE_LEN];
	uint64_t at = layout_tag_page(0, copy);
	enum err e;

	if ((uint64_t)st->st_size <= at)
		return ERR_OK;
	e = file_read_all(fd, page, sizeof(page), at);
	if (e == ERR_OK)
		e = tag_page_read_header(page, &out->copies[out->count], &generations[out->count]);
	if (e == ERR_OK) {
		out->count++;
		return ERR_OK;
	}
	if (e == ERR_FORMAT || e == ERR_TRUNCATED)
		out->damaged++;
	else if (e != ERR_NOT_FOUND)
		return e;
	return ERR_OK;
}

enum err file_keys_read_open(int fd, const struct stat *st, struct file_keys *out)
{
	uint64_t generations[2];
	enum err e;

	memset(out, 0, sizeof(*out));
	out->size = layout_plain_size((uint64_t)st->st_size);
	e = read_copy(fd, st, COPY_A, out, generations);
	if (e == ERR_OK)
		e = read_copy(fd, st, COPY_B, out, generations);
	if (e == ERR_OK && out->count == 2 && generations[1] > generations[0]) {
		struct file_header older = out->copies[0];

		out->copies[0] = out->copies[1];
		out->copies[1] = older;
	}
	return e;
}

enum err file_keys_read(int dir_fd, const char *name, const struct stat *st, struct file_keys *out)
{
	int fd;
	enum err e;

	memset(out, 0, sizeof(*out));
	if (st->st_size == 0)
		return ERR_OK;
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : err_errno();
	e = file_keys_read_open(fd, st, out);
	close(fd);
	return e;
}

int key_slot_names(const struct key_slot *slot, const uint8_t key_id[static KEY_ID_LEN], const uint8_t *material_id)
{
	return memcmp(slot->key_id, key_id, KEY_ID_LEN) == 0 &&
	       (!material_id || memcmp(slot->material_id, material_id, MATERIAL_ID_LEN) == 0);
}

int file_keys_name(const struct file_keys *k, const uint8_t key_id[static KEY_ID_LEN], const uint8_t *material_id)
{
	for (unsigned i = 0; i < k->count; i++)
		for (unsigned s = 0; s < k->copies[i].slot_count; s++)
			if (key_slot_names(&k->copies[i].slots[s], key_id, material_id))
				return 1;
	return 0;
}

int file_keys_differ(const struct file_keys *k, const struct key_ref *from, int any_material)
{
	for (unsigned i = 0; i < k->count; i++)
		for (unsigned s = 0; s < k->copies[i].slot_count; s++)
			if (!key_slot_names(&k->copies[i].slots[s], from->key_id, any_material ? NULL : from->material_id))
				return 1;
	return k->damaged > 0;
}
