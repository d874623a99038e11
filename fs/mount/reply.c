#include "fs/mount/operations.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "base/log.h"

/* The one place where an error becomes what the caller of a system call sees. */
void reply_result(fuse_req_t req, enum err e)
{
	int number = err_to_errno(e);

	/* To the kernel ENOSYS would mean "never ask again". */
	if (number == ENOSYS)
		number = EIO;
	/* The sentence may hold a plaintext name; the fixed text does not. */
	if (e == ERR_INTERNAL || e == ERR_NO_MEMORY)
		log_error("a request failed: %s", err_text(e));
	fuse_reply_err(req, number);
}

void fill_entry(const struct mount *m, struct node *n, const struct stat *st, struct fuse_entry_param *out)
{
	*out = (struct fuse_entry_param){
		.ino = id_of(m, n),
		.attr = *st,
		.attr_timeout = m->timeout,
		.entry_timeout = m->timeout,
	};
}

void reply_entry(fuse_req_t req, struct node *n, const struct stat *st)
{
	struct mount *m = request_mount(req);
	struct fuse_entry_param entry;

	fill_entry(m, n, st, &entry);
	if (fuse_reply_entry(req, &entry) != 0)
		tree_forget(m->tree, n, 1);
}

static pthread_key_t buffer_key;
static pthread_once_t buffer_once = PTHREAD_ONCE_INIT;

static void free_buffer(void *buffer)
{
	munmap(buffer, MOUNT_REPLY_MAX);
}

static void make_key(void)
{
	if (pthread_key_create(&buffer_key, free_buffer) != 0)
		abort();
}

char *reply_buffer(void)
{
	void *buffer;

	pthread_once(&buffer_once, make_key);
	buffer = pthread_getspecific(buffer_key);
	if (buffer)
		return buffer;
	buffer = mmap(NULL, MOUNT_REPLY_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED)
		return NULL;
	madvise(buffer, MOUNT_REPLY_MAX, MADV_DONTDUMP);
	madvise(buffer, MOUNT_REPLY_MAX, MADV_HUGEPAGE);
	if (pthread_setspecific(buffer_key, buffer) != 0) {
		munmap(buffer, MOUNT_REPLY_MAX);
		return NULL;
	}
	return buffer;
}
