/* A job that parses is printed and parses to the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "fs/walker/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct job *job = NULL, *again = NULL;
	char *text, *second;

	if (job_parse((const char *)data, size, &job) != ERR_OK)
		return 0;
	text = job_print(job);
	if (!text || job_parse(text, strlen(text), &again) != ERR_OK)
		abort();
	second = job_print(again);
	if (!second || strcmp(text, second) != 0)
		abort();
	free(text);
	free(second);
	job_free(job);
	job_free(again);
	return 0;
}
