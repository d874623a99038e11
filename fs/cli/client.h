/*
 * A command's end of a mount's control socket.
 *
 * Calling order: one of client_open_*, client_call once, client_close.
 */
#ifndef REKEYFS_FS_CLI_CLIENT_H
#define REKEYFS_FS_CLI_CLIENT_H

#include <jansson.h>
#include <sys/types.h>
#include "base/error.h"

struct client;

/* The mount that `path` lies in.  ERR_NOT_FOUND with a sentence where it lies in none, or its process cannot be reached. */
enum err client_open_path(const char *path, struct client **out);
/* The mount of the bucket at this path; the one that writes, if any.  ERR_NOT_FOUND. */
enum err client_open_bucket(const char *bucket, struct client **out);
/* Every mount that this user may ask, with its answer to "status", until `each` returns non-zero. */
int clients_each(int (*each)(void *context, const json_t *status), void *context);

/* Sends `request` (its reference is taken) and waits.  `progress` (may be NULL) hears of each interim line.  The error that the mount answers
 * with comes back with its sentence; ERR_CANCELLED where the mount went away. */
enum err client_call(struct client *c, json_t *request, void (*progress)(void *context, const json_t *line), void *context, json_t **reply_out);
/* {"verb": NAME}, to add to; never NULL but without memory. */
json_t *client_request(const char *verb);

/* The mount's process, 0 where it is in another namespace. */
pid_t client_pid(const struct client *c);
/* Waits at most `seconds` until the mount's process is gone; `result_out`: how the mount ended, if it said so (call "watch" before with
 * client_send).  ERR_BUSY: still there. */
enum err client_send(struct client *c, json_t *request);
enum err client_wait_end(struct client *c, int seconds, enum err *result_out);
void client_close(struct client *c);

#endif
