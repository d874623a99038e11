#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fs/bucket/record.h"
#include "fs/check/proof.h"
#include "fs/check/scan.h"
#include "tests/lib/unit.h"
#include "tests/lib/world.h"

static const struct caller nobody = { .umask = 022 };

static struct scan_result scan(struct world *w, const uint8_t *key)
{
	struct scan_result r;

	assert_ok(scan_run(w->t, key, NULL, NULL, &r));
	return r;
}

static void assert_scan(struct world *w, const uint8_t *key, uint64_t references, uint64_t unreadable)
{
	struct scan_result r = scan(w, key);

	if (r.report.unreadable != unreadable)
		print_error("%s: %s\n", r.report.first_unreadable ? r.report.first_unreadable : "", r.first_reason);
	assert_int_equal(r.report.references, references);
	assert_int_equal(r.report.unreadable, unreadable);
	assert_int_equal(scan_is_clean(&r), !references && !unreadable);
	assert_true(r.report.started > 0 && r.report.ended >= r.report.started);
	assert_memory_equal(r.report.instance_id, w->b->state.instance_id, UUID_LEN);
	scan_result_release(&r);
}

/* Everything that is open is closed, and lies in the bucket. */
static void settle(struct world *w)
{
	world_unmount(w, 1);
	world_mount(w);
}

static void files_and_names_key_are_references(void **state)
{
	struct world *w = world_new();

	assert_scan(w, w->key1, 2, 0);		/* both slots of the record */
	assert_scan(w, w->key2, 0, 0);
	world_mkdir(w, "d");
	world_set_policy(w, "d", "alias/two");
	world_write(w, "f", 1, 5000);
	world_write(w, "d/g", 2, 5000);
	world_link(w, "f", "d/f");
	assert_scan(w, w->key1, 3, 0);
	assert_scan(w, w->key2, 1, 0);
	settle(w);
	assert_scan(w, w->key1, 3, 0);
	assert_scan(w, w->key2, 1, 0);
	world_free(w);
}

static void a_policy_is_a_warning(void **state)
{
	struct world *w = world_new();
	struct scan_result r;

	world_mkdir(w, "d");
	world_set_policy(w, "d", "alias/two");
	r = scan(w, w->key2);
	assert_int_equal(r.policies, 1);
	assert_true(scan_is_clean(&r));
	scan_result_release(&r);
	world_free(w);
}

/* --- the other header copy ------------------------------------------------------------------------- */

static int open_lower(struct world *w, const char *path)
{
	char *lower = world_lower(w, path);
	int fd = open(lower, O_RDWR);

	assert_true(fd >= 0);
	free(lower);
	return fd;
}

static void get_page(int fd, enum tag_copy copy, uint8_t page[static PAGE_LEN])
{
	assert_int_equal(pread(fd, page, PAGE_LEN, (off_t)layout_tag_page(0, copy)), PAGE_LEN);
}

static void put_page(int fd, enum tag_copy copy, const uint8_t page[static PAGE_LEN])
{
	assert_int_equal(pwrite(fd, page, PAGE_LEN, (off_t)layout_tag_page(0, copy)), PAGE_LEN);
}

static void an_older_header_copy_is_a_reference(void **state)
{
	struct world *w = world_new();
	uint8_t old[PAGE_LEN], now[PAGE_LEN];
	enum migrate_next next = MIGRATE_SYNC;
	struct open_file *f;
	int fd, copy;

	world_write(w, "f", 1, 5000);
	settle(w);
	fd = open_lower(w, "f");
	get_page(fd, COPY_A, old);
	f = world_open(w, "f");
	while (next != MIGRATE_DONE) {
		assert_ok(content_migrate_step(open_file_content(f), MIGRATE_REWRAP, w->key2, 0, 0, 0, &next, NULL));
		assert_ok(content_sync(open_file_content(f), 0));
	}
	world_close(w, f);
	settle(w);
	assert_scan(w, w->key1, 2, 0);
	/* Under the older one of the two copies, which nobody reads as long as the other is whole. */
	get_page(fd, COPY_A, now);
	struct header_view views[2];
	unsigned count;
	uint64_t size;

	assert_ok(content_view(fd, views, &count, &size));
	assert_int_equal(count, 2);
	struct file_header h;
	uint64_t generation;

	assert_ok(tag_page_read_header(now, &h, &generation));
	copy = generation == views[1].generation ? COPY_A : COPY_B;
	put_page(fd, (enum tag_copy)copy, old);
	assert_int_equal(world_key_of(w, "f"), 2);
	assert_scan(w, w->key1, 3, 0);
	close(fd);
	world_free(w);
}

