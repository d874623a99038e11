#include "fs/keys/key_ring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "fs/keys/bucket_keys.h"
#include "fs/keys/key_wrap.h"

_Static_assert(BLOB_MAX == SLOT_BLOB_MAX, "a slot holds any blob");
_Static_assert(KEY_ID_LEN == SLOT_KEY_ID_LEN && MATERIAL_ID_LEN == SLOT_MATERIAL_LEN, "ids of a slot");

/* A lease that is older is taken anew with the next bucket key, so that none lasts less than its TTL less this. */
#define LEASE_FRESH 3600
#define ATTEMPTS 4

/* Lock order: asking, then lock.  The key manager is only asked with `asking` held and `lock` free. */
struct key_ring {
	struct keymgr *k;
	uint8_t bucket_id[UUID_LEN], instance_id[UUID_LEN];
	int leases;			/* 0: an offline tool */
	char bucket_text[UUID_TEXT_LEN + 1];
	struct context_pair pair;
	struct context context;
	pthread_mutex_t asking;
	pthread_rwlock_t lock;		/* keys; records are added and changed with `asking` held as well */
	struct bucket_keys keys;
	atomic_uint_fast64_t generation;	/* of the key manager, as it was looked at last */
};

enum err key_ring_new(struct keymgr *k, const uint8_t bucket_id[static UUID_LEN], const uint8_t instance_id[static UUID_LEN],
		      struct key_ring **out)
{
	static const uint8_t none[UUID_LEN];
	struct key_ring *r = calloc(1, sizeof(*r));

	*out = r;
	if (!r)
		return ERR_NO_MEMORY;
	r->k = k;
	memcpy(r->bucket_id, bucket_id, UUID_LEN);
	memcpy(r->instance_id, instance_id, UUID_LEN);
	r->leases = memcmp(instance_id, none, UUID_LEN) != 0;
	uuid_text(bucket_id, r->bucket_text);
	r->pair = (struct context_pair){ .name = "bucket", .value = r->bucket_text };
	r->context = (struct context){ .pairs = &r->pair, .count = 1 };
	pthread_mutex_init(&r->asking, NULL);
	pthread_rwlock_init(&r->lock, NULL);
	return ERR_OK;
}

void key_ring_free(struct key_ring *r)
{
	if (!r)
		return;
	bucket_keys_release(&r->keys);
	pthread_rwlock_destroy(&r->lock);
	pthread_mutex_destroy(&r->asking);
	free(r);
}

struct keymgr *key_ring_keymgr(struct key_ring *r)
{
	return r->k;
}

/* --- what a person is told ---------------------------------------------------------- */

static enum err explain_state(struct key_ring *r, const char *text, enum key_state state)
{
	switch (state) {
	case KEY_ENABLED:
		return err_set(ERR_NO_KEY, "key %s refuses to encrypt (it is being retired): name another by `rekeyfs policy set DIR --key KEY`", text);
	case KEY_DISABLED:
		return err_set(ERR_NO_KEY, "key %s is disabled: `rekeyctl enable-key --key-id %s` brings it back", text, text);
	case KEY_PENDING_DELETION:
		return err_set(ERR_NO_KEY, "key %s is pending deletion: name another by `rekeyfs policy set DIR --key KEY`, or keep it by "
			       "`rekeyctl cancel-key-deletion --key-id %s`", text, text);
	case KEY_ABSENT:
		return err_set(ERR_NO_KEY, "keystore %s has no key %s: `--keystore` names another", keymgr_path(r->k), text);
	case KEY_DESTROYED:
		return err_set(ERR_KEY_DESTROYED, "key %s was destroyed", text);
	default:
		return err_set(ERR_NO_KEY, "key %s is %s", text, key_state_name(state));
	}
}

/* The key manager's error in the words and codes of a filesystem. */
static enum err explain(struct key_ring *r, const uint8_t *key_id, enum err e)
{
	char text[UUID_TEXT_LEN + 1];

