#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"
#include "base/log.h"
#include "base/random.h"
#include "fs/content/group.h"

/* --- the registry of open contents ----------------------------------------------------- */

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct content *registry;

static void registry_add(struct content *c)
{
	pthread_mutex_lock(&registry_lock);
	c->refs = 1;
	c->next = registry;
	if (registry)
		registry->prev = c;
	registry = c;
	pthread_mutex_unlock(&registry_lock);
}

/* 1 where this was the last reference: it is out of the registry then. */
static int registry_drop(struct content *c)
{
	pthread_mutex_lock(&registry_lock);
	int last = !--c->refs;
	if (last) {
		if (c->prev)
			c->prev->next = c->next;
		else
			registry = c->next;
		if (c->next)
			c->next->prev = c->prev;
	}
	pthread_mutex_unlock(&registry_lock);
	return last;
}

struct content *content_hold(struct content *c)
{
	pthread_mutex_lock(&registry_lock);
	c->refs++;
	pthread_mutex_unlock(&registry_lock);
	return c;
}

int content_each(struct bucket *b, int (*each)(void *context, struct content *c), void *context)
{
	size_t count = 0, max = 0;
	struct content **all = NULL;
	int stop = 0;

	pthread_mutex_lock(&registry_lock);
	for (struct content *c = registry; c; c = c->next)
		max++;
	all = malloc((max ? max : 1) * sizeof *all);
	for (struct content *c = registry; all && c; c = c->next)
		if (c->b == b) {
			c->refs++;
			all[count++] = c;
		}
	pthread_mutex_unlock(&registry_lock);
	if (!all)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (!stop)
			stop = each(context, all[i]);
		content_free(all[i]);
	}
	free(all);
	return stop;
}

/* --- locks ----------------------------------------------------------------------------- */

void content_lock_quiet(struct content *c)
{
	for (;;) {
		pthread_mutex_lock(&c->flight_lock);
		while (c->in_flight)
			pthread_cond_wait(&c->landed, &c->flight_lock);
		pthread_mutex_unlock(&c->flight_lock);
		pthread_rwlock_wrlock(&c->lock);
		if (!c->in_flight)	/* set only with the lock held for changing */
			return;
		pthread_rwlock_unlock(&c->lock);
	}
}

enum err content_may_write(const struct content *c)
{
	if (c->read_only)
		return ERR_ERRNO + EROFS;
	if (!c->keys)
		return ERR_NO_KEY;
	return c->failed;
}

int content_last(const struct content *c, uint64_t group)
{
	if (!c->size)
		return -1;
	uint64_t last = (c->size - 1) / PAGE_LEN, first = group * GROUP_BLOCKS;

	return last < first ? -1 : last - first >= GROUP_BLOCKS ? (int)GROUP_BLOCKS : (int)(last - first);
}

/* --- life ------------------------------------------------------------------------------ */

static void destroy(struct content *c)
{
	group_forget(c, 0);
	free(c->table);
	secret_free(c->keys);
	pthread_rwlock_destroy(&c->lock);
	pthread_mutex_destroy(&c->load);
	pthread_mutex_destroy(&c->flight_lock);
	pthread_cond_destroy(&c->landed);
	close(c->fd);
	free(c);
}

static enum err make(struct bucket *b, int fd, struct content **out)
{
	struct content *c = calloc(1, sizeof *c);

	if (!c) {
		close(fd);
		return ERR_NO_MEMORY;
	}
	c->b = b;
	c->fd = fd;
	pthread_rwlockattr_t fair;
	pthread_rwlockattr_init(&fair);
	pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&c->lock, &fair);
	pthread_rwlockattr_destroy(&fair);
	pthread_mutex_init(&c->load, NULL);
	pthread_mutex_init(&c->flight_lock, NULL);
	pthread_cond_init(&c->landed, NULL);
	*out = c;
	return secret_new(64, &c->keys);
}

enum err content_new(struct bucket *b, int fd, const uint8_t key_id[static KEY_ID_LEN], struct content **out)
{
	struct content *c = NULL;
	struct group *g;
	enum err e = make(b, fd, &c);

	if (!c)
		return e;
	if (e)
		goto fail;
	c->header.type = NODE_FILE;
	c->header.slot_count = 1;
	memcpy(c->header.bucket_id, b->description.id, UUID_LEN);
	random_bytes(c->header.file_id, UUID_LEN);
	random_bytes(c->keys->bytes, 32);
	if ((e = key_ring_wrap(b->ring, WRAP_FILE_KEY, key_id, c->header.file_id, b->description.suite, 1, c->keys->bytes, &c->header.slots[0])))
		goto fail;
	if ((e = group_adopt(c, 0, NULL, COPY_A, NULL, &g)))
		goto fail;
	g->dirty = g->unstored = 1;
	registry_add(c);
	*out = c;
	return ERR_OK;
fail:
	destroy(c);
	return e;
}

