/* What a file's content does, away from crashes: bytes against a mirror in memory, holes, attributes, keys, faults, threads. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file_io.h"
#include "fs/content/content.h"
#include "tests/lib/unit.h"
#include "tests/unit/content/scratch_bucket.h"

#define LIMIT (3 * GROUP_PLAIN)

static struct scratch_bucket sb;
static char path[600];

static int set_up(void **state)
{
	scratch_bucket_open(&sb);
	return 0;
}

static int tear_down(void **state)
{
	file_io_set_hook(NULL, NULL);
	scratch_bucket_close(&sb);
	return 0;
}

static struct content *new_file(void)
{
	struct content *c;

	assert_ok(content_new(sb.b, scratch_file("file", path), sb.key, &c));
	return c;
}

static struct content *reopen(void)
{
	struct content *c;

	assert_ok(content_open(sb.b, open(path, O_RDWR | O_CLOEXEC), 0, NULL, &c));
	return c;
}

static void pattern(uint8_t *out, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)((i * 2654435761u + seed * 40503u) >> 11);
}

static void holds(struct content *c, const uint8_t *want, uint64_t size)
{
	uint8_t *got = malloc(size + 10);
	size_t len;

	assert_int_equal(content_size(c), size);
	assert_ok(content_read(c, got, size + 10, 0, &len));
	assert_int_equal(len, size);
	if (memcmp(got, want, size)) {
		size_t i = 0;

		while (got[i] == want[i])
			i++;
		print_error("differs at %zu of %llu\n", i, (unsigned long long)size);
		fail();
	}
	free(got);
}

static uint64_t lower_size(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

/* --- bytes ------------------------------------------------------------------------------ */

static void sizes(void **state)
{
	static const size_t rows[] = { 0, 1, 4095, 4096, 4097, 262144, 262145, 600000 };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t *bytes = malloc(rows[i] + 1);
		struct content *c = new_file();

		pattern(bytes, rows[i], (unsigned)i);
		assert_ok(content_write(c, bytes, rows[i], 0));
		holds(c, bytes, rows[i]);
		assert_ok(content_free(c));
		assert_int_equal(lower_size(), layout_lower_size(rows[i]));
		c = reopen();
		holds(c, bytes, rows[i]);
		assert_ok(content_free(c));
		free(bytes);
	}
}

/* Random operations against a mirror, with reopening, syncs and checkpoints in between. */
static void mirror(void **state)
{
	uint8_t *want = calloc(1, LIMIT + 1), *bytes = malloc(LIMIT);

	for (unsigned seed = 1; seed <= 6; seed++) {
		struct content *c = new_file();
		uint64_t size = 0;

		srandom(seed);
		memset(want, 0, LIMIT);
		for (unsigned i = 0; i < 300; i++) {
			uint64_t at = (uint64_t)random() % LIMIT, len = 1 + (uint64_t)random() % (random() % 8 ? 9000 : LIMIT / 2);

			len = len < LIMIT - at ? len : LIMIT - at;
			switch (random() % 9) {
			case 0:
				at = (uint64_t)random() % (LIMIT + 1);
				assert_ok(content_truncate(c, at, NULL));
				if (at < size)
					memset(want + at, 0, size - at);
				size = at;
				break;
			case 1:
				assert_ok(content_punch(c, at, len, 1));
				if (at < size)
					memset(want + at, 0, len < size - at ? len : size - at);
				break;
			case 2: assert_ok(content_sync(c, random() % 2)); break;
			case 3: assert_ok(content_checkpoint(sb.b)); break;
			case 4: assert_ok(content_free(c)); c = reopen(); break;
			default:
				pattern(bytes, len, i);
				assert_ok(content_write(c, bytes, len, at));
				memcpy(want + at, bytes, len);
				size = at + len > size ? at + len : size;
			}
			if (i % 10 == 0)
				holds(c, want, size);
		}
		holds(c, want, size);
		assert_ok(content_free(c));
		assert_int_equal(lower_size(), layout_lower_size(size));
		c = reopen();
		holds(c, want, size);
		assert_ok(content_free(c));
	}
	free(want);
	free(bytes);
}

