// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * start and stop, of one set or of all.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "set.h"

static const struct field result_fields[] = {
	{ .key = "name" }, { .key = "uuid" }, { .key = "path" },
	{ .key = "active", .type = FIELD_BOOL }, {},
};

static const struct view result_view = {
	.key = "sets", .style = VIEW_JSON, .fields = result_fields,
};

static void describe(struct group *g, const char *name, const char *uuid, bool active)
{
	struct record *r = group_add(g);

	set_string(r, "name", name);
	set_string(r, "uuid", uuid);
	if (active)
		set_text(r, "path", "/dev/mapper/%s", name);
	set_bool(r, "active", active);
}

/* NAME or --all, not both. */
static int check_which(const struct invocation *inv)
{
	const char *name = inv->command->name;

	if (option_given(inv, "all") == (inv->nr_args == 1)) {
		wrong_usage("%s: either a name or --all is needed", name);
		advise("See " PROGRAM " %s --help.", name);
		return WRONG_USAGE;
	}
	return DONE;
}

/* --- start ------------------------------------------------------------------------ */

static int start_set(struct invocation *inv, struct dmremap_set *set, struct group *g)
{
	const struct dmremap_set_info *info = dmremap_set_info(set);
	struct dmremap_start start = {
		.data = option_text(inv, "data"),
		.degraded = option_given(inv, "degraded"),
	};
	struct dmremap_status *status;
	struct dmremap_error error = {};
	struct assessment a;
	char size[32];
	int err;

	err = dmremap_start(set, &start, &error);
	if (err < 0) {
		fail_lib(inv, err, &error);
		info = dmremap_set_info(set);
		if (info->verdict == DMREMAP_DEGRADED && !start.degraded) {
			assess_inactive(info, &a);
			advise("%s", a.findings[0].action);
		}
		describe(g, info->name, info->uuid, false);
		return FAILED;
	}
	status = calloc(1, sizeof(*status));
	if (!status)
		abort();
	err = dmremap_status(info->uuid, status, &error);
	if (err < 0) {
		err = fail_lib(inv, err, &error);
	} else {
		assess_active(status, &a);
		dmremap_format_size(status->sectors * 512, size, sizeof(size));
		say("Set %s is running: /dev/mapper/%s, %s.", status->name, status->name, size);
		if (a.findings[0].health > HEALTH_INFO) {
			warn("set %s: %s", status->name, a.findings[0].reason);
			advise("%s", a.findings[0].action);
		}
		describe(g, status->name, status->uuid, true);
		err = DONE;
	}
	free(status);
	return err;
}

static int start_all(struct invocation *inv, struct dmremap_scan *scan, struct group *g)
{
	struct dmremap_set *set;
	int found = 0, active = 0, failed = 0;

	while (dmremap_scan_next(scan, &set) == 1) {
		found++;
		if (dmremap_set_info(set)->active)
			active++;
		else if (start_set(inv, set, g))
			failed++;
	}
	if (!found)
		say("No set was found.");
	else if (active == found)
		say("All %d sets that were found are running already.", found);
	return failed ? FAILED : DONE;
}

/* With --spare or --data: look at these devices and at no others. */
static int scan_for_start(struct invocation *inv, struct dmremap_scan **scan)
{
	const char *paths[DMR_MAX_MEMBERS + 2];
	struct dmremap_error error = {};
	const char *path;
	int n = 0, err;

	if (!option_given(inv, "spare"))
		return scan_sets(inv, 0, scan);
	if (option_text(inv, "data"))
		paths[n++] = option_text(inv, "data");
	for (int i = 0; (path = option_nth(inv, "spare", i)); i++) {
		if (n > DMR_MAX_MEMBERS)
			return wrong_usage("start: at most %d spares", DMR_MAX_MEMBERS - 1);
		paths[n++] = path;
	}
	paths[n] = NULL;
	err = dmremap_scan_new(0, paths, scan, &error);
	return err < 0 ? fail_lib(inv, err, &error) : DONE;
}

int cmd_start(struct invocation *inv)
{
	struct dmremap_error error = {};
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	struct group *g;
	int err;

	err = check_which(inv);
	if (err)
		return err;
	if (option_given(inv, "all") && (option_given(inv, "data") || option_given(inv, "spare")))
		return wrong_usage("start: --data and --spare go with a name, not with --all");
	err = scan_for_start(inv, &scan);
	if (err)
		return err;
	g = output_group(inv->out, &result_view);
	if (option_given(inv, "all")) {
		err = start_all(inv, scan, g);
	} else {
		err = dmremap_scan_find(scan, inv->args[0], &set, &error);
		err = err < 0 ? fail_lib(inv, err, &error) : start_set(inv, set, g);
	}
	dmremap_scan_free(scan);
	return err;
}

/* --- stop ------------------------------------------------------------------------- */

static int stop_set(struct invocation *inv, const char *name, struct group *g)
{
	struct dmremap_error error = {};
	int err = dmremap_stop(name, 0, &error);

	if (err < 0)
		return fail_lib(inv, err, &error);
	say("Set %s is stopped.", name);
	describe(g, name, NULL, false);
	return DONE;
}

int cmd_stop(struct invocation *inv)
{
	struct dmremap_error error = {};
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	struct group *g;
	int err, failed = 0, found = 0;

	err = check_which(inv);
	if (err)
		return err;
	g = output_group(inv->out, &result_view);
	if (!option_given(inv, "all"))
		return stop_set(inv, inv->args[0], g);
	err = dmremap_scan_new(DMREMAP_SCAN_ACTIVE, NULL, &scan, &error);
	if (err < 0)
		return fail_lib(inv, err, &error);
	while (dmremap_scan_next(scan, &set) == 1) {
		found++;
		if (stop_set(inv, dmremap_set_info(set)->name, g))
			failed++;
	}
	dmremap_scan_free(scan);
	if (!found)
		say("No set is running.");
	return failed ? FAILED : DONE;
}
