/* Adding, changing and removing protectors of an open keystore. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/random.h"
#include "keymgr/core/change.h"
#include "keymgr/protectors/recovery_code.h"
#include "keymgr/protectors/unlocking.h"

enum err keymgr_list_protectors(struct keymgr *k, int (*each)(void *context, const struct protector_info *p), void *context)
{
	struct protector_info all[KEYSTORE_PROTECTORS_MAX];
	size_t count;
	enum err e = manager_enter(k, ENTER_READ);

	if (e != ERR_OK)
		return e;
	count = k->store->protector_count;
	for (size_t i = 0; i < count; i++) {
		const struct protector *p = &k->store->protectors[i];

		all[i] = (struct protector_info){ .kind = p->kind, .created = p->created,
						  .argon2_memory = p->cost.memory, .argon2_passes = p->cost.passes };
		memcpy(all[i].id, p->id, UUID_LEN);
		snprintf(all[i].hint, sizeof(all[i].hint), "%s", p->hint);
	}
	manager_leave(k);
	for (size_t i = 0; i < count; i++)
		if (each(context, &all[i]))
			break;
	return ERR_OK;
}

static void describe(struct change *c, const struct protector *p)
{
	change_id(c, "protectorId", p->id);
	change_text(c, "kind", protector_type(p->kind)->name);
}

/* Seals the root key to a new protector, which vouches for it. */
static void admit(struct keymgr *k, struct protector *p, const struct protector_opened *opened)
{
	uint32_t epoch = k->store->epoch;

	protector_seal_root(p, k->root->bytes);
	protector_trust(p, opened, k->store->id, epoch, k->store->links[epoch - 1].public_key);
}

static enum err add(struct keymgr *k, struct protector *p, const struct protector_opened *opened)
{
	struct change c;
	enum err e = change_begin(&c, k, "AddProtector");

	if (e != ERR_OK)
		return e;
	describe(&c, p);
	admit(k, p, opened);
	e = keystore_add_protector(k->store, p);
	return change_end(&c, e);
}

enum err keymgr_add_protector(struct keymgr *k, enum protector_kind kind, const struct unlock *secret_from, uint8_t id_out[static UUID_LEN])
{
	struct protector_opened opened = { 0 };
	struct secret *given = NULL;
	struct protector p;
	char *hint = NULL;
	int made = 0;
	enum err e;

	e = unlock_new_secret(kind, secret_from, &given, &hint, &made);
	if (e == ERR_OK)
		e = protector_make(kind, given, hint, clock_now(), &protector_default_cost, &p, &opened);
	if (e == ERR_OK)
		e = add(k, &p, &opened);
	if (e == ERR_OK)
		memcpy(id_out, p.id, UUID_LEN);
	else if (made)
		unlink(hint);
	protector_opened_release(&opened);
	secret_free(given);
	free(hint);
	return e;
}

enum err keymgr_add_recovery(struct keymgr *k, char code_out[static RECOVERY_CODE_LEN + 1], uint8_t id_out[static UUID_LEN])
{
	struct protector_opened opened = { 0 };
	uint8_t bytes[RECOVERY_BYTES];
	struct secret *given = NULL;
	struct protector p;
	enum err e;

	random_bytes(bytes, sizeof(bytes));
	recovery_code_text(bytes, code_out);
	secret_wipe(bytes, sizeof(bytes));
	e = secret_copy(code_out, RECOVERY_CODE_LEN, &given);
	if (e == ERR_OK)
		e = protector_make(PROTECTOR_RECOVERY, given, NULL, clock_now(), &protector_default_cost, &p, &opened);
	if (e == ERR_OK)
		e = add(k, &p, &opened);
	if (e == ERR_OK)
		memcpy(id_out, p.id, UUID_LEN);
	else
		secret_wipe(code_out, RECOVERY_CODE_LEN + 1);
	protector_opened_release(&opened);
	secret_free(given);
	return e;
}

