#include "fs/mount/operations.h"

#include <linux/falloc.h>
#include <unistd.h>
#include <stdlib.h>
#include "base/log.h"
#include "fs/mount/init_bits.h"
#include "fs/mount/seek.h"
#include "fs/mount/writers.h"

/* The writeback cache reads before it writes part of a page, and places what is appended by itself. */
static int open_flags(const struct mount *m, int flags)
{
	flags &= ~(O_APPEND | O_CREAT | O_EXCL | O_NOCTTY);
	if (!m->options->read_only && (flags & O_ACCMODE) == O_WRONLY)
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	return flags;
}

static enum err new_handle(struct mount *m, int flags, struct handle **out)
{
	struct handle *h = calloc(1, sizeof(*h));

	*out = h;
	if (!h)
		return ERR_NO_MEMORY;
	h->writable = (flags & O_ACCMODE) != O_RDONLY;
	return ERR_OK;
}

static enum err count_writer(struct mount *m, struct handle *h)
{
	return h->writable ? writers_add(m->writers, h->node) : ERR_OK;
}

static enum err close_handle(struct mount *m, struct handle *h)
{
	enum err e = tree_release(m->tree, h->file);

	if (h->writable)
		writers_remove(m->writers, h->node);
	free(h);
	return e;
}

static void show_handle(struct fuse_file_info *fi, struct handle *h)
{
	fi->fh = (uint64_t)(uintptr_t)h;
	fi->keep_cache = 1;
}

void operation_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = request_mount(req);
	struct caller who = request_caller(req);
	int flags = open_flags(m, fi->flags), kill = request_kills_privileges();
	struct handle *h;
	enum err e = new_handle(m, flags, &h);

	if (e != ERR_OK)
		goto out;
	h->node = node_of(m, ino);
	atomic_init(&h->may_have_capability, h->writable);
	if (flags & O_TRUNC)
		mount_changed(m);
	e = tree_open(m->tree, h->node, flags, &who, &h->file);
	if (e != ERR_OK)
		goto out;
	e = count_writer(m, h);
	if (e != ERR_OK) {
		tree_release(m->tree, h->file);
		goto out;
	}
	if (kill)
		drop_set_id_bits(m, h->node);
	show_handle(fi, h);
	if (fuse_reply_open(req, fi) != 0)
		close_handle(m, h);
	return;
out:
	free(h);
	reply_result(req, e);
}

void operation_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct mount *m = request_mount(req);
	struct caller who = request_caller(req);
	int flags = open_flags(m, fi->flags);
	struct fuse_entry_param entry;
	struct handle *h;
	struct stat st;
	enum err e = new_handle(m, flags, &h);

	if (e != ERR_OK)
		goto out;
	mount_changed(m);
	e = tree_create(m->tree, node_of(m, parent), name, mode, flags, &who, &h->node, &st, &h->file);
	if (e != ERR_OK)
		goto out;
	e = count_writer(m, h);
	if (e != ERR_OK) {
		tree_release(m->tree, h->file);
		tree_forget(m->tree, h->node, 1);
		goto out;
	}
	show_handle(fi, h);
	fill_entry(m, h->node, &st, &entry);
	if (fuse_reply_create(req, &entry, fi) != 0) {
		struct node *n = h->node;

		close_handle(m, h);
		tree_forget(m->tree, n, 1);
	}
	return;
out:
	free(h);
	reply_result(req, e);
}

void operation_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	char *buffer = reply_buffer();
	size_t got = 0;
	enum err e = buffer ? ERR_OK : ERR_NO_MEMORY;

	if (size > MOUNT_REPLY_MAX)
		size = MOUNT_REPLY_MAX;
	if (e == ERR_OK)
		e = content_read(open_file_content(handle_of(fi)->file), buffer, size, (uint64_t)offset, &got);
	if (e != ERR_OK)
		reply_result(req, e);
	else
		fuse_reply_buf(req, buffer, got);
}

/* What a write takes away besides the bits that the kernel names: file capabilities.  Once a handle: whoever sets them again while it is
 * open loses them when the lower file is written. */
static void drop_capability(struct mount *m, struct handle *h)
{
	if (atomic_load_explicit(&h->may_have_capability, memory_order_relaxed) &&
	    atomic_exchange(&h->may_have_capability, 0))
		tree_removexattr(m->tree, h->node, "security.capability");
}

void operation_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct mount *m = request_mount(req);
	struct handle *h = handle_of(fi);
	enum err e;

	mount_changed(m);
	drop_capability(m, h);
	e = content_write(open_file_content(h->file), bytes, size, (uint64_t)offset);
	if (e == ERR_OK && request_kills_privileges())
		drop_set_id_bits(m, h->node);
	if (e != ERR_OK)
		reply_result(req, e);
	else
		fuse_reply_write(req, size);
}

void operation_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = request_mount(req);
	struct stat st = { .st_ino = 0 };
	enum err e = close_handle(m, handle_of(fi));

	/* Nobody is left to hear of it: close(2) has returned. */
	if (e != ERR_OK) {
		tree_getattr(m->tree, node_of(m, ino), &st);
		log_error("the last bytes written to the file with inode %llu could not be stored: %s",
			  (unsigned long long)st.st_ino, err_text(e));
	}
	reply_result(req, e);
}

void operation_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
	reply_result(req, content_sync(open_file_content(handle_of(fi)->file), !data_only));
}

void operation_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t len, struct fuse_file_info *fi)
{
	struct content *c = open_file_content(handle_of(fi)->file);
	int keep_size = (mode & FALLOC_FL_KEEP_SIZE) != 0;
	enum err e;

	mount_changed(request_mount(req));
	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case 0:
		e = content_allocate(c, (uint64_t)offset, (uint64_t)len, keep_size);
		break;
	case FALLOC_FL_PUNCH_HOLE:
	case FALLOC_FL_ZERO_RANGE:
		e = content_punch(c, (uint64_t)offset, (uint64_t)len, keep_size);
		break;
	default:
		e = ERR_UNSUPPORTED;
	}
	reply_result(req, e);
}

void operation_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
	struct mount *m = request_mount(req);
	struct handle *h = handle_of(fi);
	struct content *c = open_file_content(h->file);

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		reply_result(req, ERR_INVALID);
	else if (writers_any(m->writers, h->node))
		seeker_ask(m->seeker, req, ino, c, offset, whence);
	else
		seek_answer(req, c, offset, whence);
}
