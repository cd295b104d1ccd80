// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * metadata show and verify: what lies on the disks (or image files), without
 * changing anything.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "set.h"

/* --- Views ------------------------------------------------------------------------ */

static const struct field set_fields[] = {
	{ .key = "name", .flags = FIELD_TITLE },
	{ .key = "verdict", .label = "Verdict" },
	{ .key = "reason", .label = "Reason", .flags = FIELD_OPTIONAL },
	{ .key = "uuid", .label = "UUID" },
	{ .key = "created", .label = "Created", .type = FIELD_TIME },
	{ .key = "adopted", .label = "Adopted", .type = FIELD_BOOL },
	{ .key = "data_sectors", .label = "Size", .type = FIELD_SECTORS },
	{ .key = "data_offset_sectors", .label = "Data offset", .type = FIELD_SECTORS },
	{ .key = "block_size", .label = "Block size", .type = FIELD_BYTES },
	{ .key = "pages", .label = "Map pages", .type = FIELD_NUMBER },
	{ .key = "frames", .label = "Frames", .type = FIELD_NUMBER },
	{ .key = "state", .label = "State" },
	{ .key = "generation", .label = "Generation", .type = FIELD_NUMBER },
	{ .key = "torn", .label = "Torn commit", .type = FIELD_BOOL },
	{ .key = "activations", .label = "Activations", .type = FIELD_NUMBER },
	{ .key = "records_used", .label = "Records used", .type = FIELD_NUMBER },
	{ .key = "records", .label = "Records", .type = FIELD_NUMBER },
	{ .key = "remapped", .label = "Remapped", .type = FIELD_NUMBER },
	{ .key = "lost", .label = "Lost", .type = FIELD_NUMBER },
	{ .key = "data_serial", .label = "Data serial", .flags = FIELD_OPTIONAL },
	{ .key = "data_wwn", .label = "Data WWN", .flags = FIELD_OPTIONAL },
	{ .key = "data_partuuid", .label = "Data PARTUUID", .flags = FIELD_OPTIONAL },
	{},
};

static const struct view show_view = {
	.key = "sets", .style = VIEW_SCREEN, .fields = set_fields,
	.empty = "No set was found.",
};

static const struct field member_fields[] = {
	{ .key = "member", .label = "MEMBER", .type = FIELD_NUMBER },
	{ .key = "role", .label = "ROLE" },
	{ .key = "state", .label = "STATE" },
	{ .key = "path", .label = "DEVICE" },
	{ .key = "region_start", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "region_sectors", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "payload_sectors", .label = "PAYLOAD", .type = FIELD_SECTORS },
	{ .key = "tier", .label = "TIER", .type = FIELD_NUMBER },
	{ .key = "slots", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "generation", .label = "COMMIT", .type = FIELD_NUMBER },
	{ .key = "uuid", .label = NULL },
	{ .key = "reason", .label = NULL },
	{},
};

static const struct view member_view = {
	.key = "members", .style = VIEW_TABLE, .fields = member_fields,
};

static const struct field frame_fields[] = {
	{ .key = "member", .label = "MEMBER", .type = FIELD_NUMBER },
	{ .key = "frame", .label = "FRAME", .type = FIELD_NUMBER },
	{ .key = "fault", .label = "FAULT" },
	{ .key = "page", .label = "PAGE", .type = FIELD_NUMBER },
	{ .key = "generation", .label = "COMMIT", .type = FIELD_NUMBER },
	{ .key = "current", .label = "CURRENT", .type = FIELD_BOOL },
	{ .key = "session", .label = "SESSION", .type = FIELD_HEX },
	{ .key = "digest_before", .label = NULL, .type = FIELD_HEX },
	{ .key = "digest_after", .label = NULL, .type = FIELD_HEX },
	{},
};

static const struct view frame_view = {
	.key = "frames_written", .style = VIEW_TABLE, .fields = frame_fields,
	.empty = "All frames are empty.",
};

static const struct field verify_fields[] = {
	{ .key = "name", .flags = FIELD_TITLE },
	{ .key = "result", .label = "Result" },
	{ .key = "uuid", .label = "UUID" },
	{ .key = "generation", .label = "Generation", .type = FIELD_NUMBER },
	{},
};

