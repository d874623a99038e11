/* The walker as a part of a mount (hooks.h), and what handlers of the control socket need to reach it. */
#ifndef REKEYFS_FS_MOUNT_WALKER_HOOKS_H
#define REKEYFS_FS_MOUNT_WALKER_HOOKS_H

#include "fs/check/location.h"
#include "fs/mount/control.h"
#include "fs/mount/hooks.h"
#include "fs/walker/walker.h"

extern const struct mount_hooks walker_hooks;

/* ERR_REFUSED in a read-only mount. */
enum err walker_of_call(struct control_call *call, struct walker **out);
/* The request's "Path": base64 of the plain path from the mount's root, since a name need not be UTF-8.  malloc'd. */
enum err path_of_call(struct control_call *call, char **out);
/* The same, found in the bucket.  Release in any case. */
enum err location_of_call(struct control_call *call, struct location *out);
/* A member that may be absent: NULL then. */
const char *text_of_call(struct control_call *call, const char *member);

enum err control_info(struct control_call *call);		/* {"Path"} -> "Info" */
enum err control_inventory(struct control_call *call);		/* {"Path", "Key"?, "NotCurrent"?} -> "Inventory" */
enum err control_scan(struct control_call *call);		/* {"KeyId", "KeyMaterialId"?} -> "Scan"; reported to the key manager as well */
enum err control_policy_get(struct control_call *call);		/* {"Path"} -> "Policy" */
enum err control_policy_set(struct control_call *call);		/* {"Path", "Key"?, "Enforce"?, "OnRename"?, "AfterRotation"?} -> "Policy", "Warning"? */
enum err control_policy_unset(struct control_call *call);	/* {"Path"} */
enum err control_migrate_start(struct control_call *call);	/* {"Path", "From"?, "To"?, "Mode", "Bandwidth", "Report", "DryRun"} -> "JobId", or "Files", "Bytes" */
enum err control_migrate_list(struct control_call *call);	/* -> "Jobs" */
enum err control_migrate_status(struct control_call *call);	/* {"JobId"} -> "Job" */
enum err control_migrate_pause(struct control_call *call);	/* {"JobId"} */
enum err control_migrate_resume(struct control_call *call);
enum err control_migrate_cancel(struct control_call *call);
enum err control_migrate_report(struct control_call *call);	/* {"JobId", "Offset"} -> "Rows", "Next" */

#endif
