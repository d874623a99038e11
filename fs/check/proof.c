#include "fs/check/proof.h"

#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"

#define TYPE "rekeyfs proof of no use"
#define VERSION 1
#define STATEMENT "In the bucket instances named here, scanned at the times named here, no file, open file, names key or temporary file was under the key. " \
	"Copies of buckets that the keystore does not know (backups, snapshots) are not covered."

static json_t *id_json(const uint8_t id[static UUID_LEN])
{
	char text[UUID_TEXT_LEN + 1];

	uuid_text(id, text);
	return json_string(text);
}

static json_t *time_json(int64_t when)
{
	char text[CLOCK_TEXT_LEN + 1];

	clock_text(when, text);
	return json_string(text);
}

static void set_count(json_t *o, const char *name, uint64_t count)
{
	json_object_set_new(o, name, json_integer((json_int_t)count));
}

json_t *proof_scan_json(struct bucket *b, const struct scan_result *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "BucketId", id_json(b->description.id));
	json_object_set_new(o, "InstanceId", id_json(r->report.instance_id));
	json_object_set_new(o, "Started", time_json(r->report.started));
	json_object_set_new(o, "Ended", time_json(r->report.ended));
	set_count(o, "Files", r->report.files);
	set_count(o, "HeaderCopies", r->copies);
	set_count(o, "References", r->report.references);
	set_count(o, "Unreadable", r->report.unreadable);
	set_count(o, "Policies", r->policies);
	set_count(o, "Checkpoint", r->checkpoint);
	set_count(o, "PolicyGeneration", r->policy_generation);
	if (r->first_reference)
		json_object_set_new(o, "FirstReference", json_string(r->first_reference));
	if (r->report.first_unreadable) {
		json_t *reason = json_string(r->first_reason);

		json_object_set_new(o, "FirstUnreadable", json_string(r->report.first_unreadable));
		json_object_set_new(o, "FirstReason", reason ? reason : json_string(err_text(r->first_error)));
	}
	return o;
}

int proof_scan_is_clean(const json_t *scan)
{
	long long references = 1, unreadable = 1;

	return json_get_integer(scan, "References", &references) == ERR_OK && json_get_integer(scan, "Unreadable", &unreadable) == ERR_OK &&
	       !references && !unreadable;
}

/* The last line of the audit log binds all before it by their hashes. */
static int take_head(void *context, const char *line)
{
	json_t **head = context, *parsed = NULL;
	const char *mac;
	long long sequence;

	if (json_parse(line, strlen(line), &parsed) == ERR_OK && json_get_integer(parsed, "sequence", &sequence) == ERR_OK &&
	    json_get_string(parsed, "mac", &mac) == ERR_OK) {
		json_decref(*head);
		*head = json_pack("{s:I, s:s}", "Sequence", (json_int_t)sequence, "Mac", mac);
	}
	json_decref(parsed);
	return 0;
}

static json_t *make_proof(struct keymgr *k, const struct key_ref *key, int has_material, json_t *buckets)
{
	char material[HEX_LEN(MATERIAL_ID_LEN) + 1];
	uint8_t keystore[UUID_LEN];
	json_t *proof = json_object(), *head = NULL;

	keymgr_id(k, keystore);
	json_object_set_new(proof, "Type", json_string(TYPE));
	json_object_set_new(proof, "Version", json_integer(VERSION));
	json_object_set_new(proof, "KeyId", id_json(key->key_id));
	if (has_material) {
		bytes_to_hex(key->material_id, MATERIAL_ID_LEN, material);
		json_object_set_new(proof, "KeyMaterialId", json_string(material));
	}
	json_object_set_new(proof, "KeyState", json_string(key_state_name(keymgr_key_state(k, key->key_id))));
	json_object_set_new(proof, "KeystoreId", id_json(keystore));
	json_object_set_new(proof, "Date", time_json(clock_now()));
	json_object_set(proof, "Buckets", buckets);
	if (keymgr_events(k, 0, take_head, &head) == ERR_OK && head)
		json_object_set(proof, "AuditHead", head);
	json_decref(head);
	json_object_set_new(proof, "Statement", json_string(STATEMENT));
	return proof;
}

static char *signed_bytes(const json_t *proof)
{
	return json_dumps(proof, JSON_COMPACT | JSON_SORT_KEYS);
}

enum err proof_sign(struct keymgr *k, const struct key_ref *key, int has_material, json_t *buckets, json_t **certificate_out)
{
	uint8_t signature[64], public_key[32];
	json_t *proof = make_proof(k, key, has_material, buckets);
	char *bytes = proof ? signed_bytes(proof) : NULL;
	enum err e = bytes ? keymgr_sign(k, bytes, strlen(bytes), signature, public_key) : ERR_NO_MEMORY;

	*certificate_out = NULL;
	if (e == ERR_OK)
		*certificate_out = json_pack("{s:O, s:o, s:o}", "Proof", proof, "PublicKey", json_base64(public_key, sizeof(public_key)),
					     "Signature", json_base64(signature, sizeof(signature)));
	free(bytes);
	json_decref(proof);
	return e == ERR_OK && !*certificate_out ? ERR_NO_MEMORY : e;
}

static enum err take_bytes(const json_t *o, const char *name, uint8_t *out, size_t len)
{
	const char *text;
	size_t got = 0;
	enum err e = json_get_string(o, name, &text);

	if (e == ERR_OK)
		e = bytes_from_base64(text, strlen(text), out, len, &got);
	return e == ERR_OK && got != len ? ERR_FORMAT : e;
}

enum err proof_verify(const json_t *certificate, uint8_t public_key_out[static 32])
{
	uint8_t signature[64];
	json_t *proof = json_object_get(certificate, "Proof");
	const char *type = "";
	char *bytes;
	enum err e = json_is_object(proof) ? json_get_string(proof, "Type", &type) : ERR_FORMAT;

	if (e == ERR_OK && strcmp(type, TYPE) != 0)
		e = ERR_FORMAT;
	if (e == ERR_OK)
		e = take_bytes(certificate, "PublicKey", public_key_out, 32);
	if (e == ERR_OK)
		e = take_bytes(certificate, "Signature", signature, sizeof(signature));
	if (e != ERR_OK)
		return err_set(ERR_FORMAT, "not a proof of no use");
	bytes = signed_bytes(proof);
	e = bytes ? keymgr_verify_signature(bytes, strlen(bytes), signature, public_key_out) : ERR_NO_MEMORY;
	free(bytes);
	return e == ERR_NOT_AUTHENTIC ? err_set(e, "the proof was changed after it was signed, or never was") : e;
}
