/* The formats against a second implementation of them (make-vectors). */
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>
#include "base/kdf.h"
#include "keymgr/core/audit_log.h"
#include "keymgr/core/ciphertext.h"
#include "keymgr/core/context.h"
#include "keymgr/core/ledger.h"
#include "keymgr/protectors/recovery_code.h"
#include "tests/unit/keymgr/vectors.h"

#define BYTES(name) ((sizeof(name) - 1) / 2)
#define T0 1795507200

static uint8_t keystore_id[16], root1[32], root2[32], cmk1[16], cmk2[16], material1[32], material2[32], keyfile[32];

static void fill(uint8_t first, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(first + i);
}

static int fill_all(void **state)
{
	fill(0x00, keystore_id, sizeof(keystore_id));
	fill(0x20, root1, sizeof(root1));
	fill(0x40, root2, sizeof(root2));
	fill(0x60, cmk1, sizeof(cmk1));
	fill(0x70, cmk2, sizeof(cmk2));
	fill(0x80, material1, sizeof(material1));
	fill(0xa0, material2, sizeof(material2));
	fill(0xe0, keyfile, sizeof(keyfile));
	return 0;
}

static void key_material_ids_and_wraps(void **state)
{
	struct backing_key_place place = { keystore_id, cmk1 };
	struct backing_key b = { .origin = BACKING_KEY_GENERATED };
	uint8_t id[MATERIAL_ID_LEN], out[BACKING_KEY_LEN];

	backing_key_id(material2, cmk1, id);
	assert_hex(id, 32, VECTOR_MATERIAL_ID);
	memcpy(b.id, id, sizeof(id));
	unit_hex(VECTOR_WRAP, b.wrap, sizeof(b.wrap));
	assert_ok(backing_key_unwrap(&b, root2, place, out));
	assert_memory_equal(out, material2, 32);
	assert_err(backing_key_unwrap(&b, root1, place, out), ERR_NOT_AUTHENTIC);
	place.key_id = cmk2;
	assert_err(backing_key_unwrap(&b, root2, place, out), ERR_NOT_AUTHENTIC);
}

/* A wrap that opens, but holds other material than the id says. */
static void an_id_that_is_not_the_materials(void **state)
{
	struct backing_key_place place = { keystore_id, cmk1 };
	struct backing_key b = { .origin = BACKING_KEY_GENERATED };
	uint8_t out[BACKING_KEY_LEN];

	backing_key_id(material1, cmk1, b.id);
	backing_key_wrap(&b, root2, place, material2);
	assert_err(backing_key_unwrap(&b, root2, place, out), ERR_NOT_AUTHENTIC);
}

static const struct context_pair pairs[] = {
	{ "file", "2" }, { "bucket", "10111213-1415-1617-1819-1a1b1c1d1e1f" },
};
static const struct context context = { pairs, 2 };

static void contexts(void **state)
{
	const struct context_pair twice[] = { { "a", "1" }, { "b", "2" }, { "a", "1" } }, empty[] = { { "", "1" } };
	const struct context double_context = { twice, 3 }, empty_context = { empty, 1 };
	const struct context_pair moved[] = { { "ab", "c" } }, other[] = { { "a", "bc" } };
	const struct context moved_context = { moved, 1 }, other_context = { other, 1 };
	uint8_t *bytes, *more;
	size_t len, more_len;

	assert_ok(context_encode(&context, NULL, 0, &bytes, &len));
	assert_int_equal(len, BYTES(VECTOR_CONTEXT));
	assert_hex(bytes, BYTES(VECTOR_CONTEXT), VECTOR_CONTEXT);
	free(bytes);
	assert_ok(context_encode(NULL, "x", 1, &bytes, &len));
	assert_int_equal(len, 5);
	assert_memory_equal(bytes, "x\0\0\0\0", 5);
	free(bytes);
	assert_err(context_encode(&double_context, NULL, 0, &bytes, &len), ERR_VALIDATION);
	assert_err(context_encode(&empty_context, NULL, 0, &bytes, &len), ERR_VALIDATION);
	assert_ok(context_encode(&moved_context, NULL, 0, &bytes, &len));
	assert_ok(context_encode(&other_context, NULL, 0, &more, &more_len));
	assert_int_equal(len, more_len);
	assert_memory_not_equal(bytes, more, len);
	free(bytes);
	free(more);
}

