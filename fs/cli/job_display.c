#include "fs/cli/job_display.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"

#define BAR 30

static int line_shown;

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "-";
}

static unsigned long long number_of(const json_t *o, const char *name)
{
	return (unsigned long long)json_integer_value(json_object_get(o, name));
}

static void bytes_text(unsigned long long bytes, char *out, size_t room)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)bytes;
	unsigned unit = 0;

	for (; value >= 1024 && unit < 5; unit++)
		value /= 1024;
	snprintf(out, room, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void job_display_progress(const json_t *job)
{
	const json_t *p = json_object_get(job, "Progress");
	unsigned long long bytes = number_of(p, "Bytes"), total = number_of(p, "BytesTotal"), files = number_of(p, "Files"),
			   files_total = number_of(p, "FilesTotal");
	double part = total ? (double)bytes / (double)total : files_total ? (double)files / (double)files_total : 0;
	char done[32], all[32], bar[BAR + 1];
	int full = (int)(part * BAR);

	if (!isatty(STDERR_FILENO))
		return;
	if (full > BAR)
		full = BAR;
	memset(bar, '#', (size_t)full);
	memset(bar + full, '.', (size_t)(BAR - full));
	bar[BAR] = 0;
	bytes_text(bytes, done, sizeof(done));
	bytes_text(total, all, sizeof(all));
	fprintf(stderr, "\r\033[K%-9s [%s] %3.0f%%  %llu of %llu files, %s of %s", text_of(job, "Status"), bar, part * 100, files, files_total, done, all);
	fflush(stderr);
	line_shown = 1;
}

void job_display_progress_end(void)
{
	if (line_shown)
		fputc('\n', stderr);
	line_shown = 0;
}

void job_display_result(const json_t *job)
{
	const json_t *p = json_object_get(job, "Progress");
	char bytes[32];

	bytes_text(number_of(p, "Bytes"), bytes, sizeof(bytes));
	printf("Job %s: %s, %llu files, %s", text_of(job, "JobId"), text_of(job, "Status"), number_of(p, "Files"), bytes);
	if (number_of(job, "Failed"))
		printf(", %llu failed", number_of(job, "Failed"));
	printf("\n");
}

void job_display_table(const json_t *jobs)
{
	const json_t *job;
	size_t i;

	printf("%-36s  %-9s %-8s %-9s %10s %10s  %s\n", "JOB", "STATUS", "KIND", "MODE", "FILES", "OF", "PATH");
	json_array_foreach(jobs, i, job) {
		const json_t *p = json_object_get(job, "Progress");

		const char *point = json_string_value(json_object_get(job, "MountPoint"));

		printf("%-36s  %-9s %-8s %-9s %10llu %10llu  %s%s\n", text_of(job, "JobId"), text_of(job, "Status"), text_of(job, "Kind"),
		       text_of(job, "Mode"), number_of(p, "Files"), number_of(p, "FilesTotal"), point ? point : "", text_of(job, "Path"));
		if (json_object_get(job, "Reason"))
			printf("    %s\n", text_of(job, "Reason"));
	}
}

static void print_time(const char *label, const json_t *when)
{
	char text[CLOCK_TEXT_LEN + 1];

	if (!json_is_integer(when))
		return;
	clock_text(json_integer_value(when), text);
	printf("  %-10s %s\n", label, text);
}

void job_display_one(const json_t *job)
{
	const json_t *p = json_object_get(job, "Progress"), *failure;
	const char *to = json_string_value(json_object_get(job, "To"));
	char done[32], all[32];
	size_t i;

	bytes_text(number_of(p, "Bytes"), done, sizeof(done));
	bytes_text(number_of(p, "BytesTotal"), all, sizeof(all));
	printf("Job %s: %s\n", text_of(job, "JobId"), text_of(job, "Status"));
	if (json_object_get(job, "Reason"))
		printf("  %-10s %s\n", "because", text_of(job, "Reason"));
	printf("  %-10s %s, %s\n", "kind", text_of(job, "Kind"), text_of(job, "Mode"));
	printf("  %-10s %s\n", "below", text_of(job, "Path"));
	printf("  %-10s %s\n", "from", json_is_string(json_object_get(job, "From")) ? text_of(job, "From") : "any other key");
	printf("  %-10s %s\n", "to", to ? to : "what the policies name");
	printf("  %-10s %llu of %llu, %s of %s\n", "files", number_of(p, "Files"), number_of(p, "FilesTotal"), done, all);
	print_time("created", json_object_get(job, "CreationTime"));
	print_time("started", json_object_get(job, "StartTime"));
	print_time("ended", json_object_get(job, "TerminationDate"));
	if (number_of(job, "Failed"))
		printf("  %-10s %llu\n", "failed", number_of(job, "Failed"));
	json_array_foreach(json_object_get(job, "Failures"), i, failure)
		printf("    %s: %s\n", text_of(failure, "Path"), text_of(failure, "Error"));
}

int job_display_is_over(const json_t *job)
{
	const char *status = text_of(job, "Status");

	return strcmp(status, "Complete") == 0 || strcmp(status, "Failed") == 0 || strcmp(status, "Cancelled") == 0 || strcmp(status, "Paused") == 0;
}

enum err job_display_error(const json_t *job)
{
	const char *status = text_of(job, "Status"), *reason = text_of(job, "Reason"), *id = text_of(job, "JobId");

	if (strcmp(status, "Complete") == 0)
		return ERR_OK;
	if (strcmp(status, "Paused") == 0)
		return err_set(ERR_REFUSED, "the job waits: %s (`rekeyfs migrate status %s`)", reason, id);
	if (strcmp(status, "Cancelled") == 0)
		return err_set(ERR_CANCELLED, "the job was cancelled");
	return err_set((enum err)(ERR_ERRNO + EIO), "the job failed: %s", reason);
}

static void csv_text(FILE *to, const char *text)
{
	if (!strpbrk(text, ",\"\n\r")) {
		fputs(text, to);
		return;
	}
	fputc('"', to);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', to);
		fputc(*text, to);
	}
	fputc('"', to);
}

void job_display_report_head(FILE *to)
{
	fprintf(to, "Path,TaskStatus,Bytes,Error\n");
}

void job_display_report_rows(FILE *to, const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		const char *path = json_string_value(json_array_get(row, 0)), *status = json_string_value(json_array_get(row, 1));
		const char *error = json_string_value(json_array_get(row, 3));

		csv_text(to, path ? path : "");
		fprintf(to, ",%s,%lld,", status ? status : "", (long long)json_integer_value(json_array_get(row, 2)));
		csv_text(to, error ? error : "");
		fputc('\n', to);
	}
}
