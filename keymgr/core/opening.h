/* Making and giving back the struct of an open keystore. */
#ifndef REKEYFS_KEYMGR_CORE_OPENING_H
#define REKEYFS_KEYMGR_CORE_OPENING_H

#include "keymgr/core/manager.h"

/* With directory and lock file open, nothing read.  Takes `path` (malloc'd, absolute) over, also on an error. */
enum err manager_new(char *path, struct keymgr **out);
void manager_free(struct keymgr *k);

#endif