static void ciphertexts(void **state)
{
	uint8_t blob[BYTES(VECTOR_BLOB)], text[BYTES(VECTOR_CIPHERTEXT)], plain[32];
	const struct context_pair other[] = { { "file", "3" }, pairs[1] };
	const struct context other_context = { other, 2 };
	struct key_ref ref;
	struct secret *s;

	fill(0x01, plain, sizeof(plain));
	unit_hex(VECTOR_BLOB, blob, sizeof(blob));
	assert_int_equal(sizeof(blob), 124);
	assert_ok(blob_ref(blob, sizeof(blob), &ref));
	assert_memory_equal(ref.key_id, cmk1, 16);
	assert_hex(ref.material_id, 32, VECTOR_MATERIAL_ID);
	assert_ok(ciphertext_open(material2, &context, blob, sizeof(blob), &s));
	assert_int_equal(s->len, 32);
	assert_memory_equal(s->bytes, plain, 32);
	secret_free(s);
	assert_err(ciphertext_open(material2, &other_context, blob, sizeof(blob), &s), ERR_CIPHERTEXT);
	assert_err(ciphertext_open(material2, NULL, blob, sizeof(blob), &s), ERR_CIPHERTEXT);
	assert_err(ciphertext_open(material1, &context, blob, sizeof(blob), &s), ERR_CIPHERTEXT);
	unit_hex(VECTOR_CIPHERTEXT, text, sizeof(text));
	assert_ok(ciphertext_open(material2, NULL, text, sizeof(text), &s));
	assert_int_equal(s->len, 14);
	assert_memory_equal(s->bytes, "attack at dawn", 14);
	secret_free(s);
}

