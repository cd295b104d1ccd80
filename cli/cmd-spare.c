// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spare add, remove and list.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "parse.h"
#include "set.h"

int cmd_spare_add(struct invocation *inv)
{
	struct dmremap_error error = {};
	struct dmremap_spare spare = {};
	struct dmremap_plan *plan;
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	bool active, done = false;
	char *path;
	int err;

	if (parse_spare(inv->args[1], &path, &spare.tier)) {
		wrong_usage("spare add: %s: not understood", inv->args[1]);
		advise("Write a device, or a device and its tier: /dev/sdc,tier=1");
		return WRONG_USAGE;
	}
	spare.path = path;
	err = find_set(inv, inv->args[0], &scan, &set);
	if (err)
		goto out;
	active = dmremap_set_info(set)->active;
	err = dmremap_spare_add_plan(set, &spare, option_given(inv, "force") ?
				     DMREMAP_FORCE : 0, &plan, &error);
	err = err < 0 ? fail_lib(inv, err, &error) : run_plan(inv, plan, NULL, &done);
	dmremap_scan_free(scan);
	if (!err && done) {
		say("%s is a spare of set %s now.", path, inv->args[0]);
		if (!active)
			advise("The set does not run; the spare joins at its next start.");
	}
out:
	free(path);
	return err;
}

int cmd_spare_remove(struct invocation *inv)
{
	struct dmremap_error error = {};
	struct dmremap_plan *plan;
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	bool done = false;
	int err;

	err = find_set(inv, inv->args[0], &scan, &set);
	if (err)
		return err;
	err = dmremap_spare_remove_plan(set, inv->args[1], option_given(inv, "force") ?
					DMREMAP_FORCE : 0, &plan, &error);
	err = err < 0 ? fail_lib(inv, err, &error) : run_plan(inv, plan, NULL, &done);
	dmremap_scan_free(scan);
	if (!err && done)
		say("Spare %s is no longer part of set %s.", inv->args[1], inv->args[0]);
	return err;
}

static const struct field spare_fields[] = {
	{ .key = "set", .label = "SET" },
	{ .key = "member", .label = "SPARE", .type = FIELD_NUMBER },
	{ .key = "path", .label = "DEVICE" },
	{ .key = "state", .label = "STATE" },
	{ .key = "tier", .label = "TIER", .type = FIELD_NUMBER },
	{ .key = "size_bytes", .label = "SIZE", .type = FIELD_BYTES },
	{ .key = "used", .label = "USED", .type = FIELD_NUMBER },
	{ .key = "bad", .label = "BAD", .type = FIELD_NUMBER },
	{ .key = "slots", .label = "BLOCKS", .type = FIELD_NUMBER },
	{ .key = "internal", .label = NULL, .type = FIELD_BOOL },
	{ .key = "uuid", .label = NULL },
	{ .key = "set_uuid", .label = NULL },
	{ .key = "reason", .label = NULL },
	{},
};

static const struct view spare_view = {
	.key = "spares", .style = VIEW_TABLE, .fields = spare_fields,
	.empty = "No spare was found.",
};

static void list_spares(struct group *g, const struct dmremap_set_info *info,
			const struct dmremap_status *status)
{
	for (unsigned int i = 1; i < info->nr_members; i++) {
		const struct dmremap_member_info *m = &info->members[i];
		struct record *r;

		if (!is_member(m))
			continue;
		r = group_add(g);
		set_string(r, "set", info->name);
		set_string(r, "set_uuid", info->uuid);
		set_string(r, "uuid", m->uuid);
		if (m->index != DMREMAP_NOT_JOINED)
			set_number(r, "member", m->index);
		set_string(r, "path", m->path[0] ? m->path : NULL);
		set_string(r, "state", member_state(info, m));
		set_number(r, "tier", m->tier);
		set_number(r, "size_bytes", m->payload_sectors * 512);
		set_bool(r, "internal", m->internal);
		set_string(r, "reason", m->reason[0] ? m->reason : NULL);
		if (info->loaded) {
			set_number(r, "used", m->slots_used);
			set_number(r, "bad", m->slots_bad);
			set_number(r, "slots", m->slots);
		}
		/* The module's word is newer than that of the disks. */
		for (unsigned int k = 0; status && k < status->nr_spares; k++) {
			const struct dmremap_spare_status *s = &status->spares[k];

			if (s->member != m->index)
				continue;
			set_string(r, "state", dmremap_spare_state_name(s->state));
			set_number(r, "used", s->used);
			set_number(r, "bad", s->bad);
			set_number(r, "slots", s->slots);
		}
	}
}

int cmd_spare_list(struct invocation *inv)
{
	struct group *g = output_group(inv->out, &spare_view);
	struct dmremap_status *status;
	struct dmremap_error error = {};
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	int err, failed = 0;

	err = scan_sets(inv, 0, &scan);
	if (err)
		return err;
	status = calloc(1, sizeof(*status));
	if (!status)
		no_memory();
	if (inv->nr_args) {
		err = dmremap_scan_find(scan, inv->args[0], &set, &error);
		if (err < 0)
			failed = fail_lib(inv, err, &error);
	} else {
		err = dmremap_scan_next(scan, &set) == 1 ? 0 : -ENOENT;
	}
	while (!err) {
		const struct dmremap_set_info *info;
		bool known;

		err = dmremap_set_load(set, NULL, &error);
		if (err < 0)
			failed = fail_lib(inv, err, &error);
		info = dmremap_set_info(set);
		known = info->active && !dmremap_status(info->device, status, NULL) &&
			status->mode != DMREMAP_MODE_INACTIVE;
		list_spares(g, info, known ? status : NULL);
		if (inv->nr_args)
			break;
		err = dmremap_scan_next(scan, &set) == 1 ? 0 : -ENOENT;
	}
	free(status);
	dmremap_scan_free(scan);
	return failed;
}
