#include "fs/tree/node.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_CHAINS 1024

/* --- the namespace lock ---------------------------------------------------------------- */

void names_share(struct tree *t)
{
	pthread_rwlock_rdlock(&t->names);
}

void names_release(struct tree *t)
{
	pthread_rwlock_unlock(&t->names);
}

void making_begin(struct tree *t)
{
	pthread_rwlock_rdlock(&t->making);
}

void making_end(struct tree *t)
{
	pthread_rwlock_unlock(&t->making);
}

void making_wait(struct tree *t)
{
	pthread_rwlock_wrlock(&t->making);
	pthread_rwlock_unlock(&t->making);
}

/* --- chains ------------------------------------------------------------------------------ */

static uint32_t mix(uint64_t v)
{
	v ^= v >> 33;
	v *= 0xff51afd7ed558ccdULL;
	v ^= v >> 33;
	return (uint32_t)v;
}

static uint32_t hash_inode(dev_t dev, ino_t ino)
{
	return mix((uint64_t)ino ^ (uint64_t)dev << 40);
}

/* Cipher names are as good as random, yet others may lie in the bucket. */
static uint32_t hash_place(const struct node *parent, const char *lower)
{
	uint64_t h = (uint64_t)(uintptr_t)parent ^ 0xcbf29ce484222325ULL;

	for (; *lower; lower++)
		h = (h ^ (uint8_t)*lower) * 0x100000001b3ULL;
	return mix(h);
}

static void grow_nodes(struct tree *t)
{
	size_t count = t->node_chains * 2;
	struct node **chains = calloc(count, sizeof(*chains));

	if (!chains)
		return;		/* longer chains do as well */
	for (size_t i = 0; i < t->node_chains; i++)
		for (struct node *n = t->nodes[i], *next; n; n = next) {
			struct node **at = &chains[hash_inode(n->dev, n->ino) & (count - 1)];

			next = n->next;
			n->next = *at;
			*at = n;
		}
	free(t->nodes);
	t->nodes = chains;
	t->node_chains = count;
}

static void grow_places(struct tree *t)
{
	size_t count = t->place_chains * 2;
	struct place **chains = calloc(count, sizeof(*chains));

	if (!chains)
		return;
	for (size_t i = 0; i < t->place_chains; i++)
		for (struct place *p = t->places[i], *next; p; p = next) {
			struct place **at = &chains[p->hash & (count - 1)];

			next = p->next;
			p->next = *at;
			*at = p;
		}
	free(t->places);
	t->places = chains;
	t->place_chains = count;
}

enum err nodes_start(struct tree *t)
{
	t->node_chains = t->place_chains = FIRST_CHAINS;
	t->nodes = calloc(FIRST_CHAINS, sizeof(*t->nodes));
	t->places = calloc(FIRST_CHAINS, sizeof(*t->places));
	return t->nodes && t->places ? ERR_OK : ERR_NO_MEMORY;
}

/* --- with the table's lock held ------------------------------------------------------------ */

static struct place *find_place(struct tree *t, const struct node *parent, const char *lower, uint32_t hash)
{
	struct place *p = t->places[hash & (t->place_chains - 1)];

	while (p && !(p->hash == hash && p->parent == parent && strcmp(p->lower, lower) == 0))
		p = p->next;
	return p;
}

static void unchain_node(struct tree *t, struct node *n)
{
	struct node **at = &t->nodes[hash_inode(n->dev, n->ino) & (t->node_chains - 1)];

	if (n->dead) {
		if (n->next)
			n->next->link = n->link;
		*n->link = n->next;
		return;
	}
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	t->node_count--;
}

static void unchain_place(struct tree *t, struct place *p)
{
	struct place **at = &t->places[p->hash & (t->place_chains - 1)];

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	t->place_count--;
	at = &p->node->places;
	while (*at != p)
		at = &(*at)->sibling;
	*at = p->sibling;
}

/* Takes the node out where nothing holds it any more, and parents that were held by it alone; chained by `next` for destroy(). */
static void collect(struct tree *t, struct node *n, struct node **gone)
{
	while (n && n->lookups == 0 && n->refs == 0) {
		struct node *parent = NULL;

		unchain_node(t, n);
		while (n->places) {
			struct place *p = n->places;

			/* All places of one node but directories' may have parents of their own. */
			if (parent)
				collect(t, parent, gone);
			parent = p->parent;
			parent->refs--;
			unchain_place(t, p);
			free(p);
		}
		n->next = *gone;
		*gone = n;
		n = parent;
	}
}

