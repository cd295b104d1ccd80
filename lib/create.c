/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Planning a new set: what is asked for is checked, all devices are opened
 * exclusively, every sector is decided and every structure filled in. Writes
 * nothing; see create-write.c for that.
 */
#include <time.h>
#include <uuid/uuid.h>

#include "create.h"

#define DEFAULT_RECORDS	4000
#define TAIL_STEP	2048u		/* sectors read at once */

static void creation_free(struct creation *c)
{
	unsigned int i;

	if (!c)
		return;
	for (i = 0; i < c->nr; i++)
		if (!c->members[i].shared)
			dmri_dev_close(c->members[i].dev);
	if (c->data_owned)
		dmri_dev_close(c->data);
	free(c);
}

static void creation_release(struct dmremap_plan *plan)
{
	creation_free(plan->data);
}

/* --- Checking what is asked for ------------------------------------------- */

static int check_request(const struct dmremap_create *q, struct dmremap_error *err)
{
	int r = dmremap_name_check(q->name ?: "", err);

	if (r < 0)
		return r;
	if (!q->data)
		return dmri_error(err, -EINVAL, "A data device is needed.");
	if (!q->nr_spares && !q->internal_spare_bytes)
		return dmri_error(err, -EINVAL,
				  "At least one spare device, or an internal spare, is needed.");
	if (q->nr_spares + !!q->internal_spare_bytes > DMR_MAX_MEMBERS - 1)
		return dmri_error(err, -EINVAL, "A set has at most %d spares.",
				  DMR_MAX_MEMBERS - 1);
	if (q->data_offset && !q->adopt)
		return dmri_error(err, -EINVAL,
				  "An offset of the data can only be given when the data device is adopted; otherwise the header decides it.");
	if (q->block_size && (q->block_size % 512 || !dmr_block_sectors_ok(q->block_size / 512)))
		return dmri_error(err, -EINVAL,
				  "The block size %u is not a power of two from 512 to 16384.",
				  q->block_size);
	if (q->map_entries > (u64)(DMR_MAX_PAGES - 1) * DMR_PAGE_RECORDS)
		return dmri_error(err, -EINVAL, "The map can have at most %u entries.",
				  (DMR_MAX_PAGES - 1) * DMR_PAGE_RECORDS);
	if (q->policy && dmri_policy_check(q->policy, err) < 0)
		return -EINVAL;
	return 0;
}

static int check_device_name(const char *name, struct dmremap_error *err)
{
	struct dmri_dm_name found;

	if (!dmri_dm_resolve(name, &found, NULL))
		return dmri_error(err, -EEXIST,
				  "A mapped device with the name %s exists already.", name);
	return 0;
}

static int check_other_sets(const char *name, const struct creation *c,
			    unsigned int flags, struct dmremap_plan *plan,
			    struct dmremap_error *err)
{
	struct dmremap_device spare;
	unsigned int i;
	struct dmremap_scan *scan = NULL;
	struct dmremap_set *set;
	int r;

	r = dmremap_scan_new(DMREMAP_SCAN_LOAD, NULL, &scan, err);
	/* Who may not look at devices makes a set of files. */
	if (r == -EPERM && !c->data_info.major && !c->data_info.minor)
		return 0;
	if (r < 0)
		return r;
	while (!r && dmremap_scan_next(scan, &set)) {
		if (!strcmp(set->info.name, name))
			r = dmri_error(err, -EEXIST,
				       "A set with the name %s exists already (%s); choose another, or destroy that one.",
				       name, set->info.uuid);
		else
			r = dmri_check_adopted_by(set, &c->data_info, flags, plan, err);
		for (i = 0; i < c->nr && !r; i++) {
			if (c->members[i].dev == c->data)
				continue;
			dmri_fill_device(c->members[i].dev, &spare);
			r = dmri_check_adopted_by(set, &spare, flags, plan, err);
		}
	}
	dmremap_scan_free(scan);
	return r;
}

/* --- Opening ----------------------------------------------------------------- */

/* The daemon could take it for a spare while the set is not in use. */
static int check_not_labelled(const struct dmremap_device *d, unsigned int flags,
			      struct dmremap_error *err)
{
	if (d->holds != DMREMAP_HOLDS_LABEL || flags & DMREMAP_FORCE)
		return 0;
	return dmri_error(err, -ENOTEMPTY,
			  "%s %s. To make it the data device, take the label off first (\"dmremapctl spare unlabel\").",
			  d->path, d->text);
}

