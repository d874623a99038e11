#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include "keymgr/api/pages.h"

/* A list of the texts "00", "01", …, those in `gone` taken out. */
struct list { int count; const char *gone; };

static enum err listing(const struct list *l, struct page *p)
{
	for (int i = 0; i < l->count; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%02d", i);
		if (l->gone && strcmp(l->gone, text) == 0)
			continue;
		if (page_wants(p, text, 2) && page_add(p, text, 2, json_string(text)))
			break;
	}
	return ERR_OK;
}

static enum err get(const struct list *l, enum page_order order, const char *request, const char *marker, json_t **out)
{
	json_t *in = json_loads(request, 0, NULL);
	struct page p;
	enum err e;

	*out = NULL;
	if (marker)
		json_object_set_new(in, "Marker", json_string(marker));
	e = page_begin(&p, in, 'T', order, 10);
	if (e == ERR_OK)
		e = page_end(&p, listing(l, &p), "Texts", out);
	json_decref(in);
	return e;
}

static const char *first(const json_t *page)
{
	return json_string_value(json_array_get(json_object_get(page, "Texts"), 0));
}

static size_t count(const json_t *page)
{
	return json_array_size(json_object_get(page, "Texts"));
}

static const char *next(const json_t *page)
{
	return json_string_value(json_object_get(page, "NextMarker"));
}

static void pages_follow_each_other(void **state)
{
	static const enum page_order orders[] = { PAGE_BY_MARKER, PAGE_SORTED };
	struct list l = { 25, NULL };

	for (int i = 0; i < 2; i++) {
		json_t *a, *b, *c;

		assert_ok(get(&l, orders[i], "{}", NULL, &a));
		assert_int_equal(count(a), 10);
		assert_true(json_is_true(json_object_get(a, "Truncated")));
		assert_ok(get(&l, orders[i], "{\"Limit\": 14}", next(a), &b));
		assert_string_equal(first(b), "10");
		assert_int_equal(count(b), 14);
		assert_ok(get(&l, orders[i], "{}", next(b), &c));
		assert_string_equal(first(c), "24");
		assert_int_equal(count(c), 1);
		assert_true(json_is_false(json_object_get(c, "Truncated")));
		assert_null(next(c));
		json_decref(a);
		json_decref(b);
		json_decref(c);
	}
}

static void a_page_that_ends_with_the_list_is_the_last(void **state)
{
	struct list l = { 10, NULL };
	json_t *page;

	assert_ok(get(&l, PAGE_BY_MARKER, "{}", NULL, &page));
	assert_int_equal(count(page), 10);
	assert_true(json_is_false(json_object_get(page, "Truncated")));
	json_decref(page);
	l.count = 0;
	assert_ok(get(&l, PAGE_BY_MARKER, "{}", NULL, &page));
	assert_int_equal(count(page), 0);
	json_decref(page);
}

static void an_entry_that_is_gone(void **state)
{
	struct list l = { 25, NULL };
	json_t *a, *b;

	assert_ok(get(&l, PAGE_SORTED, "{}", NULL, &a));
	l.gone = "09";
	assert_ok(get(&l, PAGE_SORTED, "{}", next(a), &b));
	assert_string_equal(first(b), "10");
	json_decref(b);
	assert_err(get(&l, PAGE_BY_MARKER, "{}", next(a), &b), ERR_MARKER);
	assert_null(b);
	json_decref(a);
}

static void markers_that_are_none(void **state)
{
	struct list l = { 25, NULL };
	json_t *page;

	assert_err(get(&l, PAGE_SORTED, "{}", "x", &page), ERR_MARKER);
	assert_err(get(&l, PAGE_SORTED, "{}", "!!", &page), ERR_MARKER);
	assert_err(get(&l, PAGE_SORTED, "{}", "VA", &page), ERR_MARKER);	/* no identity */
	assert_err(get(&l, PAGE_SORTED, "{}", "VTA5", &page), ERR_MARKER);		/* another list's: U, not T */
	assert_ok(get(&l, PAGE_SORTED, "{}", "VDA5", &page));				/* T09 */
	assert_string_equal(first(page), "10");
	json_decref(page);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(pages_follow_each_other),
	cmocka_unit_test(a_page_that_ends_with_the_list_is_the_last),
	cmocka_unit_test(an_entry_that_is_gone),
	cmocka_unit_test(markers_that_are_none),
};

UNIT_MAIN(tests)
