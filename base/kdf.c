#include "base/kdf.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>
#include "base/cursor.h"

#define LABEL_LEN 16
#define INPUT_LEN (LABEL_LEN + 1 + 4 + 8 + KDF_ID_LEN + KDF_ID_LEN)

void kdf(const uint8_t key[static KDF_KEY_LEN], const char *label,
	 const struct kdf_fields *fields, uint8_t out[static KDF_KEY_LEN])
{
	static const struct kdf_fields none;
	static const uint8_t zero_id[KDF_ID_LEN];
	uint8_t input[INPUT_LEN];
	struct writer w = writer_over(input, sizeof(input));
	size_t label_len = strlen(label);

	assert(label_len <= LABEL_LEN);
	if (!fields)
		fields = &none;
	writer_bytes(&w, label, label_len);
	writer_zeros(&w, LABEL_LEN - label_len);
	writer_u8(&w, fields->suite);
	writer_u32(&w, fields->epoch);
	writer_u64(&w, fields->number);
	writer_bytes(&w, fields->a ? fields->a : zero_id, KDF_ID_LEN);
	writer_bytes(&w, fields->b ? fields->b : zero_id, KDF_ID_LEN);
	kdf_mac(key, input, sizeof(input), out, KDF_KEY_LEN);
}

void kdf_mac(const uint8_t key[static KDF_KEY_LEN], const void *bytes, size_t len,
	     uint8_t *out, size_t out_len)
{
	assert(out_len >= crypto_generichash_BYTES_MIN && out_len <= crypto_generichash_BYTES_MAX);
	crypto_generichash(out, out_len, bytes, len, key, KDF_KEY_LEN);
}
