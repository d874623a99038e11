#include "fs/mount/mount_point.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include "fs/mount/mount.h"

void mount_entry_release(struct mount_entry *entry)
{
	free(entry->point);
	free(entry->type);
	free(entry->source);
	*entry = (struct mount_entry){ .id = -1 };
}

int mount_entry_is_ours(const struct mount_entry *entry)
{
	return strcmp(entry->type, "fuse." MOUNT_TYPE) == 0;
}

/* The table writes blanks and backslashes as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
		    from[3] >= '0' && from[3] <= '7') {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = 0;
}

/* "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELD…] - TYPE SOURCE SUPEROPTIONS"; cuts `line` up.  0: not of this form. */
static int parse(char *line, struct mount_entry *out)
{
	char *rest = strstr(line, " - "), *field[6], *tail[3], *save = NULL, *owner;
	unsigned major_number, minor_number;

	if (!rest)
		return 0;
	*rest = 0;
	for (int i = 0; i < 6; i++) {
		field[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!field[i])
			return 0;
	}
	for (int i = 0; i < 3; i++) {
		tail[i] = strtok_r(i ? NULL : rest + 3, " \n", &save);
		if (!tail[i])
			return 0;
	}
	if (sscanf(field[2], "%u:%u", &major_number, &minor_number) != 2)
		return 0;
	unescape(field[4]);
	unescape(tail[1]);
	owner = strstr(tail[2], "user_id=");
	*out = (struct mount_entry){
		.id = atoi(field[0]),
		.device = makedev(major_number, minor_number),
		.owner = owner ? (uid_t)strtoul(owner + 8, NULL, 10) : 0,
		.point = field[4], .type = tail[0], .source = tail[1],
	};
	return 1;
}

static enum err copy(const struct mount_entry *from, struct mount_entry *out)
{
	*out = *from;
	out->point = strdup(from->point);
	out->type = strdup(from->type);
	out->source = strdup(from->source);
	if (out->point && out->type && out->source)
		return ERR_OK;
	mount_entry_release(out);
	return ERR_NO_MEMORY;
}

/* The last row that matches: what is mounted later lies above.  `point` NULL: by device. */
static enum err find(const char *point, dev_t device, struct mount_entry *out)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	struct mount_entry entry;
	char *line = NULL;
	size_t room = 0;
	enum err e = ERR_NOT_FOUND;

	*out = (struct mount_entry){ .id = -1 };
	if (!table)
		return err_set_errno("cannot read /proc/self/mountinfo");
	while ((e == ERR_OK || e == ERR_NOT_FOUND) && getline(&line, &room, table) > 0) {
		if (!parse(line, &entry) || (point ? strcmp(entry.point, point) != 0 : entry.device != device))
			continue;
		mount_entry_release(out);
		e = copy(&entry, out);
	}
	free(line);
	fclose(table);
	return e;
}

enum err mount_table_find(const char *point, struct mount_entry *out)
{
	return find(point, 0, out);
}

enum err mount_table_find_device(dev_t device, struct mount_entry *out)
{
	return find(NULL, device, out);
}