/* --- opening ---------------------------------------------------------------------------- */

/* Unwrap the header's keys; those whose CMK is pending deletion come under `migrate_to`. */
static enum err unwrap_keys(struct content *c, const uint8_t *migrate_to)
{
	struct file_header *h = &c->header;

	for (unsigned i = 0; i < h->slot_count; i++) {
		uint8_t *key = c->keys->bytes + 32 * i;
		enum err e = key_ring_unwrap(c->b->ring, WRAP_FILE_KEY, h->file_id, &h->slots[i], key);

		if (e == ERR_NO_KEY && migrate_to && !c->read_only &&
		    keymgr_key_state(key_ring_keymgr(c->b->ring), h->slots[i].key_id) == KEY_PENDING_DELETION) {
			struct key_slot moved;

			e = key_ring_migrate(c->b->ring, WRAP_FILE_KEY, h->file_id, &h->slots[i], migrate_to, &moved, key);
			if (!e) {
				moved.epoch = h->slots[i].epoch;
				h->slots[i] = moved;
				c->header_changed = 1;
			}
		}
		if (e)
			return e;
	}
	return ERR_OK;
}

/* Takes one copy's header as the file's, and checks the page under its key. */
static enum err try_copy(struct content *c, const uint8_t *bytes, const struct tag_page *page, const uint8_t *migrate_to)
{
	enum err e;

	c->header = page->header;
	c->header_changed = 0;
	if (memcmp(c->header.bucket_id, c->b->description.id, UUID_LEN))
		return ERR_NOT_AUTHENTIC;
	if ((e = unwrap_keys(c, migrate_to)))
		return e;
	uint32_t epoch = page->epoch_b ? page->epoch_b : page->epoch_a;
	for (unsigned i = 0; i < c->header.slot_count; i++)
		if (c->header.slots[i].epoch == epoch)
			return group_verify_page(c, bytes, 0, i);
	return ERR_NOT_AUTHENTIC;
}

/* Group 0: the newest copy that verifies becomes the file's header.  ERR_NOT_FOUND: neither was ever written. */
static enum err load_first(struct content *c, const uint8_t *migrate_to)
{
	uint8_t bytes[2][PAGE_LEN];
	struct tag_page pages[2];
	enum err parsed[2], e = ERR_NOT_FOUND;
	struct group *g;

	for (int copy = COPY_A; copy <= COPY_B; copy++) {
		size_t got;

		if ((e = file_read(c->fd, bytes[copy], PAGE_LEN, layout_tag_page(0, copy), &got)))
			return e;
		parsed[copy] = got < PAGE_LEN ? ERR_NOT_FOUND : tag_page_read(bytes[copy], 0, &pages[copy]);
	}
	if (parsed[0] && parsed[1])
		return parsed[0] == ERR_NOT_FOUND && parsed[1] == ERR_NOT_FOUND ? ERR_NOT_FOUND : ERR_NOT_AUTHENTIC;
	int best = parsed[0] || (!parsed[1] && pages[1].generation > pages[0].generation);
	e = try_copy(c, bytes[best], &pages[best], migrate_to);
	if (e == ERR_NOT_AUTHENTIC && !parsed[!best]) {
		best = !best;
		parsed[!best] = ERR_NOT_AUTHENTIC;
		e = try_copy(c, bytes[best], &pages[best], migrate_to);
	}
	if (e)
		return e;
	struct content other = *c;	/* the other page: has it a key that this header knows? */
	const struct tag_page *older = NULL;
	if (!parsed[!best]) {
		uint32_t epoch = pages[!best].epoch_b ? pages[!best].epoch_b : pages[!best].epoch_a;

		for (unsigned i = 0; i < c->header.slot_count; i++)
			if (c->header.slots[i].epoch == epoch && !group_verify_page(&other, bytes[!best], 0, i))
				older = &pages[!best];
	}
	c->size = pages[best].size;
	if ((e = group_adopt(c, 0, &pages[best], best, older, &g)))
		return e;
	return ERR_OK;
}

/* The plain size after an end that may have been a crash; the lower size decides where the page is young. */
static enum err reconcile_size(struct content *c)
{
	struct group *g = group_find(c, 0);
	uint64_t lower = layout_plain_size(c->lower_size);

