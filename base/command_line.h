/*
 * Command lines: a program is a table of verbs, a verb a table of options.
 * --help of each is made from the tables.  GNU getopt_long does the parsing:
 * options and operands may be mixed, "--" ends options.
 */
#ifndef REKEYFS_BASE_COMMAND_LINE_H
#define REKEYFS_BASE_COMMAND_LINE_H

#include <stddef.h>
#include "base/error.h"

struct option_row {
	const char *name;	/* long name without dashes; NULL ends the table */
	char letter;		/* short name, or 0 */
	const char *argument;	/* its placeholder in --help ("KEY"), or NULL for a flag */
	const char *help;	/* one line */
	const char **value;	/* receives the argument (into argv; the last one wins), or NULL */
	int *flag;		/* set to 1 when seen, or NULL */
	/* Repeatable options: receives each argument in turn, or NULL. */
	enum err (*each)(const char *argument);
};

struct verb {
	const char *name;	/* NULL ends the table */
	const char *arguments;	/* "BUCKET MOUNTPOINT" */
	const char *summary;	/* one line */
	int (*run)(int argc, char **argv);	/* argv[0] is the verb; returns the exit code */
	int hidden;
};

/* Parse argv by `options`; operands land in operands_out (a NULL-ended view into argv) and
 * count_out.  "--help" prints and exits 0.  ERR_USAGE with a sentence otherwise. */
enum err command_line_parse(const char *program, const struct verb *verb, const struct option_row *options,
			    int argc, char **argv, char ***operands_out, int *count_out);

/* Options that stand before the verb ("--keystore K list-keys"): applies them and steps argc and
 * argv behind them, so that argv[0] is the program's name again.  --help and --version are left
 * for command_line_run.  ERR_USAGE with a sentence. */
enum err command_line_leading(const char *program, const struct option_row *options, int *argc, char ***argv);

/* Dispatch argv[1] to a verb; prints the list of verbs for --help or a wrong one (exit 2). */
int command_line_run(const char *program, const char *about, const struct verb *verbs, int argc, char **argv);

/* "PROGRAM: message of e" to standard error; returns err_exit_code(e). */
int command_line_fail(const char *program, enum err e);

#endif
