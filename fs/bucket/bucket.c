#include "fs/bucket/bucket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "fs/bucket/description.h"
#include "fs/bucket/lock.h"
#include "fs/bucket/record.h"
#include "fs/bucket/release.h"
#include "fs/bucket/root_key.h"

#define CLOCK_MARGIN 2

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void bucket_release(struct bucket *b)
{
	if (!b)
		return;
	key_ring_free(b->ring);
	policy_table_free(b->policies);
	secret_free(b->names_key);
	close_fd(b->state_fd);
	close_fd(b->lock_fd);
	close_fd(b->root_fd);
	pthread_mutex_destroy(&b->state_lock);
	free(b->path);
	free(b);
}

static enum err read_only(void)
{
	return (enum err)(ERR_ERRNO + EROFS);
}

static enum err mark_clean(struct bucket *b)
{
	struct state next;
	enum err e = ERR_OK;

	pthread_mutex_lock(&b->state_lock);
	next = b->state;
	next.flags |= STATE_CLEAN;
	/* A checkpoint was begun and not ended: nobody knows what of it is durable. */
	if (atomic_load(&b->stamp) != next.next_stamp)
		e = ERR_CONFLICT;
	else
		e = record_store(b, &next);
	pthread_mutex_unlock(&b->state_lock);
	return e;
}

void bucket_close(struct bucket *b, int clean)
{
	enum err e;

	if (!b)
		return;
	if (clean && b->mode == BUCKET_READ_WRITE) {
		e = mark_clean(b);
		if (e == ERR_CONFLICT)
			log_warning("bucket %s: its last checkpoint failed, the next mount takes this end for a crash", b->path);
		else if (e != ERR_OK)
			log_error("bucket %s: cannot write the mark of a clean end: %s", b->path, err_message(e));
		e = bucket_anchor(b);
		if (e != ERR_OK)
			log_warning("bucket %s: the key manager was not told of its last checkpoint: %s", b->path, err_message(e));
	}
	bucket_release(b);
}

enum err bucket_lock_note(struct bucket *b, const char *text)
{
	return b->lock_fd < 0 ? read_only() : lock_write_note(b->lock_fd, text);
}

/* --- without keys ------------------------------------------------------------------------ */

static enum err open_path(const char *path, int *fd_out)
{
	*fd_out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd_out >= 0)
		return ERR_OK;
	return errno == ENOENT || errno == ENOTDIR ? err_set(ERR_NOT_FOUND, "there is no bucket at %s", path)
						   : err_set_errno("cannot open %s", path);
}

enum err bucket_describe(const char *path, struct bucket_description *out)
{
	int fd;
	enum err e = open_path(path, &fd);

	memset(out, 0, sizeof(*out));
	if (e != ERR_OK)
		return e;
	e = description_load(fd, path, out);
	close(fd);
	return e;
}

enum err bucket_names_slot(const char *path, struct key_slot *out)
{
	struct record record;
	int fd;
	enum err e = open_path(path, &fd);

	memset(out, 0, sizeof(*out));
	if (e != ERR_OK)
		return e;
	e = record_load(fd, 0, &record, NULL);
	close(fd);
	if (e == ERR_OK)
		*out = record.slots[0].state.names_slot;
	return e;
}

static int is_bucket(const char *directory)
{
	char *name;
	struct stat st;
	int found;

	if (asprintf(&name, "%s/" DESCRIPTION_NAME, directory) < 0)
		return 0;
	found = lstat(name, &st) == 0 && S_ISREG(st.st_mode);
	free(name);
	return found;
}

char *bucket_find_root(const char *path)
{
	char *at = realpath(path, NULL), *slash;

	while (at) {
		if (is_bucket(at))
			return at;
		slash = strrchr(at, '/');
		if (!slash || at[1] == 0)
			break;
		slash[slash == at] = 0;		/* the parent; "/" keeps its slash */
	}
	free(at);
	return NULL;
}

/* --- what a crash may have left ------------------------------------------------------------ */

int bucket_is_young(struct bucket *b, uint64_t stamp)
{
	if (stamp >= b->first_stamp)
		return 0;
	if (state_pardons_stamp(&b->at_open, stamp))
		return 1;
	/* A reader does not hold the lock: a mount may be writing at this moment. */
	return (b->unclean || b->mode == BUCKET_READ_ONLY) && stamp > atomic_load(&b->durable);
}

int bucket_is_suspect(struct bucket *b, int64_t lower_ctime)
{
	if (state_pardons_time(&b->at_open, lower_ctime))
		return 1;
	return b->mode == BUCKET_READ_ONLY && lower_ctime >= b->at_open.checkpoint_time - CLOCK_MARGIN;
}

enum err bucket_drop_pardons(struct bucket *b)
{
	struct state next;
	enum err e;

	if (b->mode == BUCKET_READ_ONLY)
		return read_only();
	pthread_mutex_lock(&b->state_lock);
	next = b->state;
	next.pardon_count = 0;
	e = record_store(b, &next);
	if (e == ERR_OK) {
		b->at_open.pardon_count = 0;
		b->unclean = 0;
	}
	pthread_mutex_unlock(&b->state_lock);
	return e;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

uint64_t bucket_checkpoint_begin(struct bucket *b)
{
	uint64_t covered;
	int64_t now;

	if (b->mode == BUCKET_READ_ONLY)
		return atomic_load(&b->durable);
	pthread_mutex_lock(&b->state_lock);
	covered = b->state.next_stamp;
	/* Never more than one above the record: after a failed attempt the stamp stays where it is. */
	if (atomic_load(&b->stamp) == covered) {
		if (lock_clock(b->lock_fd, &now) == ERR_OK)
			b->begun_at = now;
		atomic_store(&b->stamp, covered + 1);
	}
	pthread_mutex_unlock(&b->state_lock);
	return covered;
}

enum err bucket_checkpoint_commit(struct bucket *b, uint64_t covered)
{
	struct state next;
	enum err e;

