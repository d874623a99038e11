/* Damaged, forged and older files: nothing of it passes for the keystore. */
#include "tests/unit/keymgr/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/kdf.h"
#include "base/random.h"
#include "keymgr/core/keystore.h"
#include "keymgr/core/ledger.h"
#include "keymgr/core/storage.h"

static const struct unlock quiet = { .no_prompt = 1 };

static enum err try_open(struct fixture *f)
{
	struct keymgr *k = NULL;
	enum err e = keymgr_open(f->path, &quiet, 1, &k);

	keymgr_close(k);
	return e;
}

/* As opening does it, from bytes in memory. */
static enum err open_bytes(const uint8_t *bytes, size_t len, const struct secret *given)
{
	struct image i = { .fd = -1, .bytes = malloc(len ? len : 1), .len = len, .store = keystore_new() };
	struct protector_opened opened = { 0 };
	struct secret *root = NULL;
	enum err e;

	memcpy(i.bytes, bytes, len);
	e = keystore_read_head(i.store, i.bytes, len, &i.head_len);
	for (size_t p = 0; e == ERR_OK && p < i.store->protector_count; p++)
		e = protector_open(&i.store->protectors[p], i.store->id, given, &opened);
	if (e == ERR_OK)
		e = image_open(&i, &opened, &root);
	protector_opened_release(&opened);
	secret_free(root);
	image_release(&i);
	return e;
}

static uint8_t *load_closed(struct fixture *f, size_t *len, struct secret **given)
{
	char keyfile[FIXTURE_PATH];
	size_t given_len;
	uint8_t *bytes;

	keymgr_close(f->k);
	f->k = NULL;
	fixture_file(f, ".key", keyfile);
	bytes = fixture_load(keyfile, &given_len);
	assert_ok(secret_copy(bytes, given_len, given));
	free(bytes);
	return fixture_load(f->path, len);
}

