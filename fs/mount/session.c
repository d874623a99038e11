#include "fs/mount/operations.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "fs/mount/background.h"
#include "fs/mount/control.h"
#include "fs/mount/hooks.h"
#include "fs/mount/init_bits.h"
#include "fs/mount/mount_point.h"
#include "fs/mount/seek.h"
#include "fs/mount/signals.h"
#include "fs/mount/writers.h"

/* The kernel takes a number of seconds; this one outlives the machine. */
#define FOREVER 1e9
#define READ_ONLY_TIMEOUT 1.0
#define READ_AHEAD_KIB 1024
#define DRAIN_SECONDS 5

struct service {
	struct mount mount;		/* first: mount_end finds the rest */
	struct signals signals;
	pthread_t main, starter;
	int starter_runs;
	enum err start_error;		/* the starter's; read after it was joined */
	char start_message[256];
	void (*ready)(void *context);
	void *ready_context;
	pthread_mutex_t stop_lock;
	int stopped;			/* under stop_lock */
	atomic_int loop_ended;
};

/* What libfuse says before the mount is there belongs to the error; later to the log. */
static struct {
	char text[260];
	atomic_int serving;
} fuse_says;

static void take_fuse_log(enum fuse_log_level level, const char *format, va_list arguments)
{
	char text[256];

	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = 0;
	if (!atomic_load(&fuse_says.serving))
		snprintf(fuse_says.text, sizeof(fuse_says.text), ": %s", text);
	else if (level <= FUSE_LOG_WARNING)
		log_warning("%s", text);
	else
		log_debug("%s", text);
}

static enum err add_option(struct fuse_args *args, const char *name, const char *value)
{
	char *text = NULL, *list = NULL;
	enum err e = ERR_NO_MEMORY;

	if (asprintf(&text, "%s%s%s", name, value ? "=" : "", value ? value : "") >= 0 &&
	    fuse_opt_add_opt_escaped(&list, text) == 0 && fuse_opt_add_arg(args, "-o") == 0 && fuse_opt_add_arg(args, list) == 0)
		e = ERR_OK;
	free(text);
	free(list);
	return e;
}

static enum err make_arguments(const struct mount_options *o, struct fuse_args *args)
{
	const struct { const char *name, *value; int on; } rows[] = {
		{ "fsname", o->bucket, 1 },
		{ "subtype", MOUNT_TYPE, 1 },
		{ "default_permissions", NULL, 1 },
		{ "max_read", "1048576", 1 },
		{ "allow_other", NULL, o->allow_other },
		{ "ro", NULL, o->read_only },
		{ "suid", NULL, o->suid },
		{ "dev", NULL, o->dev },
		{ "noexec", NULL, o->noexec },
		{ "noatime", NULL, o->noatime },
	};
	enum err e = fuse_opt_add_arg(args, "rekeyfs") == 0 ? ERR_OK : ERR_NO_MEMORY;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && e == ERR_OK; i++)
		if (rows[i].on)
			e = add_option(args, rows[i].name, rows[i].value);
	return e;
}

static enum err mount_fuse(struct mount *m)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	enum err e = make_arguments(m->options, &args);

	fuse_set_log_func(take_fuse_log);
	if (e == ERR_OK) {
		m->fuse = fuse_session_new(&args, &mount_operations, sizeof(mount_operations), m);
		if (!m->fuse)
			e = err_set(ERR_INTERNAL, "cannot make a FUSE session%s", fuse_says.text);
	}
	if (e == ERR_OK && fuse_session_mount(m->fuse, m->options->mount_point) != 0)
		e = err_set(ERR_REFUSED, "cannot mount on %s%s", m->options->mount_point, fuse_says.text);
	else if (e == ERR_OK) {
		e = init_bits_install(m);
		if (e != ERR_OK)
			fuse_session_unmount(m->fuse);
	}
	fuse_opt_free_args(&args);
	return e;
}

static void drift(void *context, struct node *n)
{
	hooks_drift(context, n);
}

static void invalidate(void *context, struct node *n)
{
	struct mount *m = context;

	/* ENOENT: the kernel does not have it, ENOTCONN: nor anything else any more. */
	fuse_lowlevel_notify_inval_inode(m->fuse, id_of(m, n), 0, 0);
}

