/*
 * What `rekeyfs mount` was asked for: the configuration's [mount] section, then -o and the options of the command line, each
 * winning over what came before it.
 */
#ifndef REKEYFS_FS_CLI_MOUNT_REQUEST_H
#define REKEYFS_FS_CLI_MOUNT_REQUEST_H

#include "fs/mount/mount.h"

struct mount_request {
	struct mount_options options;
	int share, private;		/* allow_other, or not; neither: root shares, others do not */
	char *log_path;			/* owned: absolute form of a log file */
};

/* Defaults and configuration.  ERR_USAGE names file and key. */
enum err mount_request_init(struct mount_request *r);
void mount_request_release(struct mount_request *r);

/* The text of one -o: "ro,allow_other,idle=10m".  Those that mount(8) alone means are taken and do nothing. */
enum err mount_request_options(struct mount_request *r, const char *text);
/* Single settings, as --idle, --log, --log-level and --rollback give them. */
enum err mount_request_set(struct mount_request *r, const char *name, const char *value);
/* Fills what depends on all of it (allow_other). */
void mount_request_finish(struct mount_request *r);

#endif
