#include "keymgr/api/pages.h"

#include <string.h>
#include "base/bytes.h"
#include "keymgr/api/request.h"
#include "keymgr/api/shapes.h"

static enum err read_marker(struct page *p, const char *marker)
{
	uint8_t bytes[PAGE_IDENTITY_MAX + 1];
	size_t len;

	if (bytes_from_base64url(marker, strlen(marker), bytes, sizeof(bytes), &len) != ERR_OK ||
	    len < 2 || bytes[0] != (uint8_t)p->list)
		return err_set(ERR_MARKER, "the marker is none that this list has given");
	p->after_len = len - 1;
	memcpy(p->after, bytes + 1, len - 1);
	return ERR_OK;
}

enum err page_begin(struct page *p, const json_t *in, char list, enum page_order order, long default_limit)
{
	const char *marker = request_string(in, "Marker");
	enum err e;

	*p = (struct page){ .list = list, .order = order, .limit = request_integer(in, "Limit", default_limit),
			    .passed = !marker };
	e = marker ? read_marker(p, marker) : ERR_OK;
	if (e != ERR_OK)
		return e;
	p->entries = json_array();
	return p->entries ? ERR_OK : ERR_NO_MEMORY;
}

static int is_behind(const struct page *p, const void *identity, size_t len)
{
	size_t common = len < p->after_len ? len : p->after_len;
	int order = memcmp(identity, p->after, common);

	return order > 0 || (order == 0 && len > p->after_len);
}

int page_wants(struct page *p, const void *identity, size_t len)
{
	if (p->order == PAGE_SORTED && !p->passed)
		return is_behind(p, identity, len);
	if (p->passed)
		return 1;
	p->passed = len == p->after_len && memcmp(identity, p->after, len) == 0;
	return 0;
}

int page_add(struct page *p, const void *identity, size_t len, json_t *entry)
{
	if (json_array_size(p->entries) == (size_t)p->limit) {
		p->truncated = 1;
		json_decref(entry);
		return 1;
	}
	if (len > PAGE_IDENTITY_MAX) {
		json_decref(entry);
		p->error = ERR_INTERNAL;
	} else if (json_array_append_new(p->entries, entry) != 0) {
		p->error = ERR_NO_MEMORY;
	} else {
		memcpy(p->last, identity, len);
		p->last_len = len;
	}
	return p->error != ERR_OK;
}

static json_t *next_marker(const struct page *p)
{
	char text[BASE64URL_LEN(PAGE_IDENTITY_MAX + 1) + 1];
	uint8_t bytes[PAGE_IDENTITY_MAX + 1];

	bytes[0] = (uint8_t)p->list;
	memcpy(bytes + 1, p->last, p->last_len);
	bytes_to_base64url(bytes, p->last_len + 1, text);
	return json_string(text);
}

enum err page_end(struct page *p, enum err e, const char *name, json_t **out)
{
	json_t *answer = NULL;

	if (e == ERR_OK)
		e = p->error;
	if (e == ERR_OK && p->order == PAGE_BY_MARKER && !p->passed)
		e = err_set(ERR_MARKER, "what the marker stands for is no longer in the list: begin anew");
	if (e != ERR_OK)
		goto out;
	answer = json_pack("{s:O}", name, p->entries);
	e = answer ? ERR_OK : ERR_NO_MEMORY;
	if (e == ERR_OK && p->truncated)
		e = shape_set(answer, "NextMarker", next_marker(p));
	if (e == ERR_OK)
		e = shape_set(answer, "Truncated", json_boolean(p->truncated));
out:
	json_decref(p->entries);
	p->entries = NULL;
	if (e != ERR_OK) {
		json_decref(answer);
		answer = NULL;
	}
	*out = answer;
	return e;
}
