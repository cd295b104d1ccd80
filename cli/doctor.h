/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checks of `dmremapctl doctor`. Each reports what it found; none changes
 * anything.
 */
#ifndef DMREMAP_DOCTOR_H
#define DMREMAP_DOCTOR_H

#include "message.h"
#include "set.h"

struct doctor {
	struct invocation *inv;
	const char *root;	/* put before /sys, /proc ...: "" except in tests */
	struct group *findings;
	enum health worst;
	unsigned int problems;	/* findings that need care */
};

/*
 * Report one thing: @topic is a word ("module") or the name of a set, @action
 * what to do (NULL: nothing).
 */
void report(struct doctor *d, enum health health, const char *topic,
	    const char *action, const char *fmt, ...) PRINTF(5, 6);

/* Module, device-mapper, Secure Boot. True if the module can be asked. */
bool check_system(struct doctor *d);

#endif /* DMREMAP_DOCTOR_H */
