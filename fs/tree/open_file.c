#include "fs/tree/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file_io.h"
#include "fs/names/symlink.h"

struct open_file {
	struct node *node;
	struct content *content;
};

/* --- lists of open contents, with their lock held ------------------------------------------- */

static void take_out(struct tree *t, struct node *n)
{
	struct node **first = n->file.lingering ? &t->newest : &t->busy;

	if (n->file.newer)
		n->file.newer->file.older = n->file.older;
	else
		*first = n->file.older;
	if (n->file.older)
		n->file.older->file.newer = n->file.newer;
	else if (n->file.lingering)
		t->oldest = n->file.newer;
	t->lingering -= n->file.lingering;
	n->file.newer = n->file.older = NULL;
	n->file.lingering = 0;
}

static void put_first(struct tree *t, struct node *n, int lingering)
{
	struct node **first = lingering ? &t->newest : &t->busy;

	n->file.lingering = lingering;
	n->file.newer = NULL;
	n->file.older = *first;
	if (*first)
		(*first)->file.newer = n;
	else if (lingering)
		t->oldest = n;
	*first = n;
	t->lingering += lingering;
}

static void move_to(struct tree *t, struct node *n, int lingering)
{
	pthread_mutex_lock(&t->opened);
	take_out(t, n);
	put_first(t, n, lingering);
	pthread_mutex_unlock(&t->opened);
}

enum err file_each_open(struct tree *t, struct node ***out, size_t *count_out)
{
	struct node **all;
	size_t count = 0;

	pthread_mutex_lock(&t->opened);
	for (struct node *n = t->busy; n; n = n->file.older)
		count++;
	all = calloc(count + t->lingering + 1, sizeof(*all));
	count = 0;
	for (struct node *n = t->busy; n && all; n = n->file.older)
		all[count++] = n;
	for (struct node *n = t->newest; n && all; n = n->file.older)
		all[count++] = n;
	for (size_t i = 0; i < count; i++)
		node_ref(t, all[i]);
	pthread_mutex_unlock(&t->opened);
	*out = all;
	*count_out = count;
	return all ? ERR_OK : ERR_NO_MEMORY;
}

/* --- closing ------------------------------------------------------------------------------------ */

void file_close_locked(struct tree *t, struct node *n)
{
	struct content *c = n->file.content;

	pthread_mutex_lock(&t->opened);
	take_out(t, n);
	pthread_mutex_unlock(&t->opened);
	/* A checkpoint may hold the content a little longer than we do: it finds nothing left to store, for somebody may have opened the file anew by then. */
	if (!n->dead) {
		if (content_must_stay(c))
			content_sync(c, 0);
		else
			content_settle(c);
	}
	content_free(c);
	n->file.content = NULL;
	n->file.fd = -1;
	n->file.read_only = n->file.locked = n->file.wrote = 0;
}

/* Lingering nodes, oldest first, that could be closed: those that cost a sync last.  `opened` is held. */
static struct node *next_victim(struct tree *t, int must_stay)
{
	struct node *n = t->oldest;

	while (n && (n->file.must_stay != (unsigned)must_stay || pthread_mutex_trylock(&n->lock) != 0))
		n = n->file.newer;
	return n;
}

void file_close_lingering(struct tree *t, unsigned keep)
{
	struct node *n;

	for (;;) {
		pthread_mutex_lock(&t->opened);
		n = NULL;
		if (t->lingering > keep) {
			n = next_victim(t, 0);
			if (!n)
				n = next_victim(t, 1);
		}
		if (n)
			node_ref(t, n);
		pthread_mutex_unlock(&t->opened);
		if (!n)
			return;
		/* Whoever takes it out of the list holds its lock, which is ours now. */
		file_close_locked(t, n);
		pthread_mutex_unlock(&n->lock);
		node_unref(t, n);	/* ours */
		node_unref(t, n);	/* the content's */
	}
}

void file_discard(struct tree *t, struct node *n)
{
	int closed;

	pthread_mutex_lock(&n->lock);
	closed = n->file.content && n->file.users == 0;
	if (closed)
		file_close_locked(t, n);
	pthread_mutex_unlock(&n->lock);
	if (closed)
		node_unref(t, n);
}

