/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Can a set be started, and if not, why: the rules of the module's activation
 * (R7) applied to devices that are open already. Writes nothing.
 */
#include "private.h"

/* --- Verdict ---------------------------------------------------------------- */

/* The first reason to refuse stays; it is also worse than any degraded one. */
_printf_(4, 5)
static void verdict(struct dmremap_set *set, enum dmremap_verdict v, int code,
		    const char *fmt, ...)
{
	va_list args;

	if (set->info.verdict == DMREMAP_REFUSED ||
	    (set->info.verdict == DMREMAP_DEGRADED && v == DMREMAP_DEGRADED))
		return;
	set->info.verdict = v;
	set->code = code;
	va_start(args, fmt);
	if (vsnprintf(set->info.reason, sizeof(set->info.reason), fmt, args) < 0)
		set->info.reason[0] = '\0';
	va_end(args);
}

bool dmri_same_geometry(const struct dmr_anchor *a, const struct dmr_anchor *b)
{
	return a->nr_pages == b->nr_pages && a->nr_frames == b->nr_frames &&
	       a->block_sectors == b->block_sectors && a->data_sectors == b->data_sectors;
}

static void check_anchors(struct dmremap_set *set)
{
	const struct dmr_anchor *first = dmri_set_anchor(set);
	unsigned int i;

	if (*set->ambiguous)
		verdict(set, DMREMAP_REFUSED, -ENOTUNIQ, "%s", set->ambiguous);
	for (i = 0; i < set->nr_found; i++)
		if (!dmri_same_geometry(&set->found[i].anchors.anchor, first))
			verdict(set, DMREMAP_REFUSED, -EUCLEAN,
				"%s and %s are of one set but disagree about its sizes.",
				set->found[0].path, set->found[i].path);
}

/* --- Members ------------------------------------------------------------------ */

static void fill_found(struct dmremap_member_info *m, const struct dmri_found *f,
		       const struct dmri_source *s)
{
	const struct dmr_anchor *a = &f->anchors.anchor;

	m->present = true;
	m->role = le32_to_cpu(a->role);
	m->internal = f->internal;
	m->major = f->major;
	m->minor = f->minor;
	m->region_start = f->region_start;
	m->region_sectors = le64_to_cpu(a->region_sectors);
	m->payload_sectors = le64_to_cpu(a->payload_sectors);
	m->tier = le32_to_cpu(a->tier);
	dmri_copy(m->path, sizeof(m->path), f->path);
	dmri_uuid_text(a->member_uuid, m->uuid);
	m->damaged = f->anchors.fault[0] || f->anchors.fault[1];
	if (!s)
		return;
	m->gen = s->newest.gen;
	m->damaged |= s->kinds[DMRI_FRAME_DAMAGED] || s->kinds[DMRI_FRAME_UNREADABLE];
}

static struct dmremap_member_info *add_member(struct dmremap_set *set, unsigned int index,
					      int found, const struct dmri_opened *opened)
{
	struct dmremap_set_info *info = &set->info;
	unsigned int n = info->nr_members;
	struct dmremap_member_info *m = &info->members[n];

	if (n == DMREMAP_MAX_MEMBERS)
		return NULL;
	memset(m, 0, sizeof(*m));
	m->index = index;
	m->role = index ? DMR_ROLE_SPARE : DMR_ROLE_DATA;
	set->member_found[n] = found;
	set->member_usable[n] = false;
	if (found >= 0)
		fill_found(m, &set->found[found], opened ? &opened->sources[found] : NULL);
	info->nr_members++;
	return m;
}

static int find_uuid(const struct dmremap_set *set, const uint8_t uuid[16])
{
	unsigned int i;

	for (i = 0; i < set->nr_found; i++)
		if (!memcmp(set->found[i].anchors.anchor.member_uuid, uuid, 16))
			return i;
	return -1;
}

static void judge_missing(struct dmremap_set *set, struct dmremap_member_info *m)
{
	dmri_text(m->reason, sizeof(m->reason), "not found");
	if (!m->index)
		verdict(set, DMREMAP_REFUSED, -ENXIO,
			"The data device of the set is missing; attach it.");
	else if (m->state == DMR_MEMBER_ACTIVE || m->slots_used)
		verdict(set, DMREMAP_DEGRADED, -ENXIO,
			"Spare %u (%s) is missing; %u blocks live on it. Attach it, or start degraded: those blocks then return errors.",
			m->index, m->uuid, m->slots_used);
}

