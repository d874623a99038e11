/*
 * A change of the keystore: one audited step from one generation to the next.
 *
 *   struct change c;
 *   enum err e = change_begin(&c, k, "EnableKey");
 *   if (e != ERR_OK)
 *           return e;
 *   e = change_cmk(&c, key, KEY_NAME_ID_ONLY, &cmk);
 *   if (e == ERR_OK)
 *           e = cmk_step(cmk, CALL_ENABLE, c.now);
 *   return change_end(&c, e);
 *
 * Between begin and end the keystore in memory is changed as it likes; change_end() writes an
 * intent line, the keystore, an outcome line and the ledger, or on an error a line with that
 * error, and then memory is read again from the file.
 */
#ifndef REKEYFS_KEYMGR_CORE_CHANGE_H
#define REKEYFS_KEYMGR_CORE_CHANGE_H

#include "keymgr/core/key_name.h"
#include "keymgr/core/manager.h"
#include "keymgr/core/storage.h"

enum change_kind {
	CHANGE_KEYSTORE,	/* a new generation, and the ledger */
	CHANGE_LEDGER,		/* the ledger alone, audited */
	CHANGE_LEDGER_QUIET,	/* the same, not audited: leases, anchors */
	CHANGE_NOTHING,		/* there was nothing to do: only audited */
	CHANGE_SILENT,		/* nor that */
};

struct change {
	struct keymgr *k;
	const char *event;
	json_t *request;	/* requestParameters */
	uint8_t key_id[KEY_ID_LEN];
	int has_key;
	int64_t now;
	enum change_kind kind;	/* CHANGE_KEYSTORE unless set */
	enum commit commit;	/* COMMIT_PLAIN unless set */
};

enum err change_begin(struct change *c, struct keymgr *k, const char *event);
/* The CMK that `key` names becomes the change's resource.  Its state is not checked. */
enum err change_cmk(struct change *c, const char *key, enum key_name_kinds kinds, struct cmk **out);
void change_of(struct change *c, const struct cmk *cmk);
/* Members of requestParameters; NULL texts are left out. */
void change_text(struct change *c, const char *member, const char *value);
void change_number(struct change *c, const char *member, int64_t value);
void change_flag(struct change *c, const char *member, int value);
void change_id(struct change *c, const char *member, const uint8_t id[static UUID_LEN]);
/* Returns `e`, or what went wrong in writing. */
enum err change_end(struct change *c, enum err e);

/* Audits a moved clock, if it moved since it was last audited. */
void change_note_clock(struct keymgr *k);

#endif
