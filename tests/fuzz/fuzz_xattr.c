/* A sealed attribute as it lies there; and, sealed with the right key, the bytes as what stands under the seal. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/aead.h"
#include "base/cursor.h"
#include "base/kdf.h"
#include "fs/names/sealed_xattr.h"
#include "tests/lib/fixed.h"

#define LOWER "user.rekeyfs.MUC7tU_O70k_in0OlPGdXtRE5ylUpbuO"	/* of user.comment */
#define TEXT_AT (1 + 4 + AEAD_NONCE_LEN + AEAD_TAG_LEN)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct xattr_key *k, const uint8_t *sealed, size_t len)
{
	uint8_t *out = malloc(len ? len : 1);
	char name[256];
	size_t got;

	if (xattr_open(k, LOWER, sealed, len, name, out, &got) == ERR_OK &&
	    (strcmp(name, "user.comment") != 0 || got + strlen(name) + XATTR_SEALED_OVERHEAD != len))
		abort();
	free(out);
}

static void check_under_seal(const struct xattr_key *k, const uint8_t *text, size_t len)
{
	const struct kdf_fields fields = { .epoch = k->epoch, .a = k->bucket_id, .b = k->node_id };
	uint8_t key[KDF_KEY_LEN], ad[2 * UUID_LEN + 4 + sizeof(LOWER) - 1], *sealed = calloc(1, TEXT_AT + len);
	struct writer w = writer_over(ad, sizeof(ad));
	struct aead *cipher;

	writer_bytes(&w, k->bucket_id, UUID_LEN);
	writer_bytes(&w, k->node_id, UUID_LEN);
	writer_u32(&w, k->epoch);
	writer_bytes(&w, LOWER, sizeof(LOWER) - 1);
	kdf(k->key, KDF_XATTR, &fields, key);
	w = writer_over(sealed, TEXT_AT);
	writer_u8(&w, 1);
	writer_u32(&w, k->epoch);
	if (aead_get(AEAD_XCHACHA20_POLY1305, key, &cipher) != ERR_OK)
		abort();
	aead_seal(cipher, sealed + 5, 0, ad, sizeof(ad), text, len, sealed + TEXT_AT, sealed + 5 + AEAD_NONCE_LEN);
	aead_put(cipher);
	check(k, sealed, TEXT_AT + len);
	free(sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fixed f = fixed_make();
	struct xattr_key k = { .names_key = f.names_key, .bucket_id = f.bucket, .node_id = f.link, .key = f.file_key, .epoch = 9 };
	uint32_t epoch;

	xattr_epoch(data, size, &epoch);
	check(&k, data, size);
	check_under_seal(&k, data, size);
	return 0;
}
