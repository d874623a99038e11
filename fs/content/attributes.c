#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/file_io.h"
#include "fs/content/group.h"
#include "fs/names/sealed_xattr.h"

#define VALUE_MAX 65536

static struct xattr_key attribute_key(const struct content *c, unsigned key)
{
	return (struct xattr_key){ c->b->names_key->bytes, c->header.bucket_id, c->header.file_id, content_key(c, key), c->header.slots[key].epoch };
}

/* A sealed value as it lies in the lower file: malloc'd. */
static enum err load_value(const struct content *c, const char *lower, uint8_t **out, size_t *len_out)
{
	uint8_t *value = malloc(VALUE_MAX);
	enum err e = ERR_OK;

	if (!value)
		return ERR_NO_MEMORY;
	ssize_t len = fgetxattr(c->fd, lower, value, VALUE_MAX);
	if (len < 0) {
		e = err_errno();
		free(value);
		return e;
	}
	*out = value;
	*len_out = (size_t)len;
	return ERR_OK;
}

/* Open a sealed value under whichever of the header's keys it names. */
static enum err open_value(const struct content *c, const char *lower, const uint8_t *sealed, size_t len, char *name, uint8_t *out, size_t *len_out)
{
	uint32_t epoch;
	enum err e;

	if ((e = xattr_epoch(sealed, len, &epoch)))
		return e;
	for (unsigned i = 0; i < c->header.slot_count; i++)
		if (c->header.slots[i].epoch == epoch) {
			struct xattr_key key = attribute_key(c, i);

			return xattr_open(&key, lower, sealed, len, name, out, len_out);
		}
	return ERR_NOT_AUTHENTIC;
}

static enum err store_value(struct content *c, const char *lower, const char *name, const void *value, size_t len, int flags)
{
	struct xattr_key key = attribute_key(c, content_newest(c));
	uint8_t *sealed = malloc(XATTR_SEALED_OVERHEAD + strlen(name) + len);
	size_t sealed_len = 0;
	enum err e = ERR_NO_MEMORY;

	if (sealed && !(e = xattr_seal(&key, lower, name, value, len, sealed, &sealed_len)) &&
	    fsetxattr(c->fd, lower, sealed, sealed_len, flags))
		e = err_errno();
	free(sealed);
	return e;
}

enum err content_xattr_set(struct content *c, const char *name, const void *value, size_t len, int flags)
{
	char lower[XATTR_LOWER_MAX];
	struct group *g;
	enum err e;

	if (len > VALUE_MAX - 512)
		return ERR_ERRNO + E2BIG;
	content_lock_quiet(c);
	if (!(e = content_may_write(c)) && !(e = group_get(c, 0, &g))) {
		/* The key must be in the file before anything is under it. */
		if (!g->generation)
			e = sync_store(c);
		struct xattr_key key = attribute_key(c, content_newest(c));
		if (!e && !(e = xattr_lower_name(&key, name, lower)))
			e = store_value(c, lower, name, value, len, flags);
	}
	pthread_rwlock_unlock(&c->lock);
	return e;
}

enum err content_xattr_get(struct content *c, const char *name, void *out, size_t max, size_t *len_out)
{
	char lower[XATTR_LOWER_MAX], found[256];
	uint8_t *sealed = NULL, *value = NULL;
	size_t sealed_len = 0;
	enum err e = ERR_NO_KEY;

	pthread_rwlock_rdlock(&c->lock);
	if (!c->keys)
		goto out;
	struct xattr_key key = attribute_key(c, content_newest(c));
	if ((e = xattr_lower_name(&key, name, lower)) || (e = load_value(c, lower, &sealed, &sealed_len)))
		goto out;
	e = ERR_NO_MEMORY;
	if (!(value = malloc(sealed_len + 1)) || (e = open_value(c, lower, sealed, sealed_len, found, value, len_out)))
		goto out;
	if (strcmp(found, name))
		e = ERR_NOT_AUTHENTIC;
	else if (max && *len_out > max)
		e = ERR_ERRNO + ERANGE;
	else if (max)
		memcpy(out, value, *len_out);
out:
	pthread_rwlock_unlock(&c->lock);
	free(sealed);
	free(value);
	return e;
}

