/*
 * Answers on standard output, as `aws` prints them: JSON (4 spaces, members in their order),
 * a table, or tab-separated text.  An empty answer prints nothing.
 */
#ifndef REKEYFS_KEYMGR_CTL_OUTPUT_H
#define REKEYFS_KEYMGR_CTL_OUTPUT_H

#include <jansson.h>
#include <stdio.h>
#include "base/error.h"

enum output_format { OUTPUT_JSON, OUTPUT_TABLE, OUTPUT_TEXT };

/* ERR_USAGE for a word that is none of json, table, text. */
enum err output_parse(const char *word, enum output_format *out);

/* `title` heads a table.  Errors of writing are left in the stream. */
void output_print(FILE *to, enum output_format format, const char *title, const json_t *value);

/* The parts of it (table.c, text.c).  `width`: of the terminal. */
void output_table(FILE *to, const char *title, const json_t *value, size_t width);
void output_text(FILE *to, const json_t *value);

/* A scalar as a word ("True", "12"), malloc'd; wiped by the caller, for it may be a key. */
char *output_scalar(const json_t *value);
/* Names of an object's members (`scalars`: those with scalar values, or all others), sorted; malloc'd array. */
const char **output_names(const json_t *object, int scalars, size_t *count_out);

#endif
