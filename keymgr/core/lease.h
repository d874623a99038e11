/*
 * Leases: for how long a mount may still hold a bucket key.  Time runs on CLOCK_BOOTTIME of
 * the boot on which the lease was taken, since the time of day may be moved.
 */
#ifndef REKEYFS_KEYMGR_CORE_LEASE_H
#define REKEYFS_KEYMGR_CORE_LEASE_H

#include "keymgr/core/ledger.h"

/* A lease that is younger than this is not written anew, so it may be that much younger than it says. */
#define LEASE_GRAIN 60
#define LEASE_SECONDS (BUCKET_KEY_TTL + LEASE_GRAIN)

/* A moment on both clocks. */
struct moment {
	int64_t day, boot;		/* time of day, CLOCK_BOOTTIME */
	uint8_t boot_id[BOOT_ID_LEN];	/* zeros: unknown */
};
struct moment moment_now(void);

/* Was the lease over at `m`, for what stopped encrypting at `stopped` (time of day)?  `end_out`, where not NULL: when
 * it was or will be, as time of day. */
int lease_was_over(const struct lease *l, int64_t stopped, const struct moment *m, int64_t *end_out);

#endif
