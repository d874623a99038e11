/*
 * The keystore's files: reading what is new, replacing the keystore, writing the ledger.
 * The callers hold the mutex, and for writing the exclusive lock.
 */
#ifndef REKEYFS_KEYMGR_CORE_STORAGE_H
#define REKEYFS_KEYMGR_CORE_STORAGE_H

#include <sys/stat.h>
#include "keymgr/core/manager.h"

/* The bytes of a keystore file, its head read. */
struct image {
	int fd;
	struct stat st;
	uint8_t *bytes;
	size_t len, head_len;
	struct keystore *store;
};
void image_release(struct image *i);
/* ERR_NOT_FOUND, ERR_FORMAT, ERR_UNSUPPORTED. */
enum err image_read(int dir_fd, const char *name, struct image *out);
/* Finds the root key with a protector that was opened, checks that it descends from the root key which the
 * protector last saw, and opens the seal.  ERR_LOCKED, ERR_NOT_AUTHENTIC. */
enum err image_open(struct image *i, const struct protector_opened *opened, struct secret **root_out);

/* Makes the image the keystore of `k`; the image is empty then. */
void storage_adopt(struct keymgr *k, struct image *i, struct secret *root);
/* Reads the keystore again where the file is another one.  ERR_ROLLBACK, ERR_LOCKED (protectors changed), … */
enum err storage_refresh(struct keymgr *k);

/* ERR_ROLLBACK where a newer generation was seen. */
enum err storage_check_generation(const struct keymgr *k, const struct keystore *s);

enum commit { COMMIT_PLAIN, COMMIT_NEW_ROOT, COMMIT_DESTROY /* a new root, and no older generation stays */ };
/* Writes the keystore as it is in memory, as the next generation.  On an error memory is stale. */
enum err storage_commit(struct keymgr *k, enum commit how);

/* Reads the ledger again where it has another sequence. */
enum err ledger_refresh(struct keymgr *k);
/* Writes it as the next sequence, durably. */
enum err ledger_commit(struct keymgr *k);

#endif
