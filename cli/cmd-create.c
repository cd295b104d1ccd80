// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * create: making a set out of devices, and starting it.
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

static const struct field created_fields[] = {
	{ .key = "name" }, { .key = "uuid" }, { .key = "path" },
	{ .key = "size_bytes", .type = FIELD_BYTES },
	{ .key = "block_size", .type = FIELD_BYTES },
	{ .key = "map_entries", .type = FIELD_NUMBER },
	{ .key = "adopted", .type = FIELD_BOOL },
	{ .key = "active", .type = FIELD_BOOL }, {},
};

static const struct view created_view = {
	.key = "set", .style = VIEW_JSON, .one = true, .fields = created_fields,
};

/* --spare DEV[,tier=N] into @create; the paths are the caller's to free. */
static int read_spares(const struct invocation *inv, struct dmremap_create *create,
		       struct dmremap_spare spares[DMR_MAX_MEMBERS])
{
	const char *text;

	for (int n = 0; (text = option_nth(inv, "spare", n)); n++) {
		char *path;
		int err;

		if (n == DMR_MAX_MEMBERS - 1)
			return wrong_usage("create: at most %d spares", DMR_MAX_MEMBERS - 1);
		err = parse_spare(text, &path, &spares[n].tier);
		if (err) {
			wrong_usage("--spare %s: not understood", text);
			advise("Write a device, or a device and its tier: /dev/sdc,tier=1");
			return WRONG_USAGE;
		}
		spares[n].path = path;
		create->nr_spares++;
	}
	return DONE;
}

static int read_create(struct invocation *inv, struct dmremap_create *create,
		       struct dmremap_spare spares[DMR_MAX_MEMBERS])
{
	uint64_t block_size = 0;
	int err;

	create->name = inv->args[0];
	create->data = option_text(inv, "data");
	create->adopt = option_given(inv, "adopt");
	create->spares = spares;
	err = option_sectors(inv, "data-offset", &create->data_offset);
	if (!err)
		err = option_size(inv, "internal-spare", &create->internal_spare_bytes);
	if (!err)
		err = option_size(inv, "block-size", &block_size);
	if (!err)
		err = option_number(inv, "map-entries", 1,
				    (DMR_MAX_PAGES - 1) * (uint64_t)DMR_PAGE_RECORDS,
				    &create->map_entries);
	if (!err)
		err = read_spares(inv, create, spares);
	if (err)
		return err;
	if (option_given(inv, "block-size") &&
	    (block_size < 512 || block_size > DMR_MAX_BLOCK_SECTORS * 512 ||
	     block_size & (block_size - 1)))
		return wrong_usage("--block-size %s: a power of two from 512 to %d is needed",
				   option_text(inv, "block-size"), DMR_MAX_BLOCK_SECTORS * 512);
	create->block_size = (uint32_t)block_size;
	if (option_given(inv, "internal-spare") && create->internal_spare_bytes < 512)
		return wrong_usage("--internal-spare %s: a size is needed",
				   option_text(inv, "internal-spare"));
	if (option_given(inv, "data-offset") && !create->adopt)
		return wrong_usage("create: --data-offset goes with --adopt only");
	if (!create->nr_spares && !create->internal_spare_bytes) {
		wrong_usage("create: there is no spare");
		advise("Give --spare DEV, or --internal-spare SIZE for the end of the data device.");
		return WRONG_USAGE;
	}
	return DONE;
}

/* Start what was just created, from the disks as they are now. */
static int start_created(struct invocation *inv, const struct dmremap_create *create,
			 const char *uuid, struct dmremap_status *status)
{
	const char *paths[DMR_MAX_MEMBERS + 2] = { create->data };
	struct dmremap_start start = { .data = create->adopt ? create->data : NULL };
	struct dmremap_error error = {};
	struct dmremap_scan *scan = NULL;
	struct dmremap_set *set;
	int err;

	for (size_t i = 0; i < create->nr_spares; i++)
		paths[i + 1] = create->spares[i].path;
	err = dmremap_scan_new(0, paths, &scan, &error);
	if (!err)
		err = dmremap_scan_find(scan, uuid, &set, &error);
	if (!err)
		err = dmremap_start(set, &start, &error);
	if (!err)
		err = dmremap_status(uuid, status, &error);
	dmremap_scan_free(scan);
	if (err >= 0)
		return DONE;
	fail_lib(inv, err, &error);
	advise("The set was made, but does not run. To try again: " PROGRAM " start %s",
	       create->name);
	return FAILED;
}

static int create_set(struct invocation *inv, const struct dmremap_create *create)
{
	struct dmremap_status status = {};
	struct dmremap_error error = {};
	struct dmremap_plan *plan;
	struct dmremap_set_info *info;
	struct record *r;
	char size[32];
	bool done, start = !option_given(inv, "no-start");
	int err;

	err = dmremap_create_plan(create, option_given(inv, "force") ? DMREMAP_FORCE : 0,
				  &plan, &error);
	if (err < 0)
		return fail_lib(inv, err, &error);
	info = malloc(sizeof(*info));
	if (!info)
		no_memory();
	*info = *dmremap_plan_info(plan);
	err = run_plan(inv, plan, NULL, &done);
	if (!err && done && start)
		err = start_created(inv, create, info->uuid, &status);
	if (!err) {
		r = output_one(inv->out, &created_view);
		set_string(r, "name", create->name);
		set_string(r, "uuid", done ? info->uuid : NULL);
		set_number(r, "size_bytes", info->data_sectors * 512);
		set_number(r, "block_size", info->block_size);
		set_number(r, "map_entries", info->records);
		set_bool(r, "adopted", create->adopt);
		set_bool(r, "active", done && start);
		if (done && start)
			set_text(r, "path", "/dev/mapper/%s", create->name);
	}
	if (!err && done) {
		dmremap_format_size(info->data_sectors * 512, size, sizeof(size));
		if (start) {
			say("Set %s is created and running: /dev/mapper/%s, %s, %" PRIu64
			    " spare blocks.", create->name, create->name, size, status.slots);
		} else {
			say("Set %s is created: %s.", create->name, size);
			advise("To use it: " PROGRAM " start %s", create->name);
		}
	}
	free(info);
	return err;
}

int cmd_create(struct invocation *inv)
{
	struct dmremap_spare spares[DMR_MAX_MEMBERS] = {};
	struct dmremap_create create = {};
	int err;

	err = read_create(inv, &create, spares);
	if (!err)
		err = create_set(inv, &create);
	for (size_t i = 0; i < create.nr_spares; i++)
		free((char *)spares[i].path);
	return err;
}
