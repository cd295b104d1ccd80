/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which labelled device becomes a spare of which set (spares-match.c, pure), and reading
 * labels (spares-probe.c). spares.c finds the devices and acts.
 */
#ifndef DMREMAPD_SPARES_H
#define DMREMAPD_SPARES_H

#include "daemon.h"

struct candidate {
	LIST_ENTRY(candidate) link;
	char path[DMREMAP_PATH_SIZE];
	unsigned int major, minor;
	struct dmremap_label label;
	bool failing;			/* the drive below says so */
	unsigned int fails;		/* attempts in a row that came to nothing */
	uint64_t failed_at;		/* the last of them; nanoseconds */
};

LIST_HEAD(candidates, candidate);

/* --- spares-probe.c ------------------------------------------------------------- */

/* A device to be looked at. */
struct place {
	char path[DMREMAP_PATH_SIZE];
	unsigned int major, minor;
	int labelled;			/* out: as dmremap_label_read() */
	struct dmremap_label label;
};

/* In the loop. @place NULL: one has not answered for long, and is not waited for. */
typedef void (*probes_fn)(struct daemon *daemon, const struct place *place);

/* daemon->probes. */
int probes_new(struct daemon *daemon, probes_fn fn);
void probes_want(struct probes *probes, const struct place *place);
/* Has all that was wanted been looked at, but for what does not answer? */
bool probes_settled(const struct probes *probes);
void probes_free(struct daemon *daemon);
/* After so long it is told that a device does not answer. Tests are impatient. */
extern uint64_t probes_patience_usec;

/* --- spares-match.c ------------------------------------------------------------- */

/* Does the set need one: has it fallen to its threshold? */
bool spare_needed(const struct dmremap_nl_device *device, unsigned int nr_spares,
		  const struct set_config *config);
/* Percent of its slots that are free, rounded down. */
unsigned int spare_percent_free(const struct dmremap_nl_device *device);
/* Spare blocks that a device of so many bytes would have in this set; 0: too small. */
uint64_t spare_slots(const struct dmremap_nl_device *device, uint64_t bytes);
/* Why it can not be this set's, as the end of a sentence; NULL: it can. */
const char *spare_unfit(const struct candidate *candidate,
			const struct dmremap_nl_device *device,
			const struct set_config *config);
/*
 * The best one that fits and need not be waited for at @now: of the lowest tier; the
 * smallest that has plenty of room, so that large ones are left to who needs them; else
 * the largest. NULL: none.
 */
struct candidate *spare_choose(struct candidates *candidates,
			       const struct dmremap_nl_device *device,
			       const struct set_config *config, uint64_t now);
/* Is it too early for another attempt? Not if the clock was set back. */
bool spare_waits(const struct candidate *candidate, uint64_t now);
/* Seconds to wait after so many failures in a row. */
uint64_t spare_backoff(unsigned int fails);

#endif
