/* Rotation: a new backing key becomes CURRENT, the older ones only decrypt from then on. */
#ifndef REKEYFS_KEYMGR_CORE_ROTATION_H
#define REKEYFS_KEYMGR_CORE_ROTATION_H

#include "keymgr/core/manager.h"

#define ROTATION_DAYS_MIN 90
#define ROTATION_DAYS_MAX 2560
#define ROTATION_DAYS_DEFAULT 365
#define ROTATIONS_ON_DEMAND_MAX 25

/* Adds the backing key; the caller writes the keystore. */
enum err rotation_turn(struct keymgr *k, struct cmk *cmk, int on_demand, int64_t now);
/* Has the day of an automatic rotation come? */
int rotation_is_due(const struct cmk *cmk, int64_t now);
/* The automatic rotation that is due; the next one is in the future, however many were missed. */
enum err rotation_turn_due(struct keymgr *k, struct cmk *cmk, int64_t now);

#endif
