/*
 * Lists in pages: Limit and Marker in, NextMarker and Truncated out.
 *
 *	page_begin(&page, in, 'K', PAGE_BY_MARKER, 100);
 *	keymgr_list_…(…, each, …);	each calls page_wants() with an entry's identity, and where
 *					that is 1 page_add(); it ends the list where page_full()
 *	page_end(&page, "Keys", out);
 *
 * A marker is the identity of the last entry that was told, under a letter for the list that
 * it belongs to, as base64url: a program sees no meaning in it.
 */
#ifndef REKEYFS_KEYMGR_API_PAGES_H
#define REKEYFS_KEYMGR_API_PAGES_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

#define PAGE_IDENTITY_MAX 256

enum page_order {
	PAGE_BY_MARKER,		/* goes on behind the marker's entry, which must still be there */
	PAGE_SORTED,		/* by identity, as memcmp, shorter first: the marker's entry may be gone */
};

struct page {
	char list;		/* the letter */
	enum page_order order;
	long limit;
	uint8_t after[PAGE_IDENTITY_MAX], last[PAGE_IDENTITY_MAX];
	size_t after_len, last_len;	/* after_len 0: from the beginning */
	int passed;		/* the entry of the marker was seen */
	int truncated;
	json_t *entries;
	enum err error;
};

/* ERR_MARKER, ERR_NO_MEMORY. */
enum err page_begin(struct page *p, const json_t *in, char list, enum page_order order, long default_limit);
/* Is this entry behind the marker's? */
int page_wants(struct page *p, const void *identity, size_t len);
/* Takes `entry` over.  Non-zero ends the list: the page is full, or p->error. */
int page_add(struct page *p, const void *identity, size_t len, json_t *entry);
/* {name: […], "NextMarker": …, "Truncated": …}.  `e`: what the listing itself returned.  Releases `p`.
 * ERR_MARKER where the marker's entry is no longer there. */
enum err page_end(struct page *p, enum err e, const char *name, json_t **out);

#endif
