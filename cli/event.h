/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What event list and event follow share: which events are wanted, and where the
 * history is.
 */
#ifndef DMREMAP_EVENT_H
#define DMREMAP_EVENT_H

#include "cli.h"
#include "dm-remap.h"

/* The set and --kind. Returns DONE or WRONG_USAGE. */
int wanted_events(const struct invocation *inv, struct dmremap_history_query *query);

/* What people call it: "read-error", or what the daemon did, "spare-added". */
const char *shown_kind(const struct dmremap_event *event);

/* Open it for reading. Returns 0, with NULL after a warning if there is none yet, or -errno. */
int open_history(const struct invocation *inv, struct dmremap_history **history,
		 struct dmremap_error *error);

/* Tell why it can not be read, as an error or as a warning. The first returns FAILED. */
int fail_history(const struct invocation *inv, int err, const struct dmremap_error *error);
void warn_history(const struct dmremap_error *error);

#endif /* DMREMAP_EVENT_H */
