#include "base/xchacha20.h"

#include <sodium.h>

void xchacha20_xor(const uint8_t key[static XCHACHA20_KEY_LEN], const uint8_t nonce[static XCHACHA20_NONCE_LEN],
		   const void *in, size_t len, void *out)
{
	crypto_stream_xchacha20_xor(out, in, len, nonce, key);
}
