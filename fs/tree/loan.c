#include "fs/tree/node.h"

#include <fcntl.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fs/names/symlink.h"

static struct loan **chain(struct tree *t, const struct content *c)
{
	return &t->loans[((uintptr_t)c >> 6) % LOAN_CHAINS];
}

/* Remember who is behind a content. */
static enum err note_loan(struct tree *t, struct content *c, struct node *n)
{
	struct loan *l;
	enum err e = ERR_OK;

	pthread_mutex_lock(&t->loan_lock);
	for (l = *chain(t, c); l && l->content != c; l = l->next)
		;
	if (!l) {
		l = calloc(1, sizeof(*l));
		if (l) {
			l->content = c;
			l->node = n;
			l->next = *chain(t, c);
			*chain(t, c) = l;
		} else {
			e = ERR_NO_MEMORY;
		}
	}
	if (l)
		l->count++;
	pthread_mutex_unlock(&t->loan_lock);
	return e;
}

static struct node *forget_loan(struct tree *t, struct content *c)
{
	struct node *n = NULL;

	pthread_mutex_lock(&t->loan_lock);
	for (struct loan **at = chain(t, c); *at; at = &(*at)->next)
		if ((*at)->content == c) {
			struct loan *l = *at;

			n = l->node;
			if (--l->count == 0) {
				*at = l->next;
				free(l);
			}
			break;
		}
	pthread_mutex_unlock(&t->loan_lock);
	return n;
}

/* `names` is held; `n` is this file's node, which may have no place yet. */
static enum err open_there(struct tree *t, struct node *n, int dir_fd, const char *lower_name, const struct stat *seen, struct content **out)
{
	int read_only = t->b->mode == BUCKET_READ_ONLY, flags = read_only ? O_RDONLY : O_RDWR;
	uint8_t key[KEY_ID_LEN];
	const uint8_t *migrate_to = policy_key_at(t, dir_fd, key) == ERR_OK ? key : NULL;
	struct stat st;
	enum err e = ERR_OK;
	int fd = openat(dir_fd, lower_name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		e = errno == EACCES ? lower_open_lent(t, dir_fd, lower_name, flags, &fd) : err_errno();
	if (e != ERR_OK)
		return e;
	if (fstat(fd, &st) != 0 || st.st_ino != seen->st_ino || st.st_dev != seen->st_dev || !S_ISREG(st.st_mode)) {
		close(fd);
		return ERR_ERRNO + ESTALE;
	}
	return file_adopt(t, n, fd, read_only, NULL, migrate_to, out);
}

enum err tree_content(struct tree *t, int dir_fd, const char *lower_name, struct content **out)
{
	struct node *n = NULL;
	struct stat st;
	enum err e;

	*out = NULL;
	names_share(t);
	if (fstatat(dir_fd, lower_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		e = err_errno();
		goto out;
	}
	e = S_ISREG(st.st_mode) && !symlink_is_file(&st) ? node_get(t, &st, NULL, NULL, 0, 1, &n) : ERR_UNSUPPORTED;
	if (e != ERR_OK)
		goto out;
	*out = file_acquire_open(t, n);
	if (!*out)
		e = open_there(t, n, dir_fd, lower_name, &st, out);
	if (e == ERR_NOT_AUTHENTIC) {
		making_wait(t);
		e = open_there(t, n, dir_fd, lower_name, &st, out);
	}
	if (e == ERR_NOT_FOUND)		/* empty, and under no key yet */
		e = ERR_UNSUPPORTED;
	if (e == ERR_OK && note_loan(t, *out, n) != ERR_OK) {
		file_release(t, n);
		e = ERR_NO_MEMORY;
	}
	if (e != ERR_OK)
		*out = NULL;
out:
	names_release(t);
	if (e != ERR_OK)
		node_unref(t, n);
	return e;
}

void tree_content_done(struct tree *t, struct content *c)
{
	struct node *n = forget_loan(t, c);

	if (!n)
		return;
	file_release(t, n);
	node_unref(t, n);
}
