#include "fs/mount/mount_point.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELPER "fusermount3"

/* Runs it with its standard error in a pipe; `text` receives what it says. */
static enum err run_helper(char *const argv[], int *status_out, char *text, size_t room)
{
	static char *const environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", "LC_ALL=C", NULL };
	posix_spawn_file_actions_t actions;
	size_t used = 0;
	int ends[2], number;
	ssize_t got;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_set_errno("cannot run %s", argv[0]);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
	number = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while (number == 0 && used + 1 < room && ((got = read(ends[0], text + used, room - 1 - used)) > 0 || (got < 0 && errno == EINTR)))
		if (got > 0)
			used += (size_t)got;
	text[used] = 0;
	close(ends[0]);
	if (number != 0) {
		errno = number;
		return err_set_errno("cannot run %s (package fuse3)", argv[0]);
	}
	while (waitpid(pid, status_out, 0) < 0)
		if (errno != EINTR)
			return err_set_errno("cannot wait for %s", argv[0]);
	return ERR_OK;
}

static enum err unmount_by_helper(const char *point, int lazy)
{
	char text[512];
	char *argv[] = { HELPER, lazy ? "-uz" : "-u", "--", (char *)point, NULL };
	int status;
	enum err e = run_helper(argv, &status, text, sizeof(text));

	if (e != ERR_OK)
		return e;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return ERR_OK;
	text[strcspn(text, "\n")] = 0;
	if (strstr(text, "busy"))
		return err_set(ERR_BUSY, "%s is in use", point);
	return err_set(ERR_REFUSED, "cannot unmount %s: %s", point, text[0] ? text : HELPER " failed");
}

enum err mount_point_unmount(const char *point, int lazy)
{
	if (umount2(point, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return ERR_OK;
	switch (errno) {
	case EPERM:
		return unmount_by_helper(point, lazy);
	case EBUSY:
		return err_set(ERR_BUSY, "%s is in use", point);
	case EINVAL:
	case ENOENT:
		return err_set(ERR_NOT_FOUND, "%s is not mounted", point);
	default:
		return err_set_errno("cannot unmount %s", point);
	}
}
