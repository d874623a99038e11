/*
 * A verb's options as a table: each row says the option, the member of KMS's request that it
 * fills, and how its text becomes JSON.  Rows without a member belong to the verb itself.
 */
#ifndef REKEYFS_KEYMGR_CTL_PARAMETER_H
#define REKEYFS_KEYMGR_CTL_PARAMETER_H

#include <jansson.h>
#include "base/error.h"

enum parameter_type {
	PARAMETER_TEXT = 1,	/* file://PATH takes the file's text */
	PARAMETER_NUMBER,
	PARAMETER_TRUE,		/* a flag */
	PARAMETER_FALSE,	/* "--no-x": a flag too */
	PARAMETER_BLOB,		/* base64, file://PATH (base64 inside), or fileb://PATH (its bytes) */
	PARAMETER_MAP,		/* k=v,k2=v2, JSON, or file://PATH */
};

struct parameter {
	const char *option;	/* without dashes; NULL ends the table */
	const char *member;	/* or NULL */
	enum parameter_type type;
	int required;
	const char *placeholder;	/* NULL for flags */
	const char *help;
};

/* `raw_blobs`: a blob on the command line is its bytes, not base64.  ERR_USAGE, ERR_NOT_FOUND, ERR_LIMIT. */
enum err parameter_json(const struct parameter *p, const char *text, int raw_blobs, json_t **out);

#endif
