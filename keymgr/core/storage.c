#include "keymgr/core/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file_io.h"
#include "base/log.h"
#include "base/random.h"

#define READ_TRIES 10

void image_release(struct image *i)
{
	if (i->fd >= 0)
		close(i->fd);
	free(i->bytes);
	keystore_free(i->store);
	*i = (struct image){ .fd = -1 };
}

static enum err read_bytes(struct image *i, const char *name)
{
	enum err e;

	if (fstat(i->fd, &i->st) != 0)
		return err_set_errno("cannot read the keystore %s", name);
	if (!S_ISREG(i->st.st_mode))
		return err_set(ERR_FORMAT, "%s is no keystore: not a regular file", name);
	if (i->st.st_size <= 0 || i->st.st_size > KEYSTORE_MAX)
		return err_set(ERR_FORMAT, "%s is no keystore: it has %lld bytes", name, (long long)i->st.st_size);
	i->len = (size_t)i->st.st_size;
	i->bytes = malloc(i->len);
	if (!i->bytes)
		return ERR_NO_MEMORY;
	e = file_read_all(i->fd, i->bytes, i->len, 0);
	return e == ERR_OK ? e : err_set(e, "cannot read the keystore %s: %s", name, err_text(e));
}

/* 1 where `name` still leads to the file that was read. */
static int is_named(int dir_fd, const char *name, const struct stat *st)
{
	struct stat there;

	return fstatat(dir_fd, name, &there, 0) == 0 && there.st_dev == st->st_dev && there.st_ino == st->st_ino;
}

/* Whoever destroys key material overwrites the file that he replaced: bytes count only if the name still led to them
 * when they were read. */
static enum err open_and_read(int dir_fd, const char *name, struct image *out)
{
	enum err e;

	for (int i = 0; i < READ_TRIES; i++) {
		*out = (struct image){ .fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) };
		if (out->fd < 0 && errno == ENOENT)
			return err_set(ERR_NOT_FOUND, "there is no keystore %s: rekeyctl init makes one", name);
		if (out->fd < 0)
			return err_set_errno("cannot open the keystore %s", name);
		e = read_bytes(out, name);
		if (e == ERR_OK && is_named(dir_fd, name, &out->st))
			return ERR_OK;
		image_release(out);
		if (e != ERR_OK)
			return e;
	}
	return err_set(ERR_BUSY, "the keystore %s changes all the time", name);
}

enum err image_read(int dir_fd, const char *name, struct image *out)
{
	enum err e = open_and_read(dir_fd, name, out);

	if (e != ERR_OK)
		return e;
	out->store = keystore_new();
	e = out->store ? keystore_read_head(out->store, out->bytes, out->len, &out->head_len) : ERR_NO_MEMORY;
	if (e != ERR_OK)
		image_release(out);
	return e;
}

static enum err open_seal(struct image *i, const struct secret *root)
{
	enum err e = keystore_read_body(i->store, root->bytes, i->bytes, i->len, i->head_len);

	if (e == ERR_NOT_AUTHENTIC)
		return err_set(e, "the keystore was damaged or tampered with: rekeyctl restore brings a backup back");
	return e;
}

enum err image_open(struct image *i, const struct protector_opened *opened, struct secret **root_out)
{
	const struct protector *p = keystore_find_protector(i->store, opened->id);
	enum err e;

	*root_out = NULL;
	if (!p)
		return err_set(ERR_LOCKED, "the protector that opened the keystore was removed: open it again");
	e = protector_unseal_root(p, opened, root_out);
	if (e == ERR_LOCKED)
		return err_set(e, "the protector that opened the keystore was changed: open it again");
	if (e != ERR_OK)
		return e;
	e = root_link_check(i->store->links, i->store->id, p->root_epoch, p->root_public, i->store->epoch,
			    (*root_out)->bytes);
	if (e != ERR_OK)
		e = err_set(e, "the keystore's root key does not descend from the one that this protector knows: "
			    "somebody put another keystore in its place");
	if (e == ERR_OK)
		e = open_seal(i, *root_out);
	if (e != ERR_OK) {
		secret_free(*root_out);
		*root_out = NULL;
	}
	return e;
}