static void judge_stale(struct dmremap_set *set, struct dmremap_member_info *m,
			const struct dmri_image *image)
{
	dmri_text(m->reason, sizeof(m->reason),
		  "out of date: it holds commit %llu, the set is at %llu",
		  (unsigned long long)m->gen, (unsigned long long)image->assembly.gen);
	if (!m->index && m->state == DMR_MEMBER_OUT)
		/* Its copy of the map had failed before; the data on it is served. */
		verdict(set, DMREMAP_DEGRADED, -ESTALE,
			"The metadata on %s (data device) is %s. Start degraded to go on without it.",
			m->path, m->reason);
	else if (!m->index)
		verdict(set, DMREMAP_REFUSED, -ESTALE, "%s (data device) is %s.", m->path,
			m->reason);
	else if (m->state == DMR_MEMBER_ACTIVE || m->slots_used)
		verdict(set, DMREMAP_DEGRADED, -ESTALE,
			"%s (spare %u) is %s. Find the right disk, or start degraded without it: its %u blocks then return errors.",
			m->path, m->index, m->reason, m->slots_used);
}

/* Sector of its device where the data behind a header begins. */
static u64 data_begins(const struct dmri_found *f)
{
	return f->region_start + le64_to_cpu(f->anchors.anchor.payload_start);
}

/*
 * Its first anchor has given way to something else. Partition tables, file systems and LVM leave
 * the second one, and it would be written to: that takes an administrator's word.
 */
static bool is_overwritten(const struct dmremap_set *set, int found)
{
	const struct dmri_anchors *a = &set->found[found].anchors;

	return a->read[0] && a->fault[0] != DMR_OK;
}

static void judge_overwritten(struct dmremap_set *set, struct dmremap_member_info *m)
{
	dmri_text(m->reason, sizeof(m->reason),
		  "its first anchor is overwritten, so it may have another use now; \"metadata repair\" if it has none");
	if (m->index != DMREMAP_NOT_JOINED && m->slots_used)
		verdict(set, DMREMAP_DEGRADED, -ESTALE,
			"Spare %u (%s) is not used: %s. Start degraded without it: its %u blocks then return errors.",
			m->index, m->path, m->reason, m->slots_used);
}

static void judge_member(struct dmremap_set *set, unsigned int index,
			 const struct dmri_opened *opened, const struct dmri_image *image)
{
	const struct dmr_member *d = &image->root.members[index];
	unsigned int n = set->info.nr_members;
	int found = find_uuid(set, d->uuid);
	struct dmremap_member_info *m = add_member(set, index, found, opened);
	const struct dmri_source *s = found < 0 ? NULL : &opened->sources[found];
	enum dmr_fault fault = DMR_OK;

	if (!m)
		return;
	m->state = le32_to_cpu(d->state);
	dmri_uuid_text(d->uuid, m->uuid);
	m->slots = image->bounds.slots[index];
	m->slots_used = image->slots_used[index];
	m->slots_bad = image->slots_bad[index];
	if (!s) {
		m->payload_sectors = le64_to_cpu(d->sectors);
		m->tier = le32_to_cpu(d->tier);
		if (m->state != DMR_MEMBER_REMOVED)
			judge_missing(set, m);
		return;
	}
	if (m->state == DMR_MEMBER_REMOVED) {
		dmri_text(m->reason, sizeof(m->reason),
			  "was removed from the set; wipe it or add it anew");
		return;
	}
	if (s->index != index && s->index != DMREMAP_NOT_JOINED)
		fault = DMR_BAD_LOCATION;
	else if (le64_to_cpu(d->sectors) > m->payload_sectors ||
		 (m->role == DMR_ROLE_DATA) != !index ||
		 (!index && data_begins(&set->found[found]) != set->info.data_offset))
		fault = DMR_BAD_GEOMETRY;
	if (fault) {
		dmri_text(m->reason, sizeof(m->reason), "%s", dmr_fault_text(fault));
		verdict(set, DMREMAP_REFUSED, dmri_fault_errno(fault), "%s: %s.", m->path,
			m->reason);
		return;
	}
	if (index && m->state == DMR_MEMBER_OUT && is_overwritten(set, found))
		judge_overwritten(set, m);
	else if ((m->state == DMR_MEMBER_ACTIVE &&
		  dmr_member_current(s->newest.gen, image->assembly.gen)) ||
		 (m->state == DMR_MEMBER_OUT && dmr_member_returns(d, &s->newest)))
		set->member_usable[n] = true;
	else
		judge_stale(set, m, image);
	/* The data is there, whatever became of the map beside it. */
	if (!index && m->state == DMR_MEMBER_OUT)
		set->member_usable[n] = true;
}

