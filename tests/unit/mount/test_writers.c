/* Counting who could write to a node. */
#include "fs/mount/writers.h"
#include "tests/lib/unit.h"

static void counts_handles(void **state)
{
	const struct node *one = (const void *)0x1000, *two = (const void *)0x2000;
	struct writers *w;

	assert_ok(writers_new(&w));
	assert_false(writers_any(w, one));
	assert_ok(writers_add(w, one));
	assert_ok(writers_add(w, one));
	assert_true(writers_any(w, one));
	assert_false(writers_any(w, two));
	writers_remove(w, one);
	assert_true(writers_any(w, one));
	writers_remove(w, one);
	assert_false(writers_any(w, one));
	writers_remove(w, one);
	assert_false(writers_any(w, one));
	writers_free(w);
}

/* More nodes than chains. */
static void keeps_many_apart(void **state)
{
	struct writers *w;

	assert_ok(writers_new(&w));
	for (uintptr_t i = 1; i <= 5000; i++)
		assert_ok(writers_add(w, (const void *)(i * 64)));
	for (uintptr_t i = 1; i <= 5000; i += 2)
		writers_remove(w, (const void *)(i * 64));
	for (uintptr_t i = 1; i <= 5000; i++)
		assert_int_equal(writers_any(w, (const void *)(i * 64)), i % 2 == 0);
	writers_free(w);
	writers_free(NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(counts_handles),
	cmocka_unit_test(keeps_many_apart),
};
UNIT_MAIN(tests)
