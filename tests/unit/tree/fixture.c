#include "tests/unit/tree/fixture.h"

#include <dirent.h>
#include <ftw.h>
#include "base/secret.h"

/* --- the bucket ---------------------------------------------------------------------- */

static void open_bucket(struct fixture *f, enum bucket_mode mode)
{
	assert_ok(bucket_open(f->lower, f->k, mode, 0, &f->b));
	assert_ok(tree_new(f->b, &f->t));
	f->root = tree_root(f->t);
}

static void close_bucket(struct fixture *f)
{
	tree_free(f->t);
	f->t = NULL;
	if (f->b && f->b->mode == BUCKET_READ_WRITE)
		content_checkpoint(f->b);
	bucket_close(f->b, 1);
	f->b = NULL;
}

int fixture_make(void **state)
{
	const struct keymgr_create_options options = { .kind = PROTECTOR_KEYFILE };
	const struct unlock unlock = { .no_prompt = 1 };
	struct fixture *f = calloc(1, sizeof(*f));

	umask(0);
	assert_non_null(f);
	assert_ok(secret_start());
	snprintf(f->path, sizeof(f->path), "%s/tree.XXXXXX", unit_directory());
	assert_non_null(mkdtemp(f->path));
	snprintf(f->keystore, sizeof(f->keystore), "%s/keystore", f->path);
	snprintf(f->lower, sizeof(f->lower), "%s/bucket", f->path);
	assert_ok(keymgr_create(f->keystore, &options));
	assert_ok(keymgr_open(f->keystore, &unlock, 1, &f->k));
	assert_ok(bucket_init(f->lower, f->k, NULL, aead_default(), f->keystore));
	assert_ok(keymgr_resolve(f->k, "alias/rekeyfs", f->key));
	f->me = (struct caller){ .uid = geteuid(), .gid = getegid(), .umask = 022 };
	open_bucket(f, BUCKET_READ_WRITE);
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

int fixture_remove(void **state)
{
	struct fixture *f = *state;

	close_bucket(f);
	keymgr_close(f->k);
	nftw(f->path, remove_one, 64, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

void fixture_reopen(struct fixture *f, enum bucket_mode mode)
{
	close_bucket(f);
	open_bucket(f, mode);
}

void fixture_key(struct fixture *f, const char *alias, uint8_t id[static KEY_ID_LEN])
{
	struct key_metadata m;
	char text[UUID_TEXT_LEN + 1];

	assert_ok(keymgr_create_key(f->k, "test", &m));
	memcpy(id, m.key_id, KEY_ID_LEN);
	key_metadata_release(&m);
	uuid_text(id, text);
	assert_ok(keymgr_create_alias(f->k, alias, text));
}

/* --- plain names --------------------------------------------------------------------------- */

struct node *make_file(struct fixture *f, struct node *parent, const char *name, const char *text)
{
	struct open_file *file;
	struct node *n;
	struct stat st;

	assert_ok(tree_create(f->t, parent, name, 0644, O_RDWR | O_EXCL, &f->me, &n, &st, &file));
	if (*text)
		assert_ok(content_write(open_file_content(file), text, strlen(text), 0));
	assert_ok(tree_flush(f->t, file));
	assert_ok(tree_release(f->t, file));
	return n;
}

struct node *make_dir(struct fixture *f, struct node *parent, const char *name)
{
	struct node *n;
	struct stat st;

	assert_ok(tree_mkdir(f->t, parent, name, 0755, &f->me, &n, &st));
	assert_true(S_ISDIR(st.st_mode));
	return n;
}

const char *read_file(struct fixture *f, struct node *n)
{
	static char text[65537];
	struct open_file *file;
	size_t got;

	assert_ok(tree_open(f->t, n, O_RDONLY, &f->me, &file));
	assert_ok(content_read(open_file_content(file), text, sizeof(text) - 1, 0, &got));
	assert_ok(tree_release(f->t, file));
	text[got] = '\0';
	return text;
}

enum err look(struct fixture *f, struct node *parent, const char *name, struct node **n, struct stat *st)
{
	struct node *found;
	struct stat own;
	enum err e = tree_lookup(f->t, parent, name, &found, st ? st : &own);

	if (n)
		*n = found;
	else if (e == ERR_OK)
		tree_forget(f->t, found, 1);
	return e;
}

void forget(struct fixture *f, struct node *n)
{
	tree_forget(f->t, n, 1);
}

/* --- listings ---------------------------------------------------------------------------------- */

struct names { char (*names)[256]; unsigned count, max; };

static int take_name(void *context, const char *name, const struct stat *st, struct node *n, uint64_t next)
{
	struct names *all = context;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	assert_true(all->count < all->max);
	strcpy(all->names[all->count++], name);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

const char *list(struct fixture *f, struct node *dir)
{
	static char text[65536], names[256][256];
	struct names all = { names, 0, 256 };
	struct open_dir *d;
	char *at = text;

	assert_ok(tree_opendir(f->t, dir, &d));
	assert_ok(tree_readdir(f->t, d, 0, 0, take_name, &all));
	tree_releasedir(f->t, d);
	qsort(names, all.count, sizeof(names[0]), compare);
	*at = '\0';
	for (unsigned i = 0; i < all.count; i++)
		at = stpcpy(stpcpy(at, names[i]), " ");
	return text;
}

static int count_one(void *context, const char *name, const struct stat *st, struct node *n, uint64_t next)
{
	if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		++*(unsigned *)context;
	return 0;
}

unsigned count_entries(struct fixture *f, struct node *dir)
{
	struct open_dir *d;
	unsigned count = 0;

	assert_ok(tree_opendir(f->t, dir, &d));
	assert_ok(tree_readdir(f->t, d, 0, 0, count_one, &count));
	tree_releasedir(f->t, d);
	return count;
}

/* --- the lower side ------------------------------------------------------------------------------- */

static ino_t wanted;
static char found[PATH_MAX];

static int compare_inode(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (st->st_ino != wanted)
		return 0;
	snprintf(found, sizeof(found), "%s", path);
	return 1;
}

const char *lower_path(struct fixture *f, ino_t ino)
{
	wanted = ino;
	return nftw(f->lower, compare_inode, 64, FTW_PHYS) == 1 ? found : NULL;
}

unsigned count_lower(struct fixture *f, ino_t dir, const char *prefix, const char *suffix)
{
	const char *path = lower_path(f, dir);
	unsigned count = 0;
	struct dirent *d;
	DIR *lower;

	assert_non_null(path);
	lower = opendir(path);
	assert_non_null(lower);
	while ((d = readdir(lower))) {
		size_t len = strlen(d->d_name), end = strlen(suffix);

		count += strncmp(d->d_name, prefix, strlen(prefix)) == 0 && len >= end && strcmp(d->d_name + len - end, suffix) == 0;
	}
	closedir(lower);
	return count;
}
