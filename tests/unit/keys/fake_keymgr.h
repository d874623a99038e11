/*
 * A key manager in memory, in the place of the real one: what a key ring asks of it, counted, and states that change at a test's
 * word.  A blob is key id, material id and the number of a data key.
 */
#ifndef REKEYFS_TESTS_UNIT_KEYS_FAKE_KEYMGR_H
#define REKEYFS_TESTS_UNIT_KEYS_FAKE_KEYMGR_H

#include "keymgr/keymgr.h"

#define FAKE_CMKS 4
#define FAKE_DATA_KEYS 64
#define FAKE_MATERIALS 8

struct fake_cmk {
	uint8_t id[KEY_ID_LEN];
	enum key_state state;		/* 0: there is none */
	int refused;
	int material;			/* the current one's number; 0 is the first */
	int destroyed[FAKE_MATERIALS];
};

struct keymgr {
	uint64_t generation;
	struct fake_cmk cmks[FAKE_CMKS];
	struct { uint8_t key[32]; char context[64]; } data_keys[FAKE_DATA_KEYS];
	int data_key_count;
	int generated, decrypted, migrated, leases, described;
	int unregistered;		/* leases are refused */
	int away;			/* nothing answers */
	void (*on_lease)(struct keymgr *k);	/* somebody changes a key at that moment */
	void (*on_generate)(struct keymgr *k);
};

/* CMKs 0 to FAKE_CMKS - 1, Enabled, with ids of one byte repeated. */
void fake_start(struct keymgr *k);
void fake_set_state(struct keymgr *k, int cmk, enum key_state state);
void fake_rotate(struct keymgr *k, int cmk);
void fake_material_id(int cmk, int material, uint8_t out[static MATERIAL_ID_LEN]);

#endif