static int open_adopted(struct creation *c, const struct dmremap_create *q, unsigned int force,
			struct dmremap_plan *plan, struct dmremap_error *err)
{
	struct dmremap_device *d = &c->data_info;
	unsigned int flags = DMRI_EXCL | (q->internal_spare_bytes ? DMRI_WRITE : 0);
	int r = dmri_dev_open(q->data, flags, &c->data, err);

	if (r < 0)
		return r;
	c->data_owned = true;
	dmri_copy(d->path, sizeof(d->path), q->data);
	d->sectors = c->data->sectors;
	if (c->data->block)
		dmri_identify(c->data->major, c->data->minor, d);
	if (d->read_only)
		return dmri_error(err, -EROFS, "%s is read-only.", q->data);
	if (d->zoned)
		return dmri_error(err, -EOPNOTSUPP,
				  "%s is a zoned device; those can not be used.", q->data);
	if (q->internal_spare_bytes && c->data->logical > DMR_FRAME_SIZE)
		return dmri_error(err, -EOPNOTSUPP,
				  "%s has logical blocks of %u bytes; metadata needs %d or less.",
				  q->data, c->data->logical, DMR_FRAME_SIZE);
	r = dmri_probe_contents(c->data, d, err);
	if (r < 0)
		return r;
	if (d->holds == DMREMAP_HOLDS_MEMBER || d->holds == DMREMAP_HOLDS_NEWER)
		return dmri_error(err, -EINVAL, "%s %s; it can not be adopted by another.",
				  q->data, d->text);
	/* It stays where it is: no force helps. */
	r = check_not_labelled(d, 0, err);
	if (!r)
		r = dmri_known_overwrite(d, force, plan, err);
	if (r < 0)
		return r;
	if (d->holds != DMREMAP_HOLDS_NOTHING)
		dmri_plan_add(plan, DMREMAP_PLAN_NOTE, "%s %s; it stays as it is.", q->data,
			      d->text);
	if (!*d->serial && !*d->wwn && !*d->partuuid && !q->internal_spare_bytes)
		dmri_plan_add(plan, DMREMAP_PLAN_NOTE,
			      "%s has no serial number, WWN or partition UUID to know it by: it must be named with --data at the first start and after a crash.",
			      q->data);
	return 0;
}

static int open_spare(struct creation *c, const struct dmremap_spare *spare,
		      unsigned int flags, struct dmremap_plan *plan,
		      struct dmremap_error *err)
{
	struct dmri_new_member *m = &c->members[c->nr];
	_free_ struct dmremap_device *d = calloc(1, sizeof(*d));
	unsigned int i;
	int r;

	if (!d)
		return dmri_error_sys(err, -ENOMEM, "%s", spare->path);
	if (!strcmp(c->data->path, spare->path))
		return dmri_error(err, -EINVAL,
				  "%s is named as data device and as spare; use an internal spare for that.",
				  spare->path);
	for (i = 0; i < c->nr; i++)
		if (!strcmp(c->members[i].dev->path, spare->path))
			return dmri_error(err, -EINVAL, "%s is named twice.", spare->path);
	r = dmri_plan_device(plan, spare->path, flags, "a spare", &m->dev, d, err);
	if (r < 0)
		return r;
	m->wipe = d->holds != DMREMAP_HOLDS_NOTHING;
	m->anchor.tier = cpu_to_le32(spare->tier);
	c->nr++;
	return 0;
}

static int open_all(struct creation *c, const struct dmremap_create *q, unsigned int flags,
		    struct dmremap_plan *plan, struct dmremap_error *err)
{
	struct dmri_new_member *m = &c->members[0];
	size_t i;
	int r;

	if (q->adopt) {
		r = open_adopted(c, q, flags, plan, err);
	} else {
		r = dmri_plan_device(plan, q->data, flags, "a data device with a header",
				     &m->dev, &c->data_info, err);
		if (!r)
			r = check_not_labelled(&c->data_info, flags, err);
		if (m->dev) {
			c->data = m->dev;
			m->wipe = c->data_info.holds != DMREMAP_HOLDS_NOTHING;
			c->nr = 1;
		}
	}
	for (i = 0; i < q->nr_spares && !r; i++)
		r = open_spare(c, &q->spares[i], flags, plan, err);
	if (!r && q->internal_spare_bytes) {
		m = &c->members[c->nr++];
		m->dev = c->data;
		m->shared = true;
		m->internal = true;
		m->anchor.tier = cpu_to_le32(q->internal_spare_tier);
	}
	return r;
}

