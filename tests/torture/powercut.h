/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the episodes of the power-cut test share. */
#ifndef TORTURE_POWERCUT_H
#define TORTURE_POWERCUT_H

#include "workload.h"

#define CUTS_OF_EPISODE	40
#define CREATE_KINDS	2

struct totals {
	unsigned int episode;
	long cut;
	unsigned long cuts, failed, second, boundaries, at_boundaries, requests, sectors, errors, without;
};

extern struct totals totals;
extern unsigned int cuts_wanted;
extern long only_cut;		/* -1: all */

/* A moment that is worth a cut, and a choice of nr of them and others. */
void mark_moment(uint32_t at);
uint32_t choose_moments(const struct log *log, uint64_t seed, uint32_t *at, uint32_t nr);
/* One cut is done; @before: what was wrong before it. */
void report_cut(unsigned long before, const struct state *s);

/* Cuts of "create" and "destroy" themselves (create.c); the name of what was done. */
const char *create_episode(unsigned int kind, uint64_t seed);

#endif
