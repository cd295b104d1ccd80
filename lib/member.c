/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preparing a device to be a member: what creation and adding a spare share.
 */
#include <uuid/uuid.h>

#include "private.h"

#define ZERO_STEP	(32u << 11)	/* 32 MiB between two calls of the progress */

void dmri_member_anchor(struct dmr_anchor *a, enum dmr_role role,
			const struct dmri_layout *layout, u32 tier)
{
	uuid_generate_random(a->member_uuid);
	a->role = cpu_to_le32(role);
	a->region_start = cpu_to_le64(layout->region_start);
	a->region_sectors = cpu_to_le64(layout->region_sectors);
	a->payload_start = cpu_to_le64(layout->payload_start);
	a->payload_sectors = cpu_to_le64(layout->payload_sectors);
	a->tier = cpu_to_le32(tier);
}

u64 dmri_member_clear_sectors(const struct dmri_new_member *m)
{
	return DMR_FRAMES_SECTOR + (u64)le32_to_cpu(m->anchor.nr_frames) * DMR_FRAME_SECTORS;
}

int dmri_member_clear(struct dmri_new_member *m, dmremap_progress_fn progress, void *arg,
		      u64 *done, u64 total, struct dmremap_error *err)
{
	u64 left = dmri_member_clear_sectors(m), n;
	u64 sector = le64_to_cpu(m->anchor.region_start), old;
	int r;

	if (m->wipe) {
		r = dmri_wipe_signatures(m->dev, err);
		if (r < 0)
			return r;
	}
	/* An internal spare of an earlier set would be found again. */
	if (!sector && !dmri_locator_read(m->dev, &old)) {
		r = dmri_anchors_wipe(m->dev, old, true);
		if (r < 0)
			return dmri_error_sys(err, r, "%s can not be written", m->dev->path);
	}
	for (; left; left -= n, sector += n, *done += n) {
		n = MIN(left, (u64)ZERO_STEP);
		r = dmri_dev_zero(m->dev, sector, n);
		if (r < 0)
			return dmri_error_sys(err, r, "%s can not be written", m->dev->path);
		if (progress && progress(*done + n, total, arg))
			return dmri_error(err, -ECANCELED, "Stopped; %s was not made a member.",
					  m->dev->path);
	}
	if (m->internal) {
		_free_ void *zeroes = dmri_alloc(DMR_FRAME_SIZE);

		r = zeroes ? dmri_dev_write(m->dev, dmri_locator_sector(m->dev->sectors), zeroes,
					    DMR_FRAME_SIZE) : -ENOMEM;
		if (r < 0)
			return dmri_error_sys(err, r, "%s can not be written", m->dev->path);
	}
	r = dmri_dev_flush(m->dev);
	return r < 0 ? dmri_error_sys(err, r, "%s can not be written", m->dev->path) : 0;
}
