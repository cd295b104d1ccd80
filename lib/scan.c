/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding sets: anchors on all block devices, and what device-mapper runs.
 * Reads two anchors and a locator of each device; maps are read on demand.
 */
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "private.h"

struct active {			/* a set that runs, and the devices of its table */
	struct dmremap_status status;
	struct dmri_table table;
};

struct dmremap_scan {
	struct dmremap_set **sets;
	size_t nr, room, next;
	struct active *active;
	size_t nr_active;
};

void dmremap_scan_free(struct dmremap_scan *scan)
{
	size_t i;

	if (!scan)
		return;
	for (i = 0; i < scan->nr; i++)
		dmri_set_free(scan->sets[i]);
	free(scan->sets);
	free(scan->active);
	free(scan);
}

static void scan_freep(struct dmremap_scan **scan)
{
	dmremap_scan_free(*scan);
}

static struct dmremap_set *set_by_uuid(struct dmremap_scan *scan, const char *uuid)
{
	size_t i;

	for (i = 0; i < scan->nr; i++)
		if (!strcmp(scan->sets[i]->info.uuid, uuid))
			return scan->sets[i];
	return NULL;
}

static int add_set(struct dmremap_scan *scan, const char *uuid, struct dmremap_set **ret)
{
	struct dmremap_set *set;

	if (scan->nr == scan->room) {
		size_t room = scan->room ? 2 * scan->room : 16;
		struct dmremap_set **more = reallocarray(scan->sets, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		scan->sets = more;
		scan->room = room;
	}
	set = calloc(1, sizeof(*set));
	if (!set)
		return -ENOMEM;
	dmri_copy(set->info.uuid, sizeof(set->info.uuid), uuid);
	dmri_uuid_parse(uuid, set->uuid);
	scan->sets[scan->nr++] = set;
	*ret = set;
	return 0;
}

/* --- Anchors ---------------------------------------------------------------- */

static const struct active *active_by_uuid(const struct dmremap_scan *scan, const char *uuid)
{
	size_t i;

	for (i = 0; i < scan->nr_active; i++)
		if (!strcmp(scan->active[i].status.uuid, uuid))
			return &scan->active[i];
	return NULL;
}

static bool in_table(const struct active *a, const struct dmri_found *f)
{
	char devno[32];
	unsigned int i;

	dmri_text(devno, sizeof(devno), "%u:%u", f->major, f->minor);
	for (i = 0; a && i < a->table.nr_spares; i++)
		if (!strcmp(a->table.spares[i], devno))
			return true;
	return a && !strcmp(a->table.data, devno);
}

/*
 * One member on two devices: a path below a multipath device, a leg of a
 * mirror, or a copied disk. What the running set uses is right; else what
 * nothing else is built on, if that leaves one.
 */
static void resolve_twins(struct dmremap_scan *scan, const struct dmremap_set *set,
			  struct dmri_found *old, const struct dmri_found *new)
{
	const struct active *a = active_by_uuid(scan, set->info.uuid);
	bool old_used = a ? !in_table(a, old) : dmri_has_holders(old->major, old->minor);
	bool new_used = a ? !in_table(a, new) : dmri_has_holders(new->major, new->minor);

	if (old_used == new_used && !a)
		dmri_copy(old->twin, sizeof(old->twin), new->path);
	if (old_used && !new_used)
		*old = *new;
}

/* When all devices were seen: one on top of two twins may have been the last. */
static void judge_twins(struct dmremap_set *set)
{
	unsigned int i;

	for (i = 0; i < set->nr_found; i++)
		if (*set->found[i].twin)
			dmri_text(set->ambiguous, sizeof(set->ambiguous),
				  "%s and %s carry the same member of the set; one is a copy of the other. Detach one.",
				  set->found[i].path, set->found[i].twin);
}

static bool same_device(const struct dmri_found *a, const struct dmri_found *b)
{
	if (a->major || a->minor || b->major || b->minor)
		return a->major == b->major && a->minor == b->minor;
	return !strcmp(a->path, b->path);
}

static int take_found(struct dmremap_scan *scan, const struct dmri_found *f)
{
	const struct dmr_anchor *a = &f->anchors.anchor;
	char uuid[DMREMAP_UUID_SIZE];
	struct dmremap_set *set;
	unsigned int i;
	int r;

	dmri_uuid_text(a->set_uuid, uuid);
	set = set_by_uuid(scan, uuid);
	if (!set) {
		r = add_set(scan, uuid, &set);
		if (r < 0)
			return r;
		dmri_set_from_anchor(&set->info, a);
	}
	for (i = 0; i < set->nr_found; i++) {
		if (memcmp(set->found[i].anchors.anchor.member_uuid, a->member_uuid, 16))
			continue;
		if (!same_device(&set->found[i], f))
			resolve_twins(scan, set, &set->found[i], f);
		return 0;
	}
	if (set->nr_found < DMREMAP_MAX_MEMBERS)
		set->found[set->nr_found++] = *f;
	return 0;
}

/*
 * Where an internal spare may begin: as the locator says, or, should that be
 * damaged, where the region of a data device with a header ends.
 */
static int find_internal(struct dmri_dev *dev, const struct dmri_anchors *at_zero, u64 *start)
{
	const struct dmr_anchor *a = &at_zero->anchor;

	if (!dmri_locator_read(dev, start))
		return 0;
	if (!at_zero->found || le32_to_cpu(a->role) != DMR_ROLE_DATA ||
	    le64_to_cpu(a->region_sectors) % DMRI_ALIGN)
		return -ENOENT;
	*start = le64_to_cpu(a->region_sectors);
	return *start + DMR_FRAMES_SECTOR < dev->sectors ? 0 : -ENOENT;
}

static int scan_device(struct dmremap_scan *scan, const char *path)
{
	_cleanup_(dmri_dev_closep) struct dmri_dev *dev = NULL;
	_free_ struct dmri_found *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	r = dmri_dev_open(path, 0, &dev, NULL);
	/* What is lacking here is not the device's fault: it must not pass for missing. */
	if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		return r;
	if (r < 0)
		return 0;
	dmri_copy(f->path, sizeof(f->path), path);
	f->major = dev->major;
	f->minor = dev->minor;
	f->device_sectors = dev->sectors;
	if (!dmri_anchors_read(dev, 0, &f->anchors) && f->anchors.found) {
		r = take_found(scan, f);
		if (r < 0)
			return r;
	}
	if (!find_internal(dev, &f->anchors, &f->region_start) &&
	    !dmri_anchors_read(dev, f->region_start, &f->anchors) && f->anchors.found &&
	    le32_to_cpu(f->anchors.anchor.role) == DMR_ROLE_SPARE) {
		f->internal = true;
		return take_found(scan, f);
	}
	return 0;
}

static int scan_all(struct dmremap_scan *scan, struct dmremap_error *err)
{
	_free_ struct dmri_devno *list = NULL;
	char path[DMREMAP_PATH_SIZE];
	size_t nr, i;
	int r = dmri_block_devices(&list, &nr, err);

	for (i = 0; i < nr && !r; i++) {
		dmri_devno_path(list[i].major, list[i].minor, path, sizeof(path));
		r = scan_device(scan, path);
	}
	return r;
}

/* --- Active sets ------------------------------------------------------------ */

static int list_active(struct dmremap_scan *scan, bool named, struct dmremap_error *err)
{
	_free_ struct dmri_dm_info *info = malloc(sizeof(*info));
	_free_ struct dmri_dm_name *list = NULL;
	struct dmremap_error why = { "" };
	size_t nr, i;
	int r;

	if (!info)
		return -ENOMEM;
	r = dmri_dm_list(&list, &nr, &why);
	/* Without device-mapper nothing runs; named files can be looked at by anyone. */
	if (r == -ENODEV || (r == -EPERM && named))
		return 0;
	if (r < 0)
		return dmri_error(err, r, "%s", why.text);
	scan->active = calloc(nr + 1, sizeof(*scan->active));
	if (!scan->active)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		struct active *a = &scan->active[scan->nr_active];

		/* Loaded by hand it may lack our UUID; the target tells. */
		r = dmri_dm_table(list[i].name, info, err);
		if (dmri_dm_is_other(r) || (!r && !*list[i].uuid && !*info->target))
			continue;
		if (r < 0)
			return r;
		/* A set of our UUID runs even if what it says is not understood. */
		if (info->live_table && dmri_table_parse(info->params, &a->table) < 0) {
			if (!*list[i].uuid)
				continue;
			memset(&a->table, 0, sizeof(a->table));
		}
		r = dmremap_status(list[i].name, &a->status, err);
		if (dmri_dm_is_other(r))
			continue;
		if (r == -EBADMSG)
			a->status.mode = DMREMAP_MODE_INACTIVE;
		else if (r < 0)
			return r;
		scan->nr_active++;
	}
	return 0;
}

