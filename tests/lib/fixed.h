/* The fixed keys and ids of tests/vectors/bucket.py. */
#ifndef REKEYFS_TESTS_LIB_FIXED_H
#define REKEYFS_TESTS_LIB_FIXED_H

#include <stdint.h>
#include "base/uuid.h"

struct fixed {
	uint8_t names_key[32], file_key[32];
	uint8_t bucket[UUID_LEN], directory[UUID_LEN], link[UUID_LEN], none[UUID_LEN];
};

static inline void fixed_count(uint8_t *out, size_t len, uint8_t from)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(from + i);
}

static inline struct fixed fixed_make(void)
{
	struct fixed f = { .none = { 0 } };

	fixed_count(f.names_key, 32, 0);
	fixed_count(f.file_key, 32, 0x80);
	fixed_count(f.bucket, UUID_LEN, 0x40);
	fixed_count(f.directory, UUID_LEN, 0x60);
	fixed_count(f.link, UUID_LEN, 0xe0);
	return f;
}

#endif
