#include "fs/mount/control_socket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SUFFIX ".sock"

/* Candidates of a user, best first; 0 behind the last. */
static int candidate(uid_t uid, int index, char out[static PATH_MAX])
{
	const char *runtime = uid == geteuid() ? getenv("XDG_RUNTIME_DIR") : NULL;

	if (uid == 0) {
		snprintf(out, PATH_MAX, "/run/rekeyfs");
		return index == 0;
	}
	if (index == 0 && runtime && runtime[0] == '/')
		snprintf(out, PATH_MAX, "%s/rekeyfs", runtime);
	else if (index == 0)
		snprintf(out, PATH_MAX, "/run/user/%u/rekeyfs", (unsigned)uid);
	else
		snprintf(out, PATH_MAX, "/tmp/rekeyfs-%u", (unsigned)uid);
	return index <= 1;
}

/* Owned by that user, closed to others: /tmp is everybody's. */
static int open_directory(const char *path, uid_t owner)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && st.st_uid == owner && (st.st_mode & 077) == 0)
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

static enum err make_directory(int *fd_out)
{
	char path[PATH_MAX];
	enum err e = ERR_OK;

	for (int i = 0; candidate(geteuid(), i, path); i++) {
		if (mkdir(path, 0700) != 0 && errno != EEXIST) {
			e = err_set_errno("cannot make the directory %s for the control socket", path);
			continue;
		}
		*fd_out = open_directory(path, geteuid());
		if (*fd_out >= 0)
			return ERR_OK;
		e = err_set_errno("the directory %s for the control socket must be yours, with mode 0700", path);
	}
	return e;
}

/* Through /proc/self/fd: a socket's address has room for 107 characters only. */
static void address(int dir_fd, const char *name, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
}

enum err control_socket_listen(const char *instance, int read_only, int *fd_out, int *dir_fd_out, char name_out[static 64])
{
	struct sockaddr_un at;
	char temporary[32];
	int fd = -1;
	enum err e = make_directory(dir_fd_out);

	*fd_out = -1;
	if (e != ERR_OK)
		return e;
	if (read_only)
		snprintf(name_out, 64, "%.36s.ro-%d" SUFFIX, instance, (int)getpid());
	else
		snprintf(name_out, 64, "%.36s" SUFFIX, instance);
	/* It gets its name when it listens: under that name one that refuses is dead. */
	snprintf(temporary, sizeof(temporary), "new-%d", (int)getpid());
	unlinkat(*dir_fd_out, temporary, 0);
	address(*dir_fd_out, temporary, &at);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	flock(*dir_fd_out, LOCK_EX);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || fchmodat(*dir_fd_out, temporary, 0600, 0) != 0 ||
	    listen(fd, 16) != 0 || renameat(*dir_fd_out, temporary, *dir_fd_out, name_out) != 0) {
		e = err_set_errno("cannot open the control socket");
		unlinkat(*dir_fd_out, temporary, 0);
		if (fd >= 0)
			close(fd);
		close(*dir_fd_out);
		*dir_fd_out = -1;
		return e;
	}
	flock(*dir_fd_out, LOCK_UN);
	*fd_out = fd;
	return ERR_OK;
}

void control_socket_remove(int dir_fd, const char *name)
{
	if (dir_fd < 0)
		return;
	unlinkat(dir_fd, name, 0);
	close(dir_fd);
}

enum err control_socket_peer(int fd, uid_t *uid_out, pid_t *pid_out)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
		return err_set_errno("cannot tell who is at the other end of the control socket");
	*uid_out = who.uid;
	*pid_out = who.pid;
	if (who.uid != 0 && who.uid != geteuid() && geteuid() != 0)
		return err_set(ERR_REFUSED, "the control socket belongs to another user");
	return ERR_OK;
}

static int try_connect(int fd, int dir_fd, const char *name)
{
	struct sockaddr_un at;

	address(dir_fd, name, &at);
	return connect(fd, (struct sockaddr *)&at, sizeof(at));
}

/* What a killed mount has left.  Under the lock, so that none that has just taken its place is meant. */
static void remove_dead(int fd, int dir_fd, const char *name)
{
	struct stat st;

	if (fstat(dir_fd, &st) != 0 || st.st_uid != geteuid() || flock(dir_fd, LOCK_EX) != 0)
		return;
	if (try_connect(fd, dir_fd, name) != 0 && errno == ECONNREFUSED)
		unlinkat(dir_fd, name, 0);
	flock(dir_fd, LOCK_UN);
}

enum err control_socket_connect(int dir_fd, const char *name, int *fd_out, pid_t *pid_out)
{
	uid_t uid;
	enum err e;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*fd_out = -1;
	if (fd < 0)
		return err_set_errno("cannot make a socket");
	if (try_connect(fd, dir_fd, name) == 0) {
		e = control_socket_peer(fd, &uid, pid_out);
	} else if (errno == ECONNREFUSED) {
		remove_dead(fd, dir_fd, name);
		e = err_set(ERR_NOT_FOUND, "no mount listens there");
	} else if (errno == ENOENT) {
		e = err_set(ERR_NOT_FOUND, "no mount listens there");
	} else {
		e = err_set_errno("cannot reach the mount");
	}
	if (e == ERR_OK)
		*fd_out = fd;
	else
		close(fd);
	return e;
}

static int each_in(const char *path, uid_t owner, int (*each)(void *context, int dir_fd, const char *name), void *context)
{
	int fd = open_directory(path, owner), result = 0;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return 0;
	}
	while (result == 0 && (entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);

		if (len > strlen(SUFFIX) && strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX) == 0)
			result = each(context, fd, entry->d_name);
	}
	closedir(dir);
	return result;
}

static int each_of(uid_t uid, int (*each)(void *context, int dir_fd, const char *name), void *context)
{
	char path[PATH_MAX];
	int result = 0;

	for (int i = 0; result == 0 && candidate(uid, i, path); i++)
		result = each_in(path, uid, each, context);
	return result;
}

/* Users with a runtime directory, and those whose sockets are in /tmp: for root. */
static int each_user(const char *directory, const char *prefix, int (*each)(void *context, int dir_fd, const char *name), void *context)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	int result = 0;

	while (dir && result == 0 && (entry = readdir(dir)) != NULL) {
		const char *digits = entry->d_name + strlen(prefix);
		char *end, path[PATH_MAX];
		unsigned long uid;

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		uid = strtoul(digits, &end, 10);
		if (end == digits || *end || uid == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", directory, entry->d_name, *prefix ? "" : "/rekeyfs");
		result = each_in(path, (uid_t)uid, each, context);
	}
	if (dir)
		closedir(dir);
	return result;
}

int control_socket_each(uid_t owner, int (*each)(void *context, int dir_fd, const char *name), void *context)
{
	uid_t self = geteuid();
	int result = each_of(self, each, context);

	if (result == 0 && self == 0)
		result = each_user("/run/user", "", each, context);
	if (result == 0 && self == 0)
		result = each_user("/tmp", "rekeyfs-", each, context);
	if (result == 0 && owner != self && self != 0)
		result = each_of(owner, each, context);
	return result;
}
