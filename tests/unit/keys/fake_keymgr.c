#include "tests/unit/keys/fake_keymgr.h"

#include <string.h>
#include "base/cursor.h"

#define FAKE_BLOB_LEN (KEY_ID_LEN + MATERIAL_ID_LEN + 1)

void fake_start(struct keymgr *k)
{
	memset(k, 0, sizeof(*k));
	k->generation = 1;
	for (int i = 0; i < FAKE_CMKS; i++) {
		memset(k->cmks[i].id, 0xa0 + i, KEY_ID_LEN);
		k->cmks[i].state = KEY_ENABLED;
	}
}

void fake_set_state(struct keymgr *k, int cmk, enum key_state state)
{
	k->cmks[cmk].state = state;
	k->generation++;
}

void fake_rotate(struct keymgr *k, int cmk)
{
	k->cmks[cmk].material++;
	k->generation++;
}

void fake_material_id(int cmk, int material, uint8_t out[static MATERIAL_ID_LEN])
{
	memset(out, 0, MATERIAL_ID_LEN);
	out[0] = (uint8_t)cmk;
	out[1] = (uint8_t)material;
}

static struct fake_cmk *find(struct keymgr *k, const uint8_t *id)
{
	for (int i = 0; i < FAKE_CMKS; i++)
		if (memcmp(k->cmks[i].id, id, KEY_ID_LEN) == 0 && k->cmks[i].state && k->cmks[i].state != KEY_DESTROYED)
			return &k->cmks[i];
	return NULL;
}

static struct fake_cmk *find_text(struct keymgr *k, const char *key)
{
	uint8_t id[KEY_ID_LEN];

	return uuid_parse(key, id) == ERR_OK ? find(k, id) : NULL;
}

static enum err check_state(const struct fake_cmk *c)
{
	if (!c)
		return ERR_KEY_NOT_FOUND;
	return c->state == KEY_ENABLED ? ERR_OK : c->state == KEY_DISABLED ? ERR_KEY_DISABLED : ERR_KEY_STATE;
}

static void make_blob(struct keymgr *k, const struct fake_cmk *c, int number, struct blob *blob, struct key_ref *ref)
{
	struct writer w = writer_over(blob->bytes, sizeof(blob->bytes));

	memcpy(ref->key_id, c->id, KEY_ID_LEN);
	fake_material_id((int)(c - k->cmks), c->material, ref->material_id);
	writer_bytes(&w, ref->key_id, KEY_ID_LEN);
	writer_bytes(&w, ref->material_id, MATERIAL_ID_LEN);
	writer_u8(&w, (uint8_t)number);
	blob->len = (uint16_t)writer_len(&w);
}

enum err keymgr_generation(struct keymgr *k, uint64_t *out)
{
	*out = k->generation;
	return k->away ? ERR_KEY_UNAVAILABLE : ERR_OK;
}

const char *keymgr_path(const struct keymgr *k)
{
	return "/fake";
}

enum err keymgr_generate_data_key(struct keymgr *k, const char *key, const struct context *context,
				  struct secret **key_out, struct blob *blob_out, struct key_ref *ref_out)
{
	struct fake_cmk *c = find_text(k, key);
	enum err e = k->away ? ERR_KEY_UNAVAILABLE : check_state(c);
	int number = k->data_key_count;

	*key_out = NULL;
	if (e != ERR_OK)
		return e;
	k->generated++;
	k->data_key_count++;
	memset(k->data_keys[number].key, 0x30 + number, 32);
	strcpy(k->data_keys[number].context, context->pairs[0].value);
	make_blob(k, c, number, blob_out, ref_out);
	if (k->on_generate)
		k->on_generate(k);
	return secret_copy(k->data_keys[number].key, 32, key_out);
}

enum err blob_ref(const void *blob, size_t len, struct key_ref *out)
{
	if (len != FAKE_BLOB_LEN)
		return ERR_CIPHERTEXT;
	memcpy(out->key_id, blob, KEY_ID_LEN);
	memcpy(out->material_id, (const uint8_t *)blob + KEY_ID_LEN, MATERIAL_ID_LEN);
	return ERR_OK;
}

