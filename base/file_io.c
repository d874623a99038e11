#include "base/file_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static file_io_hook_fn hook;
static void *hook_context;

void file_io_set_hook(file_io_hook_fn new_hook, void *context)
{
	hook = new_hook;
	hook_context = context;
}

/* ERR_OK, or the errno that the hook wants. */
static enum err ask(const struct file_io_event *event)
{
	int number = hook ? hook(hook_context, event) : 0;

	return number ? (enum err)(ERR_ERRNO + number) : ERR_OK;
}

static enum err ask_simple(enum file_io_call call, int fd, uint64_t offset, size_t len)
{
	struct file_io_event event = { .call = call, .fd = fd, .offset = offset, .len = len };

	return ask(&event);
}

enum err file_read(int fd, void *out, size_t len, uint64_t offset, size_t *got_out)
{
	enum err e = ask_simple(FILE_IO_READ, fd, offset, len);
	size_t done = 0;

	*got_out = 0;
	if (e != ERR_OK)
		return e;
	while (done < len) {
		ssize_t got = pread(fd, (uint8_t *)out + done, len - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno();
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*got_out = done;
	return ERR_OK;
}

enum err file_read_all(int fd, void *out, size_t len, uint64_t offset)
{
	size_t got;
	enum err e = file_read(fd, out, len, offset, &got);

	if (e == ERR_OK && got < len)
		return ERR_TRUNCATED;
	return e;
}

enum err file_write(int fd, const void *bytes, size_t len, uint64_t offset)
{
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = len };

	return file_write_vector(fd, &iov, 1, offset);
}

/* Step over `done` bytes and over empty vectors. */
static void advance(struct iovec **iov, int *count, size_t done)
{
	while (*count > 0 && done >= (*iov)->iov_len) {
		done -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count > 0) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + done;
		(*iov)->iov_len -= done;
	}
}

enum err file_write_vector(int fd, struct iovec *iov, int count, uint64_t offset)
{
	struct file_io_event event = { .call = FILE_IO_WRITE, .fd = fd, .offset = offset,
				       .iov = iov, .iov_count = count };
	enum err e;

	for (int i = 0; i < count; i++)
		event.len += iov[i].iov_len;
	e = ask(&event);
	if (e != ERR_OK)
		return e;
	advance(&iov, &count, 0);
	while (count > 0) {
		ssize_t put = pwritev(fd, iov, count < IOV_MAX ? count : IOV_MAX, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_errno();
		if (put == 0)
			return (enum err)(ERR_ERRNO + ENOSPC);
		offset += (size_t)put;
		advance(&iov, &count, (size_t)put);
	}
	return ERR_OK;
}

/* fdatasync and its like after EINTR: asked again, what it did counts. */
static enum err sync_by(int (*sync_call)(int), enum file_io_call call, int fd)
{
	enum err e = ask_simple(call, fd, 0, 0);

	if (e != ERR_OK)
		return e;
	while (sync_call(fd) != 0)
		if (errno != EINTR)
			return err_errno();
	return ERR_OK;
}

enum err file_sync(int fd)
{
	return sync_by(fdatasync, FILE_IO_SYNC, fd);
}

enum err file_sync_full(int fd)
{
	return sync_by(fsync, FILE_IO_SYNC, fd);
}

enum err file_sync_filesystem(int fd)
{
	return sync_by(syncfs, FILE_IO_SYNCFS, fd);
}

enum err file_truncate(int fd, uint64_t size)
{
	enum err e = ask_simple(FILE_IO_TRUNCATE, fd, size, 0);

	if (e != ERR_OK)
		return e;
	while (ftruncate(fd, (off_t)size) != 0)
		if (errno != EINTR)
			return err_errno();
	return ERR_OK;
}

enum err file_punch(int fd, uint64_t offset, uint64_t len)
{
	enum err e = ask_simple(FILE_IO_PUNCH, fd, offset, len);

	if (e != ERR_OK)
		return e;
	while (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len) != 0)
		if (errno != EINTR)
			return err_errno();
	return ERR_OK;
}

static enum err open_at(int dir_fd, const char *name, int flags, mode_t mode, int *fd_out)
{
	enum err e = ask_simple(FILE_IO_OPEN, dir_fd, 0, 0);

	*fd_out = -1;
	if (e != ERR_OK)
		return e;
	do
		*fd_out = openat(dir_fd, name, flags | O_CLOEXEC | O_NOCTTY, mode);
	while (*fd_out < 0 && errno == EINTR);
	return *fd_out < 0 ? err_errno() : ERR_OK;
}

/* Reads to the end, for files that cannot seek as well. */
static enum err read_to_end(int fd, uint8_t *out, size_t room, size_t *got_out)
{
	enum err e = ask_simple(FILE_IO_READ, fd, 0, room);
	size_t done = 0;

