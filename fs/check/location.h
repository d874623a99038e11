/*
 * A location in the lower tree: found by its plain path, its cipher path or its id, in an open bucket and without FUSE; and the way back from cipher paths to plain
 * ones, for what a person asked to see (never for logs).  No symbolic link is followed.
 */
#ifndef REKEYFS_FS_CHECK_LOCATION_H
#define REKEYFS_FS_CHECK_LOCATION_H

#include <sys/stat.h>
#include "base/error.h"
#include "fs/bucket/bucket.h"
#include "fs/check/walk.h"

struct location {
	int is_directory;
	int dir_fd;			/* the directory itself, or the one that names the file; owned */
	char *path;			/* its cipher path, "" for the root; owned */
	char *dir_path;			/* cipher path of dir_fd; owned */
	char name[256];			/* a file's lower name */
	struct stat st;
	uint8_t id[UUID_LEN];		/* of the directory's header; of the file's where it has one, else zero */
	struct policy policy;		/* that governs the directory, or the one that names the file */
};

/* ERR_NOT_FOUND, ERR_NOT_AUTHENTIC (a directory header), ERR_TOO_LONG.  Release in any case. */
enum err location_open(struct bucket *b, const char *plain_path, struct location *out);
enum err location_open_cipher(struct bucket *b, const char *cipher_path, struct location *out);
/* The directory or file with this id: at `hint` (a cipher path) if it is still there, else by a walk. */
enum err location_find(struct bucket *b, const uint8_t id[static UUID_LEN], int is_file, const char *hint, struct location *out);
void location_release(struct location *p);

/* Walks it: a tree, or the one file. */
enum err location_walk(struct bucket *b, const struct location *p, walk_fn each, void *context);

/* malloc'd; a name that does not decrypt stays as it is. */
char *location_plain_path(struct bucket *b, const char *cipher_path);

#endif