static void a_tebibyte_of_holes(void **state)
{
	struct content *c = new_file();
	uint64_t end = (uint64_t)1 << 40, at;
	uint8_t byte = 7, got[4096];
	size_t len;

	assert_ok(content_truncate(c, end, NULL));
	assert_ok(content_write(c, &byte, 1, end / 2));
	assert_ok(content_sync(c, 0));
	assert_ok(content_seek(c, 0, SEEK_DATA, &at));
	assert_int_equal(at, end / 2);
	assert_ok(content_seek(c, 0, SEEK_HOLE, &at));
	assert_int_equal(at, 0);
	assert_ok(content_seek(c, end / 2, SEEK_HOLE, &at));
	assert_int_equal(at, end / 2 + 4096);
	assert_err(content_seek(c, end / 2 + 4096, SEEK_DATA, &at), ERR_ERRNO + ENXIO);
	assert_ok(content_read(c, got, sizeof got, end - 4096, &len));
	assert_int_equal(len, 4096);
	assert_int_equal(got[0], 0);
	assert_ok(content_punch(c, 0, end, 1));
	assert_ok(content_free(c));
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_blocks * 512 < 1 << 20);
	c = reopen();
	assert_int_equal(content_size(c), end);
	assert_err(content_truncate(c, PLAIN_MAX + 1, NULL), ERR_ERRNO + EFBIG);
	assert_ok(content_free(c));
}

static void a_punched_hole_gives_space_back(void **state)
{
	struct content *c = new_file();
	uint8_t *bytes = malloc(LIMIT);
	struct stat before, after;

	pattern(bytes, LIMIT, 3);
	assert_ok(content_write(c, bytes, LIMIT, 0));
	assert_ok(content_sync(c, 0));
	assert_int_equal(stat(path, &before), 0);
	assert_ok(content_punch(c, GROUP_PLAIN, GROUP_PLAIN, 1));
	assert_ok(content_sync(c, 0));
	assert_int_equal(stat(path, &after), 0);
	assert_true(after.st_blocks < before.st_blocks);
	memset(bytes + GROUP_PLAIN, 0, GROUP_PLAIN);
	holds(c, bytes, LIMIT);
	assert_ok(content_free(c));
	free(bytes);
}

/* Tag pages that are stored late do not touch the time that was set. */
static void modification_time_stays(void **state)
{
	struct content *c = new_file();
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000, .tv_nsec = 5 } };
	uint8_t bytes[9000];
	struct stat st;

	pattern(bytes, sizeof bytes, 1);
	assert_ok(content_write(c, bytes, sizeof bytes, 0));
	assert_ok(content_write(c, bytes, 100, 3000));
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	assert_ok(content_sync(c, 0));
	assert_ok(content_write(c, bytes, 100, 3000));
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	assert_ok(content_free(c));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 2000);
	assert_int_equal(st.st_mtim.tv_nsec, 5);
}

/* --- keys -------------------------------------------------------------------------------- */

static void under(struct content *c, const uint8_t *key)
{
	struct content_keys keys;

	content_get_keys(c, &keys);
	assert_int_equal(keys.count, 1);
	assert_memory_equal(keys.refs[0].key_id, key, KEY_ID_LEN);
}

static void truncated_to_zero_it_takes_another_key(void **state)
{
	struct content *c = new_file();
	uint8_t bytes[9000];
	char value[10];
	size_t len;

	pattern(bytes, sizeof bytes, 1);
	for (int attribute = 0; attribute < 2; attribute++) {
		const uint8_t *key = attribute ? sb.key : sb.other_key;

		if (attribute)
			assert_ok(content_xattr_set(c, "user.colour", "blue", 4, 0));
		assert_ok(content_write(c, bytes, sizeof bytes, 0));
		assert_ok(content_sync(c, 0));
		assert_ok(content_truncate(c, 0, key));
		assert_ok(content_write(c, bytes, 5000, 0));
		under(c, key);
		assert_ok(content_free(c));
		c = reopen();
		under(c, key);
		holds(c, bytes, 5000);
	}
	assert_ok(content_xattr_get(c, "user.colour", value, sizeof value, &len));
	assert_int_equal(len, 4);
	assert_memory_equal(value, "blue", 4);
	assert_ok(content_free(c));
}

static void migrate(struct content *c, enum migrate_mode mode, const uint8_t *to, int force)
{
	enum migrate_next next = MIGRATE_SYNC;

	for (int i = 0; next == MIGRATE_SYNC; i++) {
		assert_true(i < 200);
		assert_ok(content_migrate_step(c, mode, to, 0, force && !i, 0, &next, NULL));
		if (next == MIGRATE_SYNC)
			assert_ok(content_sync(c, 0));
	}
}

