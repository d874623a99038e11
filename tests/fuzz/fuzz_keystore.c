/*
 * What of a keystore comes from disk.  The first byte says what the rest is: a keystore file,
 * its sealed body in clear (sealed here, so that the parser behind the seal is reached), a
 * copy of the ledger (given its MAC here), or an audit line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/kdf.h"
#include "keymgr/core/audit_log.h"
#include "keymgr/core/keystore.h"
#include "keymgr/core/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_BYTES, BODY, LEDGER, AUDIT_LINE, KINDS };

static const uint8_t root[ROOT_KEY_LEN] = { 1, 2, 3 };

static void read_file(const uint8_t *data, size_t size)
{
	struct keystore *s = keystore_new();
	size_t head;

	if (s && keystore_read_head(s, data, size, &head) == ERR_OK)
		keystore_read_body(s, root, data, size, head);
	keystore_free(s);
}

/* What was read is written, and reads again. */
static void write_again(const struct keystore *s)
{
	struct keystore *again = keystore_new();
	uint8_t *bytes;
	size_t len, head;

	if (!again || keystore_write(s, root, &bytes, &len) != ERR_OK ||
	    keystore_read_head(again, bytes, len, &head) != ERR_OK ||
	    keystore_read_body(again, root, bytes, len, head) != ERR_OK || again->cmk_count != s->cmk_count ||
	    again->alias_count != s->alias_count || again->bucket_count != s->bucket_count)
		abort();
	free(bytes);
	keystore_free(again);
}

static void read_body(const uint8_t *data, size_t size)
{
	uint8_t key[KDF_KEY_LEN], *bytes = malloc(size + AEAD_WRAP_OVERHEAD);
	struct keystore *s = keystore_new();
	struct protector p = { .kind = PROTECTOR_KEYFILE, .root_epoch = 1 };

	if (!s || !bytes)
		abort();
	s->generation = 1;
	if (keystore_first_root(s, root) != ERR_OK || keystore_add_protector(s, &p) != ERR_OK)
		abort();
	kdf(root, KDF_KEYSTORE, NULL, key);
	aead_wrap(key, NULL, 0, data, size, bytes);
	if (keystore_read_body(s, root, bytes, size + AEAD_WRAP_OVERHEAD, 0) == ERR_OK)
		write_again(s);
	keystore_free(s);
	free(bytes);
}

static void read_ledger(const uint8_t *data, size_t size)
{
	static const uint8_t id[UUID_LEN];
	uint8_t *bytes = malloc(size + 32), *again;
	struct ledger l;
	size_t len;

	if (!bytes)
		abort();
	memcpy(bytes, data, size);
	kdf_mac(root, bytes, size, bytes + size, 32);
	if (ledger_read(bytes, size + 32, id, root, &l) == ERR_OK) {
		if (ledger_write(&l, id, root, &again, &len) != ERR_OK)
			abort();
		free(again);
		ledger_release(&l);
	}
	free(bytes);
}

static void read_line(const uint8_t *data, size_t size)
{
	struct audit_line line;
	uint8_t hash[AUDIT_HASH_LEN];

	if (audit_line_parse((const char *)data, size, &line) != ERR_OK)
		return;
	audit_line_hash(&line, hash);
	if (audit_line_verify(&line, root) == ERR_OK)
		abort();	/* a MAC guessed */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % KINDS) {
	case FILE_BYTES:
		read_file(data + 1, size - 1);
		break;
	case BODY:
		read_body(data + 1, size - 1);
		break;
	case LEDGER:
		read_ledger(data + 1, size - 1);
		break;
	case AUDIT_LINE:
		read_line(data + 1, size - 1);
		break;
	}
	return 0;
}
