/*
 * The section [keys] of /etc/rekeyfs/rekeyfs.ini and $XDG_CONFIG_HOME/rekeyfs/rekeyfs.ini:
 * which keystore, and where its secret comes from.  The second file wins.
 */
#ifndef REKEYFS_KEYMGR_CTL_SETTINGS_H
#define REKEYFS_KEYMGR_CTL_SETTINGS_H

#include "base/error.h"

struct settings { char *keystore, *keyfile, *passfile, *extpass; };	/* NULL: not set */

/* ERR_USAGE names file and line.  A command is taken only from a file that belongs to the caller
 * or root and that nobody else can write (ERR_REFUSED). */
enum err settings_load(struct settings *out);
void settings_release(struct settings *s);

#endif
