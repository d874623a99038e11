#include "base/command_line.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 60
#define LONG_BASE 1000		/* getopt's value of row i is LONG_BASE + i */
#define HELP_COLUMN 30

#ifndef REKEYFS_VERSION
#define REKEYFS_VERSION "unknown"
#endif

struct parser {
	const char *program;	/* for messages: "rekeyfs mount" */
	const struct option_row *rows;
	struct option long_options[OPTIONS_MAX + 2];
	char letters[2 * OPTIONS_MAX + 8];
};

static int count_rows(const struct option_row *rows)
{
	int count = 0;

	while (rows && rows[count].name)
		count++;
	return count;
}

/* `order`: "" to mix options and operands, "+" to stop at the first operand. */
static enum err build(struct parser *p, const char *order)
{
	int count = count_rows(p->rows);
	char *letter = p->letters;

	if (count > OPTIONS_MAX)
		return ERR_INTERNAL;
	letter += sprintf(letter, "%s:h", order);
	for (int i = 0; i < count; i++) {
		const struct option_row *row = &p->rows[i];

		p->long_options[i] = (struct option){ row->name, row->argument ? required_argument : no_argument,
						      NULL, LONG_BASE + i };
		if (row->letter) {
			*letter++ = row->letter;
			if (row->argument)
				*letter++ = ':';
		}
	}
	*letter = 0;
	p->long_options[count] = (struct option){ "help", no_argument, NULL, LONG_BASE + count };
	return ERR_OK;
}

static const struct option_row *row_of(const struct parser *p, int value)
{
	if (value >= LONG_BASE)
		return &p->rows[value - LONG_BASE];
	for (const struct option_row *row = p->rows; row && row->name; row++)
		if (row->letter == value)
			return row;
	return NULL;
}

static int is_help(const struct parser *p, int value)
{
	return value == LONG_BASE + count_rows(p->rows) || (value == 'h' && !row_of(p, 'h'));
}

static enum err usage(const struct parser *p, const char *what, const char *word)
{
	return err_set(ERR_USAGE, "%s: %s (see %s --help)", word, what, p->program);
}

static enum err complain(const struct parser *p, int value, char **argv)
{
	const char *word = argv[optind - 1];
	char letter[3] = { '-', (char)optopt, 0 };

	if (optopt > 0 && optopt < LONG_BASE)
		word = letter;
	if (value == ':')
		return usage(p, "the option needs an argument", word);
	if (optopt >= LONG_BASE)
		return usage(p, "the option takes no argument", word);
	return usage(p, "no such option", word);
}

static enum err apply(const struct option_row *row, const char *argument)
{
	if (row->flag)
		*row->flag = 1;
	if (row->value)
		*row->value = argument;
	return row->each ? row->each(argument) : ERR_OK;
}

static void print_rows(const struct option_row *rows)
{
	for (; rows && rows->name; rows++) {
		char left[128];

		snprintf(left, sizeof(left), "%c%c%c --%s%s%s", rows->letter ? '-' : ' ',
			 rows->letter ? rows->letter : ' ', rows->letter ? ',' : ' ', rows->name,
			 rows->argument ? " " : "", rows->argument ? rows->argument : "");
		if (strlen(left) > HELP_COLUMN - 2)
			printf("  %s\n  %*s%s\n", left, HELP_COLUMN, "", rows->help);
		else
			printf("  %-*s%s\n", HELP_COLUMN, left, rows->help);
	}
	printf("  %-*s%s\n", HELP_COLUMN, "    --help", "print this and end");
}

static _Noreturn void print_verb_help(const struct parser *p, const struct verb *verb)
{
	const char *arguments = verb->arguments ? verb->arguments : "";

	printf("Usage: %s [OPTION…]%s%s\n%s\n\nOptions:\n", p->program, *arguments ? " " : "", arguments,
	       verb->summary);
	print_rows(p->rows);
	exit(fflush(stdout) == 0 ? 0 : 1);
}

enum err command_line_parse(const char *program, const struct verb *verb, const struct option_row *options,
			    int argc, char **argv, char ***operands_out, int *count_out)
{
	char name[128];
	struct parser p = { .program = name, .rows = options };
	enum err e = build(&p, "");
	int value;

	snprintf(name, sizeof(name), "%s %s", program, verb->name);
	opterr = 0;
	optind = 0;
	while (e == ERR_OK && (value = getopt_long(argc, argv, p.letters, p.long_options, NULL)) != -1) {
		if (value == '?' || value == ':')
			e = complain(&p, value, argv);
		else if (is_help(&p, value))
			print_verb_help(&p, verb);
		else
			e = apply(row_of(&p, value), optarg);
	}
	if (e == ERR_OK) {
		*operands_out = argv + optind;
		*count_out = argc - optind;
	}
	return e;
}

enum err command_line_leading(const char *program, const struct option_row *options, int *argc, char ***argv)
{
	struct parser p = { .program = program, .rows = options };
	enum err e = build(&p, "+");
	char **all = *argv, *name = all[0];
	int value, used = 1;

	opterr = 0;
	optind = 0;
	while (e == ERR_OK && used < *argc && strcmp(all[used], "--version") != 0 &&
	       (value = getopt_long(*argc, all, p.letters, p.long_options, NULL)) != -1) {
		if (value == '?' || value == ':')
			e = complain(&p, value, all);
		else if (is_help(&p, value))
			break;
		else
			e = apply(row_of(&p, value), optarg);
		used = optind;
	}
	if (e != ERR_OK)
		return e;
	*argv += used - 1;
	*argc -= used - 1;
	(*argv)[0] = name;
	return ERR_OK;
}

static void print_verbs(FILE *to, const char *program, const char *about, const struct verb *verbs)
{
	fprintf(to, "Usage: %s VERB [OPTION…] [ARGUMENT…]\n%s\n\nVerbs:\n", program, about);
	for (const struct verb *verb = verbs; verb->name; verb++)
		if (!verb->hidden)
			fprintf(to, "  %-*s %s\n", HELP_COLUMN - 1, verb->name, verb->summary);
	fprintf(to, "\n`%s VERB --help` lists a verb's options.\n", program);
}

int command_line_run(const char *program, const char *about, const struct verb *verbs, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	if (name && (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)) {
		print_verbs(stdout, program, about, verbs);
		return 0;
	}
	if (name && strcmp(name, "--version") == 0) {
		printf("%s %s\n", program, REKEYFS_VERSION);
		return 0;
	}
	for (const struct verb *verb = verbs; name && verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb->run(argc - 1, argv + 1);
	if (name)
		fprintf(stderr, "%s: no verb \"%s\"\n", program, name);
	print_verbs(stderr, program, about, verbs);
	return err_exit_code(ERR_USAGE);
}

int command_line_fail(const char *program, enum err e)
{
	fprintf(stderr, "%s: %s\n", program, err_message(e));
	return err_exit_code(e);
}
