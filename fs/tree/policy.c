#include "fs/policy/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "fs/tree/node.h"

/* --- which one governs --------------------------------------------------------------------- */

static enum err root_policy(struct tree *t, struct policy *out, uint8_t from_out[static UUID_LEN])
{
	policy_root_id(t->b->policies, from_out);
	return policy_get(t->b->policies, from_out, out);
}

enum err policy_of(struct tree *t, struct node *dir, struct policy *out, uint8_t from_out[static UUID_LEN])
{
	struct place *p;
	enum err e;

	if (policy_only_root(t->b->policies))
		return root_policy(t, out, from_out);
	while (dir != t->root) {
		e = dir_id(t, dir, from_out);
		if (e == ERR_OK)
			e = policy_get(t->b->policies, from_out, out);
		if (e != ERR_NOT_FOUND)
			return e;
		p = node_place(t, dir);
		dir = p ? p->parent : t->root;
	}
	return root_policy(t, out, from_out);
}

/* --- its key --------------------------------------------------------------------------------- */

/* Never a directory's name: this may end in a log. */
static enum err no_key(const struct policy *p, const uint8_t id[static KEY_ID_LEN], enum key_state state)
{
	char text[UUID_TEXT_LEN + 1];
	const char *help = "give the directory another key (rekeyfs policy set DIR --key KEY)";

	uuid_text(id, text);
	if (state == KEY_DISABLED)
		help = "enable it (rekeyctl enable-key) or give the directory another key (rekeyfs policy set DIR --key KEY)";
	else if (state == KEY_PENDING_DELETION)
		help = "give the directory another key (rekeyfs policy set DIR --key KEY), move its alias (rekeyctl update-alias), or "
		       "rekeyctl retire-key --to KEY";
	return err_set(ERR_NO_KEY, "the directory's key %s (%s) is %s: %s", p->key, text, key_state_name(state), help);
}

/* Resolved already, and the keystore is as it was. */
static int is_resolved(struct tree *t, const struct policy *p, uint64_t generation, uint8_t key_id_out[static KEY_ID_LEN])
{
	int same;

	pthread_mutex_lock(&t->resolved_lock);
	same = t->resolved.valid && t->resolved.generation == generation && strcmp(t->resolved.key, p->key) == 0;
	if (same)
		memcpy(key_id_out, t->resolved.id, KEY_ID_LEN);
	pthread_mutex_unlock(&t->resolved_lock);
	return same;
}

static void note_resolved(struct tree *t, const struct policy *p, uint64_t generation, const uint8_t id[static KEY_ID_LEN])
{
	pthread_mutex_lock(&t->resolved_lock);
	t->resolved.valid = 1;
	t->resolved.generation = generation;
	memcpy(t->resolved.key, p->key, sizeof(p->key));
	memcpy(t->resolved.id, id, KEY_ID_LEN);
	pthread_mutex_unlock(&t->resolved_lock);
}

static enum err resolve(struct tree *t, const struct policy *p, uint8_t key_id_out[static KEY_ID_LEN])
{
	struct keymgr *k = key_ring_keymgr(t->b->ring);
	enum err e = key_ring_resolve(t->b->ring, p->key, key_id_out);
	enum key_state state;

	if (e == ERR_NO_KEY)
		return err_set(ERR_NO_KEY, "the directory's key %s does not exist: create the alias (rekeyctl create-alias) or give the directory "
			       "another key (rekeyfs policy set DIR --key KEY)", p->key);
	if (e != ERR_OK)
		return e;
	state = keymgr_key_state(k, key_id_out);
	return state == KEY_ENABLED ? ERR_OK : no_key(p, key_id_out, state);
}

enum err policy_key_of(struct tree *t, struct node *dir, uint8_t key_id_out[static KEY_ID_LEN])
{
	uint8_t from[UUID_LEN];
	struct policy p;
	enum err e = policy_of(t, dir, &p, from);

	return e == ERR_OK ? policy_resolve(t, &p, key_id_out) : e;
}

enum err policy_resolve(struct tree *t, const struct policy *p, uint8_t key_id_out[static KEY_ID_LEN])
{
	uint64_t generation;
	enum err e = keymgr_generation(key_ring_keymgr(t->b->ring), &generation);

	int known = e == ERR_OK;

	if (known && is_resolved(t, p, generation, key_id_out))
		return ERR_OK;
	e = resolve(t, p, key_id_out);
	if (e == ERR_OK && known)
		note_resolved(t, p, generation, key_id_out);
	return e;
}

/* The id of an open directory, and a descriptor of its parent in its stead. */
static enum err climb(struct tree *t, int *fd, uint8_t id[static UUID_LEN])
{
	char text[DIR_HEADER_TEXT + 1];
	size_t len;
	int parent;
	enum err e = dir_header_read(*fd, text, &len);

	if (e == ERR_OK)
		e = dir_header_check(t->b->names_key->bytes, t->b->description.id, text, len, id);
	if (e != ERR_OK)
		return e;
	parent = openat(*fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return err_errno();
	close(*fd);
	*fd = parent;
	return ERR_OK;
}

enum err policy_key_at(struct tree *t, int dir_fd, uint8_t key_id_out[static KEY_ID_LEN])
{
	uint8_t id[UUID_LEN];
	struct policy p;
	enum err e = ERR_NOT_FOUND;
	int fd;

