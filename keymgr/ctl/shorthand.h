/* Maps of strings as `aws` takes them: "k=v,k2=v2" or a JSON object. */
#ifndef REKEYFS_KEYMGR_CTL_SHORTHAND_H
#define REKEYFS_KEYMGR_CTL_SHORTHAND_H

#include <jansson.h>
#include "base/error.h"

/* A value may stand in quotes ('…' or "…"); a backslash takes the next character as it is.
 * ERR_USAGE with a sentence. */
enum err shorthand_map(const char *text, json_t **out);

#endif
