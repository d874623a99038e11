/*
 * Signals: TERM, INT and HUP end the mount in good order.  They are blocked everywhere and taken by a thread of their own, so that what they
 * lead to may wait for FUSE's workers.
 */
#ifndef REKEYFS_FS_MOUNT_SIGNALS_H
#define REKEYFS_FS_MOUNT_SIGNALS_H

#include <pthread.h>
#include <stdatomic.h>
#include "base/error.h"

struct signals {
	pthread_t thread;
	int started;
	atomic_int stop;
	void (*end)(void *context);
	void *context;
};

/* Before any thread is made. */
void signals_block(void);
/* `end` is called once a signal, by the thread that waits for them. */
enum err signals_start(struct signals *s, void (*end)(void *context), void *context);
/* Waits for `end`, if it is running. */
void signals_stop(struct signals *s);
/* Makes a blocking system call of `thread` return with EINTR. */
void signals_interrupt(pthread_t thread);

#endif
