/*
 * The commit order: after every operation, and at every sync within one, the states that a power cut may leave are built and
 * read as after a crash.  Every byte that was synced must be there, old or new where it was being changed; never garbage, never
 * EIO; and what the first reader saw must stay through repair, further writes and the end of a re-encryption.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "fs/content/content.h"
#include "tests/lib/unit.h"
#include "tests/unit/content/crash_disk.h"
#include "tests/unit/content/scratch_bucket.h"

#define LIMIT (2 * GROUP_PLAIN + 40000)
#define VERSIONS 64
#define OPS 64

struct op { char kind; uint64_t offset, len, seed; };	/* 'w'rite, 's'ize, 'p'unch */

struct run {
	struct scratch_bucket tb;
	struct crash_disk disk;
	struct content *c;
	uint8_t *versions[VERSIONS];	/* since the last sync, oldest first */
	uint64_t sizes[VERSIONS];
	struct op ops[OPS];		/* ops[i] leads from version i to i + 1 */
	size_t count;			/* of ops */
	uint64_t rng, op_seed;
	unsigned states, every, checked;
	int bulk_ok;
	const char *what;
};

static uint64_t next(uint64_t *s)	/* xorshift: the same run for the same seed */
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static uint64_t below(struct run *r, uint64_t n)
{
	return n ? next(&r->rng) % n : 0;
}

static void text(uint64_t seed, uint8_t *out, size_t len)
{
	uint64_t s = seed * 0x9e3779b97f4a7c15u + 1;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t v = next(&s);

		memcpy(out + i, &v, len - i < 8 ? len - i : 8);
	}
}

/* --- expectations --------------------------------------------------------------------------- */

static void version_after(struct run *r, const struct op *op)
{
	uint64_t size = r->sizes[r->count], end = op->kind == 's' ? op->len : op->offset + op->len;
	uint8_t *bytes = calloc(1, LIMIT + 100000);

	assert_true(r->count + 1 < VERSIONS);
	memcpy(bytes, r->versions[r->count], size);
	if (op->kind == 's') {
		if (end < size)
			memset(bytes + end, 0, size - end);
		size = end;
	} else if (op->kind == 'p') {
		for (uint64_t i = op->offset; i < end && i < size; i++)
			bytes[i] = 0;
	} else {
		text(op->seed, bytes + op->offset, op->len);
		if (end > size)
			size = end;
	}
	r->ops[r->count++] = *op;
	r->versions[r->count] = bytes;
	r->sizes[r->count] = size;
}

static void all_synced(struct run *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->versions[i]);
	r->versions[0] = r->versions[r->count];
	r->sizes[0] = r->sizes[r->count];
	r->count = 0;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int is_zero(const uint8_t *got, uint64_t a, uint64_t b)
{
	while (a < b && !got[a])
		a++;
	return a == b;
}

/* [a, b) reads as in one of the versions from `v` to `last`, or as zeros where one of them did not reach so far. */
static int fits(const struct run *r, const uint8_t *got, uint64_t a, uint64_t b, size_t v, size_t last)
{
	uint64_t shortest = UINT64_MAX;

	for (; v <= last; v++) {
		shortest = r->sizes[v] < shortest ? r->sizes[v] : shortest;
		if (!memcmp(r->versions[v] + a, got + a, b - a))	/* zeros behind its size */
			return 1;
	}
	return a >= shortest && is_zero(got, a, b);
}

/* What a shrink (operation k, to `len` bytes) cut off does not come back: behind it all is from before it, or all from after. */
static int came_back(const struct run *r, const uint8_t *got, uint64_t size, const uint64_t *edges, size_t n, size_t k, uint64_t len)
{
	int before = 1, after = 1;

	for (size_t i = 0; i + 1 < n; i++) {
		uint64_t a = edges[i], b = edges[i + 1];

		if (a >= b || b > size || a < len)
			continue;
		before &= fits(r, got, a, b, 0, k - 1);
		after &= is_zero(got, a, b) || fits(r, got, a, b, k, r->count);
	}
	return !before && !after;
}