/* --- Sizes --------------------------------------------------------------------- */

static int choose_block_size(struct creation *c, const struct dmremap_create *q,
			     struct dmremap_error *err)
{
	const struct dmri_dev *widest = c->data;
	unsigned int i;
	u32 size;

	for (i = 0; i < c->nr; i++)
		if (c->members[i].dev->logical > widest->logical)
			widest = c->members[i].dev;
	size = q->block_size ? q->block_size : MAX(4096, widest->logical);
	if (size < widest->logical)
		return dmri_error(err, -EINVAL,
				  "The block size %u is smaller than the logical blocks of %s, which are %u bytes.",
				  size, widest->path, widest->logical);
	if (!dmr_block_sectors_ok(size / 512))
		return dmri_error(err, -EOPNOTSUPP,
				  "%s has logical blocks of %u bytes; at most 16384 are supported.",
				  widest->path, widest->logical);
	c->block_sectors = size / 512;
	return 0;
}

/* The tail of the data device, in front of the locator, aligned at its start. */
static int place_internal(struct creation *c, const struct dmremap_create *q,
			  struct dmremap_error *err)
{
	u64 end, sectors = q->internal_spare_bytes / 512;

	if (!sectors)
		return 0;
	if (c->data->sectors < 4 * DMRI_ALIGN)
		return dmri_error(err, -ENOSPC, "%s is too small for an internal spare.",
				  c->data->path);
	end = dmri_locator_sector(c->data->sectors);
	if (sectors + DMRI_ALIGN > end)
		return dmri_error(err, -ENOSPC,
				  "The internal spare would be as large as all of %s.",
				  c->data->path);
	c->internal_start = dmri_round_down(end - sectors, DMRI_ALIGN);
	c->internal_sectors = end - c->internal_start;
	return 0;
}

static u64 region_sectors(const struct creation *c, const struct dmri_new_member *m)
{
	if (m->internal)
		return c->internal_sectors;
	if (m->dev == c->data && c->internal_start)
		return c->internal_start;
	return dmri_round_down(m->dev->sectors, DMR_FRAME_SECTORS);
}

static void choose_map_size(struct creation *c, const struct dmremap_create *q)
{
	u64 records = q->map_entries, slots = 0;
	unsigned int i;

	for (i = 0; i < c->nr; i++)
		if (c->members[i].internal || c->members[i].dev != c->data)
			slots += region_sectors(c, &c->members[i]) / c->block_sectors;
	if (!records)
		records = MIN(MAX(2 * slots, (u64)DEFAULT_RECORDS),
			      (u64)(DMR_MAX_PAGES - 1) * DMR_PAGE_RECORDS);
	c->nr_pages = 1 + (records + DMR_PAGE_RECORDS - 1) / DMR_PAGE_RECORDS;
	c->nr_frames = dmri_nr_frames(c->nr_pages);
}

static int too_small(const struct creation *c, const struct dmri_new_member *m, u64 need,
		     struct dmremap_error *err)
{
	char has[32], min[32];

	dmremap_format_size(region_sectors(c, m) * 512, has, sizeof(has));
	dmremap_format_size(need * 512, min, sizeof(min));
	return dmri_error(err, -ENOSPC,
			  "%s%s is too small: it has %s (%llu sectors), at least %s (%llu sectors) are needed for a map of %llu entries.",
			  m->internal ? "The internal spare on " : "", m->dev->path, has,
			  (unsigned long long)region_sectors(c, m), min,
			  (unsigned long long)need,
			  (unsigned long long)(c->nr_pages - 1) * DMR_PAGE_RECORDS);
}

static int lay_out_members(struct creation *c, struct dmremap_error *err)
{
	unsigned int i;

	for (i = 0; i < c->nr; i++) {
		struct dmri_new_member *m = &c->members[i];
		bool data = m->dev == c->data && !m->internal;
		struct dmri_layout layout;
		u64 need;

		if (dmri_layout_region(m->internal ? c->internal_start : 0,
				       region_sectors(c, m), c->nr_frames, c->block_sectors,
				       data ? DMR_ROLE_DATA : DMR_ROLE_SPARE, &layout, &need))
			return too_small(c, m, need, err);
		dmri_member_anchor(&m->anchor, data ? DMR_ROLE_DATA : DMR_ROLE_SPARE, &layout,
				   le32_to_cpu(m->anchor.tier));
	}
	return 0;
}

