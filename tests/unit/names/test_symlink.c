/* Targets of symbolic links.  Vectors: tests/vectors/bucket.py. */
#include "tests/lib/unit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"
#include "fs/names/symlink.h"
#include "tests/lib/fixed.h"

#define SHORT "4OHi4-Tl5ufo6err7O3u78DBwsPExcbHyMnKy8zNzs_Q0dLT1NXW12865DsQ0yQXr0BvaYSgOxCkmYPNaf6Sdgs"
#define FILE_DIGEST "7b9154c2a71616949c0640c775bf166629882759faf96fa899a869a9ac58a0ec"

static int fixed_random;

/* In the place of base/random.c: link id and nonce of the vectors where a test asks for them. */
void random_bytes(void *out, size_t len)
{
	uint8_t *bytes = out;

	if (!fixed_random) {
		randombytes_buf(out, len);
		return;
	}
	assert_int_equal(len, 40);
	fixed_count(bytes, 16, 0xe0);
	fixed_count(bytes + 16, 24, 0xc0);
}

struct sealed {
	uint8_t bytes[SYMLINK_SEALED_MAX + 1];
	size_t len;
	int is_file;
};

static struct sealed *seal(const char *target, size_t len)
{
	struct fixed f = fixed_make();
	struct sealed *s = calloc(1, sizeof(*s));

	assert_ok(symlink_seal(f.names_key, f.bucket, target, len, s->bytes, &s->len, &s->is_file));
	return s;
}

static enum err open_sealed(const struct sealed *s, char out[SYMLINK_PLAIN_MAX + 1], size_t *len_out)
{
	struct fixed f = fixed_make();

	return symlink_open(f.names_key, f.bucket, s->bytes, s->len, s->is_file, out, len_out);
}

static void links_have_fixed_vectors(void **state)
{
	char target[3016], back[SYMLINK_PLAIN_MAX + 1];
	uint8_t digest[32];
	struct sealed *s;
	size_t len;

	fixed_random = 1;
	s = seal("../target", 9);
	assert_false(s->is_file);
	assert_string_equal((char *)s->bytes, SHORT);
	assert_int_equal(s->len, strlen(SHORT));
	assert_ok(open_sealed(s, back, &len));
	assert_string_equal(back, "../target");
	free(s);
	memset(target, 't', sizeof(target));
	s = seal(target, sizeof(target));
	assert_true(s->is_file);
	crypto_generichash(digest, sizeof(digest), s->bytes, s->len, NULL, 0);
	assert_hex(digest, sizeof(digest), FILE_DIGEST);
	free(s);
	fixed_random = 0;
}

static void targets_of_every_length_come_back(void **state)
{
	char target[SYMLINK_PLAIN_MAX], back[SYMLINK_PLAIN_MAX + 1];

	for (size_t i = 0; i < sizeof(target); i++)
		target[i] = (char)(1 + i % 255);
	for (size_t len = 1; len <= SYMLINK_PLAIN_MAX; len = len < 40 || (len > 3000 && len < 3030) ? len + 1 : len * 2 > SYMLINK_PLAIN_MAX ? len + 97 : len * 2) {
		struct sealed *s = seal(target, len);
		struct stat lower = { .st_mode = s->is_file ? S_IFREG : S_IFLNK, .st_size = (off_t)s->len };
		size_t got;

		assert_int_equal(s->is_file, len > SYMLINK_SHORT_MAX);
		if (!s->is_file)
			assert_in_range(s->len, 1, 4095);
		assert_int_equal(symlink_is_file(&lower), s->is_file);
		assert_int_equal(symlink_plain_size(&lower), len);
		assert_ok(open_sealed(s, back, &got));
		assert_int_equal(got, len);
		assert_memory_equal(back, target, len);
		free(s);
	}
}

static void the_longest_target_comes_back(void **state)
{
	char target[SYMLINK_PLAIN_MAX + 1], back[SYMLINK_PLAIN_MAX + 1];
	uint8_t out[SYMLINK_SEALED_MAX + 1];
	struct fixed f = fixed_make();
	struct sealed *s;
	int is_file;
	size_t len;

	memset(target, 'q', sizeof(target));
	s = seal(target, SYMLINK_PLAIN_MAX);
	assert_int_equal(s->len, SYMLINK_SEALED_MAX);
	assert_ok(open_sealed(s, back, &len));
	assert_int_equal(len, SYMLINK_PLAIN_MAX);
	free(s);
	assert_err(symlink_seal(f.names_key, f.bucket, target, SYMLINK_PLAIN_MAX + 1, out, &len, &is_file), ERR_TOO_LONG);
	assert_err(symlink_seal(f.names_key, f.bucket, "", 0, out, &len, &is_file), ERR_INVALID);
	assert_err(symlink_seal(f.names_key, f.bucket, "a\0b", 3, out, &len, &is_file), ERR_INVALID);
}

static void check_flips(size_t target_len, size_t step)
{
	char target[SYMLINK_PLAIN_MAX], back[SYMLINK_PLAIN_MAX + 1];
	struct sealed *s;
	size_t len;

	memset(target, 'f', sizeof(target));
	s = seal(target, target_len);
	for (size_t bit = 0; bit < s->len * 8; bit += step) {
		enum err e;

		s->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		e = open_sealed(s, back, &len);
		assert_true(e == ERR_FORMAT || e == ERR_NOT_AUTHENTIC);
		assert_int_equal(len, 0);
		s->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	while (s->len > 0) {
		s->len--;
		assert_int_not_equal(open_sealed(s, back, &len), ERR_OK);
	}
	free(s);
}

static void a_flipped_bit_is_noticed(void **state)
{
	check_flips(1, 1);
	check_flips(9, 1);
	check_flips(3016, 7);
}

static void equal_targets_look_different(void **state)
{
	struct sealed *one = seal("same", 4), *other = seal("same", 4);

	assert_memory_not_equal(one->bytes, other->bytes, one->len);
	free(one);
	free(other);
}

static void a_link_of_another_bucket_is_not_ours(void **state)
{
	struct fixed f = fixed_make();
	char back[SYMLINK_PLAIN_MAX + 1];
	size_t len;

	assert_err(symlink_open(f.names_key, f.link, (const uint8_t *)SHORT, strlen(SHORT), 0, back, &len), ERR_NOT_AUTHENTIC);
	assert_err(symlink_open(f.file_key, f.bucket, (const uint8_t *)SHORT, strlen(SHORT), 0, back, &len), ERR_NOT_AUTHENTIC);
}

static void other_files_are_no_links(void **state)
{
	struct stat lower = { .st_mode = S_IFREG };

	assert_false(symlink_is_file(&lower));
	lower.st_size = 8 * 4096;
	assert_false(symlink_is_file(&lower));
	lower.st_size = SYMLINK_SEALED_MAX + 1;
	assert_false(symlink_is_file(&lower));
	lower.st_size = SYMLINK_SEALED_MAX;
	assert_true(symlink_is_file(&lower));
	lower.st_mode = S_IFIFO;
	assert_false(symlink_is_file(&lower));
	lower = (struct stat){ .st_mode = S_IFLNK, .st_size = 3 };
	assert_int_equal(symlink_plain_size(&lower), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(links_have_fixed_vectors),
	cmocka_unit_test(targets_of_every_length_come_back),
	cmocka_unit_test(the_longest_target_comes_back),
	cmocka_unit_test(a_flipped_bit_is_noticed),
	cmocka_unit_test(equal_targets_look_different),
	cmocka_unit_test(a_link_of_another_bucket_is_not_ours),
	cmocka_unit_test(other_files_are_no_links),
};

UNIT_MAIN(tests)