/* --- opening: the node's lock is held ------------------------------------------------------------ */

static enum err open_against_mode(struct tree *t, struct node *n, int flags, int *fd_out, struct stat *st)
{
	struct place *p = node_place(t, n);
	enum err e;
	int dir_fd;

	if (!p)
		return ERR_ERRNO + EACCES;
	e = dir_pin(t, p->parent, &dir_fd);
	if (e != ERR_OK)
		return e;
	e = lower_open_lent(t, dir_fd, p->lower, flags, fd_out);
	dir_unpin(t, p->parent);
	if (e != ERR_OK)
		return e;
	if (fstat(*fd_out, st) != 0 || st->st_ino != n->ino || st->st_dev != n->dev) {
		close(*fd_out);
		return ERR_ERRNO + ESTALE;
	}
	return ERR_OK;
}

static enum err open_lower(struct tree *t, struct node *n, int write, int *fd_out, int *read_only_out)
{
	int only_read = t->b->mode == BUCKET_READ_ONLY;
	struct stat st;
	enum err e = ERR_ERRNO + EROFS;

	if (!only_read)
		e = reach_open(t, n, O_RDWR, fd_out, &st);
	if (e == ERR_ERRNO + EACCES && write)
		e = open_against_mode(t, n, O_RDWR, fd_out, &st);
	if (!write && (e == ERR_ERRNO + EACCES || e == ERR_ERRNO + EROFS || e == ERR_ERRNO + EPERM)) {
		only_read = 1;
		e = reach_open(t, n, O_RDONLY, fd_out, &st);
		if (e == ERR_ERRNO + EACCES)
			e = open_against_mode(t, n, O_RDONLY, fd_out, &st);
	}
	if (e == ERR_OK && symlink_is_file(&st)) {
		close(*fd_out);
		e = ERR_ERRNO + ELOOP;
	}
	*read_only_out = only_read;
	return e;
}

/* The key of the policy that governs the node. */
static enum err governing_key(struct tree *t, struct node *n, uint8_t key[static KEY_ID_LEN])
{
	struct place *p = node_place(t, n);

	return policy_key_of(t, p ? p->parent : t->root, key);
}

/* A file that never got a tag page, or whose content is to be thrown away. */
static enum err open_empty(struct tree *t, struct node *n, int read_only, struct content **out)
{
	uint8_t key[KEY_ID_LEN];
	enum err e = governing_key(t, n, key);
	int fd = -1, ignored;

	if (e != ERR_OK)
		return e;
	if (read_only) {	/* nothing is ever written: any empty file will do */
		fd = memfd_create("empty", MFD_CLOEXEC);
		e = fd < 0 ? err_errno() : ERR_OK;
	} else {
		e = open_lower(t, n, 1, &fd, &ignored);
		if (e == ERR_OK)
			e = file_truncate(fd, 0);
	}
	if (e != ERR_OK) {
		if (fd >= 0)
			close(fd);
		return e;
	}
	n->file.fd = fd;
	return content_new(t->b, fd, key, out);
}

static int is_key_error(enum err e)
{
	return e == ERR_NO_KEY || e == ERR_KEY_DESTROYED;
}

static enum err open_content(struct tree *t, struct node *n, unsigned how, struct content **out)
{
	uint8_t key[KEY_ID_LEN];
	int fd, read_only;
	enum err e = open_lower(t, n, how & FILE_WRITE, &fd, &read_only);

	if (e != ERR_OK)
		return e;
	n->file.fd = fd;
	n->file.read_only = read_only;
	e = content_open(t->b, fd, read_only, NULL, out);
	/* Pending deletion: it is brought under the policy's key, if that is another one. */
	if (e == ERR_NO_KEY && !read_only && governing_key(t, n, key) == ERR_OK) {
		e = open_lower(t, n, how & FILE_WRITE, &fd, &read_only);
		if (e != ERR_OK)
			return e;
		n->file.fd = fd;
		e = content_open(t->b, fd, read_only, key, out);
	}
	if (e == ERR_NOT_FOUND || (e != ERR_OK && is_key_error(e) && how & FILE_TRUNCATE))
		e = open_empty(t, n, read_only, out);
	return e;
}

