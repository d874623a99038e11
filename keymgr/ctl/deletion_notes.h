/* What a person should know and do when a key is to be deleted, on standard error. */
#ifndef REKEYFS_KEYMGR_CTL_DELETION_NOTES_H
#define REKEYFS_KEYMGR_CTL_DELETION_NOTES_H

#include "keymgr/keymgr.h"

/* Aliases and policies that still point to it, and who moves its files.  `successor`: where to, NULL if not known. */
enum err deletion_notes(struct keymgr *k, const struct key_metadata *m, const char *successor);

/* Where the window of a pending key has ended and it is still there: what its deletion waits for. */
enum err deletion_waiting(struct keymgr *k, const struct key_metadata *m);

#endif
