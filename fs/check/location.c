#include "fs/check/location.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fs/check/file_keys.h"
#include "fs/names/names.h"

#define OPEN_DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static enum err read_dir_id(struct bucket *b, int fd, uint8_t id[static UUID_LEN])
{
	char text[DIR_HEADER_TEXT + 1];
	size_t len;
	enum err e = dir_header_read(fd, text, &len);

	return e != ERR_OK ? e : dir_header_check(b->names_key->bytes, b->description.id, text, len, id);
}

/* `path` + "/" + `name`, in place. */
static enum err append(char **path, const char *name)
{
	char *longer;

	if (asprintf(&longer, "%s%s%s", *path, **path ? "/" : "", name) < 0)
		return ERR_NO_MEMORY;
	free(*path);
	*path = longer;
	return ERR_OK;
}

static enum err enter(struct bucket *b, struct location *p, const char *lower)
{
	int fd = openat(p->dir_fd, lower, OPEN_DIRECTORY);
	struct policy above = p->policy;
	enum err e;

	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : err_errno();
	close(p->dir_fd);
	p->dir_fd = fd;
	e = append(&p->dir_path, lower);
	if (e == ERR_OK)
		e = read_dir_id(b, fd, p->id);
	if (e == ERR_OK)
		walk_policy(b, fd, &above, &p->policy);
	return e;
}

/* The last component is a file. */
static enum err take_file(struct location *p, const char *lower)
{
	struct file_keys keys;

	p->is_directory = 0;
	snprintf(p->name, sizeof(p->name), "%s", lower);
	memset(p->id, 0, UUID_LEN);
	if (S_ISREG(p->st.st_mode) && file_keys_read(p->dir_fd, lower, &p->st, &keys) == ERR_OK && keys.count)
		memcpy(p->id, keys.copies[0].file_id, UUID_LEN);
	return ERR_OK;
}

static enum err step(struct bucket *b, struct location *p, const char *lower)
{
	struct stat st;
	enum err e;

