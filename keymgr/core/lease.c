#include "keymgr/core/lease.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/file_io.h"
#include "keymgr/core/change.h"

/* Zeros without one: then every boot looks like another, and the time of day decides. */
static void read_boot_id(uint8_t out[static BOOT_ID_LEN])
{
	uint8_t *text = NULL;
	size_t len = 0;

	memset(out, 0, BOOT_ID_LEN);
	if (file_load(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, &len) != ERR_OK)
		return;
	if (len >= UUID_TEXT_LEN) {
		text[UUID_TEXT_LEN] = 0;
		if (uuid_parse((const char *)text, out) != ERR_OK)
			memset(out, 0, BOOT_ID_LEN);
	}
	free(text);
}

struct moment moment_now(void)
{
	struct moment m = { .day = clock_now(), .boot = clock_boot() };

	read_boot_id(m.boot_id);
	return m;
}

static int same_boot(const struct lease *l, const struct moment *m)
{
	static const uint8_t unknown[BOOT_ID_LEN];

	return memcmp(m->boot_id, l->boot_id, BOOT_ID_LEN) == 0 && memcmp(m->boot_id, unknown, BOOT_ID_LEN) != 0;
}

int lease_was_over(const struct lease *l, int64_t stopped, const struct moment *m, int64_t *end_out)
{
	/* A lease taken anew after a rotation is for the newer backing key: what was under the older one began before. */
	int64_t taken = l->taken > stopped ? stopped : l->taken;
	int64_t taken_boot = l->taken_boot - (l->taken - taken);
	int acknowledged = l->acknowledged && l->acknowledged >= stopped;

	if (end_out)
		*end_out = acknowledged ? l->acknowledged : taken + LEASE_SECONDS;
	if (acknowledged)
		return m->day >= l->acknowledged;
	if (same_boot(l, m))
		return m->boot >= taken_boot + LEASE_SECONDS;
	return m->day >= taken + LEASE_SECONDS;
}

static enum err check_instance(const struct keymgr *k, const uint8_t instance_id[static UUID_LEN])
{
	char text[UUID_TEXT_LEN + 1];

	if (keystore_find_instance(k->store, instance_id))
		return ERR_OK;
	uuid_text(instance_id, text);
	return err_set(ERR_NOT_FOUND, "bucket instance %s is not registered: rekeyfs register BUCKET", text);
}

static enum err find_key(const struct keymgr *k, const uint8_t key_id[static KEY_ID_LEN], struct cmk **out)
{
	char text[UUID_TEXT_LEN + 1];

	*out = keystore_find_cmk(k->store, key_id);
	if (*out)
		return ERR_OK;
	uuid_text(key_id, text);
	return err_set(ERR_KEY_NOT_FOUND, "there is no key %s", text);
}

/* Young enough to stand for the one that is asked for. */
static int is_fresh(const struct lease *l)
{
	struct moment now = moment_now();
	int64_t age = now.boot - l->taken_boot;

	return !l->acknowledged && same_boot(l, &now) && age >= 0 && age < LEASE_GRAIN &&
	       now.day - l->taken < LEASE_GRAIN;
}

enum err keymgr_take_lease(struct keymgr *k, const uint8_t instance_id[static UUID_LEN], const uint8_t key_id[static KEY_ID_LEN])
{
	struct change c;
	struct lease *l;
	struct cmk *cmk;
	enum err e = change_begin(&c, k, "TakeLease");

	if (e != ERR_OK)
		return e;
	c.kind = CHANGE_LEDGER_QUIET;
	e = check_instance(k, instance_id);
	if (e == ERR_OK)
		e = find_key(k, key_id, &cmk);
	if (e == ERR_OK)
		e = cmk_check(cmk, CALL_DECRYPT);
	if (e == ERR_OK) {
		l = ledger_find_lease(&k->ledger, instance_id, key_id);
		if (l && is_fresh(l))
			c.kind = CHANGE_SILENT;
		else
			e = ledger_lease(&k->ledger, instance_id, key_id, &l);
	}
	if (e == ERR_OK && c.kind != CHANGE_SILENT) {
		struct moment now = moment_now();

		l->taken = now.day;
		l->taken_boot = now.boot;
		l->acknowledged = 0;
		memcpy(l->boot_id, now.boot_id, BOOT_ID_LEN);
	}
	return change_end(&c, e);
}

enum err keymgr_acknowledge_barrier(struct keymgr *k, const uint8_t instance_id[static UUID_LEN], const uint8_t key_id[static KEY_ID_LEN])
{
	struct change c;
	struct lease *l;
	struct cmk *cmk;
	enum err e = change_begin(&c, k, "AcknowledgeBarrier");

	if (e != ERR_OK)
		return e;
	c.kind = CHANGE_LEDGER;
	change_id(&c, "instanceId", instance_id);
	e = check_instance(k, instance_id);
	if (e == ERR_OK)
		e = find_key(k, key_id, &cmk);
	if (e == ERR_OK) {
		change_of(&c, cmk);
		l = ledger_find_lease(&k->ledger, instance_id, key_id);
		if (l)
			l->acknowledged = c.now;
		else
			c.kind = CHANGE_NOTHING;
	}
	return change_end(&c, e);
}
