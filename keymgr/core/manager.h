/*
 * An open keystore, as the parts of the key manager share it.
 *
 * Locks, in order: `mutex` (threads of this process), then the OFD lock on keystore.lock
 * (processes).  All fields but `path` and `watch_fd` are guarded by the mutex.
 *
 *   manager_enter(k, ENTER_READ)     the keystore is fresh
 *   manager_enter(k, ENTER_LEDGER)   and the ledger, under the shared lock
 *   manager_enter(k, ENTER_USE)      the same, exclusively where the keystore is writable: counts and audits
 *   manager_enter(k, ENTER_CHANGE)   and nobody else changes either; ERR_REFUSED where it is not writable
 *   manager_leave(k)                 after each that gave ERR_OK
 */
#ifndef REKEYFS_KEYMGR_CORE_MANAGER_H
#define REKEYFS_KEYMGR_CORE_MANAGER_H

#include <pthread.h>
#include <sys/types.h>
#include "base/secret.h"
#include "keymgr/core/audit_log.h"
#include "keymgr/core/keystore.h"
#include "keymgr/core/ledger.h"

#define STATE_SUFFIX ".state"
#define LOCK_SUFFIX ".lock"
#define EVENTS_SUFFIX ".events"
#define PREVIOUS_SUFFIX ".previous"
#define KEYFILE_SUFFIX ".key"
#define NAME_ROOM 256

struct keymgr {
	pthread_mutex_t mutex;
	char *path;			/* absolute */
	int dir_fd;
	char name[NAME_ROOM - 16];	/* of the keystore in its directory */
	int lock_fd;			/* -1: no lock file, nothing may be changed */
	int locked;			/* the OFD lock is held */
	int writable;
	int watch_fd;			/* -1 until keymgr_watch */

	struct keystore *store;
	int store_fd;			/* held open: its inode number stays taken */
	dev_t store_device;
	ino_t store_inode;
	int stale;			/* memory differs from the file: read it again */
	uint64_t seen;			/* the newest generation that this process saw */
	struct secret *root;
	uint32_t root_epoch;
	struct protector_opened opened;	/* the protector that opened it */

	struct ledger ledger;
	int ledger_fd;
	struct audit_log audit;
	struct usage *pending;		/* not yet in the ledger */
	size_t pending_count;
	int64_t pending_since;
};

enum enter { ENTER_READ, ENTER_LEDGER, ENTER_USE, ENTER_CHANGE };
enum err manager_enter(struct keymgr *k, enum enter how);
void manager_leave(struct keymgr *k);

/* The name of one of the keystore's files. */
void manager_file_name(const struct keymgr *k, const char *suffix, char out[static NAME_ROOM]);

#endif
