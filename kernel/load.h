/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What load.c, which finds out what the devices of a set hold, shares with open.c, which
 * writes that the set is in use, and lets spares in. Process context, all of it.
 */
#ifndef DM_REMAP_LOAD_H
#define DM_REMAP_LOAD_H

#include "dm-remap.h"

/* A device of the table and what was found on it. */
struct found {
	struct block_device *bdev;
	sector_t region;
	enum dmr_role role;
	struct dmr_anchor *anchor;	/* NULL: none (adopted data device) */
	u32 nr_frames;
	struct {
		u64 gen, session;	/* gen 0: not of this set */
		u32 page;
		bool torn;		/* only its header is believed */
	} *frames;
	u32 index;			/* member that the frames say they lie on */
	struct dmr_newest newest;
	bool unreadable;		/* its anchors, both: it is as if it were not there */
	u64 root_gen;			/* its newest root; 0: none */
	u32 root_frame;
	bool aside;			/* its versions are no part of the map */
	bool used;
	bool left;			/* the set, while this table was in use */
};

#define refuse(set, fmt, ...) \
	DMERR("%s: not activated: " fmt, (set)->name, ##__VA_ARGS__)

/* The first valid copy. A fault if there is none: that of copy 0. */
enum dmr_fault read_anchor(struct found *f, struct dmr_anchor *anchor);
/* Where a frame of a device lies on it. */
sector_t frame_sector(const struct found *f, u32 frame);

/*
 * A member that nobody knows yet, in the memory of @node (or NUMA_NO_NODE); NULL: no memory.
 * member_free() takes it back.
 */
struct remap_member *member_new(unsigned int index, int node);
/* From now on it is one of the set's, until the set is freed. */
void member_publish(struct remap_set *set, struct remap_member *m);
/* Sectors that its medium loses together. */
unsigned int media_unit(const struct remap_set *set, struct block_device *bdev);

/* ~CRC32C of the first @bytes of the data; false if they can not all be read. */
bool fingerprint(struct remap_set *set, u32 bytes, u32 *sum);

#endif
