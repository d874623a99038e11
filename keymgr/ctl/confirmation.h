/* A name or id typed once more, before what cannot be taken back; and yes or no. */
#ifndef REKEYFS_KEYMGR_CTL_CONFIRMATION_H
#define REKEYFS_KEYMGR_CTL_CONFIRMATION_H

#include "base/error.h"

/* `given` (--confirm) or what a person types must be `wanted`.  ERR_USAGE where nobody can be asked,
 * ERR_CANCELLED where something else was typed. */
enum err confirmation_take(const char *given, const char *wanted, const char *what);

#endif
