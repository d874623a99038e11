/*
 * Names of directory entries.  One names key a bucket; a directory's subkeys come from it and the directory's id.
 *
 *   padded = name, zeros up to a multiple of 16
 *   SIV    = keyed BLAKE2b-192(KDF(names key, "name-siv", b = directory id), length u16 LE | padded)
 *   cipher = XChaCha20(KDF(names key, "name", b = directory id), nonce = SIV) over padded
 *   lower  = base64url(SIV | cipher)
 *
 * Names over 160 bytes are long: the lower name is base64url of 32 bytes of keyed BLAKE2b(KDF(…, "long-name")) of that text (43
 * characters), and `<it>.name`, a symlink beside it, has the text; it is made first and removed last.  Lower names
 * that begin `rekeyfs.` are reserved; plaintext names never are.
 */
#ifndef REKEYFS_FS_NAMES_NAMES_H
#define REKEYFS_FS_NAMES_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/uuid.h"

#define NAME_PLAIN_MAX 255
#define NAME_LONG_OVER 160
#define NAME_LOWER_MAX 255
#define NAME_TEXT_MAX 374		/* base64url of 24 + 256 bytes */
#define NAME_HASH_TEXT 43		/* lower name of a long one; short ones have at least 54 characters */
#define NAME_SUFFIX ".name"

/* The subkeys of one directory; cheap to make (three KDFs); wiped with names_key_wipe. */
struct names_key { uint8_t siv[32], cipher[32], hash[32]; };
void names_key_make(const uint8_t names_key[static 32], const uint8_t dir_id[static UUID_LEN], struct names_key *out);
void names_key_wipe(struct names_key *k);

struct lower_name {
	char name[NAME_LOWER_MAX + 1];	/* what the directory entry is called */
	int is_long;
	char text[NAME_TEXT_MAX + 1];	/* long names: the target of `<name>.name` */
};

/* ERR_TOO_LONG over 255 bytes; ERR_INVALID for "", ".", "..", or a '/' or NUL inside. */
enum err names_encrypt(const struct names_key *k, const char *plain, size_t len, struct lower_name *out);
/* A short lower name, or the text of a long one.  ERR_NOT_AUTHENTIC for anything not made by names_encrypt in this
 * directory: SIV, padding, '/', NUL, "." and ".." are checked. */
enum err names_decrypt(const struct names_key *k, const char *lower, size_t len, char plain_out[static NAME_PLAIN_MAX + 1], size_t *len_out);
/* For a long one: that `lower` is the hash of `text`. */
int names_long_matches(const struct names_key *k, const char *lower, const char *text);
/* 1 where a lower name is a long one's hash, by its form alone: `<it>.name` has the text. */
int names_is_long(const char *lower);

/* 1 for `rekeyfs.*`, "lost+found", "." and ".." (never shown), 2 for `….name` of a long name (skipped in listings), 0 otherwise. */
int names_is_reserved(const char *lower);

/* The header of a directory: symlink `rekeyfs.dir` whose target is base64url(directory id 16 | MAC 16), 43 characters.
 * MAC = keyed BLAKE2b-128 over the directory id under KDF(names key, "directory", a = bucket id). */
#define DIR_HEADER_NAME "rekeyfs.dir"
#define DIR_HEADER_TEXT 43
void dir_header_make(const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN], const uint8_t dir_id[static UUID_LEN],
		     char out[static DIR_HEADER_TEXT + 1]);
/* ERR_NOT_AUTHENTIC, ERR_FORMAT. */
enum err dir_header_check(const uint8_t names_key[static 32], const uint8_t bucket_id[static UUID_LEN], const char *text, size_t len,
			  uint8_t dir_id_out[static UUID_LEN]);
/* Without a key: only the id (keyless tools). */
enum err dir_header_id(const char *text, size_t len, uint8_t dir_id_out[static UUID_LEN]);
/* Read it from an open directory (O_PATH will do): readlinkat, or the regular file of that name on filesystems without symlinks. */
enum err dir_header_read(int dir_fd, char *text_out /* DIR_HEADER_TEXT + 1 */, size_t *len_out);
enum err dir_header_write(int dir_fd, const char *text);

#endif
