/* Reading the audit log back, and lines from outside. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/json.h"
#include "keymgr/core/manager.h"

/* One walk along the chain. */
struct walk {
	struct keymgr *k;
	uint64_t line;				/* in the file, from 1: for messages */
	uint64_t sequence;			/* of the line before */
	uint8_t hash[AUDIT_HASH_LEN];
	uint64_t head_sequence;			/* the ledger knows that the chain came this far */
	uint8_t head_hash[AUDIT_HASH_LEN];
	uint32_t key_epoch;			/* of mac_key; 0: none yet */
	uint8_t mac_key[32];
};

static enum err broken(const struct walk *w, const char *what)
{
	return err_set(ERR_NOT_AUTHENTIC, "%s" EVENTS_SUFFIX ", line %llu: %s", w->k->path, (unsigned long long)w->line, what);
}

static enum err find_key(struct walk *w, uint32_t epoch)
{
	enum err e;

	if (w->key_epoch == epoch)
		return ERR_OK;
	e = manager_enter(w->k, ENTER_READ);
	if (e != ERR_OK)
		return e;
	e = keystore_mac_key(w->k->store, w->k->root->bytes, ROOT_AUDIT, epoch, w->mac_key);
	manager_leave(w->k);
	w->key_epoch = e == ERR_OK ? epoch : 0;
	return e == ERR_OK ? e : broken(w, "its root key is unknown");
}

static enum err check(struct walk *w, const char *text, size_t len)
{
	struct audit_line line;
	enum err e;

	if (audit_line_parse(text, len, &line) != ERR_OK)
		return broken(w, "no audit line");
	if (line.sequence != w->sequence + 1)
		return broken(w, "a line before it is missing, or it stands twice");
	if (memcmp(line.previous, w->hash, AUDIT_HASH_LEN) != 0)
		return broken(w, "the line before it was changed");
	e = find_key(w, line.epoch);
	if (e != ERR_OK)
		return e;
	if (audit_line_verify(&line, w->mac_key) != ERR_OK)
		return broken(w, "it was changed: its MAC does not match");
	w->sequence = line.sequence;
	audit_line_hash(&line, w->hash);
	if (w->sequence == w->head_sequence && memcmp(w->hash, w->head_hash, AUDIT_HASH_LEN) != 0)
		return broken(w, "another line was written in its place");
	return ERR_OK;
}

static enum err check_end(const struct walk *w)
{
	if (w->sequence >= w->head_sequence)
		return ERR_OK;
	return err_set(ERR_NOT_AUTHENTIC, "%s" EVENTS_SUFFIX " ends with line %llu, but %llu were written", w->k->path,
		       (unsigned long long)w->sequence, (unsigned long long)w->head_sequence);
}

static enum err walk_lines(struct walk *w, FILE *from, int verify, int (*each)(void *context, const char *line), void *context)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	enum err e = ERR_OK;

	while (e == ERR_OK && (len = getline(&text, &room, from)) > 0) {
		/* What a crash, or a writer who is not done, left of a line. */
		if (text[len - 1] != '\n')
			break;
		text[--len] = 0;
		w->line++;
		if (verify)
			e = check(w, text, (size_t)len);
		if (e == ERR_OK && each && each(context, text)) {
			free(text);
			return ERR_OK;
		}
	}
	if (e == ERR_OK && ferror(from))
		e = err_set_errno("cannot read %s" EVENTS_SUFFIX, w->k->path);
	free(text);
	return e == ERR_OK && verify ? check_end(w) : e;
}

/* A stream of its own, and how far the chain is known to go. */
static enum err begin(struct walk *w, FILE **out)
{
	char name[NAME_ROOM];
	enum err e = manager_enter(w->k, ENTER_LEDGER);
	int fd;

	*out = NULL;
	if (e != ERR_OK)
		return e;
	w->head_sequence = w->k->ledger.audit_sequence;
	memcpy(w->head_hash, w->k->ledger.audit_hash, AUDIT_HASH_LEN);
	manager_file_name(w->k, EVENTS_SUFFIX, name);
	fd = openat(w->k->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	manager_leave(w->k);
	*out = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (*out)
		return ERR_OK;
	e = err_set_errno("cannot open %s" EVENTS_SUFFIX, w->k->path);
	if (fd >= 0)
		close(fd);
	return e;
}

enum err keymgr_events(struct keymgr *k, int verify, int (*each)(void *context, const char *line), void *context)
{
	struct walk w = { .k = k };
	FILE *from;
	enum err e = begin(&w, &from);

	if (e != ERR_OK)
		return e;
	e = walk_lines(&w, from, verify, each, context);
	fclose(from);
	secret_wipe(w.mac_key, sizeof(w.mac_key));
	return e;
}

enum err keymgr_audit(struct keymgr *k, const char *event_name, const char *request_json, const char *error_or_null)
{
	struct audit_event event = { .name = event_name, .error_text = error_or_null };
	enum err e = ERR_OK;

	if (request_json)
		e = json_parse(request_json, strlen(request_json), &event.request);
	if (e == ERR_OK && event.request && !json_is_object(event.request))
		e = err_set(ERR_INVALID, "an audit event's parameters are an object");
	if (e == ERR_OK)
		e = manager_enter(k, ENTER_CHANGE);
	if (e == ERR_OK) {
		e = audit_append(k, &event, 1);
		manager_leave(k);
	}
	json_decref(event.request);
	return e;
}
