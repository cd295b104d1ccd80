/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the map commands share: opening the map of a set wherever it is, and
 * sending ranges to the module.
 */
#ifndef DMREMAP_MAP_H
#define DMREMAP_MAP_H

#include "set.h"

/*
 * The map of a running set from the module, else from the disks. *scan must be
 * freed after *map and may be NULL. @info (may be NULL) gets a copy of what is
 * known of the set; of a running one only name, UUID, sizes and offset.
 */
int open_map(struct invocation *inv, const char *name, struct dmremap_scan **scan,
	     struct dmremap_map **map, struct dmremap_set_info *info);

typedef int (*send_ranges_fn)(const char *name, struct dmremap_ranges *ranges,
			      dmremap_progress_fn progress, void *arg,
			      struct dmremap_result *result,
			      struct dmremap_error *err);

/*
 * Send @ranges with progress, tell the result, and how to go on after an
 * interruption. FAILED also if a block could not be done.
 */
int send_ranges(struct invocation *inv, const char *name, struct dmremap_ranges *ranges,
		send_ranges_fn send);

#endif /* DMREMAP_MAP_H */