static const struct view verify_view = {
	.key = "sets", .style = VIEW_SCREEN, .fields = verify_fields,
	.empty = "No set was found.",
};

static const struct field check_fields[] = {
	{ .key = "member", .label = "MEMBER", .type = FIELD_NUMBER },
	{ .key = "path", .label = "DEVICE", .flags = FIELD_BRIEF },
	{ .key = "anchor0", .label = "ANCHOR 0" },
	{ .key = "anchor1", .label = "ANCHOR 1" },
	{ .key = "frames", .label = "FRAMES", .type = FIELD_NUMBER },
	{ .key = "valid", .label = "VALID", .type = FIELD_NUMBER },
	{ .key = "current", .label = "CURRENT", .type = FIELD_NUMBER },
	{ .key = "empty", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "damaged", .label = "DAMAGED", .type = FIELD_NUMBER },
	{ .key = "foreign", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "unreadable", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "generation", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "pages_missing", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "pages_single", .label = NULL, .type = FIELD_NUMBER },
	{},
};

static const struct view check_view = {
	.key = "members", .style = VIEW_TABLE, .fields = check_fields,
};

static const struct field finding_fields[] = {
	{ .key = "severity", .label = "" }, { .key = "text", .label = "" }, {},
};

static const struct view finding_view = {
	.key = "findings", .style = VIEW_LIST, .fields = finding_fields,
};

static const struct field backup_fields[] = {
	{ .key = "file", .flags = FIELD_TITLE },
	{ .key = "name", .label = "Set" },
	{ .key = "uuid", .label = "UUID" },
	{ .key = "created", .label = "Written", .type = FIELD_TIME },
	{ .key = "generation", .label = "Generation", .type = FIELD_NUMBER },
	{ .key = "pages", .label = "Map pages", .type = FIELD_NUMBER },
	{ .key = "pages_with_content", .label = "with content", .type = FIELD_NUMBER },
	{ .key = "remapped", .label = "Remapped", .type = FIELD_NUMBER },
	{ .key = "lost", .label = "Lost", .type = FIELD_NUMBER },
	{ .key = "members", .label = "Members", .type = FIELD_NUMBER },
	{},
};

static const struct view backup_view = {
	.key = "backup", .style = VIEW_SCREEN, .one = true, .fields = backup_fields,
};

static const char *const verdict_names[] = {
	[DMREMAP_UNKNOWN] = "unknown",
	[DMREMAP_READY] = "ready",
	[DMREMAP_DEGRADED] = "degraded",
	[DMREMAP_REFUSED] = "refused",
	[DMREMAP_ACTIVE] = "active",
};

static const char *const severity_names[] = {
	[DMREMAP_INFO] = "info",
	[DMREMAP_WARNING] = "warning",
	[DMREMAP_CRITICAL] = "critical",
};

/* --- Filling ---------------------------------------------------------------------- */

static void set_if(struct record *r, const char *key, const char *text)
{
	set_string(r, key, text[0] ? text : NULL);
}

static void show_members(struct record *set_record, const struct dmremap_set_info *info)
{
	struct group *g = record_group(set_record, &member_view);

	for (unsigned int i = 0; i < info->nr_members; i++) {
		const struct dmremap_member_info *m = &info->members[i];
		struct record *r = group_add(g);

		if (m->index != DMREMAP_NOT_JOINED)
			set_number(r, "member", m->index);
		set_text(r, "role", "%s%s", m->index ? "spare" : "data",
			 m->no_metadata ? ", adopted" : m->internal ? ", internal" : "");
		set_string(r, "state", member_state(info, m));
		set_if(r, "path", m->path);
		set_number(r, "region_start", m->region_start);
		set_number(r, "region_sectors", m->region_sectors);
		set_number(r, "payload_sectors", m->payload_sectors);
		if (m->index)
			set_number(r, "tier", m->tier);
		if (m->index && info->loaded)
			set_number(r, "slots", m->slots);
		if (info->loaded && !m->no_metadata)
			set_number(r, "generation", m->gen);
		set_if(r, "uuid", m->uuid);
		set_if(r, "reason", m->reason);
	}
}