void storage_adopt(struct keymgr *k, struct image *i, struct secret *root)
{
	keystore_free(k->store);
	if (k->store_fd >= 0)
		close(k->store_fd);
	if (root != k->root) {
		secret_free(k->root);
		k->root = root;
	}
	k->store = i->store;
	k->root_epoch = k->store->epoch;
	k->store_fd = i->fd;
	k->store_device = i->st.st_dev;
	k->store_inode = i->st.st_ino;
	k->stale = 0;
	if (k->store->generation > k->seen)
		k->seen = k->store->generation;
	i->store = NULL;
	i->fd = -1;
	image_release(i);
}

enum err storage_check_generation(const struct keymgr *k, const struct keystore *s)
{
	uint64_t seen = k->seen > k->ledger.generation ? k->seen : k->ledger.generation;

	if (s->generation >= seen)
		return ERR_OK;
	return err_set(ERR_ROLLBACK, "the keystore %s has generation %llu, but %llu was seen: an older copy was put back",
		       k->path, (unsigned long long)s->generation, (unsigned long long)seen);
}

/* Is it this keystore, and none older than what was seen? */
static enum err check_successor(const struct keymgr *k, const struct keystore *s)
{
	if (memcmp(s->id, k->store->id, UUID_LEN) != 0)
		return err_set(ERR_CONFLICT, "another keystore was put at %s", k->path);
	return storage_check_generation(k, s);
}

static enum err reload(struct keymgr *k)
{
	struct secret *root = NULL;
	struct image i;
	enum err e = image_read(k->dir_fd, k->name, &i);

	if (e != ERR_OK)
		return e;
	e = check_successor(k, i.store);
	if (e == ERR_OK && i.store->epoch == k->root_epoch) {
		e = open_seal(&i, k->root);
		root = k->root;
	} else if (e == ERR_OK) {
		e = image_open(&i, &k->opened, &root);
	}
	if (e == ERR_OK)
		storage_adopt(k, &i, root);
	image_release(&i);
	return e;
}

enum err storage_refresh(struct keymgr *k)
{
	struct stat st;

	if (!k->stale && fstatat(k->dir_fd, k->name, &st, 0) == 0 &&
	    st.st_dev == k->store_device && st.st_ino == k->store_inode)
		return ERR_OK;
	return reload(k);
}

/* The generation that is about to be replaced stays as NAME.previous. */
static enum err keep_previous(struct keymgr *k)
{
	char previous[NAME_ROOM], temporary[NAME_ROOM + 8];

	manager_file_name(k, PREVIOUS_SUFFIX, previous);
	snprintf(temporary, sizeof(temporary), "%s.new", previous);
	unlinkat(k->dir_fd, temporary, 0);
	if (linkat(k->dir_fd, k->name, k->dir_fd, temporary, 0) != 0)
		/* A filesystem without hard links keeps no previous generation. */
		return errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK ? ERR_OK :
		       err_set_errno("cannot keep the keystore's previous generation");
	if (renameat(k->dir_fd, temporary, k->dir_fd, previous) != 0) {
		enum err e = err_set_errno("cannot keep the keystore's previous generation");

		unlinkat(k->dir_fd, temporary, 0);
		return e;
	}
	return ERR_OK;
}

/* Zeros over a file that is no longer named, as far as the filesystem lets it reach the old bytes. */
static void overwrite(int fd, size_t len)
{
	static const uint8_t zeros[4096];
	enum err e = ERR_OK;

	for (size_t at = 0; e == ERR_OK && at < len; at += sizeof(zeros))
		e = file_write(fd, zeros, len - at < sizeof(zeros) ? len - at : sizeof(zeros), at);
	if (e == ERR_OK)
		e = file_sync(fd);
	if (e != ERR_OK)
		log_warning("cannot overwrite the keystore's former bytes: %s", err_text(e));
}

