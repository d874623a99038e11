#include "fs/mount/holders.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct search {
	const struct mount_entry *mount;
	int proc_fd;			/* of /proc/PID */
	struct holder *found;
};

static int lies_inside(const struct search *s, const char *path)
{
	size_t len = strlen(s->mount->point);

	return strncmp(path, s->mount->point, len) == 0 && (path[len] == '/' || path[len] == 0 || strcmp(s->mount->point, "/") == 0);
}

static void keep(struct search *s, const char *what, const char *path)
{
	size_t len = strlen(path), room = sizeof(s->found->path) - 1;

	s->found->what = what;
	if (len > room) {
		path += len - room;
		while (((unsigned char)*path & 0xc0) == 0x80)	/* not into the middle of a character */
			path++;
	}
	snprintf(s->found->path, sizeof(s->found->path), "%s", path);
}

static int read_link(int fd, const char *name, char out[static PATH_MAX])
{
	ssize_t len = readlinkat(fd, name, out, PATH_MAX - 1);

	if (len < 0)
		return 0;
	out[len] = 0;
	return 1;
}

static int look_at_links(struct search *s)
{
	static const struct { const char *name, *what; } links[] = {
		{ "cwd", "has its current directory there" },
		{ "root", "has its root directory there" },
		{ "exe", "is a program of it" },
	};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (read_link(s->proc_fd, links[i].name, path) && lies_inside(s, path)) {
			keep(s, links[i].what, path);
			return 1;
		}
	return 0;
}

/* "mnt_id:\tN" of /proc/PID/fdinfo/FD. */
static int mount_id(int proc_fd, const char *name)
{
	char path[64], text[512], *at;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "fdinfo/%.20s", name);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0)
		return -1;
	text[got] = 0;
	at = strstr(text, "mnt_id:");
	return at ? atoi(at + 7) : -1;
}

static int look_at_files(struct search *s)
{
	int fd = openat(s->proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char path[PATH_MAX];

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (!found && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || mount_id(s->proc_fd, entry->d_name) != s->mount->id)
			continue;
		found = 1;
		keep(s, "has a file open", read_link(dirfd(dir), entry->d_name, path) ? path : "");
	}
	closedir(dir);
	return found;
}

/* "FROM-TO PERMISSIONS OFFSET MAJOR:MINOR INODE   PATH" */
static int look_at_maps(struct search *s)
{
	int fd = openat(s->proc_fd, "maps", O_RDONLY | O_CLOEXEC), found = 0, at;
	FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
	unsigned high, low;
	char *line = NULL;
	size_t room = 0;

	if (!maps) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (!found && getline(&line, &room, maps) > 0) {
		if (sscanf(line, "%*s %*s %*s %x:%x %*s %n", &high, &low, &at) < 2 || makedev(high, low) != s->mount->device)
			continue;
		found = 1;
		line[strcspn(line, "\n")] = 0;
		keep(s, "has a file mapped into memory", line + at);
	}
	free(line);
	fclose(maps);
	return found;
}

static void read_command(int proc_fd, char *out, size_t room)
{
	int fd = openat(proc_fd, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, out, room - 1);

	if (fd >= 0)
		close(fd);
	out[got > 0 ? got : 0] = 0;
	out[strcspn(out, "\n")] = 0;
}

enum err holders_each(const struct mount_entry *mount, int (*each)(void *context, const struct holder *h), void *context)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int stop = 0;

	if (!proc)
		return err_set_errno("cannot look at /proc");
	while (!stop && (entry = readdir(proc)) != NULL) {
		struct holder holder = { .pid = atoi(entry->d_name) };
		struct search s = { .mount = mount, .found = &holder };

		if (holder.pid <= 0 || holder.pid == getpid())
			continue;
		s.proc_fd = openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s.proc_fd < 0)
			continue;
		if (look_at_links(&s) || look_at_files(&s) || look_at_maps(&s)) {
			read_command(s.proc_fd, holder.command, sizeof(holder.command));
			stop = each(context, &holder);
		}
		close(s.proc_fd);
	}
	closedir(proc);
	return ERR_OK;
}