static enum err open_blob(struct keymgr *k, const void *blob, size_t len, const struct context *context, int *number_out)
{
	if (len != FAKE_BLOB_LEN)
		return ERR_CIPHERTEXT;
	*number_out = ((const uint8_t *)blob)[FAKE_BLOB_LEN - 1];
	if (*number_out >= k->data_key_count || strcmp(k->data_keys[*number_out].context, context->pairs[0].value) != 0)
		return ERR_CIPHERTEXT;
	return ERR_OK;
}

enum err keymgr_decrypt_data_key(struct keymgr *k, const void *blob, size_t len, const struct context *context,
				 struct secret **key_out, struct key_ref *ref_out)
{
	struct fake_cmk *c;
	int number;
	enum err e;

	*key_out = NULL;
	if (k->away)
		return ERR_KEY_UNAVAILABLE;
	e = blob_ref(blob, len, ref_out);
	if (e != ERR_OK)
		return e;
	c = find(k, ref_out->key_id);
	e = check_state(c);
	if (e == ERR_OK && c->destroyed[ref_out->material_id[1]])
		e = ERR_KEY_DESTROYED;
	if (e == ERR_OK)
		e = open_blob(k, blob, len, context, &number);
	if (e != ERR_OK)
		return e;
	k->decrypted++;
	return secret_copy(k->data_keys[number].key, 32, key_out);
}

enum err keymgr_migrate_data_key(struct keymgr *k, const void *blob, size_t len, const struct context *context,
				 const char *to_key, struct blob *blob_out, struct key_ref *ref_out)
{
	struct fake_cmk *from = find(k, blob), *to = find_text(k, to_key);
	int number;
	enum err e;

	if (!from)
		return ERR_KEY_NOT_FOUND;
	if (from->state != KEY_PENDING_DELETION && from->state != KEY_ENABLED)
		return ERR_KEY_DISABLED;
	e = check_state(to);
	if (e == ERR_OK)
		e = open_blob(k, blob, len, context, &number);
	if (e != ERR_OK)
		return e;
	k->migrated++;
	make_blob(k, to, number, blob_out, ref_out);
	return ERR_OK;
}

void key_metadata_release(struct key_metadata *m)
{
}

enum err keymgr_describe_key(struct keymgr *k, const char *key, struct key_metadata *out)
{
	struct fake_cmk *c = find_text(k, key);

	memset(out, 0, sizeof(*out));
	if (k->away)
		return ERR_KEY_UNAVAILABLE;
	if (!c)
		return ERR_KEY_NOT_FOUND;
	k->described++;
	memcpy(out->key_id, c->id, KEY_ID_LEN);
	out->state = c->state;
	out->encrypt_refused = c->refused;
	fake_material_id((int)(c - k->cmks), c->material, out->current_material);
	return ERR_OK;
}

enum key_state keymgr_key_state(struct keymgr *k, const uint8_t key_id[static KEY_ID_LEN])
{
	for (int i = 0; i < FAKE_CMKS; i++)
		if (memcmp(k->cmks[i].id, key_id, KEY_ID_LEN) == 0 && k->cmks[i].state)
			return k->cmks[i].state;
	return KEY_ABSENT;
}

const char *key_state_name(enum key_state s)
{
	return "odd";
}

enum err keymgr_resolve(struct keymgr *k, const char *key, uint8_t out[static KEY_ID_LEN])
{
	struct fake_cmk *c = find_text(k, key);

	if (!c)
		return ERR_KEY_NOT_FOUND;
	memcpy(out, c->id, KEY_ID_LEN);
	return ERR_OK;
}

enum err keymgr_list_materials(struct keymgr *k, const char *key, int (*each)(void *context, const struct material *m), void *context)
{
	struct fake_cmk *c = find_text(k, key);

	if (!c)
		return ERR_KEY_NOT_FOUND;
	for (int i = 0; i <= c->material; i++) {
		struct material m = { .destroyed = c->destroyed[i], .current = i == c->material };

		fake_material_id((int)(c - k->cmks), i, m.id);
		if (each(context, &m))
			break;
	}
	return ERR_OK;
}

enum err keymgr_take_lease(struct keymgr *k, const uint8_t instance_id[static UUID_LEN], const uint8_t key_id[static KEY_ID_LEN])
{
	if (k->unregistered)
		return ERR_NOT_FOUND;
	k->leases++;
	if (k->on_lease)
		k->on_lease(k);
	return ERR_OK;
}
