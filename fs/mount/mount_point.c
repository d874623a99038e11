#include "fs/mount/mount_point.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/log.h"
#include "fs/bucket/bucket.h"

/* One that a filesystem without its process answers with. */
static int is_dead(int number)
{
	return number == ENOTCONN || number == ESHUTDOWN;
}

static enum err resolve_parent(const char *path, char **out)
{
	char *copy = strdup(path), *copy2 = strdup(path), *parent = NULL;
	enum err e = ERR_OK;

	if (!copy || !copy2) {
		e = ERR_NO_MEMORY;
		goto out;
	}
	parent = realpath(dirname(copy), NULL);
	if (!parent)
		e = err_set_errno("cannot find the mount point %s", path);
	else if (asprintf(out, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, basename(copy2)) < 0)
		e = ERR_NO_MEMORY;
out:
	free(copy);
	free(copy2);
	free(parent);
	return e;
}

enum err mount_point_resolve(const char *path, char **out)
{
	*out = realpath(path, NULL);
	if (*out)
		return ERR_OK;
	if (is_dead(errno))
		return resolve_parent(path, out);
	if (errno == ENOENT)
		return err_set(ERR_NOT_FOUND, "the mount point %s does not exist: make it with mkdir", path);
	return err_set_errno("cannot use the mount point %s", path);
}

/* A filesystem whose process was killed still stands in the table.  statfs(2) asks it; for stat(2) the kernel may still
 * know the answer. */
static enum err detach_dead(const char *point)
{
	struct mount_entry entry;
	struct statfs st;
	enum err e;

	while (statfs(point, &st) != 0 && is_dead(errno)) {
		e = mount_table_find(point, &entry);
		if (e != ERR_OK)
			return err_set(e, "%s does not answer, and is no mount point: unmount what it lies in", point);
		if (strncmp(entry.type, "fuse", 4) != 0) {
			e = err_set(ERR_REFUSED, "%s is a dead mount of type %s: unmount it first", point, entry.type);
			mount_entry_release(&entry);
			return e;
		}
		mount_entry_release(&entry);
		e = mount_point_unmount(point, 1);
		if (e != ERR_OK)
			return e;
		log_info("detached the mount that a killed process had left at the mount point");
	}
	return ERR_OK;
}

static int is_inside(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	return strcmp(directory, "/") == 0 ||
	       (strncmp(path, directory, len) == 0 && (path[len] == '/' || path[len] == 0));
}

static enum err check_empty(const char *point)
{
	DIR *dir = opendir(point);
	struct dirent *entry;
	enum err e = ERR_OK;

	if (!dir)
		return err_set_errno("cannot look into the mount point %s", point);
	while (e == ERR_OK && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			e = err_set(ERR_REFUSED, "the mount point %s is not empty: what it holds would be hidden; "
				    "choose an empty directory", point);
	closedir(dir);
	return e;
}

static enum err check_usable(const char *bucket, const char *point)
{
	struct mount_entry entry;
	struct stat st;
	char *root;
	enum err e;

	if (stat(point, &st) != 0)
		return err_set_errno("cannot use the mount point %s", point);
	if (!S_ISDIR(st.st_mode))
		return err_set(ERR_REFUSED, "the mount point %s is not a directory", point);
	if (is_inside(point, bucket))
		return err_set(ERR_REFUSED, "the mount point %s lies inside the bucket %s: choose a directory elsewhere", point, bucket);
	if (is_inside(bucket, point))
		return err_set(ERR_REFUSED, "the bucket %s lies inside the mount point %s, which would hide it: "
			       "choose a directory elsewhere", bucket, point);
	root = bucket_find_root(point);
	if (root) {
		e = err_set(ERR_REFUSED, "the mount point %s lies inside the bucket %s: choose a directory elsewhere", point, root);
		free(root);
		return e;
	}
	if (mount_table_find(point, &entry) == ERR_OK) {
		e = mount_entry_is_ours(&entry) ? err_set(ERR_BUSY, "the bucket %s is mounted at %s already: see `rekeyfs status`",
							  entry.source, point) : ERR_OK;
		mount_entry_release(&entry);
		if (e != ERR_OK)
			return e;
	}
	return check_empty(point);
}

enum err mount_point_check(const char *bucket, const char *path, char **out)
{
	char *point;
	enum err e = mount_point_resolve(path, &point);

	*out = NULL;
	if (e != ERR_OK)
		return e;
	e = detach_dead(point);
	if (e == ERR_OK)
		e = check_usable(bucket, point);
	if (e == ERR_OK)
		*out = point;
	else
		free(point);
	return e;
}

void mount_point_read_ahead(dev_t device, unsigned kib)
{
	char path[64], text[16];
	int fd, len;

	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", major(device), minor(device));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	len = snprintf(text, sizeof(text), "%u\n", kib);
	if (write(fd, text, (size_t)len) != len)
		log_info("cannot raise the read-ahead: %s", err_text(err_errno()));
	close(fd);
}
