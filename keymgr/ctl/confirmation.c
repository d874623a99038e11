#include "keymgr/ctl/confirmation.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum err confirmation_take(const char *given, const char *wanted, const char *what)
{
	char typed[128];

	if (!given) {
		if (!isatty(STDIN_FILENO))
			return err_set(ERR_USAGE, "%s: give --confirm %s", what, wanted);
		fprintf(stderr, "%s\nType %s to go on: ", what, wanted);
		if (!fgets(typed, sizeof(typed), stdin))
			return err_set(ERR_CANCELLED, "nothing was typed: nothing was done");
		typed[strcspn(typed, "\r\n")] = 0;
		given = typed;
	}
	if (strcmp(given, wanted) != 0)
		return err_set(ERR_CANCELLED, "\"%.64s\" is not %s: nothing was done", given, wanted);
	return ERR_OK;
}