/* Replaces the file so that no older generation stays behind. */
static enum err replace_last(struct keymgr *k, const uint8_t *bytes, size_t len)
{
	int old = openat(k->dir_fd, k->name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	char previous[NAME_ROOM];
	struct stat st;
	enum err e;

	manager_file_name(k, PREVIOUS_SUFFIX, previous);
	if (unlinkat(k->dir_fd, previous, 0) != 0 && errno != ENOENT) {
		e = err_set_errno("cannot remove the keystore's previous generation");
		goto out;
	}
	e = file_replace(k->dir_fd, k->name, bytes, len, 0600);
	if (e != ERR_OK)
		goto out;
	if (old >= 0 && fstat(old, &st) == 0)
		overwrite(old, (size_t)st.st_size);
	if (file_replace(k->dir_fd, previous, bytes, len, 0600) != ERR_OK)
		log_warning("the keystore's previous generation could not be written; the next change does");
out:
	if (old >= 0)
		close(old);
	return e;
}

/* What memory was told of the file that it just wrote. */
static enum err note_written(struct keymgr *k)
{
	struct stat st;
	int fd = openat(k->dir_fd, k->name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0) {
		enum err e = err_set_errno("cannot open the keystore %s again", k->path);

		if (fd >= 0)
			close(fd);
		return e;
	}
	close(k->store_fd);
	k->store_fd = fd;
	k->store_device = st.st_dev;
	k->store_inode = st.st_ino;
	return ERR_OK;
}

static enum err next_root(struct keymgr *k, struct secret **out)
{
	enum err e = secret_new(ROOT_KEY_LEN, out);

	if (e != ERR_OK)
		return e;
	random_bytes((*out)->bytes, ROOT_KEY_LEN);
	return keystore_next_root(k->store, k->root->bytes, (*out)->bytes);
}

/* The protector at hand vouches for the root key as it is now. */
static void trust_root(struct keymgr *k)
{
	struct protector *p = keystore_find_protector(k->store, k->opened.id);
	uint32_t epoch = k->store->epoch;

	if (p && k->opened.mac_key && p->root_epoch != epoch)
		protector_trust(p, &k->opened, k->store->id, epoch, k->store->links[epoch - 1].public_key);
}

enum err storage_commit(struct keymgr *k, enum commit how)
{
	struct secret *root = NULL;
	uint8_t *bytes = NULL;
	size_t len;
	enum err e = ERR_OK;

	k->stale = 1;		/* until it is written */
	if (how != COMMIT_PLAIN)
		e = next_root(k, &root);
	else if (k->ledger.epoch == k->store->epoch)
		k->store->has_handover = 0;
	if (e != ERR_OK)
		goto out;
	trust_root(k);
	k->store->generation++;
	k->store->ledger_sequence = k->ledger.sequence;
	e = keystore_write(k->store, root ? root->bytes : k->root->bytes, &bytes, &len);
	if (e == ERR_OK && how == COMMIT_DESTROY)
		e = replace_last(k, bytes, len);
	else if (e == ERR_OK) {
		e = keep_previous(k);
		if (e == ERR_OK)
			e = file_replace(k->dir_fd, k->name, bytes, len, 0600);
	}
	if (e == ERR_OK)
		e = note_written(k);
	if (e != ERR_OK) {
		e = err_set(e, "cannot write the keystore %s: %s", k->path, err_message(e));
		goto out;
	}
	if (root) {
		secret_free(k->root);
		k->root = root;
		k->root_epoch = k->store->epoch;
		root = NULL;
	}
	k->stale = 0;
	k->seen = k->store->generation;
out:
	secret_free(root);
	free(bytes);
	return e;
}