static void judge(struct run *r, const uint8_t *got, uint64_t size)
{
	uint64_t edges[LIMIT / PAGE_LEN + 4 * OPS + 64], smallest = UINT64_MAX, largest = 0;
	size_t n = 0;

	for (size_t v = 0; v <= r->count; v++) {
		smallest = r->sizes[v] < smallest ? r->sizes[v] : smallest;
		largest = r->sizes[v] > largest ? r->sizes[v] : largest;
		edges[n++] = r->sizes[v];
	}
	if (size < smallest || size > largest) {
		print_error("%s: size %llu, allowed %llu to %llu\n", r->what, (unsigned long long)size, (unsigned long long)smallest, (unsigned long long)largest);
		fail();
	}
	for (size_t i = 0; i < r->count; i++) {
		edges[n++] = r->ops[i].offset;
		edges[n++] = r->ops[i].offset + r->ops[i].len;
	}
	for (uint64_t p = 0; p < size; p += PAGE_LEN)
		edges[n++] = p;
	edges[n++] = size;
	qsort(edges, n, sizeof *edges, compare_u64);
	for (size_t i = 0; i + 1 < n; i++) {
		uint64_t a = edges[i], b = edges[i + 1];

		if (a >= b || b > size)
			continue;
		if (!fits(r, got, a, b, 0, r->count)) {
			print_error("%s: bytes %llu to %llu of %llu are neither old nor new (%zu operations since the sync)\n", r->what,
				    (unsigned long long)a, (unsigned long long)b, (unsigned long long)size, r->count);
			for (size_t o = 0; o < r->count; o++)
				print_error("  %c %llu %llu\n", r->ops[o].kind, (unsigned long long)r->ops[o].offset, (unsigned long long)r->ops[o].len);
			fail();
		}
	}
	for (size_t k = 1; k <= r->count; k++) {
		const struct op *op = &r->ops[k - 1];

		if (op->kind == 's' && op->len < r->sizes[k - 1] && size > op->len && came_back(r, got, size, edges, n, k, op->len)) {
			print_error("%s: size %llu: old bytes behind the shrink to %llu\n", r->what, (unsigned long long)size, (unsigned long long)op->len);
			fail();
		}
	}
}

/* --- after the cut --------------------------------------------------------------------------- */

static uint8_t *read_all(struct content *c, uint64_t *size_out)
{
	uint8_t *got = calloc(1, LIMIT + 100000);
	size_t len;

	*size_out = content_size(c);
	assert_true(*size_out <= LIMIT + 100000);
	assert_ok(content_read(c, got, LIMIT + 100000, 0, &len));
	assert_int_equal(len, *size_out);
	return got;
}

static void same(struct content *c, const uint8_t *want, uint64_t want_size, const char *when, const char *what)
{
	uint64_t size;
	uint8_t *got = read_all(c, &size);

	if (size != want_size || memcmp(got, want, size)) {
		print_error("%s: the content changed %s: %llu to %llu bytes\n", what, when, (unsigned long long)want_size, (unsigned long long)size);
		fail();
	}
	free(got);
}

static void go_on(struct run *r, struct bucket *crashed, const char *path, const uint8_t *want, uint64_t size)
{
	struct content_keys keys;
	struct content *c;
	enum migrate_next next_step = MIGRATE_SYNC;

	assert_ok(content_open(crashed, open(path, O_RDWR), 0, NULL, &c));
	same(c, want, size, "when it was opened for writing", r->what);
	uint8_t *changed = calloc(1, LIMIT + 100000);
	memcpy(changed, want, size);
	if (size) {
		uint64_t at = size / 2, len = size - at < 5000 ? size - at : 5000;

		memset(changed + at, 'x', len);
		assert_ok(content_write(c, changed + at, len, at));
		assert_ok(content_sync(c, 0));
		same(c, changed, size, "when it was written on", r->what);
	}
	content_get_keys(c, &keys);
	while (keys.count == 2 && next_step == MIGRATE_SYNC) {
		assert_ok(content_migrate_step(c, MIGRATE_REENCRYPT, keys.refs[1].key_id, 0, 0, 0, &next_step, NULL));
		assert_ok(content_sync(c, 0));
	}
	same(c, changed, size, "when its re-encryption was ended", r->what);
	assert_ok(content_free(c));
	assert_ok(content_open(crashed, open(path, O_RDONLY), 1, NULL, &c));
	same(c, changed, size, "when it was opened again", r->what);
	content_free(c);
	free(changed);
}

