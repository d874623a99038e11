#include <stdio.h>
#include "fs/bucket/bucket.h"
#include "fs/cli/cli.h"

static const struct option_row options[] = {
	KEY_OPTION_ROWS,
	{ NULL, 0, NULL, NULL, NULL, NULL, NULL }
};
static const struct verb verb = { "register", "BUCKET", "Makes a bucket known to the keystore: one that was copied or moved here becomes an instance of its own, "
				  "which no deletion of a key forgets.", verb_register, 0 };

int verb_register(int argc, char **argv)
{
	struct keymgr *k = NULL;
	char **operands;
	int count;
	enum err e = command_line_parse(PROGRAM, &verb, options, argc, argv, &operands, &count);

	if (e == ERR_OK && count != 1)
		e = err_set(ERR_USAGE, "register: one BUCKET, please (see rekeyfs register --help)");
	if (e == ERR_OK)
		e = cli_open_keystore(&k);
	if (e == ERR_OK)
		e = bucket_register(operands[0], k);
	if (e == ERR_OK)
		printf("Registered %s with the keystore %s.\n", operands[0], keymgr_path(k));
	keymgr_close(k);
	return e == ERR_OK ? 0 : command_line_fail(PROGRAM, e);
}