/* Waits for the first answer of the mount (which comes when INIT is done), then tells whoever waits. */
static void *start(void *argument)
{
	struct service *s = argument;
	struct mount *m = &s->mount;
	struct stat st;
	enum err e;

	if (stat(m->options->mount_point, &st) != 0) {
		s->start_error = err_set_errno("the mount on %s does not answer", m->options->mount_point);
		snprintf(s->start_message, sizeof(s->start_message), "%s", err_message(s->start_error));
		mount_end_by_force();
		return NULL;
	}
	m->device = st.st_dev;
	if (geteuid() == 0)
		mount_point_read_ahead(m->device, READ_AHEAD_KIB);
	e = control_start(m);
	if (e != ERR_OK)	/* files are served all the same */
		log_warning("commands cannot reach this mount: %s", err_message(e));
	if (s->ready)
		s->ready(s->ready_context);
	log_info("mounted bucket instance %s%s", m->instance, m->options->read_only ? " read-only" : "");
	return NULL;
}

static uint64_t requests_so_far(const struct mount *m)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < MOUNT_OPERATIONS; i++)
		all += atomic_load_explicit(&m->requests[i], memory_order_relaxed);
	return all;
}

/* Until the kernel asks for nothing more: what syncfs began may still be on its way. */
static void drain(const struct mount *m)
{
	uint64_t before = requests_so_far(m), now;

	for (int i = 0; i < DRAIN_SECONDS * 4; i++) {
		usleep(250000);
		now = requests_so_far(m);
		if (now == before)
			return;
		before = now;
	}
}

static void sync_mount(const struct mount *m)
{
	int fd = open(m->options->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) != 0)
		log_warning("not all that was written could be taken over: %s", err_text(err_errno()));
	if (fd >= 0)
		close(fd);
}

enum err mount_end(struct mount *m)
{
	enum err e = mount_point_unmount(m->options->mount_point, 0);

	if (e == ERR_NOT_FOUND)
		e = ERR_OK;
	if (e == ERR_OK)
		atomic_store(&m->detached, 1);
	return e;
}

void mount_end_by_force(void)
{
	kill(getpid(), SIGTERM);
}

/* All but the loop and the signals.  What they wait for may need FUSE's workers, so where the loop is to be broken off they
 * end before it. */
static void stop_threads(struct service *s)
{
	struct mount *m = &s->mount;

	atomic_store(&m->ending, 1);
	pthread_mutex_lock(&s->stop_lock);
	if (!s->stopped) {
		if (s->starter_runs)
			pthread_join(s->starter, NULL);
		control_stop(m);
		background_stop(m);
		hooks_stop(m);
		seeker_free(m->seeker);
		s->stopped = 1;
	}
	pthread_mutex_unlock(&s->stop_lock);
}

/* By the thread that waits for signals. */
static void end_by_signal(void *context)
{
	struct service *s = context;
	struct mount *m = &s->mount;

	log_info("a signal asks for the end");
	if (mount_end(m) == ERR_OK)
		return;
	log_warning("the mount is in use: whoever has something open there gets ENOTCONN");
	sync_mount(m);
	if (mount_point_unmount(m->options->mount_point, 1) != ERR_OK) {
		log_error("the mount cannot be detached");
		return;
	}
	atomic_store(&m->detached, 1);
	drain(m);
	stop_threads(s);
	fuse_session_exit(m->fuse);
	/* libfuse looks at that only when its wait is interrupted, and may just be about to wait. */
	while (!atomic_load(&s->loop_ended)) {
		signals_interrupt(s->main);
		usleep(20000);
	}
}

static unsigned thread_count(const struct mount_options *o)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (o->threads)
		return o->threads;
	return processors < 4 ? 8 : processors > 16 ? 32 : (unsigned)processors * 2;
}

static enum err loop(struct service *s)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int result;

	if (!config)
		return ERR_NO_MEMORY;
	fuse_loop_cfg_set_max_threads(config, thread_count(s->mount.options));
	fuse_loop_cfg_set_idle_threads(config, thread_count(s->mount.options));
	fuse_loop_cfg_set_clone_fd(config, 0);
	atomic_store(&fuse_says.serving, 1);
	result = fuse_session_loop_mt(s->mount.fuse, config);
	fuse_loop_cfg_destroy(config);
	if (result < 0) {
		errno = -result;
		return err_set_errno("the FUSE session ended");
	}
	return ERR_OK;
}

