#include "keymgr/core/cmk.h"

#include <stdlib.h>
#include <string.h>
#include "base/secret.h"

#define FIXED_LEN (KEY_ID_LEN + 1 + 1 + 2 + 3 * 8 + 3 * 2 + 8 + 2 + 4)
#define BACKING_KEY_RECORD_LEN (MATERIAL_ID_LEN + 2 + 3 * 8 + BACKING_KEY_WRAP_LEN)

struct cmk *cmk_new(const uint8_t id[static KEY_ID_LEN])
{
	struct cmk *cmk = calloc(1, sizeof(*cmk));

	if (!cmk)
		return NULL;
	memcpy(cmk->id, id, KEY_ID_LEN);
	cmk->state = KEY_ENABLED;
	cmk->description = strdup("");
	if (!cmk->description) {
		free(cmk);
		return NULL;
	}
	return cmk;
}

void cmk_free(struct cmk *cmk)
{
	if (!cmk)
		return;
	free(cmk->description);
	free(cmk->backing_keys);
	free(cmk);
}

enum err cmk_add_backing_key(struct cmk *cmk, struct backing_key **out)
{
	struct backing_key *grown;

	if (cmk->backing_key_count >= CMK_BACKING_KEYS_MAX)
		return err_set(ERR_LIMIT_EXCEEDED, "a key has at most %d backing keys", CMK_BACKING_KEYS_MAX);
	grown = realloc(cmk->backing_keys, (cmk->backing_key_count + 1) * sizeof(*grown));
	if (!grown)
		return ERR_NO_MEMORY;
	cmk->backing_keys = grown;
	*out = &grown[cmk->backing_key_count++];
	memset(*out, 0, sizeof(**out));
	return ERR_OK;
}

struct backing_key *cmk_current(const struct cmk *cmk)
{
	if (cmk->state == KEY_DESTROYED || cmk->backing_key_count == 0)
		return NULL;
	return &cmk->backing_keys[cmk->backing_key_count - 1];
}

struct backing_key *cmk_find_backing_key(const struct cmk *cmk, const uint8_t id[static MATERIAL_ID_LEN])
{
	for (uint32_t i = cmk->backing_key_count; i-- > 0;)
		if (memcmp(cmk->backing_keys[i].id, id, MATERIAL_ID_LEN) == 0)
			return &cmk->backing_keys[i];
	return NULL;
}

int cmk_encrypts(const struct cmk *cmk)
{
	return cmk->state == KEY_ENABLED && !(cmk->flags & CMK_REFUSES_ENCRYPT);
}

/* What a person can do about a refusal. */
static const char *remedy(enum key_state state)
{
	switch (state) {
	case KEY_DISABLED:
		return ": rekeyctl enable-key makes it usable again";
	case KEY_PENDING_DELETION:
		return ": rekeyctl cancel-key-deletion keeps it";
	default:
		return "";
	}
}

enum err cmk_check(const struct cmk *cmk, enum key_call call)
{
	enum err e = key_state_check(call, cmk->state, NULL);
	char id[UUID_TEXT_LEN + 1];

	uuid_text(cmk->id, id);
	if (e == ERR_KEY_NOT_FOUND || e == ERR_KEY_DESTROYED)
		return err_set(e, "key %s was destroyed", id);
	if (e == ERR_OPERATION)
		return err_set(e, "key %s is %s, for which this is not supported", id, key_state_name(cmk->state));
	if (e == ERR_KEY_STATE && call == CALL_CANCEL_DELETION)
		return err_set(e, "key %s is %s: there is no deletion to cancel", id, key_state_name(cmk->state));
	if (e != ERR_OK)
		return err_set(e, "key %s is %s%s", id, key_state_name(cmk->state), remedy(cmk->state));
	if ((call == CALL_ENCRYPT || call == CALL_ALIAS_TO) && (cmk->flags & CMK_REFUSES_ENCRYPT))
		return err_set(ERR_KEY_STATE, "key %s was retired and encrypts nothing more: name another key", id);
	return ERR_OK;
}

enum err cmk_step(struct cmk *cmk, enum key_call call, int64_t now)
{
	enum err e = cmk_check(cmk, call);

	if (e != ERR_OK)
		return e;
	key_state_check(call, cmk->state, &cmk->state);
	if (cmk_encrypts(cmk))
		cmk->stopped = 0;
	else if (cmk->stopped == 0)
		cmk->stopped = now;
	return ERR_OK;
}

enum err cmk_set_description(struct cmk *cmk, const char *description)
{
	char *copy;

	if (!description)
		description = "";
	if (strnlen(description, DESCRIPTION_MAX + 1) > DESCRIPTION_MAX)
		return err_set(ERR_VALIDATION, "a description has at most %d bytes", DESCRIPTION_MAX);
	copy = strdup(description);
	if (!copy)
		return ERR_NO_MEMORY;
	free(cmk->description);
	cmk->description = copy;
	return ERR_OK;
}

