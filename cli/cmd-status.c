// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * status and list: how the sets are, on one screen. A running set is asked
 * through the module; disks are read only to find those that do not run.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "scrub.h"
#include "set.h"

/* --- Views ------------------------------------------------------------------------ */

static const struct field set_fields[] = {
	{ .key = "name", .flags = FIELD_TITLE },
	{ .key = "state", .label = "State" },
	{ .key = "health", .label = NULL },
	{ .key = "reason", .label = "Reason", .flags = FIELD_OPTIONAL },
	{ .key = "action", .label = "Next", .flags = FIELD_OPTIONAL },
	{ .key = "also", .label = "Also", .flags = FIELD_OPTIONAL | FIELD_SCREEN },
	{ .key = "uuid", .label = "UUID" },
	{ .key = "active", .label = NULL, .type = FIELD_BOOL },
	{ .key = "path", .label = "Device", .flags = FIELD_OPTIONAL },
	{ .key = "size_bytes", .label = "Size", .type = FIELD_BYTES },
	{ .key = "data_device", .label = NULL },
	{ .key = "data_offset_sectors", .label = NULL, .type = FIELD_SECTORS },
	{ .key = "data", .label = "Data", .flags = FIELD_SCREEN },
	{ .key = "block_size", .label = "Block size", .type = FIELD_BYTES },
	{ .key = "mode", .label = NULL },
	{ .key = "generation", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "remapped", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "lost", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "blocks", .label = "Blocks", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{ .key = "spare_blocks_used", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "spare_blocks", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "records_used", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "records", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "room", .label = "Spare room", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{ .key = "map", .label = "Map", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{ .key = "breaker", .label = NULL },
	{ .key = "degraded", .label = NULL, .type = FIELD_BOOL },
	{ .key = "suspended", .label = NULL, .type = FIELD_BOOL },
	{ .key = "open_count", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "scrub_state", .label = NULL },
	{ .key = "scrub_percent", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "scrub_lost", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "scrub", .label = "Scrub", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{ .key = "reads", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "read_bytes", .label = NULL, .type = FIELD_BYTES },
	{ .key = "writes", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "written_bytes", .label = NULL, .type = FIELD_BYTES },
	{ .key = "io", .label = "I/O", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{ .key = "counters_text", .label = "Counters",
	  .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{},
};

static const struct view set_view = {
	.key = "sets", .style = VIEW_SCREEN, .fields = set_fields,
	.empty = "No set was found.",
};

static const struct field finding_fields[] = {
	{ .key = "health" }, { .key = "state" }, { .key = "reason" },
	{ .key = "action" }, {},
};

static const struct view finding_view = {
	.key = "findings", .style = VIEW_JSON, .fields = finding_fields,
};

static const struct field spare_fields[] = {
	{ .key = "member", .label = "SPARE", .type = FIELD_NUMBER },
	{ .key = "path", .label = "DEVICE" },
	{ .key = "state", .label = "STATE" },
	{ .key = "used", .label = "USED", .type = FIELD_NUMBER },
	{ .key = "bad", .label = "BAD", .type = FIELD_NUMBER },
	{ .key = "slots", .label = "BLOCKS", .type = FIELD_NUMBER },
	{ .key = "fill_percent", .label = "FILL", .type = FIELD_PERCENT },
	{},
};

static const struct view spare_view = {
	.key = "spares", .style = VIEW_TABLE, .fields = spare_fields,
};

static const struct field counter_fields[] = {
	{ .key = "name" }, { .key = "value", .type = FIELD_NUMBER }, {},
};

static const struct view counter_view = {
	.key = "counters", .style = VIEW_JSON, .fields = counter_fields,
};

static const struct field list_fields[] = {
	{ .key = "name", .label = "NAME" },
	{ .key = "state", .label = "STATE" },
	{ .key = "health", .label = NULL },
	{ .key = "active", .label = NULL, .type = FIELD_BOOL },
	{ .key = "size_bytes", .label = "SIZE", .type = FIELD_BYTES },
	{ .key = "data_device", .label = "DATA", .flags = FIELD_BRIEF },
	{ .key = "spares", .label = "SPARES", .type = FIELD_NUMBER },
	{ .key = "remapped", .label = "REMAPPED", .type = FIELD_NUMBER },
	{ .key = "lost", .label = "LOST", .type = FIELD_NUMBER },
	{ .key = "uuid", .label = NULL },
	{},
};

static const struct view list_view = {
	.key = "sets", .style = VIEW_TABLE, .fields = list_fields,
	.empty = "No set was found.",
};

/* --- Filling ---------------------------------------------------------------------- */

static void fill_assessment(struct record *r, const struct assessment *a)
{
	const struct finding *worst = &a->findings[0];
	struct group *g = record_group(r, &finding_view);
	char also[512] = "";
	size_t n = 0;

	set_string(r, "state", worst->state);
	set_string(r, "health", health_name(worst->health));
	set_string(r, "reason", worst->reason[0] ? worst->reason : NULL);
	set_string(r, "action", worst->action[0] ? worst->action : NULL);
	for (int i = 0; i < a->nr; i++) {
		const struct finding *f = &a->findings[i];
		struct record *finding = group_add(g);

		set_string(finding, "health", health_name(f->health));
		set_string(finding, "state", f->state);
		set_string(finding, "reason", f->reason[0] ? f->reason : NULL);
		set_string(finding, "action", f->action[0] ? f->action : NULL);
		if (i && n < sizeof(also))
			n += (size_t)snprintf(also + n, sizeof(also) - n, "%s%s",
					      n ? " " : "", f->reason);
	}
	if (also[0])
		set_string(r, "also", also);
}

static void fill_spares(struct record *r, const struct dmremap_status *s)
{
	struct group *g = record_group(r, &spare_view);

	for (unsigned int i = 0; i < s->nr_spares; i++) {
		const struct dmremap_spare_status *spare = &s->spares[i];
		struct record *row = group_add(g);

		set_number(row, "member", spare->member);
		set_string(row, "path", spare->path[0] ? spare->path : NULL);
		set_string(row, "state", dmremap_spare_state_name(spare->state));
		set_number(row, "used", spare->used);
		set_number(row, "bad", spare->bad);
		set_number(row, "slots", spare->slots);
		set_number(row, "fill_percent",
			   percent(spare->used + spare->bad, spare->slots));
	}
}

/* On a screen those that are not zero. */
static void fill_counters(struct record *r, const struct dmremap_status *s)
{
	struct group *g = record_group(r, &counter_view);
	char text[1024] = "";
	size_t n = 0;

	for (unsigned int i = 0; i < s->nr_counters; i++) {
		struct record *row = group_add(g);

		set_string(row, "name", s->counters[i].name);
		set_number(row, "value", s->counters[i].value);
		if (s->counters[i].value && n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n,
					      "%s%s %" PRIu64, n ? ", " : "",
					      s->counters[i].name, s->counters[i].value);
	}
	set_string(r, "counters_text", text[0] ? text : "all zero since the start");
}

static void fill_numbers(struct record *r, uint64_t remapped, uint64_t lost,
			 uint64_t records_used, uint64_t records)
{
	set_number(r, "remapped", remapped);
	set_number(r, "lost", lost);
	set_number(r, "records_used", records_used);
	set_number(r, "records", records);
	set_text(r, "blocks", "%" PRIu64 " remapped, %" PRIu64 " with lost sectors",
		 remapped, lost);
	set_text(r, "map", "%" PRIu64 " of %" PRIu64 " records (%u %%)",
		 records_used, records, percent(records_used, records));
}

/* --- What only the module's own interface tells ------------------------------------- */

static void fill_scrub(struct record *r, const struct dmremap_scrub *s, uint32_t block_size)
{
	unsigned int part = percent(scrub_done(s), scrub_total(s));
	char rate[32], left[48];
	uint64_t eta;

	set_string(r, "scrub_state", dmremap_scrub_state_name(s->state));
	if (s->state == DMREMAP_SCRUB_IDLE)
		return;
	set_number(r, "scrub_percent", part);
	set_number(r, "scrub_lost", s->lost);
	if (scrub_eta(s, block_size, &eta)) {
		format_duration(eta, left, sizeof(left));
		set_text(r, "scrub", "running, %u %%, %s/s, %s left; %" PRIu64
			 " with lost sectors", part,
			 dmremap_format_size(s->rate * 1024, rate, sizeof(rate)), left, s->lost);
	} else {
		set_text(r, "scrub", "%s, %u %%; %" PRIu64 " with lost sectors",
			 dmremap_scrub_state_name(s->state), part, s->lost);
	}
}

static int add_io(const struct dmremap_nl_stats *stats, void *arg)
{
	struct dmremap_nl_stats *sum = arg;

	if (!stats->member)
		*sum = *stats;
	return 0;
}

static void fill_io(struct record *r, const struct dmremap_nl_stats *stats)
{
	uint64_t ios[2] = {}, sectors[2] = {};
	char in[32], out[32];

	for (int way = 0; way < 2; way++) {
		for (int path = 0; path < DMREMAP_NL_PATHS; path++) {
			ios[way] += stats->ios[way][path];
			sectors[way] += stats->sectors[way][path];
		}
	}
	set_number(r, "reads", ios[0]);
	set_number(r, "read_bytes", sectors[0] * 512);
	set_number(r, "writes", ios[1]);
	set_number(r, "written_bytes", sectors[1] * 512);
	set_text(r, "io", "%" PRIu64 " reads (%s), %" PRIu64 " writes (%s) since the start",
		 ios[0], dmremap_format_size(sectors[0] * 512, in, sizeof(in)), ios[1],
		 dmremap_format_size(sectors[1] * 512, out, sizeof(out)));
}

/* Nothing, if the module can not be asked: what device-mapper tells is there all the same. */
static void fill_module(struct record *r, const struct dmremap_status *s)
{
	struct dmremap_nl_device *d = calloc(1, sizeof(*d));
	struct dmremap_nl_stats *stats = calloc(1, sizeof(*stats));
	struct dmremap_nl *nl;

	if (!d || !stats)
		no_memory();
	if (!dmremap_nl_open(&nl, NULL)) {
		if (!dmremap_nl_device(nl, s->name, d, NULL))
			fill_scrub(r, &d->scrub, d->block_sectors * 512);
		if (!dmremap_nl_stats(nl, s->name, add_io, stats, NULL))
			fill_io(r, stats);
		dmremap_nl_free(nl);
	}
	free(stats);
	free(d);
}

static void fill_active(struct record *r, const struct dmremap_status *s)
{
	struct assessment a;

	assess_active(s, &a);
	set_string(r, "name", s->name);
	fill_assessment(r, &a);
	set_string(r, "uuid", s->uuid);
	set_bool(r, "active", true);
	set_text(r, "path", "/dev/mapper/%s", s->name);
	set_string(r, "mode", dmremap_mode_name(s->mode));
	set_bool(r, "suspended", s->suspended);
	set_number(r, "open_count", s->open_count);
	set_number(r, "size_bytes", s->sectors * 512);
	if (s->mode == DMREMAP_MODE_INACTIVE)
		return;
	set_string(r, "data_device", s->data_path[0] ? s->data_path : NULL);
	set_number(r, "data_offset_sectors", s->data_offset);
	set_text(r, "data", "%s, from sector %" PRIu64,
		 s->data_path[0] ? s->data_path : "unknown", s->data_offset);
	set_number(r, "block_size", s->block_size);
	set_number(r, "generation", s->generation);
	fill_numbers(r, s->remapped, s->lost, s->records_used, s->records);
	set_number(r, "spare_blocks_used", s->used);
	set_number(r, "spare_blocks", s->slots);
	set_text(r, "room", "%" PRIu64 " of %" PRIu64 " blocks in use (%u %%)",
		 s->used, s->slots, percent(s->used, s->slots));
	set_string(r, "breaker", s->breaker_open ? "open" : "closed");
	set_bool(r, "degraded", s->degraded);
	if (!s->suspended)
		fill_module(r, s);
	fill_spares(r, s);
	fill_counters(r, s);
}

static void fill_inactive(struct record *r, const struct dmremap_set_info *info)
{
	const struct dmremap_member_info *data = &info->members[0];
	struct group *g;
	struct assessment a;

	assess_inactive(info, &a);
	set_string(r, "name", info->name);
	fill_assessment(r, &a);
	set_string(r, "uuid", info->uuid);
	set_bool(r, "active", false);
	set_number(r, "size_bytes", info->data_sectors * 512);
	set_number(r, "block_size", info->block_size);
	if (info->nr_members && data->present) {
		set_string(r, "data_device", data->path);
		set_text(r, "data", "%s%s", data->path, info->adopted ? ", adopted" : "");
	}
	if (info->loaded) {
		set_number(r, "generation", info->generation);
		set_number(r, "data_offset_sectors", info->data_offset);
		fill_numbers(r, info->remapped, info->lost, info->records_used,
			     info->records);
	}
	g = record_group(r, &spare_view);
	for (unsigned int i = 1; i < info->nr_members; i++) {
		const struct dmremap_member_info *m = &info->members[i];
		struct record *row;

		if (!is_member(m))
			continue;
		row = group_add(g);
		if (m->index != DMREMAP_NOT_JOINED)
			set_number(row, "member", m->index);
		set_string(row, "path", m->path[0] ? m->path : NULL);
		set_string(row, "state", member_state(info, m));
		if (!info->loaded)
			continue;
		set_number(row, "used", m->slots_used);
		set_number(row, "bad", m->slots_bad);
		set_number(row, "slots", m->slots);
		set_number(row, "fill_percent",
			   percent((uint64_t)m->slots_used + m->slots_bad, m->slots));
	}
	record_group(r, &counter_view);
}

/* --- Commands --------------------------------------------------------------------- */

/* Of a running set what the module says, else what the disks say. */
static int describe_set(struct invocation *inv, struct group *g, struct dmremap_set *set,
			struct dmremap_status *status)
{
	const struct dmremap_set_info *info = dmremap_set_info(set);
	struct dmremap_error error = {};
	int err;

	err = info->active ? dmremap_status(info->device, status, &error) :
			     dmremap_set_load(set, NULL, &error);
	if (err < 0)
		return fail_lib(inv, err, &error);
	if (info->active)
		fill_active(group_add(g), status);
	else
		fill_inactive(group_add(g), dmremap_set_info(set));
	return DONE;
}

static int status_of(struct invocation *inv, const char *name,
		     struct dmremap_status *status)
{
	struct group *g = output_group(inv->out, &set_view);
	struct dmremap_error error = {};
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	int err, failed = 0;

	/* A running set is told without waking any disk. */
	if (name && !option_given(inv, "device")) {
		err = dmremap_status(name, status, &error);
		if (!err) {
			fill_active(group_add(g), status);
			return DONE;
		}
		if (err != -ENOTCONN && err != -ENODEV)
			return fail_lib(inv, err, &error);
	}
	err = scan_sets(inv, 0, &scan);
	if (err)
		return err;
	if (name) {
		err = dmremap_scan_find(scan, name, &set, &error);
		failed = err < 0 ? fail_lib(inv, err, &error) :
				   describe_set(inv, g, set, status);
	} else {
		while (dmremap_scan_next(scan, &set) == 1)
			failed |= describe_set(inv, g, set, status);
	}
	dmremap_scan_free(scan);
	return failed;
}

int cmd_status(struct invocation *inv)
{
	struct dmremap_status *status = calloc(1, sizeof(*status));
	int err;

	if (!status)
		no_memory();
	err = status_of(inv, inv->nr_args ? inv->args[0] : NULL, status);
	free(status);
	return err;
}

static void list_active(struct record *r, const struct dmremap_status *s)
{
	struct assessment a;

	assess_active(s, &a);
	set_string(r, "name", s->name);
	set_string(r, "uuid", s->uuid);
	set_string(r, "state", a.findings[0].state);
	set_string(r, "health", health_name(a.findings[0].health));
	set_bool(r, "active", true);
	set_number(r, "size_bytes", s->sectors * 512);
	if (s->mode == DMREMAP_MODE_INACTIVE)
		return;
	set_string(r, "data_device", s->data_path[0] ? s->data_path : NULL);
	set_number(r, "spares", s->nr_spares);
	set_number(r, "remapped", s->remapped);
	set_number(r, "lost", s->lost);
}

static void list_inactive(struct record *r, const struct dmremap_set_info *info)
{
	struct assessment a;

	assess_inactive(info, &a);
	set_string(r, "name", info->name);
	set_string(r, "uuid", info->uuid);
	set_string(r, "state", a.findings[0].state);
	set_string(r, "health", health_name(a.findings[0].health));
	set_bool(r, "active", false);
	set_number(r, "size_bytes", info->data_sectors * 512);
	if (info->nr_members && info->members[0].present)
		set_string(r, "data_device", info->members[0].path);
	if (!info->loaded)
		return;
	set_number(r, "spares", nr_spares(info));
	set_number(r, "remapped", info->remapped);
	set_number(r, "lost", info->lost);
}

int cmd_list(struct invocation *inv)
{
	struct group *g = output_group(inv->out, &list_view);
	struct dmremap_status *status;
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	int err, failed = 0;

	err = scan_sets(inv, 0, &scan);
	if (err)
		return err;
	status = calloc(1, sizeof(*status));
	if (!status)
		no_memory();
	while (dmremap_scan_next(scan, &set) == 1) {
		const struct dmremap_set_info *info = dmremap_set_info(set);
		struct dmremap_error error = {};

		err = info->active ? dmremap_status(info->device, status, &error) :
				     dmremap_set_load(set, NULL, &error);
		if (err < 0)
			failed |= fail_lib(inv, err, &error);
		else if (info->active)
			list_active(group_add(g), status);
		else
			list_inactive(group_add(g), dmremap_set_info(set));
	}
	free(status);
	dmremap_scan_free(scan);
	return failed;
}
