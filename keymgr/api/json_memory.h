/* JSON in memory holds plaintexts and data keys as base64: jansson's blocks are wiped when freed. */
#ifndef REKEYFS_KEYMGR_API_JSON_MEMORY_H
#define REKEYFS_KEYMGR_API_JSON_MEMORY_H

/* From now on, for the whole process; before the first use of jansson and before threads. */
void json_memory_start(void);

#endif