/* One that was opened for reading alone is wanted for writing. */
static enum err make_writable(struct tree *t, struct node *n)
{
	int fd, ignored;
	enum err e = open_lower(t, n, 1, &fd, &ignored);

	if (e != ERR_OK)
		return e;
	e = content_make_writable(n->file.content, fd);
	if (e == ERR_OK)
		n->file.read_only = 0;
	return e;
}

/* After the attempt to open the node's content. */
static void install(struct tree *t, struct node *n, int fd, enum err e)
{
	if (e != ERR_OK) {
		n->file.content = NULL;
		n->file.fd = -1;
		return;
	}
	n->file.fd = fd;
	node_ref(t, n);
	pthread_mutex_lock(&t->opened);
	n->file.must_stay = 0;
	put_first(t, n, 0);
	pthread_mutex_unlock(&t->opened);
}

static enum err ready(struct tree *t, struct node *n, unsigned how)
{
	enum err e = ERR_OK;

	if (!n->file.content) {
		e = open_content(t, n, how, &n->file.content);
		install(t, n, n->file.fd, e);
		return e;
	}
	if (n->file.locked) {
		e = content_unlock(n->file.content);
		n->file.locked = e != ERR_OK;
	}
	if (e == ERR_OK && how & FILE_WRITE && n->file.read_only)
		e = make_writable(t, n);
	return e;
}

static enum err acquire(struct tree *t, struct node *n, unsigned how, struct content **out)
{
	enum err e;

	pthread_mutex_lock(&n->lock);
	e = ready(t, n, how);
	if (e == ERR_OK) {
		if (n->file.lingering)
			move_to(t, n, 0);
		n->file.users++;
		n->file.wrote |= (how & FILE_WRITE) != 0;
		*out = n->file.content;
	}
	pthread_mutex_unlock(&n->lock);
	return e;
}

enum err file_acquire(struct tree *t, struct node *n, unsigned how, struct content **out)
{
	enum err e;

	if (!node_is_file(n))
		return S_ISDIR(n->mode) ? (enum err)(ERR_ERRNO + EISDIR) : S_ISLNK(n->mode) ? (enum err)(ERR_ERRNO + ELOOP) : ERR_INVALID;
	if (t->locked)
		return err_set(ERR_NO_KEY, "the mount is locked");
	e = acquire(t, n, how, out);
	if (e == ERR_NOT_AUTHENTIC) {
		making_wait(t);
		e = acquire(t, n, how, out);
	}
	return e;
}

struct content *file_acquire_open(struct tree *t, struct node *n)
{
	struct content *c = NULL;

	if (!node_is_file(n))
		return NULL;
	pthread_mutex_lock(&n->lock);
	if (n->file.content) {
		if (n->file.lingering)
			move_to(t, n, 0);
		n->file.users++;
		c = n->file.content;
	}
	pthread_mutex_unlock(&n->lock);
	return c;
}

enum err file_adopt(struct tree *t, struct node *n, int fd, int read_only, const uint8_t *key_id, const uint8_t *migrate_to, struct content **out)
{
	enum err e = ERR_OK;

	if (t->locked) {
		close(fd);
		return err_set(ERR_NO_KEY, "the mount is locked");
	}
	pthread_mutex_lock(&n->lock);
	if (n->file.content) {		/* somebody was faster, and found it empty */
		close(fd);
		if (n->file.lingering)
			move_to(t, n, 0);
	} else {
		n->file.read_only = read_only;
		e = key_id ? content_new(t->b, fd, key_id, &n->file.content) : content_open(t->b, fd, read_only, migrate_to, &n->file.content);
		install(t, n, fd, e);
	}
	if (e == ERR_OK) {
		n->file.users++;
		n->file.wrote = !read_only;
		*out = n->file.content;
	}
	pthread_mutex_unlock(&n->lock);
	return e;
}

