/*
 * A keystore with two keys, a bucket and its tree, without FUSE: for tests of what works on a whole bucket.  Files have contents that follow from
 * a seed.  All lies in a directory of its own under TMPDIR and is gone after world_free.
 */
#ifndef REKEYFS_TESTS_LIB_WORLD_H
#define REKEYFS_TESTS_LIB_WORLD_H

#include "fs/tree/tree.h"
#include "keymgr/keymgr.h"

struct world {
	char dir[512], keystore[600], path[600], clock[600];
	struct keymgr *k;
	struct bucket *b;
	struct tree *t;
	uint8_t key1[KEY_ID_LEN], key2[KEY_ID_LEN];
	char key1_text[UUID_TEXT_LEN + 1], key2_text[UUID_TEXT_LEN + 1];	/* alias/one (the root's policy), alias/two */
};

struct world *world_new(void);
void world_free(struct world *w);
/* The bucket and its tree, as a mount has them. */
void world_mount(struct world *w);
void world_unmount(struct world *w, int clean);
/* Moves the clock of this process by so many seconds from now on (REKEYFS_CLOCK_FILE). */
void world_clock(struct world *w, long seconds);

void world_mkdir(struct world *w, const char *path);
/* A file of `size` bytes that follow from `seed`, new or written over. */
void world_write(struct world *w, const char *path, unsigned seed, uint64_t size);
/* `len` of those bytes from `offset` on, as another write. */
void world_write_at(struct world *w, const char *path, unsigned seed, uint64_t offset, uint64_t len);
/* 1 where it is that file. */
int world_holds(struct world *w, const char *path, unsigned seed, uint64_t size);
/* The byte at `offset` of such a file. */
uint8_t world_byte(unsigned seed, uint64_t offset);
/* An open handle; world_close lets go. */
struct open_file *world_open(struct world *w, const char *path);
void world_close(struct world *w, struct open_file *f);
enum err world_rename(struct world *w, const char *from, const char *to);
void world_unlink(struct world *w, const char *path);
void world_link(struct world *w, const char *from, const char *to);
/* Path of the lower file; malloc'd. */
char *world_lower(struct world *w, const char *path);
/* Which CMK the newest header on disk names: 1 or 2 for the two keys, 0 for another. */
int world_key_of(struct world *w, const char *path);
void world_set_policy(struct world *w, const char *dir, const char *key);

#endif
