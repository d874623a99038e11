#include "keymgr/core/key_state.h"

#include <assert.h>

#define STATE_COUNT (KEY_ABSENT + 1)

struct rule {
	enum err error;
	enum key_state next;	/* 0: the state stays */
};

#define OK { ERR_OK, 0 }
#define TO(state) { ERR_OK, (state) }
#define NO(error) { (error), 0 }
#define DISABLED NO(ERR_KEY_DISABLED)
#define WRONG NO(ERR_KEY_STATE)
#define UNSUPPORTED NO(ERR_OPERATION)
#define AWAY NO(ERR_KEY_UNAVAILABLE)
#define GONE NO(ERR_KEY_NOT_FOUND)
#define DESTROYED NO(ERR_KEY_DESTROYED)

/* Columns: Enabled, Disabled, PendingDeletion, PendingImport, Unavailable, Destroyed, Absent. */
static const struct rule rules[CALL_COUNT][STATE_COUNT - 1] = {
	[CALL_ENCRYPT]		  = { OK, DISABLED, WRONG, WRONG, AWAY, GONE, GONE },
	[CALL_DECRYPT]		  = { OK, DISABLED, WRONG, WRONG, AWAY, DESTROYED, GONE },
	[CALL_MIGRATE]		  = { OK, DISABLED, OK, WRONG, AWAY, DESTROYED, GONE },
	[CALL_ENABLE]		  = { OK, TO(KEY_ENABLED), WRONG, WRONG, WRONG, GONE, GONE },
	[CALL_DISABLE]		  = { TO(KEY_DISABLED), OK, WRONG, WRONG, WRONG, GONE, GONE },
	[CALL_ENABLE_ROTATION]	  = { OK, DISABLED, WRONG, UNSUPPORTED, WRONG, GONE, GONE },
	[CALL_DISABLE_ROTATION]	  = { OK, DISABLED, WRONG, UNSUPPORTED, WRONG, GONE, GONE },
	[CALL_ROTATE]		  = { OK, DISABLED, WRONG, UNSUPPORTED, WRONG, GONE, GONE },
	[CALL_DESTROY_MATERIAL]	  = { OK, OK, WRONG, UNSUPPORTED, WRONG, GONE, GONE },
	[CALL_SCHEDULE_DELETION]  = { TO(KEY_PENDING_DELETION), TO(KEY_PENDING_DELETION), WRONG,
				      TO(KEY_PENDING_DELETION), TO(KEY_PENDING_DELETION), GONE, GONE },
	[CALL_CANCEL_DELETION]	  = { WRONG, WRONG, TO(KEY_DISABLED), WRONG, WRONG, GONE, GONE },
	[CALL_DESTROY]		  = { WRONG, WRONG, TO(KEY_DESTROYED), WRONG, WRONG, GONE, GONE },
	[CALL_DESCRIBE]		  = { OK, OK, OK, OK, OK, GONE, GONE },
	[CALL_UPDATE_DESCRIPTION] = { OK, OK, WRONG, OK, OK, GONE, GONE },
	[CALL_ALIAS_TO]		  = { OK, OK, WRONG, OK, OK, GONE, GONE },
	[CALL_ALIAS_FROM]	  = { OK, OK, OK, OK, OK, GONE, GONE },
	[CALL_REFUSE_ENCRYPT]	  = { OK, OK, OK, OK, OK, GONE, GONE },
};

static const char *const names[STATE_COUNT] = {
	[KEY_ENABLED] = "Enabled", [KEY_DISABLED] = "Disabled", [KEY_PENDING_DELETION] = "PendingDeletion",
	[KEY_PENDING_IMPORT] = "PendingImport", [KEY_UNAVAILABLE] = "Unavailable",
	[KEY_DESTROYED] = "Destroyed", [KEY_ABSENT] = "Absent",
};

const char *key_state_name(enum key_state s)
{
	return s >= KEY_ENABLED && s <= KEY_ABSENT ? names[s] : "Unknown";
}

enum err key_state_check(enum key_call call, enum key_state state, enum key_state *next_out)
{
	const struct rule *rule;

	assert(call < CALL_COUNT && state >= KEY_ENABLED && state <= KEY_ABSENT);
	rule = &rules[call][state - 1];
	if (next_out)
		*next_out = rule->next ? rule->next : state;
	return rule->error;
}
