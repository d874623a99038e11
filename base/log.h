/*
 * Log lines of a long-running program: to standard error, a file, or syslog.
 *
 * Never pass a key, a passphrase or a plaintext name: cipher names, ids and
 * errnos only.  Any thread may call these.
 */
#ifndef REKEYFS_BASE_LOG_H
#define REKEYFS_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Where lines go from now on.  `path`: a file, appended to; "syslog"; or NULL for
 * standard error.  `program` is copied.  Returns 0, or an `enum err` with its sentence; then
 * the old target stays. */
int log_open(const char *program, const char *path, enum log_level most);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
