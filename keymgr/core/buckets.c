/* The registry of bucket instances, their anchors, and the scans that they report. */
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "keymgr/core/change.h"
#include "keymgr/core/lease.h"

#define PATH_MAX_LEN 4095

void bucket_instance_release(struct bucket_instance *b)
{
	free(b->path);
	b->path = NULL;
}

static enum err set_text(char **text, const char *value)
{
	char *copy;

	if (!value || strcmp(*text, value) == 0)
		return ERR_OK;
	if (strnlen(value, PATH_MAX_LEN + 1) > PATH_MAX_LEN)
		return err_set(ERR_INVALID, "a path has at most %d bytes", PATH_MAX_LEN);
	copy = strdup(value);
	if (!copy)
		return ERR_NO_MEMORY;
	free(*text);
	*text = copy;
	return ERR_OK;
}

static void raise_anchor(struct sighting *s, uint64_t checkpoint, uint64_t policy_generation)
{
	if (checkpoint > s->checkpoint)
		s->checkpoint = checkpoint;
	if (policy_generation > s->policy_generation)
		s->policy_generation = policy_generation;
}

static enum err add_registration(struct change *c, const struct bucket_instance *b)
{
	struct registration r = { .filesystem = b->filesystem, .root_inode = b->root_inode, .registered = c->now,
				  .replica = b->replica != 0, .path = b->path };

	if (strnlen(b->path ? b->path : "", PATH_MAX_LEN + 1) > PATH_MAX_LEN)
		return err_set(ERR_INVALID, "a path has at most %d bytes", PATH_MAX_LEN);
	memcpy(r.bucket_id, b->bucket_id, UUID_LEN);
	memcpy(r.instance_id, b->instance_id, UUID_LEN);
	return keystore_add_bucket(c->k->store, &r);
}

enum err keymgr_register_bucket(struct keymgr *k, const struct bucket_instance *b)
{
	struct registration *r;
	struct sighting *s;
	struct change c;
	enum err e = change_begin(&c, k, "RegisterBucket");

	if (e != ERR_OK)
		return e;
	change_id(&c, "bucketId", b->bucket_id);
	change_id(&c, "instanceId", b->instance_id);
	change_flag(&c, "replica", b->replica);
	r = keystore_find_instance(k->store, b->instance_id);
	if (!r)
		e = add_registration(&c, b);
	else if (memcmp(r->bucket_id, b->bucket_id, UUID_LEN) != 0)
		e = err_set(ERR_CONFLICT, "this instance is registered as one of another bucket");
	else
		c.kind = CHANGE_LEDGER;
	if (e == ERR_OK)
		e = ledger_sighting(&k->ledger, b->instance_id, &s);
	if (e == ERR_OK)
		e = set_text(&s->path, b->path);
	if (e == ERR_OK) {
		s->last_seen = c.now;
		raise_anchor(s, b->checkpoint, b->policy_generation);
	}
	return change_end(&c, e);
}

enum err keymgr_forget_bucket(struct keymgr *k, const uint8_t instance_id[static UUID_LEN], const char *confirm)
{
	char text[UUID_TEXT_LEN + 1];
	struct registration *r;
	struct change c;
	enum err e = change_begin(&c, k, "ForgetBucket");

	if (e != ERR_OK)
		return e;
	uuid_text(instance_id, text);
	change_id(&c, "instanceId", instance_id);
	r = keystore_find_instance(k->store, instance_id);
	if (!r)
		e = err_set(ERR_NOT_FOUND, "bucket instance %s is not registered", text);
	else if (!confirm || strcmp(confirm, text) != 0)
		e = err_set(ERR_VALIDATION, "to forget a bucket its instance's id is typed again: %s", text);
	if (e == ERR_OK) {
		change_id(&c, "bucketId", r->bucket_id);
		keystore_remove_bucket(k->store, r);
		ledger_forget_instance(&k->ledger, instance_id);
	}
	return change_end(&c, e);
}

static enum err describe(const struct keymgr *k, const struct registration *r, struct bucket_instance *out)
{
	const struct sighting *s = ledger_find_sighting(&k->ledger, r->instance_id);

	*out = (struct bucket_instance){
		.filesystem = r->filesystem, .root_inode = r->root_inode, .registered = r->registered,
		.replica = r->replica, .last_seen = s ? s->last_seen : r->registered,
		.checkpoint = s ? s->checkpoint : 0, .policy_generation = s ? s->policy_generation : 0,
		.path = strdup(s && *s->path ? s->path : r->path),
	};
	memcpy(out->bucket_id, r->bucket_id, UUID_LEN);
	memcpy(out->instance_id, r->instance_id, UUID_LEN);
	return out->path ? ERR_OK : ERR_NO_MEMORY;
}

enum err keymgr_list_buckets(struct keymgr *k, int (*each)(void *context, const struct bucket_instance *b), void *context)
{
	struct bucket_instance *all;
	size_t count = 0;
	enum err e = manager_enter(k, ENTER_LEDGER);