static void every_bit_of_a_keystore_counts(void **state)
{
	struct fixture *f = *state;
	struct secret *given;
	uint8_t *bytes;
	size_t len;

	fixture_key(f);
	assert_ok(keymgr_create_alias(f->k, "alias/a", f->key));
	assert_ok(keymgr_rotate_root(f->k));
	bytes = load_closed(f, &len, &given);
	assert_ok(open_bytes(bytes, len, given));
	for (size_t bit = 0; bit < 8 * len; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (open_bytes(bytes, len, given) == ERR_OK)
			fail_msg("bit %zu of %zu bytes may be flipped", bit, len);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(bytes);
	secret_free(given);
}

static void every_length_but_one_is_wrong(void **state)
{
	struct fixture *f = *state;
	struct secret *given;
	uint8_t *bytes;
	size_t len;

	bytes = load_closed(f, &len, &given);
	for (size_t n = 0; n < len; n++)
		assert_true(open_bytes(bytes, n, given) != ERR_OK);
	bytes = realloc(bytes, len + 1);
	bytes[len] = 0;
	assert_true(open_bytes(bytes, len + 1, given) != ERR_OK);
	assert_ok(open_bytes(bytes, len, given));
	free(bytes);
	secret_free(given);
}

/* A copy of the ledger that was written first is damaged bit by bit: its MAC says so. */
static void every_bit_of_a_ledger_counts(void **state)
{
	struct fixture *f = *state;
	uint8_t mac_key[32], *bytes;
	struct bucket_instance b;
	struct ledger l;
	size_t len;

	fixture_bucket(f, 1, 0, &b);
	kdf(f->k->root->bytes, KDF_KS_STATE, NULL, mac_key);
	assert_ok(ledger_write(&f->k->ledger, f->k->store->id, mac_key, &bytes, &len));
	for (size_t bit = 0; bit < 8 * len; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(ledger_read(bytes, len, f->k->store->id, mac_key, &l) != ERR_OK);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < len; n++)
		assert_true(ledger_read(bytes, n, f->k->store->id, mac_key, &l) != ERR_OK);
	assert_ok(ledger_read(bytes, len, f->k->store->id, mac_key, &l));
	ledger_release(&l);
	free(bytes);
}

/* Whoever cannot open the keystore cannot take a protector out of it, nor put it elsewhere. */
static void a_removed_protector_record_is_noticed(void **state)
{
	struct fixture *f = *state;
	char keyfile[FIXTURE_PATH];
	struct unlock second = { .keyfile = keyfile };
	uint8_t id[UUID_LEN], *bytes, *forged;
	struct keystore *s = keystore_new();
	size_t len, head, record, first;

	fixture_file(f, ".second", keyfile);
	assert_ok(keymgr_add_protector(f->k, PROTECTOR_KEYFILE, &second, id));
	keymgr_close(f->k);
	f->k = NULL;
	bytes = fixture_load(f->path, &len);
	assert_ok(keystore_read_head(s, bytes, len, &head));
	assert_int_equal(s->protector_count, 2);
	record = protector_record_len(&s->protectors[1]);
	first = head - record;
	forged = malloc(len - record);
	memcpy(forged, bytes, first);
	memcpy(forged + first, bytes + head, len - head);
	forged[8 + 2 + 2 + 16 + 8 + 4] = 1;	/* the count of protectors */
	fixture_store(f->path, forged, len - record);
	assert_err(try_open(f), ERR_NOT_AUTHENTIC);
	fixture_store(f->path, bytes, len);
	assert_ok(try_open(f));
	free(bytes);
	free(forged);
	keystore_free(s);
}

/* An attacker who knows no secret seals a root key of his own to the protector's public key. */
static void another_root_key_under_the_same_protector_is_refused(void **state)
{
	struct fixture *f = *state;
	struct keystore *s = keystore_new();
	uint8_t root[ROOT_KEY_LEN], *bytes, *forged;
	size_t len, head, forged_len;

	keymgr_close(f->k);
	f->k = NULL;
	bytes = fixture_load(f->path, &len);
	assert_ok(keystore_read_head(s, bytes, len, &head));
	random_bytes(root, sizeof(root));
	/* As the first root key … */
	root_link_make(&s->links[0], s->id, 1, root, NULL);
	protector_seal_root(&s->protectors[0], root);
	assert_ok(keystore_write(s, root, &forged, &forged_len));
	fixture_store(f->path, forged, forged_len);
	free(forged);
	assert_err(try_open(f), ERR_NOT_AUTHENTIC);
	/* … and as one that follows the true one, without its signature. */
	keystore_free(s);
	s = keystore_new();
	assert_ok(keystore_read_head(s, bytes, len, &head));
	s->links = realloc(s->links, 2 * sizeof(*s->links));
	root_link_make(&s->links[1], s->id, 2, root, root);
	s->epoch = 2;
	s->past = calloc(1, sizeof(*s->past));
	protector_seal_root(&s->protectors[0], root);
	assert_ok(keystore_write(s, root, &forged, &forged_len));
	fixture_store(f->path, forged, forged_len);
	free(forged);
	assert_err(try_open(f), ERR_NOT_AUTHENTIC);
	fixture_store(f->path, bytes, len);
	assert_ok(try_open(f));
	free(bytes);
	keystore_free(s);
}

static void an_older_generation_is_refused(void **state)
{
	struct fixture *f = *state;
	char old[FIXTURE_PATH];
	uint64_t generation;

	fixture_file(f, ".copy", old);
	fixture_copy_file(f->path, old);
	fixture_key(f);
	/* By a process that has it open … */
	fixture_copy_file(old, f->path);
	assert_err(keymgr_generation(f->k, &generation), ERR_ROLLBACK);
	/* … and by one that opens it now, since the ledger knows. */
	assert_err(try_open(f), ERR_ROLLBACK);
}

static void another_keystore_in_its_place_is_refused(void **state)
{
	struct keymgr_create_options options = { .kind = PROTECTOR_KEYFILE };
	struct fixture *f = *state;
	char other[FIXTURE_PATH];
	uint64_t generation;

	fixture_file(f, "-other", other);
	assert_ok(keymgr_create(other, &options));
	fixture_copy_file(other, f->path);
	assert_err(keymgr_generation(f->k, &generation), ERR_CONFLICT);
}

/* Without its ledger the keystore opens, but no gate does. */
static void a_lost_ledger_makes_deletions_wait(void **state)
{
	struct deletion_options o = { .window_days = 7 };
	struct fixture *f = *state;
	uint8_t out[CIPHERTEXT_MAX];
	struct bucket_instance b, found;
	struct key_ref ref;
	char file[FIXTURE_PATH], *text;
	size_t len;

	fixture_bucket(f, 1, 0, &b);
	fixture_key(f);
	assert_ok(keymgr_encrypt(f->k, f->key, NULL, "x", 1, out, &len, &ref));
	assert_ok(keymgr_schedule_deletion(f->k, f->key, &o, NULL));
	fixture_clock(f, 10);
	assert_ok(fixture_scan(f, &b, 0, 0, 0));
	keymgr_close(f->k);
	f->k = NULL;
	fixture_file(f, ".state", file);
	unlink(file);
	fixture_reopen(f, 0);
	assert_ok(keymgr_deletion_blockers(f->k, f->key, &text));
	assert_non_null(strstr(text, "were lost on"));
	assert_non_null(strstr(text, "not scanned since"));
	free(text);
	/* The registry of instances is not lost with it. */
	assert_ok(keymgr_find_bucket(f->k, b.bucket_id, b.instance_id, &found));
	bucket_instance_release(&found);
	/* It says so for good. */
	fixture_reopen(f, 0);
	assert_ok(keymgr_deletion_blockers(f->k, f->key, &text));
	assert_non_null(strstr(text, "were lost on"));
	free(text);
}

static void an_older_ledger_counts_as_lost(void **state)
{
	struct deletion_options o = { .window_days = 7 };
	struct fixture *f = *state;
	uint8_t out[CIPHERTEXT_MAX];
	char file[FIXTURE_PATH], old[FIXTURE_PATH], *text;
	struct key_ref ref;
	size_t len;

	fixture_key(f);
	fixture_file(f, ".state", file);
	fixture_file(f, ".state.copy", old);
	fixture_copy_file(file, old);
	assert_ok(keymgr_encrypt(f->k, f->key, NULL, "x", 1, out, &len, &ref));
	assert_ok(keymgr_schedule_deletion(f->k, f->key, &o, NULL));
	keymgr_close(f->k);
	f->k = NULL;
	fixture_copy_file(old, file);
	fixture_reopen(f, 0);
	assert_ok(keymgr_deletion_blockers(f->k, f->key, &text));
	assert_non_null(strstr(text, "were lost on"));
	free(text);
}

/* One torn copy of the two: the other one counts. */
static void a_torn_copy_of_the_ledger_does_not_matter(void **state)
{
	struct fixture *f = *state;
	struct bucket_instance b, found;
	char file[FIXTURE_PATH];
	uint64_t sequence;
	uint8_t *bytes;
	size_t len, at;

	fixture_bucket(f, 1, 0, &b);
	assert_ok(keymgr_anchor_bucket(f->k, b.instance_id, 7, 1));
	assert_ok(keymgr_anchor_bucket(f->k, b.instance_id, 8, 1));
	sequence = f->k->ledger.sequence;
	keymgr_close(f->k);
	f->k = NULL;
	fixture_file(f, ".state", file);
	bytes = fixture_load(file, &len);
	/* A write of the next sequence that was cut. */
	at = (size_t)((sequence + 1) % 2 * LEDGER_COPY_LEN);
	memset(bytes + at + 100, 0x55, 100);
	fixture_store(file, bytes, len);
	fixture_reopen(f, 0);
	assert_ok(keymgr_find_bucket(f->k, b.bucket_id, NULL, &found));
	assert_int_equal(found.checkpoint, 8);
	bucket_instance_release(&found);
	/* The next write heals it. */
	assert_ok(keymgr_anchor_bucket(f->k, b.instance_id, 9, 1));
	assert_int_equal(f->k->ledger.lost_at, 0);
	free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
static const struct CMUnitTest tests[] = {
	TEST(every_bit_of_a_keystore_counts),
	TEST(every_length_but_one_is_wrong),
	TEST(every_bit_of_a_ledger_counts),
	TEST(a_removed_protector_record_is_noticed),
	TEST(another_root_key_under_the_same_protector_is_refused),
	TEST(an_older_generation_is_refused),
	TEST(another_keystore_in_its_place_is_refused),
	TEST(a_lost_ledger_makes_deletions_wait),
	TEST(an_older_ledger_counts_as_lost),
	TEST(a_torn_copy_of_the_ledger_does_not_matter),
};

UNIT_MAIN(tests)
