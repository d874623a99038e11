/*
 * The members of a request.  An operation has a table of the members that KMS knows for
 * it; request_check() compares a request with it once, before anything is done: unknown
 * members, other types, missing ones, lengths, ranges.  After that the getters below
 * cannot fail but for memory.  A member that is null counts as absent.
 */
#ifndef REKEYFS_KEYMGR_API_REQUEST_H
#define REKEYFS_KEYMGR_API_REQUEST_H

#include <jansson.h>
#include <stddef.h>
#include "base/error.h"
#include "base/secret.h"
#include "keymgr/keymgr.h"

enum field_type {
	FIELD_STRING = 1,	/* min to max characters */
	FIELD_WORD,		/* one of `words` */
	FIELD_INTEGER,		/* min to max */
	FIELD_BOOLEAN,
	FIELD_BLOB,		/* base64 of min to max bytes */
	FIELD_MAP,		/* of strings: an encryption context */
	FIELD_ONLY,		/* the one word of `words` that is supported; others of KMS are not: `other` */
	FIELD_ABSENT,		/* known to KMS, not supported: only null, false, "" and empty ones pass, else `other` */
};

struct field {
	const char *name;	/* NULL ends the table */
	enum field_type type;
	int required;
	long min, max;
	const char *const *words;	/* NULL-ended */
	enum err other;			/* 0: ERR_OPERATION */
};

/* ERR_SERIALIZATION (not an object, another type), ERR_VALIDATION, or what a row says. */
enum err request_check(const json_t *in, const struct field *fields);

/* NULL where absent. */
const char *request_string(const json_t *in, const char *name);
long request_integer(const json_t *in, const char *name, long absent);
int request_boolean(const json_t *in, const char *name);
/* The bytes of a blob; NULL where absent. */
enum err request_blob(const json_t *in, const char *name, struct secret **out);

/* The pairs point into `in`.  context_release() frees the array. */
enum err request_context(const json_t *in, const char *name, struct context *out);
void request_context_release(struct context *c);

/* Rows that many operations have. */
#define FIELD_KEY(member) { .name = (member), .type = FIELD_STRING, .required = 1, .min = 1, .max = 2048 }
#define FIELD_KEY_OPTIONAL(member) { .name = (member), .type = FIELD_STRING, .min = 1, .max = 2048 }
#define FIELD_LIMIT { .name = "Limit", .type = FIELD_INTEGER, .min = 1, .max = 1000 }
#define FIELD_MARKER { .name = "Marker", .type = FIELD_STRING, .min = 1, .max = 1024 }
#define FIELD_GRANT_TOKENS { .name = "GrantTokens", .type = FIELD_ABSENT, .other = ERR_GRANT_TOKEN }
#define FIELD_DRY_RUN { .name = "DryRun", .type = FIELD_BOOLEAN }
#define FIELD_CONTEXT(member) { .name = (member), .type = FIELD_MAP }
#define FIELD_ALGORITHM(member) { .name = (member), .type = FIELD_ONLY, .words = request_symmetric, .other = ERR_KEY_USAGE }
#define FIELD_UNSUPPORTED(member) { .name = (member), .type = FIELD_ABSENT }
extern const char *const request_symmetric[];	/* "SYMMETRIC_DEFAULT" */

#endif
