/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done to a set: a random mixture of I/O, faults and administration, in
 * proportions that a profile gives. Both torture tests use it.
 */
#ifndef TORTURE_WORKLOAD_H
#define TORTURE_WORKLOAD_H

#include "user.h"

/* The disks: for data, by shape; two spares, and one with few slots; for "create". */
enum {
	DATA_HEADER,
	DATA_ADOPTED,
	DATA_INTERNAL,
	SPARE_1,
	SPARE_2,
	SPARE_SMALL,
	CREATE_DATA,
	CREATE_SPARE,
	NR_DISKS,
};

#define DISK_SIZES { 5120, 3072, 8192, 3408, 3408, 2160, 16384, 8192 }
#define FRAMES_END	720	/* sectors of metadata on each member, of PAYLOAD */
#define PAYLOAD		2048

/* Things that happen beside I/O. */
enum happening {
	BAD_WRITES,	/* sectors of the data device that take no writes */
	BAD_SECTORS,	/* nor can be read */
	DECAY,		/* sectors that can not be read until they are written */
	HEAL,		/* some of those are good again */
	BAD_SLOTS,
	SLOT_DECAY,
	BAD_FRAMES,	/* among the metadata */
	BAD_FLUSHES,	/* the next ones of a disk */
	RELOCATE,
	RELEASE,
	UNREADABLE,
	POLICY,
	RESTART,
	SUSPEND,
	RELOAD,
	SCRUB,
	HAPPENINGS,
};

/* Once in the middle, unless 0. */
enum incident {
	NOTHING,
	SPARE_ADDED,
	SPARE_DIES,
	SPARE_LEAVES,
	SPARE_RETURNS,	/* it dies, and is back at a restart */
	DATA_GOES,	/* everything fails for a while, and nothing is lost */
};

struct profile {
	const char *name;
	int shape, block;		/* -1: any */
	unsigned int first_spare, nr_spares;
	unsigned int steps, hot;	/* I/Os; sectors that most of them go to */
	unsigned int io[IO_KINDS];	/* weights */
	unsigned int rate[HAPPENINGS];	/* in a thousand I/Os */
	enum incident incident;
	unsigned int moved;		/* blocks at the beginning of it */
	bool may_fail;			/* spares may not suffice */
};

extern const struct profile profiles[];
extern const unsigned int nr_profiles;

struct work {
	const struct profile *profile;
	struct set set;
	struct model *model;
	uint64_t random;
	bool dead;			/* a spare is */
	unsigned int counts[HAPPENINGS];
};

uint64_t work_random(struct work *w, uint64_t below);
/* A fresh set, not started yet. */
void work_prepare(struct work *w, const struct profile *p, uint64_t seed);
/* The table that is in use now. */
const char *work_table(const struct work *w);
/* Start the set and do so many steps; it is left running, without I/O. */
void work_start(struct work *w);
void work_steps(struct work *w, unsigned int steps, bool incident);
void work_stop(struct work *w);

#endif
