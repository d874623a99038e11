/*
 * Nodes and what lies beside them: shared by the files of fs/tree alone.
 *
 * A node is found by its lower inode (device, inode number), and by each place that is known for it: parent and lower name.  It lives while
 * the kernel counts lookups, or while something inside refers to it: a place whose parent it is, an open content, a handle, a loan.
 * A node whose inode has lost its last name is dead: it leaves the table at once, since the lower filesystem gives its number away again.
 *
 * Locks, in this order:
 *   names    the namespace: held shared by all that goes by names, exclusively by what takes names away.  While it is held, a node's places stay.
 *   making   from a new lower file's name to its content, shared; exclusively by who found one without content, to wait
 *   lock     of one node: its content and how it is open; a directory's id.  At most one at a time.
 *   (the locks inside fs/content and fs/bucket)
 *   opened   the lists of open contents
 *   table    nodes, places, lookup counts, references
 *   dirs     descriptors of directories
 */
#ifndef REKEYFS_FS_TREE_NODE_H
#define REKEYFS_FS_TREE_NODE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>
#include "fs/names/names.h"
#include "fs/tree/tree.h"

#define TREE_DIRECTORIES 512	/* O_PATH descriptors that stay open */
#define TREE_TEMPORARY "rekeyfs.new-"	/* what is being made */
#define TREE_DISCARDED "rekeyfs.old-"	/* what is being removed */
#define TREE_TEMPORARY_MAX 32
#define TREE_LARGE ((off_t)64 << 20)

struct place {
	struct place *next;	/* in its hash chain */
	struct place *sibling;	/* the same node's next one */
	struct node *node, *parent;
	uint32_t hash;
	char lower[];
};

struct node {
	struct node *next;		/* table: in its hash chain, or among the dead */
	struct node **link;		/* table: the dead alone: what points here */
	dev_t dev;
	ino_t ino;
	uint64_t lookups;		/* table */
	unsigned refs;			/* table */
	nlink_t links;			/* table; changed with `names` held exclusively, or by a stat with it shared */
	struct place *places;		/* table, and `names` */
	atomic_uint mode;		/* the lower st_mode as seen or set last */
	atomic_int dead;
	atomic_int large;		/* so much that its end takes the lower filesystem a while */
	pthread_mutex_t lock;
	union {
		struct {		/* a regular file: guarded by `lock` */
			struct content *content;	/* holds one reference to the node */
			struct node *newer, *older;	/* opened */
			int fd;				/* the content's; valid while it is */
			unsigned users;			/* handles and loans */
			unsigned read_only : 1, locked : 1, wrote : 1;
			unsigned lingering : 1, must_stay : 1;	/* opened */
		} file;
		struct {		/* a directory */
			struct node *newer, *older;	/* dirs */
			int fd;				/* dirs; -1 while not open */
			unsigned pins;			/* dirs */
			atomic_int default_acl;		/* -1: not known */
			atomic_int has_id;		/* set once, under `lock` */
			uint8_t id[UUID_LEN];
		} dir;
		struct {		/* all else */
			int fd;		/* O_PATH, kept when the last name of a special file goes; else -1 */
		} other;
	};
};

struct loan { struct loan *next; struct content *content; struct node *node; unsigned count; };

#define LOAN_CHAINS 256

struct tree {
	struct bucket *b;
	struct node *root;
	uid_t uid;
	gid_t gid;

	pthread_rwlock_t names, making;

	pthread_mutex_t opened;
	struct node *busy;			/* contents with users */
	struct node *newest, *oldest;		/* lingering ones */
	unsigned lingering;
	atomic_uint handles;
	atomic_int locked;			/* the whole mount */

	pthread_mutex_t table;
	struct node **nodes;
	struct place **places;
	struct node *buried;			/* dead ones that are still held */
	struct place *retired;			/* freed when `names` is next held exclusively */
	size_t node_chains, place_chains, node_count, place_count;

