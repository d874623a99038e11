#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fs/check/id_set.h"
#include "fs/check/walk.h"
#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

struct seen { unsigned files, again, directories, links, others, reserved, unreadable, longest; const char *stop; char last[64]; };

static enum err note(void *context, const struct walk_entry *entry)
{
	struct seen *s = context;

	s->files += entry->kind == WALK_FILE && !entry->reserved;
	s->again += entry->again != 0;
	s->directories += entry->kind == WALK_DIRECTORY && !entry->reserved;
	s->links += entry->kind == WALK_LINK && !entry->reserved;
	s->others += entry->kind == WALK_OTHER;
	s->reserved += entry->reserved != 0;
	s->unreadable += entry->kind == WALK_UNREADABLE;
	if (strlen(entry->path) > s->longest)
		s->longest = (unsigned)strlen(entry->path);
	snprintf(s->last, sizeof(s->last), "%.60s", entry->name);
	return s->stop && strcmp(entry->name, s->stop) == 0 ? ERR_CANCELLED : ERR_OK;
}

static int open_at(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	return fd;
}

static void make_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static enum err walk_it(int fd, struct seen *s)
{
	struct walk_start start = { .dir_fd = fd, .path = "" };

	return walk_tree(&start, note, s);
}

static void each_entry_is_met_once(void **state)
{
	int fd = open_at(*state);
	struct seen s = { 0 };

	assert_int_equal(mkdirat(fd, "d", 0700), 0);
	assert_int_equal(mkdirat(fd, "d/e", 0700), 0);
	assert_int_equal(mkdirat(fd, "rekeyfs.jobs", 0700), 0);
	assert_int_equal(mkdirat(fd, "rekeyfs.new-1", 0700), 0);
	make_file(fd, "a");
	make_file(fd, "d/b");
	make_file(fd, "d/e/c");
	make_file(fd, "rekeyfs.jobs/x");	/* not content */
	make_file(fd, "rekeyfs.new-1/y");	/* left over: shown as reserved */
	make_file(fd, "rekeyfs.bucket");
	assert_int_equal(linkat(fd, "a", fd, "d/e/a again", 0), 0);
	assert_int_equal(symlinkat("/etc", fd, "d/escape"), 0);
	assert_int_equal(symlinkat("..", fd, "up"), 0);
	assert_int_equal(mkfifoat(fd, "fifo", 0600), 0);
	assert_ok(walk_it(fd, &s));
	assert_int_equal(s.files, 4);
	assert_int_equal(s.again, 1);
	assert_int_equal(s.directories, 2);
	assert_int_equal(s.links, 2);
	assert_int_equal(s.others, 1);
	assert_int_equal(s.reserved, 4);	/* the two directories, y, and rekeyfs.bucket */
	assert_int_equal(s.unreadable, 0);
	close(fd);
}

static void it_ends_where_it_is_told(void **state)
{
	int fd = open_at(*state);
	struct seen s = { .stop = "b" };

	make_file(fd, "b");
	assert_err(walk_it(fd, &s), ERR_CANCELLED);
	assert_string_equal(s.last, "b");
	close(fd);
}

static unsigned open_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

struct deep { struct seen seen; unsigned most; };

static enum err note_descriptors(void *context, const struct walk_entry *entry)
{
	struct deep *d = context;
	unsigned now = open_descriptors();

	if (now > d->most)
		d->most = now;
	return note(&d->seen, entry);
}

static void a_deep_tree_needs_few_descriptors(void **state)
{
	int fd = open_at(*state), at = open_at(*state), next;
	struct walk_start start = { .dir_fd = fd, .path = "" };
	unsigned before;
	struct deep d = { .most = 0 };

	for (int i = 0; i < 200; i++) {
		assert_int_equal(mkdirat(at, "deeper", 0700), 0);
		make_file(at, "before");
		make_file(at, "zafter");
		next = openat(at, "deeper", O_RDONLY | O_DIRECTORY);
		close(at);
		at = next;
	}
	close(at);
	before = open_descriptors();
	assert_ok(walk_tree(&start, note_descriptors, &d));
	assert_int_equal(d.seen.directories, 200);
	assert_int_equal(d.seen.files, 400);
	assert_int_equal(d.seen.unreadable, 0);
	assert_int_equal(d.seen.longest, 200 * 7 - 1);
	assert_true(d.most <= before + WALK_OPEN_LEVELS + 4);
	assert_int_equal(open_descriptors(), before);
	close(fd);
}

struct mover { int fd; unsigned depth, unreadable; };

/* Moves a directory high above away once the walk is far below it. */
static enum err move_above(void *context, const struct walk_entry *entry)
{
	struct mover *m = context;

	if (entry->kind == WALK_UNREADABLE)
		m->unreadable++;
	if (entry->kind == WALK_DIRECTORY && ++m->depth == 60) {
		assert_int_equal(mkdirat(m->fd, "elsewhere", 0700), 0);
		assert_int_equal(renameat(m->fd, "deeper/deeper/deeper", m->fd, "elsewhere/moved"), 0);
	}
	return ERR_OK;
}

static void a_move_above_the_walk_is_told(void **state)
{
	int fd = open_at(*state), at = open_at(*state), next;
	struct walk_start start = { .dir_fd = fd, .path = "" };
	struct mover m = { .fd = fd };

	for (int i = 0; i < 80; i++) {
		assert_int_equal(mkdirat(at, "deeper", 0700), 0);
		next = openat(at, "deeper", O_RDONLY | O_DIRECTORY);
		close(at);
		at = next;
	}
	close(at);
	assert_ok(walk_tree(&start, move_above, &m));
	assert_int_equal(m.unreadable, 1);
	close(fd);
}

static void a_set_knows_what_it_has(void **state)
{
	struct id_set s = { 0 };
	uint8_t id[ID_SET_LEN] = { 0 };
	int seen;

	assert_false(id_set_has(&s, id));
	for (int round = 0; round < 2; round++)
		for (unsigned i = 0; i < 5000; i++) {
			memcpy(id, &i, sizeof(i));
			assert_ok(id_set_add(&s, id, &seen));
			assert_int_equal(seen, round);
			assert_true(id_set_has(&s, id));
		}
	assert_int_equal(s.count, 5000);
	id_set_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_entry_is_met_once, scratch_make, scratch_remove),
		cmocka_unit_test_setup_teardown(it_ends_where_it_is_told, scratch_make, scratch_remove),
		cmocka_unit_test_setup_teardown(a_deep_tree_needs_few_descriptors, scratch_make, scratch_remove),
		cmocka_unit_test_setup_teardown(a_move_above_the_walk_is_told, scratch_make, scratch_remove),
		cmocka_unit_test(a_set_knows_what_it_has),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
