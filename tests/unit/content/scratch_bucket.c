#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "tests/lib/unit.h"
#include "tests/unit/content/scratch_bucket.h"

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

void scratch_bucket_open(struct scratch_bucket *t)
{
	struct keymgr_create_options options = { .kind = PROTECTOR_KEYFILE };
	struct unlock unlock = { .no_prompt = 1 };
	struct key_metadata meta;

	assert_ok(secret_start());
	snprintf(t->keystore, sizeof t->keystore, "%s/ks/keystore", unit_directory());
	snprintf(t->path, sizeof t->path, "%s/bucket", unit_directory());
	assert_ok(keymgr_create(t->keystore, &options));
	assert_ok(keymgr_open(t->keystore, &unlock, 0, &t->k));
	assert_ok(bucket_init(t->path, t->k, NULL, aead_default(), t->keystore));
	assert_ok(bucket_open(t->path, t->k, BUCKET_READ_WRITE, 0, &t->b));
	assert_ok(keymgr_resolve(t->k, "alias/rekeyfs", t->key));
	assert_ok(keymgr_create_key(t->k, "another", &meta));
	memcpy(t->other_key, meta.key_id, KEY_ID_LEN);
	key_metadata_release(&meta);
}

void scratch_bucket_close(struct scratch_bucket *t)
{
	char ks[500];

	bucket_close(t->b, 1);
	keymgr_close(t->k);
	nftw(t->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	snprintf(ks, sizeof ks, "%s/ks", unit_directory());
	nftw(ks, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct bucket *scratch_bucket_crashed(const struct scratch_bucket *t)
{
	struct bucket *b = malloc(sizeof *b);

	assert_non_null(b);
	memcpy(b, t->b, sizeof *b);
	b->unclean = 1;
	b->state.pardon_count = 1;
	b->state.pardons[0] = (struct pardon){ atomic_load(&t->b->durable) + 1, atomic_load(&t->b->stamp) + 2, 0, INT64_MAX };
	b->at_open = b->state;
	atomic_store(&b->stamp, atomic_load(&t->b->stamp) + 3);
	b->first_stamp = atomic_load(&t->b->stamp) + 3;
	return b;
}

int scratch_file(const char *name, char *path_out)
{
	snprintf(path_out, 600, "%s/%s", unit_directory(), name);
	unlink(path_out);
	int fd = open(path_out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}
