/* Making a keystore. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file_io.h"
#include "base/random.h"
#include "keymgr/core/creation.h"
#include "keymgr/core/opening.h"
#include "keymgr/core/storage.h"
#include "keymgr/protectors/unlocking.h"

/* Every directory on the way to `path`, mode 0700 where one is made. */
static enum err make_parents(const char *path)
{
	char *copy = strdup(path);
	enum err e = copy ? ERR_OK : ERR_NO_MEMORY;

	for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash && e == ERR_OK; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(copy, 0700) != 0 && errno != EEXIST)
			e = err_set_errno("cannot make the directory %s", copy);
		*slash = '/';
	}
	free(copy);
	return e;
}

/* The directory resolved, the name as it is: the file does not exist yet. */
static enum err absolute(const char *path, char **out)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *directory, *given = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	enum err e = ERR_OK;

	*out = NULL;
	if (!given)
		return ERR_NO_MEMORY;
	directory = realpath(given, NULL);
	if (!directory)
		e = err_set_errno("cannot find the directory %s", given);
	else if (asprintf(out, "%s%s%s", directory, strcmp(directory, "/") ? "/" : "", name) < 0)
		e = ERR_NO_MEMORY;
	free(directory);
	free(given);
	return e;
}

static enum err check_absent(const struct keymgr *k)
{
	struct stat st;

	if (fstatat(k->dir_fd, k->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(ERR_EXISTS, "there is something at %s already: nothing was changed", k->path);
	return errno == ENOENT ? ERR_OK : err_set_errno("cannot look at %s", k->path);
}

/* What an earlier keystore of this name left: its events are kept aside, the rest is of no use. */
static enum err clear_remains(struct keymgr *k)
{
	char name[NAME_ROOM], aside[NAME_ROOM + 8];

	if (k->ledger_fd >= 0)
		close(k->ledger_fd);
	k->ledger_fd = -1;
	manager_file_name(k, STATE_SUFFIX, name);
	unlinkat(k->dir_fd, name, 0);
	manager_file_name(k, PREVIOUS_SUFFIX, name);
	unlinkat(k->dir_fd, name, 0);
	manager_file_name(k, EVENTS_SUFFIX, name);
	snprintf(aside, sizeof(aside), "%s.old", name);
	if (renameat(k->dir_fd, name, k->dir_fd, aside) != 0 && errno != ENOENT)
		return err_set_errno("cannot put %s" EVENTS_SUFFIX " aside", k->path);
	return ERR_OK;
}

enum err creation_begin(const char *path, struct keymgr **out)
{
	char *real;
	struct keymgr *k;
	enum err e;

	*out = NULL;
	e = make_parents(path);
	if (e == ERR_OK)
		e = absolute(path, &real);
	if (e == ERR_OK)
		e = manager_new(real, &k);
	if (e != ERR_OK)
		return e;
	e = check_absent(k);
	if (e == ERR_OK && !k->writable)
		e = err_set(ERR_REFUSED, "cannot write %s" LOCK_SUFFIX, k->path);
	if (e != ERR_OK)
		manager_free(k);
	else
		*out = k;
	return e;
}

enum err creation_protector(struct keymgr *k, const struct keymgr_create_options *options, struct protector *out,
			    struct protector_opened *opened, char **made_out)
{
	struct unlock u = options->unlock;
	struct secret *given = NULL;
	char *hint = NULL, *keyfile = NULL;
	int made = 0;
	enum err e;

	*made_out = NULL;
	u.keyfile = options->keyfile ? options->keyfile : options->unlock.keyfile;
	if (options->kind == PROTECTOR_KEYFILE && !u.keyfile) {
		if (asprintf(&keyfile, "%s" KEYFILE_SUFFIX, k->path) < 0)
			return ERR_NO_MEMORY;
		u.keyfile = keyfile;
	}
	e = unlock_new_secret(options->kind, &u, &given, &hint, &made);
	if (e == ERR_OK)
		e = protector_make(options->kind, given, hint, clock_now(), &protector_default_cost, out, opened);
	if (made && e != ERR_OK)
		unlink(hint);
	else if (made) {
		*made_out = hint;
		hint = NULL;
	}
	secret_free(given);
	free(hint);
	free(keyfile);
	return e;
}

enum err creation_write(struct keymgr *k, const char *event)
{
	struct audit_event line = { .name = event };
	uint8_t *bytes = NULL;
	size_t len;
	enum err e = file_lock(k->lock_fd, 1, 1);

	if (e != ERR_OK)
		return e;
	k->locked = 1;
	e = check_absent(k);
	if (e == ERR_OK)
		e = clear_remains(k);
	if (e == ERR_OK)
		e = audit_append(k, &line, 1);
	if (e != ERR_OK)
		return e;
	k->ledger.audit_sequence = k->audit.sequence;
	memcpy(k->ledger.audit_hash, k->audit.hash, AUDIT_HASH_LEN);
	k->ledger.generation = k->store->generation;
	k->ledger.clock_offset = clock_offset();
	e = ledger_commit(k);
	if (e != ERR_OK)
		return e;
	k->store->ledger_sequence = k->ledger.sequence;
	e = keystore_write(k->store, k->root->bytes, &bytes, &len);
	if (e == ERR_OK)
		e = file_replace(k->dir_fd, k->name, bytes, len, 0600);
	free(bytes);
	return e == ERR_OK ? e : err_set(e, "cannot write the keystore %s: %s", k->path, err_message(e));
}

/* The first generation, with its first protector. */
static enum err first_generation(struct keymgr *k, const struct protector *p)
{
	enum err e;

	k->store = keystore_new();
	if (!k->store)
		return ERR_NO_MEMORY;
	uuid_random(k->store->id);
	k->store->generation = 1;
	e = keystore_add_protector(k->store, p);
	if (e == ERR_OK)
		e = secret_new(ROOT_KEY_LEN, &k->root);
	if (e != ERR_OK)
		return e;
	random_bytes(k->root->bytes, ROOT_KEY_LEN);
	e = keystore_first_root(k->store, k->root->bytes);
	if (e == ERR_OK)
		protector_trust(&k->store->protectors[0], &k->opened, k->store->id, 1, k->store->links[0].public_key);
	k->ledger.since = clock_now();
	return e;
}

enum err keymgr_create(const char *path, const struct keymgr_create_options *options)
{
	struct keymgr *k = NULL;
	struct protector p;
	char *made = NULL;
	enum err e = creation_begin(path, &k);

	if (e != ERR_OK)
		return e;
	e = creation_protector(k, options, &p, &k->opened, &made);
	if (e == ERR_OK)
		e = first_generation(k, &p);
	if (e == ERR_OK)
		e = creation_write(k, "CreateKeystore");
	if (e != ERR_OK && made)
		unlink(made);
	free(made);
	manager_free(k);
	return e;
}