	uuid_text(key_id, text);
	switch (e) {
	case ERR_KEY_DISABLED:
	case ERR_KEY_STATE:
	case ERR_KEY_NOT_FOUND:
		return explain_state(r, text, keymgr_key_state(r->k, key_id));
	case ERR_KEY_DESTROYED:
		return err_set(e, "key %s, or the backing key that this is under, was destroyed", text);
	case ERR_KEY_UNAVAILABLE:
		return err_set(ERR_KEY_EXPIRED, "the key service is away and nothing of key %s is cached any more", text);
	case ERR_CIPHERTEXT:
		return err_set(ERR_NOT_AUTHENTIC, "a bucket key under key %s is damaged, or of another bucket", text);
	default:
		return e;
	}
}

enum err key_ring_resolve(struct key_ring *r, const char *key, uint8_t key_id_out[static KEY_ID_LEN])
{
	enum err e = keymgr_resolve(r->k, key, key_id_out);

	if (e == ERR_KEY_NOT_FOUND)
		return err_set(ERR_NO_KEY, "keystore %s has no \"%s\": `rekeyctl list-aliases` and `rekeyctl list-keys` show what it has",
			       keymgr_path(r->k), key);
	return e;
}

/* --- following the key manager ------------------------------------------------------- */

struct removal {
	const uint8_t *key_id, *material_id;
	enum key_state state;
};

/* A CMK that left Enabled keeps nothing, but for what it brings its successor while it is pending deletion. */
static int is_refused(const struct bucket_key *b, const void *context)
{
	const struct removal *gone = context;

	if (b->migrated && memcmp(b->to, gone->key_id, KEY_ID_LEN) == 0)
		return gone->state != KEY_ENABLED;
	if (memcmp(b->ref.key_id, gone->key_id, KEY_ID_LEN) != 0)
		return 0;
	return gone->state != (b->migrated ? KEY_PENDING_DELETION : KEY_ENABLED);
}

static int is_of_material(const struct bucket_key *b, const void *context)
{
	const struct removal *gone = context;

	return memcmp(b->ref.key_id, gone->key_id, KEY_ID_LEN) == 0 && memcmp(b->ref.material_id, gone->material_id, MATERIAL_ID_LEN) == 0;
}

struct materials {
	struct key_ring *r;
	const uint8_t *key_id;
};

static int drop_destroyed(void *context, const struct material *m)
{
	const struct materials *of = context;
	const struct removal gone = { .key_id = of->key_id, .material_id = m->id };

	if (m->destroyed) {
		pthread_rwlock_wrlock(&of->r->lock);
		bucket_keys_drop(&of->r->keys, is_of_material, &gone);
		pthread_rwlock_unlock(&of->r->lock);
	}
	return 0;
}

/* What the key manager says of a CMK now, into its record.  Called with `asking` held. */
static enum err look_at(struct key_ring *r, struct cmk_record *c)
{
	struct materials of = { .r = r, .key_id = c->key_id };
	struct removal gone = { .key_id = c->key_id };
	struct key_metadata m = { 0 };
	char text[UUID_TEXT_LEN + 1];
	enum err e;

	uuid_text(c->key_id, text);
	e = keymgr_describe_key(r->k, text, &m);
	if (e == ERR_KEY_NOT_FOUND)
		m.state = keymgr_key_state(r->k, c->key_id);
	else if (e != ERR_OK)
		return e;
	gone.state = m.state;
	pthread_rwlock_wrlock(&r->lock);
	c->state = m.state;
	c->encrypt_refused = m.encrypt_refused;
	memcpy(c->material_id, m.current_material, MATERIAL_ID_LEN);
	if (m.state == KEY_ENABLED)
		c->reported = 0;
	if (c->current && (m.encrypt_refused || memcmp(c->current->ref.material_id, c->material_id, MATERIAL_ID_LEN) != 0))
		c->current = NULL;
	bucket_keys_drop(&r->keys, is_refused, &gone);
	pthread_rwlock_unlock(&r->lock);
	key_metadata_release(&m);
	if (e == ERR_OK)
		e = keymgr_list_materials(r->k, text, drop_destroyed, &of);
	return e == ERR_KEY_NOT_FOUND ? ERR_OK : e;
}