static void destroy(struct tree *t, struct node *gone)
{
	while (gone) {
		struct node *next = gone->next;

		if (node_is_directory(gone))
			dir_close(t, gone);
		else if (!node_is_file(gone) && gone->other.fd >= 0)
			close(gone->other.fd);
		pthread_mutex_destroy(&gone->lock);
		free(gone);
		gone = next;
	}
}

static struct node *find_node(struct tree *t, dev_t dev, ino_t ino)
{
	struct node *n = t->nodes[hash_inode(dev, ino) & (t->node_chains - 1)];

	while (n && !(n->ino == ino && n->dev == dev))
		n = n->next;
	return n;
}

static struct node *new_node(struct tree *t, const struct stat *st)
{
	struct node *n = calloc(1, sizeof(*n));
	struct node **at;

	if (!n)
		return NULL;
	n->dev = st->st_dev;
	n->ino = st->st_ino;
	n->mode = st->st_mode;
	pthread_mutex_init(&n->lock, NULL);
	if (S_ISDIR(st->st_mode)) {
		n->dir.fd = -1;
		n->dir.default_acl = -1;
	} else if (S_ISREG(st->st_mode)) {
		n->file.fd = -1;
	} else {
		n->other.fd = -1;
	}
	if (t->node_count >= t->node_chains)
		grow_nodes(t);
	at = &t->nodes[hash_inode(n->dev, n->ino) & (t->node_chains - 1)];
	n->next = *at;
	*at = n;
	t->node_count++;
	return n;
}

static void mark_dead(struct tree *t, struct node *n)
{
	if (n->dead)
		return;
	unchain_node(t, n);
	n->dead = 1;
	n->next = t->buried;
	n->link = &t->buried;
	if (n->next)
		n->next->link = &n->next;
	t->buried = n;
}

void names_hold(struct tree *t)
{
	struct node *gone = NULL;

	pthread_rwlock_wrlock(&t->names);
	pthread_mutex_lock(&t->table);
	while (t->retired) {
		struct place *p = t->retired;

		t->retired = p->next;
		p->parent->refs--;
		collect(t, p->parent, &gone);
		free(p);
	}
	pthread_mutex_unlock(&t->table);
	destroy(t, gone);
}

static struct place *new_place(struct node *parent, const char *lower)
{
	size_t len = strlen(lower) + 1;
	struct place *p = malloc(sizeof(*p) + len);

	if (p) {
		p->parent = parent;
		p->hash = hash_place(parent, lower);
		memcpy(p->lower, lower, len);
	}
	return p;
}

/* Puts the place to the node (newest first); one that is known already moves.  Takes `p`. */
static void put_place(struct tree *t, struct node *n, struct place *p, struct node **gone)
{
	struct place *known = find_place(t, p->parent, p->lower, p->hash);
	struct node *was = NULL;
	struct place **at;

	if (known && known->node == n) {
		free(p);
		return;
	}
	if (known) {
		/* Somebody may be using it: `names` is only shared. */
		was = known->node;
		unchain_place(t, known);
		known->next = t->retired;
		t->retired = known;
	}
	if (t->place_count >= t->place_chains)
		grow_places(t);
	p->node = n;
	p->parent->refs++;
	at = &t->places[p->hash & (t->place_chains - 1)];
	p->next = *at;
	*at = p;
	p->sibling = n->places;
	n->places = p;
	t->place_count++;
	collect(t, was, gone);
}

static void note(struct node *n, const struct stat *st)
{
	n->links = st->st_nlink;
	n->mode = st->st_mode;
	n->large = S_ISREG(st->st_mode) && st->st_size >= TREE_LARGE;
}

/* --- nodes ----------------------------------------------------------------------------------- */

enum err node_get(struct tree *t, const struct stat *st, struct node *parent, const char *lower, unsigned lookups, unsigned refs, struct node **out)
{
	struct place *p = lower ? new_place(parent, lower) : NULL;
	struct node *n, *gone = NULL;

	*out = NULL;
	if (lower && !p)
		return ERR_NO_MEMORY;
	pthread_mutex_lock(&t->table);
	n = find_node(t, st->st_dev, st->st_ino);
	if (n && (n->mode & S_IFMT) != (st->st_mode & S_IFMT)) {
		mark_dead(t, n);	/* somebody else changed the bucket: another inode under this number */
		n = NULL;
	}
	if (!n)
		n = new_node(t, st);
	if (n) {
		n->lookups += lookups;
		n->refs += refs;
		note(n, st);
		if (p)
			put_place(t, n, p, &gone);
		p = NULL;
	}
	pthread_mutex_unlock(&t->table);
	free(p);
	destroy(t, gone);
	*out = n;
	return n ? ERR_OK : ERR_NO_MEMORY;
}

