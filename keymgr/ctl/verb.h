/*
 * A verb of rekeyctl is a row: its options, and either the operation of KMS that it calls
 * (then nothing else is needed) or a function of its own.
 *
 * An invocation holds what the command line gave; the options before and after the verb that
 * all verbs have (--keystore, --output, …) are in `global`.
 */
#ifndef REKEYFS_KEYMGR_CTL_VERB_H
#define REKEYFS_KEYMGR_CTL_VERB_H

#include <jansson.h>
#include "base/error.h"
#include "keymgr/ctl/output.h"
#include "keymgr/ctl/parameter.h"
#include "keymgr/keymgr.h"

#define PROGRAM "rekeyctl"
#define EXIT_KMS_ERROR 254
#define PARAMETERS_MAX 24

struct invocation;

struct ctl_verb {
	const char *name, *summary;
	const struct parameter *parameters;	/* NULL: none */
	const char *operation;			/* of KMS, or NULL */
	/* Returns the exit code.  NULL: call the operation and print its answer. */
	int (*run)(struct invocation *i);
	const char *example;			/* behind "rekeyctl " */
	const char *operands;			/* their placeholder, or NULL */
	/* What else a person is told once the operation was done, or NULL. */
	enum err (*after)(const struct invocation *i, struct keymgr *k);
};

struct invocation {
	const struct ctl_verb *verb;
	const char *values[PARAMETERS_MAX];	/* by the place of the parameter's row */
	int flags[PARAMETERS_MAX];
	char **operands;
	int operand_count;
};

/* The value of an option, NULL where it was not given; whether a flag was. */
const char *invocation_value(const struct invocation *i, const char *option);
int invocation_flag(const struct invocation *i, const char *option);
/* The request of KMS: the members of all parameters that were given. */
enum err invocation_request(const struct invocation *i, json_t **out);
/* Exactly `count` operands, else ERR_USAGE. */
enum err invocation_operands(const struct invocation *i, int count);

/* Options that all verbs have.  Set before a verb runs; constant then. */
struct global {
	const char *keystore;		/* never NULL */
	struct unlock unlock;
	int configured_secret;		/* `unlock` is the configuration's: used where nothing opens the keystore by itself */
	enum output_format output;
	int raw_blobs;
};
extern struct global global;

/* `no_due`: leave due work undone. */
enum err global_open(int no_due, struct keymgr **out);
/* Prints dates as text.  `answer` may be NULL; it is given back.  Returns the exit code. */
int answer_print(const char *title, json_t *answer);

/* The exit code, and the sentence on standard error: as `aws` says it for an operation of KMS (NULL: ours). */
int verb_fail(enum err e, const char *operation);

/* Calls the operation with the request, page after page where neither --limit nor --marker is given, and prints. */
int verb_run_operation(struct invocation *i);

/* Lists of verbs, each ended by a row without a name. */
extern const struct ctl_verb verbs_kms[], verbs_keystore[], verbs_protectors[], verbs_deletion[], verbs_buckets[];

#endif
