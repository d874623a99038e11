/* Opening a bucket (bucket.h): identity, names key, policies, what a crash left. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "fs/bucket/bucket.h"
#include "fs/bucket/description.h"
#include "fs/bucket/instance.h"
#include "fs/bucket/lock.h"
#include "fs/bucket/place.h"
#include "fs/bucket/record.h"
#include "fs/bucket/release.h"
#include "fs/bucket/root_key.h"
#include "fs/names/names.h"

/* Clocks of a lower filesystem may step a little. */
#define CLOCK_MARGIN 2

/* What opening needs besides the bucket itself. */
struct opening {
	struct bucket *b;
	struct keymgr *k;
	int registering;
	int refuse_rollback;
	int names_moved;		/* the names key's CMK is pending deletion, it came by way of `root_key` */
	uint8_t root_key[KEY_ID_LEN];
	uint64_t anchor_checkpoint, anchor_policy;
};

static enum err new_bucket(const char *path, enum bucket_mode mode, struct bucket **out)
{
	struct bucket *b = calloc(1, sizeof(*b));

	*out = b;
	if (!b)
		return ERR_NO_MEMORY;
	b->root_fd = b->lock_fd = b->state_fd = -1;
	b->mode = mode;
	pthread_mutex_init(&b->state_lock, NULL);
	b->path = realpath(path, NULL);
	b->root_fd = b->path ? open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (b->root_fd < 0)
		return errno == ENOENT ? err_set(ERR_NOT_FOUND, "there is no bucket at %s: `rekeyfs init %s` makes one", path, path)
				       : err_set_errno("cannot open the bucket %s", path);
	return description_load(b->root_fd, b->path, &b->description);
}

/* --- the record ------------------------------------------------------------------------ */

/* The CMK of the names key is pending deletion: by way of the one that the root policy names now, if that is another. */
static enum err migrate_names_key(struct opening *o, struct key_ring *ring, const struct state *s, uint8_t key[static 32])
{
	const char *path = o->b->path;
	char text[UUID_TEXT_LEN + 1];
	struct key_slot moved;
	enum err e = root_key_by_hint(ring, s, o->root_key);

	if (e == ERR_NOT_FOUND || (e == ERR_OK && memcmp(o->root_key, s->names_slot.key_id, KEY_ID_LEN) == 0)) {
		uuid_text(s->names_slot.key_id, text);
		return err_set(ERR_NO_KEY, "the names of %s are under key %s, which is pending deletion, and its root policy names no other: "
			       "point its alias to another key (`rekeyctl update-alias`), or `rekeyctl cancel-key-deletion --key-id %s`",
			       path, text, text);
	}
	if (e == ERR_OK)
		e = key_ring_migrate(ring, WRAP_NAMES_KEY, s->bucket_id, &s->names_slot, o->root_key, &moved, key);
	o->names_moved = e == ERR_OK;
	return e;
}

static enum err open_slot(struct opening *o, struct key_ring *ring, const struct state *s, const uint8_t *page)
{
	struct bucket *b = o->b;
	uint8_t key[32];
	enum err e;

	o->names_moved = 0;
	if (memcmp(s->bucket_id, b->description.id, UUID_LEN) != 0)
		return err_set(ERR_NOT_AUTHENTIC, STATE_NAME " of %s belongs to another bucket", b->path);
	e = key_ring_unwrap(ring, WRAP_NAMES_KEY, s->bucket_id, &s->names_slot, key);
	if (e == ERR_NO_KEY && keymgr_key_state(o->k, s->names_slot.key_id) == KEY_PENDING_DELETION)
		e = migrate_names_key(o, ring, s, key);
	if (e == ERR_OK && state_verify(page, key) != ERR_OK)
		e = err_set(ERR_NOT_AUTHENTIC, STATE_NAME " of %s was changed by somebody without its key", b->path);
	if (e == ERR_OK)
		e = secret_copy(key, sizeof(key), &b->names_key);
	if (e == ERR_OK)
		b->state = *s;
	secret_wipe(key, sizeof(key));
	return e;
}

/* The newest slot that opens.  Where neither does, the newest one's error stands. */
static enum err open_record(struct opening *o)
{
	static const uint8_t no_instance[UUID_LEN];	/* to read the names key takes no lease */
	struct bucket *b = o->b;
	struct key_ring *ring = NULL;
	struct record record;
	enum err e, other;

