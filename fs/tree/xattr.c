#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include "base/bytes.h"
#include "base/secret.h"
#include "fs/names/sealed_xattr.h"
#include "fs/tree/node.h"

#define LIST_MAX 65536		/* the kernel's own limits */
#define VALUE_MAX 65536
#define NAME_MAX_LEN 255
#define VIRTUAL_PREFIX "user.rekeyfs."

static int begins(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static enum err give(const void *value, size_t len, void *out, size_t max, size_t *len_out)
{
	*len_out = len;
	if (max == 0)
		return ERR_OK;
	if (len > max)
		return ERR_ERRNO + ERANGE;
	memcpy(out, value, len);
	return ERR_OK;
}

/* --- virtual ones --------------------------------------------------------------------------- */

/* A directory's key is that of what is newly written in it. */
static enum err key_of(struct tree *t, struct node *n, struct key_ref *ref, uint8_t *suite_out, int *has_material_out)
{
	uint8_t from[UUID_LEN];
	struct policy p;
	enum err e;

	*has_material_out = node_is_file(n);
	if (node_is_file(n))
		return file_key(t, n, ref, suite_out);
	if (!node_is_directory(n))
		return ERR_ERRNO + ENODATA;
	*suite_out = (uint8_t)t->b->description.suite;
	e = policy_of(t, n, &p, from);
	return e == ERR_OK ? key_ring_resolve(t->b->ring, p.key, ref->key_id) : e;
}

static enum err get_virtual(struct tree *t, struct node *n, const char *name, void *out, size_t max, size_t *len_out)
{
	char text[HEX_LEN(MATERIAL_ID_LEN) + 1];
	const char *suite;
	struct key_ref ref;
	int has_material;
	uint8_t id;
	enum err e;

	name += strlen(VIRTUAL_PREFIX);
	if (strcmp(name, "bucket") == 0)
		return give(t->b->path, strlen(t->b->path), out, max, len_out);
	if (strcmp(name, "key-id") != 0 && strcmp(name, "key-material-id") != 0 && strcmp(name, "suite") != 0)
		return ERR_ERRNO + ENODATA;
	e = key_of(t, n, &ref, &id, &has_material);
	if (e == ERR_NOT_FOUND || e == ERR_NO_KEY)
		return ERR_ERRNO + ENODATA;
	if (e != ERR_OK)
		return e;
	if (strcmp(name, "suite") == 0) {
		suite = aead_name(id);
		return suite ? give(suite, strlen(suite), out, max, len_out) : (enum err)(ERR_ERRNO + ENODATA);
	}
	if (strcmp(name, "key-id") == 0)
		uuid_text(ref.key_id, text);
	else if (has_material)
		bytes_to_hex(ref.material_id, MATERIAL_ID_LEN, text);
	else
		return ERR_ERRNO + ENODATA;
	return give(text, strlen(text), out, max, len_out);
}

/* --- sealed ones of directories and all but regular files --------------------------------------- */

/* `node_id` is filled and must outlive the key. */
static enum err names_xattr_key(struct tree *t, struct node *n, uint8_t node_id[static UUID_LEN], struct xattr_key *out)
{
	memset(node_id, 0, UUID_LEN);
	*out = (struct xattr_key){ t->b->names_key->bytes, t->b->description.id, node_id, t->b->names_key->bytes, 0 };
	return node_is_directory(n) ? dir_id(t, n, node_id) : ERR_OK;
}

static enum err set_sealed(const struct xattr_key *key, const struct reach *r, const char *name, const void *value, size_t len, int flags)
{
	char lower[XATTR_LOWER_MAX];
	size_t sealed_len = 0;
	uint8_t *sealed;
	enum err e = xattr_lower_name(key, name, lower);

	if (e != ERR_OK)
		return e;
	sealed = malloc(XATTR_SEALED_OVERHEAD + strlen(name) + len);
	if (!sealed)
		return ERR_NO_MEMORY;
	e = xattr_seal(key, lower, name, value, len, sealed, &sealed_len);
	if (e == ERR_OK && reach_setxattr(r, lower, sealed, sealed_len, flags) != 0)
		e = err_errno();
	free(sealed);
	return e;
}

/* The value (malloc'd; the caller wipes and frees) and the plain name of one that lies there. */
static enum err open_sealed(const struct xattr_key *key, const struct reach *r, const char *lower, char name[static NAME_MAX_LEN + 1], uint8_t **out, size_t *len_out)
{
	uint8_t *sealed = malloc(VALUE_MAX), *value = NULL;
	ssize_t len;
	enum err e = ERR_NO_MEMORY;

	*out = NULL;
	if (!sealed)
		return e;
	len = reach_getxattr(r, lower, sealed, VALUE_MAX);
	if (len < 0) {
		e = err_errno();
		goto out;
	}
	value = malloc((size_t)len + 1);
	if (value)
		e = xattr_open(key, lower, sealed, (size_t)len, name, value, len_out);
out:
	free(sealed);
	if (e == ERR_OK)
		*out = value;
	else
		free(value);
	return e;
}

static enum err get_sealed(const struct xattr_key *key, const struct reach *r, const char *name, void *out, size_t max, size_t *len_out)
{
	char lower[XATTR_LOWER_MAX], found[NAME_MAX_LEN + 1];
	uint8_t *value = NULL;
	size_t len;
	enum err e = xattr_lower_name(key, name, lower);

	if (e == ERR_OK)
		e = open_sealed(key, r, lower, found, &value, &len);
	if (e == ERR_OK)
		e = strcmp(found, name) == 0 ? give(value, len, out, max, len_out) : ERR_NOT_AUTHENTIC;
	if (value)
		secret_wipe(value, len);
	free(value);
	return e;
}

/* --- which way ------------------------------------------------------------------------------------- */

/* A regular file's are under its own key.  ERR_ERRNO + ELOOP: a long symlink, which has none of that kind. */
static enum err with_content(struct tree *t, struct node *n, unsigned how, struct content **out)
{
	return node_is_file(n) ? file_acquire(t, n, how, out) : (enum err)(ERR_ERRNO + ELOOP);
}

static enum err set_on_names_key(struct tree *t, struct node *n, const char *name, const void *value, size_t len, int flags)
{
	uint8_t node_id[UUID_LEN];
	struct xattr_key key;
	struct reach r;
	enum err e = names_xattr_key(t, n, node_id, &key);

	if (e == ERR_OK)
		e = reach_begin(t, n, &r);
	if (e != ERR_OK)
		return e;
	e = set_sealed(&key, &r, name, value, len, flags);
	reach_end(t, &r);
	return e;
}

/* Attributes of the kernel's own pass through; some of them change what is remembered of the node. */
static enum err change_through(struct tree *t, struct node *n, const char *name, const void *value, size_t len, int flags)
{
	struct stat st;
	struct reach r;
	enum err e = reach_begin(t, n, &r);

	if (e != ERR_OK)
		return e;
	if ((value ? reach_setxattr(&r, name, value, len, flags) : reach_removexattr(&r, name)) != 0)
		e = err_errno();
	if (node_is_directory(n) && strcmp(name, "system.posix_acl_default") == 0)
		n->dir.default_acl = -1;
	if (e == ERR_OK && strcmp(name, "system.posix_acl_access") == 0 && reach_stat(&r, &st) == ERR_OK)
		node_note(t, n, &st);
	reach_end(t, &r);
	return e;
}

static enum err set_attribute(struct tree *t, struct node *n, const char *name, const void *value, size_t len, int flags)
{
	struct content *c;
	enum err e;

	if (!xattr_is_sealed(name))
		return change_through(t, n, name, value, len, flags);
	e = with_content(t, n, FILE_WRITE, &c);
	if (e == ERR_ERRNO + ELOOP)
		return set_on_names_key(t, n, name, value, len, flags);
	if (e == ERR_OK) {
		e = content_xattr_set(c, name, value, len, flags);
		file_release(t, n);
	}
	return e;
}

enum err tree_setxattr(struct tree *t, struct node *n, const char *name, const void *value, size_t len, int flags)
{
	enum err e = tree_may_change(t);

	if (e == ERR_OK && begins(name, VIRTUAL_PREFIX))
		e = ERR_REFUSED;
	if (e == ERR_OK && len > VALUE_MAX)
		e = ERR_ERRNO + E2BIG;
	if (e != ERR_OK)
		return e;
	names_share(t);
	e = set_attribute(t, n, name, value ? value : "", len, flags);
	names_release(t);
	return e;
}

/* --- reading ------------------------------------------------------------------------------------------- */

/* The lower names; malloc'd. */
static enum err lower_list(struct tree *t, struct node *n, char **out, size_t *len_out)
{
	char *names = malloc(LIST_MAX);
	struct reach r;
	ssize_t len;
	enum err e = names ? reach_begin(t, n, &r) : ERR_NO_MEMORY;

	*out = names;
	*len_out = 0;
	if (e != ERR_OK)
		return e;
	len = reach_listxattr(&r, names, LIST_MAX);
	if (len < 0 && errno != EOPNOTSUPP)
		e = err_errno();
	reach_end(t, &r);
	*len_out = len > 0 ? (size_t)len : 0;
	return e;
}

static int has_sealed(const char *names, size_t len)
{
	for (const char *at = names; at < names + len; at += strlen(at) + 1)
		if (xattr_is_lower(at))
			return 1;
	return 0;
}

/* Most files have none, and need not be opened to tell. */
static enum err any_sealed(struct tree *t, struct node *n)
{
	char names[1024], *all;
	struct reach r;
	ssize_t got;
	size_t len;
	enum err e = reach_begin(t, n, &r);

	if (e != ERR_OK)
		return e;
	got = reach_listxattr(&r, names, sizeof(names));
	reach_end(t, &r);
	if (got >= 0)
		return has_sealed(names, (size_t)got) ? ERR_OK : (enum err)(ERR_ERRNO + ENODATA);
	e = lower_list(t, n, &all, &len);
	if (e == ERR_OK && !has_sealed(all, len))
		e = ERR_ERRNO + ENODATA;
	free(all);
	return e;
}

static enum err get_on_names_key(struct tree *t, struct node *n, const char *name, void *out, size_t max, size_t *len_out)
{
	uint8_t node_id[UUID_LEN];
	struct xattr_key key;
	struct reach r;
	enum err e = names_xattr_key(t, n, node_id, &key);

	if (e == ERR_OK)
		e = reach_begin(t, n, &r);
	if (e != ERR_OK)
		return e;
	e = get_sealed(&key, &r, name, out, max, len_out);
	reach_end(t, &r);
	return e;
}

static enum err get_through(struct tree *t, struct node *n, const char *name, void *out, size_t max, size_t *len_out)
{
	struct reach r;
	ssize_t len;
	enum err e = reach_begin(t, n, &r);

	if (e != ERR_OK)
		return e;
	len = reach_getxattr(&r, name, out, max);
	if (len < 0)
		e = err_errno();
	else
		*len_out = (size_t)len;
	reach_end(t, &r);
	return e;
}

static enum err get_attribute(struct tree *t, struct node *n, const char *name, void *out, size_t max, size_t *len_out)
{
	struct content *c;
	enum err e;

	if (begins(name, VIRTUAL_PREFIX))
		return get_virtual(t, n, name, out, max, len_out);
	if (!xattr_is_sealed(name))
		return get_through(t, n, name, out, max, len_out);
	e = any_sealed(t, n);
	if (e == ERR_OK)
		e = with_content(t, n, FILE_READ, &c);
	if (e == ERR_ERRNO + ELOOP)
		return get_on_names_key(t, n, name, out, max, len_out);
	if (e == ERR_OK) {
		e = content_xattr_get(c, name, out, max, len_out);
		file_release(t, n);
	}
	return e;
}

enum err tree_getxattr(struct tree *t, struct node *n, const char *name, void *out, size_t max, size_t *len_out)
{
	enum err e;

	*len_out = 0;
	names_share(t);
	e = get_attribute(t, n, name, out, max, len_out);
	names_release(t);
	return e;
}

/* --- listing -------------------------------------------------------------------------------------------- */

/* Room is LIST_MAX. */
static enum err append(char *list, size_t *len, const char *name)
{
	size_t need = strlen(name) + 1;

	if (*len + need > LIST_MAX)
		return ERR_ERRNO + E2BIG;
	memcpy(list + *len, name, need);
	*len += need;
	return ERR_OK;
}

static enum err list_on_names_key(struct tree *t, struct node *n, const char *lower, size_t lower_len, char *list, size_t *len)
{
	uint8_t node_id[UUID_LEN], *value;
	char name[NAME_MAX_LEN + 1];
	struct xattr_key key;
	size_t value_len;
	struct reach r;
	enum err e = names_xattr_key(t, n, node_id, &key);

	if (e == ERR_OK)
		e = reach_begin(t, n, &r);
	if (e != ERR_OK)
		return e;
	for (const char *at = lower; e == ERR_OK && at < lower + lower_len; at += strlen(at) + 1) {
		if (!xattr_is_lower(at))
			continue;
		e = open_sealed(&key, &r, at, name, &value, &value_len);
		if (e == ERR_ERRNO + ENODATA) {
			e = ERR_OK;
			continue;
		}
		if (e == ERR_OK) {
			secret_wipe(value, value_len);
			free(value);
			e = append(list, len, name);
		}
	}
	reach_end(t, &r);
	return e;
}

static enum err list_sealed(struct tree *t, struct node *n, const char *lower, size_t lower_len, char *list, size_t *len)
{
	struct content *c;
	size_t got = 0;
	enum err e = with_content(t, n, FILE_READ, &c);

	if (e == ERR_ERRNO + ELOOP)
		return list_on_names_key(t, n, lower, lower_len, list, len);
	/* Without its key a file shows that it is there, not what is in it. */
	if (e == ERR_NO_KEY || e == ERR_KEY_DESTROYED || e == ERR_KEY_EXPIRED)
		return ERR_OK;
	if (e != ERR_OK)
		return e;
	if (*len < LIST_MAX)
		e = content_xattr_list(c, list + *len, LIST_MAX - *len, &got);
	file_release(t, n);
	*len += got;
	return e;
}

static enum err list_attributes(struct tree *t, struct node *n, char *list, size_t *len)
{
	char *lower;
	size_t lower_len;
	enum err e = lower_list(t, n, &lower, &lower_len);

	for (const char *at = lower; e == ERR_OK && at < lower + lower_len; at += strlen(at) + 1)
		if (!begins(at, "user.") && !begins(at, "trusted."))
			e = append(list, len, at);
	if (e == ERR_OK && has_sealed(lower, lower_len))
		e = list_sealed(t, n, lower, lower_len, list, len);
	free(lower);
	return e;
}

enum err tree_listxattr(struct tree *t, struct node *n, char *out, size_t max, size_t *len_out)
{
	char *list = malloc(LIST_MAX);
	size_t len = 0;
	enum err e;

	*len_out = 0;
	if (!list)
		return ERR_NO_MEMORY;
	names_share(t);
	e = list_attributes(t, n, list, &len);
	names_release(t);
	if (e == ERR_OK)
		e = give(list, len, out, max, len_out);
	free(list);
	return e;
}

/* --- removing ------------------------------------------------------------------------------------------------ */

static enum err remove_on_names_key(struct tree *t, struct node *n, const char *name)
{
	char lower[XATTR_LOWER_MAX];
	uint8_t node_id[UUID_LEN];
	struct xattr_key key;
	struct reach r;
	enum err e = names_xattr_key(t, n, node_id, &key);

	if (e == ERR_OK)
		e = xattr_lower_name(&key, name, lower);
	if (e == ERR_OK)
		e = reach_begin(t, n, &r);
	if (e != ERR_OK)
		return e;
	if (reach_removexattr(&r, lower) != 0)
		e = err_errno();
	reach_end(t, &r);
	return e;
}

static enum err remove_attribute(struct tree *t, struct node *n, const char *name)
{
	struct content *c;
	enum err e;

	if (!xattr_is_sealed(name))
		return change_through(t, n, name, NULL, 0, 0);
	e = any_sealed(t, n);
	if (e == ERR_OK)
		e = with_content(t, n, FILE_WRITE, &c);
	if (e == ERR_ERRNO + ELOOP)
		return remove_on_names_key(t, n, name);
	if (e == ERR_OK) {
		e = content_xattr_remove(c, name);
		file_release(t, n);
	}
	return e;
}

enum err tree_removexattr(struct tree *t, struct node *n, const char *name)
{
	enum err e = tree_may_change(t);

	if (e == ERR_OK && begins(name, VIRTUAL_PREFIX))
		e = ERR_REFUSED;
	if (e != ERR_OK)
		return e;
	names_share(t);
	e = remove_attribute(t, n, name);
	names_release(t);
	return e;
}
