#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/error.h"

#define LINE_MAX_LEN 2048

static const char *const level_names[] = { "error", "warning", "info", "debug" };
static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	char program[32];
	int fd;		/* -1: syslog */
	enum log_level most;
} target = { "rekeyfs", STDERR_FILENO, LOG_LEVEL_WARNING };	/* under lock */

int log_open(const char *program, const char *path, enum log_level most)
{
	int fd = STDERR_FILENO;

	if (path && strcmp(path, "syslog") == 0) {
		fd = -1;
	} else if (path) {
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
		if (fd < 0)
			return (int)err_set_errno("cannot open the log %s", path);
	}
	pthread_mutex_lock(&lock);
	if (target.fd > STDERR_FILENO)
		close(target.fd);
	target.fd = fd;
	target.most = most;
	snprintf(target.program, sizeof(target.program), "%s", program);
	if (fd < 0)
		openlog(target.program, LOG_PID, LOG_DAEMON);
	pthread_mutex_unlock(&lock);
	return 0;
}

/* One line is one line: bytes that steer a terminal become '?'. */
static void flatten(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

static void write_line(enum log_level level, const char *text)
{
	char line[LINE_MAX_LEN + 128], when[CLOCK_TEXT_LEN + 1];
	int len;

	if (target.fd == STDERR_FILENO) {
		len = snprintf(line, sizeof(line), "%s: %s: %s\n", target.program, level_names[level], text);
	} else {
		clock_text(clock_now(), when);
		len = snprintf(line, sizeof(line), "%s %s[%d]: %s: %s\n", when, target.program, (int)getpid(),
			       level_names[level], text);
	}
	/* Nobody is left to be told that a log line was not written. */
	if (write(target.fd, line, (size_t)len) < 0)
		return;
}

static void log_at(enum log_level level, const char *format, va_list arguments)
{
	char text[LINE_MAX_LEN];

	pthread_mutex_lock(&lock);
	if (level <= target.most) {
		vsnprintf(text, sizeof(text), format, arguments);
		flatten(text);
		if (target.fd < 0)
			syslog(priorities[level], "%s", text);
		else
			write_line(level, text);
	}
	pthread_mutex_unlock(&lock);
}

#define LOG_FUNCTION(name, level)			\
	void name(const char *format, ...)		\
	{						\
		va_list arguments;			\
							\
		va_start(arguments, format);		\
		log_at(level, format, arguments);	\
		va_end(arguments);			\
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
