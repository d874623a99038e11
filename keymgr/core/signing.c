/* Signatures over proofs, under a key of the root key. */
#include <sodium.h>
#include <string.h>
#include "base/kdf.h"
#include "keymgr/core/manager.h"

static void key_pair(const struct keymgr *k, uint8_t public_key[static 32],
		     uint8_t private_key[static crypto_sign_SECRETKEYBYTES])
{
	uint8_t seed[KDF_KEY_LEN];

	kdf(k->root->bytes, KDF_PROOF, NULL, seed);
	crypto_sign_seed_keypair(public_key, private_key, seed);
	secret_wipe(seed, sizeof(seed));
}

enum err keymgr_sign(struct keymgr *k, const void *bytes, size_t len, uint8_t signature[static 64], uint8_t public_key[static 32])
{
	uint8_t private_key[crypto_sign_SECRETKEYBYTES];
	enum err e = manager_enter(k, ENTER_READ);

	if (e != ERR_OK)
		return e;
	key_pair(k, public_key, private_key);
	crypto_sign_detached(signature, NULL, bytes, len, private_key);
	secret_wipe(private_key, sizeof(private_key));
	manager_leave(k);
	return ERR_OK;
}

int keymgr_knows_signer(struct keymgr *k, const uint8_t public_key[static 32])
{
	uint8_t current[32], private_key[crypto_sign_SECRETKEYBYTES];
	int known;

	if (manager_enter(k, ENTER_READ) != ERR_OK)
		return 0;
	key_pair(k, current, private_key);
	secret_wipe(private_key, sizeof(private_key));
	known = memcmp(current, public_key, sizeof(current)) == 0;
	for (uint32_t i = 0; !known && i + 1 < k->store->epoch; i++)
		known = memcmp(k->store->past[i].proof_public, public_key, 32) == 0;
	manager_leave(k);
	return known;
}
