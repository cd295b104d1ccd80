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

/* Open it for reading. DONE with NULL after a warning if there is none yet; FAILED. */
int open_history(const struct invocation *inv, struct dmremap_history **history);

#endif /* DMREMAP_EVENT_H */