/* Where the data begins and how long it is. */
static int lay_out_data(struct creation *c, const struct dmremap_create *q,
			struct dmremap_error *err)
{
	u64 start = q->data_offset, end = c->internal_start, length;

	if (!q->adopt) {
		start = le64_to_cpu(c->members[0].anchor.payload_start);
		length = le64_to_cpu(c->members[0].anchor.payload_sectors);
	} else {
		if (!end)
			end = dmri_round_down(c->data->sectors, c->data->logical / 512);
		if (start % (c->data->logical / 512))
			return dmri_error(err, -EINVAL,
					  "The data offset is not a multiple of %u bytes, the logical blocks of %s.",
					  c->data->logical, c->data->path);
		if (start >= end)
			return dmri_error(err, -ENOSPC,
					  "The data would begin behind the end of %s.",
					  c->data->path);
		length = end - start;
	}
	if (q->data_sectors && q->data_sectors > length)
		return dmri_error(err, -ENOSPC,
				  "%s has room for %llu sectors of data, %llu are asked for.",
				  c->data->path, (unsigned long long)length,
				  (unsigned long long)q->data_sectors);
	if (q->data_sectors % (c->data->logical / 512))
		return dmri_error(err, -EINVAL,
				  "The length of the data is not a multiple of %u bytes, the logical blocks of %s.",
				  c->data->logical, c->data->path);
	if (q->data_sectors)
		length = q->data_sectors;
	if (length / c->block_sectors >= DMR_MAX_BLOCKS)
		return dmri_error(err, -EFBIG,
				  "%s has more than 2^44 blocks of %u bytes; use a larger --block-size.",
				  c->data->path, c->block_sectors * 512);
	c->root.data_offset = cpu_to_le64(start);
	c->root.data_sectors = cpu_to_le64(length);
	return 0;
}

/* What is not known may reach anywhere; only zeroes are nothing for certain. */
static int tail_is_zero(const struct creation *c, bool *zero)
{
	_free_ void *buf = dmri_alloc(TAIL_STEP * 512);
	u64 at = c->internal_start, end = at + c->internal_sectors, n;
	int r = buf ? 0 : -ENOMEM;

	for (*zero = true; at < end && *zero && !r; at += n) {
		n = MIN(end - at, (u64)TAIL_STEP);
		r = dmri_dev_read(c->data, at, buf, n * 512);
		*zero = !r && dmri_is_zero(buf, n * 512);
	}
	return r;
}

/* An adopted file system must not reach into the internal spare. */
static int check_tail(struct creation *c, const struct dmremap_create *q, unsigned int flags,
		      struct dmremap_plan *plan, struct dmremap_error *err)
{
	const struct dmremap_device *d = &c->data_info;
	const char *text = *d->text ? d->text : "holds nothing that is known here";
	bool zero = false;
	u64 sectors;
	int r;

	if (!q->adopt || !c->internal_start)
		return 0;
	if (d->holds == DMREMAP_HOLDS_NOTHING) {
		r = tail_is_zero(c, &zero);
		if (r < 0)
			return dmri_error_sys(err, r, "%s can not be read", d->path);
		if (zero)
			return 0;
	}
	if (d->holds == DMREMAP_HOLDS_TABLE)
		return dmri_error(err, -EINVAL,
				  "%s %s, whose end or backup lies where the internal spare would be. Use a spare on another device, or adopt a partition.",
				  d->path, d->text);
	r = q->data_offset ? -ENODATA : dmri_filesystem_sectors(c->data, d->holds_type, &sectors);
	if (!r && sectors > c->internal_start)
		return dmri_error(err, -ENOSPC,
				  "%s %s, which takes %llu sectors; the internal spare would begin at sector %llu. Shrink it first.",
				  d->path, d->text, (unsigned long long)sectors,
				  (unsigned long long)c->internal_start);
	if (!r)
		return 0;
	if (!(flags & DMREMAP_FORCE))
		return dmri_error(err, -ENOTEMPTY,
				  "%s %s. How far it reaches is not known; if it ends before sector %llu, use --force.",
				  d->path, text, (unsigned long long)c->internal_start);
	dmri_plan_add(plan, DMREMAP_PLAN_LOSS,
		      "Everything from sector %llu of %s on will be overwritten.",
		      (unsigned long long)c->internal_start, d->path);
	return 0;
}

