#include "fs/keys/key_wrap.h"

#include <string.h>
#include "base/aead.h"
#include "base/cursor.h"
#include "base/kdf.h"
#include "base/secret.h"

_Static_assert(AEAD_KEY_LEN + AEAD_WRAP_OVERHEAD == SLOT_WRAP_LEN, "a wrapped key");
_Static_assert(KDF_KEY_LEN == SLOT_CHECK_LEN, "a check value");

static void make_ad(uint8_t purpose, const uint8_t *bucket_id, const uint8_t *node_id, const struct key_slot *slot,
		    uint8_t ad[static KEY_WRAP_AD_LEN])
{
	struct writer w = writer_over(ad, KEY_WRAP_AD_LEN);

	writer_u8(&w, purpose);
	writer_bytes(&w, bucket_id, UUID_LEN);
	writer_bytes(&w, node_id, UUID_LEN);
	writer_u32(&w, slot->epoch);
	writer_u8(&w, slot->suite);
	writer_bytes(&w, slot->key_id, SLOT_KEY_ID_LEN);
	writer_bytes(&w, slot->material_id, SLOT_MATERIAL_LEN);
}

void key_wrap_seal(const uint8_t bucket_key[static 32], uint8_t purpose, const uint8_t bucket_id[static UUID_LEN],
		   const uint8_t node_id[static UUID_LEN], const uint8_t key[static 32], struct key_slot *slot)
{
	uint8_t ad[KEY_WRAP_AD_LEN];

	make_ad(purpose, bucket_id, node_id, slot, ad);
	aead_wrap(bucket_key, ad, sizeof(ad), key, AEAD_KEY_LEN, slot->wrapped);
	kdf(key, KDF_COMMIT, NULL, slot->check);
}

enum err key_wrap_open(const uint8_t bucket_key[static 32], uint8_t purpose, const uint8_t bucket_id[static UUID_LEN],
		       const uint8_t node_id[static UUID_LEN], const struct key_slot *slot, uint8_t key_out[static 32])
{
	uint8_t ad[KEY_WRAP_AD_LEN], check[SLOT_CHECK_LEN];
	enum err e;

	make_ad(purpose, bucket_id, node_id, slot, ad);
	e = aead_unwrap(bucket_key, ad, sizeof(ad), slot->wrapped, SLOT_WRAP_LEN, key_out);
	if (e == ERR_OK) {
		kdf(key_out, KDF_COMMIT, NULL, check);
		if (!secret_equal(check, slot->check, SLOT_CHECK_LEN))
			e = ERR_NOT_AUTHENTIC;
	}
	if (e != ERR_OK)
		secret_wipe(key_out, AEAD_KEY_LEN);
	return e;
}