static void judge_adopted(struct dmremap_set *set, struct dmri_dev *data,
			  const char *data_missing, const struct dmri_image *image)
{
	u32 bytes = le32_to_cpu(image->root.identity.fingerprint_bytes), sum;
	struct dmremap_member_info *m = add_member(set, 0, -1, NULL);

	m->no_metadata = true;
	m->state = DMR_MEMBER_ACTIVE;
	m->payload_sectors = set->info.data_sectors;
	dmri_copy_text(m->path, sizeof(m->path), image->root.identity.path,
		       sizeof(image->root.identity.path));
	if (!data) {
		dmri_text(m->reason, sizeof(m->reason), "not found");
		verdict(set, DMREMAP_REFUSED, -ENXIO, "%s", data_missing);
		return;
	}
	m->present = true;
	m->major = data->major;
	m->minor = data->minor;
	dmri_copy(m->path, sizeof(m->path), data->path);
	set->member_usable[0] = true;
	if (data->sectors != le64_to_cpu(image->root.identity.device_sectors)) {
		verdict(set, DMREMAP_REFUSED, -ESTALE,
			"%s has %llu sectors, the data device of this set has %llu.", m->path,
			(unsigned long long)data->sectors,
			(unsigned long long)le64_to_cpu(image->root.identity.device_sectors));
		return;
	}
	if (le32_to_cpu(image->root.state) != DMR_SET_CLEAN || !bytes ||
	    bytes > DMR_FINGERPRINT_BYTES || bytes % DMR_FRAME_SIZE)
		return;
	if (!dmri_fingerprint(data, set->info.data_offset, bytes, &sum) &&
	    sum != le32_to_cpu(image->root.identity.fingerprint)) {
		dmri_text(m->reason, sizeof(m->reason),
			  "another disk, or written to while the set was stopped");
		verdict(set, DMREMAP_REFUSED, -ESTALE,
			"%s is another disk, or was written to while the set was stopped; its map may no longer fit its content.",
			m->path);
	}
}

/* Anchors that the map does not list: spares that will join. */
static void judge_joiners(struct dmremap_set *set, const struct dmri_opened *opened)
{
	unsigned int i, n;

	for (i = 0; i < set->nr_found; i++) {
		struct dmremap_member_info *m;

		for (n = 0; n < set->info.nr_members; n++)
			if (set->member_found[n] == (int)i)
				break;
		if (n < set->info.nr_members)
			continue;
		m = add_member(set, DMREMAP_NOT_JOINED, i, opened);
		if (!m)
			return;
		if (m->role == DMR_ROLE_SPARE && is_overwritten(set, i)) {
			judge_overwritten(set, m);
		} else if (m->role == DMR_ROLE_SPARE) {
			m->slots = dmr_slots(m->payload_sectors, set->info.block_size / 512,
					     set->info.nr_pages);
			set->member_usable[n] = true;
		} else {
			dmri_text(m->reason, sizeof(m->reason),
				  "says that it is the data device, but the map does not list it");
			verdict(set, DMREMAP_REFUSED, -EUCLEAN, "%s %s.", m->path, m->reason);
		}
	}
}

/* --- The whole ------------------------------------------------------------------ */

static void reset(struct dmremap_set *set)
{
	struct dmremap_set_info *info = &set->info;

	info->verdict = DMREMAP_READY;
	info->fault = DMR_OK;
	info->reason[0] = '\0';
	info->loaded = false;
	info->nr_members = 0;
	set->code = 0;
	dmri_image_free(set->image);
	set->image = NULL;
	if (dmri_set_anchor(set))
		dmri_set_from_anchor(info, dmri_set_anchor(set));
}