static void a_damaged_header_copy_is_not_taken_for_unused(void **state)
{
	struct world *w = world_new();
	uint8_t page[PAGE_LEN], broken[PAGE_LEN];
	int fd;

	world_write(w, "f", 1, 5000);
	settle(w);
	fd = open_lower(w, "f");
	get_page(fd, COPY_A, page);
	assert_scan(w, w->key2, 0, 0);
	memset(broken, 0x11, sizeof(broken));
	put_page(fd, COPY_B, broken);
	assert_scan(w, w->key2, 0, 1);
	put_page(fd, COPY_A, broken);
	assert_scan(w, w->key2, 0, 1);
	assert_scan(w, w->key1, 2, 1);
	close(fd);
	world_free(w);
}

/* The ids in clear prove nothing: a header that claims to be under another key is found out. */
static void a_header_that_lies_about_its_key_is_found_out(void **state)
{
	struct world *w = world_new();
	uint8_t page[PAGE_LEN], forged[PAGE_LEN];
	unsigned hits = 0;
	int fd;

	world_write(w, "f", 1, 5000);
	settle(w);
	fd = open_lower(w, "f");
	get_page(fd, COPY_A, page);
	memcpy(forged, page, PAGE_LEN);
	for (unsigned at = TAG_HEADER_AT; at + KEY_ID_LEN <= TAG_MAC_AT; at++)
		if (memcmp(forged + at, w->key1, KEY_ID_LEN) == 0) {
			memcpy(forged + at, w->key2, KEY_ID_LEN);
			hits++;
		}
	assert_true(hits >= 2);		/* in the slot, and in the blob */
	put_page(fd, COPY_A, forged);
	assert_scan(w, w->key1, 2, 1);
	close(fd);
	world_free(w);
}

static void a_key_that_is_disabled_makes_its_files_unreadable(void **state)
{
	struct world *w = world_new();

	world_mkdir(w, "d");
	world_set_policy(w, "d", "alias/two");
	world_write(w, "d/g", 2, 5000);
	world_write(w, "d/h", 2, 5000);
	settle(w);
	assert_ok(keymgr_disable_key(w->k, w->key2_text));
	assert_scan(w, w->key1, 2, 2);
	assert_ok(keymgr_enable_key(w->k, w->key2_text));
	assert_scan(w, w->key1, 2, 0);
	world_free(w);
}

static void two_keys_may_be_pending_at_once(void **state)
{
	struct world *w = world_new();
	struct deletion_options o = { .window_days = 7 };
	struct key_metadata m = { 0 };

	world_mkdir(w, "d");
	world_set_policy(w, "d", "alias/two");
	world_write(w, "d/g", 2, 5000);
	settle(w);
	assert_ok(keymgr_create_key(w->k, "", &m));
	char third[UUID_TEXT_LEN + 1];

	uuid_text(m.key_id, third);
	key_metadata_release(&m);
	assert_ok(keymgr_schedule_deletion(w->k, w->key2_text, &o, &m));
	key_metadata_release(&m);
	uint8_t id[KEY_ID_LEN];

	assert_ok(uuid_parse(third, id));
	assert_ok(keymgr_schedule_deletion(w->k, third, &o, &m));
	key_metadata_release(&m);
	assert_scan(w, id, 0, 0);
	assert_scan(w, w->key2, 1, 0);
	world_free(w);
}

static void open_files_without_a_name_are_references(void **state)
{
	struct world *w = world_new();
	struct open_file *gone, *fresh;
	struct node *n;
	struct stat st;

	world_write(w, "gone", 2, 100);
	gone = world_open(w, "gone");
	world_unlink(w, "gone");
	assert_scan(w, w->key1, 3, 0);
	assert_ok(tree_create(w->t, tree_root(w->t), "fresh", 0644, O_RDWR, &nobody, &n, &st, &fresh));
	tree_forget(w->t, n, 1);
	assert_scan(w, w->key1, 4, 0);
	world_close(w, gone);
	world_close(w, fresh);
	world_free(w);
}

/* --- key material -------------------------------------------------------------------------------------- */

