#include "tests/unit/keymgr/fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"

int fixture_setup(void **state)
{
	struct keymgr_create_options options = { .kind = PROTECTOR_KEYFILE };
	struct fixture *f = calloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "%s/rekeyfs-keymgr.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/keystore", f->dir);
	snprintf(f->clock, sizeof(f->clock), "%s/clock", f->dir);
	assert_int_equal(setenv("REKEYFS_CLOCK_FILE", f->clock, 1), 0);
	fixture_clock(f, 0);
	assert_ok(keymgr_create(f->path, &options));
	fixture_reopen(f, 0);
	*state = f;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
	return remove(path);
}

void fixture_remove(const char *dir)
{
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	file_io_set_hook(NULL, NULL);
	keymgr_close(f->k);
	unsetenv("REKEYFS_CLOCK_FILE");
	fixture_remove(f->dir);
	free(f);
	return 0;
}

void fixture_reopen(struct fixture *f, int no_due)
{
	static const struct unlock quiet = { .no_prompt = 1 };

	keymgr_close(f->k);
	f->k = NULL;
	assert_ok(keymgr_open(f->path, &quiet, no_due, &f->k));
}

struct keymgr *fixture_open_second(struct fixture *f)
{
	static const struct unlock quiet = { .no_prompt = 1 };
	struct keymgr *k;

	assert_ok(keymgr_open(f->path, &quiet, 1, &k));
	return k;
}

void fixture_key(struct fixture *f)
{
	struct key_metadata m;

	assert_ok(keymgr_create_key(f->k, "a key", &m));
	memcpy(f->key_id, m.key_id, KEY_ID_LEN);
	uuid_text(m.key_id, f->key);
	key_metadata_release(&m);
}

void fixture_clock(struct fixture *f, int64_t seconds)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld\n", (long long)seconds);
	fixture_store(f->clock, text, strlen(text));
}

enum key_state fixture_state(struct fixture *f)
{
	return keymgr_key_state(f->k, f->key_id);
}

void fixture_bucket(struct fixture *f, uint8_t number, int replica, struct bucket_instance *out)
{
	*out = (struct bucket_instance){ .path = (char *)"/srv/bucket", .filesystem = 1, .root_inode = number,
					 .replica = replica };
	memset(out->bucket_id, number, UUID_LEN);
	memset(out->instance_id, 0x80 | number, UUID_LEN);
	assert_ok(keymgr_register_bucket(f->k, out));
}

enum err fixture_scan(struct fixture *f, const struct bucket_instance *b, int64_t ago, uint64_t references, uint64_t unreadable)
{
	struct scan_report report = { .started = clock_now() - ago, .ended = clock_now(), .references = references,
				      .unreadable = unreadable, .files = 10,
				      .first_unreadable = unreadable ? (char *)"cipher/path" : NULL };

	memcpy(report.instance_id, b->instance_id, UUID_LEN);
	memcpy(report.key_id, f->key_id, KEY_ID_LEN);
	return keymgr_report_scan(f->k, &report);
}

void fixture_file(const struct fixture *f, const char *suffix, char out[static FIXTURE_PATH])
{
	assert_true(snprintf(out, FIXTURE_PATH, "%.400s%s", f->path, suffix) < FIXTURE_PATH);
}

uint8_t *fixture_load(const char *path, size_t *len_out)
{
	uint8_t *bytes;

	assert_ok(file_load(AT_FDCWD, path, 64 << 20, &bytes, len_out));
	return bytes;
}

void fixture_store(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

void fixture_copy_file(const char *from, const char *to)
{
	size_t len;
	uint8_t *bytes = fixture_load(from, &len);

	unlink(to);		/* another inode, as a copy tool makes it */
	fixture_store(to, bytes, len);
	free(bytes);
}

struct count { const char *word; int count; };

static int count_word(void *context, const char *line)
{
	struct count *c = context;

	c->count += strstr(line, c->word) != NULL;
	return 0;
}

int fixture_events(struct fixture *f, const char *word)
{
	struct count c = { .word = word };

	assert_ok(keymgr_events(f->k, 1, count_word, &c));
	return c.count;
}
