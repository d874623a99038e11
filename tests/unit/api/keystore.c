#include "tests/unit/api/keystore.h"

#include <stdio.h>
#include <string.h>
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "keymgr/api/operations.h"
#include "tests/lib/unit.h"

int keystore_setup(void **state)
{
	struct keymgr_create_options options = { .kind = PROTECTOR_KEYFILE };
	struct unlock unlock = { .no_prompt = 1 };
	static int number;
	struct keymgr *k;
	char path[512];

	assert_ok(secret_start());
	log_open("test", NULL, LOG_LEVEL_ERROR);
	snprintf(path, sizeof(path), "%s/keystore-%d", unit_directory(), number++);
	assert_ok(keymgr_create(path, &options));
	assert_ok(keymgr_open(path, &unlock, 0, &k));
	*state = k;
	return 0;
}

int keystore_teardown(void **state)
{
	keymgr_close(*state);
	return 0;
}

json_t *call(struct keymgr *k, const char *operation, const char *request, enum err expected)
{
	json_t *in = NULL, *out;
	enum err e;

	if (request)
		assert_ok(json_parse(request, strlen(request), &in));
	e = api_call(k, operation, in, &out);
	if (e != expected)
		fail_msg("%s %s: %d (%s), expected %d", operation, request ? request : "", (int)e, err_message(e),
			 (int)expected);
	if (e != ERR_OK)
		assert_null(out);
	json_decref(in);
	return out;
}

void new_key(struct keymgr *k, char out[static UUID_TEXT_LEN + 1])
{
	json_t *answer = call(k, "CreateKey", NULL, ERR_OK);

	snprintf(out, UUID_TEXT_LEN + 1, "%s", text_of(answer, "KeyMetadata.KeyId"));
	json_decref(answer);
}

const char *text_of(const json_t *answer, const char *path)
{
	const char *dot = strchr(path, '.');
	char first[64];

	if (dot) {
		snprintf(first, sizeof(first), "%.*s", (int)(dot - path), path);
		answer = json_object_get(answer, first);
		path = dot + 1;
	}
	return json_string_value(json_object_get(answer, path));
}

const char *with_key(const char *format, const char *key)
{
	static char text[8192];
	size_t len = 0;

	for (; *format && len < sizeof(text) - UUID_TEXT_LEN - 1; format++) {
		if (strncmp(format, "%K", 2) == 0) {
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", key);
			format++;
		} else {
			text[len++] = *format;
		}
	}
	text[len] = 0;
	return text;
}
