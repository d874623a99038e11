#include "fs/bucket/lock.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file_io.h"

#define NOTE_MAX (PATH_MAX + 256)

/* What the holder wrote; whoever can write to the bucket can write there: printable characters alone. */
static void read_note(int fd, char out[static NOTE_MAX])
{
	size_t got = 0;

	if (file_read(fd, out, NOTE_MAX - 1, 0, &got) != ERR_OK)
		got = 0;
	out[got] = 0;
	out[strcspn(out, "\n")] = 0;
	for (char *c = out; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
}

enum err lock_take(int root_fd, const char *path, int *fd_out)
{
	int fd = openat(root_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	char note[NOTE_MAX];
	struct stat st;
	enum err e;

	*fd_out = -1;
	if (fd < 0)
		return err_set_errno("cannot open %s/" LOCK_NAME, path);
	e = fstat(fd, &st) == 0 ? ERR_OK : err_errno();
	if (e == ERR_OK && !S_ISREG(st.st_mode))
		e = err_set(ERR_FORMAT, "%s/" LOCK_NAME " is not a regular file", path);
	if (e == ERR_OK)
		e = file_lock(fd, 1, 0);
	if (e == ERR_BUSY) {
		read_note(fd, note);
		err_set(e, "bucket %s is in use%s%s: unmount it there first", path, note[0] ? " by " : "", note);
	}
	if (e == ERR_OK)
		e = lock_write_note(fd, NULL);
	if (e != ERR_OK) {
		close(fd);
		return e;
	}
	*fd_out = fd;
	return ERR_OK;
}

enum err lock_write_note(int lock_fd, const char *note)
{
	char text[NOTE_MAX], host[HOST_NAME_MAX + 1] = "?";
	enum err e;
	int len;

	gethostname(host, sizeof(host));
	host[sizeof(host) - 1] = 0;
	len = snprintf(text, sizeof(text), "pid %ld on %s%s%s\n", (long)getpid(), host, note ? ", " : "", note ? note : "");
	if (len >= (int)sizeof(text))
		return ERR_TOO_LONG;
	e = file_truncate(lock_fd, 0);
	return e == ERR_OK ? file_write(lock_fd, text, (size_t)len, 0) : e;
}

enum err lock_clock(int lock_fd, int64_t *out)
{
	struct stat st;

	*out = 0;
	if (futimens(lock_fd, NULL) != 0 || fstat(lock_fd, &st) != 0)
		return err_errno();
	*out = st.st_ctim.tv_sec;
	return ERR_OK;
}