	pthread_mutex_t dirs;
	struct node *dir_newest, *dir_oldest;
	unsigned dir_count, dir_max;

	pthread_mutex_t loan_lock;
	struct loan *loans[LOAN_CHAINS];

	pthread_mutex_t move_lock;
	pthread_cond_t move_change;
	unsigned moving, moves_held;		/* move_lock */
	atomic_uint_fast64_t moves;

	pthread_mutex_t resolved_lock;
	struct {			/* what a policy's key was last resolved to, at this generation of the keystore */
		int valid;
		uint64_t generation;
		char key[POLICY_KEY_MAX + 1];
		uint8_t id[KEY_ID_LEN];
	} resolved;

	struct tree_events events;
};

static inline int node_is_directory(const struct node *n)
{
	return S_ISDIR(n->mode);
}

static inline int node_is_file(const struct node *n)
{
	return S_ISREG(n->mode);
}

/* --- node.c: the table ----------------------------------------------------------- */

enum err nodes_start(struct tree *t);
void nodes_end(struct tree *t);		/* frees every node; none is in use any more */
/* The node of a lower inode, made where there is none.  `parent` and `lower` (or NULL) become a place of it.  Adds `lookups` to its count
 * and `refs` to its references. */
enum err node_get(struct tree *t, const struct stat *lower_stat, struct node *parent, const char *lower, unsigned lookups, unsigned refs, struct node **out);
/* Only where there is one: with a reference. */
struct node *node_find(struct tree *t, dev_t dev, ino_t ino);
void node_ref(struct tree *t, struct node *n);
void node_unref(struct tree *t, struct node *n);	/* NULL is fine */
void node_add_lookup(struct tree *t, struct node *n);
/* Note what a stat said of it. */
void node_note(struct tree *t, struct node *n, const struct stat *lower_stat);

/* One of its places, or NULL; stays while `names` is held. */
struct place *node_place(struct tree *t, struct node *n);
/* The node known at a place, with a reference, or NULL. */
struct node *place_find(struct tree *t, const struct node *parent, const char *lower);
enum err place_add(struct tree *t, struct node *n, struct node *parent, const char *lower);
/* With `names` held exclusively. */
void place_remove(struct tree *t, const struct node *parent, const char *lower);
/* A name of its inode is gone (`names` held exclusively).  1 where it was the last: the node is dead now. */
int node_unlinked(struct tree *t, struct node *n);
void node_linked(struct tree *t, struct node *n);
void node_bury(struct tree *t, struct node *n);		/* dead, whatever its count of links */

void names_share(struct tree *t);
void names_hold(struct tree *t);	/* exclusively */
void names_release(struct tree *t);
/* A new lower file is empty until it has its content: around that; and for who finds it so, a wait until all that are under way have theirs. */
void making_begin(struct tree *t);
void making_end(struct tree *t);
void making_wait(struct tree *t);

/* --- directories.c: descriptors and ids --------------------------------------------- */

/* A descriptor (O_PATH) of the directory that stays open until dir_unpin.  `names` is held. */
enum err dir_pin(struct tree *t, struct node *n, int *fd_out);
void dir_unpin(struct tree *t, struct node *n);
/* Only where it is open already: 1, or 0. */
int dir_pin_open(struct tree *t, struct node *n, int *fd_out);
/* `fd` (O_PATH) becomes its descriptor; taken. */
void dir_adopt(struct tree *t, struct node *n, int fd);
void dir_close(struct tree *t, struct node *n);
/* Close all that nobody uses (descriptors ran out). */
void dir_close_idle(struct tree *t);
enum err dir_id(struct tree *t, struct node *n, uint8_t out[static UUID_LEN]);
void dir_set_id(struct node *n, const uint8_t id[static UUID_LEN]);
enum err dir_names_key(struct tree *t, struct node *n, struct names_key *out);
int dir_default_acl(struct tree *t, struct node *n, int fd);