static void members_from_status(struct dmremap_set_info *info,
				const struct dmremap_status *status)
{
	struct dmremap_member_info *m = &info->members[0];
	unsigned int i;

	memset(info->members, 0, sizeof(info->members));
	m->role = DMR_ROLE_DATA;
	m->present = true;
	m->state = DMR_MEMBER_ACTIVE;
	m->major = status->data_major;
	m->minor = status->data_minor;
	m->payload_sectors = status->sectors;
	dmri_copy(m->path, sizeof(m->path), status->data_path);
	info->nr_members = 1;
	for (i = 0; i < status->nr_spares; i++) {
		const struct dmremap_spare_status *s = &status->spares[i];

		m = &info->members[info->nr_members++];
		m->index = s->member;
		m->role = DMR_ROLE_SPARE;
		m->state = s->state == DMREMAP_SPARE_ACTIVE ? DMR_MEMBER_ACTIVE : DMR_MEMBER_OUT;
		m->present = s->state != DMREMAP_SPARE_MISSING;
		m->internal = m->present && s->major == status->data_major &&
			      s->minor == status->data_minor;
		m->major = s->major;
		m->minor = s->minor;
		m->slots = s->slots;
		m->slots_used = s->used;
		m->slots_bad = s->bad;
		dmri_copy(m->path, sizeof(m->path), s->path);
	}
}

