/* Errors as KMS names them.  Any thread. */
#ifndef REKEYFS_KEYMGR_API_KMS_ERROR_H
#define REKEYFS_KEYMGR_API_KMS_ERROR_H

#include <jansson.h>
#include "base/error.h"

/* "NotFoundException", …; NULL where `e` is no error of a KMS call (a lock, a disk, a bug). */
const char *kms_error_name(enum err e);

/* The error of a name, with or without "com.amazonaws.kms#" before it; ERR_INTERNAL for an unknown one. */
enum err kms_error_parse(const char *name);

/* The body of an answer: {"__type": …, "message": …} with err_message(e).  What has no name of KMS is
 * KMSInternalException, without its sentence.  NULL without memory. */
json_t *kms_error_json(enum err e);

#endif
