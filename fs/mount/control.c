#include "fs/mount/control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/json.h"
#include "base/log.h"
#include "fs/mount/control_socket.h"

struct connection {
	struct control *control;
	int fd;
};

struct control {
	struct mount *mount;
	int listener, dir_fd, wake;
	char name[64];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned active;			/* under lock: connections being served */
	int fds[CONTROL_CALLS_MAX];		/* under lock: theirs, -1 free */
	int watchers[CONTROL_CALLS_MAX];	/* under lock: those that stayed */
	unsigned watcher_count;
};

static enum err send_line(int fd, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0, done = 0;
	enum err e = text ? ERR_OK : ERR_NO_MEMORY;

	if (text)
		text[len++] = '\n';	/* in place of the NUL */
	while (e == ERR_OK && done < len) {
		ssize_t sent = send(fd, text + done, len - done, MSG_NOSIGNAL);

		if (sent >= 0)
			done += (size_t)sent;
		else if (errno != EINTR)
			e = ERR_CANCELLED;
	}
	free(text);
	return e;
}

/* One line; ERR_CANCELLED at the end of the stream, ERR_LIMIT where it is too long. */
static enum err receive_line(int fd, char *line, size_t room, size_t *len_out)
{
	size_t used = 0;

	while (used < room) {
		ssize_t got = recv(fd, line + used, room - used, 0);
		char *end;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return ERR_CANCELLED;
		end = memchr(line + used, '\n', (size_t)got);
		used += (size_t)got;
		if (end) {
			*len_out = (size_t)(end - line);
			return ERR_OK;
		}
	}
	return err_set(ERR_LIMIT, "the request is too long");
}

enum err control_progress(struct control_call *call, json_t *line)
{
	json_t *outer = json_object();
	enum err e = outer ? ERR_OK : ERR_NO_MEMORY;

	if (e == ERR_OK && json_object_set(outer, "progress", line) != 0)
		e = ERR_NO_MEMORY;
	if (e == ERR_OK)
		e = control_cancelled(call) ? ERR_CANCELLED : send_line(call->fd, outer);
	json_decref(outer);
	json_decref(line);
	return e;
}

int control_cancelled(struct control_call *call)
{
	struct pollfd poll_fd = { .fd = call->fd, .events = POLLRDHUP };

	if (atomic_load(&call->mount->ending))
		return 1;
	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static enum err run_verb(struct control_call *call)
{
	const char *name;
	enum err e = json_get_string(call->request, "verb", &name);

	if (e != ERR_OK)
		return err_set(ERR_INVALID, "the request names no verb");
	for (const struct control_verb *verb = control_verbs; verb->name; verb++) {
		if (strcmp(verb->name, name) != 0)
			continue;
		if (verb->writes && call->mount->options->read_only)
			return err_set(ERR_REFUSED, "the bucket is mounted read-only: mount it without -o ro first");
		return verb->run(call);
	}
	return err_set(ERR_UNSUPPORTED, "this mount does not know the request \"%s\": it was started by another version of rekeyfs", name);
}

static void finish_reply(json_t *reply, enum err e)
{
	if (e == ERR_OK) {
		json_object_set_new(reply, "ok", json_true());
		return;
	}
	json_object_clear(reply);
	json_object_set_new(reply, "error", json_integer(e));
	json_object_set_new(reply, "message", json_string(err_message(e)));
}

/* 1 where the connection stays open. */
static int serve_request(struct control *c, int fd)
{
	struct control_call call = { .mount = c->mount, .fd = fd };
	char *line = malloc(CONTROL_LINE_MAX);
	json_t *request = NULL;
	size_t len = 0;
	enum err e = line ? control_socket_peer(fd, &call.uid, &call.pid) : ERR_NO_MEMORY;

	if (e == ERR_OK && call.uid != 0 && call.uid != geteuid())
		e = err_set(ERR_REFUSED, "the mount belongs to another user");
	if (e == ERR_OK)
		e = receive_line(fd, line, CONTROL_LINE_MAX, &len);
	if (e == ERR_CANCELLED)
		goto out;
	if (e == ERR_OK)
		e = json_parse(line, len, &request);
	call.request = request;
	call.reply = json_object();
	if (!call.reply)
		goto out;
	if (e == ERR_OK)
		e = run_verb(&call);
	if (e != ERR_OK || !call.stay) {
		finish_reply(call.reply, e);
		send_line(fd, call.reply);
		call.stay = 0;
	}
out:
	json_decref(call.reply);
	json_decref(request);
	free(line);
	return call.stay;
}

static void *serve(void *argument)
{
	struct connection *connection = argument;
	struct control *c = connection->control;
	int fd = connection->fd, stay = serve_request(c, fd);

	free(connection);
	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < CONTROL_CALLS_MAX; i++)
		if (c->fds[i] == fd)
			c->fds[i] = -1;
	if (stay && c->watcher_count < CONTROL_CALLS_MAX)
		c->watchers[c->watcher_count++] = fd;
	else
		close(fd);
	c->active--;
	pthread_cond_broadcast(&c->idle);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static enum err begin(struct control *c, int fd)
{
	/* A peer that does not read must not hold the end of the mount up. */
	static const struct timeval patience = { .tv_sec = 10 };
	struct connection *connection = malloc(sizeof(*connection));
	pthread_t thread;
	unsigned place = 0;
	enum err e = ERR_OK;

	if (!connection)
		return ERR_NO_MEMORY;
	*connection = (struct connection){ .control = c, .fd = fd };
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	pthread_mutex_lock(&c->lock);
	while (place < CONTROL_CALLS_MAX && c->fds[place] >= 0)
		place++;
	if (place == CONTROL_CALLS_MAX || atomic_load(&c->mount->ending))
		e = ERR_BUSY;
	else if (pthread_create(&thread, NULL, serve, connection) != 0)
		e = ERR_NO_MEMORY;
	if (e == ERR_OK) {
		pthread_detach(thread);
		c->fds[place] = fd;
		c->active++;
	}
	pthread_mutex_unlock(&c->lock);
	if (e != ERR_OK)
		free(connection);
	return e;
}

static void *listen_for_calls(void *argument)
{
	struct control *c = argument;
	struct pollfd polls[] = { { .fd = c->listener, .events = POLLIN }, { .fd = c->wake, .events = POLLIN } };

	for (;;) {
		int fd;

		if (poll(polls, 2, -1) < 0 && errno != EINTR)
			break;
		if (polls[1].revents)
			break;
		if (!(polls[0].revents & POLLIN))
			continue;
		fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0 && begin(c, fd) != ERR_OK)
			close(fd);
	}
	return NULL;
}

