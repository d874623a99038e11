#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/json.h"
#include "fs/bucket/bucket.h"
#include "fs/check/key_argument.h"
#include "fs/check/proof.h"
#include "fs/cli/cli.h"
#include "fs/cli/client.h"
#include "fs/cli/subject.h"

static const char *output;

static const struct option_row options[] = {
	{ "output", 'o', "FILE", "write the certificate to FILE rather than to standard output", &output, NULL, NULL },
	KEY_OPTION_ROWS,
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};
static const struct verb verb = { "prove-unused", "KEY[:MATERIAL]", "Scans every registered bucket for what still needs the key, or one key material of it, and prints a "
				  "signed certificate where nothing does.", verb_prove_unused, 0 };

struct instance { uint8_t bucket_id[UUID_LEN], id[UUID_LEN]; char *path; int replica; };
struct instances { struct instance *list; size_t count; };

static int add_instance(void *context, const struct bucket_instance *b)
{
	struct instances *all = context;
	struct instance *wider = realloc(all->list, (all->count + 1) * sizeof(*wider));

	if (!wider)
		return 1;
	all->list = wider;
	wider = &all->list[all->count++];
	memcpy(wider->bucket_id, b->bucket_id, UUID_LEN);
	memcpy(wider->id, b->instance_id, UUID_LEN);
	wider->path = strdup(b->path ? b->path : "");
	wider->replica = b->replica;
	return !wider->path;
}

static void instances_release(struct instances *all)
{
	for (size_t i = 0; i < all->count; i++)
		free(all->list[i].path);
	free(all->list);
}

/* --- one bucket ------------------------------------------------------------------------------- */

static enum err scan_mounted(struct client *c, const struct key_ref *key, int has_material, json_t **scan)
{
	char id[UUID_TEXT_LEN + 1], material[HEX_LEN(MATERIAL_ID_LEN) + 1];
	json_t *request = client_request("scan"), *reply;
	enum err e;

	uuid_text(key->key_id, id);
	bytes_to_hex(key->material_id, MATERIAL_ID_LEN, material);
	if (request)
		json_object_set_new(request, "KeyId", json_string(id));
	if (request && has_material)
		json_object_set_new(request, "KeyMaterialId", json_string(material));
	e = client_call(c, request, NULL, NULL, &reply);
	if (e == ERR_OK)
		*scan = json_incref(json_object_get(reply, "Scan"));
	json_decref(reply);
	return e;
}

static enum err scan_offline(const char *path, struct keymgr *k, const struct key_ref *key, int has_material, json_t **scan)
{
	struct offline o = { .keymgr = NULL };
	struct scan_result result;
	enum err e = offline_open_with(path, k, &o), closed;

	if (e == ERR_OK) {
		e = scan_run(o.tree, key->key_id, has_material ? key->material_id : NULL, NULL, &result);
		if (e == ERR_OK) {
			e = keymgr_report_scan(k, &result.report);
			*scan = proof_scan_json(o.bucket, &result);
			scan_result_release(&result);
		}
	}
	closed = offline_close(&o);
	return e == ERR_OK ? closed : e;
}

/* That what lies at the path now is the instance that is registered. */
static enum err check_instance(const struct instance *i, const json_t *scan)
{
	const char *found = json_string_value(json_object_get(scan, "InstanceId"));
	char wanted[UUID_TEXT_LEN + 1];

	uuid_text(i->id, wanted);
	if (found && strcmp(found, wanted) == 0)
		return ERR_OK;
	return err_set(ERR_NOT_FOUND, "at %s lies another instance of the bucket: `rekeyctl forget-bucket` drops this one if it is gone", i->path);
}

static enum err scan_one(struct keymgr *k, const struct instance *i, const struct key_ref *key, int has_material, json_t **scan)
{
	struct client *c = NULL;
	enum err e;

	*scan = NULL;
	if (i->replica)
		return err_set(ERR_REFUSED, "a replica cannot be scanned: `rekeyctl forget-bucket` drops it once it is gone");
	e = client_open_bucket(i->path, &c);
	if (e == ERR_OK)
		e = scan_mounted(c, key, has_material, scan);
	else if (e == ERR_NOT_FOUND)
		e = scan_offline(i->path, k, key, has_material, scan);
	client_close(c);
	if (e == ERR_OK)
		e = check_instance(i, *scan);
	return e;
}

/* --- all of them ----------------------------------------------------------------------------------- */

static void tell(const struct instance *i, const json_t *scan)
{
	const char *reference = json_string_value(json_object_get(scan, "FirstReference"));
	const char *unreadable = json_string_value(json_object_get(scan, "FirstUnreadable"));
	const char *reason = json_string_value(json_object_get(scan, "FirstReason"));

	fprintf(stderr, "%s: %lld references", i->path, (long long)json_integer_value(json_object_get(scan, "References")));
	if (reference)
		fprintf(stderr, " (%s)", reference);
	fprintf(stderr, ", %lld unreadable", (long long)json_integer_value(json_object_get(scan, "Unreadable")));
	if (unreadable)
		fprintf(stderr, " (%s: %s)", unreadable, reason ? reason : "");
	fprintf(stderr, "\n");
}

/* How many instances stand in the way; their scans in `scans`. */
static size_t scan_all(struct keymgr *k, const struct instances *all, const struct key_ref *key, int has_material, json_t *scans)
{
	size_t against = 0;

	for (size_t i = 0; i < all->count; i++) {
		json_t *scan;
		enum err e = scan_one(k, &all->list[i], key, has_material, &scan);

		if (e != ERR_OK) {
			fprintf(stderr, "%s: unknown: %s\n", all->list[i].path, err_message(e));
			against++;
		} else if (!proof_scan_is_clean(scan)) {
			tell(&all->list[i], scan);
			against++;
		}
		if (scan)
			json_array_append_new(scans, scan);
	}
	return against;
}

static enum err print_certificate(const json_t *certificate)
{
	FILE *to = output ? fopen(output, "w") : stdout;

	if (!to)
		return err_set_errno("%s", output);
	json_print(to, certificate);
	if (output && fclose(to) != 0)
		return err_set_errno("%s", output);
	return ERR_OK;
}

int verb_prove_unused(int argc, char **argv)
{
	struct instances all = { .list = NULL };
	json_t *scans = json_array(), *certificate = NULL;
	struct keymgr *k = NULL;
	struct key_ref key;
	char **operands;
	size_t against = 0;
	int count, has_material = 0;
	enum err e = command_line_parse(PROGRAM, &verb, options, argc, argv, &operands, &count);

	if (e == ERR_OK && count != 1)
		e = err_set(ERR_USAGE, "prove-unused: one KEY, please (see rekeyfs prove-unused --help)");
	if (e == ERR_OK)
		e = cli_open_keystore(&k);
	if (e == ERR_OK)
		e = key_argument_parse(k, operands[0], &key, &has_material);
	if (e == ERR_OK)
		e = keymgr_list_buckets(k, add_instance, &all);
	if (e == ERR_OK)
		against = scan_all(k, &all, &key, has_material, scans);
	if (e == ERR_OK && against)
		e = err_set(ERR_REFUSED, "%s is not proved to be unused: %zu of %zu bucket instances stand in the way", operands[0], against, all.count);
	if (e == ERR_OK)
		e = proof_sign(k, &key, has_material, scans, &certificate);
	if (e == ERR_OK)
		e = print_certificate(certificate);
	json_decref(certificate);
	json_decref(scans);
	instances_release(&all);
	keymgr_close(k);
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}
