/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A set in the making: decided in create.c, written by create-write.c.
 */
#ifndef DMREMAP_CREATE_H
#define DMREMAP_CREATE_H

#include "private.h"

struct creation {
	struct dmri_dev *data;		/* adopted or not */
	bool data_owned;		/* not by a member */
	struct dmremap_device data_info;
	unsigned int nr;		/* members with metadata */
	struct dmri_new_member members[DMR_MAX_MEMBERS];
	struct dmr_root root;
	uint8_t uuid[16];
	u32 block_sectors, nr_pages, nr_frames;
	u64 internal_start, internal_sectors;	/* region of the internal spare */
};

/* The plan's commit. */
int dmri_creation_write(struct dmremap_plan *plan, dmremap_progress_fn progress, void *arg,
			struct dmremap_error *err);

#endif /* DMREMAP_CREATE_H */
