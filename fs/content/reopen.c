#include <fcntl.h>
#include <unistd.h>

#include "fs/content/group.h"

enum err content_make_writable(struct content *c, int fd)
{
	enum err e = ERR_OK;

	content_lock_quiet(c);
	if (!c->read_only)
		goto out;
	/* What a crash left is mended at opening alone. */
	if (c->suspect)
		e = ERR_BUSY;
	else if (dup3(fd, c->fd, O_CLOEXEC) < 0)
		e = err_errno();
	else
		c->read_only = 0;
out:
	pthread_rwlock_unlock(&c->lock);
	close(fd);
	return e;
}

enum err content_settle(struct content *c)
{
	content_lock_quiet(c);
	enum err e = sync_before_close(c);

	pthread_rwlock_unlock(&c->lock);
	return e;
}