static void one_backing_key_alone(void **state)
{
	struct world *w = world_new();
	struct key_metadata m = { 0 };
	uint8_t first[MATERIAL_ID_LEN], second[MATERIAL_ID_LEN];
	struct scan_result r;

	assert_ok(keymgr_describe_key(w->k, w->key2_text, &m));
	memcpy(first, m.current_material, MATERIAL_ID_LEN);
	key_metadata_release(&m);
	world_mkdir(w, "d");
	world_set_policy(w, "d", "alias/two");
	world_write(w, "d/old", 1, 5000);
	assert_ok(keymgr_rotate_on_demand(w->k, w->key2_text));
	assert_ok(keymgr_describe_key(w->k, w->key2_text, &m));
	memcpy(second, m.current_material, MATERIAL_ID_LEN);
	key_metadata_release(&m);
	world_write(w, "d/new", 1, 5000);
	world_write(w, "d/newer", 1, 5000);
	assert_ok(scan_run(w->t, w->key2, first, NULL, &r));
	assert_int_equal(r.report.references, 1);
	scan_result_release(&r);
	assert_ok(scan_run(w->t, w->key2, second, NULL, &r));
	assert_int_equal(r.report.references, 2);
	scan_result_release(&r);
	world_free(w);
}

/* --- renames meanwhile ----------------------------------------------------------------------------------- */

struct mover { struct world *w; atomic_int stop; unsigned moves; };

/* To and fro between the directory that a walk meets first and the one that it meets last. */
static void *move_about(void *argument)
{
	struct mover *m = argument;

	while (!atomic_load(&m->stop)) {
		if (world_rename(m->w, m->moves % 2 ? "b/f" : "a/f", m->moves % 2 ? "a/f" : "b/f") != ERR_OK)
			break;
		m->moves++;
	}
	return NULL;
}

static void a_file_does_not_hide_by_being_renamed(void **state)
{
	struct world *w = world_new();
	struct mover m = { .w = w };
	pthread_t thread;
	char name[32];

	world_mkdir(w, "a");
	world_mkdir(w, "b");
	world_mkdir(w, "fill");
	for (unsigned i = 0; i < 200; i++) {
		sprintf(name, "fill/%u", i);
		world_write(w, name, i, 100);
	}
	world_write(w, "a/f", 1, 5000);
	world_set_policy(w, "", "alias/two");
	settle(w);
	assert_int_equal(pthread_create(&thread, NULL, move_about, &m), 0);
	for (int i = 0; i < 20; i++)
		assert_scan(w, w->key1, 201, 0);
	atomic_store(&m.stop, 1);
	pthread_join(thread, NULL);
	assert_true(m.moves > 0);
	world_free(w);
}

/* --- proofs ------------------------------------------------------------------------------------------------ */

static void a_proof_is_signed_and_checked(void **state)
{
	struct world *w = world_new();
	struct scan_result r = scan(w, w->key2);
	struct key_ref key = { 0 };
	json_t *scans = json_array(), *certificate, *proof;
	uint8_t public_key[32];

	memcpy(key.key_id, w->key2, KEY_ID_LEN);
	json_array_append_new(scans, proof_scan_json(w->b, &r));
	assert_true(proof_scan_is_clean(json_array_get(scans, 0)));
	assert_ok(proof_sign(w->k, &key, 0, scans, &certificate));
	assert_ok(proof_verify(certificate, public_key));
	proof = json_object_get(certificate, "Proof");
	assert_non_null(json_object_get(proof, "AuditHead"));
	json_object_set_new(json_array_get(json_object_get(proof, "Buckets"), 0), "Files", json_integer(99));
	assert_err(proof_verify(certificate, public_key), ERR_NOT_AUTHENTIC);
	json_object_del(certificate, "Signature");
	assert_err(proof_verify(certificate, public_key), ERR_FORMAT);
	json_decref(certificate);
	json_decref(scans);
	scan_result_release(&r);
	r = scan(w, w->key1);
	scans = proof_scan_json(w->b, &r);
	assert_false(proof_scan_is_clean(scans));
	json_decref(scans);
	scan_result_release(&r);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_and_names_key_are_references),
		cmocka_unit_test(a_policy_is_a_warning),
		cmocka_unit_test(an_older_header_copy_is_a_reference),
		cmocka_unit_test(a_damaged_header_copy_is_not_taken_for_unused),
		cmocka_unit_test(a_header_that_lies_about_its_key_is_found_out),
		cmocka_unit_test(a_key_that_is_disabled_makes_its_files_unreadable),
		cmocka_unit_test(two_keys_may_be_pending_at_once),
		cmocka_unit_test(open_files_without_a_name_are_references),
		cmocka_unit_test(one_backing_key_alone),
		cmocka_unit_test(a_file_does_not_hide_by_being_renamed),
		cmocka_unit_test(a_proof_is_signed_and_checked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