static int is_full(enum err e)
{
	return e == ERR_ERRNO + ENOSPC || e == ERR_ERRNO + EDQUOT;
}

enum err file_release(struct tree *t, struct node *n)
{
	enum err e = ERR_OK;
	int closed = 0;

	pthread_mutex_lock(&n->lock);
	if (--n->file.users == 0) {
		if (n->file.wrote && !n->dead)
			e = content_flush(n->file.content);
		n->file.wrote = 0;
		/* One that failed is opened anew by whoever comes next; for want of room it stays, and is stored when there is some. */
		closed = n->dead || n->file.locked || (e != ERR_OK && !is_full(e));
		if (closed) {
			file_close_locked(t, n);
		} else {
			unsigned stay = is_full(e) || content_must_stay(n->file.content);

			pthread_mutex_lock(&t->opened);
			n->file.must_stay = stay;
			take_out(t, n);
			put_first(t, n, 1);
			pthread_mutex_unlock(&t->opened);
		}
	}
	pthread_mutex_unlock(&n->lock);
	if (closed)
		node_unref(t, n);
	file_close_lingering(t, TREE_LINGER);
	return e;
}

/* --- handles ---------------------------------------------------------------------------------------- */

static enum err new_handle(struct tree *t, struct node *n, struct open_file **out)
{
	struct open_file *f = calloc(1, sizeof(*f));

	*out = f;
	if (!f)
		return ERR_NO_MEMORY;
	f->node = n;
	node_ref(t, n);
	t->handles++;
	return ERR_OK;
}

static void free_handle(struct tree *t, struct open_file *f)
{
	if (!f)
		return;
	t->handles--;
	node_unref(t, f->node);
	free(f);
}

enum err open_file_start(struct tree *t, struct node *n, int fd, const uint8_t key_id[static KEY_ID_LEN], struct open_file **out)
{
	enum err e = new_handle(t, n, out);

	if (e != ERR_OK) {
		close(fd);
		return e;
	}
	e = file_adopt(t, n, fd, 0, key_id, NULL, &(*out)->content);
	if (e != ERR_OK) {
		free_handle(t, *out);
		*out = NULL;
	}
	return e;
}

/* `names` is held. */
static enum err open_node(struct tree *t, struct node *n, int flags, struct open_file *f)
{
	unsigned how = (flags & O_ACCMODE) == O_RDONLY ? FILE_READ : FILE_WRITE;
	uint8_t key[KEY_ID_LEN];
	enum err e;

	if (flags & O_TRUNC)
		how = FILE_WRITE | FILE_TRUNCATE;
	if (how & FILE_WRITE) {
		e = tree_may_change(t);
		if (e != ERR_OK)
			return e;
	}
	if (flags & O_TRUNC) {
		e = governing_key(t, n, key);
		if (e != ERR_OK)
			return e;
	}
	e = file_acquire(t, n, how, &f->content);
	if (e != ERR_OK)
		return e;
	if (flags & O_TRUNC)
		e = content_truncate(f->content, 0, key);
	else
		e = policy_check_open(t, n, f->content);
	if (e != ERR_OK)
		file_release(t, n);
	return e;
}

enum err tree_open(struct tree *t, struct node *n, int flags, const struct caller *who, struct open_file **out)
{
	enum err e = new_handle(t, n, out);

	if (e != ERR_OK)
		return e;
	names_share(t);
	e = open_node(t, n, flags, *out);
	names_release(t);
	if (e != ERR_OK) {
		free_handle(t, *out);
		*out = NULL;
	}
	return e;
}

struct content *open_file_content(struct open_file *f)
{
	return f->content;
}

struct node *open_file_node(struct open_file *f)
{
	return f->node;
}

enum err tree_flush(struct tree *t, struct open_file *f)
{
	return content_flush(f->content);
}

enum err tree_release(struct tree *t, struct open_file *f)
{
	enum err e = file_release(t, f->node);

	free_handle(t, f);
	return e;
}

unsigned tree_open_files(struct tree *t)
{
	return t->handles;
}
