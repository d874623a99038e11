/* The end of keys and of backing keys. */
#ifndef REKEYFS_KEYMGR_CORE_DELETION_H
#define REKEYFS_KEYMGR_CORE_DELETION_H

#include "keymgr/core/gate.h"

#define DELETION_WINDOW_MIN 7
#define DELETION_WINDOW_MAX 30

/* Has the window of a pending deletion ended? */
int deletion_is_due(const struct cmk *cmk, int64_t now);
/* Is its gate open?  Crypto-shredding asks for no proof. */
int deletion_may_go_on(const struct keymgr *k, const struct cmk *cmk);
/* Makes the CMK a tombstone, its aliases gone; the caller writes the keystore under a new root key. */
enum err deletion_destroy(struct keymgr *k, struct cmk *cmk, int64_t now);

#endif
