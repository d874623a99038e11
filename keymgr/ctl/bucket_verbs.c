/* The buckets that a keystore knows: a key is destroyed only when none of them needs it. */
#include <stdlib.h>
#include <string.h>
#include "keymgr/ctl/confirmation.h"
#include "keymgr/ctl/verb.h"

static int list_one(void *context, const struct bucket_instance *b)
{
	char bucket[UUID_TEXT_LEN + 1], instance[UUID_TEXT_LEN + 1];

	uuid_text(b->bucket_id, bucket);
	uuid_text(b->instance_id, instance);
	return json_array_append_new(context, json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:b}", "BucketId", bucket, "InstanceId", instance,
		"Path", b->path ? b->path : "", "RegistrationDate", (json_int_t)b->registered,
		"LastSeenDate", (json_int_t)b->last_seen, "Checkpoint", (json_int_t)b->checkpoint,
		"PolicyGeneration", (json_int_t)b->policy_generation, "Replica", b->replica)) != 0;
}

static int run_list(struct invocation *i)
{
	json_t *list = json_array();
	struct keymgr *k = NULL;
	enum err e = invocation_operands(i, 0);

	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e == ERR_OK)
		e = keymgr_list_buckets(k, list_one, list);
	keymgr_close(k);
	if (e == ERR_OK)
		return answer_print("ListBuckets", json_pack("{s:o}", "Buckets", list));
	json_decref(list);
	return verb_fail(e, NULL);
}

static enum err take_id(const char *text, uint8_t out[static UUID_LEN])
{
	if (uuid_parse(text, out) != ERR_OK)
		return err_set(ERR_USAGE, "\"%.64s\" is no id (list-buckets tells them)", text);
	return ERR_OK;
}

static const struct parameter forget[] = {
	{ "confirm", NULL, PARAMETER_TEXT, 0, "ID", "the same once more; asked for on a terminal" },
	{ NULL }
};

static int run_forget(struct invocation *i)
{
	const char *id_text = i->operands[0];
	struct keymgr *k = NULL;
	uint8_t id[UUID_LEN];
	enum err e = invocation_operands(i, 1);

	if (e == ERR_OK)
		e = take_id(id_text, id);
	if (e == ERR_OK)
		e = confirmation_take(invocation_value(i, "confirm"), id_text,
				      "Keys that only this bucket needs may then be destroyed.");
	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e == ERR_OK)
		e = keymgr_forget_bucket(k, id, id_text);
	keymgr_close(k);
	return e == ERR_OK ? 0 : verb_fail(e, NULL);
}

static const struct parameter replica[] = {
	{ "bucket-id", NULL, PARAMETER_TEXT, 1, "ID", "BucketId of which it is a copy" },
	{ "path", NULL, PARAMETER_TEXT, 1, "TEXT", "where it is, for people: tape-17, backup.example.org:/srv" },
	{ NULL }
};

static int run_replica(struct invocation *i)
{
	struct bucket_instance b = { .replica = 1, .path = (char *)invocation_value(i, "path") };
	char instance[UUID_TEXT_LEN + 1];
	struct keymgr *k = NULL;
	enum err e = invocation_operands(i, 0);

	if (e == ERR_OK)
		e = take_id(invocation_value(i, "bucket-id"), b.bucket_id);
	if (e == ERR_OK)
		e = global_open(0, &k);
	uuid_random(b.instance_id);
	if (e == ERR_OK)
		e = keymgr_register_bucket(k, &b);
	keymgr_close(k);
	if (e != ERR_OK)
		return verb_fail(e, NULL);
	uuid_text(b.instance_id, instance);
	return answer_print("RegisterReplica", json_pack("{s:s, s:s}", "BucketId", invocation_value(i, "bucket-id"),
							 "InstanceId", instance));
}

const struct ctl_verb verbs_buckets[] = {
	{ "list-buckets", "the buckets that use this keystore", NULL, NULL, run_list, "list-buckets --output table" },
	{ "forget-bucket", "a bucket is gone: deletions wait for it no longer", forget, NULL, run_forget,
	  "forget-bucket 1234abcd-12ab-34cd-56ef-1234567890ab", "INSTANCE-ID" },
	{ "register-replica", "a copy elsewhere, for which deletions wait until it is forgotten", replica, NULL, run_replica,
	  "register-replica --bucket-id 1234abcd-12ab-34cd-56ef-1234567890ab --path tape-17" },
	{ NULL }
};
