/* How a job lies in the bucket. */
#include "fs/walker/job.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/file_io.h"
#include "base/json.h"
#include "base/kdf.h"
#include "base/log.h"
#include "base/secret.h"

#define MAC_LEN 32
#define HEAD_LEN (HEX_LEN(MAC_LEN) + 1)
#define SUFFIX ".job"

static void mac(struct bucket *b, const uint8_t id[static UUID_LEN], const void *text, size_t len, uint8_t out[static MAC_LEN])
{
	struct kdf_fields fields = { .a = b->description.id, .b = id };
	uint8_t key[KDF_KEY_LEN];

	kdf(b->names_key->bytes, KDF_JOB, &fields, key);
	kdf_mac(key, text, len, out, MAC_LEN);
	secret_wipe(key, sizeof(key));
}

enum err job_directory(struct bucket *b, int make, int *fd_out)
{
	if (make && mkdirat(b->root_fd, JOBS_DIRECTORY, 0700) != 0 && errno != EEXIST)
		return err_set_errno("cannot make the bucket's " JOBS_DIRECTORY);
	*fd_out = openat(b->root_fd, JOBS_DIRECTORY, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd_out >= 0)
		return ERR_OK;
	return errno == ENOENT ? ERR_NOT_FOUND : err_errno();
}

static json_t *id_json(const uint8_t id[static UUID_LEN])
{
	char text[UUID_TEXT_LEN + 1];

	uuid_text(id, text);
	return json_string(text);
}

static json_t *hex_json(const uint8_t *bytes, size_t len)
{
	char text[HEX_LEN(MATERIAL_ID_LEN) + 1];

	bytes_to_hex(bytes, len, text);
	return json_string(text);
}

static json_t *failures_json(const struct job *j)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < j->failure_count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "Path", j->failures[i].path, "Error", j->failures[i].error));
	return list;
}

static json_t *job_to_json(const struct job *j)
{
	json_t *o = json_pack("{s:o, s:i, s:i, s:i, s:s, s:s, s:b, s:o, s:s, s:s, s:i, s:I, s:b}",
		"JobId", id_json(j->id), "Kind", j->kind, "Status", j->status, "Reason", j->reason, "ReasonPath", j->reason_path,
		"ReasonText", j->reason_text, "ScopeIsFile", j->scope_is_file, "ScopeId", id_json(j->scope_id),
		"ScopePath", j->scope_path, "To", j->to, "Mode", j->mode, "Bandwidth", (json_int_t)j->bandwidth, "Report", j->report);

	if (!o)
		return NULL;
	if (j->has_from)
		json_object_set_new(o, "FromKeyId", id_json(j->from.key_id));
	if (j->has_from_material)
		json_object_set_new(o, "FromKeyMaterialId", hex_json(j->from.material_id, MATERIAL_ID_LEN));
	json_object_set_new(o, "RotatedTo", hex_json(j->rotated_to, MATERIAL_ID_LEN));
	json_object_set_new(o, "Files", json_integer((json_int_t)j->files));
	json_object_set_new(o, "FilesTotal", json_integer((json_int_t)j->files_total));
	json_object_set_new(o, "Bytes", json_integer((json_int_t)j->bytes));
	json_object_set_new(o, "BytesTotal", json_integer((json_int_t)j->bytes_total));
	json_object_set_new(o, "Failed", json_integer((json_int_t)j->failed));
	json_object_set_new(o, "Failures", failures_json(j));
	json_object_set_new(o, "Created", json_integer(j->created));
	json_object_set_new(o, "Started", json_integer(j->started));
	json_object_set_new(o, "Ended", json_integer(j->ended));
	return o;
}

enum err job_store(struct bucket *b, const struct job *j)
{
	char name[UUID_TEXT_LEN + sizeof(SUFFIX)], *text = job_print(j), *file = NULL;
	uint8_t seal[MAC_LEN];
	enum err e;
	int fd = -1;
	size_t len;

	uuid_text(j->id, name);
	strcat(name, SUFFIX);
	len = text ? strlen(text) : 0;
	file = malloc(HEAD_LEN + len + 1);
	if (!text || !file) {
		e = ERR_NO_MEMORY;
		goto out;
	}
	mac(b, j->id, text, len, seal);
	bytes_to_hex(seal, sizeof(seal), file);
	file[HEAD_LEN - 1] = '\n';
	memcpy(file + HEAD_LEN, text, len);
	e = job_directory(b, 1, &fd);
	if (e == ERR_OK)
		e = file_replace(fd, name, file, HEAD_LEN + len, 0600);
out:
	if (fd >= 0)
		close(fd);
	free(text);
	free(file);
	return e;
}

