#include "keymgr/core/gate.h"

#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "keymgr/core/lease.h"
#include "keymgr/core/usage.h"

static const uint8_t every_material[MATERIAL_ID_LEN];

/* How a bucket instance is named to a person. */
struct naming {
	char bucket[UUID_TEXT_LEN + 1], instance[UUID_TEXT_LEN + 1];
	const char *path;
};

static struct naming name_of(const struct keymgr *k, const struct registration *r)
{
	const struct sighting *seen = ledger_find_sighting(&k->ledger, r->instance_id);
	struct naming n = { .path = seen && *seen->path ? seen->path : r->path };

	uuid_text(r->bucket_id, n.bucket);
	uuid_text(r->instance_id, n.instance);
	return n;
}

/* Since when nothing new is encrypted under what is to go. */
static int64_t stopped_at(const struct gate *g)
{
	return g->backing_key ? g->backing_key->retired : g->cmk->stopped;
}

static int by_lease(const struct keymgr *k, const struct gate *g, const struct registration *r, FILE *to)
{
	const struct lease *l = ledger_find_lease(&k->ledger, r->instance_id, g->cmk->id);
	char until[CLOCK_TEXT_LEN + 1];
	struct moment now = moment_now();
	struct naming n = name_of(k, r);
	int64_t end;

	if (!l || lease_was_over(l, stopped_at(g), &now, &end))
		return 0;
	clock_text(end, until);
	if (to)
		fprintf(to, "bucket %s at %s: its mount may still hold a bucket key of it, until %s or until the mount says "
			"that it does not; the scan begins after that\n", n.bucket, n.path, until);
	return 1;
}

/* The newest scan that covers what is to go. */
static const struct scan *find_scan(const struct keymgr *k, const struct gate *g, const struct registration *r)
{
	const struct scan *all = ledger_find_scan(&k->ledger, r->instance_id, g->cmk->id, every_material);
	const struct scan *one = NULL;

	if (g->backing_key)
		one = ledger_find_scan(&k->ledger, r->instance_id, g->cmk->id, g->backing_key->id);
	if (!all || (one && one->started > all->started))
		return one;
	return all;
}

/* A scan counts only from after the last moment at which something could be encrypted. */
static int is_too_old(const struct keymgr *k, const struct gate *g, const struct registration *r, const struct scan *s)
{
	const struct lease *l = ledger_find_lease(&k->ledger, r->instance_id, g->cmk->id);
	struct moment began;

	if (!s || s->started < stopped_at(g))
		return 1;
	began = (struct moment){ .day = s->started, .boot = s->started_boot };
	memcpy(began.boot_id, s->boot_id, BOOT_ID_LEN);
	return l && !lease_was_over(l, stopped_at(g), &began, NULL);
}

static int by_scan(const struct keymgr *k, const struct gate *g, const struct registration *r, FILE *to)
{
	const struct scan *s = find_scan(k, g, r);
	char when[CLOCK_TEXT_LEN + 1];
	struct naming n = name_of(k, r);

	if (is_too_old(k, g, r, s)) {
		clock_text(stopped_at(g), when);
		if (to)
			fprintf(to, "bucket %s at %s: not scanned since it stopped encrypting (%s): run rekeyfs migrate run %s, "
				"or, if the bucket is gone, rekeyctl forget-bucket %s\n", n.bucket, n.path, when, n.path, n.instance);
		return 1;
	}
	clock_text(s->started, when);
	if (s->references > 0 && to)
		fprintf(to, "bucket %s at %s: %llu of its files, names or policies still need it (scan of %s): run rekeyfs migrate "
			"run %s; where a policy names it, rekeyfs policy set gives the directory another key first\n", n.bucket,
			n.path, (unsigned long long)s->references, when, n.path);
	if (s->unreadable > 0 && to)
		fprintf(to, "bucket %s at %s: %llu of its files could not be read, the first is %s (scan of %s): make them "
			"readable, or remove them, and run rekeyfs migrate run %s\n", n.bucket, n.path,
			(unsigned long long)s->unreadable, s->first_unreadable, when, n.path);
	return (s->references > 0) + (s->unreadable > 0);
}

static int by_instance(const struct keymgr *k, const struct gate *g, const struct registration *r, FILE *to)
{
	struct naming n = name_of(k, r);
	int reasons;

	if (r->replica) {
		if (to)
			fprintf(to, "bucket %s has a replica at %s, which cannot be scanned: once it is gone or holds nothing under "
				"the key, rekeyctl forget-bucket %s\n", n.bucket, n.path, n.instance);
		return 1;
	}
	reasons = by_lease(k, g, r, to);
	return reasons ? reasons : by_scan(k, g, r, to);
}

/* Data keys and ciphertexts that left the key manager for elsewhere. */
static int by_external(const struct keymgr *k, const struct gate *g, FILE *to)
{
	unsigned long long data_keys = 0, ciphertexts = 0;
	char when[CLOCK_TEXT_LEN + 1];

	if (g->ignore_external)
		return 0;
	for (uint32_t i = 0; i < g->cmk->backing_key_count; i++) {
		const struct backing_key *b = &g->cmk->backing_keys[i];
		struct key_ref ref;
		struct usage u;

		if (g->backing_key && b != g->backing_key)
			continue;
		memcpy(ref.key_id, g->cmk->id, KEY_ID_LEN);
		memcpy(ref.material_id, b->id, MATERIAL_ID_LEN);
		u = usage_of(k, &ref);
		data_keys += u.data_keys;
		ciphertexts += u.ciphertexts;
	}
	if (data_keys + ciphertexts > 0) {
		if (to)
			fprintf(to, "%llu data keys and %llu ciphertexts were made under it outside buckets, where nobody can look "
				"for them: if they are not needed any more, give --ignore-external\n", data_keys, ciphertexts);
		return 1;
	}
	if (k->ledger.lost_at > 0 && g->cmk->created <= k->ledger.lost_at) {
		clock_text(k->ledger.lost_at, when);
		if (to)
			fprintf(to, "the counts of what was made under it outside buckets were lost on %s: if nothing is needed any "
				"more, give --ignore-external\n", when);
		return 1;
	}
	return 0;
}

int gate_reasons(const struct keymgr *k, const struct gate *g, FILE *to)
{
	int reasons = by_external(k, g, to);

	for (size_t i = 0; i < k->store->bucket_count; i++)
		reasons += by_instance(k, g, &k->store->buckets[i], to);
	return reasons;
}

enum err gate_text(const struct keymgr *k, const struct gate *g, char **out)
{
	size_t len = 0;
	FILE *to;

	*out = NULL;
	to = open_memstream(out, &len);
	if (!to)
		return ERR_NO_MEMORY;
	gate_reasons(k, g, to);
	if (fclose(to) != 0) {
		free(*out);
		*out = NULL;
		return ERR_NO_MEMORY;
	}
	return ERR_OK;
}