/* Called with `asking` held. */
static void look_again(struct key_ring *r)
{
	enum err e = ERR_OK;
	uint64_t generation;

	/* Where the keystore cannot be reached, what is cached lasts until its TTL ends. */
	if (keymgr_generation(r->k, &generation) != ERR_OK || generation == atomic_load(&r->generation))
		return;
	for (struct cmk_record *c = r->keys.cmks; c; c = c->next) {
		enum err one = look_at(r, c);

		if (one != ERR_OK)
			e = one;
	}
	if (e == ERR_OK)
		atomic_store(&r->generation, generation);
}

/* One stat, unless keys changed. */
static void look(struct key_ring *r)
{
	uint64_t generation;

	if (keymgr_generation(r->k, &generation) != ERR_OK || generation == atomic_load(&r->generation))
		return;
	pthread_mutex_lock(&r->asking);
	look_again(r);
	pthread_mutex_unlock(&r->asking);
}

/* The record of a CMK, made where there is none.  Called with `asking` held. */
static enum err get_record(struct key_ring *r, const uint8_t *key_id, struct cmk_record **out)
{
	struct cmk_record *c = bucket_keys_cmk(&r->keys, key_id);
	enum err e;

	*out = c;
	if (c && c->state)
		return ERR_OK;
	if (!c) {
		pthread_rwlock_wrlock(&r->lock);
		e = bucket_keys_add_cmk(&r->keys, key_id, &c);
		pthread_rwlock_unlock(&r->lock);
		if (e != ERR_OK)
			return e;
		*out = c;
	}
	e = look_at(r, c);
	if (e != ERR_OK)
		return explain(r, key_id, e);
	/* Not in use until now: no news. */
	c->reported = c->state != KEY_ENABLED;
	return ERR_OK;
}

/* --- fetching bucket keys -------------------------------------------------------------- */

/* A lease of this CMK that lasts; returns when what comes under it expires.  Called with `asking` held. */
static enum err take_lease(struct key_ring *r, struct cmk_record *c, int64_t *expires_out)
{
	int64_t now = clock_boot();
	enum err e;

	if (c->leased == 0 || now - c->leased >= LEASE_FRESH || now < c->leased) {
		e = r->leases ? keymgr_take_lease(r->k, r->instance_id, c->key_id) : ERR_OK;
		if (e == ERR_NOT_FOUND)
			return err_set(ERR_REFUSED, "the key manager does not know this bucket: `rekeyfs register BUCKET`");
		if (e != ERR_OK)
			return explain(r, c->key_id, e);
		c->leased = now;
	}
	*expires_out = c->leased + BUCKET_KEY_TTL;
	return ERR_OK;
}

/* Keep a fetched key: under a lease, and only if its CMK is still Enabled once that is taken, since a scan for its last references
 * may have begun before.  Takes `*key`.  Called with `asking` held. */
static enum err keep(struct key_ring *r, struct cmk_record *c, const struct blob *blob, const struct key_ref *ref, struct secret **key,
		     const uint8_t *to, struct bucket_key **out)
{
	struct cmk_record *under = c;
	char text[UUID_TEXT_LEN + 1];
	int64_t expires = 0;
	enum err e = ERR_OK;

	if (to)
		e = get_record(r, to, &under);
	if (e == ERR_OK)
		e = take_lease(r, under, &expires);
	if (e == ERR_OK)
		look_again(r);
	if (e == ERR_OK && under->state != KEY_ENABLED) {
		uuid_text(under->key_id, text);
		e = explain_state(r, text, under->state);
	}
	if (e != ERR_OK) {
		secret_free(*key);
		*key = NULL;
		return e;
	}
	pthread_rwlock_wrlock(&r->lock);
	e = bucket_keys_add(&r->keys, blob, ref, key, expires, to, out);
	pthread_rwlock_unlock(&r->lock);
	return e;
}

static enum err fetch_current(struct key_ring *r, const uint8_t *key_id)
{
	char text[UUID_TEXT_LEN + 1];
	struct secret *key = NULL;
	struct bucket_key *b;
	struct cmk_record *c;
	struct key_ref ref;
	struct blob blob;
	enum err e;

