#include "fs/policy/policy.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/file_io.h"
#include "fs/policy/policy_file.h"

/* Lock order: storing, then lock. */
struct policy_table {
	pthread_mutex_t storing;	/* one store at a time, so that the newest generation lands last */
	pthread_rwlock_t lock;		/* the list */
	struct policy_list list;
};

static enum err new_table(struct policy_table **out)
{
	struct policy_table *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (!t)
		return ERR_NO_MEMORY;
	pthread_mutex_init(&t->storing, NULL);
	pthread_rwlock_init(&t->lock, NULL);
	*out = t;
	return ERR_OK;
}

enum err policy_table_load(int root_fd, const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN], struct policy_table **out)
{
	struct policy_list list;
	uint8_t *bytes;
	size_t len;
	enum err e = file_load(root_fd, POLICY_FILE_NAME, POLICY_FILE_MAX, &bytes, &len);

	*out = NULL;
	if (e != ERR_OK)
		return e;
	e = policy_file_open(bytes, len, names_key, bucket_id, &list);
	free(bytes);
	if (e != ERR_OK)
		return e;
	e = new_table(out);
	if (e != ERR_OK)
		policy_list_release(&list);
	else
		(*out)->list = list;
	return e;
}

enum err policy_table_new(const uint8_t root_dir_id[static UUID_LEN], const char *key, struct policy_table **out)
{
	struct policy root = { 0 };
	enum err e;

	*out = NULL;
	if (*key == 0 || strlen(key) > POLICY_KEY_MAX)
		return ERR_INVALID;
	memcpy(root.dir_id, root_dir_id, UUID_LEN);
	strcpy(root.key, key);
	e = new_table(out);
	if (e != ERR_OK)
		return e;
	memcpy((*out)->list.root_dir_id, root_dir_id, UUID_LEN);
	(*out)->list.generation = 1;
	e = policy_set(*out, &root);
	if (e != ERR_OK) {
		policy_table_free(*out);
		*out = NULL;
	}
	return e;
}

enum err policy_table_store(struct policy_table *t, int root_fd, const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN])
{
	uint8_t *bytes = NULL;
	size_t len;
	enum err e;

	pthread_mutex_lock(&t->storing);
	pthread_rwlock_wrlock(&t->lock);
	/* Stays grown where the store fails: nobody knows what of it lies there. */
	t->list.generation++;
	e = policy_file_seal(&t->list, names_key, bucket_id, &bytes, &len);
	pthread_rwlock_unlock(&t->lock);
	if (e == ERR_OK)
		e = file_replace(root_fd, POLICY_FILE_NAME, bytes, len, 0600);
	pthread_mutex_unlock(&t->storing);
	free(bytes);
	return e;
}

void policy_table_free(struct policy_table *t)
{
	if (!t)
		return;
	policy_list_release(&t->list);
	pthread_rwlock_destroy(&t->lock);
	pthread_mutex_destroy(&t->storing);
	free(t);
}

uint64_t policy_table_generation(struct policy_table *t)
{
	uint64_t generation;

	pthread_rwlock_rdlock(&t->lock);
	generation = t->list.generation;
	pthread_rwlock_unlock(&t->lock);
	return generation;
}

void policy_table_raise(struct policy_table *t, uint64_t generation)
{
	pthread_rwlock_wrlock(&t->lock);
	if (t->list.generation < generation)
		t->list.generation = generation;
	pthread_rwlock_unlock(&t->lock);
}

enum err policy_get(struct policy_table *t, const uint8_t dir_id[static UUID_LEN], struct policy *out)
{
	size_t at;
	int found;

	pthread_rwlock_rdlock(&t->lock);
	at = policy_list_find(&t->list, dir_id, &found);
	if (found)
		*out = t->list.policies[at];
	pthread_rwlock_unlock(&t->lock);
	return found ? ERR_OK : ERR_NOT_FOUND;
}

/* Called with the lock held for writing. */
static enum err make_room(struct policy_list *l)
{
	size_t room = l->room ? l->room * 2 : 4;
	struct policy *grown;

	if (l->count < l->room)
		return ERR_OK;
	if (l->count == POLICY_COUNT_MAX)
		return err_set(ERR_LIMIT, "a bucket has at most %u policies", POLICY_COUNT_MAX);
	grown = reallocarray(l->policies, room, sizeof(*grown));
	if (!grown)
		return ERR_NO_MEMORY;
	l->policies = grown;
	l->room = room;
	return ERR_OK;
}

static int is_valid(const struct policy *p)
{
	return p->key[0] && memchr(p->key, 0, sizeof(p->key)) && p->on_rename <= ON_RENAME_KEEP && p->enforce <= ENFORCE_DENY &&
	       p->after_rotation <= AFTER_ROTATION_REENCRYPT;
}

enum err policy_set(struct policy_table *t, const struct policy *p)
{
	struct policy_list *l = &t->list;
	enum err e = ERR_OK;
	size_t at;
	int found;

