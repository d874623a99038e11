/* A lower name, a long one's text, a directory's header: what opens is what would be made again.  A first byte over 0x7f: a plain name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "fs/names/names.h"
#include "tests/lib/fixed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plain(const struct names_key *k, const char *plain, size_t len)
{
	struct lower_name name;
	char back[NAME_PLAIN_MAX + 1];
	const char *text;
	size_t got;

	if (names_encrypt(k, plain, len, &name) != ERR_OK)
		return;
	text = name.is_long ? name.text : name.name;
	if (names_decrypt(k, text, strlen(text), back, &got) != ERR_OK || got != len || memcmp(back, plain, len) != 0)
		abort();
	if (strlen(name.name) > NAME_LOWER_MAX || names_is_reserved(name.name) || name.is_long != names_long_matches(k, name.name, name.text))
		abort();
}

static void check_lower(const struct names_key *k, const char *lower, size_t len)
{
	char plain[NAME_PLAIN_MAX + 1];
	struct lower_name again;
	size_t got;

	if (names_decrypt(k, lower, len, plain, &got) != ERR_OK)
		return;
	if (strlen(plain) != got || names_encrypt(k, plain, got, &again) != ERR_OK ||
	    strncmp(again.is_long ? again.text : again.name, lower, len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fixed f = fixed_make();
	uint8_t id[UUID_LEN], checked[UUID_LEN];
	char text[NAME_TEXT_MAX + 1];
	struct names_key k;

	names_key_make(f.names_key, f.directory, &k);
	if (size > 0 && data[0] > 0x7f)
		check_plain(&k, (const char *)data + 1, size - 1);
	check_lower(&k, (const char *)data, size);
	if (dir_header_check(f.names_key, f.bucket, (const char *)data, size, checked) == ERR_OK &&
	    (dir_header_id((const char *)data, size, id) != ERR_OK || memcmp(id, checked, UUID_LEN) != 0))
		abort();
	if (size < sizeof(text)) {
		memcpy(text, data, size);
		text[size] = 0;
		names_is_reserved(text);
		names_is_long(text);
	}
	return 0;
}
