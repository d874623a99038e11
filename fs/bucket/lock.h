/* rekeyfs.lock: an open-file-description lock of the one writer.  The file's text tells others who that is. */
#ifndef REKEYFS_FS_BUCKET_LOCK_H
#define REKEYFS_FS_BUCKET_LOCK_H

#include <stdint.h>
#include "base/error.h"

#define LOCK_NAME "rekeyfs.lock"

/* ERR_BUSY with a sentence that says who holds it.  Closing *fd_out unlocks. */
enum err lock_take(int root_fd, const char *path, int *fd_out);
/* "pid 12 on host", then ", " and `note` where that is not NULL. */
enum err lock_write_note(int lock_fd, const char *note);
/* The lower filesystem's clock in seconds: what it gives a file that is touched now. */
enum err lock_clock(int lock_fd, int64_t *out);

#endif
