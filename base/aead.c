#include "base/aead.h"

#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#include <asm/hwcap.h>
#endif
#include "base/random.h"
#include "base/secret.h"

#define POOL_MAX 32		/* idle contexts kept, a suite */

struct aead {
	const struct suite *suite;
	struct secret *key;	/* XChaCha20-Poly1305 */
	EVP_CIPHER_CTX *gcm;	/* AES-256-GCM */
	struct aead *next;	/* while idle */
};

struct suite {
	enum aead_suite id;
	const char *name;
	int (*available)(void);
	/* Makes what a context needs, once in its life. */
	enum err (*make)(struct aead *a);
	void (*set_key)(struct aead *a, const uint8_t *key);
	void (*seal)(struct aead *a, const uint8_t *nonce, const void *ad, size_t ad_len,
		     const void *in, size_t len, void *out, uint8_t *tag);
	int (*open)(struct aead *a, const uint8_t *nonce, const void *ad, size_t ad_len,
		    const void *in, size_t len, const uint8_t *tag, void *out);	/* 1: authentic */
};

/* A cipher call that cannot fail did: nothing may be written that it should have sealed. */
static void must(int ok)
{
	if (!ok)
		abort();
}

/* AES and carry-less multiplication in the processor: without them neither is constant-time. */
static int processor_has_aes(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
	return (getauxval(AT_HWCAP) & HWCAP_AES) && (getauxval(AT_HWCAP) & HWCAP_PMULL);
#else
	return 0;
#endif
}

static enum err gcm_make(struct aead *a)
{
	a->gcm = EVP_CIPHER_CTX_new();
	if (!a->gcm)
		return ERR_NO_MEMORY;
	if (!EVP_CipherInit_ex(a->gcm, EVP_aes_256_gcm(), NULL, NULL, NULL, 1))
		return err_set(ERR_UNSUPPORTED, "libcrypto has no AES-256-GCM");
	return ERR_OK;
}

/* The key schedule and GHASH's tables are computed anew, which overwrites the old key's. */
static void gcm_set_key(struct aead *a, const uint8_t *key)
{
	must(EVP_CipherInit_ex(a->gcm, NULL, NULL, key, NULL, 1));
}

/* Nonce, associated data and `len` bytes; what is left is the tag. */
static void gcm_pass(struct aead *a, int seal, const uint8_t *nonce, const void *ad, size_t ad_len,
		     const void *in, size_t len, void *out)
{
	int done;

	must(len <= INT_MAX && ad_len <= INT_MAX);
	must(EVP_CipherInit_ex(a->gcm, NULL, NULL, NULL, nonce, seal));
	if (ad_len > 0)
		must(EVP_CipherUpdate(a->gcm, NULL, &done, ad, (int)ad_len));
	if (len > 0)
		must(EVP_CipherUpdate(a->gcm, out, &done, in, (int)len));
}

static void gcm_seal(struct aead *a, const uint8_t *nonce, const void *ad, size_t ad_len,
		     const void *in, size_t len, void *out, uint8_t *tag)
{
	uint8_t none[16];
	int done;

	gcm_pass(a, 1, nonce, ad, ad_len, in, len, out);
	must(EVP_CipherFinal_ex(a->gcm, none, &done));
	must(EVP_CIPHER_CTX_ctrl(a->gcm, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_LEN, tag));
}

static int gcm_open(struct aead *a, const uint8_t *nonce, const void *ad, size_t ad_len,
		    const void *in, size_t len, const uint8_t *tag, void *out)
{
	uint8_t none[16];
	int done;

	gcm_pass(a, 0, nonce, ad, ad_len, in, len, out);
	must(EVP_CIPHER_CTX_ctrl(a->gcm, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_LEN, (void *)tag));
	return EVP_CipherFinal_ex(a->gcm, none, &done) > 0;
}

static int always(void)
{
	return 1;
}

static enum err xchacha_make(struct aead *a)
{
	return secret_new(AEAD_KEY_LEN, &a->key);
}

static void xchacha_set_key(struct aead *a, const uint8_t *key)
{
	memcpy(a->key->bytes, key, AEAD_KEY_LEN);
}

static void xchacha_seal(struct aead *a, const uint8_t *nonce, const void *ad, size_t ad_len,
			 const void *in, size_t len, void *out, uint8_t *tag)
{
	crypto_aead_xchacha20poly1305_ietf_encrypt_detached(out, tag, NULL, in, len, ad, ad_len,
							    NULL, nonce, a->key->bytes);
}

static int xchacha_open(struct aead *a, const uint8_t *nonce, const void *ad, size_t ad_len,
			const void *in, size_t len, const uint8_t *tag, void *out)
{
	return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(out, NULL, in, len, tag, ad, ad_len,
								   nonce, a->key->bytes) == 0;
}

static int never(void)
{
	return 0;
}

