/*
 * The operations of KMS, as JSON in and out: what rekeyctl calls and what a service
 * answers.  Members, their order, limits and errors are those of kms-2014-11-01;
 * dates are numbers (seconds since 1970), blobs standard base64, as on the wire.
 */
#ifndef REKEYFS_KEYMGR_API_OPERATIONS_H
#define REKEYFS_KEYMGR_API_OPERATIONS_H

#include <jansson.h>
#include "base/error.h"
#include "keymgr/keymgr.h"

/* Do `operation` ("GenerateDataKey").  `in` is an object (NULL: an empty one) and stays the caller's.
 * `*out_json` is a new object, or NULL where the operation answers nothing.
 * Errors: those of request_check(), ERR_UNKNOWN_OPERATION, ERR_DRY_RUN, and keymgr.h's.  Any thread. */
enum err api_call(struct keymgr *k, const char *operation, const json_t *in, json_t **out_json);

/* What api_call() checks before it does anything: the operation and the members of `in`. */
enum err api_check(const char *operation, const json_t *in);

/* The member of the answer that holds an operation's pages ("Keys"), NULL where it has none. */
const char *api_pages(const char *operation);

#endif
