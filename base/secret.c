#include "base/secret.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define SMALL_LEN 64
#define LARGE_MAX (1024 * 1024)
#define SLAB_LEN (64 * 1024)

/* A place of 64 bytes in a slab.  Slabs stay locked until the program ends, and
 * free places are all zero. */
struct place {
	struct secret secret;	/* first: a small secret is its place */
	uint8_t *bytes;
	struct place *next;	/* in the free list */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct place *free_places;	/* under lock */

static size_t page_len(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* `len` (whole pages) of locked zero bytes between two pages without access; a child
 * made by fork finds zeros there. */
static uint8_t *map_locked(size_t len)
{
	size_t page = page_len();
	uint8_t *map = mmap(NULL, len + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *inside = map + page;

	if (map == MAP_FAILED)
		return NULL;
	if (mprotect(inside, len, PROT_READ | PROT_WRITE) != 0 ||
	    madvise(inside, len, MADV_DONTDUMP) != 0 ||
	    madvise(inside, len, MADV_WIPEONFORK) != 0 || mlock(inside, len) != 0) {
		munmap(map, len + 2 * page);
		return NULL;
	}
	return inside;
}

static void unmap_locked(uint8_t *inside, size_t len)
{
	munmap(inside - page_len(), len + 2 * page_len());
}

static size_t whole_pages(size_t len)
{
	return (len + page_len() - 1) / page_len() * page_len();
}

enum err secret_start(void)
{
	static const struct rlimit no_core;
	struct rlimit locked;

	if (sodium_init() < 0)
		return err_set(ERR_INTERNAL, "libsodium does not start");
	if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0)
		return err_set_errno("cannot turn core dumps off");
	if (getrlimit(RLIMIT_MEMLOCK, &locked) == 0 && locked.rlim_cur != locked.rlim_max) {
		locked.rlim_cur = locked.rlim_max;
		setrlimit(RLIMIT_MEMLOCK, &locked);
	}
	return ERR_OK;
}

static enum err refused(void)
{
	return err_set(ERR_NO_MEMORY, "cannot lock memory for keys: raise the limit of locked memory "
		       "(ulimit -l, or LimitMEMLOCK= of the service)");
}

/* Called with `lock` held. */
static enum err add_slab(void)
{
	size_t count = SLAB_LEN / SMALL_LEN;
	struct place *places = calloc(count, sizeof(*places));
	uint8_t *bytes = places ? map_locked(SLAB_LEN) : NULL;

	if (!bytes) {
		free(places);
		return refused();
	}
	for (size_t i = count; i-- > 0;) {
		places[i].bytes = bytes + i * SMALL_LEN;
		places[i].next = free_places;
		free_places = &places[i];
	}
	return ERR_OK;
}

static enum err new_small(size_t len, struct secret **out)
{
	enum err e = ERR_OK;
	struct place *place;

	pthread_mutex_lock(&lock);
	if (!free_places)
		e = add_slab();
	if (e == ERR_OK) {
		place = free_places;
		free_places = place->next;
		place->next = NULL;
		place->secret = (struct secret){ .len = len, .bytes = place->bytes };
		*out = &place->secret;
	}
	pthread_mutex_unlock(&lock);
	return e;
}

/* The bytes end where the guard page begins, but for alignment. */
static enum err new_large(size_t len, struct secret **out)
{
	struct secret *s = malloc(sizeof(*s));
	uint8_t *map = s ? map_locked(whole_pages(len)) : NULL;

	if (!map) {
		free(s);
		return refused();
	}
	s->len = len;
	s->bytes = map + ((whole_pages(len) - len) & ~(size_t)15);
	*out = s;
	return ERR_OK;
}

enum err secret_new(size_t len, struct secret **out)
{
	*out = NULL;
	if (len == 0 || len > LARGE_MAX)
		return err_set(ERR_INVALID, "a secret has 1 to %d bytes, not %zu", LARGE_MAX, len);
	return len <= SMALL_LEN ? new_small(len, out) : new_large(len, out);
}

enum err secret_copy(const void *bytes, size_t len, struct secret **out)
{
	enum err e = secret_new(len, out);

	if (e == ERR_OK)
		memcpy((*out)->bytes, bytes, len);
	return e;
}

static void free_small(struct secret *s)
{
	struct place *place = (struct place *)s;

	sodium_memzero(place->bytes, SMALL_LEN);
	pthread_mutex_lock(&lock);
	place->secret = (struct secret){ 0 };
	place->next = free_places;
	free_places = place;
	pthread_mutex_unlock(&lock);
}

void secret_free(struct secret *s)
{
	if (!s)
		return;
	if (s->len <= SMALL_LEN) {
		free_small(s);
		return;
	}
	sodium_memzero(s->bytes, s->len);
	unmap_locked(s->bytes - ((whole_pages(s->len) - s->len) & ~(size_t)15), whole_pages(s->len));
	free(s);
}

void secret_wipe(void *bytes, size_t len)
{
	sodium_memzero(bytes, len);
}

int secret_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}
