#include "tests/lib/unit.h"

#include <string.h>
#include <jansson.h>
#include "keymgr/ctl/shorthand.h"

static void maps(const char *text, const char *expected)
{
	json_t *map, *wanted = json_loads(expected, 0, NULL);

	assert_ok(shorthand_map(text, &map));
	assert_true(json_equal(map, wanted));
	json_decref(map);
	json_decref(wanted);
}

static void refused(const char *text, const char *what)
{
	json_t *map = (json_t *)1;

	assert_err(shorthand_map(text, &map), ERR_USAGE);
	assert_non_null(strstr(err_message(ERR_USAGE), what));
	assert_null(map);
}

static void pairs(void **state)
{
	maps("a=b", "{\"a\": \"b\"}");
	maps("a=b,c=d", "{\"a\": \"b\", \"c\": \"d\"}");
	maps("a=", "{\"a\": \"\"}");
	maps("a=b=c", "{\"a\": \"b=c\"}");
	maps("", "{}");
	maps("a=x y,b=z", "{\"a\": \"x y\", \"b\": \"z\"}");
}

static void quotes_and_backslashes(void **state)
{
	maps("a=\"b,c\",d='e=\"f'", "{\"a\": \"b,c\", \"d\": \"e=\\\"f\"}");
	maps("a=b\\,c", "{\"a\": \"b,c\"}");
	maps("a\\=b=c", "{\"a=b\": \"c\"}");
	maps("a=it's", "{\"a\": \"it's\"}");
	maps("a=\"x\\\"y\"", "{\"a\": \"x\\\"y\"}");
}

static void json(void **state)
{
	maps("{\"a\": \"b\", \"c\": \"d,e\"}", "{\"a\": \"b\", \"c\": \"d,e\"}");
	maps("  {\"a\": \"b\"}", "{\"a\": \"b\"}");
}

static void what_is_refused(void **state)
{
	refused("a", "not name=value");
	refused("=b", "not name=value");
	refused("a,b=c", "not name=value");
	refused("a=b,", "last comma");
	refused("a=\"b", "quote");
	refused("a=b,a=c", "twice");
	refused("{\"a\": \"b\"", "JSON");
	refused("{\"a\": \"b\", \"a\": \"c\"}", "JSON");
	refused("a=\xff", "UTF-8");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(pairs),
	cmocka_unit_test(quotes_and_backslashes),
	cmocka_unit_test(json),
	cmocka_unit_test(what_is_refused),
};

UNIT_MAIN(tests)
