/*
 * A keystore, a bucket and its tree under TMPDIR, and short ways to use them.
 */
#ifndef REKEYFS_TESTS_UNIT_TREE_FIXTURE_H
#define REKEYFS_TESTS_UNIT_TREE_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "fs/tree/tree.h"
#include "tests/lib/unit.h"

#define ERRNO(n) ((enum err)(ERR_ERRNO + (n)))

struct fixture {
	char path[300], keystore[340], lower[340];
	struct keymgr *k;
	struct bucket *b;
	struct tree *t;
	struct node *root;
	struct caller me;
	uint8_t key[KEY_ID_LEN];	/* of alias/rekeyfs */
};

/* cmocka's setup and teardown of one test: *state is the fixture. */
int fixture_make(void **state);
int fixture_remove(void **state);
/* Close tree and bucket, open them anew: nothing but the lower files is left.  `mode` of the bucket. */
void fixture_reopen(struct fixture *f, enum bucket_mode mode);
/* A new key with an alias. */
void fixture_key(struct fixture *f, const char *alias, uint8_t id[static KEY_ID_LEN]);

/* A file with these bytes; the node keeps its lookup. */
struct node *make_file(struct fixture *f, struct node *parent, const char *name, const char *text);
struct node *make_dir(struct fixture *f, struct node *parent, const char *name);
/* The whole content, NUL-ended, of at most 64 KiB: static buffer. */
const char *read_file(struct fixture *f, struct node *n);
/* Looks up; `n` may be NULL: forgotten at once. */
enum err look(struct fixture *f, struct node *parent, const char *name, struct node **n, struct stat *st);
void forget(struct fixture *f, struct node *n);
/* Names of a directory, sorted, each followed by a blank; without dots: static buffer. */
const char *list(struct fixture *f, struct node *dir);
unsigned count_entries(struct fixture *f, struct node *dir);
/* Lower entries of the lower directory of inode `ino` whose names begin or end like this. */
unsigned count_lower(struct fixture *f, ino_t dir, const char *prefix, const char *suffix);
/* Path of the lower inode `ino` (static buffer), NULL where there is none. */
const char *lower_path(struct fixture *f, ino_t ino);

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)

#endif
