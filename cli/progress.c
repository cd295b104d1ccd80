// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The progress line on standard error, and signals during long work.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "dm-remap.h"
#include "progress.h"

#define REDRAW_MS	200
#define SETTLE_MS	1000	/* no rate before that: it would jump */

static volatile sig_atomic_t got_signal;

static void on_signal(int sig)
{
	(void)sig;
	got_signal = 1;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void progress_begin(struct progress *p, const char *what,
		    enum progress_unit unit, bool quiet)
{
	/* Once: the second signal finds the default action. */
	struct sigaction action = {
		.sa_handler = on_signal, .sa_flags = SA_RESETHAND,
	};

	*p = (struct progress){
		.what = what, .unit = unit,
		.shown = !quiet && isatty(STDERR_FILENO),
		.started = now_ms(),
	};
	got_signal = 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* "1:02:03" or "2:03" */
static void print_time(uint64_t seconds)
{
	if (seconds >= 3600)
		fprintf(stderr, "%" PRIu64 ":%02u:%02u", seconds / 3600,
			(unsigned int)(seconds / 60 % 60), (unsigned int)(seconds % 60));
	else
		fprintf(stderr, "%u:%02u", (unsigned int)(seconds / 60),
			(unsigned int)(seconds % 60));
}

void progress_update(struct progress *p, uint64_t done, uint64_t total)
{
	uint64_t now, elapsed, rate;
	char buf[32];

	if (!p->shown || !total)
		return;
	now = now_ms();
	if (p->drawn && now - p->last < REDRAW_MS && done < total)
		return;
	p->last = now;
	p->drawn = true;

	elapsed = now - p->started;
	fprintf(stderr, "\r\033[K%s: %u %%", p->what,
		(unsigned int)((double)done * 100 / (double)total));
	if (elapsed >= SETTLE_MS && done > p->before) {
		rate = (uint64_t)((double)(done - p->before) * 1000 / (double)elapsed);
		if (p->unit == PROGRESS_BYTES)
			fprintf(stderr, ", %s/s", dmremap_format_size(rate, buf, sizeof(buf)));
		else if (p->unit == PROGRESS_BLOCKS)
			fprintf(stderr, ", %" PRIu64 " blocks/s", rate);
		if (done < total) {
			fputs(", ", stderr);
			print_time((uint64_t)((double)(total - done) *
					      (double)elapsed / 1000 /
					      (double)(done - p->before)));
			fputs(" left", stderr);
		}
	}
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
}

bool interrupted(void)
{
	return got_signal;
}
