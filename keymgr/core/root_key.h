/*
 * Root keys.  A keystore's first root key has epoch 1; each new one the next number.
 * Every root key derives an Ed25519 key pair (KDF "root-link") whose public half stands
 * in the keystore in clear, signed by the root key before it.  A protector's record
 * remembers, under its own secret, the root key that it last saw: so whoever does not
 * know a root key cannot put another keystore under somebody's protector.
 *
 * A signature is over: "rekeyfs-rootlink" 16, keystore id 16, epoch u32, public key 32.
 */
#ifndef REKEYFS_KEYMGR_CORE_ROOT_KEY_H
#define REKEYFS_KEYMGR_CORE_ROOT_KEY_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/uuid.h"

#define ROOT_KEY_LEN 32
#define ROOT_LINK_LEN (32 + 64)

struct root_link {
	uint8_t public_key[32];
	uint8_t signature[64];	/* zeros for the first */
};

/* The public half of a root key's link. */
void root_key_public(const uint8_t root[static ROOT_KEY_LEN], uint8_t out[static 32]);
/* The link of `root`, which becomes epoch `epoch`, signed by `previous` (NULL for the first). */
void root_link_make(struct root_link *out, const uint8_t keystore_id[static UUID_LEN], uint32_t epoch,
		    const uint8_t root[static ROOT_KEY_LEN], const uint8_t *previous);
/* Does a chain of signatures lead from epoch `from`, whose public key is `known`, to epoch `to`, and is that
 * one's public key that of `root`?  links[i] is epoch i + 1.  ERR_NOT_AUTHENTIC. */
enum err root_link_check(const struct root_link *links, const uint8_t keystore_id[static UUID_LEN],
			 uint32_t from, const uint8_t known[static 32], uint32_t to,
			 const uint8_t root[static ROOT_KEY_LEN]);

#endif
