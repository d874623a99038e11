#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fs/check/facts.h"
#include "fs/check/inventory.h"
#include "fs/check/key_argument.h"
#include "fs/check/policy_change.h"
#include "tests/lib/unit.h"
#include "tests/lib/world.h"

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

static long long number_of(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

/* The row of a CMK, by its id's text. */
static const json_t *row_of(const json_t *inventory, const char *key)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(inventory, "Keys"), i, row)
		if (strcmp(text_of(row, "KeyId"), key) == 0)
			return row;
	return NULL;
}

static json_t *take_open(struct world *w, const char *path, const struct inventory_view *view)
{
	struct inventory *i = calloc(1, sizeof(*i));
	struct location at;
	json_t *o;

	assert_ok(location_open(w->b, path, &at));
	assert_ok(inventory_take_open(w->b, &at, i));
	o = inventory_json(i, w->b->description.id, view);
	assert_non_null(o);
	location_release(&at);
	inventory_release(i);
	free(i);
	return o;
}

static void two_keys(struct world *w)
{
	world_mkdir(w, "d");
	world_set_policy(w, "d", "alias/two");
	world_write(w, "f", 1, 5000);
	world_write(w, "g", 1, 300000);
	world_write(w, "d/h", 1, 7);
	world_link(w, "f", "d/f");
}

static void files_and_bytes_by_key(void **state)
{
	struct world *w = world_new();
	struct inventory_view view = { .keymgr = w->k, .bucket = w->b };
	json_t *o;

	two_keys(w);
	o = take_open(w, "", &view);
	assert_int_equal(number_of(o, "Files"), 3);
	assert_int_equal(number_of(o, "Bytes"), 305007);
	assert_int_equal(number_of(row_of(o, w->key1_text), "Files"), 2);
	assert_int_equal(number_of(row_of(o, w->key1_text), "Bytes"), 305000);
	assert_string_equal(text_of(row_of(o, w->key1_text), "Alias"), "alias/one");
	assert_string_equal(text_of(row_of(o, w->key1_text), "KeyMaterialState"), "CURRENT");
	assert_int_equal(number_of(row_of(o, w->key2_text), "Files"), 1);
	json_decref(o);
	o = take_open(w, "d", &view);
	assert_int_equal(number_of(row_of(o, w->key2_text), "Bytes"), 7);
	assert_int_equal(number_of(o, "Files"), 2);
	json_decref(o);
	o = take_open(w, "d/h", &view);
	assert_int_equal(number_of(o, "Files"), 1);
	json_decref(o);
	world_free(w);
}

static void rows_are_chosen(void **state)
{
	struct world *w = world_new();
	struct inventory_view view = { .keymgr = w->k, .bucket = w->b, .key_id = w->key2 };
	json_t *o;

	two_keys(w);
	o = take_open(w, "", &view);
	assert_int_equal(json_array_size(json_object_get(o, "Keys")), 1);
	json_decref(o);
	view.key_id = NULL;
	view.not_current = 1;
	o = take_open(w, "", &view);
	assert_int_equal(json_array_size(json_object_get(o, "Keys")), 0);
	json_decref(o);
	assert_ok(keymgr_rotate_on_demand(w->k, w->key1_text));
	o = take_open(w, "", &view);
	assert_int_equal(json_array_size(json_object_get(o, "Keys")), 1);
	assert_string_equal(text_of(row_of(o, w->key1_text), "KeyMaterialState"), "NON_CURRENT");
	assert_int_equal(number_of(row_of(o, w->key1_text), "KeyMaterialOrdinal"), 1);
	json_decref(o);
	world_free(w);
}

