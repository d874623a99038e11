#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/json.h"
#include "fs/bucket/bucket.h"
#include "fs/check/inventory.h"
#include "fs/cli/cli.h"
#include "fs/cli/subject.h"

static const char *key;
static int not_current, as_json, as_csv;

static const struct option_row options[] = {
	{ "key", 'k', "KEY", "only files under this key", &key, NULL, NULL },
	{ "not-current", 0, NULL, "only files whose key material is not their key's current one", NULL, &not_current, NULL },
	{ "json", 0, NULL, "print JSON", NULL, &as_json, NULL },
	{ "csv", 0, NULL, "print comma-separated values", NULL, &as_csv, NULL },
	KEY_OPTION_ROWS,
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};
static const struct verb verb = { "inventory", "PATH", "Counts files and bytes by key and key material below a mounted directory, or in a bucket that is not mounted "
				  "(no key is needed there).", verb_inventory, 0 };

/* --- output ----------------------------------------------------------------------------------- */

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "-";
}

static long long number_of(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

static void print_csv(const json_t *inventory)
{
	const json_t *row;
	size_t i;

	printf("KeyId,Alias,KeyState,KeyMaterialId,KeyMaterialOrdinal,KeyMaterialState,Files,Bytes\n");
	json_array_foreach(json_object_get(inventory, "Keys"), i, row) {
		const char *alias = json_string_value(json_object_get(row, "Alias"));
		const char *state = json_string_value(json_object_get(row, "KeyState"));
		const char *material_state = json_string_value(json_object_get(row, "KeyMaterialState"));

		printf("%s,%s,%s,%s,", text_of(row, "KeyId"), alias ? alias : "", state ? state : "", text_of(row, "KeyMaterialId"));
		if (json_is_integer(json_object_get(row, "KeyMaterialOrdinal")))
			printf("%lld", number_of(row, "KeyMaterialOrdinal"));
		printf(",%s,%lld,%lld\n", material_state ? material_state : "", number_of(row, "Files"), number_of(row, "Bytes"));
	}
}

static void print_table(const json_t *inventory)
{
	const json_t *row, *path;
	size_t i;

	printf("%-36s  %-20s %-15s %-18s %10s %16s\n", "KEY", "ALIAS", "STATE", "MATERIAL", "FILES", "BYTES");
	json_array_foreach(json_object_get(inventory, "Keys"), i, row) {
		char material[64];
		int known = json_is_integer(json_object_get(row, "KeyMaterialOrdinal"));

		if (known)
			snprintf(material, sizeof(material), "%.8s #%lld%s", text_of(row, "KeyMaterialId"), number_of(row, "KeyMaterialOrdinal"),
				 strcmp(text_of(row, "KeyMaterialState"), "CURRENT") == 0 ? " *" : "");
		else
			snprintf(material, sizeof(material), "%.16s", text_of(row, "KeyMaterialId"));
		printf("%-36s  %-20s %-15s %-18s %10lld %16lld\n", text_of(row, "KeyId"), text_of(row, "Alias"), text_of(row, "KeyState"), material,
		       number_of(row, "Files"), number_of(row, "Bytes"));
	}
	printf("%lld files, %lld bytes in all", number_of(inventory, "Files"), number_of(inventory, "Bytes"));
	if (number_of(inventory, "EmptyFiles"))
		printf("; %lld empty ones under no key yet", number_of(inventory, "EmptyFiles"));
	printf("\n");
	if (number_of(inventory, "UnreadableFiles"))
		printf("%lld could not be read:\n", number_of(inventory, "UnreadableFiles"));
	json_array_foreach(json_object_get(inventory, "Unreadable"), i, path)
		printf("  %s\n", json_string_value(path));
}

/* --- a bucket that is not mounted ----------------------------------------------------------------- */

static enum err resolve(struct keymgr *k, uint8_t out[static KEY_ID_LEN])
{
	if (k && keymgr_resolve(k, key, out) == ERR_OK)
		return ERR_OK;
	return uuid_parse(key, out) == ERR_OK ? ERR_OK : err_set(ERR_KEY_NOT_FOUND, "no keystore is open that knows %s: give the key's id", key);
}

static enum err open_start(const struct subject *s, int *fd_out, char **dir_path, char **name)
{
	struct stat st;
	char *slash;

	*dir_path = strdup(s->cipher);
	*name = NULL;
	if (!*dir_path)
		return ERR_NO_MEMORY;
	if (stat(s->path, &st) == 0 && S_ISDIR(st.st_mode)) {
		*fd_out = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return *fd_out >= 0 ? ERR_OK : err_set_errno("%s", s->path);
	}
	slash = strrchr(*dir_path, '/');
	*name = strdup(slash ? slash + 1 : *dir_path);
	(*dir_path)[slash ? slash - *dir_path : 0] = 0;
	*fd_out = open(s->bucket, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd_out >= 0 && **dir_path) {
		int below = openat(*fd_out, *dir_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		close(*fd_out);
		*fd_out = below;
	}
	return *fd_out >= 0 ? ERR_OK : err_set_errno("%s", s->path);
}

static enum err offline(const struct subject *s, json_t **out)
{
	struct inventory *found = calloc(1, sizeof(*found));
	struct inventory_view view = { .keymgr = cli_quiet_keystore(), .not_current = not_current };
	struct bucket_description about;
	char *dir_path = NULL, *name = NULL;
	uint8_t key_id[KEY_ID_LEN];
	int fd = -1;
	enum err e = found ? bucket_describe(s->bucket, &about) : ERR_NO_MEMORY;

	if (e == ERR_OK && not_current && !view.keymgr)
		e = err_set(ERR_LOCKED, "--not-current needs a keystore that opens without a question: only it knows which material is current");
	if (e == ERR_OK && key) {
		e = resolve(view.keymgr, key_id);
		view.key_id = key_id;
	}
	if (e == ERR_OK)
		e = open_start(s, &fd, &dir_path, &name);
	if (e == ERR_OK)
		e = inventory_take(fd, dir_path, name, found);
	if (e == ERR_OK)
		*out = inventory_json(found, about.id, &view);
	if (fd >= 0)
		close(fd);
	if (found)
		inventory_release(found);
	free(found);
	free(dir_path);
	free(name);
	keymgr_close(view.keymgr);
	return e;
}

static enum err mounted(const struct subject *s, json_t **out)
{
	json_t *request = subject_request(s, "inventory"), *reply;
	enum err e;

	if (request && key)
		json_object_set_new(request, "Key", json_string(key));
	if (request)
		json_object_set_new(request, "NotCurrent", json_boolean(not_current));
	e = subject_call(s, request, &reply);
	if (e == ERR_OK)
		*out = json_incref(json_object_get(reply, "Inventory"));
	json_decref(reply);
	return e;
}

int verb_inventory(int argc, char **argv)
{
	struct subject s = { .path = NULL };
	json_t *inventory = NULL;
	char **operands;
	int count;
	enum err e = command_line_parse(PROGRAM, &verb, options, argc, argv, &operands, &count);

	if (e == ERR_OK && (count != 1 || (as_json && as_csv)))
		e = err_set(ERR_USAGE, "inventory: one PATH, and one of --json and --csv, please (see rekeyfs inventory --help)");
	if (e == ERR_OK)
		e = subject_find(operands[0], 1, &s);
	if (e == ERR_OK)
		e = s.plain ? mounted(&s, &inventory) : offline(&s, &inventory);
	if (e == ERR_OK && !inventory)
		e = ERR_NO_MEMORY;
	if (e == ERR_OK && as_json)
		json_print(stdout, inventory);
	else if (e == ERR_OK && as_csv)
		print_csv(inventory);
	else if (e == ERR_OK)
		print_table(inventory);
	json_decref(inventory);
	subject_release(&s);
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}
