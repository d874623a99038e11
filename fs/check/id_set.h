/* A set of 16-byte ids (file ids, device and inode): which ones were seen before.  Not for several threads. */
#ifndef REKEYFS_FS_CHECK_ID_SET_H
#define REKEYFS_FS_CHECK_ID_SET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/error.h"

#define ID_SET_LEN 16

struct id_set { uint8_t (*ids)[ID_SET_LEN]; uint8_t *used; size_t room, count; };

void id_set_release(struct id_set *s);		/* a zeroed struct is an empty set */
/* `seen_out` 1 where it was in already. */
enum err id_set_add(struct id_set *s, const uint8_t id[static ID_SET_LEN], int *seen_out);
enum err id_set_add_inode(struct id_set *s, const struct stat *st, int *seen_out);
int id_set_has(const struct id_set *s, const uint8_t id[static ID_SET_LEN]);

#endif