/* One member each; the first wrong one sets *e. */
static uint64_t take_number(const json_t *o, const char *name, uint64_t max, enum err *e)
{
	long long value = 0;
	enum err got = json_get_integer(o, name, &value);

	if (got == ERR_OK && (value < 0 || (uint64_t)value > max))
		got = ERR_FORMAT;
	if (*e == ERR_OK)
		*e = got;
	return got == ERR_OK ? (uint64_t)value : 0;
}

static void take_text(const json_t *o, const char *name, char *out, size_t room, enum err *e)
{
	const char *text = "";
	enum err got = json_get_string(o, name, &text);

	if (got == ERR_OK && strlen(text) >= room)
		got = ERR_FORMAT;
	if (*e == ERR_OK)
		*e = got;
	strcpy(out, got == ERR_OK ? text : "");
}

static void take_id(const json_t *o, const char *name, uint8_t out[static UUID_LEN], enum err *e)
{
	char text[UUID_TEXT_LEN + 1];

	take_text(o, name, text, sizeof(text), e);
	if (*e == ERR_OK)
		*e = uuid_parse(text, out);
}

static void take_material(const json_t *o, const char *name, uint8_t out[static MATERIAL_ID_LEN], enum err *e)
{
	char text[HEX_LEN(MATERIAL_ID_LEN) + 1];

	take_text(o, name, text, sizeof(text), e);
	if (*e == ERR_OK)
		*e = bytes_from_hex(text, strlen(text), out, MATERIAL_ID_LEN);
}

static enum err take_failures(const json_t *o, struct job *j)
{
	json_t *list = json_object_get(o, "Failures"), *row;
	const char *path, *error;
	enum err e = json_is_array(list) ? ERR_OK : ERR_FORMAT;
	size_t i;

	json_array_foreach(list, i, row) {
		if (e == ERR_OK)
			e = json_get_string(row, "Path", &path);
		if (e == ERR_OK)
			e = json_get_string(row, "Error", &error);
		if (e == ERR_OK)
			e = job_add_failure(j, path, error);
	}
	return e;
}

static enum err job_from_json(const json_t *o, struct job *j)
{
	enum err e = ERR_OK;

	take_id(o, "JobId", j->id, &e);
	j->kind = (enum job_kind)take_number(o, "Kind", JOB_DRIFT, &e);
	j->status = (enum job_status)take_number(o, "Status", JOB_CANCELLED, &e);
	j->reason = (enum job_reason)take_number(o, "Reason", JOB_ERROR, &e);
	take_text(o, "ReasonPath", j->reason_path, sizeof(j->reason_path), &e);
	take_text(o, "ReasonText", j->reason_text, sizeof(j->reason_text), &e);
	j->scope_is_file = json_is_true(json_object_get(o, "ScopeIsFile"));
	take_id(o, "ScopeId", j->scope_id, &e);
	take_text(o, "ScopePath", j->scope_path, sizeof(j->scope_path), &e);
	take_text(o, "To", j->to, sizeof(j->to), &e);
	j->mode = (enum migrate_mode)take_number(o, "Mode", MIGRATE_REENCRYPT, &e);
	j->bandwidth = take_number(o, "Bandwidth", INT64_MAX, &e);
	j->report = json_is_true(json_object_get(o, "Report"));
	j->has_from = json_object_get(o, "FromKeyId") != NULL;
	if (j->has_from)
		take_id(o, "FromKeyId", j->from.key_id, &e);
	j->has_from_material = json_object_get(o, "FromKeyMaterialId") != NULL;
	if (j->has_from_material)
		take_material(o, "FromKeyMaterialId", j->from.material_id, &e);
	take_material(o, "RotatedTo", j->rotated_to, &e);
	if (e == ERR_OK)
		e = take_failures(o, j);
	j->files = take_number(o, "Files", INT64_MAX, &e);
	j->files_total = take_number(o, "FilesTotal", INT64_MAX, &e);
	j->bytes = take_number(o, "Bytes", INT64_MAX, &e);
	j->bytes_total = take_number(o, "BytesTotal", INT64_MAX, &e);
	j->failed = take_number(o, "Failed", INT64_MAX, &e);
	j->created = (int64_t)take_number(o, "Created", INT64_MAX, &e);
	j->started = (int64_t)take_number(o, "Started", INT64_MAX, &e);
	j->ended = (int64_t)take_number(o, "Ended", INT64_MAX, &e);
	return e;
}

