#include "keymgr/ctl/deletion_notes.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "keymgr/ctl/verb.h"

#define BUCKET_LOCK "rekeyfs.lock"

struct notes {
	char key_id[UUID_TEXT_LEN + 1];
	const char *successor;
	int aliases, mounted, idle, replicas;	/* seen so far */
};

static int note_alias(void *context, const struct alias_entry *a)
{
	struct notes *n = context;

	if (n->aliases++ == 0)
		fputs("Nothing can be written through the aliases of this key any more.  Let them name another:\n", stderr);
	fprintf(stderr, "  " PROGRAM " update-alias --alias-name %s --target-key-id KEY\n", a->name);
	return 0;
}

/* Whoever has the bucket mounted holds its lock. */
static int is_mounted(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, held;

	if (dir < 0)
		return 0;
	fd = openat(dir, BUCKET_LOCK, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	close(dir);
	if (fd < 0)
		return 0;
	held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return held;
}

/* For a shell: in quotes where need be. */
static void print_word(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:@%";

	if (*word && strspn(word, plain) == strlen(word)) {
		fputs(word, stderr);
		return;
	}
	fputc('\'', stderr);
	for (; *word; word++)
		fputs(*word == '\'' ? "'\\''" : (char[]){ *word, 0 }, stderr);
	fputc('\'', stderr);
}

static void print_migrate_run(const char *path)
{
	char *usual = keymgr_default_path();

	fputs("  rekeyfs migrate run ", stderr);
	print_word(path);
	if (!usual || strcmp(usual, global.keystore) != 0) {
		fputs(" --keystore ", stderr);
		print_word(global.keystore);
	}
	fputc('\n', stderr);
	free(usual);
}

static int note_mounted(void *context, const struct bucket_instance *b)
{
	struct notes *n = context;

	if (b->replica || !b->path || !is_mounted(b->path))
		return 0;
	if (n->mounted++ == 0)
		fputs("Mounted, its files are moved by the mount itself (rekeyfs migrate list shows how far it is):\n", stderr);
	fputs("  ", stderr);
	print_word(b->path);
	fputc('\n', stderr);
	return 0;
}

static int note_idle(void *context, const struct bucket_instance *b)
{
	struct notes *n = context;

	if (b->replica || !b->path || is_mounted(b->path))
		return 0;
	if (n->idle++ == 0)
		fputs("Not mounted: the next mount moves its files, or this does it now:\n", stderr);
	print_migrate_run(b->path);
	return 0;
}

static int note_replica(void *context, const struct bucket_instance *b)
{
	struct notes *n = context;
	char id[UUID_TEXT_LEN + 1];

	if (!b->replica)
		return 0;
	if (n->replicas++ == 0)
		fputs("Copies elsewhere: the deletion waits until they are forgotten:\n", stderr);
	uuid_text(b->instance_id, id);
	fprintf(stderr, "  %s  (" PROGRAM " forget-bucket %s)\n", b->path ? b->path : "", id);
	return 0;
}

enum err deletion_notes(struct keymgr *k, const struct key_metadata *m, const char *successor)
{
	static int (*const passes[])(void *context, const struct bucket_instance *b) = { note_mounted, note_idle, note_replica };
	struct notes n = { .successor = successor };
	enum err e = keymgr_list_aliases(k, m->arn, note_alias, &n);

	uuid_text(m->key_id, n.key_id);
	if (e == ERR_OK && n.aliases > 0)
		fprintf(stderr, "or all at once:\n  " PROGRAM " retire-key --key-id %s --to KEY\n", n.key_id);
	fprintf(stderr, "Policies of directories that name this key (not an alias) need another key:\n"
		"  rekeyfs policy set DIRECTORY --key %s\n", successor ? successor : "KEY");
	if (m->shred) {
		fprintf(stderr, "Shredding: what is still under %s when the window ends is lost for good.\n", n.key_id);
		return e;
	}
	for (size_t i = 0; e == ERR_OK && i < sizeof(passes) / sizeof(passes[0]); i++)
		e = keymgr_list_buckets(k, passes[i], &n);
	return e;
}

enum err deletion_waiting(struct keymgr *k, const struct key_metadata *m)
{
	char *text = NULL;
	enum err e;

	if (m->state != KEY_PENDING_DELETION || m->deletion_date > clock_now())
		return ERR_OK;
	e = keymgr_deletion_blockers(k, m->arn, &text);
	if (e == ERR_OK && *text)
		fprintf(stderr, PROGRAM ": the deletion of %s waits:\n%s%s", m->arn, text,
			text[strlen(text) - 1] == '\n' ? "" : "\n");
	free(text);
	return e;
}
