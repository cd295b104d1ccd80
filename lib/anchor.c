/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Anchors: reading both copies, writing and wiping them in an order that never
 * shows half a member.
 *
 * An internal spare begins somewhere in the tail of the data device, where no
 * one would look. So its anchor is repeated, byte for byte as copy 0, in the last
 * whole 4 KiB of the device: the locator. Its region_start tells where the real
 * one is; a locator without that anchor behind it means nothing.
 */
#include "private.h"

static const u64 anchor_sector[DMR_ANCHOR_COPIES] = {
	DMR_ANCHOR0_SECTOR, DMR_ANCHOR1_SECTOR,
};

int dmri_anchors_read(struct dmri_dev *dev, u64 region_start, struct dmri_anchors *a)
{
	_free_ struct dmr_anchor *buf = dmri_alloc(sizeof(*buf));
	unsigned int i;
	int r, last = 0;

	if (!buf)
		return -ENOMEM;
	memset(a, 0, sizeof(*a));
	for (i = 0; i < DMR_ANCHOR_COPIES; i++) {
		a->fault[i] = DMR_BAD_MAGIC;
		if (region_start + anchor_sector[i] + DMR_FRAME_SECTORS > dev->sectors)
			continue;
		r = dmri_dev_read(dev, region_start + anchor_sector[i], buf, sizeof(*buf));
		if (r < 0) {
			last = r;
			continue;
		}
		a->read[i] = true;
		a->fault[i] = dmr_anchor_check(buf, i, region_start, dev->sectors);
		if (a->fault[i] == DMR_OK && !a->found) {
			a->anchor = *buf;
			a->found = true;
		}
	}
	if (!a->read[0] && !a->read[1] && last)
		return last;
	return 0;
}

int dmri_locator_read(struct dmri_dev *dev, u64 *region_start)
{
	_free_ struct dmr_anchor *buf = dmri_alloc(sizeof(*buf));
	u64 start;
	int r;

	if (!buf)
		return -ENOMEM;
	if (dev->sectors < 2 * DMR_FRAMES_SECTOR)
		return -ENOENT;
	r = dmri_dev_read(dev, dmri_locator_sector(dev->sectors), buf, sizeof(*buf));
	if (r < 0)
		return r;
	start = le64_to_cpu(buf->region_start);
	if (!start || start % DMR_FRAME_SECTORS ||
	    dmr_anchor_check(buf, 0, start, dev->sectors) != DMR_OK ||
	    le32_to_cpu(buf->role) != DMR_ROLE_SPARE)
		return -ENOENT;
	*region_start = start;
	return 0;
}

bool dmri_locator_leads(struct dmri_dev *dev, u64 region_start)
{
	u64 region;

	return !dmri_locator_read(dev, &region) && region == region_start;
}

static int write_sync(struct dmri_dev *dev, u64 sector, const void *buf)
{
	int r = dmri_dev_write(dev, sector, buf, DMR_FRAME_SIZE);

	return r < 0 ? r : dmri_dev_flush(dev);
}

int dmri_anchors_write(struct dmri_dev *dev, const struct dmr_anchor *a, bool internal)
{
	u64 start = le64_to_cpu(a->region_start);
	_free_ struct dmr_anchor *buf = dmri_alloc(sizeof(*buf));
	int i, r;

	if (!buf)
		return -ENOMEM;
	for (i = DMR_ANCHOR_COPIES - 1; i >= 0; i--) {
		*buf = *a;
		dmri_anchor_seal(buf, i);
		r = write_sync(dev, start + anchor_sector[i], buf);
		if (r < 0)
			return r;
	}
	return internal ? write_sync(dev, dmri_locator_sector(dev->sectors), buf) : 0;
}

int dmri_anchors_wipe(struct dmri_dev *dev, u64 region_start, bool internal)
{
	_free_ void *zeroes = dmri_alloc(DMR_FRAME_SIZE);
	unsigned int i;
	int r;

	if (!zeroes)
		return -ENOMEM;
	if (internal) {
		r = write_sync(dev, dmri_locator_sector(dev->sectors), zeroes);
		if (r < 0)
			return r;
	}
	for (i = 0; i < DMR_ANCHOR_COPIES; i++) {
		r = write_sync(dev, region_start + anchor_sector[i], zeroes);
		if (r < 0)
			return r;
	}
	return 0;
}
