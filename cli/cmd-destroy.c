// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * destroy: taking a set apart, after naming the blocks that are lost with it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "set.h"

#define RANGES_NAMED 8

/* Name the blocks that live on spares or have lost sectors; none: say nothing. */
static void name_blocks(struct dmremap_set *set, const char *name)
{
	struct dmremap_ranges *ranges;
	const struct dmremap_range *range;
	struct dmremap_map_entry entry;
	struct dmremap_map *map;
	char text[512] = "";
	size_t n = 0, i;

	if (dmremap_map_open_disk(set, &map, NULL) < 0)
		return;
	if (!dmremap_ranges_new(0, &ranges)) {
		while (dmremap_map_next(map, &entry, NULL) == 1)
			dmremap_ranges_add(ranges, entry.block, 1);
		for (i = 0; i < RANGES_NAMED && (range = dmremap_ranges_get(ranges, i)); i++) {
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%" PRIu64,
					      i ? ", " : "", range->start);
			if (range->count > 1)
				n += (size_t)snprintf(text + n, sizeof(text) - n, "-%" PRIu64,
						      range->start + range->count - 1);
		}
		if (i)
			warn("blocks of set %s that live on spares or have lost sectors: %s%s",
			     name, text, dmremap_ranges_get(ranges, i) ? " ..." : "");
		if (dmremap_ranges_get(ranges, i))
			advise("All of them: " PROGRAM " map list %s", name);
		dmremap_ranges_free(ranges);
	}
	dmremap_map_free(map);
}

int cmd_destroy(struct invocation *inv)
{
	struct dmremap_error error = {};
	const struct dmremap_set_info *info;
	struct dmremap_scan *scan;
	struct dmremap_plan *plan;
	struct dmremap_set *set;
	char *question = NULL, name[DMREMAP_NAME_SIZE];
	bool done = false;
	int err;

	err = find_set(inv, inv->args[0], &scan, &set);
	if (err)
		return err;
	info = dmremap_set_info(set);
	memcpy(name, info->name, sizeof(name));
	if (!info->active)
		name_blocks(set, name);
	/* What nothing is written for needs no consent. */
	err = dmremap_destroy_plan(set, option_given(inv, "force") ||
				   option_given(inv, "dry-run") ? DMREMAP_FORCE : 0,
				   &plan, &error);
	if (err < 0) {
		fail_lib(inv, err, &error);
		if (err == -EALREADY)
			advise("First: " PROGRAM " stop %s", name);
		err = FAILED;
	} else {
		if (asprintf(&question, "Destroy set %s (%s)?", name, info->uuid) < 0)
			no_memory();
		err = run_plan(inv, plan, question, &done);
		free(question);
	}
	dmremap_scan_free(scan);
	if (!err && done)
		say("Set %s is destroyed.", name);
	return err;
}
