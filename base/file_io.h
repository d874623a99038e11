/*
 * Whole reads and writes, atomic replacement, locks: every call that a bucket's or
 * a keystore's bytes go through.  EINTR and short counts are handled here.
 *
 * A seam for tests: file_io_hook, when set, is asked before each call and may record
 * it, or make it fail with an errno ("the third write fails").
 */
#ifndef REKEYFS_BASE_FILE_IO_H
#define REKEYFS_BASE_FILE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include "base/error.h"

enum file_io_call { FILE_IO_READ, FILE_IO_WRITE, FILE_IO_SYNC, FILE_IO_SYNCFS, FILE_IO_TRUNCATE,
		    FILE_IO_PUNCH, FILE_IO_OPEN, FILE_IO_RENAME };

struct file_io_event {
	enum file_io_call call;
	int fd;
	uint64_t offset;	/* WRITE, READ, PUNCH; TRUNCATE: the new size */
	size_t len;		/* WRITE, READ, PUNCH */
	const struct iovec *iov;	/* WRITE: the bytes; NULL otherwise */
	int iov_count;
};

/* Returns 0 to go on, or an errno to fail with.  Set only while no other thread runs. */
typedef int (*file_io_hook_fn)(void *context, const struct file_io_event *event);
void file_io_set_hook(file_io_hook_fn hook, void *context);

/* Reads up to `len` bytes at `offset`; fewer only at the end of the file. */
enum err file_read(int fd, void *out, size_t len, uint64_t offset, size_t *got_out);
/* Exactly `len` bytes; ERR_TRUNCATED where the file ends before. */
enum err file_read_all(int fd, void *out, size_t len, uint64_t offset);
enum err file_write(int fd, const void *bytes, size_t len, uint64_t offset);
/* All of `count` vectors; they may be changed on return. */
enum err file_write_vector(int fd, struct iovec *iov, int count, uint64_t offset);
enum err file_sync(int fd);		/* fdatasync */
enum err file_sync_full(int fd);	/* fsync */
enum err file_sync_filesystem(int fd);	/* syncfs */
enum err file_truncate(int fd, uint64_t size);
enum err file_punch(int fd, uint64_t offset, uint64_t len);	/* keeps the size */

/* A whole small file (at most `max` bytes) into memory: malloc'd, NUL added behind it.
 * ERR_NOT_FOUND, ERR_LIMIT where it is longer, ERR_BUSY where it grew meanwhile.  In a `dir_fd`
 * other than AT_FDCWD only a regular file will do (a symlink: ELOOP; else ERR_FORMAT); by path a
 * pipe as well. */
enum err file_load(int dir_fd, const char *name, size_t max, uint8_t **out, size_t *len_out);
/* Replace `name` in `dir_fd` (which may be O_PATH or AT_FDCWD) atomically: temporary file
 * (`name`.new), fsync, rename, fsync of the directory.  Mode 0600 & ~umask unless `mode` says otherwise. */
enum err file_replace(int dir_fd, const char *name, const void *bytes, size_t len, mode_t mode);

/* Open-file-description locks on a file that is never renamed.  ERR_BUSY where `wait` is 0
 * and another holds it.  Closing the descriptor unlocks. */
enum err file_lock(int fd, int exclusive, int wait);
enum err file_unlock(int fd);

#endif
