#include "fs/mount/control.h"

#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/clock.h"
#include "fs/mount/background.h"
#include "fs/mount/hooks.h"
#include "fs/mount/key_watch.h"

static void set_text(json_t *to, const char *key, const char *text)
{
	json_object_set_new(to, key, json_string(text));
}

static void set_number(json_t *to, const char *key, uint64_t number)
{
	json_object_set_new(to, key, json_integer((json_int_t)number));
}

static json_t *requests_of(struct mount *m)
{
	json_t *all = json_object();

	for (unsigned code = 0; code < MOUNT_OPERATIONS; code++) {
		uint64_t count = atomic_load_explicit(&m->requests[code], memory_order_relaxed);
		const char *name = mount_operation_name(code);

		if (count && name)
			set_number(all, name, count);
	}
	return all;
}

static json_t *checkpoint_of(struct mount *m)
{
	json_t *checkpoint = json_object();
	char when[CLOCK_TEXT_LEN + 1];
	int64_t time;

	pthread_mutex_lock(&m->bucket->state_lock);
	time = m->bucket->state.checkpoint_time;
	pthread_mutex_unlock(&m->bucket->state_lock);
	clock_text(time, when);
	set_number(checkpoint, "Number", atomic_load(&m->bucket->durable));
	set_text(checkpoint, "Date", when);
	json_object_set_new(checkpoint, "Changed", json_boolean(atomic_load(&m->changed)));
	return checkpoint;
}

enum err control_status(struct control_call *call)
{
	struct mount *m = call->mount;
	json_t *reply = call->reply;
	char id[UUID_TEXT_LEN + 1], when[CLOCK_TEXT_LEN + 1], device[32];

	uuid_text(m->bucket->description.id, id);
	clock_text(m->since, when);
	snprintf(device, sizeof(device), "%u:%u", major(m->device), minor(m->device));
	set_text(reply, "Bucket", m->bucket->path);
	set_text(reply, "BucketId", id);
	set_text(reply, "InstanceId", m->instance);
	set_text(reply, "MountPoint", m->options->mount_point);
	set_text(reply, "Device", device);
	json_object_set_new(reply, "ReadOnly", json_boolean(m->options->read_only));
	set_text(reply, "Keystore", keymgr_path(m->keymgr));
	set_text(reply, "CipherSuite", aead_name(m->bucket->description.suite));
	set_number(reply, "Process", (uint64_t)getpid());
	set_text(reply, "Since", when);
	set_number(reply, "OpenFiles", tree_open_files(m->tree));
	set_number(reply, "CachedNodes", tree_nodes(m->tree));
	json_object_set_new(reply, "Checkpoint", checkpoint_of(m));
	json_object_set_new(reply, "PendingKeys", key_watch_pending(m));
	json_object_set_new(reply, "Requests", requests_of(m));
	hooks_status(m, reply);
	return ERR_OK;
}

enum err control_watch(struct control_call *call)
{
	call->stay = 1;
	return ERR_OK;
}

enum err control_unmount(struct control_call *call)
{
	if (!json_is_true(json_object_get(call->request, "force")))
		return mount_end(call->mount);
	mount_end_by_force();
	return ERR_OK;
}

enum err control_checkpoint(struct control_call *call)
{
	return background_checkpoint(call->mount);
}
