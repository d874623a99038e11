#ifndef REKEYFS_FS_BUCKET_RELEASE_H
#define REKEYFS_FS_BUCKET_RELEASE_H

struct bucket;

/* Wipes, closes and frees, and writes nothing: as a crash would.  NULL is fine. */
void bucket_release(struct bucket *b);

#endif
