#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX 1024

static const struct row {
	enum err code;
	int number;	/* errno */
	int exit_code;
	const char *text;
} table[] = {
	{ ERR_OK, 0, 0, "ok" },
	{ ERR_NO_MEMORY, ENOMEM, 1, "out of memory" },
	{ ERR_INVALID, EINVAL, 1, "invalid argument" },
	{ ERR_USAGE, EINVAL, 2, "wrong usage" },
	{ ERR_NOT_FOUND, ENOENT, 3, "not found" },
	{ ERR_EXISTS, EEXIST, 1, "exists already" },
	{ ERR_BUSY, EBUSY, 6, "in use by another" },
	{ ERR_REFUSED, EPERM, 4, "refused" },
	{ ERR_UNSUPPORTED, EOPNOTSUPP, 1, "not supported here" },
	{ ERR_LIMIT, ENOSPC, 1, "a limit is reached" },
	{ ERR_TOO_LONG, ENAMETOOLONG, 1, "too long" },
	{ ERR_CANCELLED, ECANCELED, 1, "cancelled" },
	{ ERR_INTERNAL, EIO, 1, "internal error" },
	{ ERR_TRUNCATED, EIO, 1, "ends too early" },
	{ ERR_FORMAT, EIO, 1, "not of the expected format" },
	{ ERR_NOT_AUTHENTIC, EIO, 1, "not authentic" },
	{ ERR_ROLLBACK, EIO, 4, "older than what was seen before" },
	{ ERR_LOCKED, EACCES, 5, "no protector opens it" },
	{ ERR_NO_KEY, ENOKEY, 4, "the key is disabled, pending deletion or absent" },
	{ ERR_KEY_DESTROYED, EKEYREVOKED, 4, "the key was destroyed" },
	{ ERR_KEY_EXPIRED, EKEYEXPIRED, 1, "the key service is away" },
	{ ERR_KEY_NOT_FOUND, ENOKEY, 3, "no such key" },
	{ ERR_KEY_DISABLED, ENOKEY, 4, "the key is disabled" },
	{ ERR_KEY_STATE, ENOKEY, 4, "the key's state does not allow this" },
	{ ERR_KEY_UNAVAILABLE, ENOKEY, 1, "the key is not available" },
	{ ERR_ALREADY_EXISTS, EEXIST, 1, "exists already" },
	{ ERR_LIMIT_EXCEEDED, ENOSPC, 1, "a limit is exceeded" },
	{ ERR_VALIDATION, EINVAL, 2, "an argument is not valid" },
	{ ERR_ALIAS_NAME, EINVAL, 2, "not a valid alias name" },
	{ ERR_ARN, EINVAL, 2, "not a valid ARN" },
	{ ERR_CIPHERTEXT, EIO, 1, "the ciphertext is not valid" },
	{ ERR_INCORRECT_KEY, EINVAL, 1, "the ciphertext is under another key" },
	{ ERR_OPERATION, EOPNOTSUPP, 1, "the operation is not supported" },
	{ ERR_MARKER, EINVAL, 2, "not a valid marker" },
	{ ERR_DRY_RUN, ECANCELED, 1, "a dry run: it would have succeeded" },
	{ ERR_CONFLICT, EBUSY, 4, "in conflict with another operation" },
	{ ERR_SERIALIZATION, EINVAL, 2, "a member has another type" },
	{ ERR_UNKNOWN_OPERATION, EOPNOTSUPP, 2, "no such operation" },
	{ ERR_GRANT_TOKEN, EINVAL, 2, "not a valid grant token" },
	{ ERR_KEY_USAGE, EINVAL, 2, "not what the key is for" },
};

static _Thread_local struct {
	enum err code;
	char text[MESSAGE_MAX];
} last;

static const struct row *find(enum err e)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].code == e)
			return &table[i];
	return NULL;
}

enum err err_errno(void)
{
	return errno > 0 ? (enum err)(ERR_ERRNO + errno) : ERR_INTERNAL;
}

int err_to_errno(enum err e)
{
	const struct row *row = find(e);

	if (row)
		return row->number;
	return e > ERR_ERRNO ? (int)e - ERR_ERRNO : EIO;
}

const char *err_text(enum err e)
{
	const struct row *row = find(e);
	const char *text;

	if (row)
		return row->text;
	text = e > ERR_ERRNO ? strerrordesc_np((int)e - ERR_ERRNO) : NULL;
	return text ? text : "unknown error";
}

/* Through a buffer of its own: arguments may point into the last message. */
static void remember(enum err e, const char *format, va_list arguments)
{
	char text[MESSAGE_MAX];

	vsnprintf(text, sizeof(text), format, arguments);
	memcpy(last.text, text, strlen(text) + 1);
	last.code = e;
}

enum err err_set(enum err e, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	remember(e, format, arguments);
	va_end(arguments);
	return e;
}

enum err err_set_errno(const char *format, ...)
{
	enum err e = err_errno();
	va_list arguments;
	size_t len;

	va_start(arguments, format);
	remember(e, format, arguments);
	va_end(arguments);
	len = strlen(last.text);
	snprintf(last.text + len, sizeof(last.text) - len, ": %s", err_text(e));
	return e;
}

const char *err_message(enum err e)
{
	return e != ERR_OK && e == last.code ? last.text : err_text(e);
}

int err_exit_code(enum err e)
{
	const struct row *row = find(e);

	if (row)
		return row->exit_code;
	switch (err_to_errno(e)) {
	case ENOENT:
		return 3;
	case ENOKEY:
	case EKEYREVOKED:
		return 4;
	case EBUSY:
		return 6;
	default:
		return 1;
	}
}
