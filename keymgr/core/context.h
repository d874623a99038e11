/*
 * Encryption contexts in the one form that is bound as associated data: pairs sorted
 * by the bytes of their names, every string with its length.
 *
 *   count u32, then for each pair: name length u32, name, value length u32, value
 */
#ifndef REKEYFS_KEYMGR_CORE_CONTEXT_H
#define REKEYFS_KEYMGR_CORE_CONTEXT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "keymgr/keymgr.h"

#define CONTEXT_MAX 8192	/* bytes of all strings */

/* `head` and the context behind it, malloc'd.  `c` may be NULL: no pairs.
 * ERR_VALIDATION for a name that stands twice, an empty name, or too much. */
enum err context_encode(const struct context *c, const void *head, size_t head_len, uint8_t **out, size_t *len_out);
/* The value of a name, or NULL. */
const char *context_value(const struct context *c, const char *name);
/* As a JSON object, for the audit log; NULL without memory. */
json_t *context_json(const struct context *c);

#endif
