#include "fs/mount/control.h"

const struct control_verb control_verbs[] = {
	{ "status", control_status, 0 },
	{ "watch", control_watch, 0 },
	{ "unmount", control_unmount, 0 },
	{ "checkpoint", control_checkpoint, 1 },
	{ NULL, NULL, 0 }
};
