/* Protectors through the interface: what opens a keystore, and what does not any more. */
#include "tests/unit/keymgr/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/kdf.h"
#include "keymgr/core/manager.h"
#include "keymgr/protectors/secret_source.h"

static const struct unlock quiet = { .no_prompt = 1 };

static enum err try_open(const char *path, const struct unlock *u)
{
	struct keymgr *k = NULL;
	enum err e = keymgr_open(path, u, 1, &k);

	keymgr_close(k);
	return e;
}

static void write_text(const char *path, const char *text)
{
	fixture_store(path, text, strlen(text));
}

/* --- keyfiles ------------------------------------------------------------------- */

static void a_keyfile_is_made_and_remembered(void **state)
{
	struct fixture *f = *state;
	char keyfile[FIXTURE_PATH];
	struct unlock named = { .keyfile = keyfile, .no_prompt = 1 };
	struct stat st;

	fixture_file(f, ".key", keyfile);
	assert_int_equal(stat(keyfile, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 32);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_ok(try_open(f->path, &quiet));
	assert_ok(try_open(f->path, &named));
}

static void another_keyfile_does_not_open(void **state)
{
	struct fixture *f = *state;
	char keyfile[FIXTURE_PATH], other[FIXTURE_PATH];
	struct unlock named = { .keyfile = other, .no_prompt = 1 };

	fixture_file(f, ".key", keyfile);
	fixture_file(f, ".other", other);
	write_text(other, "this is another keyfile of 32 bytes or more");
	assert_err(try_open(f->path, &named), ERR_LOCKED);
	write_text(other, "short");
	assert_err(try_open(f->path, &named), ERR_INVALID);
	unlink(other);
	assert_err(try_open(f->path, &named), ERR_NOT_FOUND);
	unlink(keyfile);
	assert_err(try_open(f->path, &quiet), ERR_LOCKED);
}

/* What others may have put there is not read, unless the caller names it. */
static void a_remembered_keyfile_that_others_may_write_is_not_used(void **state)
{
	struct fixture *f = *state;
	char keyfile[FIXTURE_PATH];
	struct unlock named = { .keyfile = keyfile, .no_prompt = 1 };

	fixture_file(f, ".key", keyfile);
	assert_int_equal(chmod(keyfile, 0620), 0);
	assert_err(try_open(f->path, &quiet), ERR_LOCKED);
	assert_ok(try_open(f->path, &named));
	assert_int_equal(chmod(keyfile, 0600), 0);
	assert_int_equal(chmod(f->path, 0602), 0);
	assert_err(try_open(f->path, &quiet), ERR_LOCKED);
	assert_non_null(strstr(err_message(ERR_LOCKED), "--keyfile"));
	assert_ok(try_open(f->path, &named));
	assert_int_equal(chmod(f->path, 0600), 0);
	assert_ok(try_open(f->path, &quiet));
}

static void files_of_somebody_else_are_not_ones_own(void **state)
{
	struct stat st = { .st_uid = geteuid() + 1, .st_mode = S_IFREG | 0600 };

	assert_int_equal(secret_file_is_own(&st), 0);
	st.st_uid = geteuid();
	assert_int_equal(secret_file_is_own(&st), 1);
	st.st_uid = 0;
	assert_int_equal(secret_file_is_own(&st), 1);
	st.st_mode |= S_IWOTH;
	assert_int_equal(secret_file_is_own(&st), 0);
}

/* --- passphrases, commands, codes -------------------------------------------------- */

struct found { struct protector_info all[8]; int count; };

static int note(void *context, const struct protector_info *p)
{
	struct found *f = context;

	f->all[f->count++] = *p;
	return 0;
}

/* The costs are those of a release: Argon2id runs a few times in this one. */
static void a_passphrase(void **state)
{
	struct fixture *f = *state;
	char file[FIXTURE_PATH], keyfile[FIXTURE_PATH];
	struct unlock by_file = { .passfile = file, .no_prompt = 1 };
	struct found found = { .count = 0 };
	uint8_t id[UUID_LEN];

	fixture_file(f, ".pass", file);
	fixture_file(f, ".key", keyfile);
	write_text(file, "correct horse\nsecond line\n");
	assert_ok(keymgr_add_protector(f->k, PROTECTOR_PASSPHRASE, &by_file, id));
	assert_ok(keymgr_list_protectors(f->k, note, &found));
	assert_int_equal(found.count, 2);
	assert_int_equal(found.all[1].kind, PROTECTOR_PASSPHRASE);
	assert_memory_equal(found.all[1].id, id, UUID_LEN);
	assert_true(found.all[1].argon2_memory >= 256 << 20);
	assert_true(found.all[1].argon2_passes >= 3);
	assert_ok(try_open(f->path, &by_file));
	write_text(file, "wrong horse\n");
	assert_err(try_open(f->path, &by_file), ERR_LOCKED);
	/* A new passphrase: the old one opens nothing, not even with the file as it was. */
	write_text(file, "battery staple");
	assert_ok(keymgr_change_passphrase(f->k, NULL, &by_file));
	assert_ok(try_open(f->path, &by_file));
	write_text(file, "correct horse");
	assert_err(try_open(f->path, &by_file), ERR_LOCKED);
	unlink(keyfile);
	assert_err(try_open(f->path, &quiet), ERR_LOCKED);
}

static void an_empty_passphrase_is_refused(void **state)
{
	struct fixture *f = *state;
	char file[FIXTURE_PATH];
	struct unlock by_file = { .passfile = file, .no_prompt = 1 };
	uint8_t id[UUID_LEN];

	fixture_file(f, ".pass", file);
	write_text(file, "\n");
	assert_err(keymgr_add_protector(f->k, PROTECTOR_PASSPHRASE, &by_file, id), ERR_INVALID);
	write_text(file, "");
	assert_err(keymgr_add_protector(f->k, PROTECTOR_PASSPHRASE, &by_file, id), ERR_INVALID);
	assert_err(keymgr_add_protector(f->k, PROTECTOR_PASSPHRASE, &quiet, id), ERR_LOCKED);
	assert_err(keymgr_add_protector(f->k, PROTECTOR_COMMAND, &by_file, id), ERR_USAGE);
	assert_err(keymgr_add_protector(f->k, PROTECTOR_KEYFILE, &by_file, id), ERR_USAGE);
}

static void a_command(void **state)
{
	struct fixture *f = *state;
	struct unlock by_command = { .extpass = "echo from a command", .no_prompt = 1 };
	struct unlock wrong = { .extpass = "echo something else", .no_prompt = 1 };
	struct unlock failing = { .extpass = "echo from a command; exit 1", .no_prompt = 1 };
	char keyfile[FIXTURE_PATH];
	uint8_t id[UUID_LEN];

	fixture_file(f, ".key", keyfile);
	assert_ok(keymgr_add_protector(f->k, PROTECTOR_COMMAND, &by_command, id));
	assert_ok(try_open(f->path, &by_command));
	assert_err(try_open(f->path, &wrong), ERR_LOCKED);
	assert_err(try_open(f->path, &failing), ERR_LOCKED);
	/* It stands nowhere in the keystore. */
	unlink(keyfile);
	assert_err(try_open(f->path, &quiet), ERR_LOCKED);
}

static void a_recovery_code(void **state)
{
	struct fixture *f = *state;
	char code[RECOVERY_CODE_LEN + 1], file[FIXTURE_PATH];
	struct unlock by_code = { .passfile = file, .no_prompt = 1 };
	uint8_t id[UUID_LEN];

	fixture_file(f, ".code", file);
	assert_ok(keymgr_add_recovery(f->k, code, id));
	assert_int_equal(strlen(code), RECOVERY_CODE_LEN);
	write_text(file, code);
	assert_ok(try_open(f->path, &by_code));
	code[0] = code[0] == '0' ? '1' : '0';
	write_text(file, code);
	assert_err(try_open(f->path, &by_code), ERR_LOCKED);
}

static void the_last_one_stays(void **state)
{
	struct fixture *f = *state;
	struct found found = { .count = 0 };
	uint8_t id[UUID_LEN], other[UUID_LEN] = { 1 };
	char code[RECOVERY_CODE_LEN + 1];

	assert_ok(keymgr_list_protectors(f->k, note, &found));
	assert_int_equal(found.count, 1);
	assert_err(keymgr_remove_protector(f->k, found.all[0].id), ERR_REFUSED);
	assert_err(keymgr_remove_protector(f->k, other), ERR_NOT_FOUND);
	assert_ok(keymgr_add_recovery(f->k, code, id));
	assert_ok(keymgr_remove_protector(f->k, id));
	assert_err(keymgr_remove_protector(f->k, found.all[0].id), ERR_REFUSED);
	assert_err(keymgr_change_passphrase(f->k, NULL, &quiet), ERR_NOT_FOUND);
	fixture_reopen(f, 0);
}

/* --- what a file may ask of us ------------------------------------------------------ */

static enum err read_cost(uint64_t memory, uint32_t passes)
{
	struct protector p = { .kind = PROTECTOR_PASSPHRASE, .cost = { memory, passes } }, out;
	uint8_t bytes[512];
	struct writer w = writer_over(bytes, sizeof(bytes));
	struct cursor c;

	protector_write(&p, &w);
	c = cursor_over(bytes, writer_len(&w));
	return protector_read(&c, &out);
}

static void costs_outside_the_limits_are_refused(void **state)
{
	assert_ok(read_cost(64 << 20, 1));
	assert_ok(read_cost(4ULL << 30, 16));
	assert_err(read_cost((64 << 20) - 1, 3), ERR_UNSUPPORTED);
	assert_err(read_cost((4ULL << 30) + 1, 3), ERR_UNSUPPORTED);
	assert_err(read_cost(UINT64_MAX, 3), ERR_UNSUPPORTED);
	assert_err(read_cost(256 << 20, 0), ERR_UNSUPPORTED);
	assert_err(read_cost(256 << 20, 17), ERR_UNSUPPORTED);
}

static void unknown_kinds_are_refused(void **state)
{
	struct protector p = { .kind = (enum protector_kind)9 }, out;
	uint8_t bytes[512];
	struct writer w = writer_over(bytes, sizeof(bytes));
	struct cursor c;

	protector_write(&p, &w);
	c = cursor_over(bytes, writer_len(&w));
	assert_err(protector_read(&c, &out), ERR_UNSUPPORTED);
}

/* --- backups ---------------------------------------------------------------------- */

static const struct context_pair pairs[] = { { "bucket", "b" } };
static const struct context context = { pairs, 1 };

static void a_backup_is_restored(void **state)
{
	struct keymgr_create_options options = { .kind = PROTECTOR_KEYFILE };
	struct fixture *f = *state;
	char file[FIXTURE_PATH], pass[FIXTURE_PATH], restored[FIXTURE_PATH];
	struct unlock by_file = { .passfile = pass, .no_prompt = 1 }, wrong = { .extpass = "echo wrong", .no_prompt = 1 };
	struct bucket_instance b, found;
	struct secret *before, *after;
	struct key_ref ref;
	struct blob blob;
	struct keymgr *k;
	uint64_t generation, newer;

	fixture_file(f, ".backup", file);
	fixture_file(f, ".pass", pass);
	fixture_file(f, "-restored/keystore", restored);
	write_text(pass, "backup pass");
	fixture_key(f);
	fixture_bucket(f, 1, 0, &b);
	assert_ok(keymgr_anchor_bucket(f->k, b.instance_id, 77, 5));
	assert_ok(keymgr_generate_data_key(f->k, f->key, &context, &before, &blob, &ref));
	assert_ok(keymgr_backup(f->k, file, &by_file));
	assert_ok(keymgr_generation(f->k, &generation));
	assert_err(keymgr_restore(file, &wrong, restored, &options, &newer), ERR_LOCKED);
	assert_err(keymgr_restore(file, &by_file, f->path, &options, &newer), ERR_EXISTS);
	assert_ok(keymgr_restore(file, &by_file, restored, &options, &newer));
	assert_true(newer > generation);
	assert_ok(keymgr_open(restored, &quiet, 0, &k));
	assert_ok(keymgr_decrypt_data_key(k, blob.bytes, blob.len, &context, &after, &ref));
	assert_memory_equal(before->bytes, after->bytes, 32);
	assert_ok(keymgr_find_bucket(k, b.bucket_id, b.instance_id, &found));
	assert_int_equal(found.checkpoint, 77);
	assert_ok(keymgr_events(k, 1, NULL, NULL));
	assert_int_equal(k->ledger.lost_at, 0);
	bucket_instance_release(&found);
	secret_free(before);
	secret_free(after);
	/* The backup's passphrase opens the backup, not what was restored. */
	assert_err(try_open(restored, &by_file), ERR_LOCKED);
	keymgr_close(k);
}

static void the_previous_generation_is_restored(void **state)
{
	struct keymgr_create_options options = { .kind = PROTECTOR_KEYFILE };
	struct fixture *f = *state;
	char previous[FIXTURE_PATH], aside[FIXTURE_PATH];
	uint64_t before, after;

	fixture_key(f);
	assert_ok(keymgr_create_alias(f->k, "alias/later", f->key));
	assert_ok(keymgr_generation(f->k, &before));
	keymgr_close(f->k);
	f->k = NULL;
	fixture_file(f, ".previous", previous);
	fixture_file(f, ".aside", aside);
	assert_int_equal(rename(previous, aside), 0);
	write_text(f->path, "damaged");
	assert_err(try_open(f->path, &quiet), ERR_FORMAT);
	assert_int_equal(unlink(f->path), 0);
	assert_ok(keymgr_restore(aside, &quiet, f->path, &options, &after));
	/* Newer than all that any process ever saw. */
	assert_true(after > before);
	fixture_reopen(f, 0);
	assert_int_equal(fixture_state(f), KEY_ENABLED);
	assert_err(keymgr_resolve(f->k, "alias/later", f->key_id), ERR_KEY_NOT_FOUND);
	assert_int_equal(f->k->ledger.lost_at, 0);
}

static void a_damaged_backup_is_refused(void **state)
{
	struct keymgr_create_options options = { .kind = PROTECTOR_KEYFILE };
	struct fixture *f = *state;
	char file[FIXTURE_PATH], pass[FIXTURE_PATH], restored[FIXTURE_PATH];
	struct unlock by_file = { .passfile = pass, .no_prompt = 1 };
	uint8_t *bytes;
	size_t len;

	fixture_file(f, ".backup", file);
	fixture_file(f, ".pass", pass);
	fixture_file(f, "-restored", restored);
	write_text(pass, "backup pass");
	assert_ok(keymgr_backup(f->k, file, &by_file));
	bytes = fixture_load(file, &len);
	fixture_store(file, bytes, len - 1);
	assert_err(keymgr_restore(file, &by_file, restored, &options, NULL), ERR_FORMAT);
	bytes[len - 1] ^= 1;		/* the ledger's MAC */
	fixture_store(file, bytes, len);
	assert_err(keymgr_restore(file, &by_file, restored, &options, NULL), ERR_NOT_AUTHENTIC);
	assert_int_not_equal(access(restored, F_OK), 0);
	free(bytes);
}

/* --- signatures -------------------------------------------------------------------- */

static void signatures(void **state)
{
	uint8_t signature[64], public_key[32], later[64], later_key[32], other[32] = { 1 };
	struct fixture *f = *state;

	assert_ok(keymgr_sign(f->k, "proof", 5, signature, public_key));
	assert_ok(keymgr_verify_signature("proof", 5, signature, public_key));
	assert_err(keymgr_verify_signature("proog", 5, signature, public_key), ERR_NOT_AUTHENTIC);
	assert_ok(keymgr_rotate_root(f->k));
	assert_ok(keymgr_sign(f->k, "proof", 5, later, later_key));
	assert_memory_not_equal(public_key, later_key, 32);
	assert_true(keymgr_knows_signer(f->k, public_key));
	assert_true(keymgr_knows_signer(f->k, later_key));
	assert_false(keymgr_knows_signer(f->k, other));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
static const struct CMUnitTest tests[] = {
	TEST(a_keyfile_is_made_and_remembered),
	TEST(another_keyfile_does_not_open),
	TEST(a_remembered_keyfile_that_others_may_write_is_not_used),
	cmocka_unit_test(files_of_somebody_else_are_not_ones_own),
	TEST(a_passphrase),
	TEST(an_empty_passphrase_is_refused),
	TEST(a_command),
	TEST(a_recovery_code),
	TEST(the_last_one_stays),
	cmocka_unit_test(costs_outside_the_limits_are_refused),
	cmocka_unit_test(unknown_kinds_are_refused),
	TEST(a_backup_is_restored),
	TEST(the_previous_generation_is_restored),
	TEST(a_damaged_backup_is_refused),
	TEST(signatures),
};

UNIT_MAIN(tests)
