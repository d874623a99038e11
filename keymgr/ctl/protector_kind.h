/* Kinds of protectors as words, and where a new one's secret comes from. */
#ifndef REKEYFS_KEYMGR_CTL_PROTECTOR_KIND_H
#define REKEYFS_KEYMGR_CTL_PROTECTOR_KIND_H

#include "keymgr/ctl/verb.h"

const char *protector_kind_name(enum protector_kind kind);
/* ERR_USAGE for a word that is none of passphrase, keyfile, command, recovery-code. */
enum err protector_kind_parse(const char *word, enum protector_kind *out);

/* Options of verbs that make a protector beside the one that opens the keystore. */
#define NEW_SECRET_PARAMETERS \
	{ "new-keyfile", NULL, PARAMETER_TEXT, 0, "FILE", "the new keyfile; made where absent" }, \
	{ "new-passfile", NULL, PARAMETER_TEXT, 0, "FILE", "its first line is the new passphrase" }, \
	{ "new-extpass", NULL, PARAMETER_TEXT, 0, "COMMAND", "prints the new passphrase" }
struct unlock invocation_new_secret(const struct invocation *i);

#endif
