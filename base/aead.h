/*
 * The ciphers, by suite id.  All take a 32-byte key, a 24-byte nonce field (GCM
 * uses its first 12; AEGIS-256's 32 are these 24 and the number as u64 LE), and
 * give a 16-byte tag beside a ciphertext as long as its plaintext.
 *
 * struct aead holds one key ready for use, so that many blocks under one key pay
 * the key schedule once.  Contexts come from a bounded pool (aead_start sets none
 * up; they are made on first use) and are wiped when given back.  A context is
 * used by one thread at a time.
 */
#ifndef REKEYFS_BASE_AEAD_H
#define REKEYFS_BASE_AEAD_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

#define AEAD_KEY_LEN 32
#define AEAD_NONCE_LEN 24
#define AEAD_TAG_LEN 16

enum aead_suite {		/* on disk: never renumbered */
	AEAD_AES_256_GCM = 1,	/* by libcrypto: faster than libsodium's */
	AEAD_XCHACHA20_POLY1305 = 2,
	AEAD_AEGIS_256 = 3,	/* not available yet: libsodium has it with 32-byte tags only */
};

struct aead;

/* "AES-256-GCM", …; NULL for an unknown id. */
const char *aead_name(enum aead_suite suite);
/* By name, any case; 0 for an unknown one. */
enum aead_suite aead_by_name(const char *name);
/* 1 where this build and this processor can run it (in constant time). */
int aead_available(enum aead_suite suite);
/* The suite of new buckets: AES-256-GCM where the processor has AES, else XChaCha20-Poly1305. */
enum aead_suite aead_default(void);

/* ERR_UNSUPPORTED for a suite that is not available, ERR_NO_MEMORY. */
enum err aead_get(enum aead_suite suite, const uint8_t key[static AEAD_KEY_LEN], struct aead **out);
/* Gives the context back; its key is wiped.  NULL is fine. */
void aead_put(struct aead *a);

/* `in` and `out` may be the same place.  `number` counts only for AEGIS-256's nonce. */
void aead_seal(struct aead *a, const uint8_t nonce[static AEAD_NONCE_LEN], uint64_t number,
	       const void *ad, size_t ad_len, const void *in, size_t len,
	       void *out, uint8_t tag[static AEAD_TAG_LEN]);
/* ERR_NOT_AUTHENTIC, and `out` is zeroed, where the tag does not verify. */
enum err aead_open(struct aead *a, const uint8_t nonce[static AEAD_NONCE_LEN], uint64_t number,
		   const void *ad, size_t ad_len, const void *in, size_t len,
		   const uint8_t tag[static AEAD_TAG_LEN], void *out);

/* Wraps of keys: XChaCha20-Poly1305 with a fresh random nonce: nonce 24, ciphertext, tag 16. */
#define AEAD_WRAP_OVERHEAD (AEAD_NONCE_LEN + AEAD_TAG_LEN)
void aead_wrap(const uint8_t key[static AEAD_KEY_LEN], const void *ad, size_t ad_len,
	       const void *in, size_t len, uint8_t *out);
/* `len` is the wrap's length, at least AEAD_WRAP_OVERHEAD.  ERR_NOT_AUTHENTIC. */
enum err aead_unwrap(const uint8_t key[static AEAD_KEY_LEN], const void *ad, size_t ad_len,
		     const uint8_t *in, size_t len, void *out);

#endif
