#include "fs/mount/signals.h"

#include <signal.h>

/* Stops the waiting thread; interrupts a system call. */
#define STOP SIGUSR1
#define INTERRUPT SIGUSR2

static sigset_t waited_for(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, STOP);
	return set;
}

static void do_nothing(int number)
{
	(void)number;
}

void signals_block(void)
{
	struct sigaction interrupt = { .sa_handler = do_nothing }, ignore = { .sa_handler = SIG_IGN };
	sigset_t set = waited_for();

	sigaction(INTERRUPT, &interrupt, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void *wait_for_signals(void *argument)
{
	struct signals *s = argument;
	sigset_t set = waited_for();
	int number;

	while (!atomic_load(&s->stop))
		if (sigwait(&set, &number) == 0 && number != STOP && !atomic_load(&s->stop))
			s->end(s->context);
	return NULL;
}

enum err signals_start(struct signals *s, void (*end)(void *context), void *context)
{
	s->end = end;
	s->context = context;
	if (pthread_create(&s->thread, NULL, wait_for_signals, s) != 0)
		return ERR_NO_MEMORY;
	s->started = 1;
	return ERR_OK;
}

void signals_stop(struct signals *s)
{
	if (!s->started)
		return;
	atomic_store(&s->stop, 1);
	pthread_kill(s->thread, STOP);
	pthread_join(s->thread, NULL);
	s->started = 0;
}

void signals_interrupt(pthread_t thread)
{
	pthread_kill(thread, INTERRUPT);
}
