/* Setting and taking away a directory's policy, with what a person must be told. */
#ifndef REKEYFS_FS_CHECK_POLICY_CHANGE_H
#define REKEYFS_FS_CHECK_POLICY_CHANGE_H

#include <jansson.h>
#include "fs/check/location.h"

/* NULL members: as the directory's own policy has them, else the defaults. */
struct policy_request { const char *key, *enforce, *on_rename, *after_rotation; };

/* The policy is stored when it returns.  `warning_out` (may be NULL): a malloc'd sentence, or NULL, about a key that cannot encrypt now.  ERR_USAGE (no key where there was
 * none, a wrong word), ERR_KEY_NOT_FOUND, ERR_REFUSED (a key that is being retired or was destroyed; a file), ERR_NO_KEY (the root's must encrypt). */
enum err policy_change_set(struct bucket *b, const struct location *at, const struct policy_request *request, char **warning_out);
/* ERR_NOT_FOUND where it has none of its own, ERR_REFUSED for the root's. */
enum err policy_change_unset(struct bucket *b, const struct location *at);
/* {"Key", "KeyId", "KeyState", "Own", "DirectoryId", "OnRename", "Enforce", "AfterRotation"} of what governs it, and "Warning" where its key cannot encrypt. */
json_t *policy_change_show(struct bucket *b, const struct location *at);

#endif
