/*
 * Which keys the files of a bucket are under: files and plain bytes by CMK and backing key, from the clear fields of the newest header of each.
 * It needs no key; hard links count once.  A file in the midst of a re-encryption needs both of its keys and counts under both.
 */
#ifndef REKEYFS_FS_CHECK_INVENTORY_H
#define REKEYFS_FS_CHECK_INVENTORY_H

#include <jansson.h>
#include "fs/check/location.h"
#include "fs/check/walk.h"

#define INVENTORY_UNREADABLE_KEPT 1000

struct inventory_row { struct key_ref ref; uint64_t files, bytes; };
struct inventory_open { uint8_t file_id[UUID_LEN]; uint64_t size; };

struct inventory {
	struct inventory_row *rows;
	size_t count, room;
	uint64_t files, bytes;		/* all content files */
	uint64_t empty;			/* of these: never stored, under no key yet */
	uint64_t unreadable;
	char *unreadable_paths[INVENTORY_UNREADABLE_KEPT];	/* cipher paths */
	size_t unreadable_kept;
	struct inventory_open *open;	/* files whose size memory knows better: by id */
	size_t open_count, open_room;
};

/* Without a key: the tree below `dir_fd`, whose cipher path is `path`; or one file of it (`name` not NULL). */
enum err inventory_take(int dir_fd, const char *path, const char *name, struct inventory *out);
/* In an open bucket: what is open is stored first, so that its headers are seen. */
enum err inventory_take_open(struct bucket *b, const struct location *at, struct inventory *out);
void inventory_release(struct inventory *i);

struct inventory_view {
	struct keymgr *keymgr;		/* NULL: no aliases, ordinals and states */
	struct bucket *bucket;		/* NULL: cipher paths */
	const uint8_t *key_id;		/* only rows of this CMK */
	int not_current;		/* only rows whose material is not its CMK's current one */
};
/* {"BucketId", "Keys": [{"KeyId", …, "Files", "Bytes"}], "Files", "Bytes", "EmptyFiles", "UnreadableFiles", "Unreadable": [path]}; NULL without memory. */
json_t *inventory_json(const struct inventory *i, const uint8_t bucket_id[static UUID_LEN], const struct inventory_view *view);

#endif
