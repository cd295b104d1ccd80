/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting a set: all that can be known before is checked here, so that a
 * refusal comes with its full reason; the module checks again and has the
 * last word.
 */
#include "private.h"

static const struct dmremap_start no_options;

static int devno_text(const struct dmremap_member_info *m, char *buf, size_t size)
{
	if (!m->major && !m->minor)	/* a regular file in a test */
		return -ENOTBLK;
	dmri_text(buf, size, "%u:%u", m->major, m->minor);
	return 0;
}

static int build_table(const struct dmremap_set *set, bool degraded,
		       struct dmri_table *table)
{
	const struct dmremap_set_info *info = &set->info;
	unsigned int i;
	int r;

	memset(table, 0, sizeof(*table));
	r = devno_text(&info->members[0], table->data, sizeof(table->data));
	for (i = 1; i < info->nr_members && !r; i++) {
		const struct dmremap_member_info *m = &info->members[i];

		if (!set->member_usable[i])
			continue;
		if (m->internal) {
			table->internal = true;
			table->internal_sector = m->region_start;
			continue;
		}
		if (table->nr_spares == DMR_MAX_MEMBERS - 1)
			return -ENOSPC;
		r = devno_text(m, table->spares[table->nr_spares++], sizeof(table->spares[0]));
	}
	table->data_offset = info->data_offset;
	dmri_copy(table->set_uuid, sizeof(table->set_uuid), info->uuid);
	table->degraded = degraded;
	return r;
}

/* Load, and refuse what the verdict refuses. */
static int load_startable(struct dmremap_set *set, const struct dmremap_start *start,
			  struct dmremap_error *err)
{
	int r = dmremap_set_load(set, start->data, err);

	if (r < 0)
		return r;
	switch (set->info.verdict) {
	case DMREMAP_READY:
		return 0;
	case DMREMAP_DEGRADED:
		if (start->degraded)
			return 0;
		/* fall through */
	case DMREMAP_REFUSED:
		return dmri_error(err, set->code, "%s", set->info.reason);
	case DMREMAP_ACTIVE:
		return dmri_error(err, -EALREADY, "%s is active already%s%s.", set->info.name,
				  *set->info.device ? " as /dev/mapper/" : "",
				  set->info.device);
	default:
		return dmri_error(err, -EINVAL, "%s could not be examined.", set->info.name);
	}
}

int dmremap_table(struct dmremap_set *set, const struct dmremap_start *start,
		  char *buf, size_t size, struct dmremap_error *err)
{
	struct dmri_table table;
	int r;

	start = start ?: &no_options;
	r = load_startable(set, start, err);
	if (r < 0)
		return r;
	r = build_table(set, set->info.verdict == DMREMAP_DEGRADED, &table);
	if (!r)
		r = dmri_table_format(&table, buf, size);
	return r < 0 ? dmri_error_sys(err, r, "The table of %s", set->info.name) : 0;
}

/*
 * What lies on the data device of an adopted set may have been written through that, and
 * moved: a set made on top of it is no set of the device below.
 */
static int check_not_adopted(const struct dmremap_set *set, const struct dmri_dev *dev,
			     struct dmremap_error *err)
{
	_free_ struct dmremap_device *d = calloc(1, sizeof(*d));
	struct dmremap_raw raw = { .kind = DMREMAP_RAW_NONE };

	if (!d)
		return dmri_error_sys(err, -ENOMEM, "%s", dev->path);
	dmri_fill_device(dev, d);
	if (!dmri_known_match(d, &raw) || !strcmp(raw.set_uuid, set->info.uuid))
		return 0;
	return dmri_error(err, -EEXIST,
			  "%s is the data device that set %s (%s) has adopted; %s may have been made on top of that. Start that set, or destroy it if it is of no more use; if nothing is left of it, remove the file of that UUID in /etc/dm-remap/adopted or /run/dm-remap/adopted.",
			  dev->path, raw.set_name, raw.set_uuid, set->info.name);
}

/* Is a device of the set mounted, or taken by something else? */
static int check_unused(const struct dmremap_set *set, struct dmremap_error *err)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < set->info.nr_members && !r; i++) {
		_cleanup_(dmri_dev_closep) struct dmri_dev *dev = NULL;

		if (set->member_usable[i] && !set->info.members[i].internal)
			r = dmri_dev_open(set->info.members[i].path, DMRI_EXCL, &dev, err);
		/* Its own adopted device is proved by more than that. */
		if (dev && !set->info.members[i].no_metadata)
			r = check_not_adopted(set, dev, err);
	}
	return r;
}

int dmremap_start(struct dmremap_set *set, const struct dmremap_start *start,
		  struct dmremap_error *err)
{
	char params[4096];
	const char *name;
	int r;

	start = start ?: &no_options;
	name = start->name ?: set->info.name;
	r = dmremap_name_check(name, err);
	if (!r)
		r = dmremap_table(set, start, params, sizeof(params), err);
	/* Also of a set that can not be started yet: its data device is to be hidden. */
	dmri_known_remember(set);
	if (!r)
		r = check_unused(set, err);
	if (!r)
		r = dmri_dm_activate(name, set->info.uuid, set->info.data_sectors, params, err);
	if (r < 0)
		return r;
	set->info.active = true;
	set->info.verdict = DMREMAP_ACTIVE;
	set->code = -EALREADY;
	dmri_copy(set->info.device, sizeof(set->info.device), name);
	if (set->info.adopted)
		dmri_udev_change(set->info.members[0].major, set->info.members[0].minor);
	return 0;
}
