/*
 * INI files through inih.  Lines over its limit, unknown sections or keys, and
 * values that do not parse are errors that name file and line.
 */
#ifndef REKEYFS_BASE_CONFIG_H
#define REKEYFS_BASE_CONFIG_H

#include <stddef.h>
#include "base/error.h"

/* Called for each `key = value`.  Returns ERR_OK, or an error (err_set with what is wrong;
 * file and line are put before it). */
typedef enum err (*config_fn)(void *context, const char *section, const char *key, const char *value);

/* Parse a file.  ERR_NOT_FOUND where it does not exist (the caller decides whether that matters). */
enum err config_read_file(const char *path, config_fn take, void *context);
/* Parse text; `name` stands for the file in messages. */
enum err config_read_text(const char *name, const char *text, size_t len, config_fn take, void *context);

/* "yes/no, true/false, on/off, 1/0" */
enum err config_bool(const char *value, int *out);
/* "30", "30s", "10m", "2h", "7d": seconds */
enum err config_duration(const char *value, long *seconds_out);
/* "4096", "64K", "10M", "1G" (powers of 1,024) */
enum err config_size(const char *value, unsigned long long *out);

#endif
