// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * map list, relocate and release.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "map.h"
#include "message.h"
#include "output.h"
#include "parse.h"

int open_map(struct invocation *inv, const char *name, struct dmremap_scan **scan,
	     struct dmremap_map **map, struct dmremap_set_info *info)
{
	struct dmremap_error error = {};
	struct dmremap_set *set;
	int err;

	*scan = NULL;
	if (!option_given(inv, "device")) {
		struct dmremap_status status;

		err = dmremap_status(name, &status, &error);
		if (!err)
			err = dmremap_map_open_active(name, map, &error);
		if (!err && info) {
			memset(info, 0, sizeof(*info));
			memcpy(info->name, status.name, sizeof(info->name));
			memcpy(info->uuid, status.uuid, sizeof(info->uuid));
			info->active = true;
			info->data_sectors = status.sectors;
			info->data_offset = status.data_offset;
			info->block_size = status.block_size;
		}
		if (!err)
			return DONE;
		if (err != -ENOTCONN && err != -ENODEV)
			return fail_lib(inv, err, &error);
	}
	err = find_set(inv, name, scan, &set);
	if (err)
		return err;
	err = dmremap_map_open_disk(set, map, &error);
	if (err < 0) {
		dmremap_scan_free(*scan);
		*scan = NULL;
		return fail_lib(inv, err, &error);
	}
	if (info)
		*info = *dmremap_set_info(set);
	return DONE;
}

/* --- list ------------------------------------------------------------------------- */

static const struct field entry_fields[] = {
	{ .key = "block", .label = "BLOCK", .type = FIELD_NUMBER },
	{ .key = "count", .label = "COUNT", .type = FIELD_NUMBER },
	{ .key = "first_sector", .label = "SECTOR", .type = FIELD_NUMBER },
	{ .key = "state", .label = "STATE" },
	{ .key = "member", .label = "SPARE", .type = FIELD_NUMBER },
	{ .key = "slot", .label = "SLOT", .type = FIELD_NUMBER },
	{ .key = "lost_mask", .label = "MASK", .type = FIELD_HEX },
	{ .key = "lost_sectors", .label = "LOST", .type = FIELD_NUMBER },
	{},
};

static const struct view entry_view = {
	.key = "entries", .style = VIEW_TABLE, .fields = entry_fields,
	.empty = "No block is remapped, and none has lost sectors.",
};

static const struct field map_fields[] = {
	{ .key = "name" }, { .key = "uuid" },
	{ .key = "block_size", .type = FIELD_BYTES },
	{ .key = "data_sectors", .type = FIELD_NUMBER },
	{ .key = "active", .type = FIELD_BOOL }, {},
};

static const struct view map_view = {
	.key = "set", .style = VIEW_JSON, .one = true, .fields = map_fields,
};

/* True if @next lies right behind @count blocks from @first, in every respect. */
static bool continues(const struct dmremap_map_entry *first, uint64_t count,
		      const struct dmremap_map_entry *next)
{
	return next->block == first->block + count &&
	       next->remapped == first->remapped && next->invalid == first->invalid &&
	       (!first->remapped || (next->member == first->member &&
				     next->slot == first->slot + count));
}

static void list_extent(struct group *g, const struct dmremap_map_entry *e,
			uint64_t count, uint32_t block_size)
{
	struct record *r;

	if (!count)
		return;
	r = group_add(g);
	set_number(r, "block", e->block);
	set_number(r, "count", count);
	set_number(r, "first_sector", e->block * (block_size / 512));
	set_string(r, "state", dmremap_record_state_name(e->remapped ? DMR_RECORD_REMAPPED :
								       DMR_RECORD_LOST));
	if (e->remapped) {
		set_number(r, "member", e->member);
		set_number(r, "slot", e->slot);
	}
	set_number(r, "lost_mask", e->invalid);
	set_number(r, "lost_sectors", count * (uint64_t)__builtin_popcount(e->invalid));
}

int cmd_map_list(struct invocation *inv)
{
	bool unreadable = option_given(inv, "unreadable");
	bool remapped = option_given(inv, "remapped");
	struct dmremap_map_entry entry, first = {};
	struct dmremap_error error = {};
	struct dmremap_set_info info;
	struct dmremap_scan *scan;
	struct dmremap_map *map;
	struct record *r;
	struct group *g;
	uint64_t count = 0;
	int err;

	if (unreadable && remapped)
		return wrong_usage("map list: either --unreadable or --remapped");
	err = open_map(inv, inv->args[0], &scan, &map, &info);
	if (err)
		return err;
	r = output_one(inv->out, &map_view);
	set_string(r, "name", info.name);
	set_string(r, "uuid", info.uuid);
	set_number(r, "block_size", info.block_size);
	set_number(r, "data_sectors", info.data_sectors);
	set_bool(r, "active", info.active);
	g = output_group(inv->out, &entry_view);
	while ((err = dmremap_map_next(map, &entry, &error)) == 1) {
		if ((unreadable && !entry.invalid) || (remapped && !entry.remapped))
			continue;
		if (count && continues(&first, count, &entry)) {
			count++;
			continue;
		}
		list_extent(g, &first, count, info.block_size);
		first = entry;
		count = 1;
	}
	list_extent(g, &first, count, info.block_size);
	dmremap_map_free(map);
	dmremap_scan_free(scan);
	return err < 0 ? fail_lib(inv, err, &error) : DONE;
}

/* --- relocate and release ----------------------------------------------------------- */

