/* The steps that making a keystore and restoring one share. */
#ifndef REKEYFS_KEYMGR_CORE_CREATION_H
#define REKEYFS_KEYMGR_CORE_CREATION_H

#include "keymgr/core/manager.h"

/* Directories made, ERR_EXISTS where something is at `path`; a struct without a keystore in it. */
enum err creation_begin(const char *path, struct keymgr **out);
/* The first protector as the options want it.  `made_out`: the keyfile that was made for it (malloc'd), or NULL. */
enum err creation_protector(struct keymgr *k, const struct keymgr_create_options *options, struct protector *out,
			    struct protector_opened *opened, char **made_out);
/* Writes audit line, ledger and keystore as they are in memory, under the lock. */
enum err creation_write(struct keymgr *k, const char *event);

#endif
