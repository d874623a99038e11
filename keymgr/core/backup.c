/*
 * Backups: the keystore with one protector, a passphrase of its own, and its ledger.
 * KEYSTORE.md, "Backups".
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file_io.h"
#include "base/random.h"
#include "keymgr/core/change.h"
#include "keymgr/core/creation.h"
#include "keymgr/core/opening.h"
#include "keymgr/core/usage.h"
#include "keymgr/protectors/secret_source.h"
#include "keymgr/protectors/unlocking.h"

#define MAGIC "rekeykbk"
#define MAGIC_LEN 8
#define FORMAT 1
#define HEAD_LEN (MAGIC_LEN + 2 + 2 + 4 + 4)
#define FILE_MAX ((size_t)KEYSTORE_MAX + LEDGER_COPY_LEN + HEAD_LEN)

/* The keystore's bytes with `p` as its only protector. */
static enum err write_store(struct keymgr *k, struct protector *p, uint8_t **out, size_t *len_out)
{
	struct protector *protectors = k->store->protectors;
	size_t count = k->store->protector_count;
	enum err e;

	k->store->protectors = p;
	k->store->protector_count = 1;
	e = keystore_write(k->store, k->root->bytes, out, len_out);
	k->store->protectors = protectors;
	k->store->protector_count = count;
	return e;
}

static enum err write_parts(struct keymgr *k, struct protector *p, uint8_t **out, size_t *len_out)
{
	uint8_t mac_key[32], *store = NULL, *ledger = NULL;
	size_t store_len, ledger_len;
	struct ledger copy = k->ledger;
	struct writer w;
	enum err e = write_store(k, p, &store, &store_len);

	copy.epoch = k->store->epoch;
	if (e == ERR_OK)
		e = keystore_mac_key(k->store, k->root->bytes, ROOT_LEDGER, copy.epoch, mac_key);
	if (e == ERR_OK)
		e = ledger_write(&copy, k->store->id, mac_key, &ledger, &ledger_len);
	secret_wipe(mac_key, sizeof(mac_key));
	if (e == ERR_OK) {
		*len_out = HEAD_LEN + store_len + ledger_len;
		*out = malloc(*len_out);
		e = *out ? ERR_OK : ERR_NO_MEMORY;
	}
	if (e == ERR_OK) {
		w = writer_over(*out, *len_out);
		writer_bytes(&w, MAGIC, MAGIC_LEN);
		writer_u16(&w, FORMAT);
		writer_u16(&w, 0);
		writer_u32(&w, (uint32_t)store_len);
		writer_u32(&w, (uint32_t)ledger_len);
		writer_bytes(&w, store, store_len);
		writer_bytes(&w, ledger, ledger_len);
	}
	free(store);
	free(ledger);
	return e;
}

static enum err write_backup(struct keymgr *k, const char *file, struct protector *p, const struct protector_opened *opened)
{
	uint32_t epoch;
	uint8_t *bytes = NULL;
	struct change c;
	size_t len;
	enum err e = change_begin(&c, k, "BackupKeystore");

	if (e != ERR_OK)
		return e;
	c.kind = CHANGE_LEDGER;
	change_text(&c, "file", file);
	epoch = k->store->epoch;
	protector_seal_root(p, k->root->bytes);
	protector_trust(p, opened, k->store->id, epoch, k->store->links[epoch - 1].public_key);
	e = write_parts(k, p, &bytes, &len);
	if (e == ERR_OK) {
		e = file_replace(AT_FDCWD, file, bytes, len, 0600);
		if (e != ERR_OK)
			e = err_set(e, "cannot write the backup %s: %s", file, err_text(e));
	}
	free(bytes);
	return change_end(&c, e);
}

enum err keymgr_backup(struct keymgr *k, const char *file, const struct unlock *secret)
{
	struct protector_opened opened = { 0 };
	struct secret *given = NULL;
	struct protector p;
	char *hint = NULL;
	int made = 0;
	enum err e;

	usage_flush(k);
	e = unlock_new_secret(PROTECTOR_PASSPHRASE, secret, &given, &hint, &made);
	if (e == ERR_OK)
		e = protector_make(PROTECTOR_PASSPHRASE, given, NULL, clock_now(), &protector_default_cost, &p, &opened);
	if (e == ERR_OK)
		e = write_backup(k, file, &p, &opened);
	protector_opened_release(&opened);
	secret_free(given);
	free(hint);
	return e;
}

/* What is restored: a backup, or a keystore file as it stands (a previous generation). */
struct source {
	const char *file;
	uint8_t *bytes;
	size_t len;
	const uint8_t *ledger;
	size_t ledger_len;
	struct image image;
};

static void source_release(struct source *s)
{
	free(s->bytes);
	image_release(&s->image);
}

static enum err split(struct source *s, const uint8_t **store_out, size_t *store_len_out)
{
	struct cursor c = cursor_over(s->bytes, s->len);
	uint16_t format;

	*store_out = s->bytes;
	*store_len_out = s->len;
	if (s->len < HEAD_LEN || memcmp(s->bytes, MAGIC, MAGIC_LEN) != 0)
		return ERR_OK;
	cursor_take(&c, MAGIC_LEN);
	format = cursor_u16(&c);
	cursor_zeros(&c, 2);
	*store_len_out = cursor_u32(&c);
	s->ledger_len = cursor_u32(&c);
	*store_out = cursor_take(&c, *store_len_out);
	s->ledger = cursor_take(&c, s->ledger_len);
	if (c.failed || cursor_left(&c) > 0 || format != FORMAT)
		return err_set(ERR_FORMAT, "%s is no backup of a keystore, or is damaged", s->file);
	return ERR_OK;
}

