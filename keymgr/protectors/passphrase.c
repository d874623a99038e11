#include <sodium.h>
#include "keymgr/protectors/protector.h"

_Static_assert(PROTECTOR_SALT_LEN == crypto_pwhash_argon2id_SALTBYTES, "the length of Argon2id's salt");

static enum err derive(const struct protector *p, const struct secret *given, uint8_t out[static PROTECTOR_SECRET_LEN])
{
	if (crypto_pwhash_argon2id(out, PROTECTOR_SECRET_LEN, (const char *)given->bytes, given->len, p->salt,
				   p->cost.passes, (size_t)p->cost.memory, crypto_pwhash_argon2id_ALG_ARGON2ID13) == 0)
		return ERR_OK;
	return err_set(ERR_NO_MEMORY, "not enough memory for this passphrase: Argon2id takes %llu MiB",
		       (unsigned long long)p->cost.memory >> 20);
}

const struct protector_type protector_passphrase = {
	.kind = PROTECTOR_PASSPHRASE, .name = "passphrase", .uses_argon2 = 1, .derive = derive,
};

/* What a command prints may be a passphrase as well. */
const struct protector_type protector_command = {
	.kind = PROTECTOR_COMMAND, .name = "command", .uses_argon2 = 1, .derive = derive,
};
