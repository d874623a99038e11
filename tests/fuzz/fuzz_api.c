/*
 * Requests of KMS on a keystore of its own: the operation's name in the first line, JSON behind
 * it, with a key's id in the place of each @.  Every error is one that KMS has, an answer comes
 * with success alone, and the keystore stays one that opens.
 */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "keymgr/api/kms_error.h"
#include "keymgr/api/operations.h"

#define CALLS_A_KEYSTORE 400
#define INPUT_MAX 16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[256], key[UUID_TEXT_LEN + 1];
static struct keymgr *keystore;
static int calls;

static void need(int condition)
{
	if (!condition)
		abort();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	return remove(path);
}

static void drop(void)
{
	keymgr_close(keystore);
	keystore = NULL;
	if (directory[0])
		nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	directory[0] = 0;
}

static void make(void)
{
	struct keymgr_create_options options = { .kind = PROTECTOR_KEYFILE };
	struct unlock unlock = { .no_prompt = 1 };
	const char *parent = getenv("TMPDIR");
	struct key_metadata m;
	char path[300];

	snprintf(directory, sizeof(directory), "%.200s/fuzz-api-XXXXXX", parent ? parent : "/tmp");
	need(mkdtemp(directory) != NULL);
	snprintf(path, sizeof(path), "%s/keystore", directory);
	need(keymgr_create(path, &options) == ERR_OK && keymgr_open(path, &unlock, 1, &keystore) == ERR_OK);
	need(keymgr_create_key(keystore, "", &m) == ERR_OK);
	uuid_text(m.key_id, key);
	key_metadata_release(&m);
	need(keymgr_create_alias(keystore, "alias/fuzz", key) == ERR_OK);
}

/* A keystore that is used up is exchanged; what opens again was not harmed. */
static void prepare(void)
{
	static int started;
	struct unlock unlock = { .no_prompt = 1 };
	char path[300];

	if (!started) {
		need(secret_start() == ERR_OK);
		log_open("fuzz_api", NULL, LOG_LEVEL_ERROR);
		atexit(drop);
		started = 1;
	}
	if (keystore && ++calls >= CALLS_A_KEYSTORE) {
		snprintf(path, sizeof(path), "%s/keystore", directory);
		keymgr_close(keystore);
		keystore = NULL;
		need(keymgr_open(path, &unlock, 1, &keystore) == ERR_OK);
		drop();
		calls = 0;
	}
	if (!keystore)
		make();
}

static size_t fill_in(const uint8_t *data, size_t size, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < size && len < INPUT_MAX; i++) {
		if (data[i] == '@') {
			memcpy(out + len, key, UUID_TEXT_LEN);
			len += UUID_TEXT_LEN;
		} else {
			out[len++] = (char)data[i];
		}
	}
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[INPUT_MAX + UUID_TEXT_LEN];
	const uint8_t *newline = memchr(data, '\n', size);
	json_t *in = NULL, *out = NULL;
	char operation[64];
	size_t len;
	enum err e;

	if (!newline || (size_t)(newline - data) >= sizeof(operation))
		return 0;
	memcpy(operation, data, (size_t)(newline - data));
	operation[newline - data] = 0;
	prepare();
	len = fill_in(newline + 1, size - (size_t)(newline + 1 - data), text);
	if (json_parse(text, len, &in) != ERR_OK)
		return 0;
	e = api_call(keystore, operation, in, &out);
	need(e == ERR_OK || (!out && kms_error_name(e) && *err_message(e)));
	/* The key stays of use for the next. */
	if (e == ERR_OK && strcmp(operation, "ScheduleKeyDeletion") == 0)
		need(keymgr_cancel_deletion(keystore, json_string_value(json_object_get(in, "KeyId"))) == ERR_OK);
	keymgr_enable_key(keystore, key);
	json_decref(in);
	json_decref(out);
	return 0;
}
