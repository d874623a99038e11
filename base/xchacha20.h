/* The bare XChaCha20 key stream, for what carries its own authentication (names: the nonce is
 * a MAC of the plaintext).  Everything else goes through base/aead.h. */
#ifndef REKEYFS_BASE_XCHACHA20_H
#define REKEYFS_BASE_XCHACHA20_H

#include <stddef.h>
#include <stdint.h>

#define XCHACHA20_KEY_LEN 32
#define XCHACHA20_NONCE_LEN 24

/* `out` = `in` xor the key stream from block 0; both may be the same place.  Any thread. */
void xchacha20_xor(const uint8_t key[static XCHACHA20_KEY_LEN], const uint8_t nonce[static XCHACHA20_NONCE_LEN],
		   const void *in, size_t len, void *out);

#endif
