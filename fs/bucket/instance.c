#include "fs/bucket/instance.h"

#include <string.h>
#include "base/clock.h"

enum err instance_check_known(struct keymgr *k, const uint8_t bucket_id[static UUID_LEN], const char *path)
{
	struct bucket_instance found = { 0 };
	enum err e = keymgr_find_bucket(k, bucket_id, NULL, &found);

	if (e == ERR_NOT_FOUND)
		return err_set(ERR_REFUSED, "keystore %s does not know the bucket %s: if it is yours, `rekeyfs register %s` makes it known",
			       keymgr_path(k), path, path);
	if (e == ERR_OK)
		bucket_instance_release(&found);
	return e;
}

enum err instance_register(struct keymgr *k, const struct state *s, const char *path)
{
	struct bucket_instance me = { .path = (char *)path, .filesystem = s->filesystem, .root_inode = s->root_inode,
				      .checkpoint = s->durable, .policy_generation = s->policy_generation };

	memcpy(me.bucket_id, s->bucket_id, UUID_LEN);
	memcpy(me.instance_id, s->instance_id, UUID_LEN);
	me.registered = me.last_seen = clock_now();
	return keymgr_register_bucket(k, &me);
}

enum err instance_anchor(struct keymgr *k, const struct state *s, uint64_t *checkpoint_out, uint64_t *policy_generation_out)
{
	struct bucket_instance found = { 0 };
	enum err e = keymgr_find_bucket(k, s->bucket_id, s->instance_id, &found);

	*checkpoint_out = *policy_generation_out = 0;
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e != ERR_OK)
		return e;
	*checkpoint_out = found.checkpoint;
	*policy_generation_out = found.policy_generation;
	bucket_instance_release(&found);
	return ERR_OK;
}
