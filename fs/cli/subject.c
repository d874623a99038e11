#include "fs/cli/subject.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/json.h"
#include "fs/bucket/bucket.h"
#include "fs/cli/cli.h"
#include "fs/cli/client.h"
#include "fs/mount/mount_point.h"

/* realpath, but the last component stays a symlink.  malloc'd. */
static char *real_parent(const char *path)
{
	size_t len = strlen(path);
	char *copy, *slash, *parent, *out = NULL;
	const char *last;

	while (len > 1 && path[len - 1] == '/')
		len--;
	copy = strndup(path, len);
	if (!copy)
		return NULL;
	slash = strrchr(copy, '/');
	last = slash ? slash + 1 : copy;
	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0) {
		out = realpath(copy, NULL);
	} else {
		if (slash)
			*slash = 0;
		parent = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
		if (parent && asprintf(&out, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, last) < 0)
			out = NULL;
		free(parent);
	}
	free(copy);
	return out;
}

/* An absolute path as the root of its mount, and what is left behind that. */
static enum err split_at_mount(const char *path, dev_t device, char **point, char **plain)
{
	char *at = strdup(path);
	size_t root = at ? strlen(at) : 0;
	struct stat st;

	if (!at)
		return ERR_NO_MEMORY;
	for (;;) {
		char *slash = strrchr(at, '/');

		if (!slash)
			break;
		*slash = 0;
		if (stat(*at ? at : "/", &st) != 0 || st.st_dev != device)
			break;
		root = strlen(at);
	}
	*point = root ? strndup(path, root) : strdup("/");
	*plain = strdup(path[root] == '/' ? path + root + 1 : path + root);
	free(at);
	return *point && *plain ? ERR_OK : ERR_NO_MEMORY;
}

static int is_mounted(dev_t device)
{
	struct mount_entry entry;
	int ours;

	if (mount_table_find_device(device, &entry) != ERR_OK)
		return 0;
	ours = mount_entry_is_ours(&entry);
	mount_entry_release(&entry);
	return ours;
}

static enum err find(const char *absolute, const struct stat *st, struct subject *out)
{
	size_t len;

	if (is_mounted(st->st_dev))
		return split_at_mount(absolute, st->st_dev, &out->point, &out->plain);
	out->bucket = bucket_find_root(absolute);
	if (!out->bucket)
		return err_set(ERR_NOT_FOUND, "%s is neither on a mounted bucket nor in a bucket", out->path);
	len = strlen(out->bucket);
	while (absolute[len] == '/')
		len++;
	out->cipher = strdup(absolute + len);
	return out->cipher ? ERR_OK : ERR_NO_MEMORY;
}

enum err subject_find(const char *path, int follow, struct subject *out)
{
	char *absolute;
	struct stat st;
	enum err e;

	memset(out, 0, sizeof(*out));
	out->path = path;
	absolute = follow ? realpath(path, NULL) : real_parent(path);
	if (!absolute || (follow ? stat(absolute, &st) : lstat(absolute, &st)) != 0)
		e = errno == ENOENT ? err_set(ERR_NOT_FOUND, "%s does not exist", path) : err_set_errno("%s", path);
	else
		e = find(absolute, &st, out);
	free(absolute);
	if (e != ERR_OK)
		subject_release(out);
	return e;
}

void subject_release(struct subject *s)
{
	free(s->point);
	free(s->plain);
	free(s->bucket);
	free(s->cipher);
	memset(s, 0, sizeof(*s));
}

json_t *subject_request(const struct subject *s, const char *verb)
{
	json_t *request = client_request(verb);

	if (request)
		json_object_set_new(request, "Path", json_base64(s->plain, strlen(s->plain)));
	return request;
}

enum err subject_call(const struct subject *s, json_t *request, json_t **reply_out)
{
	struct client *c;
	/* By the root: a symlink or FIFO has no attribute that names its bucket. */
	enum err e = client_open_path(s->point, &c);

	*reply_out = NULL;
	if (e != ERR_OK) {
		json_decref(request);
		return e;
	}
	e = client_call(c, request, NULL, NULL, reply_out);
	client_close(c);
	return e;
}

/* --- not mounted ------------------------------------------------------------------------------ */

enum err offline_open_with(const char *bucket, struct keymgr *k, struct offline *out)
{
	enum err e = bucket_open(bucket, k, BUCKET_READ_WRITE, 0, &out->bucket);

	if (e != ERR_OK)
		return e;
	e = tree_new(out->bucket, &out->tree);
	if (e == ERR_OK)
		e = walker_open(out->tree, &out->walker);
	return e;
}

enum err offline_open(const char *bucket, struct offline *out)
{
	enum err e;

	memset(out, 0, sizeof(*out));
	e = cli_open_keystore(&out->keymgr);
	return e == ERR_OK ? offline_open_with(bucket, out->keymgr, out) : e;
}

enum err offline_close(struct offline *o)
{
	enum err e = ERR_OK;

	walker_stop(o->walker);
	if (o->tree)
		tree_free(o->tree);
	if (o->bucket) {
		e = content_checkpoint(o->bucket);
		bucket_close(o->bucket, e == ERR_OK);
	}
	keymgr_close(o->keymgr);
	memset(o, 0, sizeof(*o));
	return e;
}
