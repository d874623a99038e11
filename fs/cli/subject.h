/*
 * What a command is about: a path on a mount (then the mount is asked, over its control socket), or one inside a bucket that is not mounted.
 *
 * Calling order: subject_find, then either subject_request and subject_call as often as wanted, or offline_open; subject_release.
 */
#ifndef REKEYFS_FS_CLI_SUBJECT_H
#define REKEYFS_FS_CLI_SUBJECT_H

#include <jansson.h>
#include "base/error.h"
#include "fs/walker/walker.h"

struct subject {
	const char *path;	/* as it was given; the caller's */
	char *point;		/* on a mount: its root; else NULL */
	char *plain;		/* on a mount: plain path from there; else NULL */
	char *bucket;		/* not mounted: the bucket's root */
	char *cipher;		/* not mounted: cipher path in it, "" for the root */
};

/* `follow`: a symlink at the end is followed.  ERR_NOT_FOUND where the path is on no mount and in no bucket. */
enum err subject_find(const char *path, int follow, struct subject *out);
void subject_release(struct subject *s);

/* {"verb": …, "Path": …} */
json_t *subject_request(const struct subject *s, const char *verb);
/* Takes `request`. */
enum err subject_call(const struct subject *s, json_t *request, json_t **reply_out);

/* A bucket that is not mounted, open for writing in this process. */
struct offline { struct keymgr *keymgr; struct bucket *bucket; struct tree *tree; struct walker *walker; };
/* Opens the keystore and the bucket.  ERR_BUSY where it is mounted after all. */
enum err offline_open(const char *bucket, struct offline *out);
/* The same with a key manager that stays the caller's. */
enum err offline_open_with(const char *bucket, struct keymgr *k, struct offline *out);
/* Makes all durable; its error.  A zeroed struct is fine. */
enum err offline_close(struct offline *o);

#endif
