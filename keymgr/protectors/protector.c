#include "keymgr/protectors/protector.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/kdf.h"
#include "base/random.h"

#define FIXED_LEN (4 + UUID_LEN + 8 + 8 + 4 + PROTECTOR_SALT_LEN + 32 + PROTECTOR_PRIVATE_WRAP_LEN + 4 + 32)
#define BOUND_MAX (UUID_LEN + FIXED_LEN + PROTECTOR_HINT_MAX)

_Static_assert(PROTECTOR_SEALED_LEN == 32 + crypto_box_SEALBYTES, "the length of a sealed root key");

const struct protector_cost protector_default_cost = { PROTECTOR_MEMORY_DEFAULT, PROTECTOR_PASSES_DEFAULT };

static const struct protector_type *const types[] = {
	&protector_passphrase, &protector_keyfile, &protector_command, &protector_recovery,
};

const struct protector_type *protector_type(enum protector_kind kind)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i]->kind == kind)
			return types[i];
	return NULL;
}

void protector_opened_release(struct protector_opened *o)
{
	secret_free(o->private_key);
	secret_free(o->mac_key);
	*o = (struct protector_opened){ 0 };
}

/* The record up to the MAC. */
static void write_bound(const struct protector *p, struct writer *w)
{
	size_t hint_len = strlen(p->hint);

	writer_u8(w, (uint8_t)p->kind);
	writer_u8(w, 0);
	writer_u16(w, (uint16_t)hint_len);
	writer_bytes(w, p->id, sizeof(p->id));
	writer_u64(w, (uint64_t)p->created);
	writer_u64(w, p->cost.memory);
	writer_u32(w, p->cost.passes);
	writer_bytes(w, p->salt, sizeof(p->salt));
	writer_bytes(w, p->public_key, sizeof(p->public_key));
	writer_bytes(w, p->private_wrap, sizeof(p->private_wrap));
	writer_u32(w, p->root_epoch);
	writer_bytes(w, p->root_public, sizeof(p->root_public));
	writer_bytes(w, p->hint, hint_len);
}

static void record_mac(const struct protector *p, const uint8_t keystore_id[static UUID_LEN],
		       const uint8_t mac_key[static 32], uint8_t out[static 32])
{
	uint8_t bytes[BOUND_MAX];
	struct writer w = writer_over(bytes, sizeof(bytes));

	writer_bytes(&w, keystore_id, UUID_LEN);
	write_bound(p, &w);
	assert(!w.failed);
	kdf_mac(mac_key, bytes, writer_len(&w), out, 32);
}

/* The two keys under which a protector's record stands. */
static enum err secret_keys(const struct protector *p, const struct secret *given,
			    struct secret **mac_key_out, struct secret **wrap_key_out)
{
	const struct protector_type *type = protector_type(p->kind);
	struct secret *mac_key = NULL, *wrap_key = NULL;
	uint8_t secret[PROTECTOR_SECRET_LEN];
	enum err e = type->derive(p, given, secret);

	if (e == ERR_OK)
		e = secret_new(KDF_KEY_LEN, &mac_key);
	if (e == ERR_OK)
		e = secret_new(KDF_KEY_LEN, &wrap_key);
	if (e == ERR_OK) {
		kdf(secret, KDF_PROTECTOR, NULL, mac_key->bytes);
		kdf(secret, KDF_PROTECTOR_KEY, NULL, wrap_key->bytes);
		*mac_key_out = mac_key;
		*wrap_key_out = wrap_key;
	} else {
		secret_free(mac_key);
		secret_free(wrap_key);
	}
	secret_wipe(secret, sizeof(secret));
	return e;
}

enum err protector_make(enum protector_kind kind, const struct secret *given, const char *hint, int64_t now,
			const struct protector_cost *cost, struct protector *out, struct protector_opened *opened)
{
	const struct protector_type *type = protector_type(kind);
	struct secret *wrap_key = NULL;
	enum err e;

	*opened = (struct protector_opened){ 0 };
	*out = (struct protector){ .kind = kind, .created = now };
	if (!type)
		return err_set(ERR_UNSUPPORTED, "unknown kind of protector %d", (int)kind);
	if (type->uses_argon2)
		out->cost = *cost;
	/* A path that is too long is not remembered: --keyfile names it then. */
	if (hint && strlen(hint) <= PROTECTOR_HINT_MAX)
		snprintf(out->hint, sizeof(out->hint), "%s", hint);
	uuid_random(out->id);
	random_bytes(out->salt, sizeof(out->salt));
	e = secret_keys(out, given, &opened->mac_key, &wrap_key);
	if (e == ERR_OK)
		e = secret_new(32, &opened->private_key);
	if (e != ERR_OK) {
		protector_opened_release(opened);
	} else {
		memcpy(opened->id, out->id, sizeof(out->id));
		random_bytes(opened->private_key->bytes, 32);
		crypto_scalarmult_base(out->public_key, opened->private_key->bytes);
		aead_wrap(wrap_key->bytes, out->id, sizeof(out->id), opened->private_key->bytes, 32, out->private_wrap);
	}
	secret_free(wrap_key);
	return e;
}

