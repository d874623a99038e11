/*
 * How many handles could write to a node: where there are any, the kernel may hold pages of it that the mount has not seen yet.
 * Any thread.
 */
#ifndef REKEYFS_FS_MOUNT_WRITERS_H
#define REKEYFS_FS_MOUNT_WRITERS_H

#include "base/error.h"

struct node;
struct writers;

enum err writers_new(struct writers **out);
void writers_free(struct writers *w);
enum err writers_add(struct writers *w, const struct node *n);
void writers_remove(struct writers *w, const struct node *n);
int writers_any(struct writers *w, const struct node *n);

#endif
