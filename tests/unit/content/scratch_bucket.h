/* A keystore with two keys and a bucket, under TMPDIR. */
#ifndef REKEYFS_TESTS_SCRATCH_BUCKET_H
#define REKEYFS_TESTS_SCRATCH_BUCKET_H

#include "fs/bucket/bucket.h"

struct scratch_bucket {
	char keystore[500], path[500];
	struct keymgr *k;
	struct bucket *b;
	uint8_t key[KEY_ID_LEN], other_key[KEY_ID_LEN];
};

void scratch_bucket_open(struct scratch_bucket *t);
void scratch_bucket_close(struct scratch_bucket *t);
/* The same bucket as a mount sees it that finds an unclean end: the caller frees. */
struct bucket *scratch_bucket_crashed(const struct scratch_bucket *t);
/* The file `name` under TMPDIR, new and empty, open for both; its path to `path_out` (600 bytes). */
int scratch_file(const char *name, char *path_out);

#endif
