/*
 * What jansson does not have: JSON to a stream in aws's shape (4 spaces, "key": value),
 * strict typed getters that say what is missing, base64 members.
 */
#ifndef REKEYFS_BASE_JSON_H
#define REKEYFS_BASE_JSON_H

#include <jansson.h>
#include <stdio.h>
#include "base/error.h"

/* Print `value` and a newline, indented by 4, keys in the order in which they were set. */
void json_print(FILE *to, const json_t *value);
/* Parse `len` bytes; duplicate keys, NULs and trailing bytes are errors (ERR_FORMAT). */
enum err json_parse(const char *text, size_t len, json_t **out);
/* Typed members of an object.  ERR_NOT_FOUND where absent, ERR_FORMAT where of another type. */
enum err json_get_string(const json_t *object, const char *key, const char **out);
enum err json_get_integer(const json_t *object, const char *key, long long *out);
enum err json_get_bool(const json_t *object, const char *key, int *out);
/* Standard base64 text of bytes as a new JSON string; NULL without memory. */
json_t *json_base64(const void *bytes, size_t len);

#endif
