/* Asking a person for a passphrase, without echo. */
#ifndef REKEYFS_KEYMGR_PROTECTORS_TERMINAL_H
#define REKEYFS_KEYMGR_PROTECTORS_TERMINAL_H

#include "base/error.h"
#include "base/secret.h"

/* On /dev/tty.  With `confirm`: twice, until both are alike (three times at most).
 * ERR_LOCKED without a terminal, ERR_CANCELLED, ERR_INVALID for an empty one. */
enum err terminal_ask(const char *prompt, int confirm, struct secret **out);

#endif
