/* etc/rekeyfs.ini is a file that parses: as it is, where it sets nothing, and with each shown
 * default taken. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <string.h>
#include "base/config.h"
#include "base/file_io.h"

#define PATH "etc/rekeyfs.ini"

static enum err count(void *context, const char *section, const char *key, const char *value)
{
	(*(int *)context)++;
	return *section ? ERR_OK : err_set(ERR_USAGE, "%s stands in no section", key);
}

static void as_it_is_it_sets_nothing(void **state)
{
	int pairs = 0;

	assert_ok(config_read_file(PATH, count, &pairs));
	assert_int_equal(pairs, 0);
}

static void each_default_parses(void **state)
{
	uint8_t *text;
	size_t len;
	int pairs = 0;

	assert_ok(file_load(AT_FDCWD, PATH, 65536, &text, &len));
	for (size_t i = 0; i + 1 < len; i++)
		if ((i == 0 || text[i - 1] == '\n') && text[i] == ';' && text[i + 1] >= 'a' && text[i + 1] <= 'z')
			text[i] = ' ';
	assert_ok(config_read_text(PATH, (char *)text, len, count, &pairs));
	assert_true(pairs >= 10);
	free(text);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(as_it_is_it_sets_nothing),
	cmocka_unit_test(each_default_parses),
};

UNIT_MAIN(tests)
