#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OFFSET_MAX (200LL * 366 * DAY_SECONDS)

/* A file caught while it is being rewritten is empty: the last offset read stays. */
static _Atomic int64_t last_offset;

/* Decimal, perhaps a sign before and white space behind. */
static int parse_offset(const char *text, int64_t *out)
{
	char *end;
	long long v;

	if (*text != '-' && *text != '+' && (*text < '0' || *text > '9'))
		return 0;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || end == text || end[strspn(end, " \t\r\n")] || v > OFFSET_MAX || v < -OFFSET_MAX)
		return 0;
	*out = v;
	return 1;
}

int64_t clock_offset(void)
{
	const char *path = secure_getenv("REKEYFS_CLOCK_FILE");
	char text[64] = "";
	int64_t offset;
	struct stat st;
	ssize_t got;
	int fd;

	if (!path || !*path)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? 0 : last_offset;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_uid != getuid() && st.st_uid != 0)) {
		close(fd);
		return 0;
	}
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got > 0 && parse_offset(text, &offset))
		last_offset = offset;
	return last_offset;
}

struct timespec clock_now_exact(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += clock_offset();
	return now;
}

int64_t clock_now(void)
{
	return clock_now_exact().tv_sec;
}

int64_t clock_boot(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec + clock_offset();
}

void clock_text(int64_t when, char out[static CLOCK_TEXT_LEN + 1])
{
	time_t seconds = (time_t)when;
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900 ||
	    strftime(out, CLOCK_TEXT_LEN + 1, "%Y-%m-%dT%H:%M:%SZ", &tm) != CLOCK_TEXT_LEN)
		snprintf(out, CLOCK_TEXT_LEN + 1, "%s",
			 when < 0 ? "0000-01-01T00:00:00Z" : "9999-12-31T23:59:59Z");
}
