#include "keymgr/protectors/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "keymgr/protectors/secret_source.h"

#define TRIES 3

static void put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		return;		/* a terminal that is gone: reading says so */
}

enum { KEY_INTERRUPT = 3, KEY_END = 4, KEY_BACKSPACE = 8, KEY_ERASE_LINE = 21, KEY_DELETE = 127 };

/* One line into `room`; the terminal edits nothing and raises no signal, so that echo always comes back. */
static enum err read_line(int fd, struct secret *room, size_t *len_out)
{
	size_t len = 0;

	for (;;) {
		uint8_t c;
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno("cannot read from the terminal");
		if (n == 0 || c == KEY_INTERRUPT || (c == KEY_END && len == 0))
			return err_set(ERR_CANCELLED, "no passphrase was given");
		if (c == '\n' || c == '\r' || c == KEY_END)
			break;
		if (c == KEY_ERASE_LINE)
			len = 0;
		else if (c == KEY_BACKSPACE || c == KEY_DELETE)
			len -= len > 0;
		else if (len == room->len)
			return err_set(ERR_INVALID, "a passphrase has at most %d bytes", PASSPHRASE_MAX);
		else
			room->bytes[len++] = c;
	}
	if (len == 0)
		return err_set(ERR_INVALID, "the passphrase is empty");
	*len_out = len;
	return ERR_OK;
}

static enum err ask_once(int fd, const char *prompt, struct secret **out)
{
	struct termios before, quiet;
	struct secret *room = NULL;
	size_t len = 0;
	enum err e = secret_new(PASSPHRASE_MAX, &room);

	if (e != ERR_OK)
		return e;
	if (tcgetattr(fd, &before) != 0) {
		e = err_set(ERR_LOCKED, "there is no terminal to ask for a passphrase: give --passfile or --extpass");
		goto out;
	}
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG);
	quiet.c_cc[VMIN] = 1;
	quiet.c_cc[VTIME] = 0;
	tcsetattr(fd, TCSAFLUSH, &quiet);
	put(fd, prompt);
	e = read_line(fd, room, &len);
	tcsetattr(fd, TCSAFLUSH, &before);
	put(fd, "\n");
	if (e == ERR_OK)
		e = secret_copy(room->bytes, len, out);
out:
	secret_free(room);
	return e;
}

static enum err ask_twice(int fd, const char *prompt, struct secret **out)
{
	struct secret *again;
	enum err e;

	for (int i = 0; i < TRIES; i++) {
		e = ask_once(fd, prompt, out);
		if (e != ERR_OK)
			return e;
		again = NULL;
		e = ask_once(fd, "Once more: ", &again);
		if (e == ERR_OK && (again->len != (*out)->len || !secret_equal(again->bytes, (*out)->bytes, again->len)))
			e = err_set(ERR_INVALID, "the two passphrases differ");
		if (e == ERR_OK) {
			secret_free(again);
			return ERR_OK;
		}
		if (e == ERR_INVALID)
			put(fd, "They differ.\n");
		secret_free(again);
		secret_free(*out);
		*out = NULL;
		if (e != ERR_INVALID)
			return e;
	}
	return e;
}

enum err terminal_ask(const char *prompt, int confirm, struct secret **out)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	enum err e;

	*out = NULL;
	if (fd < 0)
		return err_set(ERR_LOCKED, "there is no terminal to ask for a passphrase: give --passfile or --extpass");
	e = confirm ? ask_twice(fd, prompt, out) : ask_once(fd, prompt, out);
	close(fd);
	return e;
}