static void every_bit_of_a_ciphertext_counts(void **state)
{
	uint8_t blob[BYTES(VECTOR_BLOB)];
	struct secret *s;

	unit_hex(VECTOR_BLOB, blob, sizeof(blob));
	for (size_t bit = 0; bit < 8 * sizeof(blob); bit++) {
		blob[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_err(ciphertext_open(material2, &context, blob, sizeof(blob), &s), ERR_CIPHERTEXT);
		blob[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < sizeof(blob); len++)
		assert_err(ciphertext_open(material2, &context, blob, len, &s), ERR_CIPHERTEXT);
}

static void protector_secrets(void **state)
{
	struct protector p = { .kind = PROTECTOR_KEYFILE };
	struct protector phrase = { .kind = PROTECTOR_PASSPHRASE, .cost = { 64 << 20, 1 } };
	struct secret *given;
	uint8_t out[PROTECTOR_SECRET_LEN];

	fill(0xd0, p.salt, sizeof(p.salt));
	fill(0xd0, phrase.salt, sizeof(phrase.salt));
	assert_ok(secret_copy(keyfile, sizeof(keyfile), &given));
	assert_ok(protector_keyfile.derive(&p, given, out));
	assert_hex(out, 32, VECTOR_KEYFILE_SECRET);
	secret_free(given);
	assert_ok(secret_copy("correct horse", 13, &given));
	assert_ok(protector_passphrase.derive(&phrase, given, out));
	assert_hex(out, 32, VECTOR_ARGON2_SECRET);
	secret_free(given);
}

static enum err parse_code(const char *text, uint8_t *out)
{
	struct secret *s;
	enum err e;

	assert_ok(secret_copy(text, strlen(text), &s));
	e = recovery_code_parse(s, out);
	secret_free(s);
	return e;
}

static void recovery_codes(void **state)
{
	uint8_t bytes[RECOVERY_BYTES], out[RECOVERY_BYTES];
	char text[RECOVERY_CODE_LEN + 1], wrong[RECOVERY_CODE_LEN + 1];

	fill(0x01, bytes, sizeof(bytes));
	recovery_code_text(bytes, text);
	assert_string_equal(text, VECTOR_RECOVERY_CODE);
	assert_ok(parse_code(text, out));
	assert_memory_equal(out, bytes, sizeof(bytes));
	assert_ok(parse_code("o4lo 6io5 or3g g28a ic6o t3gf 2o8h 44rm wf7e", out));
	assert_memory_equal(out, bytes, sizeof(bytes));
	for (size_t i = 0; i < RECOVERY_CODE_LEN; i++) {
		if (text[i] == '-')
			continue;
		memcpy(wrong, text, sizeof(wrong));
		wrong[i] = text[i] == 'X' ? 'Y' : 'X';
		assert_err(parse_code(wrong, out), ERR_FORMAT);
	}
	assert_err(parse_code("0410-6105", out), ERR_FORMAT);
	assert_err(parse_code(VECTOR_RECOVERY_CODE "0", out), ERR_FORMAT);
	assert_err(parse_code("0410-6105-0R3G-G28A-1C60-T3GF-208H-44RM-WF7U", out), ERR_FORMAT);
}

static struct keystore *open_keystore(const uint8_t *bytes, size_t len, struct protector_opened *opened, struct secret **root)
{
	struct keystore *s = keystore_new();
	struct secret *given;
	size_t head;

	assert_ok(keystore_read_head(s, bytes, len, &head));
	assert_int_equal(head, BYTES(VECTOR_KEYSTORE_HEAD));
	assert_ok(secret_copy(keyfile, sizeof(keyfile), &given));
	assert_ok(protector_open(&s->protectors[0], s->id, given, opened));
	secret_free(given);
	assert_ok(protector_unseal_root(&s->protectors[0], opened, root));
	assert_memory_equal((*root)->bytes, root2, 32);
	assert_ok(root_link_check(s->links, s->id, s->protectors[0].root_epoch, s->protectors[0].root_public, s->epoch,
				  (*root)->bytes));
	assert_ok(keystore_read_body(s, (*root)->bytes, bytes, len, head));
	return s;
}

static void check_keys(const struct keystore *s)
{
	struct backing_key_place place = { s->id, cmk1 };
	const struct cmk *cmk = keystore_find_cmk(s, cmk1);
	uint8_t out[32];

	assert_non_null(cmk);
	assert_int_equal(s->cmk_count, 2);
	assert_int_equal(cmk->state, KEY_ENABLED);
	assert_int_equal(cmk->flags, CMK_ROTATION);
	assert_int_equal(cmk->rotation_days, 90);
	assert_int_equal(cmk->next_rotation, T0 + 90 * 86400);
	assert_int_equal(cmk->on_demand, 1);
	assert_string_equal(cmk->description, "projects");
	assert_int_equal(cmk->backing_key_count, 2);
	assert_ok(backing_key_unwrap(&cmk->backing_keys[0], root2, place, out));
	assert_memory_equal(out, material1, 32);
	assert_ok(backing_key_unwrap(cmk_current(cmk), root2, place, out));
	assert_memory_equal(out, material2, 32);
	assert_int_equal(cmk->backing_keys[0].retired, T0 + 60);
	cmk = keystore_find_cmk(s, cmk2);
	assert_non_null(cmk);
	assert_int_equal(cmk->state, KEY_DESTROYED);
	assert_null(cmk_current(cmk));
	place.key_id = cmk2;
	assert_err(backing_key_unwrap(&cmk->backing_keys[0], root2, place, out), ERR_KEY_DESTROYED);
}

static void a_keystore_is_read(void **state)
{
	uint8_t bytes[BYTES(VECTOR_KEYSTORE)], id[16], key[32], expected[32];
	struct protector_opened opened;
	struct registration *r;
	struct secret *root;
	struct keystore *s;

	unit_hex(VECTOR_KEYSTORE, bytes, sizeof(bytes));
	s = open_keystore(bytes, sizeof(bytes), &opened, &root);
	assert_int_equal(s->generation, 7);
	assert_int_equal(s->epoch, 2);
	assert_int_equal(s->ledger_sequence, 5);
	assert_string_equal(s->protectors[0].hint, "/etc/keystore.key");
	check_keys(s);
	assert_non_null(keystore_find_alias(s, "alias/projects"));
	assert_null(keystore_find_alias(s, "alias/other"));
	fill(0x90, id, sizeof(id));
	r = keystore_find_instance(s, id);
	assert_non_null(r);
	assert_string_equal(r->path, "/srv/bucket");
	assert_true(r->filesystem == 0x801 && r->root_inode == 2 && !r->replica);
	/* What the root key before it vouched for. */
	assert_ok(keystore_mac_key(s, root2, ROOT_AUDIT, 1, key));
	kdf(root1, KDF_AUDIT, NULL, expected);
	assert_memory_equal(key, expected, 32);
	assert_ok(keystore_mac_key(s, root2, ROOT_LEDGER, 1, key));
	kdf(root1, KDF_KS_STATE, NULL, expected);
	assert_memory_equal(key, expected, 32);
	assert_err(keystore_mac_key(s, root2, ROOT_AUDIT, 3, key), ERR_NOT_FOUND);
	protector_opened_release(&opened);
	secret_free(root);
	keystore_free(s);
}

/* The seal's nonce apart, the same bytes come out. */
static void a_keystore_is_written(void **state)
{
	uint8_t bytes[BYTES(VECTOR_KEYSTORE)], *again, seal_key[32], plain[BYTES(VECTOR_KEYSTORE_BODY)];
	const size_t head = BYTES(VECTOR_KEYSTORE_HEAD);
	struct protector_opened opened;
	struct secret *root;
	struct keystore *s;
	size_t len;

	unit_hex(VECTOR_KEYSTORE, bytes, sizeof(bytes));
	s = open_keystore(bytes, sizeof(bytes), &opened, &root);
	assert_ok(keystore_write(s, root2, &again, &len));
	assert_int_equal(len, sizeof(bytes));
	assert_memory_equal(again, bytes, head);
	assert_memory_not_equal(again + head, bytes + head, AEAD_NONCE_LEN);
	kdf(root2, KDF_KEYSTORE, NULL, seal_key);
	assert_ok(aead_unwrap(seal_key, again, head, again + head, len - head, plain));
	assert_hex(plain, BYTES(VECTOR_KEYSTORE_BODY), VECTOR_KEYSTORE_BODY);
	free(again);
	protector_opened_release(&opened);
	secret_free(root);
	keystore_free(s);
}

static void a_ledger_is_read_and_written(void **state)
{
	uint8_t bytes[BYTES(VECTOR_LEDGER)], mac_key[32], *again;
	struct ledger l;
	struct key_ref ref;
	size_t len;

	unit_hex(VECTOR_LEDGER, bytes, sizeof(bytes));
	kdf(root2, KDF_KS_STATE, NULL, mac_key);
	assert_ok(ledger_read(bytes, sizeof(bytes), keystore_id, mac_key, &l));
	assert_true(l.sequence == 6 && l.epoch == 2 && l.generation == 7 && l.audit_sequence == 11);
	assert_true(l.clock_offset == -5 && l.since == T0 && l.lost_at == 0);
	assert_true(l.sighting_count == 1 && l.lease_count == 1 && l.scan_count == 1 && l.usage_count == 1);
	assert_true(l.sightings[0].checkpoint == 40 && l.sightings[0].policy_generation == 3);
	assert_true(l.leases[0].taken == T0 + 5 && l.leases[0].acknowledged == T0 + 8);
	assert_true(l.scans[0].references == 1 && l.scans[0].unreadable == 2 && l.scans[0].started_boot == 101);
	assert_string_equal(l.scans[0].first_unreadable, "a/b");
	memcpy(ref.key_id, cmk1, 16);
	unit_hex(VECTOR_MATERIAL_ID, ref.material_id, 32);
	assert_non_null(ledger_find_usage(&l, &ref));
	assert_true(l.usages[0].data_keys == 4 && l.usages[0].ciphertexts == 5 && l.usages[0].encrypted);
	assert_ok(ledger_write(&l, keystore_id, mac_key, &again, &len));
	assert_int_equal(len, sizeof(bytes));
	assert_memory_equal(again, bytes, len);
	free(again);
	ledger_release(&l);
}

static void audit_lines(void **state)
{
	const char *const texts[] = { VECTOR_AUDIT_1, VECTOR_AUDIT_2 };
	uint8_t keys[2][32], hash[AUDIT_HASH_LEN] = { 0 };
	struct audit_line line;
	json_t *fields;
	char *again;
	size_t len;

	kdf(root1, KDF_AUDIT, NULL, keys[0]);
	kdf(root2, KDF_AUDIT, NULL, keys[1]);
	for (int i = 0; i < 2; i++) {
		assert_ok(audit_line_parse(texts[i], strlen(texts[i]), &line));
		assert_int_equal(line.sequence, i + 1);
		assert_int_equal(line.epoch, i + 1);
		assert_memory_equal(line.previous, hash, sizeof(hash));
		assert_ok(audit_line_verify(&line, keys[i]));
		assert_err(audit_line_verify(&line, keys[1 - i]), ERR_NOT_AUTHENTIC);
		audit_line_hash(&line, hash);
		fields = json_loads(texts[i], 0, NULL);
		json_object_del(fields, "mac");
		assert_ok(audit_line_make(fields, keys[i], &again, &len));
		assert_string_equal(again, texts[i]);
		json_decref(fields);
		free(again);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(key_material_ids_and_wraps),
	cmocka_unit_test(an_id_that_is_not_the_materials),
	cmocka_unit_test(contexts),
	cmocka_unit_test(ciphertexts),
	cmocka_unit_test(every_bit_of_a_ciphertext_counts),
	cmocka_unit_test(protector_secrets),
	cmocka_unit_test(recovery_codes),
	cmocka_unit_test(a_keystore_is_read),
	cmocka_unit_test(a_keystore_is_written),
	cmocka_unit_test(a_ledger_is_read_and_written),
	cmocka_unit_test(audit_lines),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fill_all, NULL);
}
