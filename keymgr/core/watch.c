/* Noticing what other processes change. */
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
int keymgr_watch(struct keymgr *k)
{
	char *slash;
	int fd;

	pthread_mutex_lock(&k->mutex);
	if (k->watch_fd < 0) {
		k->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		slash = strrchr(k->path, '/');
		*slash = 0;
		if (k->watch_fd >= 0 &&
		    inotify_add_watch(k->watch_fd, *k->path ? k->path : "/", IN_MOVED_TO | IN_ONLYDIR) < 0) {
			close(k->watch_fd);
			k->watch_fd = -1;
		}
		*slash = '/';
	}
	fd = k->watch_fd;
	pthread_mutex_unlock(&k->mutex);
	return fd;
}
