/* SPDX-License-Identifier: GPL-2.0-only */
/* Flushes that fail: who must be told, and what may still be believed. */
#ifndef DM_REMAP_FLUSH_H
#define DM_REMAP_FLUSH_H

#include "dm-remap.h"

static inline bool lacks_fua(struct block_device *bdev)
{
	return bdev_write_cache(bdev) && !bdev_fua(bdev);
}

/* So many failed since the activation that may have lost what was written. Any context. */
static inline int flush_failures(const struct remap_member *m)
{
	return atomic_read(&m->flush_errors) + atomic_read(&m->user_flush_errors);
}

/* How many had failed when something began, by member. */
struct flush_mark {
	int users[DMR_MAX_MEMBERS];	/* users' */
	int all[DMR_MAX_MEMBERS];	/* flush_failures() */
	s64 acked[DMR_MAX_MEMBERS];
};

static_assert(DMR_MAX_MEMBERS <= 32);	/* bits of remap_set.fua */

/* A user's is about to be sent to this member; flush_fails() or flush_ends() follows. */
void flush_begins(struct remap_set *set, struct remap_member *m, struct remap_bio *pb);
/* Must a user's that is not sent tell that one of the worker's failed? Once. Any context. */
bool flush_owes(struct remap_member *m);
/* It failed: false if nothing was lost by that, and nothing is owed. Any context. */
bool flush_fails(struct remap_set *set, const struct remap_bio *pb);
/* It went well: an end_io() of its own. Any context. */
int flush_ends(struct remap_set *set, struct bio *bio, const struct remap_bio *pb,
	       blk_status_t *error);

/* Worker, before it writes to a member what a commit will refer to, and makes it dirty. */
void flush_before_write(struct remap_member *m);
/*
 * Worker, or activation: flush it, and wait for the users' that were sent before. False: it
 * failed, and users will be told; or one of theirs did, after there had been @since of those.
 */
bool flush_member(struct remap_set *set, struct remap_member *m, int since);
/* Worker: as it is now. */
void flush_note(const struct remap_set *set, struct flush_mark *mark);
/*
 * Worker: what it wrote for users since the mark, and acknowledges after this, a flush of
 * theirs may have lost between the two; the next one tells that.
 */
void flush_check_users(struct remap_set *set, struct flush_mark *mark);
/* Worker: flush those in set->fua. Left in it are those that one failed for since the mark. */
void flush_fua(struct remap_set *set, const struct flush_mark *mark);

/*
 * Has any of the data device failed since the module was loaded? What it lost may read well
 * until the power goes, or whatever caches below forgets it. Any context.
 */
static inline bool flush_has_failed(const struct remap_set *set)
{
	return set->flush_lost || flush_failures(set->members[0]);
}

/*
 * What is kept from one activation of a set to the next: errors that its users were not told
 * yet, until they go; and that there were some. The debt is taken by an activation that succeeds.
 * None of these fails.
 */
bool flush_alloc(struct remap_set *set);
void flush_open(struct remap_set *set);
/*
 * Before an activation, which may fail: device mapper destroys the table before it all the
 * same, and its users stay.
 */
void flush_inherit(const struct remap_target *rt);
void flush_take_debt(struct remap_set *set);
void flush_close(struct remap_set *set);
/* The table goes; its users as well, unless another has inherited. */
void flush_forgive(const struct remap_target *rt);
void flush_exit(void);

#endif /* DM_REMAP_FLUSH_H */
