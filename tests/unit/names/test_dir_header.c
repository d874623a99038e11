/* Directory headers.  Vector: tests/vectors/bucket.py. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fs/names/names.h"
#include "tests/lib/fixed.h"
#include "tests/lib/scratch.h"

#define HEADER "YGFiY2RlZmdoaWprbG1ub5S6a-8T7ggfkDIYvX3HgaI"

static void headers_have_a_fixed_vector(void **state)
{
	struct fixed f = fixed_make();
	char text[DIR_HEADER_TEXT + 1];
	uint8_t id[UUID_LEN];

	dir_header_make(f.names_key, f.bucket, f.directory, text);
	assert_string_equal(text, HEADER);
	assert_ok(dir_header_check(f.names_key, f.bucket, text, strlen(text), id));
	assert_memory_equal(id, f.directory, UUID_LEN);
	memset(id, 0, sizeof(id));
	assert_ok(dir_header_id(text, strlen(text), id));
	assert_memory_equal(id, f.directory, UUID_LEN);
}

static void a_flipped_bit_is_noticed(void **state)
{
	struct fixed f = fixed_make();
	char flipped[DIR_HEADER_TEXT + 1] = HEADER;
	uint8_t id[UUID_LEN];

	for (size_t bit = 0; bit < DIR_HEADER_TEXT * 8; bit++) {
		enum err e;

		flipped[bit / 8] ^= (char)(1 << bit % 8);
		e = dir_header_check(f.names_key, f.bucket, flipped, DIR_HEADER_TEXT, id);
		assert_true(e == ERR_FORMAT || e == ERR_NOT_AUTHENTIC);
		assert_memory_equal(id, f.none, UUID_LEN);
		flipped[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t cut = 0; cut < DIR_HEADER_TEXT; cut++)
		assert_err(dir_header_check(f.names_key, f.bucket, HEADER, cut, id), ERR_FORMAT);
	assert_err(dir_header_check(f.names_key, f.bucket, HEADER "A", DIR_HEADER_TEXT + 1, id), ERR_FORMAT);
}

static void a_header_of_another_bucket_is_not_ours(void **state)
{
	struct fixed f = fixed_make();
	uint8_t id[UUID_LEN];

	assert_err(dir_header_check(f.names_key, f.link, HEADER, DIR_HEADER_TEXT, id), ERR_NOT_AUTHENTIC);
	assert_err(dir_header_check(f.file_key, f.bucket, HEADER, DIR_HEADER_TEXT, id), ERR_NOT_AUTHENTIC);
}

static void a_header_is_written_and_read(void **state)
{
	char text[DIR_HEADER_TEXT + 1];
	int path_fd = open(*state, O_PATH | O_DIRECTORY);
	size_t len;

	assert_true(path_fd >= 0);
	assert_err(dir_header_read(path_fd, text, &len), ERR_NOT_FOUND);
	assert_ok(dir_header_write(path_fd, HEADER));
	assert_ok(dir_header_read(path_fd, text, &len));
	assert_string_equal(text, HEADER);
	assert_int_equal(len, DIR_HEADER_TEXT);
	assert_int_not_equal(dir_header_write(path_fd, HEADER), ERR_OK);
	close(path_fd);
}

static void put_file(int dir_fd, const char *text)
{
	int fd = openat(dir_fd, DIR_HEADER_NAME, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
}

static void a_regular_file_stands_for_it_without_symlinks(void **state)
{
	char text[DIR_HEADER_TEXT + 1];
	int fd = open(*state, O_RDONLY | O_DIRECTORY);
	size_t len;

	put_file(fd, HEADER);
	assert_ok(dir_header_read(fd, text, &len));
	assert_string_equal(text, HEADER);
	put_file(fd, HEADER "x");
	assert_err(dir_header_read(fd, text, &len), ERR_FORMAT);
	put_file(fd, "");
	assert_err(dir_header_read(fd, text, &len), ERR_FORMAT);
	assert_int_equal(unlinkat(fd, DIR_HEADER_NAME, 0), 0);
	assert_int_equal(symlinkat("short", fd, DIR_HEADER_NAME), 0);
	assert_err(dir_header_read(fd, text, &len), ERR_FORMAT);
	close(fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(headers_have_a_fixed_vector),
	cmocka_unit_test(a_flipped_bit_is_noticed),
	cmocka_unit_test(a_header_of_another_bucket_is_not_ours),
	cmocka_unit_test_setup_teardown(a_header_is_written_and_read, scratch_make, scratch_remove),
	cmocka_unit_test_setup_teardown(a_regular_file_stands_for_it_without_symlinks, scratch_make, scratch_remove),
};

UNIT_MAIN(tests)