	uuid_text(key_id, text);
	pthread_mutex_lock(&r->asking);
	e = get_record(r, key_id, &c);
	if (e != ERR_OK || bucket_keys_current(&r->keys, key_id, clock_boot()))
		goto out;
	if (c->state != KEY_ENABLED || c->encrypt_refused) {
		e = explain_state(r, text, c->state);
		goto out;
	}
	e = keymgr_generate_data_key(r->k, text, &r->context, &key, &blob, &ref);
	if (e != ERR_OK) {
		e = explain(r, key_id, e);
		goto out;
	}
	e = keep(r, c, &blob, &ref, &key, NULL, &b);
	if (e == ERR_OK && !c->encrypt_refused && memcmp(ref.material_id, c->material_id, MATERIAL_ID_LEN) == 0) {
		pthread_rwlock_wrlock(&r->lock);
		c->current = b;
		pthread_rwlock_unlock(&r->lock);
	}
out:
	pthread_mutex_unlock(&r->asking);
	return e;
}

static struct blob blob_of(const struct key_slot *slot)
{
	struct blob blob = { .len = slot->blob_len };

	memcpy(blob.bytes, slot->blob, slot->blob_len);
	return blob;
}

static int is_ref_of(const struct key_ref *ref, const struct key_slot *slot)
{
	return memcmp(ref->key_id, slot->key_id, KEY_ID_LEN) == 0 && memcmp(ref->material_id, slot->material_id, MATERIAL_ID_LEN) == 0;
}

static enum err other_ids(void)
{
	return err_set(ERR_NOT_AUTHENTIC, "a key slot names another key than its bucket key is under");
}

/* The bucket key that a slot needs, by decryption. */
static enum err fetch_blob(struct key_ring *r, const struct key_slot *slot)
{
	struct blob blob = blob_of(slot);
	char text[UUID_TEXT_LEN + 1];
	struct secret *key = NULL;
	struct cmk_record *c;
	struct key_ref ref;
	enum err e;

	pthread_mutex_lock(&r->asking);
	e = get_record(r, slot->key_id, &c);
	if (e != ERR_OK || bucket_keys_find(&r->keys, blob.bytes, blob.len, NULL, clock_boot()))
		goto out;
	/* Where the answer is known, thousands of files must not make as many refusals in the audit log. */
	look_again(r);
	if (c->state != KEY_ENABLED) {
		uuid_text(slot->key_id, text);
		e = explain_state(r, text, c->state);
		goto out;
	}
	e = keymgr_decrypt_data_key(r->k, blob.bytes, blob.len, &r->context, &key, &ref);
	if (e != ERR_OK)
		e = explain(r, slot->key_id, e);
	else if (!is_ref_of(&ref, slot) || key->len != 32)
		e = other_ids();
	if (e == ERR_OK)
		e = keep(r, c, &blob, &ref, &key, NULL, NULL);
out:
	secret_free(key);
	pthread_mutex_unlock(&r->asking);
	return e;
}

/* The same from a CMK that is pending deletion, by way of `to`. */
static enum err fetch_migrated(struct key_ring *r, const struct key_slot *slot, const uint8_t *to)
{
	struct blob blob = blob_of(slot), moved;
	struct key_ref old, ref;
	char text[UUID_TEXT_LEN + 1];
	struct secret *key = NULL;
	struct cmk_record *c;
	enum err e;