/* The set that runs as @a: by UUID, or, if it was loaded without, by a device. */
static struct dmremap_set *set_of_active(struct dmremap_scan *scan, const struct active *a)
{
	size_t i;
	unsigned int n;

	if (*a->status.uuid)
		return set_by_uuid(scan, a->status.uuid);
	for (i = 0; i < scan->nr; i++)
		for (n = 0; n < scan->sets[i]->nr_found; n++)
			if (in_table(a, &scan->sets[i]->found[n]))
				return scan->sets[i];
	return NULL;
}

static int take_active(struct dmremap_scan *scan, const struct active *a)
{
	struct dmremap_set *set = set_of_active(scan, a);
	struct dmremap_set_info *info;
	int r;

	if (!set) {
		r = add_set(scan, a->status.uuid, &set);
		if (r < 0)
			return r;
		dmri_copy(set->info.name, sizeof(set->info.name), a->status.name);
		set->info.data_sectors = a->status.sectors;
	}
	info = &set->info;
	info->active = true;
	info->verdict = DMREMAP_ACTIVE;
	set->code = -EALREADY;
	dmri_copy(info->device, sizeof(info->device), a->status.name);
	if (a->status.mode == DMREMAP_MODE_INACTIVE)
		return 0;
	info->block_size = a->status.block_size;
	info->state = DMR_SET_OPEN;
	info->generation = a->status.generation;
	info->data_offset = a->status.data_offset;
	info->records = a->status.records;
	info->records_used = a->status.records_used;
	info->remapped = a->status.remapped;
	info->lost = a->status.lost;
	members_from_status(info, &a->status);
	return 0;
}

static int data_first(const void *a, const void *b)
{
	const struct dmri_found *x = a, *y = b;
	u32 role = le32_to_cpu(x->anchors.anchor.role);
	u32 other = le32_to_cpu(y->anchors.anchor.role);

	return role != other ? (int)role - (int)other : strverscmp(x->path, y->path);
}

/* Not loaded: what the anchors say is all there is. */
static void list_members(struct dmremap_set *set)
{
	unsigned int i;

	if (set->nr_found)
		qsort(set->found, set->nr_found, sizeof(set->found[0]), data_first);
	for (i = 0; i < set->nr_found; i++) {
		const struct dmri_found *f = &set->found[i];
		const struct dmr_anchor *a = &f->anchors.anchor;
		struct dmremap_member_info *m = &set->info.members[i];

		m->role = le32_to_cpu(a->role);
		m->index = m->role == DMR_ROLE_DATA ? 0 : DMREMAP_NOT_JOINED;
		m->present = true;
		m->internal = f->internal;
		m->major = f->major;
		m->minor = f->minor;
		m->region_start = f->region_start;
		m->region_sectors = le64_to_cpu(a->region_sectors);
		m->payload_sectors = le64_to_cpu(a->payload_sectors);
		m->tier = le32_to_cpu(a->tier);
		m->damaged = f->anchors.fault[0] || f->anchors.fault[1];
		dmri_copy(m->path, sizeof(m->path), f->path);
		dmri_uuid_text(a->member_uuid, m->uuid);
	}
	set->info.nr_members = set->nr_found;
}

