#include "fs/mount/init_bits.h"

#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if FUSE_VERSION < 313
#error "libfuse 3.13 or later is needed (fuse_session_custom_io)"
#endif

#if FUSE_VERSION < 317
#define SET_BITS (FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2)
#else
#define SET_BITS 0u		/* libfuse negotiates them */
#endif

/* There is one INIT a process, and its reply is sent by the thread that read it. */
static struct {
	uint64_t unique;
	uint32_t offered;
	atomic_int pending;
} init;

static _Thread_local int kills_privileges;

struct request {
	struct fuse_in_header header;
	union {
		struct fuse_init_in init;
		struct fuse_open_in open;
		struct fuse_create_in create;
		struct fuse_write_in write;
	} body;
};

static int kill_flag(const struct request *r)
{
	switch (r->header.opcode) {
	case FUSE_OPEN:
		return (r->body.open.open_flags & FUSE_OPEN_KILL_SUIDGID) != 0;
	case FUSE_CREATE:
		return (r->body.create.open_flags & FUSE_OPEN_KILL_SUIDGID) != 0;
	case FUSE_WRITE:
		return (r->body.write.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
	default:
		return 0;
	}
}

static void look_at(struct mount *m, const void *bytes, size_t len)
{
	struct request r = { .header.opcode = 0 };
	struct timespec now;

	if (len < sizeof(r.header))
		return;
	memcpy(&r, bytes, len < sizeof(r) ? len : sizeof(r));
	kills_privileges = kill_flag(&r);
	if (r.header.opcode < MOUNT_OPERATIONS)
		atomic_fetch_add_explicit(&m->requests[r.header.opcode], 1, memory_order_relaxed);
	if (r.header.opcode == FUSE_INIT) {
		init.unique = r.header.unique;
		init.offered = r.body.init.flags;
		atomic_store(&init.pending, 1);
	} else if (r.header.opcode != FUSE_FORGET && r.header.opcode != FUSE_BATCH_FORGET) {
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
		atomic_store_explicit(&m->last_request, now.tv_sec, memory_order_relaxed);
	}
}

static ssize_t read_request(int fd, void *bytes, size_t len, void *userdata)
{
	ssize_t got = read(fd, bytes, len);

	if (got > 0)
		look_at(userdata, bytes, (size_t)got);
	return got;
}

static void complete_init(struct iovec *iov, int count)
{
	const struct fuse_out_header *header = iov[0].iov_base;
	struct fuse_init_out *out;

	if (count != 2 || iov[0].iov_len != sizeof(*header) || header->unique != init.unique ||
	    header->error != 0 || iov[1].iov_len < FUSE_COMPAT_22_INIT_OUT_SIZE)
		return;
	out = iov[1].iov_base;
	out->flags |= init.offered & SET_BITS;
	atomic_store(&init.pending, 0);
}

static ssize_t write_reply(int fd, struct iovec *iov, int count, void *userdata)
{
	if (atomic_load_explicit(&init.pending, memory_order_relaxed))
		complete_init(iov, count);
	return writev(fd, iov, count);
}

enum err init_bits_install(struct mount *m)
{
	static const struct fuse_custom_io io = { .read = read_request, .writev = write_reply };
	int result = fuse_session_custom_io(m->fuse, &io, fuse_session_fd(m->fuse));

	if (result != 0) {
		errno = -result;
		return err_set_errno("cannot take over the requests of the FUSE session");
	}
	return ERR_OK;
}

int request_kills_privileges(void)
{
	return kills_privileges;
}

const char *mount_operation_name(unsigned code)
{
	static const char *const names[MOUNT_OPERATIONS] = {
		[FUSE_LOOKUP] = "LOOKUP", [FUSE_FORGET] = "FORGET", [FUSE_GETATTR] = "GETATTR", [FUSE_SETATTR] = "SETATTR",
		[FUSE_READLINK] = "READLINK", [FUSE_SYMLINK] = "SYMLINK", [FUSE_MKNOD] = "MKNOD", [FUSE_MKDIR] = "MKDIR",
		[FUSE_UNLINK] = "UNLINK", [FUSE_RMDIR] = "RMDIR", [FUSE_RENAME] = "RENAME", [FUSE_LINK] = "LINK",
		[FUSE_OPEN] = "OPEN", [FUSE_READ] = "READ", [FUSE_WRITE] = "WRITE", [FUSE_STATFS] = "STATFS",
		[FUSE_RELEASE] = "RELEASE", [FUSE_FSYNC] = "FSYNC", [FUSE_SETXATTR] = "SETXATTR", [FUSE_GETXATTR] = "GETXATTR",
		[FUSE_LISTXATTR] = "LISTXATTR", [FUSE_REMOVEXATTR] = "REMOVEXATTR", [FUSE_FLUSH] = "FLUSH", [FUSE_INIT] = "INIT",
		[FUSE_OPENDIR] = "OPENDIR", [FUSE_READDIR] = "READDIR", [FUSE_RELEASEDIR] = "RELEASEDIR",
		[FUSE_FSYNCDIR] = "FSYNCDIR", [FUSE_ACCESS] = "ACCESS", [FUSE_CREATE] = "CREATE", [FUSE_INTERRUPT] = "INTERRUPT",
		[FUSE_DESTROY] = "DESTROY", [FUSE_IOCTL] = "IOCTL", [FUSE_POLL] = "POLL", [FUSE_BATCH_FORGET] = "BATCH_FORGET",
		[FUSE_FALLOCATE] = "FALLOCATE", [FUSE_READDIRPLUS] = "READDIRPLUS", [FUSE_RENAME2] = "RENAME2",
		[FUSE_LSEEK] = "LSEEK", [FUSE_COPY_FILE_RANGE] = "COPY_FILE_RANGE", [FUSE_SYNCFS] = "SYNCFS",
	};

	return code < MOUNT_OPERATIONS ? names[code] : NULL;
}