enum err keymgr_remove_protector(struct keymgr *k, const uint8_t id[static UUID_LEN])
{
	char text[UUID_TEXT_LEN + 1];
	struct protector *p;
	struct change c;
	enum err e = change_begin(&c, k, "RemoveProtector");

	if (e != ERR_OK)
		return e;
	uuid_text(id, text);
	p = keystore_find_protector(k->store, id);
	if (!p)
		e = err_set(ERR_NOT_FOUND, "the keystore has no protector %s", text);
	else
		describe(&c, p);
	if (e == ERR_OK && k->store->protector_count == 1)
		e = err_set(ERR_REFUSED, "%s is the keystore's last protector: add another one first", text);
	if (e == ERR_OK) {
		keystore_remove_protector(k->store, p);
		c.commit = COMMIT_NEW_ROOT;
	}
	return change_end(&c, e);
}

/* The protector whose passphrase is to change. */
static enum err find_passphrase(const struct keymgr *k, const uint8_t *id, struct protector **out)
{
	size_t found = 0;

	*out = NULL;
	for (size_t i = 0; i < k->store->protector_count; i++) {
		struct protector *p = &k->store->protectors[i];

		if (protector_type(p->kind)->uses_argon2 && (!id || memcmp(p->id, id, UUID_LEN) == 0)) {
			*out = p;
			found++;
		}
	}
	if (found == 1)
		return ERR_OK;
	if (found == 0)
		return err_set(ERR_NOT_FOUND, "the keystore has no %s", id ? "protector of this id with a passphrase" : "passphrase");
	return err_set(ERR_VALIDATION, "the keystore has %zu passphrases: name the protector whose is to change", found);
}

static enum err passphrase_kind(struct keymgr *k, const uint8_t *id, enum protector_kind *out)
{
	struct protector *p;
	enum err e = manager_enter(k, ENTER_READ);

	if (e != ERR_OK)
		return e;
	e = find_passphrase(k, id, &p);
	if (e == ERR_OK)
		*out = p->kind;
	manager_leave(k);
	return e;
}

/* A new key pair under the new secret takes the protector's place. */
static enum err replace(struct keymgr *k, const uint8_t *id, struct protector *fresh, struct protector_opened *opened)
{
	struct protector *p;
	struct change c;
	int is_ours;
	enum err e = change_begin(&c, k, "ChangePassphrase");

	if (e != ERR_OK)
		return e;
	c.commit = COMMIT_NEW_ROOT;
	e = find_passphrase(k, id, &p);
	if (e == ERR_OK) {
		describe(&c, p);
		is_ours = memcmp(p->id, k->opened.id, UUID_LEN) == 0;
		admit(k, fresh, opened);
		*p = *fresh;
		if (is_ours) {
			struct protector_opened old = k->opened;

			k->opened = *opened;
			*opened = old;
		}
	}
	return change_end(&c, e);
}

enum err keymgr_change_passphrase(struct keymgr *k, const uint8_t *id, const struct unlock *new_secret)
{
	struct protector_opened opened = { 0 };
	enum protector_kind kind;
	struct secret *given = NULL;
	struct protector fresh;
	char *hint = NULL;
	int made = 0;
	enum err e;

	e = passphrase_kind(k, id, &kind);
	if (e == ERR_OK)
		e = unlock_new_secret(kind, new_secret, &given, &hint, &made);
	if (e == ERR_OK)
		e = protector_make(kind, given, NULL, clock_now(), &protector_default_cost, &fresh, &opened);
	if (e == ERR_OK)
		e = replace(k, id, &fresh, &opened);
	protector_opened_release(&opened);
	secret_free(given);
	free(hint);
	return e;
}

enum err keymgr_rotate_root(struct keymgr *k)
{
	struct change c;
	enum err e = change_begin(&c, k, "RotateRoot");

	if (e != ERR_OK)
		return e;
	c.commit = COMMIT_NEW_ROOT;
	return change_end(&c, ERR_OK);
}