/* --- entry.c: one name in a directory --------------------------------------------------- */

struct entry {
	struct node *parent;
	int fd;			/* of the parent, pinned */
	struct lower_name lower;
};

/* `names` is held until entry_end.  ERR_INVALID, ERR_TOO_LONG; ERR_ERRNO + ENOTDIR. */
enum err entry_begin(struct tree *t, struct node *parent, const char *name, struct entry *out);
void entry_end(struct tree *t, struct entry *e);
/* Long names: the `.name` beside it.  made_out 1 where it was not there before. */
enum err entry_write_long(const struct entry *e, int *made_out);
void entry_remove_long(const struct entry *e);
/* fstatat, no symlink followed. */
enum err entry_stat(const struct entry *e, struct stat *out);
/* The node at the entry, with a reference; NULL where the entry is absent or no node stands for it.  `st` where it was asked for: st_mode 0 if absent. */
enum err entry_node(struct tree *t, const struct entry *e, struct node **out, struct stat *st);
/* `prefix` and random digits. */
void entry_temporary(const char *prefix, char out[static TREE_TEMPORARY_MAX]);
/* Owner and mode of what is made in a directory. */
struct owner { int change; uid_t uid; gid_t gid; };
struct owner entry_owner(const struct tree *t, const struct node *parent, const struct caller *who);
mode_t entry_mode(struct tree *t, const struct entry *e, mode_t mode, const struct caller *who);
/* ERR_ERRNO + EROFS on a read-only bucket. */
enum err tree_may_change(const struct tree *t);

/* --- reach.c: a node's lower inode, for one call --------------------------------------------- */

/* `fd`: a descriptor of any kind, or -1: `name` in `dir_fd`. */
struct reach {
	struct node *node;
	struct node *pinned;	/* directory to unpin, or NULL */
	int locked;		/* the node's lock is held */
	int fd, dir_fd;
	const char *name;
	char path[24 + NAME_LOWER_MAX + 2];	/* through /proc/self/fd, for calls on extended attributes */
};
/* `names` is held until reach_end. */
enum err reach_begin(struct tree *t, struct node *n, struct reach *out);
void reach_end(struct tree *t, struct reach *r);
enum err reach_stat(const struct reach *r, struct stat *out);
enum err reach_chown(const struct reach *r, uid_t uid, gid_t gid);
enum err reach_chmod(const struct reach *r, mode_t mode);
enum err reach_times(const struct reach *r, const struct timespec times[static 2]);
ssize_t reach_getxattr(const struct reach *r, const char *name, void *out, size_t max);
ssize_t reach_listxattr(const struct reach *r, char *out, size_t max);
int reach_setxattr(const struct reach *r, const char *name, const void *value, size_t len, int flags);
int reach_removexattr(const struct reach *r, const char *name);
/* Open the lower inode itself, checked to be this node's; regular files and directories only. */
enum err reach_open(struct tree *t, struct node *n, int flags, int *fd_out, struct stat *st);
/* The daemon of an ordinary user may lack the lower mode's leave for what the mount's kernel has allowed: its owner gives it for the moment of
 * opening.  ERR_ERRNO + EACCES where it is not the owner. */
enum err lower_open_lent(struct tree *t, int dir_fd, const char *name, int flags, int *fd_out);

/* --- attributes -------------------------------------------------------------------- */

/* The plain attributes out of the lower ones.  No node's lock is held. */
void plain_attributes(struct tree *t, struct node *n, const struct stat *lower, struct stat *out);
/* The same without a node: `dir_fd` and `lower_name` open a file whose size is in doubt. */
void plain_attributes_at(struct tree *t, int dir_fd, const char *lower_name, const struct stat *lower, struct stat *out);

/* --- open_file.c: contents of regular files ------------------------------------------------- */

