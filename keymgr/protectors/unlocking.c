#include "keymgr/protectors/unlocking.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "keymgr/protectors/recovery_code.h"
#include "keymgr/protectors/secret_source.h"

#define TRIES 3

/* Tries `given` with every protector of the kind. */
static enum err try_kind(const struct locked_keystore *k, enum protector_kind kind, const struct secret *given,
			 struct protector_opened *out)
{
	enum err e = ERR_LOCKED;

	for (size_t i = 0; i < k->count && e == ERR_LOCKED; i++)
		if (k->protectors[i].kind == kind)
			e = protector_open(&k->protectors[i], k->id, given, out);
	return e;
}

static int has_kind(const struct locked_keystore *k, enum protector_kind kind)
{
	for (size_t i = 0; i < k->count; i++)
		if (k->protectors[i].kind == kind)
			return 1;
	return 0;
}

static enum err by_named_keyfile(const struct locked_keystore *k, const char *path, struct protector_opened *out)
{
	struct secret *given;
	enum err e = secret_from_keyfile(path, NULL, &given);

	if (e != ERR_OK)
		return e;
	e = try_kind(k, PROTECTOR_KEYFILE, given, out);
	secret_free(given);
	if (e == ERR_LOCKED)
		return err_set(e, "the keyfile %s does not open the keystore %s", path, k->path);
	return e;
}

/* The keyfile where a protector remembers it, if nobody else can have put one there. */
static enum err by_remembered_keyfiles(const struct locked_keystore *k, struct protector_opened *out)
{
	enum err e = ERR_LOCKED;

	for (size_t i = 0; k->is_own && i < k->count && e != ERR_OK; i++) {
		const struct protector *p = &k->protectors[i];
		struct secret *given;
		int others_may_write;

		if (p->kind != PROTECTOR_KEYFILE || !*p->hint ||
		    secret_from_keyfile(p->hint, &others_may_write, &given) != ERR_OK)
			continue;
		if (!others_may_write)
			e = protector_open(p, k->id, given, out);
		secret_free(given);
	}
	return e;
}

/* A text that a person or a command gave: a recovery code says that it is one. */
static enum err by_text(const struct locked_keystore *k, const struct secret *text, int by_command,
			struct protector_opened *out)
{
	uint8_t code[RECOVERY_BYTES];
	enum err e = ERR_LOCKED;

	if (recovery_code_parse(text, code) == ERR_OK)
		e = try_kind(k, PROTECTOR_RECOVERY, text, out);
	secret_wipe(code, sizeof(code));
	if (e == ERR_LOCKED && by_command)
		e = try_kind(k, PROTECTOR_COMMAND, text, out);
	if (e == ERR_LOCKED)
		e = try_kind(k, PROTECTOR_PASSPHRASE, text, out);
	return e;
}

static enum err by_person(const struct locked_keystore *k, const struct unlock *u, struct protector_opened *out)
{
	int asks = !u->passfile && !u->extpass;
	char prompt[512];
	struct secret *text;
	enum err e = ERR_LOCKED;

	snprintf(prompt, sizeof(prompt), "Passphrase of the keystore %.400s: ", k->path);
	for (int i = 0; i < (asks ? TRIES : 1) && e == ERR_LOCKED; i++) {
		e = secret_from_person(u, prompt, 0, &text);
		if (e != ERR_OK)
			return e;
		e = by_text(k, text, u->extpass != NULL, out);
		secret_free(text);
	}
	if (e == ERR_LOCKED)
		return err_set(e, "wrong passphrase for the keystore %s", k->path);
	return e;
}

/* Nothing was given, and nothing remembered opens it: what would. */
static enum err say_what_helps(const struct locked_keystore *k)
{
	for (size_t i = 0; i < k->count; i++) {
		const struct protector *p = &k->protectors[i];

		if (p->kind != PROTECTOR_KEYFILE || !*p->hint)
			continue;
		if (!k->is_own)
			return err_set(ERR_LOCKED, "others may write the keystore %s, so that the keyfile which it "
				       "remembers is not used: give --keyfile %s", k->path, p->hint);
		return err_set(ERR_LOCKED, "the keyfile %s of the keystore %s is missing, another one, or others may "
			       "write it: give --keyfile", p->hint, k->path);
	}
	if (has_kind(k, PROTECTOR_COMMAND))
		return err_set(ERR_LOCKED, "the keystore %s is opened by a command: give --extpass", k->path);
	return err_set(ERR_LOCKED, "the keystore %s is locked: give --passfile, --extpass or --keyfile", k->path);
}

enum err unlock_keystore(const struct locked_keystore *k, const struct unlock *u, struct protector_opened *out)
{
	static const struct unlock nothing;
	enum err e = ERR_LOCKED;

	if (!u)
		u = &nothing;
	if (u->keyfile) {
		e = by_named_keyfile(k, u->keyfile, out);
		if (e == ERR_OK || (!u->passfile && !u->extpass))
			return e;
	}
	if (u->passfile || u->extpass)
		return by_person(k, u, out);
	if (by_remembered_keyfiles(k, out) == ERR_OK)
		return ERR_OK;
	if (!u->no_prompt && (has_kind(k, PROTECTOR_PASSPHRASE) || has_kind(k, PROTECTOR_RECOVERY)))
		return by_person(k, u, out);
	return say_what_helps(k);
}

static enum err new_keyfile(const char *path, struct secret **out, char **hint_out, int *made_out)
{
	enum err e;

	if (!path)
		return err_set(ERR_USAGE, "a keyfile's path is needed: --keyfile");
	e = secret_make_keyfile(path);
	*made_out = e == ERR_OK;
	if (e == ERR_OK || e == ERR_EXISTS)
		e = secret_from_keyfile(path, NULL, out);
	if (e == ERR_OK) {
		*hint_out = realpath(path, NULL);
		if (!*hint_out)
			e = err_set_errno("cannot find the keyfile %s again", path);
	}
	if (e != ERR_OK) {
		secret_free(*out);
		*out = NULL;
		if (*made_out)
			remove(path);
		*made_out = 0;
	}
	return e;
}

static enum err new_code(const struct unlock *u, struct secret **out)
{
	uint8_t code[RECOVERY_BYTES];
	enum err e = secret_from_person(u, "Recovery code: ", 0, out);

	if (e == ERR_OK && recovery_code_parse(*out, code) != ERR_OK) {
		secret_free(*out);
		*out = NULL;
		e = err_set(ERR_INVALID, "this is no recovery code, or it is mistyped");
	}
	secret_wipe(code, sizeof(code));
	return e;
}

enum err unlock_new_secret(enum protector_kind kind, const struct unlock *u, struct secret **out,
			   char **hint_out, int *made_out)
{
	static const struct unlock nothing;

	*out = NULL;
	*hint_out = NULL;
	*made_out = 0;
	if (!u)
		u = &nothing;
	switch (kind) {
	case PROTECTOR_KEYFILE:
		return new_keyfile(u->keyfile, out, hint_out, made_out);
	case PROTECTOR_COMMAND:
		if (!u->extpass)
			return err_set(ERR_USAGE, "a command protector needs --extpass COMMAND");
		return secret_from_command(u->extpass, out);
	case PROTECTOR_RECOVERY:
		return new_code(u, out);
	case PROTECTOR_PASSPHRASE:
		return secret_from_person(u, "New passphrase: ", 1, out);
	}
	return err_set(ERR_UNSUPPORTED, "unknown kind of protector %d", (int)kind);
}
