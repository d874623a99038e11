#include "fs/keys/bucket_keys.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a: blobs are the key manager's own output, nobody chooses them. */
static size_t chain_of(const void *blob, size_t len)
{
	const uint8_t *bytes = blob;
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return (size_t)((hash ^ hash >> 32) % BUCKET_KEY_CHAINS);
}

static void free_key(struct bucket_key *b)
{
	secret_free(b->key);
	free(b);
}

static int every(const struct bucket_key *b, const void *context)
{
	return 1;
}

void bucket_keys_release(struct bucket_keys *s)
{
	struct cmk_record *next;

	bucket_keys_drop(s, every, NULL);
	for (struct cmk_record *c = s->cmks; c; c = next) {
		next = c->next;
		free(c);
	}
	s->cmks = NULL;
}

struct bucket_key *bucket_keys_find(const struct bucket_keys *s, const void *blob, size_t len, const uint8_t *to, int64_t now)
{
	for (struct bucket_key *b = s->chains[chain_of(blob, len)]; b; b = b->next)
		if (b->blob.len == len && memcmp(b->blob.bytes, blob, len) == 0 && b->migrated == (to != NULL) &&
		    (!to || memcmp(b->to, to, KEY_ID_LEN) == 0) && b->expires > now)
			return b;
	return NULL;
}

static int is_this(const struct bucket_key *b, const void *context)
{
	return b == context;
}

static void make_room(struct bucket_keys *s)
{
	const struct bucket_key *first = NULL;

	if (s->count < BUCKET_KEYS_MAX)
		return;
	for (size_t i = 0; i < BUCKET_KEY_CHAINS; i++)
		for (const struct bucket_key *b = s->chains[i]; b; b = b->next)
			if (!first || b->expires < first->expires)
				first = b;
	bucket_keys_drop(s, is_this, first);
}

enum err bucket_keys_add(struct bucket_keys *s, const struct blob *blob, const struct key_ref *ref, struct secret **key,
			 int64_t expires, const uint8_t *to, struct bucket_key **out)
{
	struct bucket_key *b = calloc(1, sizeof(*b)), **chain;

	if (out)
		*out = NULL;
	if (!b) {
		secret_free(*key);
		*key = NULL;
		return ERR_NO_MEMORY;
	}
	make_room(s);
	b->blob = *blob;
	b->ref = *ref;
	b->expires = expires;
	b->key = *key;
	*key = NULL;
	if (to) {
		b->migrated = 1;
		memcpy(b->to, to, KEY_ID_LEN);
	}
	chain = &s->chains[chain_of(blob->bytes, blob->len)];
	b->next = *chain;
	*chain = b;
	s->count++;
	if (out)
		*out = b;
	return ERR_OK;
}

struct cmk_record *bucket_keys_cmk(const struct bucket_keys *s, const uint8_t key_id[static KEY_ID_LEN])
{
	struct cmk_record *c = s->cmks;

	while (c && memcmp(c->key_id, key_id, KEY_ID_LEN) != 0)
		c = c->next;
	return c;
}

enum err bucket_keys_add_cmk(struct bucket_keys *s, const uint8_t key_id[static KEY_ID_LEN], struct cmk_record **out)
{
	struct cmk_record *c = calloc(1, sizeof(*c));

	*out = c;
	if (!c)
		return ERR_NO_MEMORY;
	memcpy(c->key_id, key_id, KEY_ID_LEN);
	c->next = s->cmks;
	s->cmks = c;
	return ERR_OK;
}

struct bucket_key *bucket_keys_current(const struct bucket_keys *s, const uint8_t key_id[static KEY_ID_LEN], int64_t now)
{
	const struct cmk_record *c = bucket_keys_cmk(s, key_id);

	return c && c->current && c->current->expires > now ? c->current : NULL;
}

void bucket_keys_drop(struct bucket_keys *s, int (*drop)(const struct bucket_key *b, const void *context), const void *context)
{
	for (size_t i = 0; i < BUCKET_KEY_CHAINS; i++) {
		struct bucket_key **at = &s->chains[i];

		while (*at) {
			struct bucket_key *b = *at;
			struct cmk_record *c;

			if (!drop(b, context)) {
				at = &b->next;
				continue;
			}
			c = bucket_keys_cmk(s, b->ref.key_id);
			if (c && c->current == b)
				c->current = NULL;
			*at = b->next;
			s->count--;
			free_key(b);
		}
	}
}
