/* The ledger on disk: two copies in turn, by the parity of their sequence. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file_io.h"
#include "base/log.h"
#include "keymgr/core/storage.h"
#include "keymgr/core/usage.h"

struct copy {
	uint64_t sequence;
	uint32_t epoch;
	size_t len;
	uint64_t offset;
	int present;
};

static uint64_t offset_of(uint64_t sequence)
{
	return sequence % 2 * LEDGER_COPY_LEN;
}

static void open_file(struct keymgr *k)
{
	char name[NAME_ROOM];

	if (k->ledger_fd >= 0)
		return;
	manager_file_name(k, STATE_SUFFIX, name);
	k->ledger_fd = openat(k->dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (k->ledger_fd < 0)
		k->ledger_fd = openat(k->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
}

/* Somebody put another file there, or took it away. */
static void close_if_replaced(struct keymgr *k)
{
	char name[NAME_ROOM];
	struct stat there, held;

	if (k->ledger_fd < 0)
		return;
	manager_file_name(k, STATE_SUFFIX, name);
	if (fstat(k->ledger_fd, &held) == 0 && fstatat(k->dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    held.st_ino == there.st_ino && held.st_dev == there.st_dev)
		return;
	close(k->ledger_fd);
	k->ledger_fd = -1;
}

/* Reads the heads of both copies; the newer one comes first. */
static enum err read_heads(struct keymgr *k, struct copy copies[static 2])
{
	uint8_t head[LEDGER_HEAD_LEN];
	struct copy swap;

	for (int i = 0; i < 2; i++) {
		struct copy *c = &copies[i];
		size_t got;
		enum err e;

		*c = (struct copy){ .offset = (uint64_t)i * LEDGER_COPY_LEN };
		e = file_read(k->ledger_fd, head, sizeof(head), c->offset, &got);
		if (e != ERR_OK)
			return err_set(e, "cannot read the keystore's state: %s", err_text(e));
		c->present = got == sizeof(head) &&
			     ledger_read_head(head, k->store->id, &c->sequence, &c->epoch, &c->len) == ERR_OK &&
			     offset_of(c->sequence) == c->offset;
		if (!c->present)
			c->sequence = 0;
	}
	if (copies[1].sequence > copies[0].sequence) {
		swap = copies[0];
		copies[0] = copies[1];
		copies[1] = swap;
	}
	return ERR_OK;
}

/* ERR_OK, an error of the file, or ERR_NOT_AUTHENTIC for a copy that does not count. */
static enum err read_copy(struct keymgr *k, const struct copy *c, struct ledger *out)
{
	uint8_t mac_key[32], *bytes;
	enum err e;

	if (!c->present || keystore_mac_key(k->store, k->root->bytes, ROOT_LEDGER, c->epoch, mac_key) != ERR_OK)
		return ERR_NOT_AUTHENTIC;
	bytes = malloc(c->len);
	e = bytes ? file_read_all(k->ledger_fd, bytes, c->len, c->offset) : ERR_NO_MEMORY;
	if (e == ERR_OK)
		e = ledger_read(bytes, c->len, k->store->id, mac_key, out);
	if (e == ERR_FORMAT || e == ERR_TRUNCATED)
		e = ERR_NOT_AUTHENTIC;
	secret_wipe(mac_key, sizeof(mac_key));
	free(bytes);
	return e;
}

/* Neither copy counts, or the one that does is older than the keystore says. */
static void note_loss(struct keymgr *k, struct ledger *l)
{
	int64_t now = clock_now();

	if (l->sequence >= k->store->ledger_sequence && l->sequence > 0)
		return;
	log_warning("the state beside the keystore %s is lost or older than the keystore: usage, scans and anchors "
		    "from before are not known any more, and deletions will wait", k->path);
	l->sequence = k->store->ledger_sequence;
	l->epoch = k->store->epoch;
	l->lost_at = now;
	if (l->since == 0)
		l->since = now;
}

static enum err reload(struct keymgr *k, const struct copy copies[static 2])
{
	struct ledger fresh = { 0 };
	enum err e = read_copy(k, &copies[0], &fresh);

	if (e == ERR_NOT_AUTHENTIC)
		e = read_copy(k, &copies[1], &fresh);
	if (e == ERR_NOT_AUTHENTIC)
		fresh = (struct ledger){ 0 };
	else if (e != ERR_OK)
		return e;
	note_loss(k, &fresh);
	/* What this process saw stays seen. */
	if (fresh.generation < k->ledger.generation)
		fresh.generation = k->ledger.generation;
	ledger_release(&k->ledger);
	k->ledger = fresh;
	return ERR_OK;
}

enum err ledger_refresh(struct keymgr *k)
{
	struct copy copies[2] = { { 0 }, { 0 } };
	enum err e;

	close_if_replaced(k);
	open_file(k);
	if (k->ledger_fd >= 0) {
		e = read_heads(k, copies);
		if (e != ERR_OK)
			return e;
	}
	if (k->ledger.sequence > 0 && copies[0].sequence == k->ledger.sequence && copies[0].epoch == k->ledger.epoch)
		return ERR_OK;
	/* A lost one that is not yet written again. */
	if (k->ledger.sequence > 0 && k->ledger.lost_at && copies[0].sequence < k->ledger.sequence &&
	    k->ledger.sequence == k->store->ledger_sequence)
		return ERR_OK;
	return reload(k, copies);
}

static enum err create_file(struct keymgr *k)
{
	char name[NAME_ROOM];

	manager_file_name(k, STATE_SUFFIX, name);
	if (k->ledger_fd >= 0)
		close(k->ledger_fd);
	k->ledger_fd = openat(k->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (k->ledger_fd < 0)
		return err_set_errno("cannot open the keystore's state %s" STATE_SUFFIX, k->path);
	return file_sync_full(k->dir_fd);
}

enum err ledger_commit(struct keymgr *k)
{
	uint8_t mac_key[32], *bytes = NULL;
	size_t len;
	enum err e = ERR_OK;

	/* A write that failed left memory behind the file. */
	if (k->ledger.sequence < k->store->ledger_sequence)
		e = ledger_refresh(k);
	if (e == ERR_OK)
		e = usage_merge(k);
	if (e != ERR_OK)
		return e;
	if (k->ledger_fd < 0 || (fcntl(k->ledger_fd, F_GETFL) & O_ACCMODE) != O_RDWR)
		e = create_file(k);
	if (e == ERR_OK)
		e = keystore_mac_key(k->store, k->root->bytes, ROOT_LEDGER, k->store->epoch, mac_key);
	if (e != ERR_OK) {
		k->ledger.sequence = 0;
		return e;
	}
	k->ledger.sequence++;
	k->ledger.epoch = k->store->epoch;
	if (k->ledger.generation < k->store->generation)
		k->ledger.generation = k->store->generation;
	e = ledger_write(&k->ledger, k->store->id, mac_key, &bytes, &len);
	if (e == ERR_OK)
		e = file_write(k->ledger_fd, bytes, len, offset_of(k->ledger.sequence));
	if (e == ERR_OK)
		e = file_sync(k->ledger_fd);
	if (e != ERR_OK) {
		k->ledger.sequence = 0;		/* memory is ahead of the file: read it again */
		e = err_set(e, "cannot write the keystore's state %s" STATE_SUFFIX ": %s", k->path, err_message(e));
	}
	if (e == ERR_OK)
		usage_forget(k);
	secret_wipe(mac_key, sizeof(mac_key));
	free(bytes);
	return e;
}
