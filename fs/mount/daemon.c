#include "fs/mount/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void wait_for_child(pid_t pid, int fd)
{
	char byte;
	int status;
	ssize_t got;

	do
		got = read(fd, &byte, 1);
	while (got < 0 && errno == EINTR);
	if (got == 1)
		_exit(0);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			_exit(1);
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "rekeyfs: the mount's process was ended by signal %d before it was ready\n", WTERMSIG(status));
		_exit(1);
	}
	/* It ended well without ever being ready: unmounted meanwhile. */
	_exit(WEXITSTATUS(status));
}

enum err daemon_fork(struct daemon *d)
{
	int ends[2];
	pid_t pid;

	d->ready_fd = -1;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_set_errno("cannot go into the background");
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return err_set_errno("cannot go into the background");
	}
	if (pid > 0) {
		close(ends[1]);
		wait_for_child(pid, ends[0]);
	}
	close(ends[0]);
	d->ready_fd = ends[1];
	return ERR_OK;
}

void daemon_ready(struct daemon *d)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (chdir("/") != 0)
		perror("rekeyfs: cannot change to /");
	if (null >= 0) {
		for (int fd = 0; fd <= 2; fd++)
			dup2(null, fd);
		if (null > 2)
			close(null);
	}
	if (d->ready_fd >= 0) {
		/* Where nobody waits any more the mount is there all the same. */
		if (write(d->ready_fd, "r", 1) != 1)
			null = -1;
		close(d->ready_fd);
		d->ready_fd = -1;
	}
}