static void without_a_key(void **state)
{
	struct world *w = world_new();
	struct inventory_view view = { .keymgr = NULL };
	struct inventory *i = calloc(1, sizeof(*i));
	char *lower, page[4096] = { 1 };
	json_t *o;
	int fd;

	two_keys(w);
	lower = world_lower(w, "g");
	world_unmount(w, 1);
	fd = open(lower, O_WRONLY);
	assert_int_equal(pwrite(fd, page, 4096, 7 * 4096), 4096);
	close(fd);
	fd = open(w->path, O_RDONLY | O_DIRECTORY);
	assert_ok(inventory_take(fd, "", NULL, i));
	close(fd);
	o = inventory_json(i, w->key1, &view);
	assert_int_equal(number_of(row_of(o, w->key1_text), "Files"), 1);
	assert_true(json_is_null(json_object_get(row_of(o, w->key1_text), "Alias")));
	assert_int_equal(number_of(o, "UnreadableFiles"), 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(o, "Unreadable"), 0)), strrchr(lower, '/') + 1);
	json_decref(o);
	inventory_release(i);
	free(i);
	free(lower);
	world_mount(w);
	world_free(w);
}

static void facts_with_and_without_the_mount(void **state)
{
	struct world *w = world_new();
	char *lower, *dir;
	json_t *o;

	two_keys(w);
	assert_ok(facts_of_path(w->t, "d/h", &o));
	assert_string_equal(text_of(o, "KeyId"), w->key2_text);
	assert_string_equal(text_of(o, "Alias"), "alias/two");
	assert_string_equal(text_of(o, "KeyState"), "Enabled");
	assert_int_equal(number_of(o, "KeyMaterialOrdinal"), 1);
	assert_int_equal(number_of(o, "Size"), 7);
	assert_string_equal(text_of(o, "CipherSuite"), aead_name(w->b->description.suite));
	json_decref(o);
	assert_ok(facts_of_path(w->t, "d", &o));
	assert_string_equal(text_of(json_object_get(o, "Policy"), "Key"), "alias/two");
	json_decref(o);
	assert_err(facts_of_path(w->t, "absent", &o), ERR_NOT_FOUND);
	lower = world_lower(w, "g");
	dir = world_lower(w, "d");
	world_unmount(w, 1);
	assert_ok(facts_of_entry(lower, w->path, NULL, &o));
	assert_string_equal(text_of(o, "KeyId"), w->key1_text);
	assert_int_equal(number_of(o, "Size"), 300000);
	assert_true(json_is_null(json_object_get(o, "Alias")));
	json_decref(o);
	assert_ok(facts_of_entry(dir, w->path, NULL, &o));
	assert_int_equal(strlen(text_of(o, "DirectoryId")), UUID_TEXT_LEN);
	json_decref(o);
	free(lower);
	free(dir);
	world_mount(w);
	world_free(w);
}

static void locations_lead_there_and_back(void **state)
{
	struct world *w = world_new();
	struct location at, again;
	char name[256], path[600], *plain;

	memset(name, 'n', 255);
	name[255] = 0;
	world_mkdir(w, "d");
	sprintf(path, "d/%s", name);
	world_mkdir(w, path);
	strcat(path, "/f");
	world_write(w, path, 1, 100);
	world_unmount(w, 1);
	world_mount(w);
	assert_ok(location_open(w->b, path, &at));
	assert_false(at.is_directory);
	plain = location_plain_path(w->b, at.path);
	assert_string_equal(plain, path);
	free(plain);
	assert_ok(location_open_cipher(w->b, at.path, &again));
	assert_memory_equal(at.id, again.id, UUID_LEN);
	location_release(&again);
	/* By its id, where the hint is out of date. */
	assert_ok(world_rename(w, "d", "e"));
	assert_ok(location_find(w->b, at.id, 1, at.path, &again));
	plain = location_plain_path(w->b, again.path);
	assert_int_equal(plain[0], 'e');
	free(plain);
	location_release(&again);
	location_release(&at);
	assert_err(location_open(w->b, "d", &at), ERR_NOT_FOUND);
	location_release(&at);
	assert_err(location_find(w->b, w->key1, 0, "", &at), ERR_NOT_FOUND);
	location_release(&at);
	world_free(w);
}