/* Chosen pending writes: a mask for few, a random share for many. */
struct choice { uint64_t mask; int random; uint64_t rng; unsigned percent; };

static int chosen(void *context, size_t i)
{
	struct choice *ch = context;

	return ch->random ? next(&ch->rng) % 100 < ch->percent : (int)(ch->mask >> i & 1);
}

static void check_state(struct run *r, struct choice *ch, size_t sizes)
{
	char path[600];
	uint64_t size;
	struct content *c;
	struct crash_disk *d = &r->disk;
	struct bucket *crashed = scratch_bucket_crashed(&r->tb);

	crash_disk_pause(&r->disk, 1);
	snprintf(path, sizeof path, "%s/cut", unit_directory());
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	crash_disk_state(d, chosen, ch, sizes, fd);
	enum err e = content_open(crashed, dup(fd), 1, NULL, &c);
	if (e == ERR_NOT_FOUND) {
		judge(r, (const uint8_t *)"", 0);
	} else {
		assert_ok(e);
		uint8_t *got = read_all(c, &size);

		judge(r, got, size);
		content_free(c);
		if (r->checked++ % 4 == 0)
			go_on(r, crashed, path, got, size);
		free(got);
	}
	close(fd);
	unlink(path);
	free(crashed);
	r->states++;
	crash_disk_pause(&r->disk, 0);
}

static void check_states(void *context)
{
	struct run *r = context;
	size_t writes = crash_disk_writes(&r->disk), sizes = crash_disk_sizes(&r->disk);
	struct choice ch = { 0 };

	if (!r->every)
		return;
	if (writes + sizes <= 8) {	/* every subset */
		for (ch.mask = 0; ch.mask < (uint64_t)1 << writes; ch.mask++)
			for (size_t s = 0; s <= sizes; s++)
				check_state(r, &ch, s);
		return;
	}
	static const unsigned shares[] = { 0, 100, 10, 50, 90 };
	for (unsigned i = 0; i < r->every; i++) {
		ch = (struct choice){ .random = 1, .rng = next(&r->rng) | 1, .percent = shares[i % 5] };
		check_state(r, &ch, i < 2 ? (i ? sizes : 0) : below(r, sizes + 1));
	}
}

/* --- the operations ----------------------------------------------------------------------------- */

static void do_op(struct run *r, char kind, uint64_t offset, uint64_t len)
{
	struct op op = { kind, offset, len, ++r->op_seed };
	uint8_t *bytes = malloc(len + 1);

	version_after(r, &op);
	if (kind == 's') {
		assert_ok(content_truncate(r->c, len, NULL));
	} else if (kind == 'p') {
		assert_ok(content_punch(r->c, offset, len, 1));
	} else {
		text(op.seed, bytes, len);
		assert_ok(content_write(r->c, bytes, len, offset));
	}
	free(bytes);
	same(r->c, r->versions[r->count], r->sizes[r->count], "at once", r->what);
	check_states(r);
}

static void do_sync(struct run *r)
{
	assert_ok(content_sync(r->c, 0));
	all_synced(r);
	check_states(r);
}

static void start(struct run *r, const char *what, uint64_t seed, unsigned every, uint64_t size)
{
	char path[600];

	memset(r, 0, sizeof *r);
	r->what = what;
	r->rng = seed * 77 + 1;
	r->every = 0;
	scratch_bucket_open(&r->tb);
	snprintf(path, sizeof path, "%s/file", unit_directory());
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	crash_disk_start(&r->disk, fd);
	r->disk.at_sync = check_states;
	r->disk.context = r;
	assert_ok(content_new(r->tb.b, fd, r->tb.key, &r->c));
	r->versions[0] = calloc(1, LIMIT + 100000);
	if (size)
		do_op(r, 'w', 0, size);
	do_sync(r);
	r->every = every;
}

