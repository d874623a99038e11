#include "tests/lib/world.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "fs/names/names.h"
#include "tests/lib/unit.h"

#define CHUNK 65536

static const struct caller nobody = { .umask = 022 };

struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct keymgr_create_options options = { .kind = PROTECTOR_KEYFILE };
	struct unlock unlock = { .no_prompt = 1 };
	struct key_metadata m = { 0 };

	assert_non_null(w);
	assert_ok(secret_start());
	log_open("test", NULL, LOG_LEVEL_ERROR);
	snprintf(w->dir, sizeof(w->dir), "%s/world.XXXXXX", unit_directory());
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->keystore, sizeof(w->keystore), "%s/keystore", w->dir);
	snprintf(w->path, sizeof(w->path), "%s/bucket", w->dir);
	snprintf(w->clock, sizeof(w->clock), "%s/clock", w->dir);
	setenv("REKEYFS_CLOCK_FILE", w->clock, 1);
	world_clock(w, 0);
	assert_ok(keymgr_create(w->keystore, &options));
	assert_ok(keymgr_open(w->keystore, &unlock, 0, &w->k));
	for (int i = 0; i < 2; i++) {
		assert_ok(keymgr_create_key(w->k, "", &m));
		memcpy(i ? w->key2 : w->key1, m.key_id, KEY_ID_LEN);
		uuid_text(m.key_id, i ? w->key2_text : w->key1_text);
		assert_ok(keymgr_create_alias(w->k, i ? "alias/two" : "alias/one", i ? w->key2_text : w->key1_text));
		key_metadata_release(&m);
	}
	assert_ok(bucket_init(w->path, w->k, "alias/one", aead_default(), ""));
	world_mount(w);
	return w;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	return remove(path);
}

void world_free(struct world *w)
{
	if (w->b)
		world_unmount(w, 1);
	keymgr_close(w->k);
	unsetenv("REKEYFS_CLOCK_FILE");
	nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
}

void world_mount(struct world *w)
{
	assert_ok(bucket_open(w->path, w->k, BUCKET_READ_WRITE, 1, &w->b));
	assert_ok(tree_new(w->b, &w->t));
}

void world_unmount(struct world *w, int clean)
{
	tree_free(w->t);
	if (clean)
		assert_ok(content_checkpoint(w->b));
	bucket_close(w->b, clean);
	w->t = NULL;
	w->b = NULL;
}

void world_clock(struct world *w, long seconds)
{
	FILE *f = fopen(w->clock, "w");

	assert_non_null(f);
	fprintf(f, "%ld\n", seconds);
	fclose(f);
}

/* --- files ------------------------------------------------------------------------------------- */

uint8_t world_byte(unsigned seed, uint64_t offset)
{
	return (uint8_t)((offset * 31 + (offset >> 8) * 17 + (offset >> 16) * 7 + seed * 101 + 1) & 255);
}

static struct node *parent_of(struct world *w, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char *dir = strndup(path, slash ? (size_t)(slash - path) : 0);
	struct node *n;
	struct stat st;

	assert_non_null(dir);
	*name = slash ? slash + 1 : path;
	assert_ok(tree_resolve(w->t, dir, &n, &st));
	free(dir);
	return n;
}

void world_mkdir(struct world *w, const char *path)
{
	const char *name;
	struct node *parent = parent_of(w, path, &name), *n;
	struct stat st;

	assert_ok(tree_mkdir(w->t, parent, name, 0755, &nobody, &n, &st));
	tree_forget(w->t, n, 1);
	tree_forget(w->t, parent, 1);
}

struct open_file *world_open(struct world *w, const char *path)
{
	struct open_file *f;
	struct node *n;
	struct stat st;

	assert_ok(tree_resolve(w->t, path, &n, &st));
	assert_ok(tree_open(w->t, n, O_RDWR, &nobody, &f));
	tree_forget(w->t, n, 1);
	return f;
}

void world_close(struct world *w, struct open_file *f)
{
	assert_ok(tree_flush(w->t, f));
	assert_ok(tree_release(w->t, f));
}

static void fill(struct open_file *f, unsigned seed, uint64_t offset, uint64_t len)
{
	uint8_t *bytes = malloc(CHUNK);

	assert_non_null(bytes);
	for (uint64_t done = 0; done < len;) {
		size_t part = len - done < CHUNK ? (size_t)(len - done) : CHUNK;

		for (size_t i = 0; i < part; i++)
			bytes[i] = world_byte(seed, offset + done + i);
		assert_ok(content_write(open_file_content(f), bytes, part, offset + done));
		done += part;
	}
	free(bytes);
}

