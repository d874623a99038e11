#include "keymgr/core/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file_io.h"
#include "base/log.h"
#include "keymgr/core/change.h"
#include "keymgr/core/opening.h"
#include "keymgr/core/storage.h"
#include "keymgr/core/usage.h"
#include "keymgr/protectors/secret_source.h"
#include "keymgr/protectors/unlocking.h"

void manager_file_name(const struct keymgr *k, const char *suffix, char out[static NAME_ROOM])
{
	snprintf(out, NAME_ROOM, "%s%s", k->name, suffix);
}

static enum err lock(struct keymgr *k, int exclusive)
{
	enum err e;

	if (exclusive && !k->writable)
		return err_set(ERR_REFUSED, "the keystore %s cannot be changed: its directory or lock is not writable", k->path);
	if (k->lock_fd < 0)
		return ERR_OK;
	e = file_lock(k->lock_fd, exclusive, 1);
	if (e != ERR_OK)
		return err_set(e, "cannot lock the keystore %s: %s", k->path, err_text(e));
	k->locked = 1;
	return ERR_OK;
}

enum err manager_enter(struct keymgr *k, enum enter how)
{
	enum err e = ERR_OK;

	pthread_mutex_lock(&k->mutex);
	if (how != ENTER_READ)
		e = lock(k, how == ENTER_CHANGE || (how == ENTER_USE && k->writable));
	if (e == ERR_OK)
		e = storage_refresh(k);
	if (e == ERR_OK && how != ENTER_READ) {
		e = ledger_refresh(k);
		if (e == ERR_OK)
			e = storage_check_generation(k, k->store);
	}
	if (e != ERR_OK)
		manager_leave(k);
	return e;
}

void manager_leave(struct keymgr *k)
{
	if (k->locked)
		file_unlock(k->lock_fd);
	k->locked = 0;
	pthread_mutex_unlock(&k->mutex);
}

char *keymgr_default_path(void)
{
	const char *named = secure_getenv("REKEYFS_KEYSTORE"), *data = secure_getenv("XDG_DATA_HOME");
	const char *home = secure_getenv("HOME");
	char *path = NULL;

	if (named && *named)
		return strdup(named);
	if (geteuid() == 0)
		return strdup("/var/lib/rekeyfs/keystore");
	if (data && *data == '/')
		return asprintf(&path, "%s/rekeyfs/keystore", data) < 0 ? NULL : path;
	return asprintf(&path, "%s/.local/share/rekeyfs/keystore", home ? home : "") < 0 ? NULL : path;
}

void manager_free(struct keymgr *k)
{
	if (!k)
		return;
	keystore_free(k->store);
	secret_free(k->root);
	protector_opened_release(&k->opened);
	ledger_release(&k->ledger);
	free(k->pending);
	audit_close(k);
	if (k->store_fd >= 0)
		close(k->store_fd);
	if (k->ledger_fd >= 0)
		close(k->ledger_fd);
	if (k->lock_fd >= 0)
		close(k->lock_fd);
	if (k->watch_fd >= 0)
		close(k->watch_fd);
	if (k->dir_fd >= 0)
		close(k->dir_fd);
	free(k->path);
	pthread_mutex_destroy(&k->mutex);
	free(k);
}

/* Splits an absolute path into an open directory and a name. */
static enum err open_directory(struct keymgr *k)
{
	char *slash = strrchr(k->path, '/');
	int len;

	len = snprintf(k->name, sizeof(k->name), "%s", slash + 1);
	if (len <= 0 || (size_t)len >= sizeof(k->name))
		return err_set(ERR_INVALID, "the keystore's name in %s is empty or too long", k->path);
	*slash = 0;
	k->dir_fd = open(*k->path ? k->path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*slash = '/';
	return k->dir_fd < 0 ? err_set_errno("cannot open the directory of the keystore %s", k->path) : ERR_OK;
}

static void open_lock(struct keymgr *k)
{
	char name[NAME_ROOM];

	manager_file_name(k, LOCK_SUFFIX, name);
	k->lock_fd = openat(k->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	k->writable = k->lock_fd >= 0;
	if (k->lock_fd < 0)
		k->lock_fd = openat(k->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
}

enum err manager_new(char *path, struct keymgr **out)
{
	struct keymgr *k = calloc(1, sizeof(*k));
	enum err e;

	*out = NULL;
	if (!k || sodium_init() < 0) {
		free(k);
		free(path);
		return ERR_NO_MEMORY;
	}
	pthread_mutex_init(&k->mutex, NULL);
	k->path = path;
	k->dir_fd = k->lock_fd = k->watch_fd = k->store_fd = k->ledger_fd = k->audit.fd = -1;
	e = open_directory(k);
	if (e == ERR_OK) {
		open_lock(k);
		*out = k;
	} else {
		manager_free(k);
	}
	return e;
}

/* The keystore's real path: what is replaced is the file, not a symbolic link to it. */
static enum err resolve(const char *path, char **out)
{
	*out = realpath(path, NULL);
	if (*out)
		return ERR_OK;
	if (errno == ENOENT || errno == ENOTDIR)
		return err_set(ERR_NOT_FOUND, "there is no keystore %s: rekeyctl init makes one", path);
	return err_set_errno("cannot open the keystore %s", path);
}

static enum err unlock_image(struct keymgr *k, struct image *i, const struct unlock *unlock)
{
	struct locked_keystore locked = { .id = i->store->id, .protectors = i->store->protectors,
					  .count = i->store->protector_count, .path = k->path,
					  .is_own = secret_file_is_own(&i->st) };
	struct secret *root;
	enum err e = unlock_keystore(&locked, unlock, &k->opened);

	if (e != ERR_OK)
		return e;
	e = image_open(i, &k->opened, &root);
	if (e == ERR_OK)
		storage_adopt(k, i, root);
	return e;
}

/* The first look at the ledger, and what was noticed since the last opening. */
static enum err first_look(struct keymgr *k)
{
	enum err e;

	audit_open(k);
	e = manager_enter(k, ENTER_LEDGER);
	if (e != ERR_OK)
		return e;
	manager_leave(k);
	change_note_clock(k);
	return ERR_OK;
}

enum err keymgr_open(const char *path, const struct unlock *unlock, int no_due, struct keymgr **out)
{
	struct keymgr *k = NULL;
	struct image i = { .fd = -1 };
	struct due_summary due;
	char *real;
	enum err e;

	*out = NULL;
	e = resolve(path, &real);
	if (e == ERR_OK)
		e = manager_new(real, &k);
	if (e == ERR_OK)
		e = image_read(k->dir_fd, k->name, &i);
	if (e == ERR_OK)
		e = unlock_image(k, &i, unlock);
	image_release(&i);
	if (e == ERR_OK)
		e = first_look(k);
	if (e != ERR_OK) {
		manager_free(k);
		return e;
	}
	if (!no_due && k->writable && keymgr_run_due(k, &due) != ERR_OK)
		log_warning("what was due in the keystore %s could not be done", k->path);
	*out = k;
	return ERR_OK;
}

void keymgr_close(struct keymgr *k)
{
	if (!k)
		return;
	usage_flush(k);
	manager_free(k);
}

const char *keymgr_path(const struct keymgr *k)
{
	return k->path;
}

void keymgr_id(const struct keymgr *k, uint8_t out[static UUID_LEN])
{
	struct keymgr *shared = (struct keymgr *)k;

	pthread_mutex_lock(&shared->mutex);
	memcpy(out, k->store->id, UUID_LEN);
	pthread_mutex_unlock(&shared->mutex);
}
