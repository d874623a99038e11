/* Noticing what other processes change. */
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
#include "keymgr/core/manager.h"

/* The events only say "look again": they are read away before looking, so that none is missed. */
static void drain(struct keymgr *k)
{
	char events[4096];

	pthread_mutex_lock(&k->mutex);
	while (k->watch_fd >= 0 && read(k->watch_fd, events, sizeof(events)) > 0)
		;
	pthread_mutex_unlock(&k->mutex);
}

enum err keymgr_generation(struct keymgr *k, uint64_t *out)
{
	enum err e;

	drain(k);
	e = manager_enter(k, ENTER_READ);
	if (e != ERR_OK)
		return e;
	*out = k->store->generation;
	manager_leave(k);
	return ERR_OK;
}

/* A new generation comes by a rename; appended events and the state's writes are none. */
static int watch_directory(const struct keymgr *k)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char *directory = strdup(k->path);

	if (directory)
		*(strrchr(directory, '/') + 1) = 0;
	if (fd >= 0 && (!directory || inotify_add_watch(fd, directory, IN_MOVED_TO | IN_ONLYDIR) < 0)) {
		close(fd);
		fd = -1;
	}
	free(directory);
	return fd;
}

int keymgr_watch(struct keymgr *k)
{
	int fd;

	pthread_mutex_lock(&k->mutex);
	if (k->watch_fd < 0)
		k->watch_fd = watch_directory(k);
	fd = k->watch_fd;
	pthread_mutex_unlock(&k->mutex);
	return fd;
}