static struct record *show_set(struct group *g, const struct dmremap_set_info *info)
{
	struct record *r = group_add(g);

	set_string(r, "name", info->name);
	set_string(r, "verdict", verdict_names[info->verdict]);
	set_if(r, "reason", info->reason);
	set_string(r, "uuid", info->uuid);
	set_number(r, "created", info->created);
	set_number(r, "data_sectors", info->data_sectors);
	set_number(r, "block_size", info->block_size);
	set_number(r, "pages", info->nr_pages);
	set_number(r, "frames", info->nr_frames);
	if (info->loaded) {
		set_bool(r, "adopted", info->adopted);
		set_number(r, "data_offset_sectors", info->data_offset);
		set_string(r, "state", dmremap_set_state_name(info->state));
		set_number(r, "generation", info->generation);
		set_bool(r, "torn", info->torn);
		set_number(r, "activations", info->activations);
		set_number(r, "records_used", info->records_used);
		set_number(r, "records", info->records);
		set_number(r, "remapped", info->remapped);
		set_number(r, "lost", info->lost);
		set_if(r, "data_serial", info->data_serial);
		set_if(r, "data_wwn", info->data_wwn);
		set_if(r, "data_partuuid", info->data_partuuid);
	}
	show_members(r, info);
	return r;
}

static void show_frames(struct record *set_record, struct dmremap_report *report)
{
	struct group *g = record_group(set_record, &frame_view);
	struct dmremap_frame_report f;

	while (dmremap_report_next_frame(report, &f) == 1) {
		const struct dmremap_member_report *m = dmremap_report_member(report, f.member);
		struct record *r = group_add(g);

		if (m->index != DMREMAP_NOT_JOINED)
			set_number(r, "member", m->index);
		set_number(r, "frame", f.frame);
		set_string(r, "fault", f.read ? dmremap_fault_name(f.fault) : "unreadable");
		if (!f.read || f.fault)
			continue;
		set_number(r, "page", f.page);
		set_number(r, "generation", f.gen);
		set_bool(r, "current", f.current_);
		set_number(r, "session", f.session);
		set_number(r, "digest_before", f.digest_before);
		set_number(r, "digest_after", f.digest_after);
	}
}

static const char *anchor_text(const struct dmremap_anchor_report *a)
{
	return a->read ? dmremap_fault_name(a->fault) : "unreadable";
}

static void verify_set(struct group *g, const struct dmremap_set_info *info,
		       struct dmremap_report *report)
{
	enum dmremap_severity severity = dmremap_report_severity(report);
	struct record *r = group_add(g);
	struct group *checks, *findings;
	const char *text;

	set_string(r, "name", info->name);
	set_string(r, "result", severity == DMREMAP_INFO ? "ok" : severity_names[severity]);
	set_string(r, "uuid", info->uuid);
	if (info->loaded)
		set_number(r, "generation", info->generation);
	checks = record_group(r, &check_view);
	for (unsigned int i = 0; i < dmremap_report_members(report); i++) {
		const struct dmremap_member_report *m = dmremap_report_member(report, i);
		struct record *c = group_add(checks);

		if (m->index != DMREMAP_NOT_JOINED)
			set_number(c, "member", m->index);
		set_if(c, "path", m->path);
		set_string(c, "anchor0", anchor_text(&m->anchors[0]));
		set_string(c, "anchor1", anchor_text(&m->anchors[1]));
		set_number(c, "frames", m->frames);
		set_number(c, "valid", m->valid);
		set_number(c, "current", m->current_);
		set_number(c, "empty", m->empty);
		set_number(c, "damaged", m->damaged);
		set_number(c, "foreign", m->foreign);
		set_number(c, "unreadable", m->unreadable);
		set_number(c, "generation", m->gen);
		set_number(c, "pages_missing", m->pages_missing);
		set_number(c, "pages_single", m->pages_single);
	}
	findings = record_group(r, &finding_view);
	while (dmremap_report_next_finding(report, &severity, &text) == 1) {
		struct record *f = group_add(findings);

		set_string(f, "severity", severity_names[severity]);
		set_string(f, "text", text);
	}
}

