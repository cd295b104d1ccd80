/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Long work: percent, a bar, rate and time left on a terminal, and a clean stop on
 * SIGINT or SIGTERM. Whoever loops asks interrupted() between two steps, each
 * of which leaves a consistent state; a second signal, half a second later or more,
 * kills as usual.
 */
#ifndef DMREMAP_PROGRESS_H
#define DMREMAP_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum progress_unit {
	PROGRESS_BYTES,
	PROGRESS_BLOCKS,
	PROGRESS_STEPS,		/* of unlike size: no rate */
};

struct progress {
	const char *what;
	enum progress_unit unit;
	bool shown;		/* on a terminal, and not with --json */
	bool drawn;		/* something is on the line now */
	uint64_t started, last;	/* milliseconds */
	uint64_t before;	/* done by others, or earlier: no part of the rate */
};

/* Start to catch signals and to show work called @what. */
void progress_begin(struct progress *p, const char *what,
		    enum progress_unit unit, bool quiet);

/* Redraws at most five times a second. */
void progress_update(struct progress *p, uint64_t done, uint64_t total);

/*
 * The line that progress_update() draws after @elapsed milliseconds, for a terminal of
 * @width columns, whose last one stays free. What does not fit goes: first the bar, then
 * what stands behind it.
 */
void progress_line(const struct progress *p, uint64_t done, uint64_t total, uint64_t elapsed,
		   unsigned int width, char *buf, size_t size);

/* Clear the line. Signals act as usual again, unless one has interrupted the work. */
void progress_end(struct progress *p);

/* True once SIGINT or SIGTERM has arrived since progress_begin(). */
bool interrupted(void);

#endif /* DMREMAP_PROGRESS_H */
