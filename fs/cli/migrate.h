/* The sub-verbs of `rekeyfs migrate` that lie in files of their own. */
#ifndef REKEYFS_FS_CLI_MIGRATE_H
#define REKEYFS_FS_CLI_MIGRATE_H

#define MIGRATE_PROGRAM "rekeyfs migrate"

int migrate_start(int argc, char **argv);

#endif