enum err control_start(struct mount *m)
{
	struct control *c = calloc(1, sizeof(*c));
	enum err e;

	if (!c)
		return ERR_NO_MEMORY;
	c->mount = m;
	for (unsigned i = 0; i < CONTROL_CALLS_MAX; i++)
		c->fds[i] = -1;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->idle, NULL);
	e = control_socket_listen(m->instance, m->options->read_only, &c->listener, &c->dir_fd, c->name);
	if (e != ERR_OK) {
		free(c);
		return e;
	}
	c->wake = eventfd(0, EFD_CLOEXEC);
	if (c->wake < 0 || pthread_create(&c->thread, NULL, listen_for_calls, c) != 0) {
		e = err_set(ERR_NO_MEMORY, "cannot serve the control socket");
		control_socket_remove(c->dir_fd, c->name);
		close(c->listener);
		if (c->wake >= 0)
			close(c->wake);
		free(c);
		return e;
	}
	m->control = c;
	return ERR_OK;
}

void control_stop(struct mount *m)
{
	struct control *c = m->control;
	uint64_t one = 1;

	if (!c || c->listener < 0)
		return;
	if (write(c->wake, &one, sizeof(one)) < 0)
		log_warning("the control socket's thread could not be woken");
	pthread_join(c->thread, NULL);
	control_socket_remove(c->dir_fd, c->name);
	close(c->listener);
	close(c->wake);
	c->listener = -1;
	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < CONTROL_CALLS_MAX; i++)
		if (c->fds[i] >= 0)
			shutdown(c->fds[i], SHUT_RD);	/* wakes those that wait for a request */
	while (c->active > 0)
		pthread_cond_wait(&c->idle, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

void control_free(struct mount *m, enum err result)
{
	struct control *c = m->control;
	json_t *farewell;

	if (!c)
		return;
	control_stop(m);
	farewell = json_object();
	if (farewell)
		finish_reply(farewell, result);
	/* Their descriptors close with the process, which is what they wait for. */
	for (unsigned i = 0; i < c->watcher_count; i++)
		if (farewell)
			send_line(c->watchers[i], farewell);
	json_decref(farewell);
	pthread_cond_destroy(&c->idle);
	pthread_mutex_destroy(&c->lock);
	m->control = NULL;
	free(c);
}
