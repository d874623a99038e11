/*
 * The errors of every part, and the sentence that goes with one.
 *
 * A function returns `enum err`: ERR_OK (0), one of the codes below, or the
 * errno of a system call that failed, carried as ERR_ERRNO + errno.  One table
 * in error.c gives each code its text and its errno.  Codes are never renumbered.
 *
 * Whoever finds an error may attach a sentence that a person can act on, with
 * err_set().  It is kept per thread, and is valid until the thread's next
 * err_set().  Whoever handles the error prints err_message(); nobody else prints.
 */
#ifndef REKEYFS_BASE_ERROR_H
#define REKEYFS_BASE_ERROR_H

enum err {
	ERR_OK = 0,
	/* general */
	ERR_NO_MEMORY = 1,	/* ENOMEM: memory, or locked memory, refused */
	ERR_INVALID = 2,	/* EINVAL: an argument that the caller could have known to be wrong */
	ERR_USAGE = 3,		/* EINVAL: the command line or a configuration file is wrong */
	ERR_NOT_FOUND = 4,	/* ENOENT */
	ERR_EXISTS = 5,		/* EEXIST */
	ERR_BUSY = 6,		/* EBUSY: somebody else holds the lock */
	ERR_REFUSED = 7,	/* EPERM: a state or a gate forbids it */
	ERR_UNSUPPORTED = 8,	/* EOPNOTSUPP */
	ERR_LIMIT = 9,		/* ENOSPC: a documented limit is reached */
	ERR_TOO_LONG = 10,	/* ENAMETOOLONG */
	ERR_CANCELLED = 11,	/* ECANCELED */
	ERR_INTERNAL = 12,	/* EIO: a bug of ours */
	/* bytes from disk or wire */
	ERR_TRUNCATED = 20,	/* EIO: ends before it should */
	ERR_FORMAT = 21,	/* EIO: not of this format, or of an unknown version */
	ERR_NOT_AUTHENTIC = 22,	/* EIO: a MAC or tag does not verify */
	ERR_ROLLBACK = 23,	/* EIO: older than what was seen before */
	/* keys */
	ERR_LOCKED = 40,	/* EACCES: no protector opens it: wrong passphrase or keyfile */
	ERR_NO_KEY = 41,	/* ENOKEY: the key is disabled, pending deletion or absent */
	ERR_KEY_DESTROYED = 42,	/* EKEYREVOKED */
	ERR_KEY_EXPIRED = 43,	/* EKEYEXPIRED: the key service is away past the TTL */
	/* key service: each has its KMS exception's name in keymgr/api/kms_error.h */
	ERR_KEY_NOT_FOUND = 60,		/* NotFoundException */
	ERR_KEY_DISABLED = 61,		/* DisabledException */
	ERR_KEY_STATE = 62,		/* KMSInvalidStateException */
	ERR_KEY_UNAVAILABLE = 63,	/* KeyUnavailableException */
	ERR_ALREADY_EXISTS = 64,	/* AlreadyExistsException */
	ERR_LIMIT_EXCEEDED = 65,	/* LimitExceededException */
	ERR_VALIDATION = 66,		/* ValidationException */
	ERR_ALIAS_NAME = 67,		/* InvalidAliasNameException */
	ERR_ARN = 68,			/* InvalidArnException */
	ERR_CIPHERTEXT = 69,		/* InvalidCiphertextException */
	ERR_INCORRECT_KEY = 70,		/* IncorrectKeyException */
	ERR_OPERATION = 71,		/* UnsupportedOperationException */
	ERR_MARKER = 72,		/* InvalidMarkerException */
	ERR_DRY_RUN = 73,		/* DryRunOperationException: it would have succeeded */
	ERR_CONFLICT = 74,		/* ConflictException */
	ERR_SERIALIZATION = 75,		/* SerializationException: a member of another type */
	ERR_UNKNOWN_OPERATION = 76,	/* UnknownOperationException */
	ERR_GRANT_TOKEN = 77,		/* InvalidGrantTokenException */
	ERR_KEY_USAGE = 78,		/* InvalidKeyUsageException */

	ERR_ERRNO = 1000,	/* + errno of a failed system call */
};

/* ERR_ERRNO + errno; call it before anything that may change errno. */
enum err err_errno(void);

/* The errno that stands for `e` on the mount: 0 for ERR_OK, positive otherwise. */
int err_to_errno(enum err e);

/* Short fixed text of a code, never NULL ("not authentic"; strerror for an errno). */
const char *err_text(enum err e);

/* Remember a sentence for this thread (at most 1023 bytes) and return `e`. */
enum err err_set(enum err e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* err_errno() with a sentence; strerror is appended: "cannot open X: No such file…". */
enum err err_set_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The sentence set last for `e` in this thread, else err_text(e).  Never NULL. */
const char *err_message(enum err e);

/* Exit code of a program that ends with `e`: 0 ok, 1 failed, 2 usage, 3 not found,
 * 4 refused by state or gate, 5 locked or wrong protector, 6 busy. */
int err_exit_code(enum err e);

#endif
