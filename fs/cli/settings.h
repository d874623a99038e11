/*
 * The configuration: /etc/rekeyfs/rekeyfs.ini, then $XDG_CONFIG_HOME/rekeyfs/rekeyfs.ini, which wins.  Options of the command
 * line win over both.  Values are kept as they are written; whoever uses one parses it.
 */
#ifndef REKEYFS_FS_CLI_SETTINGS_H
#define REKEYFS_FS_CLI_SETTINGS_H

#include "base/error.h"

struct settings {			/* NULL: not set */
	char *keystore, *keyfile, *passfile, *extpass;			/* [keys] */
	char *suite;							/* [bucket] */
	char *options, *idle, *rollback, *log, *log_level;		/* [mount] */
	char *bwlimit, *hours;						/* [walker] */
};

/* Read once a process; belongs to it.  ERR_USAGE names file and line.  A command (extpass) is taken only from a file that belongs to the
 * caller or root and that nobody else can write (ERR_REFUSED). */
enum err settings_get(const struct settings **out);

#endif
