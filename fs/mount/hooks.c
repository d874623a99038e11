#include "fs/mount/hooks.h"

#include <pthread.h>
#include "fs/mount/walker_hooks.h"

static const struct mount_hooks *const table[] = {
	&walker_hooks,
	NULL
};

_Static_assert(sizeof(table) / sizeof(table[0]) <= MOUNT_HOOKS_MAX + 1, "MOUNT_HOOKS_MAX is too small");

/* Held for reading while hooks are called, so that none is stopped meanwhile. */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

#define EACH_RUNNING(m, i)							\
	for (unsigned i = 0; i < MOUNT_HOOKS_MAX && table[i]; i++)		\
		if ((m)->hook_states[i])

enum err hooks_start(struct mount *m)
{
	enum err e = ERR_OK;

	for (unsigned i = 0; i < MOUNT_HOOKS_MAX && table[i] && e == ERR_OK; i++)
		if (table[i]->start && !(table[i]->writes && m->options->read_only))
			e = table[i]->start(m, &m->hook_states[i]);
	return e;
}

void hooks_stop(struct mount *m)
{
	void *state;

	for (unsigned i = 0; i < MOUNT_HOOKS_MAX && table[i]; i++) {
		pthread_rwlock_wrlock(&lock);
		state = m->hook_states[i];
		m->hook_states[i] = NULL;
		pthread_rwlock_unlock(&lock);
		if (state && table[i]->stop)
			table[i]->stop(state);
	}
}

void hooks_tick(struct mount *m)
{
	pthread_rwlock_rdlock(&lock);
	EACH_RUNNING(m, i)
		if (table[i]->tick)
			table[i]->tick(m->hook_states[i]);
	pthread_rwlock_unlock(&lock);
}

void hooks_keys_changed(struct mount *m)
{
	pthread_rwlock_rdlock(&lock);
	EACH_RUNNING(m, i)
		if (table[i]->keys_changed)
			table[i]->keys_changed(m->hook_states[i]);
	pthread_rwlock_unlock(&lock);
}

void hooks_drift(struct mount *m, struct node *n)
{
	pthread_rwlock_rdlock(&lock);
	EACH_RUNNING(m, i)
		if (table[i]->drift)
			table[i]->drift(m->hook_states[i], n);
	pthread_rwlock_unlock(&lock);
}

int hooks_busy(struct mount *m)
{
	int busy = 0;

	pthread_rwlock_rdlock(&lock);
	EACH_RUNNING(m, i)
		busy |= table[i]->busy && table[i]->busy(m->hook_states[i]);
	pthread_rwlock_unlock(&lock);
	return busy;
}

void hooks_status(struct mount *m, json_t *to)
{
	json_t *value;

	pthread_rwlock_rdlock(&lock);
	EACH_RUNNING(m, i) {
		value = table[i]->status ? table[i]->status(m->hook_states[i]) : NULL;
		if (value)
			json_object_set_new(to, table[i]->name, value);
	}
	pthread_rwlock_unlock(&lock);
}

void *hooks_state(struct mount *m, const struct mount_hooks *hooks)
{
	for (unsigned i = 0; i < MOUNT_HOOKS_MAX && table[i]; i++)
		if (table[i] == hooks)
			return m->hook_states[i];
	return NULL;
}