	uuid_text(to, text);
	pthread_mutex_lock(&r->asking);
	e = get_record(r, slot->key_id, &c);
	if (e != ERR_OK || bucket_keys_find(&r->keys, blob.bytes, blob.len, to, clock_boot()))
		goto out;
	e = blob_ref(blob.bytes, blob.len, &old);
	if (e == ERR_OK)
		e = keymgr_migrate_data_key(r->k, blob.bytes, blob.len, &r->context, text, &moved, &ref);
	if (e != ERR_OK) {
		/* Either of the two keys may be what it fails for. */
		e = explain(r, keymgr_key_state(r->k, to) == KEY_ENABLED ? slot->key_id : to, e);
		goto out;
	}
	e = keymgr_decrypt_data_key(r->k, moved.bytes, moved.len, &r->context, &key, &ref);
	if (e != ERR_OK)
		e = explain(r, to, e);
	else if (key->len != 32)
		e = ERR_NOT_AUTHENTIC;
	if (e == ERR_OK)
		e = keep(r, c, &blob, &old, &key, to, NULL);
out:
	secret_free(key);
	pthread_mutex_unlock(&r->asking);
	return e;
}

/* --- slots ------------------------------------------------------------------------------ */

enum err key_ring_wrap(struct key_ring *r, enum wrap_purpose purpose, const uint8_t key_id[static KEY_ID_LEN],
		       const uint8_t node_id[static UUID_LEN], uint8_t suite, uint32_t epoch, const uint8_t key[static 32],
		       struct key_slot *out)
{
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		const struct bucket_key *b;
		enum err e;

		look(r);
		memset(out, 0, sizeof(*out));
		pthread_rwlock_rdlock(&r->lock);
		b = bucket_keys_current(&r->keys, key_id, clock_boot());
		if (b) {
			memcpy(out->key_id, b->ref.key_id, KEY_ID_LEN);
			memcpy(out->material_id, b->ref.material_id, MATERIAL_ID_LEN);
			out->suite = suite;
			out->epoch = epoch;
			out->blob_len = b->blob.len;
			memcpy(out->blob, b->blob.bytes, b->blob.len);
			key_wrap_seal(b->key->bytes, (uint8_t)purpose, r->bucket_id, node_id, key, out);
		}
		pthread_rwlock_unlock(&r->lock);
		if (b)
			return ERR_OK;
		e = fetch_current(r, key_id);
		if (e == ERR_KEY_DESTROYED)	/* nothing new can be under it: for a writer it is absent */
			return err_set(ERR_NO_KEY, "%s: name another by `rekeyfs policy set DIR --key KEY`", err_message(e));
		if (e != ERR_OK)
			return e;
	}
	return err_set(ERR_CONFLICT, "the key is rotated faster than it can be used");
}

/* 1 where a cached key answered, with what it said in e_out. */
static int try_open(struct key_ring *r, enum wrap_purpose purpose, const uint8_t *node_id, const struct key_slot *slot,
		    const uint8_t *to, uint8_t *key_out, enum err *e_out)
{
	const struct bucket_key *b;

	pthread_rwlock_rdlock(&r->lock);
	b = bucket_keys_find(&r->keys, slot->blob, slot->blob_len, to, clock_boot());
	if (b)
		*e_out = is_ref_of(&b->ref, slot) ?
			key_wrap_open(b->key->bytes, (uint8_t)purpose, r->bucket_id, node_id, slot, key_out) : other_ids();
	pthread_rwlock_unlock(&r->lock);
	return b != NULL;
}

/* Before the key manager is asked: a slot whose clear ids are not its blob's is nobody's. */
static enum err check_ids(const struct key_slot *slot)
{
	struct key_ref ref;

	if (slot->blob_len == 0 || slot->blob_len > SLOT_BLOB_MAX || blob_ref(slot->blob, slot->blob_len, &ref) != ERR_OK)
		return err_set(ERR_NOT_AUTHENTIC, "a key slot's bucket key is damaged");
	return is_ref_of(&ref, slot) ? ERR_OK : other_ids();
}

enum err key_ring_unwrap(struct key_ring *r, enum wrap_purpose purpose, const uint8_t node_id[static UUID_LEN],
			 const struct key_slot *slot, uint8_t key_out[static 32])
{
	enum err e = check_ids(slot);

	memset(key_out, 0, 32);
	for (int attempt = 0; e == ERR_OK && attempt < ATTEMPTS; attempt++) {
		look(r);
		if (try_open(r, purpose, node_id, slot, NULL, key_out, &e))
			return e;
		e = fetch_blob(r, slot);
	}
	return e == ERR_OK ? ERR_CONFLICT : e;
}

