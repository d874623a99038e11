/* A directory for one test, `*state` its path, gone afterwards with all in it. */
#ifndef REKEYFS_TESTS_LIB_SCRATCH_H
#define REKEYFS_TESTS_LIB_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int scratch_make(void **state)
{
	const char *parent = getenv("TMPDIR");
	char *path;

	if (asprintf(&path, "%s/rekeyfs-unit.XXXXXX", parent && *parent ? parent : "/tmp") < 0)
		return -1;
	*state = mkdtemp(path);
	return *state ? 0 : -1;
}

static inline int scratch_remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	return remove(path);
}

static inline int scratch_remove(void **state)
{
	int failed = nftw(*state, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);

	free(*state);
	return failed;
}

#endif
