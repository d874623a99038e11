#include "keymgr/core/backing_key.h"

#include <string.h>
#include "base/cursor.h"
#include "base/kdf.h"
#include "base/random.h"
#include "base/secret.h"

#define AD_LEN (UUID_LEN + KEY_ID_LEN + MATERIAL_ID_LEN + 1)

static void associated(const struct backing_key *b, struct backing_key_place place, uint8_t out[static AD_LEN])
{
	struct writer w = writer_over(out, AD_LEN);

	writer_bytes(&w, place.keystore_id, UUID_LEN);
	writer_bytes(&w, place.key_id, KEY_ID_LEN);
	writer_bytes(&w, b->id, MATERIAL_ID_LEN);
	writer_u8(&w, b->origin);
}

void backing_key_id(const uint8_t bytes[static BACKING_KEY_LEN], const uint8_t key_id[static KEY_ID_LEN],
		    uint8_t out[static MATERIAL_ID_LEN])
{
	struct kdf_fields fields = { .a = key_id };

	kdf(bytes, KDF_MATERIAL_ID, &fields, out);
}

void backing_key_wrap(struct backing_key *b, const uint8_t root[static 32], struct backing_key_place place,
		      const uint8_t bytes[static BACKING_KEY_LEN])
{
	uint8_t ad[AD_LEN], key[KDF_KEY_LEN];

	associated(b, place, ad);
	kdf(root, KDF_MATERIAL, NULL, key);
	aead_wrap(key, ad, sizeof(ad), bytes, BACKING_KEY_LEN, b->wrap);
	secret_wipe(key, sizeof(key));
}

void backing_key_make(struct backing_key *b, const uint8_t root[static 32], struct backing_key_place place, int64_t now)
{
	uint8_t bytes[BACKING_KEY_LEN];

	*b = (struct backing_key){ .origin = BACKING_KEY_GENERATED, .created = now };
	random_bytes(bytes, sizeof(bytes));
	backing_key_id(bytes, place.key_id, b->id);
	backing_key_wrap(b, root, place, bytes);
	secret_wipe(bytes, sizeof(bytes));
}

enum err backing_key_unwrap(const struct backing_key *b, const uint8_t root[static 32], struct backing_key_place place,
			    uint8_t out[static BACKING_KEY_LEN])
{
	uint8_t ad[AD_LEN], key[KDF_KEY_LEN], id[MATERIAL_ID_LEN];
	enum err e;

	if (b->flags & BACKING_KEY_DESTROYED)
		return err_set(ERR_KEY_DESTROYED, "the key material was destroyed");
	associated(b, place, ad);
	kdf(root, KDF_MATERIAL, NULL, key);
	e = aead_unwrap(key, ad, sizeof(ad), b->wrap, sizeof(b->wrap), out);
	secret_wipe(key, sizeof(key));
	if (e == ERR_OK) {
		backing_key_id(out, place.key_id, id);
		if (!secret_equal(id, b->id, sizeof(id)))
			e = ERR_NOT_AUTHENTIC;
	}
	if (e != ERR_OK) {
		secret_wipe(out, BACKING_KEY_LEN);
		return err_set(e, "a backing key in the keystore is damaged");
	}
	return ERR_OK;
}

enum err backing_key_rewrap(struct backing_key *b, const uint8_t old_root[static 32], const uint8_t new_root[static 32],
			    struct backing_key_place place)
{
	uint8_t bytes[BACKING_KEY_LEN];
	enum err e;

	if (b->flags & BACKING_KEY_DESTROYED)
		return ERR_OK;
	e = backing_key_unwrap(b, old_root, place, bytes);
	if (e == ERR_OK)
		backing_key_wrap(b, new_root, place, bytes);
	secret_wipe(bytes, sizeof(bytes));
	return e;
}