	e = record_load(b->root_fd, b->mode == BUCKET_READ_WRITE, &record, &b->state_fd);
	if (e == ERR_OK)
		e = key_ring_new(o->k, b->description.id, no_instance, &ring);
	if (e != ERR_OK)
		return e;
	e = open_slot(o, ring, &record.slots[0].state, record.slots[0].page);
	if (e != ERR_OK && record.count == 2) {
		char sentence[1024];

		snprintf(sentence, sizeof(sentence), "%s", err_message(e));
		other = open_slot(o, ring, &record.slots[1].state, record.slots[1].page);
		e = other == ERR_OK ? ERR_OK : err_set(e, "%s", sentence);
	}
	key_ring_free(ring);
	return e;
}

static enum err open_root(struct bucket *b)
{
	char header[DIR_HEADER_TEXT + 1];
	uint8_t root_id[UUID_LEN];
	size_t len;
	enum err e;

	e = policy_table_load(b->root_fd, b->names_key->bytes, b->description.id, &b->policies);
	if (e != ERR_OK)
		return err_set(e, "cannot read the policies of %s (rekeyfs.policy): %s", b->path, err_text(e));
	e = dir_header_read(b->root_fd, header, &len);
	if (e == ERR_OK)
		e = dir_header_check(b->names_key->bytes, b->description.id, header, len, b->root_dir_id);
	policy_root_id(b->policies, root_id);
	if (e == ERR_OK && memcmp(root_id, b->root_dir_id, UUID_LEN) != 0)
		e = ERR_NOT_AUTHENTIC;		/* another directory's */
	if (e != ERR_OK)
		return err_set(e, "the header of %s (" DIR_HEADER_NAME ") is not its own: %s", b->path, err_text(e));
	return ERR_OK;
}

/* --- the anchor --------------------------------------------------------------------------- */

static enum err check_rollback(struct opening *o)
{
	struct bucket *b = o->b;
	uint64_t policy = policy_table_generation(b->policies);
	const char *what = NULL;
	enum err e = instance_anchor(o->k, &b->state, &o->anchor_checkpoint, &o->anchor_policy);

	if (e != ERR_OK)
		return e;
	if (o->anchor_policy < b->state.policy_generation)
		o->anchor_policy = b->state.policy_generation;
	if (b->state.durable < o->anchor_checkpoint)
		what = "record";
	else if (policy < o->anchor_policy)
		what = "table of policies";
	if (!what)
		return ERR_OK;
	if (o->refuse_rollback)
		return err_set(ERR_ROLLBACK, "the %s of bucket %s is older than it was: a backup was put back, or somebody wants old files or keys "
			       "back; `-o rollback=warn` takes it as it is", what, b->path);
	log_warning("the %s of bucket %s is older than the key manager saw it last (checkpoint %llu of %llu, policies %llu of %llu)",
		    what, b->path, (unsigned long long)b->state.durable, (unsigned long long)o->anchor_checkpoint,
		    (unsigned long long)policy, (unsigned long long)o->anchor_policy);
	return ERR_OK;
}

/* --- read-write ---------------------------------------------------------------------------- */

/* Whatever the last mount may have stamped, up to two behind the record's next one, is pardoned for good. */
static enum err pardon_crash(struct bucket *b, struct state *next)
{
	struct pardon p = { .first = next->durable + 1, .last = next->next_stamp + 2, .from = next->checkpoint_time };
	enum err e = lock_clock(b->lock_fd, &p.to);

	if (e != ERR_OK)
		return e;
	if (p.to < p.from) {
		p.to = next->checkpoint_time;
		lock_clock(b->lock_fd, &p.from);
	}
	p.from -= CLOCK_MARGIN;
	p.to += CLOCK_MARGIN;
	state_add_pardon(next, &p);
	next->next_stamp = p.last + 1;
	return ERR_OK;
}

/* A copy gets an id of its own, and never takes the first one's place. */
static enum err settle_instance(struct opening *o, struct state *next)
{
	struct bucket *b = o->b;
	struct place here, there = { .filesystem = next->filesystem, .root_inode = next->root_inode };
	enum err e = place_of(b->root_fd, b->path, &here);

