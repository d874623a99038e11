/*
 * Bounded reading and writing of little-endian fields.  All bytes from disk,
 * socket or user are parsed through a cursor: a read past the end gives zeros and
 * sets `failed`, which the caller checks once at the end.
 */
#ifndef REKEYFS_BASE_CURSOR_H
#define REKEYFS_BASE_CURSOR_H

#include <stddef.h>
#include <stdint.h>

struct cursor {
	const uint8_t *at, *end;
	int failed;
};

struct cursor cursor_over(const void *bytes, size_t len);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
/* Copies `len` bytes out (zeros where there are too few). */
void cursor_bytes(struct cursor *c, void *out, size_t len);
/* A pointer to the next `len` bytes inside the cursor, or NULL and failed. */
const uint8_t *cursor_take(struct cursor *c, size_t len);
/* 1 where the next `len` bytes are all zero; fails otherwise (reserved bytes). */
int cursor_zeros(struct cursor *c, size_t len);
size_t cursor_left(const struct cursor *c);

struct writer {
	uint8_t *start, *at, *end;
	int failed;		/* a write that did not fit */
};

struct writer writer_over(void *bytes, size_t len);
void writer_u8(struct writer *w, uint8_t v);
void writer_u16(struct writer *w, uint16_t v);
void writer_u32(struct writer *w, uint32_t v);
void writer_u64(struct writer *w, uint64_t v);
void writer_bytes(struct writer *w, const void *bytes, size_t len);
void writer_zeros(struct writer *w, size_t len);
size_t writer_len(const struct writer *w);

#endif
