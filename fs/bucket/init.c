/* A new bucket (bucket.h).  rekeyfs.bucket comes last: until then the directory is none, and the next init clears away what lies there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file_io.h"
#include "base/log.h"
#include "base/random.h"
#include "fs/bucket/bucket.h"
#include "fs/bucket/description.h"
#include "fs/bucket/instance.h"
#include "fs/bucket/lock.h"
#include "fs/bucket/place.h"
#include "fs/bucket/record.h"
#include "fs/bucket/root_key.h"
#include "fs/names/names.h"
#include "fs/policy/policy_file.h"

#define DEFAULT_KEY "alias/rekeyfs"
#define JOBS_NAME "rekeyfs.jobs"

static const char *const own_files[] = {
	DESCRIPTION_NAME, DESCRIPTION_NAME ".new", STATE_NAME, STATE_NAME ".new", POLICY_FILE_NAME, POLICY_FILE_NAME ".new",
	DIR_HEADER_NAME,
};

struct making {
	char *path;		/* absolute */
	int made_directory;
	int ours;		/* locked and found empty */
	int root_fd, lock_fd;
	struct keymgr *k;
	char key[POLICY_KEY_MAX + 1];
	uint8_t key_id[KEY_ID_LEN];
	struct bucket_description description;
	uint8_t root_dir_id[UUID_LEN];
	struct state state;
	struct secret *names_key;
};

/* Nothing but what an interrupted init left. */
static enum err check_empty(struct making *m)
{
	int fd = openat(m->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	enum err e = ERR_OK;
	struct dirent *entry;

	if (!dir) {
		e = err_set_errno("cannot list %s", m->path);
		if (fd >= 0)
			close(fd);
		return e;
	}
	while (e == ERR_OK && (errno = 0, entry = readdir(dir))) {
		if (strcmp(entry->d_name, DESCRIPTION_NAME) == 0)
			e = err_set(ERR_EXISTS, "%s is a bucket already", m->path);
		else if (names_is_reserved(entry->d_name) != 1)
			e = err_set(ERR_REFUSED, "%s is not empty: a bucket begins in an empty directory", m->path);
	}
	if (e == ERR_OK && errno)
		e = err_set_errno("cannot list %s", m->path);
	closedir(dir);
	return e;
}

/* A bucket inside a bucket would be shown as broken names. */
static enum err check_outside(struct making *m)
{
	char *slash = strrchr(m->path, '/'), *outer;
	enum err e = ERR_OK;

	if (slash == m->path)
		return ERR_OK;
	*slash = 0;
	outer = bucket_find_root(m->path);
	*slash = '/';
	if (outer)
		e = err_set(ERR_REFUSED, "%s lies inside the bucket %s", m->path, outer);
	free(outer);
	return e;
}

static enum err open_directory(struct making *m, const char *path)
{
	enum err e;

	if (mkdir(path, 0755) == 0)
		m->made_directory = 1;
	else if (errno != EEXIST)
		return err_set_errno("cannot make %s", path);
	m->path = realpath(path, NULL);
	m->root_fd = m->path ? open(m->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (m->root_fd < 0)
		return err_set_errno("cannot open %s", path);
	e = check_empty(m);
	if (e == ERR_OK)
		e = check_outside(m);
	if (e == ERR_OK)
		e = lock_take(m->root_fd, m->path, &m->lock_fd);
	if (e == ERR_OK)
		e = check_empty(m);	/* again: another init may have ended between */
	m->ours = e == ERR_OK;
	return e;
}

static enum err make_default_key(struct making *m)
{
	struct key_metadata made = { 0 };
	char text[UUID_TEXT_LEN + 1];
	enum err e = keymgr_create_key(m->k, "Default key of rekeyfs buckets", &made);

	if (e != ERR_OK)
		return e;
	uuid_text(made.key_id, text);
	e = keymgr_create_alias(m->k, DEFAULT_KEY, text);
	key_metadata_release(&made);
	if (e == ERR_ALREADY_EXISTS)	/* another was faster */
		e = ERR_OK;
	return e == ERR_OK ? keymgr_resolve(m->k, DEFAULT_KEY, m->key_id) : e;
}

static enum err choose_key(struct making *m, const char *key)
{
	enum err e = root_key_text(key ? key : DEFAULT_KEY, m->key);

	if (e != ERR_OK)
		return e;
	e = keymgr_resolve(m->k, m->key, m->key_id);
	if (e == ERR_KEY_NOT_FOUND && !key)
		e = make_default_key(m);
	if (e == ERR_KEY_NOT_FOUND)
		return err_set(e, "the keystore has no key \"%s\": `rekeyctl create-key --alias-name alias/NAME` makes one", key);
	return e;
}

/* The names key, and the record with its slot. */
static enum err make_state(struct making *m)
{
	static const uint8_t no_instance[UUID_LEN];	/* without leases: it is not registered yet */
	struct state *s = &m->state;
	struct key_ring *ring = NULL;
	struct place place;
	enum err e;

