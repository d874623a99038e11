/* Random bytes from getrandom(2), drawn for one request and never kept: a virtual
 * machine restored twice from a snapshot must not repeat them.  Any thread. */
#ifndef REKEYFS_BASE_RANDOM_H
#define REKEYFS_BASE_RANDOM_H

#include <stddef.h>

/* Fills `len` bytes; ends the program where the kernel gives none (it always does). */
void random_bytes(void *out, size_t len);

#endif
