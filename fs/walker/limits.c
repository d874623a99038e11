#include "fs/walker/run.h"

#include <stdio.h>
#include <time.h>
#include "base/clock.h"

#define DAY_MINUTES (24 * 60)

static int minutes(unsigned hour, unsigned minute, unsigned *out)
{
	*out = hour * 60 + minute;
	return minute < 60 && *out <= DAY_MINUTES;
}

enum err walker_parse_hours(const char *text, struct walker_limits *out)
{
	unsigned from, until, hours[2], minute[2];
	int end = -1;

	if (sscanf(text, "%2u:%2u-%2u:%2u%n", &hours[0], &minute[0], &hours[1], &minute[1], &end) != 4 || end < 0 || text[end] ||
	    !minutes(hours[0], minute[0], &from) || !minutes(hours[1], minute[1], &until))
		return err_set(ERR_USAGE, "\"%s\" are no hours of the day: write 22:00-06:00", text);
	out->from = from % DAY_MINUTES;
	out->until = until % DAY_MINUTES;
	return ERR_OK;
}

void walker_set_limits(struct walker *w, const struct walker_limits *limits)
{
	atomic_store(&w->bandwidth, limits->bandwidth);
	atomic_store(&w->from, limits->from);
	atomic_store(&w->until, limits->until);
}

int limits_open(struct walker *w)
{
	unsigned from = atomic_load(&w->from), until = atomic_load(&w->until), now;
	time_t seconds = (time_t)clock_now();
	struct tm day;

	if (from == until || !w->threaded || !localtime_r(&seconds, &day))	/* who runs it by hand wants it now */
		return 1;
	now = (unsigned)(day.tm_hour * 60 + day.tm_min);
	return from < until ? now >= from && now < until : now >= from || now < until;
}

uint64_t limits_bandwidth(struct walker *w, const struct job *job)
{
	return job && job->bandwidth ? job->bandwidth : atomic_load(&w->bandwidth);
}

void limits_text(struct walker *w, char *out, size_t room)
{
	unsigned from = atomic_load(&w->from), until = atomic_load(&w->until);

	snprintf(out, room, "%02u:%02u to %02u:%02u", from / 60, from % 60, until / 60, until % 60);
}