static void policies_are_checked_before_they_are_set(void **state)
{
	struct world *w = world_new();
	struct policy_request q = { .key = NULL };
	struct location at, file;
	char *warning;
	json_t *o;

	world_mkdir(w, "d");
	world_write(w, "f", 1, 1);
	assert_ok(location_open(w->b, "d", &at));
	assert_ok(location_open(w->b, "f", &file));
	assert_err(policy_change_set(w->b, &at, &q, &warning), ERR_USAGE);
	q.key = "alias/none";
	assert_err(policy_change_set(w->b, &at, &q, &warning), ERR_KEY_NOT_FOUND);
	q.key = "alias/two";
	assert_err(policy_change_set(w->b, &file, &q, &warning), ERR_REFUSED);
	q.enforce = "sometimes";
	assert_int_not_equal(policy_change_set(w->b, &at, &q, &warning), ERR_OK);
	q.enforce = "deny";
	assert_ok(policy_change_set(w->b, &at, &q, &warning));
	assert_null(warning);
	/* What is not named stays. */
	q = (struct policy_request){ .on_rename = "keep" };
	assert_ok(policy_change_set(w->b, &at, &q, &warning));
	location_release(&at);
	assert_ok(location_open(w->b, "d", &at));
	assert_string_equal(at.policy.key, "alias/two");
	assert_int_equal(at.policy.enforce, ENFORCE_DENY);
	assert_int_equal(at.policy.on_rename, ON_RENAME_KEEP);
	assert_ok(keymgr_disable_key(w->k, w->key2_text));
	o = policy_change_show(w->b, &at);
	assert_non_null(strstr(text_of(o, "Warning"), "rekeyctl enable-key"));
	json_decref(o);
	assert_ok(policy_change_unset(w->b, &at));
	assert_err(policy_change_unset(w->b, &at), ERR_NOT_FOUND);
	q = (struct policy_request){ .key = "alias/two" };
	assert_ok(policy_change_set(w->b, &at, &q, &warning));
	assert_non_null(warning);
	free(warning);
	location_release(&at);
	location_release(&file);
	assert_ok(location_open(w->b, "", &at));
	assert_err(policy_change_unset(w->b, &at), ERR_REFUSED);
	location_release(&at);
	world_free(w);
}

static void keys_are_named_with_their_material(void **state)
{
	struct world *w = world_new();
	struct key_metadata m = { 0 };
	char text[256];
	struct key_ref ref;
	int has;

	assert_ok(keymgr_describe_key(w->k, "alias/two", &m));
	assert_ok(key_argument_parse(w->k, "alias/two", &ref, &has));
	assert_int_equal(has, 0);
	assert_memory_equal(ref.key_id, w->key2, KEY_ID_LEN);
	strcpy(text, "alias/two:");
	bytes_to_hex(m.current_material, MATERIAL_ID_LEN, text + strlen(text));
	assert_ok(key_argument_parse(w->k, text, &ref, &has));
	assert_int_equal(has, 1);
	assert_memory_equal(ref.material_id, m.current_material, MATERIAL_ID_LEN);
	assert_ok(key_argument_parse(w->k, m.arn, &ref, &has));
	assert_int_equal(has, 0);
	text[strlen(text) - 1] ^= 1;
	assert_err(key_argument_parse(w->k, text, &ref, &has), ERR_KEY_NOT_FOUND);
	assert_err(key_argument_parse(w->k, "alias/none", &ref, &has), ERR_KEY_NOT_FOUND);
	key_metadata_release(&m);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_and_bytes_by_key),
		cmocka_unit_test(rows_are_chosen),
		cmocka_unit_test(without_a_key),
		cmocka_unit_test(facts_with_and_without_the_mount),
		cmocka_unit_test(locations_lead_there_and_back),
		cmocka_unit_test(policies_are_checked_before_they_are_set),
		cmocka_unit_test(keys_are_named_with_their_material),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
