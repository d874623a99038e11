#include <stdlib.h>
#include "base/command_line.h"
#include "keymgr/api/kms_error.h"
#include "keymgr/api/shapes.h"
#include "keymgr/ctl/verb.h"

struct global global;

enum err global_open(int no_due, struct keymgr **out)
{
	static const struct unlock by_itself = { .no_prompt = 1 };
	enum err e = ERR_LOCKED;

	if (global.configured_secret)
		e = keymgr_open(global.keystore, &by_itself, no_due, out);
	if (e == ERR_LOCKED)
		e = keymgr_open(global.keystore, &global.unlock, no_due, out);
	if (e == ERR_NOT_FOUND && err_message(e) == err_text(e))
		e = err_set(e, "there is no keystore %s", global.keystore);
	return e;
}

int answer_print(const char *title, json_t *answer)
{
	enum err e = answer ? shape_dates(answer) : ERR_OK;

	if (e == ERR_OK)
		output_print(stdout, global.output, title, answer);
	json_decref(answer);
	if (fflush(stdout) != 0)
		e = err_set_errno("cannot write to standard output");
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}

int verb_fail(enum err e, const char *operation)
{
	const char *name = operation ? kms_error_name(e) : NULL;

	if (!name)
		return command_line_fail(PROGRAM, e);
	fprintf(stderr, "An error occurred (%s) when calling the %s operation: %s\n", name, operation, err_message(e));
	return EXIT_KMS_ERROR;
}