	if (e != ERR_OK)
		return e;
	all = calloc(k->store->bucket_count ? k->store->bucket_count : 1, sizeof(*all));
	if (!all)
		e = ERR_NO_MEMORY;
	while (e == ERR_OK && count < k->store->bucket_count) {
		e = describe(k, &k->store->buckets[count], &all[count]);
		count++;
	}
	manager_leave(k);
	for (size_t i = 0; e == ERR_OK && i < count; i++)
		if (each(context, &all[i]))
			break;
	for (size_t i = 0; all && i < count; i++)
		bucket_instance_release(&all[i]);
	free(all);
	return e;
}

static const struct registration *find(const struct keymgr *k, const uint8_t bucket_id[static UUID_LEN],
				       const uint8_t *instance_id)
{
	for (size_t i = 0; i < k->store->bucket_count; i++) {
		const struct registration *r = &k->store->buckets[i];

		if (memcmp(r->bucket_id, bucket_id, UUID_LEN) == 0 &&
		    (!instance_id || memcmp(r->instance_id, instance_id, UUID_LEN) == 0))
			return r;
	}
	return NULL;
}

enum err keymgr_find_bucket(struct keymgr *k, const uint8_t bucket_id[static UUID_LEN], const uint8_t *instance_id,
			    struct bucket_instance *out)
{
	char text[UUID_TEXT_LEN + 1];
	const struct registration *r;
	enum err e = manager_enter(k, ENTER_LEDGER);

	*out = (struct bucket_instance){ 0 };
	if (e != ERR_OK)
		return e;
	r = find(k, bucket_id, instance_id);
	if (r) {
		e = describe(k, r, out);
	} else {
		uuid_text(bucket_id, text);
		e = err_set(ERR_NOT_FOUND, "bucket %s is not registered with the keystore %s: rekeyfs register BUCKET",
			    text, k->path);
	}
	manager_leave(k);
	return e;
}

enum err keymgr_anchor_bucket(struct keymgr *k, const uint8_t instance_id[static UUID_LEN], uint64_t checkpoint, uint64_t policy_generation)
{
	struct sighting *s;
	struct change c;
	enum err e = change_begin(&c, k, "AnchorBucket");

	if (e != ERR_OK)
		return e;
	c.kind = CHANGE_LEDGER_QUIET;
	if (!keystore_find_instance(k->store, instance_id))
		e = err_set(ERR_NOT_FOUND, "this bucket instance is not registered: rekeyfs register BUCKET");
	if (e == ERR_OK)
		e = ledger_sighting(&k->ledger, instance_id, &s);
	if (e == ERR_OK) {
		raise_anchor(s, checkpoint, policy_generation);
		s->last_seen = c.now;
	}
	return change_end(&c, e);
}

static enum err check_report(const struct keymgr *k, const struct scan_report *report, const struct registration **r_out)
{
	static const uint8_t every_material[MATERIAL_ID_LEN];
	const struct cmk *cmk = keystore_find_cmk(k->store, report->key_id);

	*r_out = keystore_find_instance(k->store, report->instance_id);
	if (!*r_out)
		return err_set(ERR_NOT_FOUND, "this bucket instance is not registered: rekeyfs register BUCKET");
	if (!cmk)
		return err_set(ERR_KEY_NOT_FOUND, "the scan is for a key that this keystore does not hold");
	if (memcmp(report->material_id, every_material, MATERIAL_ID_LEN) != 0 &&
	    !cmk_find_backing_key(cmk, report->material_id))
		return err_set(ERR_KEY_NOT_FOUND, "the scan is for key material that its key never had");
	if (report->started > report->ended || report->ended > clock_now() + LEASE_GRAIN)
		return err_set(ERR_INVALID, "a scan ends after it began, and not in the future");
	return ERR_OK;
}

static void describe_report(struct change *c, const struct scan_report *report)
{
	change_id(c, "instanceId", report->instance_id);
	change_id(c, "keyId", report->key_id);
	change_number(c, "started", report->started);
	change_number(c, "ended", report->ended);
	change_number(c, "files", (int64_t)report->files);
	change_number(c, "references", (int64_t)report->references);
	change_number(c, "unreadable", (int64_t)report->unreadable);
}

static void take_report(struct scan *s, const struct scan_report *report)
{
	struct moment now = moment_now();

	s->started = report->started;
	s->ended = report->ended;
	s->started_boot = now.boot - (now.day - report->started);
	memcpy(s->boot_id, now.boot_id, BOOT_ID_LEN);
	s->references = report->references;
	s->unreadable = report->unreadable;
	s->files = report->files;
}

enum err keymgr_report_scan(struct keymgr *k, const struct scan_report *report)
{
	const struct registration *r;
	struct scan *s;
	struct change c;
	enum err e = change_begin(&c, k, "ReportScan");

	if (e != ERR_OK)
		return e;
	c.kind = CHANGE_LEDGER;
	describe_report(&c, report);
	e = check_report(k, report, &r);
	if (e == ERR_OK && r->replica)
		e = err_set(ERR_REFUSED, "a replica cannot be scanned");
	if (e == ERR_OK)
		e = ledger_scan(&k->ledger, report->instance_id, report->key_id, report->material_id, &s);
	if (e == ERR_OK)
		e = set_text(&s->first_unreadable, report->first_unreadable ? report->first_unreadable : "");
	if (e == ERR_OK)
		take_report(s, report);
	return change_end(&c, e);
}