	if (!is_valid(p))
		return ERR_INVALID;
	pthread_rwlock_wrlock(&t->lock);
	at = policy_list_find(l, p->dir_id, &found);
	if (!found) {
		e = make_room(l);
		if (e == ERR_OK) {
			memmove(&l->policies[at + 1], &l->policies[at], (l->count - at) * sizeof(*p));
			l->count++;
		}
	}
	if (e == ERR_OK) {
		size_t key_len = strlen(p->key);

		l->policies[at] = *p;
		/* Nothing of what lay behind the key in the caller's struct is kept. */
		memset(l->policies[at].key + key_len, 0, sizeof(p->key) - key_len);
	}
	pthread_rwlock_unlock(&t->lock);
	return e;
}

enum err policy_unset(struct policy_table *t, const uint8_t dir_id[static UUID_LEN])
{
	struct policy_list *l = &t->list;
	size_t at;
	int found;

	pthread_rwlock_wrlock(&t->lock);
	if (memcmp(dir_id, l->root_dir_id, UUID_LEN) == 0) {
		pthread_rwlock_unlock(&t->lock);
		return err_set(ERR_REFUSED, "the bucket's root always has a policy: `rekeyfs policy set` gives it another key");
	}
	at = policy_list_find(l, dir_id, &found);
	if (found) {
		l->count--;
		memmove(&l->policies[at], &l->policies[at + 1], (l->count - at) * sizeof(*l->policies));
	}
	pthread_rwlock_unlock(&t->lock);
	return found ? ERR_OK : ERR_NOT_FOUND;
}

/* Over a copy: `each` may call back into the table. */
enum err policy_each(struct policy_table *t, int (*each)(void *context, const struct policy *p), void *context)
{
	struct policy *copy;
	size_t count;

	pthread_rwlock_rdlock(&t->lock);
	count = t->list.count;
	copy = malloc(count * sizeof(*copy));
	if (copy)
		memcpy(copy, t->list.policies, count * sizeof(*copy));
	pthread_rwlock_unlock(&t->lock);
	if (!copy)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count && each(context, &copy[i]) == 0; i++)
		;
	free(copy);
	return ERR_OK;
}

int policy_only_root(struct policy_table *t)
{
	int only;

	pthread_rwlock_rdlock(&t->lock);
	only = t->list.count == 1;
	pthread_rwlock_unlock(&t->lock);
	return only;
}

void policy_root_id(struct policy_table *t, uint8_t out[static UUID_LEN])
{
	pthread_rwlock_rdlock(&t->lock);
	memcpy(out, t->list.root_dir_id, UUID_LEN);
	pthread_rwlock_unlock(&t->lock);
}

static const char *const on_rename_names[] = { "migrate", "keep" };
static const char *const enforce_names[] = { "no", "warn", "deny" };
static const char *const after_rotation_names[] = { "none", "rewrap", "reencrypt" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *policy_on_rename_name(enum policy_on_rename v)
{
	return v < COUNT(on_rename_names) ? on_rename_names[v] : "?";
}

const char *policy_enforce_name(enum policy_enforce v)
{
	return v < COUNT(enforce_names) ? enforce_names[v] : "?";
}

const char *policy_after_rotation_name(enum policy_after_rotation v)
{
	return v < COUNT(after_rotation_names) ? after_rotation_names[v] : "?";
}

/* The place of `text` in `names`, or -1 and a sentence. */
static int parse(const char *what, const char *const *names, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, names[i]) == 0)
			return (int)i;
	if (count == 2)
		err_set(ERR_USAGE, "%s is %s or %s, not \"%s\"", what, names[0], names[1], text);
	else
		err_set(ERR_USAGE, "%s is %s, %s or %s, not \"%s\"", what, names[0], names[1], names[2], text);
	return -1;
}

enum err policy_on_rename_parse(const char *text, enum policy_on_rename *out)
{
	int v = parse("on-rename", on_rename_names, COUNT(on_rename_names), text);

	*out = v < 0 ? ON_RENAME_MIGRATE : (enum policy_on_rename)v;
	return v < 0 ? ERR_USAGE : ERR_OK;
}

enum err policy_enforce_parse(const char *text, enum policy_enforce *out)
{
	int v = parse("enforce", enforce_names, COUNT(enforce_names), text);

	*out = v < 0 ? ENFORCE_NO : (enum policy_enforce)v;
	return v < 0 ? ERR_USAGE : ERR_OK;
}

enum err policy_after_rotation_parse(const char *text, enum policy_after_rotation *out)
{
	int v = parse("after-rotation", after_rotation_names, COUNT(after_rotation_names), text);

	*out = v < 0 ? AFTER_ROTATION_NONE : (enum policy_after_rotation)v;
	return v < 0 ? ERR_USAGE : ERR_OK;
}
