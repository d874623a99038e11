/*
 * The life cycle of a CMK as one table: which call a state allows, the error where it
 * does not, and the state that a call leads to (KMS's table; KEYSTORE.md draws it).
 */
#ifndef REKEYFS_KEYMGR_CORE_KEY_STATE_H
#define REKEYFS_KEYMGR_CORE_KEY_STATE_H

#include "keymgr/keymgr.h"

enum key_call {
	CALL_ENCRYPT,		/* Encrypt, GenerateDataKey*, the destination of ReEncrypt and MigrateDataKey */
	CALL_DECRYPT,		/* Decrypt, the source of ReEncrypt */
	CALL_MIGRATE,		/* the source of MigrateDataKey */
	CALL_ENABLE,
	CALL_DISABLE,
	CALL_ENABLE_ROTATION,
	CALL_DISABLE_ROTATION,
	CALL_ROTATE,		/* on demand; automatic ones ask too */
	CALL_DESTROY_MATERIAL,
	CALL_SCHEDULE_DELETION,
	CALL_CANCEL_DELETION,
	CALL_DESTROY,		/* the window's end: not a call of KMS */
	CALL_DESCRIBE,		/* and what else only looks */
	CALL_UPDATE_DESCRIPTION,
	CALL_ALIAS_TO,		/* CreateAlias, UpdateAlias to it */
	CALL_ALIAS_FROM,	/* DeleteAlias, UpdateAlias from it */
	CALL_REFUSE_ENCRYPT,	/* set by retire-key */
	CALL_COUNT
};

/* ERR_OK, or the error of KMS: ERR_KEY_DISABLED, ERR_KEY_STATE, ERR_OPERATION, ERR_KEY_UNAVAILABLE,
 * ERR_KEY_NOT_FOUND, ERR_KEY_DESTROYED (for decryption alone).  `next_out` may be NULL. */
enum err key_state_check(enum key_call call, enum key_state state, enum key_state *next_out);

#endif