/* Both header copies, as they lie there. */
static void no_copy_names(const uint8_t *key)
{
	struct header_view views[2];
	unsigned count;
	uint64_t size;
	int fd = open(path, O_RDONLY);

	assert_ok(content_view(fd, views, &count, &size));
	close(fd);
	assert_true(count >= 1);
	for (unsigned i = 0; i < count; i++)
		for (unsigned j = 0; j < views[i].header.slot_count; j++)
			assert_memory_not_equal(views[i].header.slots[j].key_id, key, KEY_ID_LEN);
}

static void migrated_in_both_modes(void **state)
{
	static const uint64_t rows[] = { 0, 1000, 30000, GROUP_PLAIN, LIMIT - 5 };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int mode = MIGRATE_REWRAP; mode <= MIGRATE_REENCRYPT; mode++) {
			struct content *c = new_file();
			uint8_t *bytes = malloc(rows[i] + 1), before[24], after[24];
			struct content_keys keys;

			pattern(bytes, rows[i], (unsigned)i);
			assert_ok(content_write(c, bytes, rows[i], 0));
			assert_ok(content_xattr_set(c, "user.a", "b", 1, 0));
			assert_ok(content_sync(c, 0));
			content_get_keys(c, &keys);
			migrate(c, mode, sb.other_key, 0);
			under(c, sb.other_key);
			holds(c, bytes, rows[i]);
			no_copy_names(sb.key);
			size_t len;
			assert_ok(content_xattr_get(c, "user.a", before, sizeof before, &len));
			/* The same key once more, with force: a new file key all the same. */
			if (mode == MIGRATE_REENCRYPT) {
				uint32_t epoch = keys.epochs[0];

				migrate(c, mode, sb.other_key, 1);
				content_get_keys(c, &keys);
				assert_true(keys.epochs[0] > epoch + 1);
			}
			assert_ok(content_free(c));
			c = reopen();
			holds(c, bytes, rows[i]);
			assert_ok(content_xattr_get(c, "user.a", after, sizeof after, &len));
			assert_int_equal(len, 1);
			assert_int_equal(after[0], 'b');
			assert_ok(content_free(c));
			free(bytes);
		}
}

static void locked_it_gives_nothing(void **state)
{
	struct content *c = new_file();
	uint8_t bytes[5000];
	size_t len;

	pattern(bytes, sizeof bytes, 1);
	assert_ok(content_write(c, bytes, sizeof bytes, 0));
	assert_ok(content_lock(c));
	assert_err(content_read(c, bytes, 10, 0, &len), ERR_NO_KEY);
	assert_err(content_write(c, bytes, 10, 0), ERR_NO_KEY);
	assert_err(content_xattr_get(c, "user.a", bytes, 10, &len), ERR_NO_KEY);
	assert_int_equal(content_size(c), 5000);
	assert_ok(content_unlock(c));
	holds(c, bytes, sizeof bytes);
	assert_ok(content_free(c));
}

/* --- attributes ---------------------------------------------------------------------------- */

static void attributes(void **state)
{
	struct content *c = new_file();
	char names[200], value[100], lower[4000];
	size_t len;

	assert_err(content_xattr_get(c, "user.a", value, sizeof value, &len), ERR_ERRNO + ENODATA);
	assert_ok(content_xattr_set(c, "user.a", "one", 3, XATTR_CREATE));
	assert_err(content_xattr_set(c, "user.a", "two", 3, XATTR_CREATE), ERR_ERRNO + EEXIST);
	assert_ok(content_xattr_set(c, "user.b", "", 0, 0));
	assert_ok(content_xattr_get(c, "user.a", value, 0, &len));
	assert_int_equal(len, 3);
	assert_err(content_xattr_get(c, "user.a", value, 2, &len), ERR_ERRNO + ERANGE);
	assert_ok(content_xattr_list(c, names, sizeof names, &len));
	assert_int_equal(len, 14);
	assert_ok(content_xattr_remove(c, "user.a"));
	assert_err(content_xattr_remove(c, "user.a"), ERR_ERRNO + ENODATA);
	ssize_t n = listxattr(path, lower, sizeof lower);
	assert_true(n > 0);
	assert_null(memmem(lower, (size_t)n, "user.b", 6));	/* its name is sealed */
	assert_ok(content_free(c));
}

