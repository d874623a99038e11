/* A lower symlink's text, or a file, as a target; and as a target to be sealed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/secret.h"
#include "fs/names/symlink.h"
#include "tests/lib/fixed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t sealed[SYMLINK_SEALED_MAX + 1];
	static char target[SYMLINK_PLAIN_MAX + 1];
	struct fixed f = fixed_make();
	int is_file;
	size_t len, got;

	for (int kind = 0; kind < 2; kind++)
		if (symlink_open(f.names_key, f.bucket, data, size, kind, target, &len) == ERR_OK) {
			struct stat lower = { .st_mode = kind ? S_IFREG : S_IFLNK, .st_size = (off_t)size };

			if (strlen(target) != len || len == 0 || symlink_plain_size(&lower) != len)
				abort();
		}
	if (symlink_seal(f.names_key, f.bucket, (const char *)data, size, sealed, &len, &is_file) == ERR_OK &&
	    (symlink_open(f.names_key, f.bucket, sealed, len, is_file, target, &got) != ERR_OK || got != size ||
	     memcmp(target, data, size) != 0))
		abort();
	return 0;
}