static enum err start_threads(struct service *s)
{
	struct mount *m = &s->mount;
	struct tree_events events = { .context = m, .drift = drift, .invalidate = invalidate };
	enum err e = seeker_new(m, &m->seeker);

	tree_set_events(m->tree, &events);
	if (e == ERR_OK)
		e = signals_start(&s->signals, end_by_signal, s);
	if (e == ERR_OK)
		e = hooks_start(m);
	if (e == ERR_OK)
		e = background_start(m);
	if (e == ERR_OK && pthread_create(&s->starter, NULL, start, s) != 0)
		e = ERR_NO_MEMORY;
	s->starter_runs = e == ERR_OK;
	return e;
}

/* The connection can end without an unmount (it was aborted): nothing is left to answer there. */
static void detach(struct mount *m)
{
	struct mount_entry entry;

	if (atomic_load(&m->detached) || mount_table_find(m->options->mount_point, &entry) != ERR_OK)
		return;
	if (entry.device == m->device)
		mount_point_unmount(m->options->mount_point, 1);
	mount_entry_release(&entry);
}

static enum err serve(struct service *s)
{
	struct mount *m = &s->mount;
	struct tree_events none = { .context = NULL };
	enum err e = mount_fuse(m);

	if (e != ERR_OK)
		goto out;
	s->main = pthread_self();
	e = start_threads(s);
	if (e == ERR_OK)
		e = loop(s);
	atomic_store(&s->loop_ended, 1);
	/* Does nothing where the kernel has ended the connection; otherwise this ends it, so that nobody waits for an answer. */
	if (!atomic_load(&m->detached))
		fuse_session_unmount(m->fuse);
	stop_threads(s);
	signals_stop(&s->signals);
	tree_set_events(m->tree, &none);
	detach(m);
	if (s->start_error != ERR_OK)
		e = err_set(s->start_error, "%s", s->start_message);
out:
	if (m->fuse)
		fuse_session_destroy(m->fuse);
	m->fuse = NULL;
	return e;
}

static enum err open_bucket(struct mount *m)
{
	const struct mount_options *o = m->options;
	enum err e = bucket_open(o->bucket, m->keymgr, o->read_only ? BUCKET_READ_ONLY : BUCKET_READ_WRITE, o->refuse_rollback, &m->bucket);

	if (e != ERR_OK)
		return e;
	uuid_text(m->bucket->state.instance_id, m->instance);
	e = writers_new(&m->writers);
	return e == ERR_OK ? tree_new(m->bucket, &m->tree) : e;
}

/* Everything durable, then the clean mark; an error leaves the bucket as a crash would, and the next mount looks closer. */
static enum err close_bucket(struct mount *m)
{
	int writes = !m->options->read_only;
	enum err e = ERR_OK;

	tree_free(m->tree);
	m->tree = NULL;
	if (writes)
		e = content_checkpoint(m->bucket);
	if (e == ERR_OK && writes && bucket_anchor(m->bucket) != ERR_OK)
		log_warning("the last checkpoint could not be told to the keystore");
	if (e != ERR_OK)
		log_error("the last checkpoint failed: %s", err_text(e));
	bucket_close(m->bucket, writes && e == ERR_OK);
	m->bucket = NULL;
	return e;
}

enum err mount_serve(const struct mount_options *options, struct keymgr *k, void (*ready)(void *context), void *context)
{
	struct service *s = calloc(1, sizeof(*s));
	struct mount *m = &s->mount;
	enum err e, closed = ERR_OK;

	if (!s)
		return ERR_NO_MEMORY;
	m->options = options;
	m->keymgr = k;
	m->since = clock_now();
	m->timeout = options->read_only ? READ_ONLY_TIMEOUT : FOREVER;
	s->ready = ready;
	s->ready_context = context;
	pthread_mutex_init(&s->stop_lock, NULL);
	umask(0);
	signals_block();
	e = open_bucket(m);
	if (e == ERR_OK)
		e = serve(s);
	if (m->tree)
		closed = close_bucket(m);
	else if (m->bucket)
		bucket_close(m->bucket, 0);
	writers_free(m->writers);
	if (e == ERR_OK)
		e = closed;
	control_free(m, e);
	background_free(m);
	log_info(e == ERR_OK ? "ended cleanly" : "ended with an error");
	free(s);
	return e;
}
