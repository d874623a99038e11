/*
 * A walk over the lower tree of a bucket, by directory descriptors, without FUSE and without any key.  Symbolic links are never followed, at most
 * WALK_OPEN_LEVELS directories are open at a time, whatever the depth.  What vanishes meanwhile is passed over; what is renamed meanwhile may be
 * met twice or not at all: whoever relies on the walk compares tree_moves before and after.
 */
#ifndef REKEYFS_FS_CHECK_WALK_H
#define REKEYFS_FS_CHECK_WALK_H

#include <sys/stat.h>
#include "base/error.h"
#include "fs/bucket/bucket.h"

#define WALK_OPEN_LEVELS 32

enum walk_kind {
	WALK_DIRECTORY,		/* before its entries */
	WALK_FILE,		/* a regular file: content, or empty */
	WALK_LINK,		/* a symbolic link, a long one in a regular file as well */
	WALK_OTHER,		/* device, FIFO, socket */
	WALK_UNREADABLE,	/* `error` says why; a directory, or an entry that cannot be looked at */
};

struct walk_entry {
	enum walk_kind kind;
	int dir_fd;			/* of the directory that names it; valid during the call */
	const char *name, *path;	/* lower name; cipher path from the bucket's root on */
	struct stat st;
	int reserved;			/* it, or a directory above it, is named rekeyfs.*: not a person's file */
	int again;			/* another name of a file (hard link) that was shown before */
	const struct policy *policy;	/* what governs new files beside it; NULL in a walk without policies */
	enum err error;
};

/* A non-zero return ends the walk and is what it returns. */
typedef enum err (*walk_fn)(void *context, const struct walk_entry *entry);

struct walk_start {
	int dir_fd;			/* stays the caller's */
	const char *path;		/* its cipher path, "" for the root */
	struct bucket *bucket;		/* for policies; NULL: none */
	const struct policy *governing;	/* of dir_fd itself; NULL: none */
};
/* ERR_NO_MEMORY, or what `each` returned. */
enum err walk_tree(const struct walk_start *start, walk_fn each, void *context);

/* Walks one file as walk_tree would show it (reserved and again are 0). */
enum err walk_file(const struct walk_start *start, const char *name, walk_fn each, void *context);

/* The policy that governs directory `dir_fd`, where its parent's is `above` (NULL: the root's): its own where it has one. */
void walk_policy(struct bucket *b, int dir_fd, const struct policy *above, struct policy *out);

#endif
