/*
 * A migration job and its life, with the states of S3 Batch Operations.
 *
 * Each lies in `rekeyfs.jobs/ID.job`: 64 hex digits of a MAC (KDF(names key, "job", a = bucket id, b = job id)), a newline, one JSON object.
 * It is replaced atomically.  No plain name is in it: the scope is a directory's (or file's) id, and its cipher path as a hint
 * where to look first.  `ID.report`, where a report was asked for, has a line a file: cipher path, status, bytes, error, with tabs between.
 */
#ifndef REKEYFS_FS_WALKER_JOB_H
#define REKEYFS_FS_WALKER_JOB_H

#include <jansson.h>
#include <stdint.h>
#include "base/error.h"
#include "base/uuid.h"
#include "fs/bucket/bucket.h"
#include "fs/content/content.h"
#include "keymgr/keymgr.h"

#define JOB_ID_LEN UUID_TEXT_LEN
#define JOBS_DIRECTORY "rekeyfs.jobs"
#define JOB_FILE_MAX (256u << 10)
#define JOB_FAILURES_KEPT 100
#define JOB_TEXT_MAX 512
#define JOB_PATH_MAX 4096

enum job_status { JOB_NEW, JOB_PREPARING, JOB_READY, JOB_ACTIVE, JOB_PAUSED, JOB_COMPLETE, JOB_FAILED, JOB_CANCELLED };
enum job_kind {
	JOB_MANUAL,		/* a person asked */
	JOB_DELETION,		/* its key is pending deletion */
	JOB_ROTATION,		/* after_rotation of a policy */
	JOB_DRIFT,		/* on_rename of a policy */
};
enum job_reason {
	JOB_NO_REASON,
	JOB_BY_PERSON,		/* paused or cancelled by a person */
	JOB_NOWHERE,		/* a policy names a key that cannot encrypt: `reason_path` is its directory */
	JOB_UNREADABLE,		/* files could not be moved */
	JOB_NOT_PENDING,	/* the key's deletion was cancelled */
	JOB_GONE,		/* the scope is no longer there */
	JOB_ERROR,		/* `reason_text` */
};

struct job_failure { char *path; char *error; };	/* cipher path */

struct job {
	uint8_t id[UUID_LEN];
	enum job_kind kind;
	enum job_status status;
	enum job_reason reason;
	char reason_path[JOB_PATH_MAX], reason_text[JOB_TEXT_MAX];
	int scope_is_file;
	uint8_t scope_id[UUID_LEN];		/* of the directory's or the file's header */
	char scope_path[JOB_PATH_MAX];		/* cipher path, a hint; "" is the root */
	int has_from, has_from_material;
	struct key_ref from;
	char to[POLICY_KEY_MAX + 1];		/* "": what each file's policy names */
	uint8_t rotated_to[MATERIAL_ID_LEN];	/* JOB_ROTATION: the material that was current */
	enum migrate_mode mode;
	uint64_t bandwidth;			/* bytes a second, 0: no limit */
	int report;
	uint64_t files, files_total, bytes, bytes_total;
	uint64_t failed;			/* files of the last pass that could not be moved */
	struct job_failure failures[JOB_FAILURES_KEPT];
	unsigned failure_count;
	int64_t created, started, ended;
};

const char *job_status_name(enum job_status s);		/* "New", "Preparing", … */
const char *job_kind_name(enum job_kind k);		/* "manual", "deletion", "rotation", "drift" */
const char *job_mode_name(enum migrate_mode m);		/* "reencrypt", "rewrap" */
enum err job_mode_parse(const char *text, enum migrate_mode *out);
/* 1 in Complete, Failed and Cancelled. */
int job_is_over(const struct job *j);
/* The life cycle's table decides: ERR_REFUSED with a sentence.  Sets started and ended too. */
enum err job_move(struct job *j, enum job_status to, enum job_reason reason);

/* Heap objects; NULL is fine. */
struct job *job_new(enum job_kind kind);
void job_free(struct job *j);
enum err job_add_failure(struct job *j, const char *path, const char *error);
void job_clear_failures(struct job *j);

/* The JSON object alone.  print: malloc'd, NULL without memory.  parse: ERR_FORMAT. */
char *job_print(const struct job *j);
enum err job_parse(const char *text, size_t len, struct job **out);
/* Store, load, remove; the directory is made when first needed.  Load: ERR_NOT_AUTHENTIC, ERR_FORMAT. */
enum err job_store(struct bucket *b, const struct job *j);
enum err job_load(struct bucket *b, const char *file, struct job **out);
enum err job_remove(struct bucket *b, const uint8_t id[static UUID_LEN]);
/* Every job file, until `each` returns non-zero; one that cannot be read is logged and left alone.  `each` takes the job. */
enum err job_load_all(struct bucket *b, int (*each)(void *context, struct job *j), void *context);
/* The open jobs directory, O_PATH; ERR_NOT_FOUND where there is none and `make` is 0.  The caller closes. */
enum err job_directory(struct bucket *b, int make, int *fd_out);

#endif
