#include "fs/mount/writers.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#define BUCKETS 1024u

struct entry {
	const struct node *node;
	unsigned count;
	struct entry *next;
};

struct writers {
	pthread_mutex_t lock;
	struct entry *buckets[BUCKETS];
};

enum err writers_new(struct writers **out)
{
	struct writers *w = calloc(1, sizeof(*w));

	*out = w;
	if (!w)
		return ERR_NO_MEMORY;
	pthread_mutex_init(&w->lock, NULL);
	return ERR_OK;
}

void writers_free(struct writers *w)
{
	struct entry *next;

	if (!w)
		return;
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct entry *e = w->buckets[i]; e; e = next) {
			next = e->next;
			free(e);
		}
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* The link that points to the node's entry, or to the end of its chain. */
static struct entry **find(struct writers *w, const struct node *n)
{
	uint64_t mixed = (uint64_t)(uintptr_t)n * 0x9e3779b97f4a7c15u;
	struct entry **link = &w->buckets[mixed >> 54];

	while (*link && (*link)->node != n)
		link = &(*link)->next;
	return link;
}

enum err writers_add(struct writers *w, const struct node *n)
{
	struct entry **link, *e;

	pthread_mutex_lock(&w->lock);
	link = find(w, n);
	e = *link;
	if (!e) {
		e = calloc(1, sizeof(*e));
		if (e) {
			e->node = n;
			*link = e;
		}
	}
	if (e)
		e->count++;
	pthread_mutex_unlock(&w->lock);
	return e ? ERR_OK : ERR_NO_MEMORY;
}

void writers_remove(struct writers *w, const struct node *n)
{
	struct entry **link, *e;

	pthread_mutex_lock(&w->lock);
	link = find(w, n);
	e = *link;
	if (e && --e->count == 0) {
		*link = e->next;
		free(e);
	}
	pthread_mutex_unlock(&w->lock);
}

int writers_any(struct writers *w, const struct node *n)
{
	int any;

	pthread_mutex_lock(&w->lock);
	any = *find(w, n) != NULL;
	pthread_mutex_unlock(&w->lock);
	return any;
}
