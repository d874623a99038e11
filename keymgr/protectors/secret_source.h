/*
 * Where a protector's secret comes from: a keyfile, a file with a passphrase, a command,
 * or a person at the terminal.  A command comes only from the caller, never from a keystore.
 */
#ifndef REKEYFS_KEYMGR_PROTECTORS_SECRET_SOURCE_H
#define REKEYFS_KEYMGR_PROTECTORS_SECRET_SOURCE_H

#include <sys/stat.h>
#include "base/error.h"
#include "base/secret.h"
#include "keymgr/keymgr.h"

#define KEYFILE_MIN 32
#define KEYFILE_MAX (64 * 1024)
#define KEYFILE_MADE_LEN 32
#define PASSPHRASE_MAX 4096

/* The whole of a keyfile.  `others_may_write_out`, where not NULL: the file is not the caller's or root's alone to
 * write.  ERR_NOT_FOUND, ERR_INVALID for its length. */
enum err secret_from_keyfile(const char *path, int *others_may_write_out, struct secret **out);
/* Makes one of 32 random bytes, mode 0600, durable; ERR_EXISTS. */
enum err secret_make_keyfile(const char *path);
/* 1 where the file belongs to the caller or root and nobody else may write it. */
int secret_file_is_own(const struct stat *st);

/* A passphrase by `u`'s passfile or extpass, else asked for at the terminal (twice with `confirm`).
 * ERR_LOCKED where nobody can be asked; ERR_INVALID for an empty one. */
enum err secret_from_person(const struct unlock *u, const char *prompt, int confirm, struct secret **out);
/* What the command of `u` prints, its first line. */
enum err secret_from_command(const char *command, struct secret **out);

#endif
