/* The table of states and calls, cell by cell, as KMS documents it. */
#include "tests/lib/unit.h"

#include "keymgr/core/key_state.h"

#define DISABLED ERR_KEY_DISABLED
#define INVALID ERR_KEY_STATE
#define UNSUPPORTED ERR_OPERATION
#define GONE ERR_KEY_NOT_FOUND

struct row {
	enum key_call call;
	enum err disabled, pending_deletion, pending_import;	/* Enabled allows all but cancelling */
};

static const struct row rows[] = {
	{ CALL_ENCRYPT, DISABLED, INVALID, INVALID },
	{ CALL_DECRYPT, DISABLED, INVALID, INVALID },
	{ CALL_MIGRATE, DISABLED, ERR_OK, INVALID },
	{ CALL_ENABLE, ERR_OK, INVALID, INVALID },
	{ CALL_DISABLE, ERR_OK, INVALID, INVALID },
	{ CALL_ENABLE_ROTATION, DISABLED, INVALID, UNSUPPORTED },
	{ CALL_DISABLE_ROTATION, DISABLED, INVALID, UNSUPPORTED },
	{ CALL_ROTATE, DISABLED, INVALID, UNSUPPORTED },
	{ CALL_DESTROY_MATERIAL, ERR_OK, INVALID, UNSUPPORTED },
	{ CALL_SCHEDULE_DELETION, ERR_OK, INVALID, ERR_OK },
	{ CALL_CANCEL_DELETION, INVALID, ERR_OK, INVALID },
	{ CALL_DESTROY, INVALID, ERR_OK, INVALID },
	{ CALL_DESCRIBE, ERR_OK, ERR_OK, ERR_OK },
	{ CALL_UPDATE_DESCRIPTION, ERR_OK, INVALID, ERR_OK },
	{ CALL_ALIAS_TO, ERR_OK, INVALID, ERR_OK },
	{ CALL_ALIAS_FROM, ERR_OK, ERR_OK, ERR_OK },
	{ CALL_REFUSE_ENCRYPT, ERR_OK, ERR_OK, ERR_OK },
};

static void every_call_has_a_row(void **state)
{
	assert_int_equal(sizeof(rows) / sizeof(rows[0]), CALL_COUNT);
	for (int i = 0; i < CALL_COUNT; i++)
		assert_int_equal(rows[i].call, i);
}

static void every_state_and_call(void **state)
{
	for (int i = 0; i < CALL_COUNT; i++) {
		enum key_call call = rows[i].call;
		int only_pending = call == CALL_CANCEL_DELETION || call == CALL_DESTROY;
		enum err destroyed = call == CALL_DECRYPT || call == CALL_MIGRATE ? ERR_KEY_DESTROYED : GONE;

		assert_err(key_state_check(call, KEY_ENABLED, NULL), only_pending ? INVALID : ERR_OK);
		assert_err(key_state_check(call, KEY_DISABLED, NULL), rows[i].disabled);
		assert_err(key_state_check(call, KEY_PENDING_DELETION, NULL), rows[i].pending_deletion);
		assert_err(key_state_check(call, KEY_PENDING_IMPORT, NULL), rows[i].pending_import);
		assert_err(key_state_check(call, KEY_DESTROYED, NULL), destroyed);
		assert_err(key_state_check(call, KEY_ABSENT, NULL), GONE);
	}
}

static void an_unavailable_key_does_no_cryptography(void **state)
{
	assert_err(key_state_check(CALL_ENCRYPT, KEY_UNAVAILABLE, NULL), ERR_KEY_UNAVAILABLE);
	assert_err(key_state_check(CALL_DECRYPT, KEY_UNAVAILABLE, NULL), ERR_KEY_UNAVAILABLE);
	assert_err(key_state_check(CALL_DESCRIBE, KEY_UNAVAILABLE, NULL), ERR_OK);
}

static enum key_state after(enum key_call call, enum key_state from)
{
	enum key_state next = 0;

	assert_ok(key_state_check(call, from, &next));
	return next;
}

static void transitions(void **state)
{
	assert_int_equal(after(CALL_DISABLE, KEY_ENABLED), KEY_DISABLED);
	assert_int_equal(after(CALL_ENABLE, KEY_DISABLED), KEY_ENABLED);
	assert_int_equal(after(CALL_SCHEDULE_DELETION, KEY_ENABLED), KEY_PENDING_DELETION);
	assert_int_equal(after(CALL_SCHEDULE_DELETION, KEY_DISABLED), KEY_PENDING_DELETION);
	assert_int_equal(after(CALL_CANCEL_DELETION, KEY_PENDING_DELETION), KEY_DISABLED);
	assert_int_equal(after(CALL_DESTROY, KEY_PENDING_DELETION), KEY_DESTROYED);
}

/* What looks, encrypts or renames leaves the state alone. */
static void nothing_else_changes_a_state(void **state)
{
	for (int call = 0; call < CALL_COUNT; call++) {
		if (call == CALL_ENABLE || call == CALL_DISABLE || call == CALL_SCHEDULE_DELETION ||
		    call == CALL_CANCEL_DELETION || call == CALL_DESTROY)
			continue;
		for (enum key_state s = KEY_ENABLED; s <= KEY_ABSENT; s++) {
			enum key_state next = s;

			if (key_state_check((enum key_call)call, s, &next) == ERR_OK)
				assert_int_equal(next, s);
		}
	}
}

static void names_of_states(void **state)
{
	assert_string_equal(key_state_name(KEY_ENABLED), "Enabled");
	assert_string_equal(key_state_name(KEY_PENDING_DELETION), "PendingDeletion");
	assert_string_equal(key_state_name(KEY_PENDING_IMPORT), "PendingImport");
	assert_string_equal(key_state_name(KEY_DESTROYED), "Destroyed");
	assert_string_equal(key_state_name((enum key_state)99), "Unknown");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_call_has_a_row),
	cmocka_unit_test(every_state_and_call),
	cmocka_unit_test(an_unavailable_key_does_no_cryptography),
	cmocka_unit_test(transitions),
	cmocka_unit_test(nothing_else_changes_a_state),
	cmocka_unit_test(names_of_states),
};

UNIT_MAIN(tests)