/* The key of a slot whose CMK is pending deletion, under its migrated bucket key. */
static enum err unwrap_migrated(struct key_ring *r, enum wrap_purpose purpose, const uint8_t *node_id, const struct key_slot *slot,
				const uint8_t *to, uint8_t *key_out)
{
	enum err e = ERR_OK;

	for (int attempt = 0; e == ERR_OK && attempt < ATTEMPTS; attempt++) {
		look(r);
		if (try_open(r, purpose, node_id, slot, to, key_out, &e))
			return e;
		e = fetch_migrated(r, slot, to);
	}
	return e == ERR_OK ? ERR_CONFLICT : e;
}

enum err key_ring_migrate(struct key_ring *r, enum wrap_purpose purpose, const uint8_t node_id[static UUID_LEN],
			  const struct key_slot *slot, const uint8_t to[static KEY_ID_LEN], struct key_slot *out,
			  uint8_t key_out[static 32])
{
	enum err e = key_ring_unwrap(r, purpose, node_id, slot, key_out);

	memset(out, 0, sizeof(*out));
	if (e == ERR_NO_KEY && memcmp(to, slot->key_id, KEY_ID_LEN) != 0 &&
	    keymgr_key_state(r->k, slot->key_id) == KEY_PENDING_DELETION)
		e = unwrap_migrated(r, purpose, node_id, slot, to, key_out);
	if (e == ERR_OK)
		e = key_ring_wrap(r, purpose, to, node_id, slot->suite, slot->epoch, key_out, out);
	if (e != ERR_OK)
		secret_wipe(key_out, 32);
	return e;
}

/* --- forgetting --------------------------------------------------------------------------- */

static int is_expired(const struct bucket_key *b, const void *now)
{
	return b->expires <= *(const int64_t *)now;
}

enum err key_ring_refresh(struct key_ring *r, uint8_t (*changed)[KEY_ID_LEN], size_t max, size_t *count)
{
	int64_t now = clock_boot();

	*count = 0;
	pthread_mutex_lock(&r->asking);
	look_again(r);
	pthread_rwlock_wrlock(&r->lock);
	bucket_keys_drop(&r->keys, is_expired, &now);
	for (struct cmk_record *c = r->keys.cmks; c && *count < max; c = c->next)
		if (c->state != KEY_ENABLED && !c->reported) {
			memcpy(changed[(*count)++], c->key_id, KEY_ID_LEN);
			c->reported = 1;
		}
	pthread_rwlock_unlock(&r->lock);
	pthread_mutex_unlock(&r->asking);
	return ERR_OK;
}

static int is_of_key(const struct bucket_key *b, const void *key_id)
{
	return memcmp(b->ref.key_id, key_id, KEY_ID_LEN) == 0 || (b->migrated && memcmp(b->to, key_id, KEY_ID_LEN) == 0);
}

void key_ring_forget(struct key_ring *r, const uint8_t key_id[static KEY_ID_LEN], int wrap_only)
{
	struct cmk_record *c;

	pthread_mutex_lock(&r->asking);
	pthread_rwlock_wrlock(&r->lock);
	c = bucket_keys_cmk(&r->keys, key_id);
	if (c) {
		c->current = NULL;
		c->leased = 0;		/* what is fetched from now on needs a lease of its own */
	}
	if (!wrap_only)
		bucket_keys_drop(&r->keys, is_of_key, key_id);
	pthread_rwlock_unlock(&r->lock);
	pthread_mutex_unlock(&r->asking);
}

static int is_any(const struct bucket_key *b, const void *context)
{
	return 1;
}

void key_ring_forget_all(struct key_ring *r)
{
	pthread_mutex_lock(&r->asking);
	pthread_rwlock_wrlock(&r->lock);
	bucket_keys_drop(&r->keys, is_any, NULL);
	for (struct cmk_record *c = r->keys.cmks; c; c = c->next)
		c->leased = 0;
	pthread_rwlock_unlock(&r->lock);
	pthread_mutex_unlock(&r->asking);
}
