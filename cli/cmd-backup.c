// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * metadata backup, restore and repair.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "set.h"

static const struct field backup_fields[] = {
	{ .key = "name" }, { .key = "uuid" }, { .key = "file" },
	{ .key = "generation", .type = FIELD_NUMBER },
	{ .key = "remapped", .type = FIELD_NUMBER },
	{ .key = "lost", .type = FIELD_NUMBER }, {},
};

static const struct view backup_view = {
	.key = "backup", .style = VIEW_JSON, .one = true, .fields = backup_fields,
};

int cmd_metadata_backup(struct invocation *inv)
{
	struct dmremap_error error = {};
	struct dmremap_backup_info info;
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	struct record *r;
	int err;

	err = find_set(inv, inv->args[0], &scan, &set);
	if (err)
		return err;
	err = dmremap_backup(set, inv->args[1], &error);
	dmremap_scan_free(scan);
	/* What is told is what the file holds, not what was meant for it. */
	if (!err)
		err = dmremap_backup_verify(inv->args[1], &info, &error);
	if (err < 0)
		return fail_lib(inv, err, &error);
	r = output_one(inv->out, &backup_view);
	set_string(r, "name", info.name);
	set_string(r, "uuid", info.uuid);
	set_string(r, "file", inv->args[1]);
	set_number(r, "generation", info.generation);
	set_number(r, "remapped", info.remapped);
	set_number(r, "lost", info.lost);
	say("The metadata of set %s is in %s, read back and checked. Keep it on another disk.",
	    info.name, inv->args[1]);
	return DONE;
}

static int finish(struct invocation *inv, struct dmremap_plan *plan, const char *question,
		  const char *result)
{
	char name[DMREMAP_NAME_SIZE];
	bool done;
	int err;

	memcpy(name, dmremap_plan_info(plan)->name, sizeof(name));
	err = run_plan(inv, plan, question, &done);
	if (!err && done)
		say("%s %s.", result, name);
	if (!err && done && !option_given(inv, "device"))
		advise("To check it: " PROGRAM " metadata verify %s", name);
	return err;
}

int cmd_metadata_restore(struct invocation *inv)
{
	struct dmremap_error error = {};
	struct dmremap_plan *plan;
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	int err;

	err = find_set(inv, inv->args[0], &scan, &set);
	if (err)
		return err;
	err = dmremap_restore_plan(set, inv->args[1], option_given(inv, "force") ?
				   DMREMAP_FORCE : 0, &plan, &error);
	if (err < 0) {
		fail_lib(inv, err, &error);
		if (err == -ESTALE)
			advise("To go back in spite of that, give --force: blocks that moved since the backup are lost then.");
		err = FAILED;
	} else {
		err = finish(inv, plan, "Replace the map on the disks by that of the backup?",
			     "The backup was written to set");
	}
	dmremap_scan_free(scan);
	return err;
}

int cmd_metadata_restore_anchors(struct invocation *inv)
{
	struct dmremap_error error = {};
	struct dmremap_plan *plan;
	int err;

	err = dmremap_restore_anchor_plan(inv->args[1], inv->args[0], option_text(inv, "member"),
					  option_given(inv, "force") ? DMREMAP_FORCE : 0, &plan,
					  &error);
	if (err < 0)
		return fail_lib(inv, err, &error);
	return finish(inv, plan, "Write the anchors of this member?",
		      "The device is a member again of set");
}

/*
 * What redundancy can not mend, a member that is out of date or missing or a map
 * that nobody holds, is told as verify would tell it.
 */
static int tell_repaired(struct invocation *inv, struct dmremap_set *set, int steps)
{
	struct dmremap_error error = {};
	int err = dmremap_set_load(set, NULL, &error);

	if (err < 0)
		return fail_lib(inv, err, &error);
	if (dmremap_set_info(set)->verdict != DMREMAP_READY) {
		err = fail("Repair can not make set %s whole: %s", dmremap_set_info(set)->name,
			   dmremap_set_info(set)->reason);
		advise("What is left of it: " PROGRAM " metadata verify %s",
		       dmremap_set_info(set)->name);
		return err;
	}
	if (!steps)
		say("The metadata of set %s needs no repair.", dmremap_set_info(set)->name);
	return DONE;
}

int cmd_metadata_repair(struct invocation *inv)
{
	struct dmremap_error error = {};
	enum dmremap_plan_kind kind;
	struct dmremap_plan *plan;
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	const char *text;
	int err, steps = 0;

	err = find_set(inv, inv->args[0], &scan, &set);
	if (err)
		return err;
	err = dmremap_repair_plan(set, option_given(inv, "force") ? DMREMAP_FORCE : 0,
				  &plan, &error);
	if (err < 0) {
		err = fail_lib(inv, err, &error);
		dmremap_scan_free(scan);
		return err;
	}
	while (dmremap_plan_next(plan, &kind, &text) == 1)
		steps += kind == DMREMAP_PLAN_STEP;
	if (steps) {
		err = finish(inv, plan, NULL, "Redundancy is written again on set");
	} else {
		dmremap_plan_free(plan);
	}
	if (!err)
		err = tell_repaired(inv, set, steps);
	dmremap_scan_free(scan);
	return err;
}
