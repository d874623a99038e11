/*
 * powerdisk: a disk that remembers everything it was told.
 *
 *   powerdisk [fuse options] IMAGE LOG MOUNTPOINT
 *
 * MOUNTPOINT/disk.img  the bytes of IMAGE; put a loop device on it.
 * MOUNTPOINT/notes     what is written here goes into the log as well, so that
 *                      a workload's promises have a place among the writes.
 *
 * LOG gets one record for each request, in the order of arrival (the session
 * is single-threaded, so that order is the whole truth):
 *
 *   u32 kind, u32 zero, u64 offset, u64 length, then the bytes (W and N only)
 *
 *   W write   Z zeroed range   F flush (fsync)   N note      little-endian
 */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ROOT = FUSE_ROOT_ID, DISK, NOTES };

static const char *const names[] = { [ROOT] = ".", [DISK] = "disk.img", [NOTES] = "notes" };
static int disk, logfd;

struct record {
	uint32_t kind, zero;
	uint64_t off, len;
};

static void record(char kind, uint64_t off, uint64_t len, const void *data)
{
	struct record r = { (uint32_t)kind, 0, off, len };
	struct iovec v[] = { { &r, sizeof r }, { (void *)data, data ? len : 0 } };
	ssize_t want = (ssize_t)(v[0].iov_len + v[1].iov_len);

	if (writev(logfd, v, 2) != want) {
		perror("powerdisk: log");	/* a log with a hole is worse than none */
		abort();
	}
}

static int attributes(fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof *st);
	st->st_ino = ino;
	st->st_nlink = ino == ROOT ? 2 : 1;
	st->st_mode = ino == ROOT ? S_IFDIR | 0755 : ino == DISK ? S_IFREG | 0600 : S_IFREG | 0622;
	if (ino == DISK) {
		struct stat b;
		if (fstat(disk, &b))
			return errno;
		st->st_size = b.st_size;
		st->st_blocks = b.st_blocks;
	}
	return 0;
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .attr_timeout = 1, .entry_timeout = 1 };

	(void)parent;
	for (e.ino = DISK; e.ino <= NOTES; e.ino++)
		if (!strcmp(name, names[e.ino]) && !attributes(e.ino, &e.attr)) {
			fuse_reply_entry(req, &e);
			return;
		}
	fuse_reply_err(req, ENOENT);
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	int err = attributes(ino, &st);

	(void)fi;
	if (err)
		fuse_reply_err(req, err);
	else
		fuse_reply_attr(req, &st, 1);
}

/* Accepts what open(O_TRUNC) and the loop driver ask for; nothing changes. */
static void do_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int set, struct fuse_file_info *fi)
{
	(void)st, (void)set;
	do_getattr(req, ino, fi);
}

static void do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	char buf[512];
	size_t used = 0;

	(void)ino, (void)fi;
	for (fuse_ino_t i = ROOT + (fuse_ino_t)off; i <= NOTES; i++) {
		struct stat st;
		attributes(i, &st);
		size_t n = fuse_add_direntry(req, buf + used, sizeof buf - used, names[i], &st, (off_t)i);
		if (used + n > size || n > sizeof buf - used)
			break;
		used += n;
	}
	fuse_reply_buf(req, buf, used);
}

static void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fi->direct_io = ino == NOTES;	/* loop asks for direct I/O on the disk itself */
	fuse_reply_open(req, fi);
}

static void do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct fuse_bufvec b = FUSE_BUFVEC_INIT(ino == DISK ? size : 0);

	(void)fi;
	b.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	b.buf[0].fd = disk;
	b.buf[0].pos = off;
	fuse_reply_data(req, &b, 0);
}

static void do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	if (ino == DISK && pwrite(disk, buf, size, off) != (ssize_t)size) {
		fuse_reply_err(req, EIO);
		return;
	}
	record(ino == DISK ? 'W' : 'N', (uint64_t)off, size, buf);
	fuse_reply_write(req, size);
}

static void do_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi)
{
	(void)fi;
	if (ino != DISK || !(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
		fuse_reply_err(req, EOPNOTSUPP);
	else if (fallocate(disk, mode, off, len))
		fuse_reply_err(req, errno);
	else {
		record('Z', (uint64_t)off, (uint64_t)len, NULL);
		fuse_reply_err(req, 0);
	}
}

static void do_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)datasync, (void)fi;
	if (ino == DISK)
		record('F', 0, 0, NULL);
	fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = do_lookup, .getattr = do_getattr, .setattr = do_setattr, .readdir = do_readdir,
	.open = do_open, .read = do_read, .write = do_write, .fallocate = do_fallocate, .fsync = do_fsync,
};

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: powerdisk [fuse options] IMAGE LOG MOUNTPOINT\n");
		return 2;
	}
	const char *image = argv[argc - 3], *log = argv[argc - 2];
	argv[argc - 3] = argv[argc - 1];
	argv[argc -= 2] = NULL;

	disk = open(image, O_RDWR);
	logfd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (disk < 0 || logfd < 0) {
		perror("powerdisk");
		return 1;
	}

	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts;
	int rc = 1;
	if (fuse_parse_cmdline(&args, &opts) || !opts.mountpoint)
		return 2;
	struct fuse_session *s = fuse_session_new(&args, &ops, sizeof ops, NULL);
	if (s && !fuse_set_signal_handlers(s) && !fuse_session_mount(s, opts.mountpoint)) {
		fuse_daemonize(opts.foreground);
		rc = fuse_session_loop(s) ? 1 : 0;
		fuse_session_unmount(s);
	}
	if (s)
		fuse_session_destroy(s);
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	return rc;
}
