/*
 * Opening one of a keystore's protectors with what the caller gives; and the secret of a
 * new one.
 */
#ifndef REKEYFS_KEYMGR_PROTECTORS_UNLOCKING_H
#define REKEYFS_KEYMGR_PROTECTORS_UNLOCKING_H

#include "keymgr/protectors/protector.h"

/* What unlocking needs to know of a keystore. */
struct locked_keystore {
	const uint8_t *id;
	const struct protector *protectors;
	size_t count;
	const char *path;	/* for messages */
	int is_own;		/* belongs to the caller or root and nobody else may write it: remembered keyfiles count */
};

/* A keyfile, passphrase or command that the caller names; else remembered keyfiles; else a question (three tries).
 * ERR_LOCKED with what would help. */
enum err unlock_keystore(const struct locked_keystore *k, const struct unlock *u, struct protector_opened *out);

/* The secret of a new protector.  KEYFILE: made where absent (`made_out`), `hint_out` its absolute path (malloc'd).
 * COMMAND: by u->extpass alone.  RECOVERY: a code that a person has. */
enum err unlock_new_secret(enum protector_kind kind, const struct unlock *u, struct secret **out,
			   char **hint_out, int *made_out);

#endif