static void fill_map(struct dmremap_set *set, const struct dmri_image *image)
{
	struct dmremap_set_info *info = &set->info;
	const struct dmr_root *root = &image->root;

	set->root = *root;
	info->loaded = true;
	info->torn = image->assembly.torn;
	info->adopted = le32_to_cpu(root->members[0].flags) & DMR_MEMBER_NO_METADATA;
	info->state = le32_to_cpu(root->state);
	info->generation = image->assembly.gen;
	info->activations = le64_to_cpu(root->activations);
	info->data_offset = le64_to_cpu(root->data_offset);
	info->records = (u64)(image->nr_pages - 1) * DMR_PAGE_RECORDS;
	info->records_used = image->used;
	info->remapped = image->remapped;
	info->lost = image->lost;
	dmri_policy_get(&root->policy, &info->policy);
	dmri_copy_text(info->data_serial, sizeof(info->data_serial), root->identity.serial,
		       sizeof(root->identity.serial));
	dmri_copy_text(info->data_wwn, sizeof(info->data_wwn), root->identity.wwn,
		       sizeof(root->identity.wwn));
	dmri_copy_text(info->data_partuuid, sizeof(info->data_partuuid), root->identity.partuuid,
		       sizeof(root->identity.partuuid));
}

static void judge_root(struct dmremap_set *set, const struct dmri_image *image)
{
	const struct dmr_root *root = &image->root;
	const struct dmr_anchor *a = dmri_set_anchor(set);

	u64 offset = le64_to_cpu(root->data_offset), length = le64_to_cpu(root->data_sectors);
	u64 device = le64_to_cpu(root->identity.device_sectors);
	u32 data_state = le32_to_cpu(root->members[0].state);
	bool adopted = le32_to_cpu(root->members[0].flags) & DMR_MEMBER_NO_METADATA;

	if (root->data_sectors != a->data_sectors || root->block_sectors != a->block_sectors ||
	    (data_state != DMR_MEMBER_ACTIVE && data_state != DMR_MEMBER_OUT) ||
	    (adopted && (offset > device || length > device - offset)))
		verdict(set, DMREMAP_REFUSED, -EUCLEAN, "The map and the anchors of %s disagree: %s.",
			set->info.name, dmr_fault_text(DMR_BAD_GEOMETRY));
}

/* When the map can not tell, list what was found. */
static void list_found(struct dmremap_set *set, const struct dmri_opened *opened)
{
	unsigned int i;

	for (i = 0; i < set->nr_found; i++) {
		bool data = le32_to_cpu(set->found[i].anchors.anchor.role) == DMR_ROLE_DATA;

		add_member(set, data ? 0 : DMREMAP_NOT_JOINED, i, opened);
	}
}

int dmri_set_judge(struct dmremap_set *set, struct dmri_opened *opened,
		   struct dmri_dev *data, const char *data_missing,
		   struct dmri_image **ret, struct dmremap_error *err)
{
	_cleanup_(dmri_image_freep) struct dmri_image *image = *ret;
	unsigned int i;
	int r = 0;

	*ret = NULL;
	reset(set);
	check_anchors(set);
	if (!image)
		r = dmri_image_read(set->uuid, set->info.nr_pages, set->info.nr_frames,
				    opened->sources, opened->nr, NULL, NULL, &image);
	if (!r)
		r = dmri_image_records(image);
	if (r < 0)
		return dmri_error_sys(err, r, "Reading the map of %s", set->info.name);

	set->info.fault = image->fault;
	if (image->fault)
		verdict(set, DMREMAP_REFUSED, dmri_fault_errno(image->fault),
			"The metadata of set %s can not be used: %s.", set->info.name,
			image->reason);
	if (image->have_root) {
		fill_map(set, image);
		judge_root(set, image);
		for (i = 0; i < le32_to_cpu(image->root.nr_members); i++) {
			if (!i && set->info.adopted)
				judge_adopted(set, data, data_missing, image);
			else if (!i || le32_to_cpu(image->root.members[i].state))
				judge_member(set, i, opened, image);
		}
		judge_joiners(set, opened);
	} else {
		list_found(set, opened);
	}
	*ret = image;
	image = NULL;
	return 0;
}