enum err job_parse(const char *text, size_t len, struct job **out)
{
	struct job *j = calloc(1, sizeof(*j));
	json_t *o = NULL;
	enum err e = j ? json_parse(text, len, &o) : ERR_NO_MEMORY;

	if (e == ERR_OK)
		e = job_from_json(o, j);
	json_decref(o);
	if (e != ERR_OK) {
		job_free(j);
		j = NULL;
	}
	*out = j;
	return e;
}

char *job_print(const struct job *j)
{
	json_t *o = job_to_json(j);
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	return text;
}

enum err job_load(struct bucket *b, const char *file, struct job **out)
{
	char id_text[UUID_TEXT_LEN + 1] = "";
	uint8_t id[UUID_LEN], seal[MAC_LEN], found[MAC_LEN], *bytes = NULL;
	struct job *j = NULL;
	size_t len = 0;
	int fd = -1;
	enum err e;

	*out = NULL;
	strncat(id_text, file, UUID_TEXT_LEN);
	e = uuid_parse(id_text, id);
	if (e == ERR_OK)
		e = job_directory(b, 0, &fd);
	if (e == ERR_OK)
		e = file_load(fd, file, JOB_FILE_MAX, &bytes, &len);
	if (e == ERR_OK && (len < HEAD_LEN || bytes[HEAD_LEN - 1] != '\n'))
		e = ERR_FORMAT;
	if (e == ERR_OK)
		e = bytes_from_hex((char *)bytes, HEAD_LEN - 1, found, sizeof(found));
	if (e != ERR_OK)
		goto out;
	mac(b, id, bytes + HEAD_LEN, len - HEAD_LEN, seal);
	e = secret_equal(seal, found, MAC_LEN) ? job_parse((char *)bytes + HEAD_LEN, len - HEAD_LEN, &j) : ERR_NOT_AUTHENTIC;
	if (e == ERR_OK && memcmp(j->id, id, UUID_LEN) != 0)
		e = ERR_NOT_AUTHENTIC;
out:
	if (e == ERR_OK)
		*out = j;
	else
		job_free(j);
	if (fd >= 0)
		close(fd);
	free(bytes);
	return e;
}

enum err job_remove(struct bucket *b, const uint8_t id[static UUID_LEN])
{
	static const char *const suffixes[] = { SUFFIX, ".report" };
	char name[UUID_TEXT_LEN + sizeof(".report")];
	int fd;
	enum err e = job_directory(b, 0, &fd);

	if (e != ERR_OK)
		return e;
	for (unsigned i = 0; i < 2; i++) {
		uuid_text(id, name);
		strcat(name, suffixes[i]);
		if (unlinkat(fd, name, 0) != 0 && errno != ENOENT && e == ERR_OK)
			e = err_errno();
	}
	close(fd);
	return e;
}

enum err job_load_all(struct bucket *b, int (*each)(void *context, struct job *j), void *context)
{
	struct dirent *d;
	struct job *j;
	int fd, read_fd;
	DIR *dir;
	enum err e = job_directory(b, 0, &fd);

	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_OK : e;
	read_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = read_fd >= 0 ? fdopendir(read_fd) : NULL;
	if (!dir) {
		e = err_errno();
		if (read_fd >= 0)
			close(read_fd);
		goto out;
	}
	while ((d = readdir(dir))) {
		if (strlen(d->d_name) != UUID_TEXT_LEN + sizeof(SUFFIX) - 1 || strcmp(d->d_name + UUID_TEXT_LEN, SUFFIX) != 0)
			continue;
		e = job_load(b, d->d_name, &j);
		if (e == ERR_NO_MEMORY)
			break;
		if (e != ERR_OK)
			log_warning("job file %s is left alone: %s", d->d_name, err_message(e));
		else if (each(context, j))
			break;
		e = ERR_OK;
	}
	closedir(dir);
out:
	close(fd);
	return e;
}
