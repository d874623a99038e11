/*
 * The keys that a content file names in clear: every copy of its header (both tag pages of group 0), read from the lower file without a key.  What a copy says is not yet
 * trusted: whoever relies on it unwraps and compares (scan.h).
 */
#ifndef REKEYFS_FS_CHECK_FILE_KEYS_H
#define REKEYFS_FS_CHECK_FILE_KEYS_H

#include <sys/stat.h>
#include "base/error.h"
#include "fs/format/tag_page.h"
#include "keymgr/keymgr.h"

struct file_keys {
	unsigned count;			/* whole copies, the newest first; 0: never stored */
	struct file_header copies[2];
	unsigned damaged;		/* copies that are neither whole nor a hole */
	uint64_t size;			/* plain size by the lower size */
};

/* `st`: of the lower file.  ERR_ERRNO + errno where it cannot be opened or read; ERR_NOT_FOUND where it is gone. */
enum err file_keys_read(int dir_fd, const char *name, const struct stat *st, struct file_keys *out);
/* The same for an open file; `fd` stays the caller's. */
enum err file_keys_read_open(int fd, const struct stat *st, struct file_keys *out);

/* 1 where any slot of any copy names this CMK (and this material, where it is not NULL). */
int file_keys_name(const struct file_keys *k, const uint8_t key_id[static KEY_ID_LEN], const uint8_t *material_id);
/* 1 where any slot of any copy names anything but this backing key (its CMK, where `any_material`), or a copy is damaged. */
int file_keys_differ(const struct file_keys *k, const struct key_ref *from, int any_material);
/* 1 where a slot names this CMK and material (NULL: any). */
int key_slot_names(const struct key_slot *slot, const uint8_t key_id[static KEY_ID_LEN], const uint8_t *material_id);

#endif