	if (!policy_only_root(t->b->policies)) {
		fd = openat(dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return err_errno();
		do {
			e = climb(t, &fd, id);
			if (e != ERR_OK)
				break;
			e = policy_get(t->b->policies, id, &p);
		} while (e == ERR_NOT_FOUND && memcmp(id, t->b->root_dir_id, UUID_LEN) != 0);
		close(fd);
	}
	if (e == ERR_NOT_FOUND)
		e = root_policy(t, &p, id);
	return e == ERR_OK ? policy_resolve(t, &p, key_id_out) : e;
}

enum err tree_policy(struct tree *t, struct node *dir, struct policy *out)
{
	uint8_t from[UUID_LEN];
	enum err e;

	names_share(t);
	e = policy_of(t, dir, out, from);
	names_release(t);
	return e;
}

enum err tree_policy_key(struct tree *t, struct node *dir, uint8_t key_id_out[static KEY_ID_LEN])
{
	enum err e;

	names_share(t);
	e = policy_key_of(t, dir, key_id_out);
	names_release(t);
	return e;
}

/* --- what a file is under ----------------------------------------------------------------------- */

static void newest_key(struct content *c, struct key_ref *out, uint8_t *suite_out)
{
	struct content_keys keys;

	content_get_keys(c, &keys);
	*out = keys.refs[keys.count - 1];
	*suite_out = keys.suite;
}

enum err file_key(struct tree *t, struct node *n, struct key_ref *out, uint8_t *suite_out)
{
	struct header_view views[2];
	const struct key_slot *slot;
	struct content *c = NULL;
	unsigned count;
	uint64_t size;
	struct stat st;
	enum err e;
	int fd;

	pthread_mutex_lock(&n->lock);
	c = n->file.content;
	if (c)
		newest_key(c, out, suite_out);
	pthread_mutex_unlock(&n->lock);
	if (c)
		return ERR_OK;
	e = reach_open(t, n, O_RDONLY, &fd, &st);
	if (e != ERR_OK)
		return e;
	e = content_view(fd, views, &count, &size);
	close(fd);
	if (e != ERR_OK)
		return e;
	if (count == 0)
		return ERR_NOT_FOUND;
	slot = &views[0].header.slots[views[0].header.slot_count - 1];
	memcpy(out->key_id, slot->key_id, KEY_ID_LEN);
	memcpy(out->material_id, slot->material_id, MATERIAL_ID_LEN);
	*suite_out = slot->suite;
	return ERR_OK;
}

/* --- enforce --------------------------------------------------------------------------------------- */

/* 1 where the file is under another key than the policy names now. */
static int differs(struct tree *t, const struct policy *p, const struct key_ref *ref)
{
	uint8_t key[KEY_ID_LEN];

	return key_ring_resolve(t->b->ring, p->key, key) != ERR_OK || memcmp(key, ref->key_id, KEY_ID_LEN) != 0;
}

static void tell(const char *what, const struct node *n, const struct policy *p, const struct key_ref *ref)
{
	char key[UUID_TEXT_LEN + 1];

	uuid_text(ref->key_id, key);
	log_warning("%s: the file with inode %llu is under key %s, its directory's policy names %s", what, (unsigned long long)n->ino, key, p->key);
}

enum err policy_check_open(struct tree *t, struct node *n, struct content *c)
{
	struct place *place = node_place(t, n);
	uint8_t from[UUID_LEN], suite;
	struct key_ref ref;
	struct policy p;

	if (!place || policy_of(t, place->parent, &p, from) != ERR_OK || p.enforce == ENFORCE_NO)
		return ERR_OK;
	newest_key(c, &ref, &suite);
	if (!differs(t, &p, &ref))
		return ERR_OK;
	tell(p.enforce == ENFORCE_DENY ? "refused" : "opened", n, &p, &ref);
	if (p.enforce != ENFORCE_DENY)
		return ERR_OK;
	return err_set(ERR_ERRNO + EACCES, "the file is under another key than its directory's policy, which denies that: rekeyfs migrate start");
}

/* A directory that has a policy of its own takes it along. */
static int governs_itself(struct tree *t, struct node *n)
{
	uint8_t id[UUID_LEN];
	struct policy p;

	return node_is_directory(n) && dir_id(t, n, id) == ERR_OK && policy_get(t->b->policies, id, &p) == ERR_OK;
}

enum err policy_check_move(struct tree *t, struct node *n, struct node *from, struct node *to, int *drift_out)
{
	uint8_t from_id[UUID_LEN], to_id[UUID_LEN], suite;
	struct policy before, after;
	struct key_ref ref;
	enum err e;

	*drift_out = 0;
	if (from == to || policy_only_root(t->b->policies) || !(node_is_file(n) || node_is_directory(n)) || governs_itself(t, n))
		return ERR_OK;
	e = policy_of(t, from, &before, from_id);
	if (e == ERR_OK)
		e = policy_of(t, to, &after, to_id);
	if (e != ERR_OK || memcmp(from_id, to_id, UUID_LEN) == 0)
		return e;
	/* What the walker brings over may come; opening it is refused until then. */
	if (after.on_rename == ON_RENAME_MIGRATE) {
		*drift_out = strcmp(before.key, after.key) != 0;
		return ERR_OK;
	}
	if (after.enforce == ENFORCE_NO || !node_is_file(n) || file_key(t, n, &ref, &suite) != ERR_OK || !differs(t, &after, &ref))
		return ERR_OK;
	tell(after.enforce == ENFORCE_DENY ? "refused" : "moved", n, &after, &ref);
	if (after.enforce != ENFORCE_DENY)
		return ERR_OK;
	return err_set(ERR_REFUSED, "the file is under another key than the new directory's policy, which denies that and moves no file to its key "
		       "(on-rename keep)");
}
