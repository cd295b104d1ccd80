/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the commands and libdmremap: finding the set that a command names,
 * telling the library's errors, showing and carrying out its plans, and
 * judging how a set is.
 */
#ifndef DMREMAP_SET_H
#define DMREMAP_SET_H

#include "cli.h"
#include "dm-remap.h"
#include "progress.h"

/* Print an error of the library and what helps. Returns FAILED. */
int fail_lib(const struct invocation *inv, int err, const struct dmremap_error *error);

/* Connect to the module. Returns DONE or FAILED. */
int open_module(const struct invocation *inv, struct dmremap_nl **nl);

/* Print an error of a dmremap_nl_ function about the set @name. Returns FAILED. */
int fail_module(const struct invocation *inv, const char *name, int err,
		const struct dmremap_error *error);

/*
 * Look at the disks, or at what --device names. Returns DONE or FAILED;
 * *scan is released by dmremap_scan_free().
 */
int scan_sets(const struct invocation *inv, unsigned int flags,
	      struct dmremap_scan **scan);

/* The same, and find the set of this name or UUID. Its map is loaded. */
int find_set(const struct invocation *inv, const char *name,
	     struct dmremap_scan **scan, struct dmremap_set **set);

/* Adapts struct progress to dmremap_progress_fn. */
int show_progress(uint64_t done, uint64_t total, void *arg);

/*
 * Show a plan, ask if it destroys anything (@question; --force agrees), and
 * carry it out unless --dry-run was given. Takes the plan over. *done tells
 * whether it was carried out.
 */
int run_plan(struct invocation *inv, struct dmremap_plan *plan,
	     const char *question, bool *done);

/* --- How a set is ----------------------------------------------------------- */

enum health {
	HEALTH_OK = 0,
	HEALTH_INFO,
	HEALTH_WARNING,
	HEALTH_CRITICAL,
};

const char *health_name(enum health health);

struct finding {
	enum health health;
	const char *state;	/* one word */
	char reason[DMREMAP_TEXT_SIZE];
	char action[256];
};

/*
 * All that is wrong with a set, worst first; computed here for every command
 * that tells. The list is never empty: with nothing wrong it is one HEALTH_OK.
 */
#define MAX_FINDINGS 16

struct assessment {
	int nr;
	struct finding findings[MAX_FINDINGS];
};

void assess_active(const struct dmremap_status *status, struct assessment *a);
void assess_inactive(const struct dmremap_set_info *info, struct assessment *a);

/*
 * How a member is, in a word: "missing", "new" (joins at the next start), what
 * the map says, or "unknown" without a map.
 */
const char *member_state(const struct dmremap_set_info *info,
			 const struct dmremap_member_info *m);

/* Members that belong to the set: not those that were taken out for good. */
bool is_member(const struct dmremap_member_info *m);
unsigned int nr_spares(const struct dmremap_set_info *info);

/* Of a part of a whole, rounded down; 0 of nothing. */
unsigned int percent(uint64_t part, uint64_t whole);

#endif /* DMREMAP_SET_H */
