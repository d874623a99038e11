/* The header of a directory (names.h). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/cursor.h"
#include "base/file_io.h"
#include "base/kdf.h"
#include "base/secret.h"
#include "fs/names/names.h"

#define MAC_LEN 16u

_Static_assert(DIR_HEADER_TEXT == BASE64URL_LEN(UUID_LEN + MAC_LEN), "a header's text");

static void make_mac(const uint8_t *names_key, const uint8_t *bucket_id, const uint8_t *dir_id, uint8_t mac[static MAC_LEN])
{
	const struct kdf_fields fields = { .a = bucket_id };
	uint8_t key[KDF_KEY_LEN];

	kdf(names_key, KDF_DIRECTORY, &fields, key);
	kdf_mac(key, dir_id, UUID_LEN, mac, MAC_LEN);
	secret_wipe(key, sizeof(key));
}

void dir_header_make(const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN], const uint8_t dir_id[static UUID_LEN],
		     char out[static DIR_HEADER_TEXT + 1])
{
	uint8_t header[UUID_LEN + MAC_LEN];

	memcpy(header, dir_id, UUID_LEN);
	make_mac(names_key, bucket_id, dir_id, header + UUID_LEN);
	bytes_to_base64url(header, sizeof(header), out);
}

static enum err parse(const char *text, size_t len, uint8_t header[static UUID_LEN + MAC_LEN])
{
	size_t got;

	if (bytes_from_base64url(text, len, header, UUID_LEN + MAC_LEN, &got) != ERR_OK || got != UUID_LEN + MAC_LEN)
		return ERR_FORMAT;
	return ERR_OK;
}

enum err dir_header_check(const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN], const char *text, size_t len,
			  uint8_t dir_id_out[static UUID_LEN])
{
	uint8_t header[UUID_LEN + MAC_LEN], mac[MAC_LEN];
	enum err e = parse(text, len, header);

	memset(dir_id_out, 0, UUID_LEN);
	if (e != ERR_OK)
		return e;
	make_mac(names_key, bucket_id, header, mac);
	if (!secret_equal(mac, header + UUID_LEN, MAC_LEN))
		return ERR_NOT_AUTHENTIC;
	memcpy(dir_id_out, header, UUID_LEN);
	return ERR_OK;
}

enum err dir_header_id(const char *text, size_t len, uint8_t dir_id_out[static UUID_LEN])
{
	uint8_t header[UUID_LEN + MAC_LEN];
	enum err e = parse(text, len, header);

	memset(dir_id_out, 0, UUID_LEN);
	if (e == ERR_OK)
		memcpy(dir_id_out, header, UUID_LEN);
	return e;
}

static enum err read_file(int dir_fd, char *text, size_t max, size_t *len_out)
{
	int fd = openat(dir_fd, DIR_HEADER_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	enum err e;

	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : err_errno();
	e = file_read(fd, text, max, 0, len_out);
	close(fd);
	return e;
}

enum err dir_header_read(int dir_fd, char *text_out, size_t *len_out)
{
	char text[DIR_HEADER_TEXT + 1];
	ssize_t got = readlinkat(dir_fd, DIR_HEADER_NAME, text, sizeof(text));
	size_t len = got > 0 ? (size_t)got : 0;
	enum err e = ERR_OK;

	*len_out = 0;
	text_out[0] = 0;
	if (got < 0 && errno == EINVAL)
		e = read_file(dir_fd, text, sizeof(text), &len);
	else if (got < 0)
		e = errno == ENOENT ? ERR_NOT_FOUND : err_errno();
	if (e != ERR_OK)
		return e;
	if (len != DIR_HEADER_TEXT)
		return ERR_FORMAT;
	memcpy(text_out, text, len);
	text_out[len] = 0;
	*len_out = len;
	return ERR_OK;
}

/* For filesystems without symlinks: durable before the directory gets its name. */
static enum err write_file(int dir_fd, const char *text)
{
	int fd = openat(dir_fd, DIR_HEADER_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	enum err e;

	if (fd < 0)
		return err_errno();
	e = file_write(fd, text, strlen(text), 0);
	if (e == ERR_OK)
		e = file_sync_full(fd);
	if (close(fd) != 0 && e == ERR_OK)
		e = err_errno();
	return e;
}

enum err dir_header_write(int dir_fd, const char *text)
{
	if (symlinkat(text, dir_fd, DIR_HEADER_NAME) == 0)
		return ERR_OK;
	if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS)
		return write_file(dir_fd, text);
	return err_errno();
}
