#include <string.h>
#include "base/kdf.h"
#include "keymgr/protectors/protector.h"

/* A keyfile is as strong as a key: one hash does. */
static enum err derive(const struct protector *p, const struct secret *given, uint8_t out[static PROTECTOR_SECRET_LEN])
{
	uint8_t key[KDF_KEY_LEN];

	memcpy(key, p->salt, PROTECTOR_SALT_LEN);
	memcpy(key + PROTECTOR_SALT_LEN, "rekeyfs-keyfile", 16);
	kdf_mac(key, given->bytes, given->len, out, PROTECTOR_SECRET_LEN);
	return ERR_OK;
}

const struct protector_type protector_keyfile = {
	.kind = PROTECTOR_KEYFILE, .name = "keyfile", .derive = derive,
};
