#include "fs/cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include "base/json.h"
#include "fs/bucket/bucket.h"
#include "fs/mount/control_socket.h"
#include "fs/mount/mount_point.h"

#define BUCKET_XATTR "user.rekeyfs.bucket"
#define LINE_MAX_LEN (64u * 1024 * 1024)

struct client {
	int fd, pid_fd;
	pid_t pid;
	char *buffer;
	size_t used, room;
	size_t taken;		/* of the buffer: the line handed out last */
};

json_t *client_request(const char *verb)
{
	return json_pack("{s:s}", "verb", verb);
}

static enum err connect_to(int dir_fd, const char *name, struct client **out)
{
	struct client *c = calloc(1, sizeof(*c));
	enum err e;

	*out = NULL;
	if (!c)
		return ERR_NO_MEMORY;
	c->pid_fd = -1;
	e = control_socket_connect(dir_fd, name, &c->fd, &c->pid);
	if (e != ERR_OK) {
		free(c);
		return e;
	}
	if (c->pid > 0)
		c->pid_fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	*out = c;
	return ERR_OK;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	close(c->fd);
	if (c->pid_fd >= 0)
		close(c->pid_fd);
	free(c->buffer);
	free(c);
}

pid_t client_pid(const struct client *c)
{
	return c->pid;
}

enum err client_send(struct client *c, json_t *request)
{
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0, done = 0;
	enum err e = text ? ERR_OK : ERR_NO_MEMORY;

	if (text)
		text[len++] = '\n';
	while (e == ERR_OK && done < len) {
		ssize_t sent = send(c->fd, text + done, len - done, MSG_NOSIGNAL);

		if (sent >= 0)
			done += (size_t)sent;
		else if (errno != EINTR)
			e = err_set(ERR_CANCELLED, "the mount went away");
	}
	free(text);
	json_decref(request);
	return e;
}

/* The next line, without its newline; valid until the next call.  ERR_CANCELLED at the end. */
static enum err next_line(struct client *c, char **line_out, size_t *len_out)
{
	char *end, *grown;
	ssize_t got;

	if (c->taken) {
		memmove(c->buffer, c->buffer + c->taken, c->used - c->taken);
		c->used -= c->taken;
		c->taken = 0;
	}
	while (!(end = c->used ? memchr(c->buffer, '\n', c->used) : NULL)) {
		if (c->used == c->room) {
			if (c->room >= LINE_MAX_LEN)
				return err_set(ERR_LIMIT, "the mount's answer is too long");
			grown = realloc(c->buffer, c->room ? c->room * 2 : 8192);
			if (!grown)
				return ERR_NO_MEMORY;
			c->buffer = grown;
			c->room = c->room ? c->room * 2 : 8192;
		}
		got = recv(c->fd, c->buffer + c->used, c->room - c->used, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_set(ERR_CANCELLED, "the mount went away");
		c->used += (size_t)got;
	}
	*line_out = c->buffer;
	*len_out = (size_t)(end - c->buffer);
	c->taken = *len_out + 1;
	return ERR_OK;
}

static enum err error_of(const json_t *reply)
{
	const char *message;
	long long code;

	if (json_is_true(json_object_get(reply, "ok")))
		return ERR_OK;
	if (json_get_integer(reply, "error", &code) != ERR_OK || code <= 0 || code > 100000 ||
	    json_get_string(reply, "message", &message) != ERR_OK)
		return err_set(ERR_FORMAT, "the mount's answer makes no sense");
	return err_set((enum err)code, "%s", message);
}

enum err client_call(struct client *c, json_t *request, void (*progress)(void *context, const json_t *line), void *context, json_t **reply_out)
{
	json_t *reply = NULL, *interim;
	size_t len;
	char *line;
	enum err e = client_send(c, request);

