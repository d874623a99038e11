#include "tests/unit/bucket/world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file_io.h"
#include "base/secret.h"
#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

#define STOPPED 77

int world_make(void **state)
{
	const struct keymgr_create_options options = { .kind = PROTECTOR_KEYFILE };
	struct world *w = calloc(1, sizeof(*w));

	assert_ok(secret_start());
	assert_int_equal(scratch_make((void **)&w->directory), 0);
	snprintf(w->keystore, sizeof(w->keystore), "%s/keys/keystore", w->directory);
	snprintf(w->bucket, sizeof(w->bucket), "%s/bucket", w->directory);
	snprintf(w->copy, sizeof(w->copy), "%s/copy", w->directory);
	assert_ok(keymgr_create(w->keystore, &options));
	w->k = world_open_keystore(w);
	*state = w;
	return 0;
}

int world_make_bucket(void **state)
{
	struct world *w;

	world_make(state);
	w = *state;
	assert_ok(bucket_init(w->bucket, w->k, NULL, AEAD_XCHACHA20_POLY1305, w->keystore));
	return 0;
}

int world_remove(void **state)
{
	struct world *w = *state;

	file_io_set_hook(NULL, NULL);
	keymgr_close(w->k);
	scratch_remove((void **)&w->directory);
	free(w);
	return 0;
}

struct keymgr *world_open_keystore(const struct world *w)
{
	const struct unlock unlock = { .no_prompt = 1 };
	struct keymgr *k;

	assert_ok(keymgr_open(w->keystore, &unlock, 1, &k));
	return k;
}

struct bucket *world_open_path(struct world *w, const char *path, enum bucket_mode mode)
{
	struct bucket *b;

	assert_ok(bucket_open(path, w->k, mode, 1, &b));
	return b;
}

struct bucket *world_open(struct world *w)
{
	return world_open_path(w, w->bucket, BUCKET_READ_WRITE);
}

void world_checkpoint(struct bucket *b)
{
	assert_ok(bucket_checkpoint_commit(b, bucket_checkpoint_begin(b)));
}

struct key_text world_key(struct world *w, const char *alias)
{
	struct key_metadata m;
	struct key_text key;

	assert_ok(keymgr_create_key(w->k, "of a test", &m));
	memcpy(key.id, m.key_id, KEY_ID_LEN);
	uuid_text(m.key_id, key.text);
	key_metadata_release(&m);
	if (alias)
		assert_ok(keymgr_create_alias(w->k, alias, key.text));
	return key;
}

struct key_text world_alias_key(struct world *w, const char *alias)
{
	struct key_text key;

	assert_ok(keymgr_resolve(w->k, alias, key.id));
	uuid_text(key.id, key.text);
	return key;
}

void world_run(const char *format, ...)
{
	va_list arguments;
	char *command;

	va_start(arguments, format);
	assert_true(vasprintf(&command, format, arguments) > 0);
	va_end(arguments);
	assert_int_equal(system(command), 0);
	free(command);
}

static int open_root(const struct world *w)
{
	int fd = open(w->bucket, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

uint8_t *world_read(const struct world *w, const char *name, size_t *len_out)
{
	int fd = open_root(w);
	uint8_t *bytes;

	assert_ok(file_load(fd, name, 1 << 20, &bytes, len_out));
	close(fd);
	return bytes;
}

void world_write(const struct world *w, const char *name, const uint8_t *bytes, size_t len)
{
	int root = open_root(w), fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_ok(file_write(fd, bytes, len, 0));
	close(fd);
	close(root);
}

static int count_one(void *context, const struct bucket_instance *b)
{
	++*(int *)context;
	return 0;
}

int world_instances(struct world *w)
{
	int count = 0;

	assert_ok(keymgr_list_buckets(w->k, count_one, &count));
	return count;
}

/* --- faults ------------------------------------------------------------------------ */

static struct {
	int countdown, once, stop, calls;
} fault;

static int at_call(void *context, const struct file_io_event *event)
{
	int now = fault.countdown-- <= 0;

	fault.calls++;
	if (now && fault.stop)
		_exit(STOPPED);
	return now && (!fault.once || fault.countdown == -1) ? EIO : 0;
}

int world_stop_at(struct world *w, int calls, void (*act)(struct world *w, struct keymgr *k, void *context), void *context)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		/* Secrets do not pass a fork: a keystore of its own. */
		struct keymgr *k = world_open_keystore(w);

		fault.countdown = calls;
		fault.stop = 1;
		file_io_set_hook(at_call, NULL);
		act(w, k, context);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == STOPPED));
	return WEXITSTATUS(status) == STOPPED;
}

void world_fail_at(int calls, int once)
{
	fault.countdown = calls;
	fault.once = once;
	fault.stop = 0;
	fault.calls = 0;
	file_io_set_hook(at_call, NULL);
}

int world_heal(void)
{
	file_io_set_hook(NULL, NULL);
	return fault.calls;
}