enum err protector_open(const struct protector *p, const uint8_t keystore_id[static UUID_LEN],
			const struct secret *given, struct protector_opened *out)
{
	struct secret *wrap_key = NULL;
	uint8_t mac[32];
	enum err e;

	*out = (struct protector_opened){ 0 };
	e = secret_keys(p, given, &out->mac_key, &wrap_key);
	if (e == ERR_OK) {
		record_mac(p, keystore_id, out->mac_key->bytes, mac);
		e = secret_equal(mac, p->mac, sizeof(mac)) ? ERR_OK : ERR_LOCKED;
	}
	if (e == ERR_OK)
		e = secret_new(32, &out->private_key);
	if (e == ERR_OK && aead_unwrap(wrap_key->bytes, p->id, sizeof(p->id), p->private_wrap,
				       sizeof(p->private_wrap), out->private_key->bytes) != ERR_OK)
		e = ERR_LOCKED;
	memcpy(out->id, p->id, sizeof(p->id));
	if (e != ERR_OK)
		protector_opened_release(out);
	secret_free(wrap_key);
	return e;
}

void protector_trust(struct protector *p, const struct protector_opened *opened,
		     const uint8_t keystore_id[static UUID_LEN], uint32_t epoch, const uint8_t root_public[static 32])
{
	p->root_epoch = epoch;
	memcpy(p->root_public, root_public, sizeof(p->root_public));
	record_mac(p, keystore_id, opened->mac_key->bytes, p->mac);
}

void protector_seal_root(struct protector *p, const uint8_t root[static 32])
{
	crypto_box_seal(p->sealed_root, root, 32, p->public_key);
}

enum err protector_unseal_root(const struct protector *p, const struct protector_opened *opened, struct secret **out)
{
	uint8_t public_key[32];
	enum err e = secret_new(32, out);

	if (e != ERR_OK)
		return e;
	crypto_scalarmult_base(public_key, opened->private_key->bytes);
	if (crypto_box_seal_open((*out)->bytes, p->sealed_root, sizeof(p->sealed_root), public_key,
				 opened->private_key->bytes) == 0)
		return ERR_OK;
	secret_free(*out);
	*out = NULL;
	return ERR_LOCKED;
}

size_t protector_record_len(const struct protector *p)
{
	return FIXED_LEN + strlen(p->hint) + sizeof(p->mac) + sizeof(p->sealed_root);
}

void protector_write(const struct protector *p, struct writer *w)
{
	write_bound(p, w);
	writer_bytes(w, p->mac, sizeof(p->mac));
	writer_bytes(w, p->sealed_root, sizeof(p->sealed_root));
}

static enum err check_kind(const struct protector *p, uint8_t kind)
{
	const struct protector_type *type = protector_type((enum protector_kind)kind);

	if (!type)
		return err_set(ERR_UNSUPPORTED, "the keystore has a protector of kind %d, unknown to this version", kind);
	if (!type->uses_argon2)
		return p->cost.memory == 0 && p->cost.passes == 0 ? ERR_OK : ERR_FORMAT;
	if (p->cost.memory < PROTECTOR_MEMORY_MIN || p->cost.memory > PROTECTOR_MEMORY_MAX ||
	    p->cost.passes < 1 || p->cost.passes > PROTECTOR_PASSES_MAX)
		return err_set(ERR_UNSUPPORTED, "the keystore asks for %llu bytes and %u passes of Argon2id: refused",
			       (unsigned long long)p->cost.memory, p->cost.passes);
	return ERR_OK;
}

enum err protector_read(struct cursor *c, struct protector *out)
{
	const uint8_t *hint;
	uint16_t hint_len;
	uint8_t kind = cursor_u8(c);

	*out = (struct protector){ .kind = (enum protector_kind)kind };
	cursor_zeros(c, 1);
	hint_len = cursor_u16(c);
	cursor_bytes(c, out->id, sizeof(out->id));
	out->created = (int64_t)cursor_u64(c);
	out->cost.memory = cursor_u64(c);
	out->cost.passes = cursor_u32(c);
	cursor_bytes(c, out->salt, sizeof(out->salt));
	cursor_bytes(c, out->public_key, sizeof(out->public_key));
	cursor_bytes(c, out->private_wrap, sizeof(out->private_wrap));
	out->root_epoch = cursor_u32(c);
	cursor_bytes(c, out->root_public, sizeof(out->root_public));
	if (c->failed || hint_len > PROTECTOR_HINT_MAX)
		return ERR_FORMAT;
	hint = cursor_take(c, hint_len);
	if (!hint || memchr(hint, 0, hint_len))
		return ERR_FORMAT;
	memcpy(out->hint, hint, hint_len);
	cursor_bytes(c, out->mac, sizeof(out->mac));
	cursor_bytes(c, out->sealed_root, sizeof(out->sealed_root));
	return c->failed ? ERR_FORMAT : check_kind(out, kind);
}
