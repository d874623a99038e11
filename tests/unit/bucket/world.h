/* A keystore and a place for a bucket, in a scratch directory; `*state` of a test is a struct world. */
#ifndef REKEYFS_TESTS_UNIT_BUCKET_WORLD_H
#define REKEYFS_TESTS_UNIT_BUCKET_WORLD_H

#include <sys/types.h>
#include "fs/bucket/bucket.h"

struct world {
	char *directory;
	char keystore[512], bucket[512], copy[512];
	struct keymgr *k;
};

int world_make(void **state);		/* an empty keystore, no bucket */
int world_make_bucket(void **state);	/* and a bucket under alias/rekeyfs */
int world_remove(void **state);

struct keymgr *world_open_keystore(const struct world *w);
struct bucket *world_open(struct world *w);		/* read-write */
struct bucket *world_open_path(struct world *w, const char *path, enum bucket_mode mode);
/* begin and commit, as a mount does with a sync between. */
void world_checkpoint(struct bucket *b);

/* A new CMK as text, with an alias where that is not NULL. */
struct key_text { char text[UUID_TEXT_LEN + 1]; uint8_t id[KEY_ID_LEN]; };
struct key_text world_key(struct world *w, const char *alias);
struct key_text world_alias_key(struct world *w, const char *alias);

/* A shell command; fails the test where that fails. */
void world_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The bytes of a file below the bucket; the caller frees. */
uint8_t *world_read(const struct world *w, const char *name, size_t *len_out);
void world_write(const struct world *w, const char *name, const uint8_t *bytes, size_t len);
/* How many instances of buckets the keystore knows. */
int world_instances(struct world *w);

/* Runs `act` in a child that is gone at file call number `calls` (0: the first), as a kill would take it.  1: it was, 0: it ended before. */
int world_stop_at(struct world *w, int calls, void (*act)(struct world *w, struct keymgr *k, void *context), void *context);

/* From call `calls` on every file call fails (`once`: only that one); world_heal ends it and returns how many calls there were. */
void world_fail_at(int calls, int once);
int world_heal(void);

#endif