static enum err read_source(struct source *s)
{
	const uint8_t *store;
	size_t store_len;
	enum err e;

	s->image.fd = -1;
	if (stat(s->file, &s->image.st) != 0)
		return err_set_errno("cannot read the backup %s", s->file);
	e = file_load(AT_FDCWD, s->file, FILE_MAX, &s->bytes, &s->len);
	if (e != ERR_OK)
		return err_set(e, "cannot read the backup %s: %s", s->file, err_text(e));
	e = split(s, &store, &store_len);
	if (e != ERR_OK)
		return e;
	s->image.bytes = malloc(store_len ? store_len : 1);
	s->image.store = keystore_new();
	if (!s->image.bytes || !s->image.store)
		return ERR_NO_MEMORY;
	memcpy(s->image.bytes, store, store_len);
	s->image.len = store_len;
	return keystore_read_head(s->image.store, s->image.bytes, store_len, &s->image.head_len);
}

/* Opens the source and makes its contents those of `k`. */
static enum err take_source(struct keymgr *k, struct source *s, const struct unlock *u)
{
	struct locked_keystore locked = { .id = s->image.store->id, .protectors = s->image.store->protectors,
					  .count = s->image.store->protector_count, .path = s->file,
					  .is_own = secret_file_is_own(&s->image.st) };
	struct protector_opened opened = { 0 };
	struct secret *root = NULL;
	enum err e = unlock_keystore(&locked, u, &opened);

	if (e == ERR_OK)
		e = image_open(&s->image, &opened, &root);
	protector_opened_release(&opened);
	if (e == ERR_OK)
		storage_adopt(k, &s->image, root);
	return e;
}

/* The ledger beside the path, if it is this keystore's and newer than the backup's; else the backup's; else
 * everything that it would have said is unknown. */
static enum err take_ledger(struct keymgr *k, const struct source *s)
{
	struct ledger backed = { 0 };
	char name[NAME_ROOM];
	uint8_t mac_key[32];
	enum err e;

	if (s->ledger) {
		e = keystore_mac_key(k->store, k->root->bytes, ROOT_LEDGER, k->store->epoch, mac_key);
		if (e == ERR_OK)
			e = ledger_read(s->ledger, s->ledger_len, k->store->id, mac_key, &backed);
		secret_wipe(mac_key, sizeof(mac_key));
		if (e != ERR_OK)
			return err_set(e, "the state in the backup %s is damaged", s->file);
	}
	/* None at all is usual where a backup is restored. */
	manager_file_name(k, STATE_SUFFIX, name);
	if (s->ledger && faccessat(k->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
		k->ledger = backed;
		return ERR_OK;
	}
	e = ledger_refresh(k);
	if (e == ERR_OK && s->ledger && (k->ledger.lost_at || backed.sequence > k->ledger.sequence)) {
		ledger_release(&k->ledger);
		k->ledger = backed;
		backed = (struct ledger){ 0 };
	}
	ledger_release(&backed);
	return e;
}

/* The next generation of what was restored: under a new root key, with the new protector alone. */
static enum err make_generation(struct keymgr *k, const struct protector *p)
{
	struct keystore *s = k->store;
	struct secret *root = NULL;
	uint64_t newest = s->generation > k->ledger.generation ? s->generation : k->ledger.generation;
	enum err e;

	s->protectors[0] = *p;
	s->protector_count = 1;
	s->generation = newest + 1;
	s->ledger_sequence = 0;
	k->ledger.audit_sequence = 0;		/* a log of its own begins */
	memset(k->ledger.audit_hash, 0, AUDIT_HASH_LEN);
	e = secret_new(ROOT_KEY_LEN, &root);
	if (e != ERR_OK)
		return e;
	random_bytes(root->bytes, ROOT_KEY_LEN);
	e = keystore_next_root(s, k->root->bytes, root->bytes);
	if (e != ERR_OK) {
		secret_free(root);
		return e;
	}
	secret_free(k->root);
	k->root = root;
	k->root_epoch = s->epoch;
	protector_trust(&s->protectors[0], &k->opened, s->id, s->epoch, s->links[s->epoch - 1].public_key);
	return ERR_OK;
}

enum err keymgr_restore(const char *file, const struct unlock *backup_secret, const char *path,
			const struct keymgr_create_options *options, uint64_t *generation_out)
{
	struct source s = { .file = file };
	struct keymgr *k = NULL;
	struct protector p;
	char *made = NULL;
	enum err e = read_source(&s);

	if (e == ERR_OK)
		e = creation_begin(path, &k);
	if (e == ERR_OK)
		e = take_source(k, &s, backup_secret);
	if (e == ERR_OK)
		e = take_ledger(k, &s);
	if (e == ERR_OK)
		e = creation_protector(k, options, &p, &k->opened, &made);
	if (e == ERR_OK)
		e = make_generation(k, &p);
	if (e == ERR_OK)
		e = creation_write(k, "RestoreKeystore");
	if (e == ERR_OK && generation_out)
		*generation_out = k->store->generation;
	if (e != ERR_OK && made)
		unlink(made);
	free(made);
	source_release(&s);
	manager_free(k);
	return e;
}
