#include "keymgr/protectors/secret_source.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file_io.h"
#include "base/random.h"
#include "keymgr/protectors/terminal.h"

extern char **environ;

int secret_file_is_own(const struct stat *st)
{
	return (st->st_uid == geteuid() || st->st_uid == 0) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

enum err secret_from_keyfile(const char *path, int *others_may_write_out, struct secret **out)
{
	struct secret *s = NULL;
	struct stat st;
	enum err e;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	*out = NULL;
	if (fd < 0 && errno == ENOENT)
		return err_set(ERR_NOT_FOUND, "there is no keyfile %s", path);
	if (fd < 0)
		return err_set_errno("cannot open the keyfile %s", path);
	if (fstat(fd, &st) != 0) {
		e = err_set_errno("cannot read the keyfile %s", path);
	} else if (!S_ISREG(st.st_mode) || st.st_size < KEYFILE_MIN || st.st_size > KEYFILE_MAX) {
		e = err_set(ERR_INVALID, "the keyfile %s is no regular file of %d to %d bytes", path, KEYFILE_MIN,
			    KEYFILE_MAX);
	} else {
		e = secret_new((size_t)st.st_size, &s);
		if (e == ERR_OK)
			e = file_read_all(fd, s->bytes, s->len, 0);
	}
	close(fd);
	if (e != ERR_OK) {
		secret_free(s);
		return e;
	}
	if (others_may_write_out)
		*others_may_write_out = !secret_file_is_own(&st);
	*out = s;
	return ERR_OK;
}

enum err secret_make_keyfile(const char *path)
{
	uint8_t bytes[KEYFILE_MADE_LEN];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);
	enum err e;

	if (fd < 0 && errno == EEXIST)
		return ERR_EXISTS;
	if (fd < 0)
		return err_set_errno("cannot make the keyfile %s", path);
	random_bytes(bytes, sizeof(bytes));
	e = file_write(fd, bytes, sizeof(bytes), 0);
	if (e == ERR_OK)
		e = file_sync_full(fd);
	secret_wipe(bytes, sizeof(bytes));
	if (close(fd) != 0 && e == ERR_OK)
		e = err_errno();
	if (e != ERR_OK) {
		unlink(path);
		e = err_set(e, "cannot write the keyfile %s: %s", path, err_text(e));
	}
	return e;
}

/* The first line of `len` bytes. */
static enum err first_line(const uint8_t *bytes, size_t len, const char *from, struct secret **out)
{
	const uint8_t *end = memchr(bytes, '\n', len);

	if (end)
		len = (size_t)(end - bytes);
	if (len > 0 && bytes[len - 1] == '\r')
		len--;
	if (len == 0)
		return err_set(ERR_INVALID, "%s gives an empty passphrase", from);
	if (len > PASSPHRASE_MAX)
		return err_set(ERR_INVALID, "%s gives a passphrase of more than %d bytes", from, PASSPHRASE_MAX);
	return secret_copy(bytes, len, out);
}

static enum err from_descriptor(int fd, const char *from, struct secret **out)
{
	struct secret *room = NULL;
	size_t got = 0;
	ssize_t n = 1;
	enum err e = secret_new(PASSPHRASE_MAX + 2, &room);

	while (e == ERR_OK && got < room->len && n != 0) {
		n = read(fd, room->bytes + got, room->len - got);
		if (n > 0)
			got += (size_t)n;
		else if (n < 0 && errno != EINTR)
			e = err_set_errno("cannot read a passphrase from %s", from);
	}
	if (e == ERR_OK)
		e = first_line(room->bytes, got, from, out);
	secret_free(room);
	return e;
}

static enum err from_passfile(const char *path, struct secret **out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum err e;

	if (fd < 0)
		return err_set_errno("cannot open the passphrase's file %s", path);
	e = from_descriptor(fd, path, out);
	close(fd);
	return e;
}

enum err secret_from_command(const char *command, struct secret **out)
{
	char *const argv[] = { "sh", "-c", (char *)command, NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], status = 0, failed;
	enum err e;
	pid_t pid;

	*out = NULL;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_set_errno("cannot run the command that gives the passphrase");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	failed = posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (failed) {
		errno = failed;
		e = err_set_errno("cannot run the command that gives the passphrase");
		close(ends[0]);
		return e;
	}
	e = from_descriptor(ends[0], "the command", out);
	close(ends[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		secret_free(*out);
		*out = NULL;
		e = err_set(ERR_LOCKED, "the command that gives the passphrase failed: %s", command);
	}
	return e;
}

enum err secret_from_person(const struct unlock *u, const char *prompt, int confirm, struct secret **out)
{
	*out = NULL;
	if (u && u->passfile)
		return from_passfile(u->passfile, out);
	if (u && u->extpass)
		return secret_from_command(u->extpass, out);
	if (u && u->no_prompt)
		return err_set(ERR_LOCKED, "a passphrase is needed: give --passfile FILE or --extpass COMMAND");
	return terminal_ask(prompt, confirm, out);
}
