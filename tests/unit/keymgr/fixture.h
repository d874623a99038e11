/*
 * A keystore in a directory of its own, opened by a keyfile, with a clock that a test moves.
 */
#ifndef REKEYFS_TESTS_UNIT_KEYMGR_FIXTURE_H
#define REKEYFS_TESTS_UNIT_KEYMGR_FIXTURE_H

#include "tests/lib/unit.h"

#include <stdint.h>
#include <string.h>
#include "base/file_io.h"
#include "keymgr/keymgr.h"

#define FIXTURE_PATH 512

struct fixture {
	char dir[256], path[FIXTURE_PATH], clock[FIXTURE_PATH];
	struct keymgr *k;
	char key[UUID_TEXT_LEN + 1];	/* of fixture_key */
	uint8_t key_id[KEY_ID_LEN];
};

/* cmocka set-up and tear-down: *state is a struct fixture with an open keystore. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Closed and opened again; due work is done unless `no_due`. */
void fixture_reopen(struct fixture *f, int no_due);
struct keymgr *fixture_open_second(struct fixture *f);
/* A new key; its id stands in f->key and f->key_id. */
void fixture_key(struct fixture *f);
/* The clock is moved to `seconds` (or days) after the real one. */
void fixture_clock(struct fixture *f, int64_t seconds);
#define DAYS(n) ((int64_t)(n) * 86400)

enum key_state fixture_state(struct fixture *f);
/* A registered bucket instance, with ids made of `number`. */
void fixture_bucket(struct fixture *f, uint8_t number, int replica, struct bucket_instance *out);
/* A scan of it for f->key that began `ago` seconds ago. */
enum err fixture_scan(struct fixture *f, const struct bucket_instance *b, int64_t ago, uint64_t references, uint64_t unreadable);

/* "PATH.state" and its like. */
void fixture_file(const struct fixture *f, const char *suffix, char out[static FIXTURE_PATH]);
/* A whole file, malloc'd; and back, in place. */
uint8_t *fixture_load(const char *path, size_t *len_out);
void fixture_store(const char *path, const void *bytes, size_t len);
/* All of a directory's files to another one. */
void fixture_copy_file(const char *from, const char *to);
/* Everything below a directory, and the directory. */
void fixture_remove(const char *dir);

/* How often `word` stands in the audit log. */
int fixture_events(struct fixture *f, const char *word);

#endif
