#include "fs/check/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/aead.h"
#include "fs/check/file_keys.h"
#include "fs/check/key_facts.h"
#include "fs/check/policy_change.h"
#include "fs/names/names.h"
#include "fs/names/symlink.h"

#define OPEN_DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static json_t *id_json(const uint8_t id[static UUID_LEN])
{
	char text[UUID_TEXT_LEN + 1];

	uuid_text(id, text);
	return json_string(text);
}

static json_t *begin(const char *path, const uint8_t bucket_id[static UUID_LEN])
{
	json_t *o = json_object(), *shown = json_string(path);

	json_object_set_new(o, "Path", shown ? shown : json_null());
	json_object_set_new(o, "BucketId", id_json(bucket_id));
	return o;
}

static const char *type_name(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFLNK:
	case S_IFREG:
		return "symbolic link";
	case S_IFIFO:
		return "FIFO";
	case S_IFSOCK:
		return "socket";
	case S_IFBLK:
		return "block device";
	default:
		return "character device";
	}
}

static void add_header(json_t *o, const struct file_keys *keys, struct keymgr *k)
{
	static const char *const members[] = { "KeyId", "Alias", "KeyState", "KeyMaterialId", "KeyMaterialOrdinal", "KeyMaterialState",
					       "CipherSuite" };
	const struct file_header *h = &keys->copies[0];
	const struct key_slot *slot = &h->slots[h->slot_count ? h->slot_count - 1 : 0];
	struct key_facts facts;
	struct key_ref ref;
	const char *suite;

	if (!keys->count) {	/* never stored: it is under no key yet */
		for (unsigned i = 0; i < sizeof(members) / sizeof(*members); i++)
			json_object_set_new(o, members[i], json_null());
		return;
	}
	memcpy(ref.key_id, slot->key_id, KEY_ID_LEN);
	memcpy(ref.material_id, slot->material_id, MATERIAL_ID_LEN);
	key_facts_get(k, &ref, &facts);
	key_facts_add(o, &ref, &facts);
	suite = aead_name(slot->suite);
	json_object_set_new(o, "CipherSuite", suite ? json_string(suite) : json_integer(slot->suite));
	json_object_set_new(o, "FileId", id_json(h->file_id));
	json_object_set_new(o, "Migrating", json_boolean(h->slot_count == 2));
}

static enum err file_facts(json_t *o, int dir_fd, const char *name, const struct stat *st, struct keymgr *k, uint64_t size)
{
	struct file_keys keys;
	enum err e = file_keys_read(dir_fd, name, st, &keys);

	if (e == ERR_OK && !keys.count && keys.damaged)
		e = err_set(ERR_FORMAT, "no copy of the file's header is whole");
	if (e != ERR_OK)
		return e;
	add_header(o, &keys, k);
	json_object_set_new(o, "Size", json_integer((json_int_t)(size == UINT64_MAX ? keys.size : size)));
	return ERR_OK;
}

static enum err directory_facts(json_t *o, int dir_fd)
{
	char text[DIR_HEADER_TEXT + 1];
	uint8_t id[UUID_LEN];
	size_t len;
	enum err e = dir_header_read(dir_fd, text, &len);

	if (e == ERR_OK)
		e = dir_header_id(text, len, id);
	if (e != ERR_OK)
		return err_set(e, "the directory has no header of a bucket (" DIR_HEADER_NAME ")");
	json_object_set_new(o, "DirectoryId", id_json(id));
	return ERR_OK;
}

enum err facts_of_entry(const char *path, const char *bucket_root, struct keymgr *k, json_t **out)
{
	struct bucket_description about;
	struct stat st;
	int dir_fd = AT_FDCWD, fd = -1;
	json_t *o = NULL;
	enum err e = bucket_describe(bucket_root, &about);

	*out = NULL;
	if (e == ERR_OK && lstat(path, &st) != 0)
		e = err_set_errno("%s", path);
	if (e != ERR_OK)
		return e;
	o = begin(path, about.id);
	if (S_ISDIR(st.st_mode)) {
		fd = openat(dir_fd, path, OPEN_DIRECTORY);
		e = fd >= 0 ? directory_facts(o, fd) : err_set_errno("%s", path);
	} else if (S_ISREG(st.st_mode) && !symlink_is_file(&st)) {
		e = file_facts(o, dir_fd, path, &st, k, UINT64_MAX);
	} else {
		json_object_set_new(o, "Type", json_string(type_name(&st)));
	}
	if (fd >= 0)
		close(fd);
	if (e == ERR_OK)
		*out = o;
	else
		json_decref(o);
	return e;
}

/* --- in an open bucket ------------------------------------------------------------------------- */

static int flush_open(void *context, struct content *c)
{
	content_flush(c);
	return 0;
}

static enum err plain_size(struct tree *t, const char *plain_path, uint64_t *out)
{
	struct node *n;
	struct stat st;
	enum err e = tree_resolve(t, plain_path, &n, &st);

	if (e != ERR_OK)
		return e;
	*out = (uint64_t)st.st_size;
	tree_forget(t, n, 1);
	return ERR_OK;
}

enum err facts_of_path(struct tree *t, const char *plain_path, json_t **out)
{
	struct bucket *b = tree_bucket(t);
	struct location at;
	uint64_t size = UINT64_MAX;
	json_t *o = begin(plain_path, b->description.id);
	enum err e = location_open(b, plain_path, &at);

	*out = NULL;
	if (e == ERR_OK && at.is_directory) {
		json_object_set_new(o, "DirectoryId", id_json(at.id));
		json_object_set_new(o, "Policy", policy_change_show(b, &at));
	} else if (e == ERR_OK && S_ISREG(at.st.st_mode) && !symlink_is_file(&at.st)) {
		content_each(b, flush_open, NULL);
		if (plain_size(t, plain_path, &size) != ERR_OK)
			size = UINT64_MAX;
		e = fstatat(at.dir_fd, at.name, &at.st, AT_SYMLINK_NOFOLLOW) == 0 ? ERR_OK : err_errno();
		if (e == ERR_OK)
			e = file_facts(o, at.dir_fd, at.name, &at.st, key_ring_keymgr(b->ring), size);
	} else if (e == ERR_OK) {
		json_object_set_new(o, "Type", json_string(type_name(&at.st)));
	}
	location_release(&at);
	if (e == ERR_OK)
		*out = o;
	else
		json_decref(o);
	return e;
}
