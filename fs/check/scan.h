/*
 * The scan behind a proof of no use: does anything in this bucket still need a CMK, or one backing key of it?
 *
 * Order: the barrier first (no bucket key of the CMK that could encrypt is held any more, and the key manager is told so), then every
 * header copy of every file, of every open content (unlinked ones too), both slots of the names key's record, and what lies under reserved names.  A header
 * that names the key is a reference.  One that names another key is unwrapped under it, since the ids in clear prove nothing; what cannot be
 * read or unwrapped is "unreadable": never taken for unused.  (Only a key that the key manager knows as destroyed cannot be asked for: its headers are
 * taken at their blob's word.)  When renames overtook a round it is done again, the last one with renames held back.
 *
 * Policies wrap nothing: one that names the key blocks creates below it, no deletion.  They are counted as warnings.
 */
#ifndef REKEYFS_FS_CHECK_SCAN_H
#define REKEYFS_FS_CHECK_SCAN_H

#include <stdint.h>
#include "base/error.h"
#include "fs/tree/tree.h"
#include "keymgr/keymgr.h"

struct scan_result {
	struct scan_report report;	/* as the key manager wants it */
	char *first_reference;		/* cipher path, "open file" or "names key"; NULL: none */
	enum err first_error;		/* why first_unreadable is */
	char first_reason[256];
	uint64_t copies;		/* of headers that were read */
	uint64_t policies;		/* that name the key */
	uint64_t checkpoint, policy_generation;	/* of the bucket, when the scan ended */
	unsigned rounds;
};

/* `material_id` NULL: every backing key.  The bucket must be open read-write (ERR_REFUSED).  References and unreadable files are a result, not an error.
 * ERR_CANCELLED soon after *stop (may be NULL) is set. */
enum err scan_run(struct tree *t, const uint8_t key_id[static KEY_ID_LEN], const uint8_t *material_id, const atomic_int *stop, struct scan_result *out);
/* 1 where nothing needs the key. */
int scan_is_clean(const struct scan_result *r);
void scan_result_release(struct scan_result *r);

#endif
