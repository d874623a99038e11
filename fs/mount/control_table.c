#include "fs/mount/control.h"
#include "fs/mount/walker_hooks.h"

const struct control_verb control_verbs[] = {
	{ "status", control_status, 0 },
	{ "watch", control_watch, 0 },
	{ "unmount", control_unmount, 0 },
	{ "checkpoint", control_checkpoint, 1 },
	{ "info", control_info, 0 },
	{ "inventory", control_inventory, 0 },
	{ "scan", control_scan, 1 },
	{ "policy-get", control_policy_get, 0 },
	{ "policy-set", control_policy_set, 1 },
	{ "policy-unset", control_policy_unset, 1 },
	{ "migrate-start", control_migrate_start, 1 },
	{ "migrate-list", control_migrate_list, 1 },
	{ "migrate-status", control_migrate_status, 1 },
	{ "migrate-pause", control_migrate_pause, 1 },
	{ "migrate-resume", control_migrate_resume, 1 },
	{ "migrate-cancel", control_migrate_cancel, 1 },
	{ "migrate-report", control_migrate_report, 1 },
	{ NULL, NULL, 0 }
};