/* --- Contents -------------------------------------------------------------------- */

static void fill_anchors(struct creation *c, const char *name)
{
	unsigned int i;

	for (i = 0; i < c->nr; i++) {
		struct dmr_anchor *a = &c->members[i].anchor;

		memcpy(a->set_uuid, c->uuid, sizeof(a->set_uuid));
		a->block_sectors = cpu_to_le32(c->block_sectors);
		a->nr_pages = cpu_to_le32(c->nr_pages);
		a->nr_frames = cpu_to_le32(c->nr_frames);
		a->data_sectors = c->root.data_sectors;
		a->created = cpu_to_le64(time(NULL));
		memcpy(a->label, name, MIN(strlen(name), sizeof(a->label)));
	}
}

static void fill_identity(struct creation *c)
{
	struct dmr_identity *id = &c->root.identity;
	const struct dmremap_device *d = &c->data_info;

	memcpy(id->serial, d->serial, sizeof(id->serial));
	memcpy(id->wwn, d->wwn, sizeof(id->wwn));
	memcpy(id->partuuid, d->partuuid, sizeof(id->partuuid));
	dmri_copy(id->path, sizeof(id->path), c->data->path);
	id->device_sectors = cpu_to_le64(c->data->sectors);
}

static void fill_root(struct creation *c, const struct dmremap_create *q)
{
	struct dmremap_policy defaults;
	struct dmr_root *root = &c->root;
	struct dmr_member *data = &root->members[0];
	unsigned int i, n = 1;

	root->state = cpu_to_le32(DMR_SET_CLEAN);
	root->block_sectors = cpu_to_le32(c->block_sectors);
	root->nr_pages = cpu_to_le32(c->nr_pages);
	dmri_policy_default(&defaults);
	dmri_policy_put(q->policy ?: &defaults, &root->policy);
	fill_identity(c);
	data->state = cpu_to_le32(DMR_MEMBER_ACTIVE);
	data->sectors = root->data_sectors;
	if (q->adopt)
		data->flags = cpu_to_le32(DMR_MEMBER_NO_METADATA);
	for (i = 0; i < c->nr; i++) {
		const struct dmr_anchor *a = &c->members[i].anchor;
		bool is_data = le32_to_cpu(a->role) == DMR_ROLE_DATA;
		struct dmr_member *m = is_data ? data : &root->members[n++];

		memcpy(m->uuid, a->member_uuid, sizeof(m->uuid));
		m->state = cpu_to_le32(DMR_MEMBER_ACTIVE);
		m->sectors = a->payload_sectors;
		m->tier = a->tier;
	}
	root->nr_members = cpu_to_le32(n);
}

static void member_line(const struct creation *c, const struct dmri_new_member *m,
			unsigned int index, struct dmremap_plan *plan)
{
	const struct dmr_anchor *a = &m->anchor;
	char size[32];

	dmremap_format_size(le64_to_cpu(a->payload_sectors) * 512, size, sizeof(size));
	if (le32_to_cpu(a->role) == DMR_ROLE_DATA) {
		dmri_plan_add(plan, DMREMAP_PLAN_STEP,
			      "Write a header of %llu sectors to %s; the data begins behind it.",
			      (unsigned long long)le64_to_cpu(a->payload_start), m->dev->path);
		return;
	}
	dmri_plan_add(plan, DMREMAP_PLAN_STEP,
		      "Make %s%s spare %u: %u blocks of %u bytes (%s), tier %u.",
		      m->internal ? "the tail of " : "", m->dev->path, index,
		      dmr_slots(le64_to_cpu(a->payload_sectors), c->block_sectors, c->nr_pages),
		      c->block_sectors * 512, size, le32_to_cpu(a->tier));
}

static void fill_info(const struct creation *c, const struct dmremap_create *q,
		      struct dmremap_set_info *info)
{
	unsigned int i, n = 1;

