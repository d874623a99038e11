/*
 * Protectors: what opens a keystore.  A protector's secret (32 bytes, made from what a
 * person or a file gives) unlocks an X25519 key pair; the root key is sealed to its public
 * half (crypto_box_seal), so that a new root key needs only one protector present.
 *
 * A record:
 *   kind u8 | zero u8 | hint length u16 | id 16 | created i64 | memory u64 | passes u32 |
 *   salt 16 | public key 32 | wrapped private key 72 | root epoch u32 | root public key 32 |
 *   hint | MAC 32 | sealed root key 80
 *
 * The private key's wrap is under KDF(secret, "protector-key"), associated data: id.  The MAC,
 * under KDF(secret, "protector"), is over the keystore's id and the record before it.  It binds
 * the root key that this protector last saw (root_key.h); the sealed root key is bound by the
 * keystore's seal.
 */
#ifndef REKEYFS_KEYMGR_PROTECTORS_PROTECTOR_H
#define REKEYFS_KEYMGR_PROTECTORS_PROTECTOR_H

#include <stdint.h>
#include "base/aead.h"
#include "base/cursor.h"
#include "base/error.h"
#include "base/secret.h"
#include "keymgr/keymgr.h"

#define PROTECTOR_SALT_LEN 16
#define PROTECTOR_SECRET_LEN 32
#define PROTECTOR_HINT_MAX 255
#define PROTECTOR_SEALED_LEN (32 + 48)
#define PROTECTOR_PRIVATE_WRAP_LEN (32 + AEAD_WRAP_OVERHEAD)

/* Argon2id.  A new protector never costs less than the default; what is read may have come from
 * another machine, within these limits. */
#define PROTECTOR_MEMORY_DEFAULT (256ULL << 20)
#define PROTECTOR_PASSES_DEFAULT 3
#define PROTECTOR_MEMORY_MIN (64ULL << 20)
#define PROTECTOR_MEMORY_MAX (4ULL << 30)
#define PROTECTOR_PASSES_MAX 16

struct protector_cost { uint64_t memory; uint32_t passes; };
extern const struct protector_cost protector_default_cost;

struct protector {
	enum protector_kind kind;
	uint8_t id[UUID_LEN];
	int64_t created;
	struct protector_cost cost;	/* zeros where no Argon2id is used */
	uint8_t salt[PROTECTOR_SALT_LEN];
	uint8_t public_key[32];
	uint8_t private_wrap[PROTECTOR_PRIVATE_WRAP_LEN];
	uint32_t root_epoch;		/* the root key last seen with the secret at hand */
	uint8_t root_public[32];
	char hint[PROTECTOR_HINT_MAX + 1];
	uint8_t mac[32];
	uint8_t sealed_root[PROTECTOR_SEALED_LEN];
};

/* What stays in memory of a protector that opened a keystore. */
struct protector_opened {
	uint8_t id[UUID_LEN];
	struct secret *private_key, *mac_key;
};
void protector_opened_release(struct protector_opened *o);

/* A kind of protector: one row of a table. */
struct protector_type {
	enum protector_kind kind;
	const char *name;	/* "passphrase" */
	int uses_argon2;
	/* `given` (text of a person, bytes of a file) to the secret.  ERR_LOCKED where it cannot be right. */
	enum err (*derive)(const struct protector *p, const struct secret *given, uint8_t out[static PROTECTOR_SECRET_LEN]);
};
/* NULL for an unknown kind. */
const struct protector_type *protector_type(enum protector_kind kind);
extern const struct protector_type protector_passphrase, protector_keyfile, protector_command, protector_recovery;

/* A new protector from what was given; `hint` may be NULL.  It trusts no root key yet. */
enum err protector_make(enum protector_kind kind, const struct secret *given, const char *hint, int64_t now,
			const struct protector_cost *cost, struct protector *out, struct protector_opened *opened);
/* ERR_LOCKED where `given` is not its secret. */
enum err protector_open(const struct protector *p, const uint8_t keystore_id[static UUID_LEN],
			const struct secret *given, struct protector_opened *out);
/* Note the root key of this epoch under the protector's own secret. */
void protector_trust(struct protector *p, const struct protector_opened *opened,
		     const uint8_t keystore_id[static UUID_LEN], uint32_t epoch, const uint8_t root_public[static 32]);
void protector_seal_root(struct protector *p, const uint8_t root[static 32]);
/* ERR_LOCKED where it was sealed to another key pair. */
enum err protector_unseal_root(const struct protector *p, const struct protector_opened *opened, struct secret **out);

size_t protector_record_len(const struct protector *p);
void protector_write(const struct protector *p, struct writer *w);
/* ERR_FORMAT; ERR_UNSUPPORTED for an unknown kind or a cost outside the limits. */
enum err protector_read(struct cursor *c, struct protector *out);

#endif
