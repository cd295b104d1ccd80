/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing the map as a list: for badblocks(8) and its users, as a map file of GNU
 * ddrescue, and as JSON:
 *
 *	{ "format": "dm-remap-map", "version": 1, "set": name, "uuid": uuid,
 *	  "block_size": bytes, "data_sectors": n,
 *	  "entries": [ { "block": n, "state": "remapped", "member": n, "slot": n,
 *			 "invalid": mask },
 *		       { "block": n, "state": "lost", "invalid": mask } ] }
 *
 * Written entry by entry: the map may not fit into memory twice.
 */
#include <json-c/json.h>

#include "private.h"

struct export {
	FILE *f;
	const struct dmremap_export *how;
	unsigned int what;
	u64 block_sectors, data_sectors;
	u64 unit;			/* bytes, badblocks */
	u64 next_unit;			/* not written yet, badblocks */
	u64 start, end;			/* pending run of bad sectors, ddrescue */
	u64 at;				/* written up to here, ddrescue */
	bool first;			/* json */
};

/* Bad sectors [first, first + count) of the mapped device, ascending. */
static void badblocks_run(struct export *x, u64 first, u64 count)
{
	u64 unit = (first + x->how->origin) * 512 / x->unit;
	u64 last = ((first + x->how->origin + count) * 512 - 1) / x->unit;

	for (unit = MAX(unit, x->next_unit); unit <= last; unit++)
		fprintf(x->f, "%llu\n", (unsigned long long)unit);
	x->next_unit = MAX(x->next_unit, last + 1);
}

static void ddrescue_area(struct export *x, u64 end, char status)
{
	if (end <= x->at)
		return;
	fprintf(x->f, "0x%08llX  0x%08llX  %c\n",
		(unsigned long long)(x->at + x->how->origin) * 512,
		(unsigned long long)(end - x->at) * 512, status);
	x->at = end;
}

static void ddrescue_flush(struct export *x)
{
	if (x->end == x->start)
		return;
	ddrescue_area(x, x->start, '+');
	ddrescue_area(x, x->end, '-');
}

static void ddrescue_run(struct export *x, u64 first, u64 count)
{
	if (first == x->end && x->end > x->start) {
		x->end += count;
		return;
	}
	ddrescue_flush(x);
	x->start = first;
	x->end = first + count;
}

static void run(struct export *x, u64 first, u64 count)
{
	if (first >= x->data_sectors)
		return;
	count = MIN(count, x->data_sectors - first);
	if (x->how->format == DMREMAP_LIST_BADBLOCKS)
		badblocks_run(x, first, count);
	else
		ddrescue_run(x, first, count);
}

static void write_json_entry(struct export *x, const struct dmremap_map_entry *e)
{
	fprintf(x->f, "%s\n    { \"block\": %llu, \"state\": \"%s\"", x->first ? "" : ",",
		(unsigned long long)e->block, e->remapped ? "remapped" : "lost");
	if (e->remapped)
		fprintf(x->f, ", \"member\": %u, \"slot\": %u", e->member, e->slot);
	fprintf(x->f, ", \"invalid\": %u }", e->invalid);
	x->first = false;
}

static void write_entry(struct export *x, const struct dmremap_map_entry *e)
{
	u64 first = e->block * x->block_sectors, i;

	if (e->remapped && x->what & DMREMAP_EXPORT_REMAPPED) {
		if (x->how->format == DMREMAP_LIST_JSON)
			write_json_entry(x, e);
		else
			run(x, first, x->block_sectors);
		return;
	}
	if (!e->invalid || !(x->what & DMREMAP_EXPORT_LOST))
		return;
	if (x->how->format == DMREMAP_LIST_JSON) {
		write_json_entry(x, e);
		return;
	}
	for (i = 0; i < x->block_sectors; i++)
		if (e->invalid >> i & 1)
			run(x, first + i, 1);
}

/* A string as JSON has it. 0 or -ENOMEM. */
static int write_json_string(struct export *x, const char *key, const char *value)
{
	struct json_object *string = json_object_new_string(value ?: "");
	const char *text = string ? json_object_to_json_string_ext(string, 0) : NULL;

	if (text)
		fprintf(x->f, "  \"%s\": %s,\n", key, text);
	json_object_put(string);
	return text ? 0 : -ENOMEM;
}

static int write_head(struct export *x)
{
	if (x->how->format == DMREMAP_LIST_DDRESCUE) {
		fprintf(x->f, "# Mapfile. Written by dm-remap %s\n", dmremap_version());
		fprintf(x->f, "# current_pos  current_status  current_pass\n");
		fprintf(x->f, "0x00000000     +               1\n");
		fprintf(x->f, "#      pos        size  status\n");
		return 0;
	}
	if (x->how->format != DMREMAP_LIST_JSON)
		return 0;
	fprintf(x->f, "{\n  \"format\": \"dm-remap-map\",\n  \"version\": 1,\n");
	if (write_json_string(x, "set", x->how->set_name) < 0 ||
	    write_json_string(x, "uuid", x->how->set_uuid) < 0)
		return -ENOMEM;
	fprintf(x->f, "  \"block_size\": %llu,\n  \"data_sectors\": %llu,\n  \"entries\": [",
		(unsigned long long)x->block_sectors * 512,
		(unsigned long long)x->data_sectors);
	return 0;
}

static void write_tail(struct export *x)
{
	if (x->how->format == DMREMAP_LIST_JSON)
		fprintf(x->f, "%s]\n}\n", x->first ? "" : "\n  ");
	if (x->how->format == DMREMAP_LIST_DDRESCUE) {
		ddrescue_flush(x);
		ddrescue_area(x, x->data_sectors, '+');
	}
}

int dmremap_export(FILE *file, struct dmremap_map *map, const struct dmremap_export *how,
		   struct dmremap_error *err)
{
	struct export x = {
		.f = file,
		.how = how,
		.what = how->what ? how->what : DMREMAP_EXPORT_REMAPPED | DMREMAP_EXPORT_LOST,
		.block_sectors = dmremap_map_block_size(map) / 512,
		.data_sectors = dmremap_map_data_sectors(map),
		.unit = how->unit_bytes ? how->unit_bytes : 1024,
		.first = true,
	};
	struct dmremap_map_entry entry;
	int r;

	if (x.unit % 512)
		return dmri_error(err, -EINVAL,
				  "A unit of %u bytes is not a multiple of 512.",
				  how->unit_bytes);
	r = write_head(&x);
	if (r < 0)
		return dmri_error_sys(err, r, "The list can not be written");
	while ((r = dmremap_map_next(map, &entry, err)) == 1)
		write_entry(&x, &entry);
	if (r < 0)
		return r;
	write_tail(&x);
	if (fflush(file) || ferror(file))
		return dmri_error_sys(err, errno ? -errno : -EIO,
				      "The list can not be written");
	return 0;
}