size_t cmk_record_len(const struct cmk *cmk)
{
	return FIXED_LEN + strlen(cmk->description) + cmk->backing_key_count * (size_t)BACKING_KEY_RECORD_LEN;
}

static void write_backing_key(const struct backing_key *b, struct writer *w)
{
	writer_bytes(w, b->id, sizeof(b->id));
	writer_u8(w, b->flags);
	writer_u8(w, b->origin);
	writer_u64(w, (uint64_t)b->created);
	writer_u64(w, (uint64_t)b->retired);
	writer_u64(w, (uint64_t)b->destroyed);
	writer_bytes(w, b->wrap, sizeof(b->wrap));
}

void cmk_write(const struct cmk *cmk, struct writer *w)
{
	writer_bytes(w, cmk->id, sizeof(cmk->id));
	writer_u8(w, (uint8_t)cmk->state);
	writer_u8(w, 0);
	writer_u16(w, cmk->flags);
	writer_u64(w, (uint64_t)cmk->created);
	writer_u64(w, (uint64_t)cmk->stopped);
	writer_u64(w, (uint64_t)cmk->deletion_date);
	writer_u16(w, cmk->window_days);
	writer_u16(w, cmk->rotation_days);
	writer_u16(w, cmk->on_demand);
	writer_u64(w, (uint64_t)cmk->next_rotation);
	writer_u16(w, (uint16_t)strlen(cmk->description));
	writer_u32(w, cmk->backing_key_count);
	writer_bytes(w, cmk->description, strlen(cmk->description));
	for (uint32_t i = 0; i < cmk->backing_key_count; i++)
		write_backing_key(&cmk->backing_keys[i], w);
}

static int read_backing_key(struct cursor *c, struct backing_key *b)
{
	cursor_bytes(c, b->id, sizeof(b->id));
	b->flags = cursor_u8(c);
	b->origin = cursor_u8(c);
	b->created = (int64_t)cursor_u64(c);
	b->retired = (int64_t)cursor_u64(c);
	b->destroyed = (int64_t)cursor_u64(c);
	cursor_bytes(c, b->wrap, sizeof(b->wrap));
	return !c->failed && !(b->flags & ~BACKING_KEY_FLAGS) && b->origin == BACKING_KEY_GENERATED;
}

/* The description and the backing keys, `len` and `count` of them. */
static enum err read_tail(struct cursor *c, struct cmk *cmk, uint16_t len, uint32_t count)
{
	const uint8_t *text = cursor_take(c, len);

	if (!text || len > DESCRIPTION_MAX || memchr(text, 0, len) || count == 0 || count > CMK_BACKING_KEYS_MAX ||
	    count > cursor_left(c) / BACKING_KEY_RECORD_LEN)
		return ERR_FORMAT;
	free(cmk->description);
	cmk->description = strndup((const char *)text, len);
	cmk->backing_keys = calloc(count, sizeof(*cmk->backing_keys));
	if (!cmk->description || !cmk->backing_keys)
		return ERR_NO_MEMORY;
	for (cmk->backing_key_count = 0; cmk->backing_key_count < count; cmk->backing_key_count++)
		if (!read_backing_key(c, &cmk->backing_keys[cmk->backing_key_count]))
			return ERR_FORMAT;
	return ERR_OK;
}

enum err cmk_read(struct cursor *c, struct cmk **out)
{
	uint8_t id[KEY_ID_LEN], state;
	struct cmk *cmk;
	uint32_t count;
	uint16_t len;
	enum err e;

	*out = NULL;
	cursor_bytes(c, id, sizeof(id));
	cmk = cmk_new(id);
	if (!cmk)
		return ERR_NO_MEMORY;
	state = cursor_u8(c);
	cmk->state = (enum key_state)state;
	cursor_zeros(c, 1);
	cmk->flags = cursor_u16(c);
	cmk->created = (int64_t)cursor_u64(c);
	cmk->stopped = (int64_t)cursor_u64(c);
	cmk->deletion_date = (int64_t)cursor_u64(c);
	cmk->window_days = cursor_u16(c);
	cmk->rotation_days = cursor_u16(c);
	cmk->on_demand = cursor_u16(c);
	cmk->next_rotation = (int64_t)cursor_u64(c);
	len = cursor_u16(c);
	count = cursor_u32(c);
	if (c->failed || state < KEY_ENABLED || state > KEY_DESTROYED || (cmk->flags & ~CMK_FLAGS))
		e = ERR_FORMAT;
	else
		e = read_tail(c, cmk, len, count);
	if (e != ERR_OK) {
		cmk_free(cmk);
		return e;
	}
	*out = cmk;
	return ERR_OK;
}