	if (b->mode == BUCKET_READ_ONLY)
		return read_only();
	pthread_mutex_lock(&b->state_lock);
	next = b->state;
	e = covered == next.next_stamp && atomic_load(&b->stamp) == covered + 1 ? ERR_OK : ERR_INVALID;
	next.durable = covered;
	next.next_stamp = covered + 1;
	next.checkpoint_time = b->begun_at;
	if (e == ERR_OK)
		e = record_store(b, &next);
	if (e == ERR_OK)
		atomic_store(&b->durable, covered);
	pthread_mutex_unlock(&b->state_lock);
	return e;
}

enum err bucket_anchor(struct bucket *b)
{
	uint64_t generation;

	if (b->mode == BUCKET_READ_ONLY)
		return ERR_OK;
	pthread_mutex_lock(&b->state_lock);
	generation = b->state.policy_generation;
	pthread_mutex_unlock(&b->state_lock);
	return keymgr_anchor_bucket(key_ring_keymgr(b->ring), b->at_open.instance_id, atomic_load(&b->durable), generation);
}

/* --- names key and policies ---------------------------------------------------------------------- */

/* Both slots anew, so that no old copy names what `next` names no more.  Called with state_lock held. */
static enum err store_both(struct bucket *b, struct state *next)
{
	enum err e = record_store(b, next);

	return e == ERR_OK ? record_store(b, next) : e;
}

/* `next` gets a names slot under `key_id`, with the next epoch; moved_out 0 where it is under its current backing key already. */
static enum err wrap_names_key(struct bucket *b, struct state *next, const uint8_t *key_id, int force, int *moved_out)
{
	struct key_slot slot;
	enum err e = key_ring_wrap(b->ring, WRAP_NAMES_KEY, key_id, b->description.id, AEAD_XCHACHA20_POLY1305,
				   next->names_slot.epoch + 1, b->names_key->bytes, &slot);

	*moved_out = 0;
	if (e != ERR_OK)
		return e;
	*moved_out = force || memcmp(slot.key_id, next->names_slot.key_id, KEY_ID_LEN) != 0 ||
		     memcmp(slot.material_id, next->names_slot.material_id, MATERIAL_ID_LEN) != 0;
	if (*moved_out)
		next->names_slot = slot;
	return ERR_OK;
}

enum err bucket_rewrap_names_key(struct bucket *b, const uint8_t key_id[static KEY_ID_LEN], int force)
{
	struct state next;
	enum err e;
	int moved;

	if (b->mode == BUCKET_READ_ONLY)
		return read_only();
	pthread_mutex_lock(&b->state_lock);
	next = b->state;
	e = wrap_names_key(b, &next, key_id, force, &moved);
	if (e == ERR_OK && moved)
		e = store_both(b, &next);
	pthread_mutex_unlock(&b->state_lock);
	return e;
}

/* The generation of a table that was just stored, into the record.  Called with state_lock held. */
static enum err record_policies(struct bucket *b)
{
	struct state next = b->state;

	next.policy_generation = policy_table_generation(b->policies);
	return record_store(b, &next);
}

static enum err store_policies(struct bucket *b)
{
	return policy_table_store(b->policies, b->root_fd, b->names_key->bytes, b->description.id);
}

/* The root's new key: first the names key goes under it, so that a crash between leaves no policy whose key does not open the bucket. */
static enum err move_root(struct bucket *b, const struct policy *p)
{
	struct state next = b->state;
	uint8_t key_id[KEY_ID_LEN];
	enum err e = key_ring_resolve(b->ring, p->key, key_id);
	int moved;

	if (e == ERR_OK)
		e = wrap_names_key(b, &next, key_id, 0, &moved);
	if (e != ERR_OK)
		return e;
	state_root_hint(next.bucket_id, p->key, next.root_hint);
	return store_both(b, &next);
}

enum err bucket_policy_set(struct bucket *b, const struct policy *p)
{
	struct policy next = *p, before;
	enum err e, had;

	if (b->mode == BUCKET_READ_ONLY)
		return read_only();
	e = root_key_text(p->key, next.key);
	if (e != ERR_OK)
		return e;
	pthread_mutex_lock(&b->state_lock);
	had = policy_get(b->policies, p->dir_id, &before);
	if (memcmp(p->dir_id, b->root_dir_id, UUID_LEN) == 0)
		e = move_root(b, &next);
	if (e == ERR_OK)
		e = policy_set(b->policies, &next);
	if (e == ERR_OK) {
		e = store_policies(b);
		if (e != ERR_OK && had == ERR_OK)
			policy_set(b->policies, &before);
		else if (e != ERR_OK)
			policy_unset(b->policies, p->dir_id);
		else
			e = record_policies(b);
	}
	pthread_mutex_unlock(&b->state_lock);
	return e;
}

enum err bucket_policy_unset(struct bucket *b, const uint8_t dir_id[static UUID_LEN])
{
	struct policy before;
	enum err e;

	if (b->mode == BUCKET_READ_ONLY)
		return read_only();
	pthread_mutex_lock(&b->state_lock);
	e = policy_get(b->policies, dir_id, &before);
	if (e == ERR_OK)
		e = policy_unset(b->policies, dir_id);
	if (e == ERR_OK) {
		e = store_policies(b);
		if (e != ERR_OK)
			policy_set(b->policies, &before);
		else
			e = record_policies(b);
	}
	pthread_mutex_unlock(&b->state_lock);
	return e;
}
