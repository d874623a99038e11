/* Migration jobs as people see them: a progress bar, a table, a report in CSV. */
#ifndef REKEYFS_FS_CLI_JOB_DISPLAY_H
#define REKEYFS_FS_CLI_JOB_DISPLAY_H

#include <jansson.h>
#include <stdio.h>
#include "base/error.h"
#include "fs/cli/subject.h"

/* One line on standard error, written over where that is a terminal; nothing elsewhere. */
void job_display_progress(const json_t *job);
/* Ends that line. */
void job_display_progress_end(void);
/* How it ended, in one line. */
void job_display_result(const json_t *job);
void job_display_table(const json_t *jobs);
void job_display_one(const json_t *job);
/* 1 in a state that it does not leave by itself. */
int job_display_is_over(const json_t *job);
/* ERR_OK for Complete; ERR_REFUSED where it waits for a person, ERR_CANCELLED, ERR_ERRNO + EIO where files failed: each with a sentence. */
enum err job_display_error(const json_t *job);

/* Rows of a report as CSV. */
void job_display_report_head(FILE *to);
void job_display_report_rows(FILE *to, const json_t *rows);

#endif