	if (e != ERR_OK || place_equal(&here, &there))
		return e;
	uuid_random(next->instance_id);
	next->filesystem = here.filesystem;
	next->root_inode = here.root_inode;
	log_info("bucket %s is a copy, or was moved to another filesystem: it is registered as another instance of the same bucket", b->path);
	return ERR_OK;
}

/* A table of policies that is older than it was and accepted all the same counts from now on. */
static enum err settle_policies(struct opening *o, struct state *next)
{
	struct bucket *b = o->b;
	enum err e = ERR_OK;

	if (policy_table_generation(b->policies) < o->anchor_policy) {
		policy_table_raise(b->policies, o->anchor_policy);
		e = policy_table_store(b->policies, b->root_fd, b->names_key->bytes, b->description.id);
	}
	next->policy_generation = policy_table_generation(b->policies);
	return e;
}

/* The first thing that is written: what the crash left is pardoned, and from now on an end without bucket_close is one. */
static enum err begin_writing(struct opening *o)
{
	struct bucket *b = o->b;
	struct state next = b->state;
	enum err e = ERR_OK;

	if (b->unclean)
		e = pardon_crash(b, &next);
	if (e == ERR_OK)
		e = settle_instance(o, &next);
	if (e != ERR_OK)
		return e;
	next.flags &= (uint16_t)~STATE_CLEAN;
	if (next.durable < o->anchor_checkpoint)
		next.durable = o->anchor_checkpoint;
	if (next.next_stamp <= next.durable)
		next.next_stamp = next.durable + 1;
	e = record_store(b, &next);
	if (e == ERR_OK)
		e = instance_register(o->k, &b->state, b->path);
	if (e == ERR_OK)
		e = settle_policies(o, &next);
	if (e == ERR_OK && next.policy_generation != b->state.policy_generation)
		e = record_store(b, &next);
	return e;
}

static enum err finish(struct opening *o)
{
	static const uint8_t no_instance[UUID_LEN];	/* a reader encrypts nothing: no leases */
	struct bucket *b = o->b;
	int writes = b->mode == BUCKET_READ_WRITE;
	enum err e = ERR_OK;

	b->unclean = !(b->state.flags & STATE_CLEAN);
	if (writes)
		e = begin_writing(o);
	if (e == ERR_OK)
		e = key_ring_new(o->k, b->description.id, writes ? b->state.instance_id : no_instance, &b->ring);
	if (e != ERR_OK)
		return e;
	b->first_stamp = writes ? b->state.next_stamp : UINT64_MAX;
	atomic_store(&b->stamp, b->state.next_stamp);
	atomic_store(&b->durable, b->state.durable > o->anchor_checkpoint ? b->state.durable : o->anchor_checkpoint);
	b->begun_at = b->state.checkpoint_time;
	b->at_open = b->state;
	if (writes && o->names_moved)
		e = bucket_rewrap_names_key(b, o->root_key, 1);
	return e;
}

static enum err open_bucket(struct opening *o, const char *path, enum bucket_mode mode)
{
	struct bucket *b;
	enum err e = new_bucket(path, mode, &o->b);

	b = o->b;
	if (e == ERR_OK && !o->registering)
		e = instance_check_known(o->k, b->description.id, b->path);
	if (e == ERR_OK && mode == BUCKET_READ_WRITE)
		e = lock_take(b->root_fd, b->path, &b->lock_fd);
	if (e == ERR_OK)
		e = open_record(o);
	if (e == ERR_OK)
		e = open_root(b);
	if (e == ERR_OK)
		e = check_rollback(o);
	if (e == ERR_OK)
		e = finish(o);
	if (e != ERR_OK)
		bucket_release(b);
	return e;
}

enum err bucket_open(const char *path, struct keymgr *k, enum bucket_mode mode, int refuse_rollback, struct bucket **out)
{
	struct opening o = { .k = k, .refuse_rollback = refuse_rollback };
	enum err e = open_bucket(&o, path, mode);

	*out = e == ERR_OK ? o.b : NULL;
	return e;
}

enum err bucket_register(const char *path, struct keymgr *k)
{
	struct opening o = { .k = k, .registering = 1 };
	enum err e = open_bucket(&o, path, BUCKET_READ_WRITE);

	/* Nothing was written since the record was settled. */
	if (e == ERR_OK)
		bucket_close(o.b, 1);
	return e;
}
