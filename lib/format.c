/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arithmetic of the on-disk format and the sealing of its structures. Pure: no
 * I/O.
 */
#include <uuid/uuid.h>

#include "private.h"

#define SPARE_MIN_BLOCKS	16
#define SMALL_SPARE_SECTORS	(64u << 11)	/* below 64 MiB alignment costs too much */

u32 dmri_nr_frames(u32 nr_pages)
{
	return DMR_FRAME_COPIES * nr_pages + DMR_FRAME_SLACK;
}

static u64 payload_start(u64 region_sectors, u32 nr_frames, enum dmr_role role)
{
	u64 end = DMR_FRAMES_SECTOR + (u64)nr_frames * DMR_FRAME_SECTORS;

	if (role == DMR_ROLE_DATA || region_sectors >= SMALL_SPARE_SECTORS)
		return dmri_round_up(end, DMRI_ALIGN);
	return dmri_round_up(end, DMR_MAX_BLOCK_SECTORS);
}

u64 dmri_spare_min_sectors(u32 nr_frames, u32 block_sectors)
{
	u64 min = payload_start(0, nr_frames, DMR_ROLE_SPARE) +
		  SPARE_MIN_BLOCKS * block_sectors;

	if (min >= SMALL_SPARE_SECTORS)
		min = payload_start(min, nr_frames, DMR_ROLE_SPARE) +
		      SPARE_MIN_BLOCKS * block_sectors;
	return min;
}

int dmri_layout_region(u64 region_start, u64 region_sectors, u32 nr_frames,
		       u32 block_sectors, enum dmr_role role,
		       struct dmri_layout *layout, u64 *need)
{
	u64 start = payload_start(region_sectors, nr_frames, role);
	u64 min = role == DMR_ROLE_SPARE ?
		  dmri_spare_min_sectors(nr_frames, block_sectors) :
		  start + SPARE_MIN_BLOCKS * block_sectors;

	*need = min;
	if (region_sectors < min || region_sectors <= start)
		return -ENOSPC;
	layout->region_start = region_start;
	layout->region_sectors = region_sectors;
	layout->payload_start = start;
	layout->payload_sectors = dmri_round_down(region_sectors - start, block_sectors);
	return 0;
}

u64 dmri_locator_sector(u64 device_sectors)
{
	return dmri_round_down(device_sectors, DMR_FRAME_SECTORS) - DMR_FRAME_SECTORS;
}

void dmri_anchor_seal(struct dmr_anchor *a, unsigned int copy)
{
	memcpy(a->magic, DMR_ANCHOR_MAGIC, sizeof(a->magic));
	a->version = cpu_to_le32(DMR_FORMAT_VERSION);
	a->copy = cpu_to_le32(copy);
	a->csum = cpu_to_le32(dmr_anchor_csum(a));
}

void dmri_frame_seal(void *frame, const uint8_t set_uuid[16], u32 member, u32 index)
{
	struct dmr_frame_header *h = frame;

	h->magic = cpu_to_le32(DMR_FRAME_MAGIC);
	memcpy(h->set_uuid, set_uuid, sizeof(h->set_uuid));
	h->member = cpu_to_le32(member);
	h->frame = cpu_to_le32(index);
	h->csum = cpu_to_le32(dmr_frame_csum(h));
}

void dmri_uuid_text(const uint8_t uuid[16], char text[DMREMAP_UUID_SIZE])
{
	if (dmri_is_zero(uuid, 16))
		text[0] = '\0';
	else
		uuid_unparse_lower(uuid, text);
}

int dmri_uuid_parse(const char *text, uint8_t uuid[16])
{
	return uuid_parse(text, uuid) ? -EINVAL : 0;
}
