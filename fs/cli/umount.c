#include <stdio.h>
#include <stdlib.h>
#include "fs/cli/cli.h"
#include "fs/cli/client.h"
#include "fs/mount/holders.h"
#include "fs/mount/mount_point.h"

#define WAIT_SECONDS 600

static int lazy;

static const struct option_row options[] = {
	{ "lazy", 'l', NULL, "detach now, end when nobody uses it any more", NULL, &lazy, NULL },
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};
static const struct verb verb = { "umount", "MOUNTPOINT", "Unmounts a bucket, and returns when everything is on the disk.", verb_umount, 0 };

static int print_holder(void *context, const struct holder *h)
{
	int *count = context;

	if (++*count > 20) {
		fprintf(stderr, "  … and others\n");
		return 1;
	}
	fprintf(stderr, "  process %d (%s) %s: %s\n", (int)h->pid, h->command, h->what, h->path);
	return 0;
}

/* The message comes first, then its list. */
static int fail_busy(const struct mount_entry *entry)
{
	int count = 0, code;

	code = command_line_fail(PROGRAM, err_set(ERR_BUSY, "%s is in use, so it stays mounted; end what uses it, or detach it with "
						  "`rekeyfs umount --lazy %s`:", entry->point, entry->point));
	holders_each(entry, print_holder, &count);
	if (count == 0)
		fprintf(stderr, "  nothing that this user may see: try as root, and look for mounts below it\n");
	return code;
}

static enum err find_mount(const char *path, struct mount_entry *out)
{
	char *point;
	enum err e = mount_point_resolve(path, &point);

	if (e != ERR_OK)
		return e;
	e = mount_table_find(point, out);
	if (e == ERR_NOT_FOUND)
		e = err_set(e, "%s is not mounted", path);
	else if (e == ERR_OK && !mount_entry_is_ours(out)) {
		e = err_set(ERR_REFUSED, "%s is a mount of type %s, not of a bucket", path, out->type);
		mount_entry_release(out);
	}
	free(point);
	return e;
}

static enum err wait_for_process(struct client *c)
{
	enum err result, e = client_wait_end(c, WAIT_SECONDS, &result);

	if (e != ERR_OK)
		return err_set(e, "unmounted, but process %d is still writing after %d seconds", (int)client_pid(c), WAIT_SECONDS);
	if (result != ERR_OK)
		return err_set(result, "unmounted, but not everything is on the disk: %s", err_message(result));
	return ERR_OK;
}

int verb_umount(int argc, char **argv)
{
	struct mount_entry entry = { .id = -1 };
	struct client *c = NULL;
	char **operands;
	int count, code;
	enum err e = command_line_parse(PROGRAM, &verb, options, argc, argv, &operands, &count);

	if (e == ERR_OK && count != 1)
		e = err_set(ERR_USAGE, "umount: one MOUNTPOINT, please (see rekeyfs umount --help)");
	if (e == ERR_OK)
		e = find_mount(operands[0], &entry);
	if (e != ERR_OK)
		return command_line_fail(PROGRAM, e);
	/* A killed mount has nobody to wait for. */
	if (client_open_path(entry.point, &c) == ERR_OK && client_send(c, client_request("watch")) != ERR_OK) {
		client_close(c);
		c = NULL;
	}
	e = mount_point_unmount(entry.point, lazy);
	if (e == ERR_BUSY) {
		code = fail_busy(&entry);
		goto out;
	}
	if (e == ERR_OK && c && !lazy)
		e = wait_for_process(c);
	code = e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
out:
	client_close(c);
	mount_entry_release(&entry);
	return code;
}
