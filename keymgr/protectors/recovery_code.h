/*
 * Recovery codes: 20 random bytes in Crockford's base 32 with 20 bits of check, as nine
 * groups of four ("8F3K-…").  Typed in any case, with or without hyphens and spaces;
 * O is taken for 0, I and L for 1.
 */
#ifndef REKEYFS_KEYMGR_PROTECTORS_RECOVERY_CODE_H
#define REKEYFS_KEYMGR_PROTECTORS_RECOVERY_CODE_H

#include <stdint.h>
#include "base/error.h"
#include "base/secret.h"
#include "keymgr/keymgr.h"

#define RECOVERY_BYTES 20

/* The text of a code; the caller wipes it. */
void recovery_code_text(const uint8_t bytes[static RECOVERY_BYTES], char out[static RECOVERY_CODE_LEN + 1]);
/* ERR_FORMAT where it is no code, or mistyped. */
enum err recovery_code_parse(const struct secret *text, uint8_t out[static RECOVERY_BYTES]);

#endif
