/*
 * The audit log, `keystore.events`: JSON lines in CloudTrail's fields, each with the hash of
 * the line before and a MAC under a key of the root key.  A change writes an intent line
 * before and an outcome line after; what only looks or decrypts writes one line.
 *
 * The mutex and the exclusive lock of the keystore are held while a line is appended.
 */
#ifndef REKEYFS_KEYMGR_CORE_AUDIT_LOG_H
#define REKEYFS_KEYMGR_CORE_AUDIT_LOG_H

#include <jansson.h>
#include "keymgr/keymgr.h"

#define AUDIT_LINE_MAX (128u << 10)
#define AUDIT_HASH_LEN 32
#define AUDIT_MAC_LEN 32

struct audit_log {
	int fd;			/* -1: could not be opened for appending */
	int known;		/* the rest is valid for a file of `size` bytes */
	int warned;
	uint64_t size, sequence;	/* of the last line; 0: none yet */
	uint8_t hash[AUDIT_HASH_LEN];
};

enum audit_phase { AUDIT_SINGLE, AUDIT_INTENT, AUDIT_OUTCOME };

struct audit_event {
	const char *name;	/* "EnableKey" */
	json_t *request;	/* borrowed; NULL: none */
	const uint8_t *key_id;	/* the resource; NULL: none */
	enum audit_phase phase;
	enum err error;
	const char *error_text;	/* in place of `error`, from outside; or NULL */
	int read_only;
};

void audit_open(struct keymgr *k);
void audit_close(struct keymgr *k);
/* Appends a line; `durable`: and syncs it.  An error means that nobody may rely on the line. */
enum err audit_append(struct keymgr *k, const struct audit_event *event, int durable);

/* A line as it stands in the file, without the newline. */
struct audit_line {
	const char *text;
	size_t len;
	uint64_t sequence;
	uint32_t epoch;
	uint8_t previous[AUDIT_HASH_LEN], mac[AUDIT_MAC_LEN];
};
/* ERR_FORMAT. */
enum err audit_line_parse(const char *text, size_t len, struct audit_line *out);
/* The hash that the next line carries. */
void audit_line_hash(const struct audit_line *line, uint8_t out[static AUDIT_HASH_LEN]);
/* ERR_NOT_AUTHENTIC where the MAC under `mac_key` does not match. */
enum err audit_line_verify(const struct audit_line *line, const uint8_t mac_key[static 32]);
/* malloc'd text (NUL behind it) of a line with its MAC.  ERR_NO_MEMORY, ERR_LIMIT. */
enum err audit_line_make(json_t *fields, const uint8_t mac_key[static 32], char **out, size_t *len_out);

#endif
