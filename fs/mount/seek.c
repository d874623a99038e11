#include "fs/mount/seek.h"

#include <pthread.h>
#include <stdlib.h>

struct question {
	fuse_req_t req;
	fuse_ino_t ino;
	struct content *content;
	off_t offset;
	int whence;
	struct question *next;
};

struct seeker {
	struct mount *mount;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct question *first, **last;		/* under lock */
	int ending;				/* under lock */
};

void seek_answer(fuse_req_t req, struct content *c, off_t offset, int whence)
{
	uint64_t found;
	enum err e = content_seek(c, (uint64_t)offset, whence, &found);

	if (e != ERR_OK)
		reply_result(req, e);
	else
		fuse_reply_lseek(req, (off_t)found);
}

static struct question *next_question(struct seeker *s)
{
	struct question *q;

	pthread_mutex_lock(&s->lock);
	while (!s->first && !s->ending)
		pthread_cond_wait(&s->wake, &s->lock);
	q = s->first;
	if (q) {
		s->first = q->next;
		if (!s->first)
			s->last = &s->first;
	}
	pthread_mutex_unlock(&s->lock);
	return q;
}

static void *serve(void *argument)
{
	struct seeker *s = argument;
	struct question *q;

	while ((q = next_question(s)) != NULL) {
		/* An error means that the kernel has dropped the inode's pages already, or is about to go. */
		fuse_lowlevel_notify_inval_inode(s->mount->fuse, q->ino, 0, 0);
		seek_answer(q->req, q->content, q->offset, q->whence);
		free(q);
	}
	return NULL;
}

enum err seeker_new(struct mount *m, struct seeker **out)
{
	struct seeker *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return ERR_NO_MEMORY;
	s->mount = m;
	s->last = &s->first;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	if (pthread_create(&s->thread, NULL, serve, s) != 0) {
		free(s);
		return ERR_NO_MEMORY;
	}
	*out = s;
	return ERR_OK;
}

void seeker_free(struct seeker *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->ending = 1;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void seeker_ask(struct seeker *s, fuse_req_t req, fuse_ino_t ino, struct content *c, off_t offset, int whence)
{
	struct question *q = malloc(sizeof(*q));

	if (!q) {
		reply_result(req, ERR_NO_MEMORY);
		return;
	}
	*q = (struct question){ .req = req, .ino = ino, .content = c, .offset = offset, .whence = whence };
	pthread_mutex_lock(&s->lock);
	*s->last = q;
	s->last = &q->next;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}
