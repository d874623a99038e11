#include "fs/mount/walker_hooks.h"

static enum err start(struct mount *m, void **state_out)
{
	struct walker *w;
	enum err e = walker_start(m->tree, &w);

	if (e == ERR_OK)
		walker_set_limits(w, &m->options->walker);
	*state_out = w;
	return e;
}

static void stop(void *state)
{
	walker_stop(state);
}

static void keys_changed(void *state)
{
	walker_kick(state);
}

static void drift(void *state, struct node *n)
{
	walker_drift(state, n);
}

static int busy(void *state)
{
	return walker_busy(state);
}

/* Those that are over are history, for `migrate list`. */
static json_t *status(void *state)
{
	json_t *all = walker_status(state), *now = json_array(), *job;
	size_t i;

	json_array_foreach(json_object_get(all, "Jobs"), i, job)
		if (json_is_null(json_object_get(job, "TerminationDate")))
			json_array_append(now, job);
	json_decref(all);
	return now;
}

const struct mount_hooks walker_hooks = {
	.name = "Jobs",
	.writes = 1,
	.start = start,
	.stop = stop,
	.keys_changed = keys_changed,
	.drift = drift,
	.busy = busy,
	.status = status,
};
