#include "base/cursor.h"

#include <string.h>

struct cursor cursor_over(const void *bytes, size_t len)
{
	return (struct cursor){ .at = bytes, .end = bytes ? (const uint8_t *)bytes + len : NULL };
}

size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->at);
}

const uint8_t *cursor_take(struct cursor *c, size_t len)
{
	const uint8_t *taken = c->at;

	if (c->failed || len > cursor_left(c)) {
		c->failed = 1;
		c->at = c->end;
		return NULL;
	}
	c->at += len;
	return taken;
}

static uint64_t take_number(struct cursor *c, size_t len)
{
	const uint8_t *bytes = cursor_take(c, len);
	uint64_t v = 0;

	if (!bytes)
		return 0;
	for (size_t i = 0; i < len; i++)
		v |= (uint64_t)bytes[i] << (8 * i);
	return v;
}

uint8_t cursor_u8(struct cursor *c)
{
	return (uint8_t)take_number(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
	return (uint16_t)take_number(c, 2);
}

uint32_t cursor_u32(struct cursor *c)
{
	return (uint32_t)take_number(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
	return take_number(c, 8);
}

void cursor_bytes(struct cursor *c, void *out, size_t len)
{
	const uint8_t *bytes = cursor_take(c, len);

	if (len == 0)
		return;
	if (bytes)
		memcpy(out, bytes, len);
	else
		memset(out, 0, len);
}

int cursor_zeros(struct cursor *c, size_t len)
{
	const uint8_t *bytes = cursor_take(c, len);
	uint8_t any = 0;

	if (c->failed)
		return 0;
	for (size_t i = 0; i < len; i++)
		any |= bytes[i];
	if (any)
		c->failed = 1;
	return !any;
}

struct writer writer_over(void *bytes, size_t len)
{
	return (struct writer){ .start = bytes, .at = bytes, .end = bytes ? (uint8_t *)bytes + len : NULL };
}

size_t writer_len(const struct writer *w)
{
	return (size_t)(w->at - w->start);
}

static uint8_t *claim(struct writer *w, size_t len)
{
	uint8_t *place = w->at;

	if (w->failed || len > (size_t)(w->end - w->at)) {
		w->failed = 1;
		return NULL;
	}
	w->at += len;
	return place;
}

static void put_number(struct writer *w, uint64_t v, size_t len)
{
	uint8_t *place = claim(w, len);

	for (size_t i = 0; place && i < len; i++)
		place[i] = (uint8_t)(v >> (8 * i));
}

void writer_u8(struct writer *w, uint8_t v)
{
	put_number(w, v, 1);
}

void writer_u16(struct writer *w, uint16_t v)
{
	put_number(w, v, 2);
}

void writer_u32(struct writer *w, uint32_t v)
{
	put_number(w, v, 4);
}

void writer_u64(struct writer *w, uint64_t v)
{
	put_number(w, v, 8);
}

void writer_bytes(struct writer *w, const void *bytes, size_t len)
{
	uint8_t *place = claim(w, len);

	if (place && len > 0)
		memcpy(place, bytes, len);
}

void writer_zeros(struct writer *w, size_t len)
{
	uint8_t *place = claim(w, len);

	if (place && len > 0)
		memset(place, 0, len);
}