#define FILE_READ 0u
#define FILE_WRITE 1u
#define FILE_TRUNCATE 2u	/* to zero: takes the policy's key; what cannot be read for want of a key is thrown away */
/* `names` is held.  Adds a user; file_release takes it away. */
enum err file_acquire(struct tree *t, struct node *n, unsigned how, struct content **out);
/* The same for a file that was just made, or opened elsewhere: `fd` is taken.  `key_id`: it is new; NULL: what lies there is opened, from a key
 * that is pending deletion under `migrate_to` (or NULL).  ERR_NOT_FOUND where it never got a key. */
enum err file_adopt(struct tree *t, struct node *n, int fd, int read_only, const uint8_t *key_id, const uint8_t *migrate_to, struct content **out);
enum err file_release(struct tree *t, struct node *n);
/* Only where the content is open: adds a user. */
struct content *file_acquire_open(struct tree *t, struct node *n);
/* Close the content of a node that nobody uses (its last name is gone). */
void file_discard(struct tree *t, struct node *n);
/* Close lingering contents (descriptors ran out; `all`: at the end, or to let go of keys). */
void file_close_lingering(struct tree *t, unsigned keep);
/* With the node's lock held: wipe and close, no users. */
void file_close_locked(struct tree *t, struct node *n);
/* A handle of a file that was just made; `fd` is taken. */
enum err open_file_start(struct tree *t, struct node *n, int fd, const uint8_t key_id[static KEY_ID_LEN], struct open_file **out);
/* Every node with an open content, each with a reference: malloc'd. */
enum err file_each_open(struct tree *t, struct node ***out, size_t *count_out);

/* --- policy.c (`names` is held) ---------------------------------------------------------- */

enum err policy_of(struct tree *t, struct node *dir, struct policy *out, uint8_t from_out[static UUID_LEN]);
enum err policy_key_of(struct tree *t, struct node *dir, uint8_t key_id_out[static KEY_ID_LEN]);
/* ERR_NO_KEY unless it is enabled. */
enum err policy_resolve(struct tree *t, const struct policy *p, uint8_t key_id_out[static KEY_ID_LEN]);
/* For a file that stands outside any known node: climbs by "..". */
enum err policy_key_at(struct tree *t, int dir_fd, uint8_t key_id_out[static KEY_ID_LEN]);
/* Key and material of the newest slot of a regular file, without its key.  ERR_NOT_FOUND: it has none yet. */
enum err file_key(struct tree *t, struct node *n, struct key_ref *out, uint8_t *suite_out);
/* `enforce` at opening: ERR_ERRNO + EACCES. */
enum err policy_check_open(struct tree *t, struct node *n, struct content *c);
/* `enforce` at a rename or link of `n` from one directory to another: ERR_REFUSED.  drift_out: a migration becomes due. */
enum err policy_check_move(struct tree *t, struct node *n, struct node *from, struct node *to, int *drift_out);

/* --- directory.c --------------------------------------------------------------------- */

/* Make an open directory ready to be removed: ERR_ERRNO + ENOTEMPTY where it has plain entries.  `remove`: take away what is ours. */
enum err directory_clear(int fd, int remove);
/* The discarded directory `name` in `parent_fd`: cleared and removed. */
enum err directory_discard(struct tree *t, int parent_fd, const char *name);
/* A directory that was removed had a policy of its own: it goes with it. */
void directory_forget_policy(struct tree *t, const uint8_t id[static UUID_LEN]);
/* What the header of an open directory (O_PATH) says: 1, or 0 where it has no valid one. */
int directory_read_id(struct tree *t, int fd, uint8_t id[static UUID_LEN]);

/* --- rename.c --------------------------------------------------------------------------- */

/* A large file's blocks are given back when its last descriptor goes: this one (O_PATH, or -1), opened before its name is removed and closed
 * after `names` is released. */
int entry_outlive(const struct entry *e, const struct node *n);
/* Around whatever moves or links an inode. */
void move_begin(struct tree *t);
void move_end(struct tree *t);

#endif
