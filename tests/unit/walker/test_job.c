#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "fs/walker/job.h"
#include "tests/lib/unit.h"
#include "tests/lib/world.h"

static void life_cycle_is_the_table(void **state)
{
	struct job *j = job_new(JOB_MANUAL);

	assert_int_equal(j->status, JOB_NEW);
	assert_err(job_move(j, JOB_ACTIVE, JOB_NO_REASON), ERR_REFUSED);
	assert_ok(job_move(j, JOB_PREPARING, JOB_NO_REASON));
	assert_ok(job_move(j, JOB_READY, JOB_NO_REASON));
	assert_ok(job_move(j, JOB_ACTIVE, JOB_NO_REASON));
	assert_true(j->started > 0 && !j->ended);
	assert_ok(job_move(j, JOB_PAUSED, JOB_BY_PERSON));
	assert_int_equal(j->reason, JOB_BY_PERSON);
	assert_err(job_move(j, JOB_COMPLETE, JOB_NO_REASON), ERR_REFUSED);
	assert_ok(job_move(j, JOB_NEW, JOB_NO_REASON));
	assert_ok(job_move(j, JOB_CANCELLED, JOB_BY_PERSON));
	assert_true(job_is_over(j) && j->ended > 0);
	for (int to = JOB_NEW; to <= JOB_CANCELLED; to++)
		assert_err(job_move(j, (enum job_status)to, JOB_NO_REASON), ERR_REFUSED);
	job_free(j);
}

static struct job *full_job(void)
{
	struct job *j = job_new(JOB_ROTATION);

	j->status = JOB_PAUSED;
	j->reason = JOB_UNREADABLE;
	strcpy(j->reason_path, "aa/bb");
	strcpy(j->reason_text, "why");
	memset(j->scope_id, 7, UUID_LEN);
	strcpy(j->scope_path, "cc/dd");
	j->has_from = j->has_from_material = 1;
	memset(j->from.key_id, 8, KEY_ID_LEN);
	memset(j->from.material_id, 9, MATERIAL_ID_LEN);
	strcpy(j->to, "alias/two");
	memset(j->rotated_to, 10, MATERIAL_ID_LEN);
	j->mode = MIGRATE_REWRAP;
	j->bandwidth = 123456789;
	j->report = 1;
	j->files = 1;
	j->files_total = 2;
	j->bytes = 3;
	j->bytes_total = 4;
	j->started = 5;
	assert_ok(job_add_failure(j, "ee/ff", "not authentic"));
	return j;
}

static void file_name(const struct job *j, char *out)
{
	uuid_text(j->id, out);
	strcat(out, ".job");
}

static void a_job_is_stored_whole(void **state)
{
	struct world *w = world_new();
	struct job *j = full_job(), *back;
	char name[64];

	file_name(j, name);
	assert_ok(job_store(w->b, j));
	assert_ok(job_load(w->b, name, &back));
	assert_int_equal(back->failure_count, 1);
	assert_string_equal(back->failures[0].path, "ee/ff");
	assert_string_equal(back->failures[0].error, "not authentic");
	job_clear_failures(back);
	job_clear_failures(j);
	memset(j->failures, 0, sizeof(j->failures));
	memset(back->failures, 0, sizeof(back->failures));
	assert_memory_equal(j, back, sizeof(*j));
	job_free(back);
	assert_ok(job_remove(w->b, j->id));
	assert_err(job_load(w->b, name, &back), ERR_NOT_FOUND);
	assert_null(back);
	job_free(j);
	world_free(w);
}

static int count_job(void *context, struct job *j)
{
	++*(int *)context;
	job_free(j);
	return 0;
}

static void a_changed_job_is_refused(void **state)
{
	struct world *w = world_new();
	struct job *j = full_job(), *back;
	char name[64], path[800], byte;
	int fd, count = 0;
	off_t len;

	file_name(j, name);
	assert_ok(job_store(w->b, j));
	snprintf(path, sizeof(path), "%s/rekeyfs.jobs/%s", w->path, name);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	len = lseek(fd, 0, SEEK_END);
	for (off_t at = 0; at < len; at++) {
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_int_not_equal(job_load(w->b, name, &back), ERR_OK);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
	assert_ok(job_load_all(w->b, count_job, &count));
	assert_int_equal(count, 1);
	/* The same file under another job's name. */
	snprintf(path, sizeof(path), "%s/rekeyfs.jobs/%s", w->path, name);
	name[0] = name[0] == '0' ? '1' : '0';
	char other[800];

	snprintf(other, sizeof(other), "%s/rekeyfs.jobs/%s", w->path, name);
	assert_int_equal(rename(path, other), 0);
	assert_err(job_load(w->b, name, &back), ERR_NOT_AUTHENTIC);
	count = 0;
	assert_ok(job_load_all(w->b, count_job, &count));
	assert_int_equal(count, 0);
	job_free(j);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(life_cycle_is_the_table),
		cmocka_unit_test(a_job_is_stored_whole),
		cmocka_unit_test(a_changed_job_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