	e = secret_new(32, &m->names_key);
	if (e == ERR_OK)
		e = place_of(m->root_fd, m->path, &place);
	if (e == ERR_OK)
		e = lock_clock(m->lock_fd, &s->checkpoint_time);
	if (e == ERR_OK)
		e = key_ring_new(m->k, m->description.id, no_instance, &ring);
	if (e != ERR_OK)
		return e;
	random_bytes(m->names_key->bytes, m->names_key->len);
	memcpy(s->bucket_id, m->description.id, UUID_LEN);
	uuid_random(s->instance_id);
	s->flags = STATE_CLEAN;
	s->filesystem = place.filesystem;
	s->root_inode = place.root_inode;
	s->next_stamp = 1;
	state_root_hint(s->bucket_id, m->key, s->root_hint);
	e = key_ring_wrap(ring, WRAP_NAMES_KEY, m->key_id, s->bucket_id, AEAD_XCHACHA20_POLY1305, 1, m->names_key->bytes, &s->names_slot);
	key_ring_free(ring);
	return e;
}

static enum err store_policies(struct making *m)
{
	struct policy_table *t;
	enum err e = policy_table_new(m->root_dir_id, m->key, &t);

	if (e != ERR_OK)
		return e;
	e = policy_table_store(t, m->root_fd, m->names_key->bytes, m->description.id);
	m->state.policy_generation = policy_table_generation(t);
	policy_table_free(t);
	return e;
}

static void clear_away(struct making *m)
{
	for (size_t i = 0; i < sizeof(own_files) / sizeof(own_files[0]); i++)
		unlinkat(m->root_fd, own_files[i], 0);
}

static enum err write_files(struct making *m)
{
	char header[DIR_HEADER_TEXT + 1];
	enum err e;

	clear_away(m);
	dir_header_make(m->names_key->bytes, m->description.id, m->root_dir_id, header);
	e = dir_header_write(m->root_fd, header);
	if (e == ERR_OK && mkdirat(m->root_fd, JOBS_NAME, 0700) != 0 && errno != EEXIST)
		e = err_errno();
	if (e == ERR_OK)
		e = store_policies(m);
	if (e == ERR_OK)
		e = record_create(m->root_fd, &m->state, m->names_key->bytes);
	if (e == ERR_OK)
		e = description_store(m->root_fd, &m->description);
	if (e != ERR_OK && e < ERR_ERRNO)
		return e;
	return e == ERR_OK ? e : err_set(e, "cannot write into %s: %s", m->path, err_text(e));
}

/* The directory's own name is durable too. */
static enum err sync_parent(struct making *m)
{
	int fd = openat(m->root_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e;

	if (fd < 0)		/* one that we may not read: not ours to sync */
		return errno == EACCES ? ERR_OK : err_errno();
	e = file_sync_full(fd);
	close(fd);
	return e;
}

/* Only what is ours: before `ours` is set, what lies there may be another's. */
static void undo(struct making *m, enum err e)
{
	if (m->ours) {
		clear_away(m);
		unlinkat(m->root_fd, JOBS_NAME, AT_REMOVEDIR);
	}
	if (m->ours || (m->made_directory && m->root_fd >= 0 && e != ERR_BUSY && e != ERR_EXISTS))
		unlinkat(m->root_fd, LOCK_NAME, 0);
}

enum err bucket_init(const char *path, struct keymgr *k, const char *key, enum aead_suite suite, const char *keystore_hint)
{
	struct making m = { .root_fd = -1, .lock_fd = -1, .k = k };
	enum err e;

	if (!aead_available(suite))
		return err_set(ERR_UNSUPPORTED, "this machine cannot run %s", aead_name(suite) ? aead_name(suite) : "that cipher suite");
	e = open_directory(&m, path);
	if (e == ERR_OK)
		e = choose_key(&m, key);
	if (e != ERR_OK)
		goto out;
	m.description.format = BUCKET_FORMAT;
	m.description.suite = suite;
	if (keystore_hint && strlen(keystore_hint) < sizeof(m.description.keystore_hint))
		strcpy(m.description.keystore_hint, keystore_hint);
	uuid_random(m.description.id);
	uuid_random(m.root_dir_id);
	e = make_state(&m);
	if (e == ERR_OK)
		e = write_files(&m);
	if (e == ERR_OK)
		e = sync_parent(&m);
	if (e == ERR_OK)
		e = instance_register(k, &m.state, m.path);
out:
	if (e != ERR_OK)
		undo(&m, e);
	if (m.lock_fd >= 0)
		close(m.lock_fd);
	if (m.root_fd >= 0)
		close(m.root_fd);
	if (e != ERR_OK && m.made_directory)
		rmdir(path);
	secret_free(m.names_key);
	free(m.path);
	return e;
}