	if (!p->is_directory)
		return ERR_NOT_FOUND;
	if (fstatat(p->dir_fd, lower, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? ERR_NOT_FOUND : err_errno();
	p->st = st;
	e = append(&p->path, lower);
	if (e != ERR_OK)
		return e;
	return S_ISDIR(st.st_mode) ? enter(b, p, lower) : take_file(p, lower);
}

static enum err open_root(struct bucket *b, struct location *out)
{
	memset(out, 0, sizeof(*out));
	out->is_directory = 1;
	out->path = strdup("");
	out->dir_path = strdup("");
	out->dir_fd = openat(b->root_fd, ".", OPEN_DIRECTORY);
	if (out->dir_fd < 0)
		return err_errno();
	if (!out->path || !out->dir_path)
		return ERR_NO_MEMORY;
	memcpy(out->id, b->root_dir_id, UUID_LEN);
	walk_policy(b, out->dir_fd, NULL, &out->policy);
	return fstat(out->dir_fd, &out->st) == 0 ? ERR_OK : err_errno();
}

/* Calls step for each component of `path`, encrypted first where `plain`. */
static enum err descend(struct bucket *b, const char *path, int plain, struct location *out)
{
	enum err e = open_root(b, out);

	while (e == ERR_OK && *path) {
		size_t len = strcspn(path, "/");
		char lower[NAME_LOWER_MAX + 1];

		if (len == 0) {
			path++;
			continue;
		}
		if (plain) {
			struct lower_name encrypted;
			struct names_key key;

			names_key_make(b->names_key->bytes, out->id, &key);
			e = names_encrypt(&key, path, len, &encrypted);
			names_key_wipe(&key);
			snprintf(lower, sizeof(lower), "%s", e == ERR_OK ? encrypted.name : "");
		} else if (len > NAME_LOWER_MAX) {
			e = ERR_TOO_LONG;
		} else {
			snprintf(lower, sizeof(lower), "%.*s", (int)len, path);
		}
		if (e == ERR_OK)
			e = step(b, out, lower);
		path += len;
	}
	return e;
}

enum err location_open(struct bucket *b, const char *plain_path, struct location *out)
{
	return descend(b, plain_path, 1, out);
}

enum err location_open_cipher(struct bucket *b, const char *cipher_path, struct location *out)
{
	return descend(b, cipher_path, 0, out);
}

struct search { struct bucket *b; const uint8_t *id; int is_file; char *found; };

static enum err search_entry(void *context, const struct walk_entry *entry)
{
	struct search *s = context;
	uint8_t id[UUID_LEN];
	int match = 0;

	if (entry->reserved)
		return ERR_OK;
	if (s->is_file && entry->kind == WALK_FILE) {
		struct file_keys keys;

		match = file_keys_read(entry->dir_fd, entry->name, &entry->st, &keys) == ERR_OK && keys.count &&
			memcmp(keys.copies[0].file_id, s->id, UUID_LEN) == 0;
	} else if (!s->is_file && entry->kind == WALK_DIRECTORY) {
		int fd = openat(entry->dir_fd, entry->name, OPEN_DIRECTORY);

		match = fd >= 0 && read_dir_id(s->b, fd, id) == ERR_OK && memcmp(id, s->id, UUID_LEN) == 0;
		if (fd >= 0)
			close(fd);
	}
	if (!match)
		return ERR_OK;
	s->found = strdup(entry->path);
	return s->found ? ERR_CANCELLED : ERR_NO_MEMORY;
}

enum err location_find(struct bucket *b, const uint8_t id[static UUID_LEN], int is_file, const char *hint, struct location *out)
{
	struct walk_start start = { .dir_fd = b->root_fd, .path = "" };
	struct search s = { .b = b, .id = id, .is_file = is_file };
	enum err e = location_open_cipher(b, hint, out);

	if (e == ERR_OK && out->is_directory == !is_file && memcmp(out->id, id, UUID_LEN) == 0)
		return ERR_OK;
	location_release(out);
	e = walk_tree(&start, search_entry, &s);
	if (s.found)
		e = location_open_cipher(b, s.found, out);
	else if (e == ERR_OK)
		e = ERR_NOT_FOUND;
	free(s.found);
	return e;
}

void location_release(struct location *p)
{
	if (p->path && p->dir_fd >= 0)
		close(p->dir_fd);
	free(p->path);
	free(p->dir_path);
	memset(p, 0, sizeof(*p));
	p->dir_fd = -1;
}

enum err location_walk(struct bucket *b, const struct location *p, walk_fn each, void *context)
{
	struct walk_start start = { .dir_fd = p->dir_fd, .path = p->dir_path, .bucket = b, .governing = &p->policy };

	return p->is_directory ? walk_tree(&start, each, context) : walk_file(&start, p->name, each, context);
}

/* One name, with its directory open.  Room: NAME_PLAIN_MAX + 1. */
static void decrypt_name(struct bucket *b, int dir_fd, const char *lower, char *plain)
{
	char text[NAME_TEXT_MAX + 1], beside[NAME_LOWER_MAX + sizeof(NAME_SUFFIX)];
	uint8_t id[UUID_LEN];
	struct names_key key;
	enum err e;
	size_t len;
	ssize_t got;

	snprintf(plain, NAME_PLAIN_MAX + 1, "%s", lower);
	if (dir_fd < 0 || read_dir_id(b, dir_fd, id) != ERR_OK)
		return;
	names_key_make(b->names_key->bytes, id, &key);
	e = names_decrypt(&key, lower, strlen(lower), plain, &len);
	if (e != ERR_OK) {
		snprintf(plain, NAME_PLAIN_MAX + 1, "%s", lower);
		snprintf(beside, sizeof(beside), "%s" NAME_SUFFIX, lower);
		got = readlinkat(dir_fd, beside, text, sizeof(text) - 1);
		text[got > 0 ? got : 0] = 0;
		if (got > 0 && names_long_matches(&key, lower, text) && names_decrypt(&key, text, (size_t)got, plain, &len) == ERR_OK)
			e = ERR_OK;
	}
	if (e == ERR_OK)
		plain[len] = 0;
	else
		snprintf(plain, NAME_PLAIN_MAX + 1, "%s", lower);
	names_key_wipe(&key);
}

char *location_plain_path(struct bucket *b, const char *cipher_path)
{
	int fd = openat(b->root_fd, ".", OPEN_DIRECTORY);
	char *out = strdup("");

	while (out && *cipher_path) {
		char lower[NAME_LOWER_MAX + 1], plain[NAME_PLAIN_MAX + 1];
		size_t len = strcspn(cipher_path, "/");
		int next;

		if (len) {
			snprintf(lower, sizeof(lower), "%.*s", (int)len, cipher_path);
			decrypt_name(b, fd, lower, plain);
			if (append(&out, plain) != ERR_OK) {
				free(out);
				out = NULL;
			}
			next = fd >= 0 ? openat(fd, lower, OPEN_DIRECTORY) : -1;
			if (fd >= 0)
				close(fd);
			fd = next;
		}
		cipher_path += len + (cipher_path[len] == '/');
	}
	if (fd >= 0)
		close(fd);
	return out;
}