/* --- The whole ---------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct dmremap_set *x = *(struct dmremap_set *const *)a;
	const struct dmremap_set *y = *(struct dmremap_set *const *)b;
	int r = strcmp(x->info.name, y->info.name);

	return r ? r : strcmp(x->info.uuid, y->info.uuid);
}

int dmremap_scan_new(unsigned int flags, const char *const *paths,
		     struct dmremap_scan **ret, struct dmremap_error *err)
{
	_cleanup_(scan_freep) struct dmremap_scan *scan = calloc(1, sizeof(*scan));
	size_t i;
	int r;

	if (!scan)
		return dmri_error_sys(err, -ENOMEM, "Looking for sets");
	r = list_active(scan, paths, err);
	if (!r && !(flags & DMREMAP_SCAN_ACTIVE)) {
		if (!paths)
			r = scan_all(scan, err);
		for (; paths && *paths && !r; paths++)
			r = scan_device(scan, *paths);
	}
	if (r < 0)
		return r == -ENOMEM || r == -EMFILE || r == -ENFILE ?
		       dmri_error_sys(err, r, "Looking for sets") : r;
	for (i = 0; i < scan->nr; i++) {
		judge_twins(scan->sets[i]);
		list_members(scan->sets[i]);
	}
	for (i = 0; i < scan->nr_active && !r; i++)
		r = take_active(scan, &scan->active[i]);
	if (r < 0)
		return dmri_error_sys(err, r, "Looking for sets");
	if (scan->nr)
		qsort(scan->sets, scan->nr, sizeof(*scan->sets), by_name);
	for (i = 0; i < scan->nr && flags & DMREMAP_SCAN_LOAD; i++) {
		struct dmremap_error why = { "" };

		if (dmremap_set_load(scan->sets[i], NULL, &why) >= 0)
			continue;
		if (!scan->sets[i]->info.active)
			scan->sets[i]->info.verdict = DMREMAP_REFUSED;
		dmri_copy(scan->sets[i]->info.reason, sizeof(scan->sets[i]->info.reason),
			  why.text);
	}
	*ret = scan;
	scan = NULL;
	return 0;
}

int dmremap_scan_next(struct dmremap_scan *scan, struct dmremap_set **set)
{
	if (scan->next >= scan->nr)
		return 0;
	*set = scan->sets[scan->next++];
	return 1;
}

void dmremap_scan_rewind(struct dmremap_scan *scan)
{
	scan->next = 0;
}

static bool answers_to(const struct dmremap_set *set, const char *name)
{
	return !strcmp(set->info.name, name) || !strcasecmp(set->info.uuid, name) ||
	       (set->info.active && !strcmp(set->info.device, name));
}

int dmremap_scan_find(struct dmremap_scan *scan, const char *name,
		      struct dmremap_set **set, struct dmremap_error *err)
{
	struct dmremap_set *found = NULL;
	char uuids[300] = "";
	unsigned int nr = 0;
	size_t i;

	for (i = 0; i < scan->nr; i++) {
		size_t at = strlen(uuids);

		if (!answers_to(scan->sets[i], name))
			continue;
		found = scan->sets[i];
		nr++;
		dmri_text(uuids + at, sizeof(uuids) - at, "%s%s", at ? ", " : "",
			  found->info.uuid);
	}
	if (!nr)
		return dmri_error(err, -ENOENT,
				  "No set \"%.128s\" was found. Are its disks attached? \"dmremapctl list\" shows all sets.",
				  name);
	if (nr > 1)
		return dmri_error(err, -ENOTUNIQ,
				  "%u sets have the name \"%.128s\"; name one by its UUID: %s.",
				  nr, name, uuids);
	*set = found;
	return 0;
}
