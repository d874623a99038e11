/* A table of policies as it lies there; and, sealed with the right key, the bytes as what stands under the seal. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/aead.h"
#include "base/cursor.h"
#include "base/kdf.h"
#include "fs/policy/policy_file.h"
#include "tests/lib/fixed.h"

#define CLEAR_LEN 20
#define TEXT_AT (CLEAR_LEN + AEAD_NONCE_LEN + AEAD_TAG_LEN)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What opens is sealed to what opens to the same. */
static void check(const struct fixed *f, const uint8_t *bytes, size_t len)
{
	struct policy_list l, again;
	uint8_t *sealed;
	size_t sealed_len;

	if (policy_file_open(bytes, len, f->names_key, f->bucket, &l) != ERR_OK)
		return;
	if (policy_file_seal(&l, f->names_key, f->bucket, &sealed, &sealed_len) != ERR_OK || sealed_len != len ||
	    policy_file_open(sealed, sealed_len, f->names_key, f->bucket, &again) != ERR_OK || again.count != l.count ||
	    memcmp(again.policies, l.policies, l.count * sizeof(*l.policies)) != 0)
		abort();
	policy_list_release(&again);
	policy_list_release(&l);
	free(sealed);
}

static void check_under_seal(const struct fixed *f, const uint8_t *text, size_t len)
{
	const struct kdf_fields fields = { .a = f->bucket };
	size_t padded = (len / 4096 + 1) * 4096;
	uint8_t key[KDF_KEY_LEN], ad[UUID_LEN + CLEAR_LEN], *bytes = calloc(1, TEXT_AT + padded);
	struct writer w = writer_over(bytes, TEXT_AT);
	struct aead *cipher;

	writer_bytes(&w, "rekeypol", 8);
	writer_u16(&w, 1);
	writer_u16(&w, 0);
	writer_u64(&w, 3);
	memcpy(ad, f->bucket, UUID_LEN);
	memcpy(ad + UUID_LEN, bytes, CLEAR_LEN);
	memcpy(bytes + TEXT_AT, text, len);
	kdf(f->names_key, KDF_POLICY, &fields, key);
	if (aead_get(AEAD_XCHACHA20_POLY1305, key, &cipher) != ERR_OK)
		abort();
	aead_seal(cipher, bytes + CLEAR_LEN, 0, ad, sizeof(ad), bytes + TEXT_AT, padded, bytes + TEXT_AT, bytes + CLEAR_LEN + AEAD_NONCE_LEN);
	aead_put(cipher);
	check(f, bytes, TEXT_AT + padded);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fixed f = fixed_make();

	check(&f, data, size);
	check_under_seal(&f, data, size);
	return 0;
}