/* By id - 1.  AEGIS-256: libsodium (1.0.19 and later) has it with 32-byte tags only. */
static const struct suite suites[] = {
	{ AEAD_AES_256_GCM, "AES-256-GCM", processor_has_aes, gcm_make, gcm_set_key, gcm_seal, gcm_open },
	{ AEAD_XCHACHA20_POLY1305, "XChaCha20-Poly1305", always,
	  xchacha_make, xchacha_set_key, xchacha_seal, xchacha_open },
	{ AEAD_AEGIS_256, "AEGIS-256", never },
};
#define SUITE_COUNT (sizeof(suites) / sizeof(suites[0]))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	struct aead *idle;
	int count;
} pools[SUITE_COUNT];	/* under lock */

static const struct suite *find(enum aead_suite id)
{
	return id >= 1 && (size_t)id <= SUITE_COUNT ? &suites[id - 1] : NULL;
}

const char *aead_name(enum aead_suite id)
{
	const struct suite *suite = find(id);

	return suite ? suite->name : NULL;
}

enum aead_suite aead_by_name(const char *name)
{
	for (size_t i = 0; i < SUITE_COUNT; i++)
		if (strcasecmp(name, suites[i].name) == 0)
			return suites[i].id;
	return 0;
}

int aead_available(enum aead_suite id)
{
	const struct suite *suite = find(id);

	return suite && suite->available();
}

enum aead_suite aead_default(void)
{
	return processor_has_aes() ? AEAD_AES_256_GCM : AEAD_XCHACHA20_POLY1305;
}

static void destroy(struct aead *a)
{
	EVP_CIPHER_CTX_free(a->gcm);
	secret_free(a->key);
	free(a);
}

static struct aead *take_idle(enum aead_suite id)
{
	struct aead *a;

	pthread_mutex_lock(&lock);
	a = pools[id - 1].idle;
	if (a) {
		pools[id - 1].idle = a->next;
		pools[id - 1].count--;
	}
	pthread_mutex_unlock(&lock);
	return a;
}

static enum err make(const struct suite *suite, struct aead **out)
{
	struct aead *a = calloc(1, sizeof(*a));
	enum err e;

	*out = NULL;
	if (!a)
		return ERR_NO_MEMORY;
	a->suite = suite;
	e = suite->make(a);
	if (e != ERR_OK) {
		destroy(a);
		return e;
	}
	*out = a;
	return ERR_OK;
}

enum err aead_get(enum aead_suite id, const uint8_t key[static AEAD_KEY_LEN], struct aead **out)
{
	enum err e = ERR_OK;

	*out = NULL;
	if (!find(id))
		return err_set(ERR_UNSUPPORTED, "unknown cipher suite %d", (int)id);
	if (!aead_available(id))
		return err_set(ERR_UNSUPPORTED, "%s cannot run on this machine", aead_name(id));
	*out = take_idle(id);
	if (!*out)
		e = make(find(id), out);
	if (e == ERR_OK)
		(*out)->suite->set_key(*out, key);
	return e;
}

void aead_put(struct aead *a)
{
	static const uint8_t zero_key[AEAD_KEY_LEN];
	size_t i;

	if (!a)
		return;
	i = (size_t)a->suite->id - 1;
	a->suite->set_key(a, zero_key);
	pthread_mutex_lock(&lock);
	if (pools[i].count < POOL_MAX) {
		a->next = pools[i].idle;
		pools[i].idle = a;
		pools[i].count++;
		a = NULL;
	}
	pthread_mutex_unlock(&lock);
	if (a)
		destroy(a);
}

void aead_seal(struct aead *a, const uint8_t nonce[static AEAD_NONCE_LEN], uint64_t number,
	       const void *ad, size_t ad_len, const void *in, size_t len,
	       void *out, uint8_t tag[static AEAD_TAG_LEN])
{
	(void)number;		/* part of AEGIS-256's nonce alone */
	a->suite->seal(a, nonce, ad, ad_len, in, len, out, tag);
}

enum err aead_open(struct aead *a, const uint8_t nonce[static AEAD_NONCE_LEN], uint64_t number,
		   const void *ad, size_t ad_len, const void *in, size_t len,
		   const uint8_t tag[static AEAD_TAG_LEN], void *out)
{
	(void)number;
	if (a->suite->open(a, nonce, ad, ad_len, in, len, tag, out))
		return ERR_OK;
	if (len > 0)
		secret_wipe(out, len);
	return ERR_NOT_AUTHENTIC;
}

void aead_wrap(const uint8_t key[static AEAD_KEY_LEN], const void *ad, size_t ad_len,
	       const void *in, size_t len, uint8_t *out)
{
	random_bytes(out, AEAD_NONCE_LEN);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + AEAD_NONCE_LEN, NULL, in, len, ad, ad_len,
						   NULL, out, key);
}

enum err aead_unwrap(const uint8_t key[static AEAD_KEY_LEN], const void *ad, size_t ad_len,
		     const uint8_t *in, size_t len, void *out)
{
	if (len < AEAD_WRAP_OVERHEAD)
		return ERR_NOT_AUTHENTIC;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, in + AEAD_NONCE_LEN,
						       len - AEAD_NONCE_LEN, ad, ad_len, in, key) == 0)
		return ERR_OK;
	if (len > AEAD_WRAP_OVERHEAD)
		secret_wipe(out, len - AEAD_WRAP_OVERHEAD);
	return ERR_NOT_AUTHENTIC;
}
