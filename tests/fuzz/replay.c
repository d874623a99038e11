/*
 * Runs a libFuzzer target without libFuzzer: on each file of tests/fuzz/corpus/NAME, then on
 * fixed mutations of them, the same in every run.  Speaks TAP.  Where the target ends in a
 * crash, the input is printed in hex.
 *
 *	fuzz_NAME [FILE…]	only these files
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/error.h"
#include "base/file_io.h"

#define RUNS 4000
#define SECONDS 20		/* for slow targets; the files themselves are always run */
#define INPUT_MAX 65536
#define FILES_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

struct input {
	uint8_t *bytes;
	size_t len;
};

static struct input corpus[FILES_MAX];
static size_t corpus_count;
static struct input current;	/* what the target is looking at */

static void on_crash(int signal_number)
{
	for (size_t i = 0; i < current.len; i++) {
		char text[HEX_LEN(1) + 1];

		bytes_to_hex(&current.bytes[i], 1, text);
		if (write(STDERR_FILENO, text, 2) < 0)
			break;
	}
	if (write(STDERR_FILENO, "\n", 1) == 1)
		signal(signal_number, SIG_DFL);
	raise(signal_number);
}

/* A copy of exactly its length, so that a sanitizer sees each byte read behind it. */
static void run_on(const uint8_t *bytes, size_t len)
{
	current.bytes = malloc(len ? len : 1);
	current.len = len;
	if (!current.bytes)
		abort();
	memcpy(current.bytes, bytes, len);
	LLVMFuzzerTestOneInput(current.bytes, len);
	free(current.bytes);
}

static void load(const char *path)
{
	struct input *input = &corpus[corpus_count];

	if (corpus_count == FILES_MAX ||
	    file_load(AT_FDCWD, path, INPUT_MAX, &input->bytes, &input->len) != ERR_OK) {
		printf("Bail out! cannot load %s\n", path);
		exit(1);
	}
	corpus_count++;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void load_corpus(const char *program)
{
	const char *slash = strrchr(program, '/');
	const char *name = strstr(slash ? slash : program, "fuzz_");
	char directory[256], path[1024];
	struct dirent **entries;
	int count;

	snprintf(directory, sizeof(directory), "tests/fuzz/corpus/%s", name ? name + 5 : program);
	count = scandir(directory, &entries, not_hidden, alphasort);
	if (count <= 0) {
		printf("Bail out! no files in %s\n", directory);
		exit(1);
	}
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		load(path);
		free(entries[i]);
	}
	free(entries);
}

static uint64_t next_random(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static size_t below(size_t limit)
{
	return limit ? next_random() % limit : 0;
}

/* One change: a bit, a byte, a run of bytes cut out, put in or copied from another file. */
static size_t mutate(uint8_t *bytes, size_t len)
{
	static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, ' ', '\n', '"', '=' };
	const struct input *other = &corpus[below(corpus_count)];
	size_t at = below(len), run = 1 + below(16);

	switch (below(len ? 6 : 1)) {
	case 0:			/* put in */
		if (len + run > INPUT_MAX)
			return len;
		memmove(bytes + at + run, bytes + at, len - at);
		for (size_t i = 0; i < run; i++)
			bytes[at + i] = (uint8_t)next_random();
		return len + run;
	case 1:			/* cut out */
		if (run > len - at)
			run = len - at;
		memmove(bytes + at, bytes + at + run, len - at - run);
		return len - run;
	case 2:
		bytes[at] ^= 1 << below(8);
		break;
	case 3:
		bytes[at] = edges[below(sizeof(edges))];
		break;
	case 4:			/* cut short */
		return at;
	default:
		if (run > len - at)
			run = len - at;
		if (run <= other->len)
			memcpy(bytes + at, other->bytes + below(other->len - run + 1), run);
	}
	return len;
}

static int run_mutations(void)
{
	static uint8_t bytes[INPUT_MAX];
	time_t end = time(NULL) + SECONDS;
	int runs = 0;

	while (runs < RUNS && time(NULL) < end) {
		const struct input *from = &corpus[below(corpus_count)];
		size_t len = from->len, changes = 1 + below(6);

		memcpy(bytes, from->bytes, len);
		while (changes-- > 0)
			len = mutate(bytes, len);
		run_on(bytes, len);
		runs++;
	}
	return runs;
}

int main(int argc, char **argv)
{
	char *program = argv[0];
	int files_only = argc > 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGABRT, on_crash);
	signal(SIGSEGV, on_crash);
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		load(argv[i]);
	if (!files_only)
		load_corpus(program);

	printf("1..%d\n", files_only ? 1 : 2);
	for (size_t i = 0; i < corpus_count; i++)
		run_on(corpus[i].bytes, corpus[i].len);
	printf("ok 1 - %zu files of the corpus\n", corpus_count);
	if (!files_only)
		printf("ok 2 - %d mutations of them\n", run_mutations());
	for (size_t i = 0; i < corpus_count; i++)
		free(corpus[i].bytes);
	return 0;
}
