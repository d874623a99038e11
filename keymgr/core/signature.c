#include <sodium.h>
#include "keymgr/keymgr.h"

_Static_assert(crypto_sign_BYTES == 64 && crypto_sign_PUBLICKEYBYTES == 32, "lengths of keymgr.h");

enum err keymgr_verify_signature(const void *bytes, size_t len, const uint8_t signature[static 64], const uint8_t public_key[static 32])
{
	return crypto_sign_verify_detached(signature, bytes, len, public_key) == 0 ? ERR_OK : ERR_NOT_AUTHENTIC;
}