static const struct field result_fields[] = {
	{ .key = "relocated", .type = FIELD_NUMBER },
	{ .key = "released", .type = FIELD_NUMBER },
	{ .key = "lost", .type = FIELD_NUMBER },
	{ .key = "unchanged", .type = FIELD_NUMBER },
	{ .key = "failed", .type = FIELD_NUMBER },
	{ .key = "interrupted", .type = FIELD_BOOL }, {},
};

static const struct view result_view = {
	.key = "result", .style = VIEW_JSON, .one = true, .fields = result_fields,
};

int send_ranges(struct invocation *inv, const char *name, struct dmremap_ranges *ranges,
		send_ranges_fn send)
{
	struct dmremap_result result = {};
	struct dmremap_error error = {};
	struct progress progress;
	struct record *r;
	int err;

	progress_begin(&progress, inv->command->name, PROGRESS_BLOCKS, inv->json);
	err = send(name, ranges, show_progress, &progress, &result, &error);
	progress_end(&progress);

	r = output_one(inv->out, &result_view);
	set_number(r, "relocated", result.relocated);
	set_number(r, "released", result.released);
	set_number(r, "lost", result.lost);
	set_number(r, "unchanged", result.unchanged);
	set_number(r, "failed", result.failed);
	set_bool(r, "interrupted", err == -ECANCELED);
	if (err < 0 && err != -ECANCELED &&
	    !(result.relocated + result.released + result.lost + result.unchanged))
		return fail_lib(inv, err, &error);
	if (send == dmremap_unreadable)
		say("%" PRIu64 " sectors recorded as lost.", result.lost);
	else if (send == dmremap_release)
		say("%" PRIu64 " blocks released, %" PRIu64 " unchanged, %" PRIu64 " failed.",
		    result.released, result.unchanged, result.failed);
	else
		say("%" PRIu64 " blocks relocated, %" PRIu64 " recorded as lost, %" PRIu64
		    " unchanged, %" PRIu64 " failed.", result.relocated, result.lost,
		    result.unchanged, result.failed);
	if (err == -ECANCELED) {
		fail("Interrupted. What was done stays done.");
		advise("The same command goes on where it stopped.");
		return FAILED;
	}
	if (err < 0)
		return fail_lib(inv, err, &error);
	if (result.failed)
		return fail("%" PRIu64 " blocks could not be done; the kernel log says why.",
			    result.failed);
	return DONE;
}

/*
 * The ranges of the command line, in blocks of the set. @origin: what sector
 * numbers begin with.
 */
static int read_ranges(struct invocation *inv, uint32_t block_size, uint64_t origin,
		       struct dmremap_ranges **ranges)
{
	struct dmremap_ranges *blocks;
	int err;

	err = dmremap_ranges_new(0, ranges);
	if (err < 0)
		return fail_errno(err, "%s", inv->command->name);
	for (int i = 1; i < inv->nr_args; i++) {
		uint64_t first, count;

		err = parse_range(inv->args[i], &first, &count);
		if (!err && first < origin) {
			dmremap_ranges_free(*ranges);
			return fail("%s lies before the data, which begins at sector %" PRIu64 ".",
				    inv->args[i], origin);
		}
		if (!err)
			err = dmremap_ranges_add(*ranges, first - origin, count);
		if (err == -ENOMEM)
			no_memory();
		if (err) {
			dmremap_ranges_free(*ranges);
			wrong_usage("%s: %s is not a range", inv->command->name, inv->args[i]);
			advise("Write a number (7), first and last (7-12), or first and count (7+6).");
			return WRONG_USAGE;
		}
	}
	if (!option_given(inv, "sector"))
		return DONE;
	err = dmremap_ranges_to_blocks(*ranges, block_size, &blocks);
	dmremap_ranges_free(*ranges);
	if (err < 0)
		return fail_errno(err, "%s", inv->command->name);
	*ranges = blocks;
	return DONE;
}

/* Before anything moves: the module would refuse only what it comes to. */
static int check_end(const struct dmremap_status *status, struct dmremap_ranges *ranges)
{
	uint32_t unit = status->block_size / 512;
	uint64_t blocks = unit ? status->sectors / unit + !!(status->sectors % unit) : 0;
	size_t n = dmremap_ranges_count(ranges);
	const struct dmremap_range *last = n ? dmremap_ranges_get(ranges, n - 1) : NULL;

	if (!last || last->start + last->count <= blocks)
		return DONE;
	return fail("Block %" PRIu64 " lies behind the end of set %s, which has %" PRIu64
		    " blocks. Nothing was done.", last->start + last->count - 1, status->name,
		    blocks);
}

static int move_blocks(struct invocation *inv, send_ranges_fn send)
{
	struct dmremap_ranges *ranges;
	struct dmremap_error error = {};
	struct dmremap_status status;
	int err;

	if (option_given(inv, "sector") && option_given(inv, "block"))
		return wrong_usage("%s: either --sector or --block", inv->command->name);
	if (option_given(inv, "raw") && !option_given(inv, "sector"))
		return wrong_usage("%s: --raw goes with --sector", inv->command->name);
	err = dmremap_status(inv->args[0], &status, &error);
	if (!err)
		err = dmremap_status_answers(&status, &error);
	if (err < 0)
		return fail_lib(inv, err, &error);
	err = read_ranges(inv, status.block_size,
			  option_given(inv, "raw") ? status.data_offset : 0, &ranges);
	if (err)
		return err;
	err = check_end(&status, ranges);
	if (!err)
		err = send_ranges(inv, inv->args[0], ranges, send);
	dmremap_ranges_free(ranges);
	return err;
}

int cmd_map_relocate(struct invocation *inv)
{
	return move_blocks(inv, dmremap_relocate);
}

int cmd_map_release(struct invocation *inv)
{
	return move_blocks(inv, dmremap_release);
}
