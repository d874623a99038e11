#include "keymgr/core/root_key.h"

#include <sodium.h>
#include <string.h>
#include "base/cursor.h"
#include "base/kdf.h"
#include "base/secret.h"

#define STATEMENT_LEN (16 + UUID_LEN + 4 + 32)

static void key_pair(const uint8_t root[static ROOT_KEY_LEN], uint8_t public_key[static 32],
		     uint8_t private_key[static crypto_sign_SECRETKEYBYTES])
{
	uint8_t seed[KDF_KEY_LEN];

	kdf(root, KDF_ROOT_LINK, NULL, seed);
	crypto_sign_seed_keypair(public_key, private_key, seed);
	secret_wipe(seed, sizeof(seed));
}

void root_key_public(const uint8_t root[static ROOT_KEY_LEN], uint8_t out[static 32])
{
	uint8_t private_key[crypto_sign_SECRETKEYBYTES];

	key_pair(root, out, private_key);
	secret_wipe(private_key, sizeof(private_key));
}

static void statement(const uint8_t keystore_id[static UUID_LEN], uint32_t epoch, const uint8_t public_key[static 32],
		      uint8_t out[static STATEMENT_LEN])
{
	struct writer w = writer_over(out, STATEMENT_LEN);

	writer_bytes(&w, "rekeyfs-rootlink", 16);
	writer_bytes(&w, keystore_id, UUID_LEN);
	writer_u32(&w, epoch);
	writer_bytes(&w, public_key, 32);
}

void root_link_make(struct root_link *out, const uint8_t keystore_id[static UUID_LEN], uint32_t epoch,
		    const uint8_t root[static ROOT_KEY_LEN], const uint8_t *previous)
{
	uint8_t private_key[crypto_sign_SECRETKEYBYTES], previous_public[32], bytes[STATEMENT_LEN];

	memset(out, 0, sizeof(*out));
	root_key_public(root, out->public_key);
	if (!previous)
		return;
	key_pair(previous, previous_public, private_key);
	statement(keystore_id, epoch, out->public_key, bytes);
	crypto_sign_detached(out->signature, NULL, bytes, sizeof(bytes), private_key);
	secret_wipe(private_key, sizeof(private_key));
}

enum err root_link_check(const struct root_link *links, const uint8_t keystore_id[static UUID_LEN],
			 uint32_t from, const uint8_t known[static 32], uint32_t to,
			 const uint8_t root[static ROOT_KEY_LEN])
{
	uint8_t public_key[32], bytes[STATEMENT_LEN];

	if (from == 0 || from > to)
		return ERR_NOT_AUTHENTIC;
	memcpy(public_key, known, sizeof(public_key));
	for (uint32_t epoch = from; epoch <= to; epoch++) {
		const struct root_link *link = &links[epoch - 1];

		if (epoch > from) {
			statement(keystore_id, epoch, link->public_key, bytes);
			if (crypto_sign_verify_detached(link->signature, bytes, sizeof(bytes), public_key) != 0)
				return ERR_NOT_AUTHENTIC;
			memcpy(public_key, link->public_key, sizeof(public_key));
		} else if (!secret_equal(link->public_key, public_key, sizeof(public_key))) {
			return ERR_NOT_AUTHENTIC;
		}
	}
	root_key_public(root, bytes);
	return secret_equal(bytes, public_key, sizeof(public_key)) ? ERR_OK : ERR_NOT_AUTHENTIC;
}
