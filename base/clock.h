/*
 * The time of day, moved by REKEYFS_CLOCK_FILE: a file with an offset in seconds
 * (decimal, may be negative), read at each use by every program, so that one write
 * moves a running mount's clock too.  Ignored when the program is setuid, or when
 * the file belongs to neither the caller nor root.
 */
#ifndef REKEYFS_BASE_CLOCK_H
#define REKEYFS_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define DAY_SECONDS 86400

/* Seconds since 1970, offset applied. */
int64_t clock_now(void);
/* The same with nanoseconds. */
struct timespec clock_now_exact(void);
/* CLOCK_BOOTTIME in seconds, offset applied: leases (runs on through suspend). */
int64_t clock_boot(void);
/* The offset now in force, 0 without one (a change of it is audited). */
int64_t clock_offset(void);
/* "2026-11-24T08:17:58Z" */
#define CLOCK_TEXT_LEN 20
void clock_text(int64_t when, char out[static CLOCK_TEXT_LEN + 1]);

#endif
