/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internal to alert.c and alert-table.c: what each alert says. */
#ifndef DMREMAPD_ALERT_H
#define DMREMAPD_ALERT_H

#include "daemon.h"

/*
 * Sentences: %d is the set, %s the spare, %k the disk, %n the count; "%n{block|blocks}"
 * chooses by it. Those of `end` belong to a condition that is over.
 */
struct alert_text {
	const char *event;		/* DMREMAP_EVENT= */
	int priority;
	const char *message_id, *message;
	const char *end_id, *end;
	const char *action;		/* DMREMAP_ACTION=: what to do, or NULL */
	bool no_hooks;
	bool counts;			/* DMREMAP_COUNT= is there even if it is 0 */
};

extern const struct alert_text alert_texts[NR_ALERTS];

/* Put what @alert has into @sentence. Returns @buf. */
char *alert_expand(const char *sentence, const struct alert *alert, char *buf, size_t size);

/* Tell what is due by clock_now(). */
void alert_check(struct daemon *daemon);

#endif