/* --- what is not authentic -------------------------------------------------------------------- */

/* Whatever byte of the lower file is changed: an error or the right bytes, never others. */
static void every_region(void **state)
{
	uint8_t want[20000], got[20000], byte;
	struct content *c = new_file();
	size_t len;
	int fd, errors = 0;

	pattern(want, sizeof want, 1);
	assert_ok(content_write(c, want, sizeof want, 0));
	assert_ok(content_sync(c, 0));
	assert_ok(content_write(c, want + 4096, 4096, 4096));	/* TB and a spare are in use too */
	assert_ok(content_free(c));
	assert_ok(content_checkpoint(sb.b));
	fd = open(path, O_RDWR);
	for (uint64_t at = 0; at < lower_size(); at += 97) {
		assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
		byte ^= 0x40;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
		enum err e = content_open(sb.b, open(path, O_RDONLY), 1, NULL, &c);
		if (!e) {
			e = content_read(c, got, sizeof got, 0, &len);
			if (!e)
				assert_memory_equal(got, want, sizeof want);
			content_free(c);
		}
		errors += e != ERR_OK;
		if (e)
			assert_int_equal(e, ERR_NOT_AUTHENTIC);
		byte ^= 0x40;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	}
	close(fd);
	assert_true(errors > 200);
}

static void an_erased_group_is_no_hole(void **state)
{
	struct content *c = new_file();
	uint8_t *bytes = malloc(LIMIT), zeros[PAGE_LEN] = { 0 };
	size_t len;

	pattern(bytes, LIMIT, 1);
	assert_ok(content_write(c, bytes, LIMIT, 0));
	assert_ok(content_free(c));
	assert_ok(content_checkpoint(sb.b));
	int fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, zeros, PAGE_LEN, (off_t)layout_tag_page(1, COPY_A)), PAGE_LEN);
	close(fd);
	c = reopen();
	assert_ok(content_read(c, bytes, 100, 0, &len));
	assert_err(content_read(c, bytes, 100, GROUP_PLAIN, &len), ERR_NOT_AUTHENTIC);
	assert_ok(content_free(c));
	/* And a cut lower file is not a shorter one. */
	assert_int_equal(truncate(path, (off_t)layout_lower_size(GROUP_PLAIN)), 0);
	assert_err(content_open(sb.b, open(path, O_RDWR), 0, NULL, &c), ERR_NOT_AUTHENTIC);
	assert_int_equal(truncate(path, 0), 0);
	assert_err(content_open(sb.b, open(path, O_RDWR), 0, NULL, &c), ERR_NOT_AUTHENTIC);
	free(bytes);
}

/* --- faults ------------------------------------------------------------------------------------ */

struct fault { int countdown, persistent, error; };

static int fail_nth(void *context, const struct file_io_event *e)
{
	struct fault *f = context;

	if (e->call != FILE_IO_WRITE && e->call != FILE_IO_TRUNCATE)
		return 0;
	if (f->countdown > 0)
		f->countdown--;
	return !f->countdown ? (f->persistent ? 0 : f->countdown--, f->error) : 0;
}

/* The Nth lower write fails: an error, and afterwards every byte is old or new; the next try succeeds. */
static void a_write_that_fails_takes_nothing_along(void **state)
{
	uint8_t *old = malloc(LIMIT), *fresh = malloc(LIMIT), *got = malloc(LIMIT);
	int failed = 0;
	size_t len;

	pattern(old, LIMIT, 1);
	pattern(fresh, LIMIT, 2);
	for (int n = 1; n < 12; n++) {
		struct fault f = { .countdown = n, .error = ENOSPC };
		struct content *c = new_file();

		assert_ok(content_write(c, old, LIMIT - 300000, 0));
		assert_ok(content_sync(c, 0));
		file_io_set_hook(fail_nth, &f);
		enum err e = content_write(c, fresh, 20000, 1000);
		e = e ? e : content_write(c, fresh + 30000, 250000, 30000);
		e = e ? e : content_write(c, fresh + LIMIT - 300000, 290000, LIMIT - 300000);
		file_io_set_hook(NULL, NULL);
		failed += e != ERR_OK;
		uint64_t size = content_size(c);
		enum err r = content_read(c, got, LIMIT, 0, &len);
		if (!r) {
			assert_int_equal(len, size);
			for (uint64_t i = 0; i < size; i++)
				assert_true(got[i] == old[i] || got[i] == fresh[i] || (i >= 1000 && i < 21000 && got[i] == fresh[i - 1000]));
		}
		assert_ok(r);
		content_free(c);
		c = reopen();
		assert_ok(content_write(c, fresh, LIMIT, 0));
		assert_ok(content_sync(c, 0));
		holds(c, fresh, LIMIT);
		assert_ok(content_free(c));
	}
	assert_true(failed > 5);
	free(old);
	free(fresh);
	free(got);
}