	if (lower >= c->size)
		return ERR_OK;
	if (!g->young)
		return err_set(ERR_NOT_AUTHENTIC, "the file was cut: %llu bytes of %llu", (unsigned long long)lower, (unsigned long long)c->size);
	c->size = lower;	/* a tail that was never synced */
	return ERR_OK;
}

/*
 * Opened for writing after a crash: the size is made certain before anything else, so that what later changes the lower file's
 * times hides nothing.  Groups are repaired with their first write; a group that was never synced is a hole from now on.
 */
static enum err mend(struct content *c, uint64_t recorded)
{
	struct group *g = group_find(c, 0);
	enum err e;

	if (c->header_changed) {	/* rewrapped on the way in */
		content_lock_quiet(c);
		e = group_ready(c, g);
		g->dirty = g->unstored = 1;
		pthread_rwlock_unlock(&c->lock);
		if (e)
			return e;
	}
	if (c->read_only || (c->lower_size == layout_lower_size(c->size) && c->size == recorded && !(c->suspect && g->young)))
		return ERR_OK;
	content_lock_quiet(c);
	if (!(e = file_sync(c->fd)) && !(e = group_ready(c, g))) {
		int last = content_last(c, (c->size ? c->size - 1 : 0) / GROUP_PLAIN);
		struct group *end;

		c->header.flags |= HEADER_SPARSE;
		if (!(e = group_get(c, (c->size ? c->size - 1 : 0) / GROUP_PLAIN, &end)) && !(e = group_ready(c, end))) {
			if (last < (int)GROUP_BLOCKS)
				group_clear(end, (unsigned)(last + 1), GROUP_BLOCKS);
			g->dirty = g->unstored = 1;
			c->cut = 1;
			e = sync_settled(c);
		}
	}
	pthread_rwlock_unlock(&c->lock);
	return e;
}

enum err content_open(struct bucket *b, int fd, int read_only, const uint8_t *migrate_to, struct content **out)
{
	struct content *c = NULL;
	struct stat st;
	enum err e = make(b, fd, &c);

	if (!c)
		return e;
	if (e)
		goto fail;
	if (fstat(fd, &st)) {
		e = err_errno();
		goto fail;
	}
	c->read_only = read_only;
	c->lower_size = (uint64_t)st.st_size;
	c->suspect = bucket_is_suspect(b, st.st_ctime);
	e = st.st_size ? load_first(c, migrate_to) : ERR_NOT_FOUND;
	if (e == ERR_NOT_FOUND && (c->suspect || b->mode == BUCKET_READ_ONLY)) {
		/* Never synced: empty. */
		if (!read_only && st.st_size && file_truncate(fd, 0))
			e = err_errno();
		goto fail;
	}
	if (e == ERR_NOT_FOUND)
		e = err_set(ERR_NOT_AUTHENTIC, "the file has lost its header");
	uint64_t recorded = c->size;
	if (e || (e = reconcile_size(c)))
		goto fail;
	registry_add(c);
	if ((e = mend(c, recorded))) {
		content_free(c);
		return e;
	}
	*out = c;
	return ERR_OK;
fail:
	destroy(c);
	return e;
}

enum err content_free(struct content *c)
{
	enum err e = ERR_OK;

	if (!c || !registry_drop(c))
		return ERR_OK;
	pthread_rwlock_wrlock(&c->lock);
	if (!c->failed)	/* which was told when it happened */
		e = sync_before_close(c);
	pthread_rwlock_unlock(&c->lock);
	if (e)
		log_error("a file could not be stored at close: %s", err_message(e));
	destroy(c);
	return e;
}

int content_must_stay(struct content *c)
{
	pthread_rwlock_rdlock(&c->lock);
	int stay = c->cut || c->held_count;
	for (size_t i = 0; i < c->table_len && !stay; i++)
		for (struct group *g = c->table[i]; g && !stay; g = g->next)
			stay = g->in_place || g->punched;
	pthread_rwlock_unlock(&c->lock);
	return stay;
}

int content_is_dirty(struct content *c)
{
	pthread_rwlock_rdlock(&c->lock);
	int dirty = c->wrote || c->cut;
	struct group *g = group_find(c, 0);
	dirty |= g && (g->dirty || g->unstored || g->unsure);
	pthread_rwlock_unlock(&c->lock);
	return dirty;
}

uint64_t content_size(struct content *c)
{
	pthread_rwlock_rdlock(&c->lock);
	uint64_t size = c->size;
	pthread_rwlock_unlock(&c->lock);
	return size;
}