static void finish(struct run *r)
{
	print_message("# %s: %u states\n", r->what, r->states);
	assert_true(r->states > 10);
	r->every = 0;
	do_sync(r);
	assert_ok(content_free(r->c));
	crash_disk_stop(&r->disk);
	free(r->versions[0]);
	scratch_bucket_close(&r->tb);
}

static void maybe_sync(struct run *r)
{
	if (r->count > 12 || below(r, 4) == 0)
		do_sync(r);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void overwrites(void **state)
{
	struct run r;

	start(&r, "overwrite", 1, 4, 100000);
	for (int i = 0; i < 40; i++) {
		do_op(&r, 'w', below(&r, 90000), 1 + below(&r, 9000));
		maybe_sync(&r);
	}
	finish(&r);
}

static void few_pages(void **state)
{
	struct run r;

	start(&r, "overwrite of few pages, every subset", 2, 4, 9000);
	for (int i = 0; i < 12; i++) {
		do_op(&r, 'w', below(&r, 8000), 1 + below(&r, 900));
		if (i % 3 == 2)
			do_sync(&r);
	}
	finish(&r);
}

static void appends(void **state)
{
	static const uint64_t lengths[] = { 1, 100, 4095, 4096, 5000, 30000 };
	struct run r;

	start(&r, "append", 3, 3, 3000);
	for (int i = 0; i < 50 && r.sizes[r.count] < LIMIT - 40000; i++) {
		do_op(&r, 'w', r.sizes[r.count], lengths[below(&r, 6)]);
		maybe_sync(&r);
	}
	finish(&r);
}

static void a_new_file(void **state)
{
	for (uint64_t size = 1; size < 40000; size = size * 3 + 1) {
		struct run r;

		start(&r, "a new file", size, 5, 0);
		do_op(&r, 'w', 0, size);
		do_op(&r, 'w', size, 5000);
		do_sync(&r);
		finish(&r);
	}
}

static void shrinks(void **state)
{
	struct run r;

	start(&r, "shrink and grow", 4, 3, LIMIT - 50000);
	for (int i = 0; i < 40; i++) {
		uint64_t size = r.sizes[r.count];

		switch (below(&r, 6)) {
		case 0: do_op(&r, 's', 0, below(&r, size + 1)); break;
		case 1: do_op(&r, 's', 0, size > 9000 ? size - below(&r, 9000) : 0); break;
		case 2: do_op(&r, 's', 0, 0); do_op(&r, 'w', 0, 1 + below(&r, 20000)); break;
		case 3: do_op(&r, 's', 0, size + below(&r, LIMIT - size)); break;
		case 4: do_op(&r, 'w', below(&r, LIMIT - 30000), 1 + below(&r, 20000)); break;
		case 5: do_op(&r, 'w', below(&r, size + 1), 1 + below(&r, 20000)); break;
		}
		maybe_sync(&r);
	}
	finish(&r);
}

/* Within the first group nothing is synced in between: only `keep` stands between a reader and the old bytes. */
static void shrinks_and_grows_at_once(void **state)
{
	for (uint64_t seed = 31; seed < 37; seed++) {
		struct run r;

		start(&r, "shrink and grow in the first group", seed, 6, 14000);
		for (int i = 0; i < 6; i++) {
			uint64_t size = r.sizes[r.count];

			do_op(&r, 's', 0, below(&r, 2) ? below(&r, size) : size - below(&r, size < 5000 ? size : 5000));
			if (below(&r, 2))
				do_op(&r, 's', 0, r.sizes[r.count] + below(&r, 9000));
			do_op(&r, 'w', below(&r, r.sizes[r.count] + 5000), 1 + below(&r, 3000));
			do_sync(&r);
		}
		finish(&r);
	}
}

static void punches(void **state)
{
	struct run r;

	start(&r, "punch", 5, 3, LIMIT - 50000);
	for (int i = 0; i < 30; i++) {
		uint64_t size = r.sizes[r.count], at = below(&r, size);

		do_op(&r, 'p', at, 1 + below(&r, 200000));
		if (below(&r, 2))
			do_op(&r, 'w', at, 1 + below(&r, 9000));
		maybe_sync(&r);
	}
	finish(&r);
}

static void bulk(void **state)
{
	struct run r;

	start(&r, "bulk overwrite", 6, 4, 2 * GROUP_PLAIN + 9000);
	for (int i = 0; i < 16; i++) {
		switch (below(&r, 4)) {
		case 0: do_op(&r, 'w', 0, 2 * GROUP_PLAIN); break;
		case 1: do_op(&r, 'w', below(&r, 60) * PAGE_LEN, 40 * PAGE_LEN); break;
		case 2: do_op(&r, 'w', below(&r, 400000), 100000); break;
		case 3: do_op(&r, 'w', below(&r, 400000), 4000); break;
		}
		maybe_sync(&r);
	}
	finish(&r);
}

static void reencrypts(void **state)
{
	for (int mode = MIGRATE_REWRAP; mode <= MIGRATE_REENCRYPT; mode++) {
		struct run r;
		enum migrate_next step = MIGRATE_SYNC;
		struct content_keys keys;

		start(&r, mode == MIGRATE_REWRAP ? "rewrap" : "re-encryption", 7, 4, GROUP_PLAIN + 30000);
		for (int i = 0; i < 60 && step == MIGRATE_SYNC; i++) {
			assert_ok(content_migrate_step(r.c, mode, r.tb.other_key, 0, 0, 0, &step, NULL));
			check_states(&r);
			if (i % 3 == 1 && i < 20)
				do_op(&r, 'w', below(&r, GROUP_PLAIN), 1 + below(&r, 20000));
			do_sync(&r);
		}
		assert_int_equal(step, MIGRATE_DONE);
		content_get_keys(r.c, &keys);
		assert_int_equal(keys.count, 1);
		assert_memory_equal(keys.refs[0].key_id, r.tb.other_key, KEY_ID_LEN);
		finish(&r);
	}
}

static void all_together(void **state)
{
	for (uint64_t seed = 21; seed < 25; seed++) {
		struct run r;
		enum migrate_next step;
		const uint8_t *to = NULL;

		start(&r, "all", seed, 2, LIMIT - 100000);
		for (int i = 0; i < 40; i++) {
			uint64_t size = r.sizes[r.count];

			switch (below(&r, 9)) {
			case 0: do_op(&r, 's', 0, below(&r, size + 1)); break;
			case 1: do_op(&r, 's', 0, size + below(&r, LIMIT - size)); break;
			case 2: do_op(&r, 'p', below(&r, size), 1 + below(&r, 100000)); break;
			case 3: do_op(&r, 'w', 0, size > 200000 ? 180000 : size + 1); break;
			case 4: do_op(&r, 'w', size < LIMIT - 9000 ? size : 0, 8000); break;
			case 5: assert_ok(content_checkpoint(r.tb.b)); all_synced(&r); check_states(&r); break;
			case 6:
				to = to == r.tb.other_key ? r.tb.key : r.tb.other_key;
				/* fall through */
			case 7:
				if (to) {
					assert_ok(content_migrate_step(r.c, MIGRATE_REENCRYPT, to, 0, 0, 0, &step, NULL));
					check_states(&r);
				}
				break;
			default: do_op(&r, 'w', below(&r, size < LIMIT - 20000 ? size + 1 : LIMIT - 20000), 1 + below(&r, 15000));
			}
			maybe_sync(&r);
		}
		finish(&r);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(overwrites), cmocka_unit_test(few_pages), cmocka_unit_test(appends), cmocka_unit_test(a_new_file),
	cmocka_unit_test(shrinks), cmocka_unit_test(shrinks_and_grows_at_once), cmocka_unit_test(punches), cmocka_unit_test(bulk), cmocka_unit_test(reencrypts),
	cmocka_unit_test(all_together),
};

UNIT_MAIN(tests)