/* --- Commands --------------------------------------------------------------------- */

static int read_report(struct invocation *inv, struct dmremap_set *set,
		       struct dmremap_report **report)
{
	struct dmremap_error error = {};
	struct progress progress;
	int err;

	progress_begin(&progress, inv->command->name, PROGRESS_STEPS, inv->json);
	err = dmremap_report_new(set, show_progress, &progress, report, &error);
	progress_end(&progress);
	return err < 0 ? fail_lib(inv, err, &error) : DONE;
}

static int show_one(struct invocation *inv, struct group *g, struct dmremap_set *set)
{
	struct dmremap_error error = {};
	struct dmremap_report *report;
	struct record *r;
	int err;

	err = dmremap_set_load(set, NULL, &error);
	if (err < 0)
		return fail_lib(inv, err, &error);
	r = show_set(g, dmremap_set_info(set));
	if (!option_given(inv, "frames"))
		return DONE;
	err = read_report(inv, set, &report);
	if (!err) {
		show_frames(r, report);
		dmremap_report_free(report);
	}
	return err;
}

static int verify_one(struct invocation *inv, struct group *g, struct dmremap_set *set)
{
	struct dmremap_report *report;
	enum dmremap_severity severity;
	int err = read_report(inv, set, &report);

	if (err)
		return err;
	verify_set(g, dmremap_set_info(set), report);
	severity = dmremap_report_severity(report);
	dmremap_report_free(report);
	return severity > DMREMAP_INFO ? FAILED : DONE;
}

/* Nothing was recognised on the devices given: say what each of them holds. */
static int nothing_found(struct invocation *inv)
{
	const char *path;

	for (int n = 0; (path = option_nth(inv, "device", n)); n++) {
		struct dmremap_error error = {};
		struct dmremap_device dev;
		int err = dmremap_device_probe(path, &dev, &error);

		if (err < 0)
			fail_lib(inv, err, &error);
		else
			fail("%s %s.", path, dev.text[0] ? dev.text :
						   "carries no dm-remap metadata");
	}
	return option_given(inv, "device") ? FAILED : DONE;
}

static int for_sets(struct invocation *inv, const struct view *view,
		    int (*run)(struct invocation *inv, struct group *g,
			       struct dmremap_set *set))
{
	struct group *g = output_group(inv->out, view);
	struct dmremap_error error = {};
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	int err, failed = 0, found = 0;

	err = scan_sets(inv, 0, &scan);
	if (err)
		return err;
	if (inv->nr_args) {
		err = dmremap_scan_find(scan, inv->args[0], &set, &error);
		failed = err < 0 ? fail_lib(inv, err, &error) : run(inv, g, set);
		found++;
	}
	while (!inv->nr_args && dmremap_scan_next(scan, &set) == 1) {
		found++;
		failed |= run(inv, g, set);
	}
	dmremap_scan_free(scan);
	return found ? failed : nothing_found(inv);
}

int cmd_metadata_show(struct invocation *inv)
{
	return for_sets(inv, &show_view, show_one);
}

static int verify_backup(struct invocation *inv, const char *path)
{
	struct dmremap_error error = {};
	struct dmremap_backup_info info;
	struct record *r;
	int err = dmremap_backup_verify(path, &info, &error);

	if (err < 0)
		return fail_lib(inv, err, &error);
	r = output_one(inv->out, &backup_view);
	set_string(r, "file", path);
	set_string(r, "name", info.name);
	set_string(r, "uuid", info.uuid);
	set_number(r, "created", info.created);
	set_number(r, "generation", info.generation);
	set_number(r, "pages", info.nr_pages);
	set_number(r, "pages_with_content", info.pages);
	set_number(r, "remapped", info.remapped);
	set_number(r, "lost", info.lost);
	set_number(r, "members", info.nr_members);
	return DONE;
}

int cmd_metadata_verify(struct invocation *inv)
{
	if (option_given(inv, "backup")) {
		if (inv->nr_args || option_given(inv, "device"))
			return wrong_usage("metadata verify: --backup FILE stands alone");
		return verify_backup(inv, option_text(inv, "backup"));
	}
	return for_sets(inv, &verify_view, verify_one);
}