/* Calls `each` with every sealed attribute of the lower file. */
static enum err each_lower(const struct content *c, enum err (*each)(void *context, const char *lower), void *context)
{
	char *names = malloc(VALUE_MAX);
	enum err e = names ? ERR_OK : ERR_NO_MEMORY;
	ssize_t len = names ? flistxattr(c->fd, names, VALUE_MAX) : 0;

	if (len < 0)
		e = errno == EOPNOTSUPP ? ERR_OK : err_errno();
	for (const char *at = names; !e && len > 0 && at < names + len; at += strlen(at) + 1)
		if (xattr_is_lower(at))
			e = each(context, at);
	free(names);
	return e;
}

struct listing { const struct content *c; char *out; size_t max, len; };

static enum err list_one(void *context, const char *lower)
{
	struct listing *l = context;
	uint8_t *sealed = NULL, *value;
	char name[256];
	size_t sealed_len = 0, len;
	enum err e;

	if ((e = load_value(l->c, lower, &sealed, &sealed_len)))
		return e == ERR_ERRNO + ENODATA ? ERR_OK : e;
	value = malloc(sealed_len + 1);
	e = value ? open_value(l->c, lower, sealed, sealed_len, name, value, &len) : ERR_NO_MEMORY;
	free(sealed);
	free(value);
	if (e)
		return e;
	size_t need = strlen(name) + 1;
	if (l->max && l->len + need > l->max)
		return ERR_ERRNO + ERANGE;
	if (l->max)
		memcpy(l->out + l->len, name, need);
	l->len += need;
	return ERR_OK;
}

enum err content_xattr_list(struct content *c, char *out, size_t max, size_t *len_out)
{
	struct listing l = { c, out, max, 0 };
	enum err e = ERR_NO_KEY;

	pthread_rwlock_rdlock(&c->lock);
	if (c->keys)
		e = each_lower(c, list_one, &l);
	pthread_rwlock_unlock(&c->lock);
	*len_out = l.len;
	return e;
}

enum err content_xattr_remove(struct content *c, const char *name)
{
	char lower[XATTR_LOWER_MAX];
	enum err e;

	content_lock_quiet(c);
	if (!(e = content_may_write(c))) {
		struct xattr_key key = attribute_key(c, content_newest(c));

		if (!(e = xattr_lower_name(&key, name, lower)) && fremovexattr(c->fd, lower))
			e = err_errno();
	}
	pthread_rwlock_unlock(&c->lock);
	return e;
}

static enum err note_one(void *context, const char *lower)
{
	(void)lower;
	*(int *)context = 1;
	return ERR_OK;
}

enum err attributes_any(struct content *c, int *any_out)
{
	*any_out = 0;
	return each_lower(c, note_one, any_out);
}

struct resealing { struct content *c; int any; };

static enum err reseal_one(void *context, const char *lower)
{
	struct resealing *r = context;
	struct content *c = r->c;
	uint8_t *sealed = NULL, *value = NULL;
	char name[256];
	size_t sealed_len = 0, len;
	uint32_t epoch;
	enum err e;

	if ((e = load_value(c, lower, &sealed, &sealed_len)))
		return e;
	if (!(e = xattr_epoch(sealed, sealed_len, &epoch)) && epoch != c->header.slots[content_newest(c)].epoch) {
		r->any = 1;
		value = malloc(sealed_len + 1);
		e = value ? open_value(c, lower, sealed, sealed_len, name, value, &len) : ERR_NO_MEMORY;
		if (!e)
			e = store_value(c, lower, name, value, len, XATTR_REPLACE);
	}
	free(sealed);
	free(value);
	return e;
}

enum err attributes_reseal(struct content *c, int *any_out)
{
	struct resealing r = { c, 0 };
	enum err e = each_lower(c, reseal_one, &r);

	if (!e && r.any)
		e = file_sync_full(c->fd);
	*any_out = r.any;
	return e;
}