	while (e == ERR_OK && done < room) {
		ssize_t got = read(fd, out + done, room - done);

		if (got == 0)
			break;
		if (got > 0)
			done += (size_t)got;
		else if (errno != EINTR)
			e = err_errno();
	}
	*got_out = done;
	return e;
}

enum err file_load(int dir_fd, const char *name, size_t max, uint8_t **out, size_t *len_out)
{
	/* A name in a directory that somebody opened is an entry of it, not a way elsewhere. */
	int entry = dir_fd != AT_FDCWD;
	uint8_t *bytes = NULL;
	struct stat st;
	size_t room, got;
	enum err e;
	int fd;

	*out = NULL;
	*len_out = 0;
	e = open_at(dir_fd, name, O_RDONLY | (entry ? O_NOFOLLOW | O_NONBLOCK : 0), 0, &fd);
	if (e != ERR_OK)
		return e == (enum err)(ERR_ERRNO + ENOENT) ? ERR_NOT_FOUND : e;
	if (fstat(fd, &st) != 0) {
		e = err_errno();
		goto out;
	}
	e = entry && !S_ISREG(st.st_mode) ? ERR_FORMAT : ERR_OK;
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max)
		e = ERR_LIMIT;
	if (e != ERR_OK)
		goto out;
	/* Files of /proc and /sys have no size; one buffer, since bytes may be secret. */
	room = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 1 : max + 1;
	bytes = malloc(room + 1);
	e = bytes ? read_to_end(fd, bytes, room, &got) : ERR_NO_MEMORY;
	if (e == ERR_OK && got == room)		/* too long, or it grows under us */
		e = room == max + 1 ? ERR_LIMIT : ERR_BUSY;
	if (e != ERR_OK)
		goto out;
	bytes[got] = 0;
	*out = bytes;
	*len_out = got;
	bytes = NULL;
out:
	close(fd);
	if (bytes)
		explicit_bzero(bytes, room);
	free(bytes);
	return e;
}

/* The directory that holds `name`, open for fsync, and the last part of the name. */
static enum err open_parent(int dir_fd, const char *name, int *fd_out, const char **last_out)
{
	const char *slash = strrchr(name, '/');
	char parent[PATH_MAX] = ".";
	int len = slash == name ? 1 : slash ? (int)(slash - name) : 0;

	*fd_out = -1;
	if (len >= PATH_MAX)
		return ERR_TOO_LONG;
	if (slash)
		snprintf(parent, sizeof(parent), "%.*s", len, name);
	*last_out = slash ? slash + 1 : name;
	return open_at(dir_fd, parent, O_RDONLY | O_DIRECTORY, 0, fd_out);
}

static enum err rename_in(int dir_fd, const char *from, const char *to)
{
	enum err e = ask_simple(FILE_IO_RENAME, dir_fd, 0, 0);

	if (e == ERR_OK && renameat(dir_fd, from, dir_fd, to) != 0)
		e = err_errno();
	return e;
}

enum err file_replace(int dir_fd, const char *name, const void *bytes, size_t len, mode_t mode)
{
	char temporary[NAME_MAX + 1];
	const char *last;
	int parent, fd = -1;
	enum err e;

	e = open_parent(dir_fd, name, &parent, &last);
	if (e != ERR_OK)
		return e;
	if (snprintf(temporary, sizeof(temporary), "%s.new", last) >= (int)sizeof(temporary)) {
		close(parent);
		return ERR_TOO_LONG;
	}
	unlinkat(parent, temporary, 0);		/* left by a crash */
	e = open_at(parent, temporary, O_WRONLY | O_CREAT | O_EXCL, mode ? mode : 0600, &fd);
	if (e == ERR_OK)
		e = file_write(fd, bytes, len, 0);
	if (e == ERR_OK)
		e = file_sync_full(fd);
	if (fd >= 0 && close(fd) != 0 && e == ERR_OK)
		e = err_errno();
	if (e == ERR_OK)
		e = rename_in(parent, temporary, last);
	if (e != ERR_OK && fd >= 0)
		unlinkat(parent, temporary, 0);
	if (e == ERR_OK)
		e = file_sync_full(parent);
	close(parent);
	return e;
}

static enum err set_lock(int fd, short type, int wait)
{
	struct flock range = { .l_type = type, .l_whence = SEEK_SET };

	while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range) != 0) {
		if (errno == EAGAIN || errno == EACCES)
			return ERR_BUSY;
		if (errno != EINTR)
			return err_errno();
	}
	return ERR_OK;
}

enum err file_lock(int fd, int exclusive, int wait)
{
	return set_lock(fd, exclusive ? F_WRLCK : F_RDLCK, wait);
}

enum err file_unlock(int fd)
{
	return set_lock(fd, F_UNLCK, 0);
}
