// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The progress line on standard error, and signals during long work.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "dm-remap.h"
#include "progress.h"

#define REDRAW_MS	200
#define SETTLE_MS	1000	/* no rate before that: it would jump */
#define SAME_SIGNAL_MS	500	/* until then another signal is an echo of the first */

/* Columns */
#define BAR_LEAST	8
#define BAR_MOST	60
#define RATE_COLUMNS	27	/* "  1023.9 MiB/s, 23:59:59 left" seldom needs more */

static const char bar_full[BAR_MOST + 1] =
	"############################################################";

static volatile sig_atomic_t got_signal;
static uint64_t first_signal;	/* milliseconds; only on_signal() looks at it */

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/*
 * timeout(1) and service managers signal the process and its group, so that one
 * interrupt arrives twice; a person who insists is slower than that.
 */
static void on_signal(int sig)
{
	if (!got_signal) {
		first_signal = now_ms();
		got_signal = 1;
	} else if (now_ms() - first_signal >= SAME_SIGNAL_MS) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
}

void progress_begin(struct progress *p, const char *what,
		    enum progress_unit unit, bool quiet)
{
	struct sigaction action = { .sa_handler = on_signal };

	*p = (struct progress){
		.what = what, .unit = unit,
		.shown = !quiet && isatty(STDERR_FILENO),
		.started = now_ms(),
	};
	got_signal = 0;
	/* The handler is not entered twice at once. */
	sigaddset(&action.sa_mask, SIGINT);
	sigaddset(&action.sa_mask, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* "1:02:03" or "2:03" */
static void format_time(uint64_t seconds, char *buf, size_t size)
{
	if (seconds >= 3600)
		snprintf(buf, size, "%" PRIu64 ":%02u:%02u", seconds / 3600,
			 (unsigned int)(seconds / 60 % 60), (unsigned int)(seconds % 60));
	else
		snprintf(buf, size, "%u:%02u", (unsigned int)(seconds / 60),
			 (unsigned int)(seconds % 60));
}

/* "  118.3 MiB/s, 2:03 left"; empty while neither is known. */
static void format_rate(const struct progress *p, uint64_t done, uint64_t total,
			uint64_t elapsed, char *buf, size_t size)
{
	uint64_t rate;
	char part[32];
	int used = 0;

	*buf = '\0';
	if (elapsed < SETTLE_MS || done <= p->before)
		return;
	rate = (uint64_t)((double)(done - p->before) * 1000 / (double)elapsed);
	if (p->unit == PROGRESS_BYTES)
		used = snprintf(buf, size, "  %s/s",
				dmremap_format_size(rate, part, sizeof(part)));
	else if (p->unit == PROGRESS_BLOCKS)
		used = snprintf(buf, size, "  %" PRIu64 " blocks/s", rate);
	if (done >= total)
		return;
	format_time((uint64_t)((double)(total - done) * (double)elapsed / 1000 /
			       (double)(done - p->before)), part, sizeof(part));
	snprintf(buf + used, size - (size_t)used, "%s%s left", used ? ", " : "  ", part);
}

void progress_line(const struct progress *p, uint64_t done, uint64_t total, uint64_t elapsed,
		   unsigned int width, char *buf, size_t size)
{
	double part = done < total ? (double)done / (double)total : 1;
	unsigned int bar, full;
	char rate[96], rest[96];
	size_t used, room = width > 1 ? width - 1 : 0;

	format_rate(p, done, total, elapsed, rate, sizeof(rate));
	/* So wide that the bar does not move with each figure. */
	snprintf(rest, sizeof(rest), "%-*s", p->unit == PROGRESS_STEPS ? 14 : RATE_COLUMNS, rate);
	used = (size_t)snprintf(buf, size, "%s: %3u %%", p->what, (unsigned int)(part * 100));
	if (used >= size)
		used = size - 1;
	if (used + strlen(rest) + BAR_LEAST + 3 <= room && room < size) {
		bar = (unsigned int)(room - used - strlen(rest) - 3);
		if (bar > BAR_MOST)
			bar = BAR_MOST;
		full = (unsigned int)(part * bar);
		used += (size_t)snprintf(buf + used, size - used, " [%.*s%*s]", (int)full, bar_full,
					 (int)(bar - full), "");
	}
	if (used + strlen(rate) <= room)
		snprintf(buf + used, size - used, "%s", rate);
	if (room < size)
		buf[room] = '\0';
}

static unsigned int terminal_width(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col ? 80 : size.ws_col;
}

void progress_update(struct progress *p, uint64_t done, uint64_t total)
{
	char line[256];
	uint64_t now;

	if (!p->shown || !total)
		return;
	now = now_ms();
	if (p->drawn && now - p->last < REDRAW_MS && done < total)
		return;
	p->last = now;
	p->drawn = true;
	progress_line(p, done, total, now - p->started, terminal_width(), line, sizeof(line));
	fprintf(stderr, "\r\033[K%s", line);
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
	/* What is to be said of an interrupt is not cut off by its echo. */
	if (got_signal)
		return;
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
}

bool interrupted(void)
{
	return got_signal;
}