	*reply_out = NULL;
	while (e == ERR_OK) {
		e = next_line(c, &line, &len);
		if (e == ERR_OK)
			e = json_parse(line, len, &reply);
		if (e != ERR_OK)
			break;
		interim = json_object_get(reply, "progress");
		if (!interim) {
			e = error_of(reply);
			break;
		}
		if (progress)
			progress(context, interim);
		json_decref(reply);
		reply = NULL;
	}
	if (e == ERR_OK)
		*reply_out = reply;
	else
		json_decref(reply);
	return e;
}

/* --- finding the mount ------------------------------------------------------------- */

struct search {
	char device[32];			/* empty: any; the one that writes before others */
	const char *bucket;			/* its path, or NULL */
	struct client *found;
	int (*each)(void *context, const json_t *status);
	void *context;
};

static int text_is(const json_t *status, const char *key, const char *text)
{
	const char *value;

	return json_get_string(status, key, &value) == ERR_OK && strcmp(value, text) == 0;
}

static int matches(const struct search *s, const json_t *status)
{
	return (!s->device[0] || text_is(status, "Device", s->device)) && (!s->bucket || text_is(status, "Bucket", s->bucket));
}

/* A connection serves one request: asking who it is takes one of its own. */
static int ask_status(int dir_fd, const char *name, json_t **out)
{
	struct client *c;
	enum err e = connect_to(dir_fd, name, &c);

	*out = NULL;
	if (e != ERR_OK)
		return 0;
	e = client_call(c, client_request("status"), NULL, NULL, out);
	client_close(c);
	return e == ERR_OK;
}

static int look(void *context, int dir_fd, const char *name)
{
	struct search *s = context;
	json_t *status;
	int writes;

	if (!ask_status(dir_fd, name, &status))
		return 0;
	writes = !json_is_true(json_object_get(status, "ReadOnly"));
	if (matches(s, status) && (!s->found || writes)) {
		client_close(s->found);
		connect_to(dir_fd, name, &s->found);
	}
	json_decref(status);
	return s->found && (writes || s->device[0]);
}

enum err client_open_path(const char *path, struct client **out)
{
	struct search s = { .device = "" };
	struct mount_entry entry;
	struct stat st;
	uid_t owner = geteuid();

	*out = NULL;
	if (stat(path, &st) != 0)
		return err_set_errno("%s", path);
	if (lgetxattr(path, BUCKET_XATTR, NULL, 0) <= 0)
		return err_set(ERR_NOT_FOUND, "%s lies in no mounted bucket", path);
	snprintf(s.device, sizeof(s.device), "%u:%u", major(st.st_dev), minor(st.st_dev));
	if (mount_table_find_device(st.st_dev, &entry) == ERR_OK) {
		owner = entry.owner;
		mount_entry_release(&entry);
	}
	control_socket_each(owner, look, &s);
	*out = s.found;
	if (!s.found)
		return err_set(ERR_NOT_FOUND, "the process that serves %s cannot be reached: it belongs to another user, or runs elsewhere", path);
	return ERR_OK;
}

enum err client_open_bucket(const char *bucket, struct client **out)
{
	struct search s = { .device = "" };
	char *root = bucket_find_root(bucket);

	*out = NULL;
	if (!root)
		return err_set(ERR_NOT_FOUND, "%s lies in no bucket", bucket);
	s.bucket = root;
	control_socket_each(geteuid(), look, &s);
	*out = s.found;
	free(root);
	return s.found ? ERR_OK : err_set(ERR_NOT_FOUND, "the bucket %s is not mounted", bucket);
}

static int tell(void *context, int dir_fd, const char *name)
{
	struct search *s = context;
	json_t *status;
	int stop;

	if (!ask_status(dir_fd, name, &status))
		return 0;
	stop = s->each(s->context, status);
	json_decref(status);
	return stop;
}

int clients_each(int (*each)(void *context, const json_t *status), void *context)
{
	struct search s = { .each = each, .context = context };

	return control_socket_each(geteuid(), tell, &s);
}

/* --- waiting for the end -------------------------------------------------------------- */

static enum err read_farewell(struct client *c, enum err *result_out)
{
	size_t len;
	char *line;
	json_t *reply;
	enum err e = next_line(c, &line, &len);

	if (e == ERR_OK)
		e = json_parse(line, len, &reply);
	if (e != ERR_OK)
		return ERR_CANCELLED;
	*result_out = error_of(reply);
	json_decref(reply);
	return ERR_OK;
}

enum err client_wait_end(struct client *c, int seconds, enum err *result_out)
{
	struct pollfd polls[] = { { .fd = c->pid_fd, .events = POLLIN }, { .fd = c->fd, .events = POLLIN } };
	time_t until = time(NULL) + seconds;
	int gone;

	*result_out = ERR_OK;
	for (;;) {
		time_t left = until - time(NULL);
		int ready = poll(polls, 2, left > 0 ? (int)left * 1000 : 0);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return err_set(ERR_BUSY, "the mount's process is still writing");
		/* The farewell comes before the process ends; without a process descriptor the stream's end stands for that. */
		gone = polls[0].revents != 0;
		if (polls[1].revents && read_farewell(c, result_out) != ERR_OK) {
			polls[1].fd = -1;
			gone |= c->pid_fd < 0;
		}
		if (gone)
			return ERR_OK;
	}
}
