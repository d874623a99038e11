/* What hangs on the root key: the MAC keys that it gives, and its replacement. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "base/kdf.h"
#include "keymgr/core/keystore.h"

#define PAST_AD_LEN (UUID_LEN + 1 + 4)

static void derive_mac_key(const uint8_t root[static ROOT_KEY_LEN], enum root_purpose purpose, uint8_t out[static 32])
{
	kdf(root, purpose == ROOT_AUDIT ? KDF_AUDIT : KDF_KS_STATE, NULL, out);
}

static void past_ad(const struct keystore *s, enum root_purpose purpose, uint32_t epoch, uint8_t out[static PAST_AD_LEN])
{
	struct writer w = writer_over(out, PAST_AD_LEN);

	writer_bytes(&w, s->id, UUID_LEN);
	writer_u8(&w, (uint8_t)purpose);
	writer_u32(&w, epoch);
}

static void past_wrap(const struct keystore *s, const uint8_t root[static ROOT_KEY_LEN], enum root_purpose purpose,
		      uint32_t epoch, const uint8_t mac_key[static 32], uint8_t out[static PAST_WRAP_LEN])
{
	uint8_t ad[PAST_AD_LEN], key[KDF_KEY_LEN];

	past_ad(s, purpose, epoch, ad);
	kdf(root, KDF_PAST, NULL, key);
	aead_wrap(key, ad, sizeof(ad), mac_key, 32, out);
	secret_wipe(key, sizeof(key));
}

static enum err past_unwrap(const struct keystore *s, const uint8_t root[static ROOT_KEY_LEN], enum root_purpose purpose,
			    uint32_t epoch, const uint8_t wrap[static PAST_WRAP_LEN], uint8_t out[static 32])
{
	uint8_t ad[PAST_AD_LEN], key[KDF_KEY_LEN];
	enum err e;

	past_ad(s, purpose, epoch, ad);
	kdf(root, KDF_PAST, NULL, key);
	e = aead_unwrap(key, ad, sizeof(ad), wrap, PAST_WRAP_LEN, out);
	secret_wipe(key, sizeof(key));
	return e;
}

enum err keystore_mac_key(const struct keystore *s, const uint8_t root[static ROOT_KEY_LEN], enum root_purpose purpose,
			  uint32_t epoch, uint8_t out[static 32])
{
	if (epoch == s->epoch) {
		derive_mac_key(root, purpose, out);
		return ERR_OK;
	}
	if (purpose == ROOT_AUDIT && epoch >= 1 && epoch < s->epoch)
		return past_unwrap(s, root, purpose, epoch, s->past[epoch - 1].audit_wrap, out);
	if (purpose == ROOT_LEDGER && s->has_handover && epoch + 1 == s->epoch)
		return past_unwrap(s, root, purpose, epoch, s->handover, out);
	return ERR_NOT_FOUND;
}

static enum err add_link(struct keystore *s, const uint8_t root[static ROOT_KEY_LEN], const uint8_t *previous)
{
	struct root_link *grown;

	if (s->epoch >= KEYSTORE_ROOTS_MAX)
		return err_set(ERR_LIMIT_EXCEEDED, "a keystore has at most %d root keys", KEYSTORE_ROOTS_MAX);
	grown = realloc(s->links, (s->epoch + 1) * sizeof(*grown));
	if (!grown)
		return ERR_NO_MEMORY;
	s->links = grown;
	root_link_make(&grown[s->epoch], s->id, s->epoch + 1, root, previous);
	s->epoch++;
	return ERR_OK;
}

enum err keystore_first_root(struct keystore *s, const uint8_t root[static ROOT_KEY_LEN])
{
	enum err e = add_link(s, root, NULL);

	for (size_t i = 0; e == ERR_OK && i < s->protector_count; i++)
		protector_seal_root(&s->protectors[i], root);
	return e;
}

/* The past of epochs before the old root key goes on under the new one; the old one's is added. */
static enum err carry_past(struct keystore *s, const uint8_t old_root[static ROOT_KEY_LEN],
			   const uint8_t new_root[static ROOT_KEY_LEN])
{
	struct past_root *grown = realloc(s->past, s->epoch * sizeof(*grown));
	uint8_t key[32], seed[KDF_KEY_LEN], private_key[crypto_sign_SECRETKEYBYTES];
	enum err e = ERR_OK;

	if (!grown)
		return ERR_NO_MEMORY;
	s->past = grown;
	for (uint32_t epoch = 1; epoch <= s->epoch && e == ERR_OK; epoch++) {
		e = keystore_mac_key(s, old_root, ROOT_AUDIT, epoch, key);
		if (e == ERR_OK)
			past_wrap(s, new_root, ROOT_AUDIT, epoch, key, grown[epoch - 1].audit_wrap);
	}
	kdf(old_root, KDF_PROOF, NULL, seed);
	crypto_sign_seed_keypair(grown[s->epoch - 1].proof_public, private_key, seed);
	derive_mac_key(old_root, ROOT_LEDGER, key);
	past_wrap(s, new_root, ROOT_LEDGER, s->epoch, key, s->handover);
	s->has_handover = 1;
	secret_wipe(key, sizeof(key));
	secret_wipe(seed, sizeof(seed));
	secret_wipe(private_key, sizeof(private_key));
	return e;
}

enum err keystore_next_root(struct keystore *s, const uint8_t old_root[static ROOT_KEY_LEN],
			    const uint8_t new_root[static ROOT_KEY_LEN])
{
	enum err e = carry_past(s, old_root, new_root);

	if (e == ERR_OK)
		e = add_link(s, new_root, old_root);
	for (size_t i = 0; e == ERR_OK && i < s->cmk_count; i++) {
		struct cmk *cmk = s->cmks[i];
		struct backing_key_place place = { s->id, cmk->id };

		for (uint32_t m = 0; e == ERR_OK && m < cmk->backing_key_count; m++)
			e = backing_key_rewrap(&cmk->backing_keys[m], old_root, new_root, place);
	}
	for (size_t i = 0; e == ERR_OK && i < s->protector_count; i++)
		protector_seal_root(&s->protectors[i], new_root);
	return e;
}