	if (c->nr)
		dmri_set_from_anchor(info, &c->members[0].anchor);
	info->adopted = q->adopt;
	info->data_offset = le64_to_cpu(c->root.data_offset);
	info->records = (u64)(c->nr_pages - 1) * DMR_PAGE_RECORDS;
	info->generation = 1;
	info->verdict = DMREMAP_READY;
	dmri_policy_get(&c->root.policy, &info->policy);
	dmri_copy(info->data_serial, sizeof(info->data_serial), c->root.identity.serial);
	dmri_copy(info->data_wwn, sizeof(info->data_wwn), c->root.identity.wwn);
	dmri_copy(info->data_partuuid, sizeof(info->data_partuuid), c->root.identity.partuuid);
	info->members[0].no_metadata = q->adopt;
	info->members[0].role = DMR_ROLE_DATA;
	info->members[0].state = DMR_MEMBER_ACTIVE;
	info->members[0].present = true;
	info->members[0].payload_sectors = info->data_sectors;
	dmri_copy(info->members[0].path, DMREMAP_PATH_SIZE, c->data->path);
	for (i = 0; i < c->nr; i++) {
		const struct dmr_anchor *a = &c->members[i].anchor;
		bool data = le32_to_cpu(a->role) == DMR_ROLE_DATA;
		struct dmremap_member_info *m = &info->members[data ? 0 : n];

		m->index = data ? 0 : n++;
		m->role = le32_to_cpu(a->role);
		m->state = DMR_MEMBER_ACTIVE;
		m->present = true;
		m->internal = c->members[i].internal;
		m->major = c->members[i].dev->major;
		m->minor = c->members[i].dev->minor;
		m->region_start = le64_to_cpu(a->region_start);
		m->region_sectors = le64_to_cpu(a->region_sectors);
		m->payload_sectors = le64_to_cpu(a->payload_sectors);
		m->tier = le32_to_cpu(a->tier);
		if (!data)
			m->slots = dmr_slots(m->payload_sectors, c->block_sectors, c->nr_pages);
		dmri_copy(m->path, sizeof(m->path), c->members[i].dev->path);
		dmri_uuid_text(a->member_uuid, m->uuid);
	}
	info->nr_members = n;
}

static void fill_plan(struct creation *c, const struct dmremap_create *q,
		      struct dmremap_plan *plan)
{
	unsigned int i, n = 1;
	char size[32];

	for (i = 0; i < c->nr; i++) {
		bool data = le32_to_cpu(c->members[i].anchor.role) == DMR_ROLE_DATA;

		member_line(c, &c->members[i], data ? 0 : n, plan);
		n += !data;
	}
	dmremap_format_size(le64_to_cpu(c->root.data_sectors) * 512, size, sizeof(size));
	dmri_plan_add(plan, DMREMAP_PLAN_NOTE,
		      "/dev/mapper/%s will have %llu sectors (%s), starting at sector %llu of %s, and a map of %llu entries.",
		      q->name, (unsigned long long)le64_to_cpu(c->root.data_sectors), size,
		      (unsigned long long)le64_to_cpu(c->root.data_offset), c->data->path,
		      (unsigned long long)(c->nr_pages - 1) * DMR_PAGE_RECORDS);
	fill_info(c, q, &plan->info);
}

int dmremap_create_plan(const struct dmremap_create *q, unsigned int flags,
			struct dmremap_plan **ret, struct dmremap_error *err)
{
	_cleanup_(dmri_plan_freep) struct dmremap_plan *plan = NULL;
	struct creation *c;
	int r = check_request(q, err);

	if (!r)
		r = check_device_name(q->name, err);
	if (r < 0)
		return r;
	c = calloc(1, sizeof(*c));
	if (!c || dmri_plan_new(&plan) < 0) {
		free(c);
		return dmri_error_sys(err, -ENOMEM, "Planning %s", q->name);
	}
	plan->data = c;
	plan->release = creation_release;
	plan->commit = dmri_creation_write;
	uuid_generate_random(c->uuid);

	r = open_all(c, q, flags, plan, err);
	if (!r)
		r = check_other_sets(q->name, c, flags, plan, err);
	if (!r)
		r = choose_block_size(c, q, err);
	if (!r)
		r = place_internal(c, q, err);
	if (r < 0)
		return r;
	choose_map_size(c, q);
	r = lay_out_members(c, err);
	if (!r)
		r = lay_out_data(c, q, err);
	if (!r)
		r = check_tail(c, q, flags, plan, err);
	if (r < 0)
		return r;
	fill_anchors(c, q->name);
	fill_root(c, q);
	fill_plan(c, q, plan);
	*ret = plan;
	plan = NULL;
	return 0;
}