void world_write(struct world *w, const char *path, unsigned seed, uint64_t size)
{
	const char *name;
	struct node *parent = parent_of(w, path, &name), *n;
	struct open_file *f;
	struct stat st;

	if (tree_resolve(w->t, path, &n, &st) == ERR_OK)
		assert_ok(tree_open(w->t, n, O_RDWR | O_TRUNC, &nobody, &f));
	else
		assert_ok(tree_create(w->t, parent, name, 0644, O_RDWR, &nobody, &n, &st, &f));
	fill(f, seed, 0, size);
	world_close(w, f);
	tree_forget(w->t, n, 1);
	tree_forget(w->t, parent, 1);
}

void world_write_at(struct world *w, const char *path, unsigned seed, uint64_t offset, uint64_t len)
{
	struct open_file *f = world_open(w, path);

	fill(f, seed, offset, len);
	world_close(w, f);
}

int world_holds(struct world *w, const char *path, unsigned seed, uint64_t size)
{
	uint8_t *bytes = malloc(CHUNK);
	struct open_file *f;
	struct node *n;
	struct stat st;
	uint64_t at = 0;
	size_t got = 0;
	int same;
	enum err e;

	assert_non_null(bytes);
	assert_ok(tree_resolve(w->t, path, &n, &st));
	e = tree_open(w->t, n, O_RDONLY, &nobody, &f);
	tree_forget(w->t, n, 1);
	same = e == ERR_OK && content_size(open_file_content(f)) == size;
	while (same && at < size) {
		same = content_read(open_file_content(f), bytes, CHUNK, at, &got) == ERR_OK && got > 0;
		for (size_t i = 0; same && i < got; i++)
			if (bytes[i] != world_byte(seed, at + i)) {
				print_error("%s differs at %llu\n", path, (unsigned long long)(at + i));
				same = 0;
			}
		at += got;
	}
	if (e == ERR_OK)
		assert_ok(tree_release(w->t, f));
	free(bytes);
	return same;
}

enum err world_rename(struct world *w, const char *from, const char *to)
{
	const char *from_name, *to_name;
	struct node *a = parent_of(w, from, &from_name), *b = parent_of(w, to, &to_name);
	enum err e = tree_rename(w->t, a, from_name, b, to_name, 0);

	tree_forget(w->t, a, 1);
	tree_forget(w->t, b, 1);
	return e;
}

void world_unlink(struct world *w, const char *path)
{
	const char *name;
	struct node *parent = parent_of(w, path, &name);

	assert_ok(tree_unlink(w->t, parent, name));
	tree_forget(w->t, parent, 1);
}

void world_link(struct world *w, const char *from, const char *to)
{
	const char *name;
	struct node *parent = parent_of(w, to, &name), *n;
	struct stat st;

	assert_ok(tree_resolve(w->t, from, &n, &st));
	assert_ok(tree_link(w->t, n, parent, name, &st));
	tree_forget(w->t, n, 2);
	tree_forget(w->t, parent, 1);
}

/* --- the lower side -------------------------------------------------------------------------------- */

char *world_lower(struct world *w, const char *path)
{
	uint8_t id[UUID_LEN];
	char *lower = strdup(w->path), *longer, *copy = strdup(path), *save = NULL;
	char upto[1024] = "";

	assert_non_null(copy);
	for (char *part = strtok_r(copy, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		struct lower_name name;
		struct names_key key;
		struct node *n;
		struct stat st;

		assert_ok(tree_resolve(w->t, upto, &n, &st));
		assert_ok(tree_dir_id(w->t, n, id));
		tree_forget(w->t, n, 1);
		names_key_make(w->b->names_key->bytes, id, &key);
		assert_ok(names_encrypt(&key, part, strlen(part), &name));
		assert_true(asprintf(&longer, "%s/%s", lower, name.name) > 0);
		free(lower);
		lower = longer;
		if (*upto)
			strcat(upto, "/");
		strcat(upto, part);
	}
	free(copy);
	return lower;
}

int world_key_of(struct world *w, const char *path)
{
	char *lower = world_lower(w, path);
	int fd = open(lower, O_RDONLY);
	struct header_view views[2];
	unsigned count;
	uint64_t size;
	const uint8_t *id;

	assert_true(fd >= 0);
	assert_ok(content_view(fd, views, &count, &size));
	close(fd);
	free(lower);
	assert_true(count > 0);
	id = views[0].header.slots[views[0].header.slot_count - 1].key_id;
	return memcmp(id, w->key1, KEY_ID_LEN) == 0 ? 1 : memcmp(id, w->key2, KEY_ID_LEN) == 0 ? 2 : 0;
}

void world_set_policy(struct world *w, const char *dir, const char *key)
{
	struct policy p = { .on_rename = ON_RENAME_MIGRATE };
	struct node *n;
	struct stat st;

	assert_ok(tree_resolve(w->t, dir, &n, &st));
	assert_ok(tree_dir_id(w->t, n, p.dir_id));
	tree_forget(w->t, n, 1);
	snprintf(p.key, sizeof(p.key), "%s", key);
	assert_ok(bucket_policy_set(w->b, &p));
}