/* --- threads -------------------------------------------------------------------------------------- */

struct team { struct content *c; atomic_int stop; unsigned errors; };

#define SHARE 200000u

/* Each writer owns a share of the file and finds in it what it wrote. */
static void *writer(void *context)
{
	struct team *t = context;
	static atomic_uint next_share;
	unsigned share = atomic_fetch_add(&next_share, 1) % 3, seed = share + 1;
	uint8_t *mine = calloc(1, SHARE), *got = malloc(SHARE), bytes[9000];
	size_t len;

	if (content_write(t->c, mine, SHARE, (uint64_t)share * SHARE))
		t->errors++;
	for (int i = 0; i < 400; i++) {
		unsigned at = (unsigned)rand_r(&seed) % (SHARE - 9000), n = 1 + (unsigned)rand_r(&seed) % 9000;

		pattern(bytes, n, (unsigned)i);
		memcpy(mine + at, bytes, n);
		if (content_write(t->c, bytes, n, (uint64_t)share * SHARE + at))
			t->errors++;
		if (i % 20 == 0 && (content_read(t->c, got, SHARE, (uint64_t)share * SHARE, &len) || memcmp(got, mine, SHARE)))
			t->errors++;
		if (i % 50 == 0 && content_sync(t->c, 0))
			t->errors++;
	}
	if (content_read(t->c, got, SHARE, (uint64_t)share * SHARE, &len) || memcmp(got, mine, SHARE))
		t->errors++;
	free(mine);
	free(got);
	return NULL;
}

static void *walker(void *context)
{
	struct team *t = context;
	const uint8_t *keys[2] = { sb.other_key, sb.key };

	for (int i = 0; !atomic_load(&t->stop); i++) {
		enum migrate_next next = MIGRATE_SYNC;
		int begun;

		while (next == MIGRATE_SYNC && !atomic_load(&t->stop)) {
			if (content_migrate_step(t->c, i % 3 ? MIGRATE_REENCRYPT : MIGRATE_REWRAP, keys[i % 2], 0, 0, 0, &next, NULL))
				t->errors++;
			if (next == MIGRATE_SYNC && !content_sync_begin(t->c, &begun) && begun) {
				int fd = open(path, O_RDONLY);

				content_sync_end(t->c, !file_sync_filesystem(fd));
				close(fd);
			}
		}
		if (content_checkpoint(sb.b))
			t->errors++;
	}
	return NULL;
}

static void writers_and_a_walker(void **state)
{
	struct team t = { .c = new_file() };
	pthread_t threads[4];

	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, writer, &t), 0);
	assert_int_equal(pthread_create(&threads[3], NULL, walker, &t), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&t.stop, 1);
	pthread_join(threads[3], NULL);
	assert_int_equal(t.errors, 0);
	uint8_t *want = malloc(3 * SHARE);
	size_t len;
	assert_ok(content_read(t.c, want, 3 * SHARE, 0, &len));
	assert_ok(content_free(t.c));
	struct content *c = reopen();
	holds(c, want, 3 * SHARE);
	assert_ok(content_free(c));
	free(want);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(sizes), cmocka_unit_test(mirror), cmocka_unit_test(a_tebibyte_of_holes), cmocka_unit_test(a_punched_hole_gives_space_back),
	cmocka_unit_test(modification_time_stays), cmocka_unit_test(truncated_to_zero_it_takes_another_key), cmocka_unit_test(migrated_in_both_modes),
	cmocka_unit_test(locked_it_gives_nothing), cmocka_unit_test(attributes), cmocka_unit_test(every_region), cmocka_unit_test(an_erased_group_is_no_hole),
	cmocka_unit_test(a_write_that_fails_takes_nothing_along), cmocka_unit_test(writers_and_a_walker),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