struct node *node_find(struct tree *t, dev_t dev, ino_t ino)
{
	struct node *n;

	pthread_mutex_lock(&t->table);
	n = find_node(t, dev, ino);
	if (n)
		n->refs++;
	pthread_mutex_unlock(&t->table);
	return n;
}

void node_ref(struct tree *t, struct node *n)
{
	pthread_mutex_lock(&t->table);
	n->refs++;
	pthread_mutex_unlock(&t->table);
}

void node_unref(struct tree *t, struct node *n)
{
	struct node *gone = NULL;

	if (!n)
		return;
	pthread_mutex_lock(&t->table);
	n->refs--;
	collect(t, n, &gone);
	pthread_mutex_unlock(&t->table);
	destroy(t, gone);
}

void node_add_lookup(struct tree *t, struct node *n)
{
	pthread_mutex_lock(&t->table);
	n->lookups++;
	pthread_mutex_unlock(&t->table);
}

void tree_forget(struct tree *t, struct node *n, uint64_t count)
{
	struct node *gone = NULL;

	pthread_mutex_lock(&t->table);
	n->lookups = n->lookups > count ? n->lookups - count : 0;
	collect(t, n, &gone);
	pthread_mutex_unlock(&t->table);
	destroy(t, gone);
}

void node_note(struct tree *t, struct node *n, const struct stat *st)
{
	pthread_mutex_lock(&t->table);
	note(n, st);
	pthread_mutex_unlock(&t->table);
}

int node_unlinked(struct tree *t, struct node *n)
{
	int last;

	pthread_mutex_lock(&t->table);
	if (n->links > 0)
		n->links--;
	last = n->links == 0;
	if (last)
		mark_dead(t, n);
	pthread_mutex_unlock(&t->table);
	return last;
}

void node_linked(struct tree *t, struct node *n)
{
	pthread_mutex_lock(&t->table);
	n->links++;
	pthread_mutex_unlock(&t->table);
}

void node_bury(struct tree *t, struct node *n)
{
	pthread_mutex_lock(&t->table);
	mark_dead(t, n);
	pthread_mutex_unlock(&t->table);
}

void nodes_end(struct tree *t)
{
	struct node *gone = NULL;

	while (t->retired) {
		struct place *p = t->retired;

		t->retired = p->next;
		free(p);
	}
	for (size_t i = 0; i < t->place_chains && t->places; i++)
		while (t->places[i]) {
			struct place *p = t->places[i];

			t->places[i] = p->next;
			free(p);
		}
	for (size_t i = 0; i < t->node_chains && t->nodes; i++)
		while (t->nodes[i]) {
			struct node *n = t->nodes[i];

			t->nodes[i] = n->next;
			n->next = gone;
			gone = n;
		}
	destroy(t, gone);
	destroy(t, t->buried);
	free(t->places);
	free(t->nodes);
}

/* --- places --------------------------------------------------------------------------------------- */

struct place *node_place(struct tree *t, struct node *n)
{
	struct place *p;

	pthread_mutex_lock(&t->table);
	p = n->places;
	pthread_mutex_unlock(&t->table);
	return p;
}

struct node *place_find(struct tree *t, const struct node *parent, const char *lower)
{
	struct place *p;
	struct node *n = NULL;

	pthread_mutex_lock(&t->table);
	p = find_place(t, parent, lower, hash_place(parent, lower));
	if (p) {
		n = p->node;
		n->refs++;
	}
	pthread_mutex_unlock(&t->table);
	return n;
}

enum err place_add(struct tree *t, struct node *n, struct node *parent, const char *lower)
{
	struct place *p = new_place(parent, lower);
	struct node *gone = NULL;

	if (!p)
		return ERR_NO_MEMORY;
	pthread_mutex_lock(&t->table);
	put_place(t, n, p, &gone);
	pthread_mutex_unlock(&t->table);
	destroy(t, gone);
	return ERR_OK;
}

void place_remove(struct tree *t, const struct node *parent, const char *lower)
{
	struct node *gone = NULL;
	struct place *p;

	pthread_mutex_lock(&t->table);
	p = find_place(t, parent, lower, hash_place(parent, lower));
	if (p) {
		struct node *was = p->parent;

		unchain_place(t, p);
		free(p);
		was->refs--;
		collect(t, was, &gone);
	}
	pthread_mutex_unlock(&t->table);
	destroy(t, gone);
}
