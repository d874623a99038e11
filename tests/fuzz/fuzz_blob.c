/* Ciphertext blobs, key names and recovery codes: what users hand in. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "keymgr/core/ciphertext.h"
#include "keymgr/core/key_name.h"
#include "keymgr/protectors/recovery_code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_blob(const uint8_t *data, size_t size)
{
	static const uint8_t backing_key[BACKING_KEY_LEN] = { 9 };
	struct key_ref ref;
	struct secret *s;

	if (blob_ref(data, size, &ref) != ERR_OK)
		return;
	if (size < CIPHERTEXT_OVERHEAD)
		abort();
	if (ciphertext_open(backing_key, NULL, data, size, &s) == ERR_OK)
		abort();	/* a tag guessed */
}

static void read_name(const char *text)
{
	static struct keystore *s;
	struct cmk *cmk;

	s = s ? s : keystore_new();
	if (!s || key_name_find(s, text, KEY_NAME_ANY, &cmk) == ERR_OK)
		abort();	/* there is no key in it */
	if (alias_name_valid(text) && strlen(text) > ALIAS_MAX)
		abort();
}

/* A text that is a code is the text of its bytes, but for case and spacing. */
static void read_code(const uint8_t *data, size_t size)
{
	struct secret text = { .len = size, .bytes = (uint8_t *)data };
	uint8_t bytes[RECOVERY_BYTES], again[RECOVERY_BYTES];
	char code[RECOVERY_CODE_LEN + 1];

	if (recovery_code_parse(&text, bytes) != ERR_OK)
		return;
	recovery_code_text(bytes, code);
	text = (struct secret){ .len = RECOVERY_CODE_LEN, .bytes = (uint8_t *)code };
	if (recovery_code_parse(&text, again) != ERR_OK || memcmp(bytes, again, sizeof(bytes)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	read_blob(data, size);
	read_name(text);
	read_code(data, size);
	free(text);
	return 0;
}
