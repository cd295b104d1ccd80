// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker of a set: the only code that changes the map and the only one
 * that waits. It gets the bios that failed, and those that must wait because
 * their block is held; it repeats each piece by piece until the exact blocks
 * are known, moves or marks those, commits once for the whole batch, and only
 * then lets the bios go (R1, R2, R3, R5).
 *
 * Order for a write that fails on the medium: hold the block; copy what the
 * write does not cover; write all of it to a free slot; [commit: flush the
 * spare; write the map page; free the old version]; release the block;
 * acknowledge. Power lost before the commit is complete leaves the old map and
 * whatever the failed write left; after it, the new one with durable data.
 */
#include <linux/delay.h>
#include <linux/slab.h>

#include "dm-remap.h"
#include "flush.h"

/* --- Pieces of bios ------------------------------------------------------ */

static sector_t bio_first(const struct bio *bio)
{
	return bio->bi_iter.bi_sector;	/* of the target; set by remap_queue()'s callers */
}

/* Copy between sectors @from.. of a bio and a buffer. */
static void bio_copy(struct bio *bio, unsigned int from, unsigned int nr, void *buf,
		     bool to_bio)
{
	struct bvec_iter start = bio->bi_iter, iter;
	struct bio_vec vec;

	if (bio_op(bio) == REQ_OP_WRITE_ZEROES) {
		memset(buf, 0, nr << SECTOR_SHIFT);
		return;
	}
	bio_advance_iter(bio, &start, from << SECTOR_SHIFT);
	start.bi_size = nr << SECTOR_SHIFT;
	__bio_for_each_segment(vec, bio, iter, start) {
		if (to_bio)
			memcpy_to_bvec(&vec, buf);
		else
			memcpy_from_bvec(buf, &vec);
		buf += vec.bv_len;
	}
}

static u64 sector_block(const struct remap_set *set, sector_t sector)
{
	return sector >> set->block_shift;
}

static u32 sector_mask(const struct remap_set *set, sector_t sector, unsigned int nr)
{
	return map_block_mask(sector & (set->block_sectors - 1), nr);
}

/* --- Holding and committing ---------------------------------------------- */

int commit_changes(struct remap_set *set)
{
	int r = store_commit(set);

	if (!r) {
		if (set->map.nr_changes)
			set->event = true;
		map_changes_done(set);
	} else if (set->store.frozen && set->store.begun) {
		/* Which map is on the disks? Held for ever: map_unknown(). */
		set->map.nr_changes = 0;
	} else {
		map_changes_undo(set);
	}
	return r;
}

/* A change that can not be made: what the bio that asked for it is told. */
static blk_status_t hold_status(int r, blk_status_t status)
{
	switch (r) {
	case -EBUSY:
		return BLK_STS_DM_REQUEUE;	/* again after a commit; never leaves here */
	case -ENOMEM:
		/* Nothing that this bio holds is in the way of who has the memory. */
		msleep(20);
		return BLK_STS_DM_REQUEUE;
	case -ENOSPC:
		return status;
	}
	return BLK_STS_IOERR;
}

void drain_slots(struct remap_set *set)
{
	unsigned int old = set->slot_turn;

	/* Whoever counts itself in the new turn sees the map as it is now. */
	smp_store_release(&set->slot_turn, old ^ 1);
	synchronize_rcu();
	wait_event(set->slot_wait, !atomic_read(&set->slot_io[old]));
}

/* Of a bio that end_io() has not seen fail. */
static void tell_first_error(struct remap_set *set, struct remap_member *m, struct bio *bio,
			     blk_status_t status)
{
	struct remap_bio *pb = dm_per_bio_data(bio, sizeof(*pb));

	if (pb->told)
		return;
	pb->told = true;
	stats_failed(set, m, pb, bio->bi_opf, status, 0);
	if (!status_is_evidence(set, status))
		remap_count(set, C_PASSED, 1);
	else
		remap_count(set, op_is_write(bio_op(bio)) ? C_WRITE_ERRORS : C_READ_ERRORS, 1);
}

/* A piece of a bio at one place, as often as the policy says. */
static blk_status_t try_bio(struct remap_set *set, struct remap_member *m,
			    sector_t sector, struct bio *bio, unsigned int from,
			    unsigned int nr)
{
	unsigned int tries = set->policy.tries;
	blk_status_t status;

	do {
		status = io_bio(set, m, sector, bio, from, nr);
	} while (status_is_evidence(set, status) && --tries);
	if (status)
		tell_first_error(set, m, bio, status);
	return status;
}

/* --- Moving a block ------------------------------------------------------ */

/* Where the content of a block is now. */
static struct remap_member *block_home(struct remap_set *set, const struct map_entry *e,
				       sector_t *sector)
{
	struct remap_member *m = set->members[0];

	if (e->state != DMR_RECORD_REMAPPED) {
		*sector = m->payload + (e->block << set->block_shift);
		return m;
	}
	m = set->members[e->member];
	*sector = spare_sector(set, m, e->slot);
	return m;
}

/* Read one unit of a medium, as often as the policy says. */
static blk_status_t read_unit(struct remap_set *set, struct remap_member *m,
			      sector_t sector, void *buf, unsigned int nr)
{
	unsigned int tries = set->policy.tries;
	blk_status_t status;

	do {
		status = io_buffer(m->bdev, REQ_OP_READ, sector, buf, nr);
	} while (status_is_evidence(set, status) && --tries);
	return status;
}

static blk_status_t read_block(struct remap_set *set, const struct map_entry *e, u32 skip,
			       u32 *invalid)
{
	unsigned int length = block_length(set, e->block), i, nr;
	blk_status_t status;
	sector_t home;
	struct remap_member *m = block_home(set, e, &home);

	memset(set->block_buf, 0, set->block_sectors << SECTOR_SHIFT);
	skip |= e->invalid;
	if (!m->bdev)
		return BLK_STS_OFFLINE;
	/* Most often all of it can be read. */
	if (!skip && !io_buffer(m->bdev, REQ_OP_READ, home, set->block_buf, length))
		return BLK_STS_OK;
	for (i = 0; i < length; i += nr) {
		void *buf = set->block_buf + (i << SECTOR_SHIFT);

		nr = min(m->unit, length - i);
		if ((skip & map_block_mask(i, nr)) == map_block_mask(i, nr))
			continue;
		status = read_unit(set, m, home + i, buf, nr);
		if (status && !status_is_evidence(set, status))
			return status;
		if (status) {
			memset(buf, 0, nr << SECTOR_SHIFT);
			*invalid |= map_block_mask(i, nr) & ~skip;
		}
	}
	return BLK_STS_OK;
}

blk_status_t gather_block(struct remap_set *set, const struct map_entry *e, u32 skip,
			  u32 *invalid)
{
	u32 known = *invalid;
	sector_t home;
	struct remap_member *m = block_home(set, e, &home);
	blk_status_t status = read_block(set, e, skip, invalid);

	if (status || *invalid == known)
		return status;
	/* Sectors failed: once more, between two proofs that the rest works (R4). */
	if (!health_alive(set, m, false))
		return BLK_STS_OFFLINE;
	*invalid = known;
	status = read_block(set, e, skip, invalid);
	if (!status && *invalid != known && !health_alive(set, m, false))
		status = BLK_STS_OFFLINE;
	return status;
}

/* A spare that fails so many slots in a row fails as a whole. */
#define MAX_BAD_SLOTS	16

int slot_failed(struct remap_set *set, struct remap_member *m, u32 slot, blk_status_t status)
{
	remap_count(set, C_WRITE_ERRORS, 1);
	stats_error(m, true, status);
	event_io(set, DMR_NL_EVENT_WRITE_ERROR, m->index, true, status, 0, 0, 0);
	spare_leave(m);
	if (++m->failing < MAX_BAD_SLOTS && health_alive(set, m, true))
		return spare_retire(set, m, slot);
	member_out(set, m, "its blocks can not be written");
	return 0;
}

/* Write block_buf to some slot. A slot whose write failed is never used again (R4). */
static int write_slot(struct remap_set *set, struct remap_member **found, u32 *slot)
{
	struct remap_member *m;
	blk_status_t status;
	int r;

	/* For each slot that fails a record must be left, and one for the old slot. */
	while (set->map.nr_changes + 2 <= MAP_MAX_CHANGES) {
		if (!spare_alloc(set, &m, slot))
			return -ENOSPC;
		flush_before_write(m);
		status = io_buffer(m->bdev, REQ_OP_WRITE | REQ_SYNC, spare_sector(set, m, *slot),
				   set->block_buf, set->block_sectors);
		if (!status) {
			m->failing = 0;
			m->dirty = true;
			*found = m;
			return 0;
		}
		r = slot_failed(set, m, *slot, status);
		if (r)
			return r;
	}
	return -EBUSY;
}

int place_block(struct remap_set *set, struct map_entry *e, u32 invalid, bool retire)
{
	struct remap_member *old = e->state == DMR_RECORD_REMAPPED ?
				   set->members[e->member] : NULL;
	struct remap_member *m;
	u32 slot;
	int r;

	r = write_slot(set, &m, &slot);
	if (r)
		return r;
	if (old && retire) {
		r = spare_retire(set, old, e->slot);
		if (r) {
			spare_free(set, m, slot);
			return r;
		}
	}
	/* The slot of the durable map counts until the commit. */
	if (old && !map_is_durable(&set->map, e))
		spare_leave(old);
	e->state = DMR_RECORD_REMAPPED;
	e->member = m->index;
	e->slot = slot;
	e->invalid = invalid;
	map_change(set, e);
	return 0;
}

void relocate_failed(struct remap_set *set, unsigned int member, u64 block)
{
	remap_count(set, C_RELOCATE_FAILED, 1);
	event_place(set, DMR_NL_EVENT_RELOCATE_FAILED, member, block << set->block_shift,
		    block_length(set, block));
}

enum judgement { BLOCK_BAD, DEVICE_GONE, WRITE_DONE, NOT_THE_MEDIUM };

/*
 * A write failed at @home. A bad block, if the device works elsewhere. Unless the
 * error says so itself, it must fail once more between two proofs that the device
 * works, for a device that is just coming back fails and works in turn. A
 * block that has lost sectors is not tried again.
 */
static enum judgement judge_write(struct remap_set *set, struct remap_member *m,
				  sector_t home, struct bio *bio, unsigned int from,
				  unsigned int nr, blk_status_t *status)
{
	blk_status_t again;

	if (!health_alive(set, m, true))
		return DEVICE_GONE;
	if (*status == BLK_STS_MEDIUM) {
		set->bad_streak += !m->index;
		return BLOCK_BAD;
	}
	if (!status_is_evidence(set, *status))
		return NOT_THE_MEDIUM;
	home += (bio_first(bio) + from) & (set->block_sectors - 1);
	again = io_bio(set, m, home, bio, from, nr);
	if (!again)
		return WRITE_DONE;
	*status = again;
	if (!status_is_evidence(set, again))
		return NOT_THE_MEDIUM;
	if (!health_alive(set, m, true))
		return DEVICE_GONE;
	set->bad_streak += !m->index;
	return BLOCK_BAD;
}

/*
 * A write of @nr sectors, all in one block, fails where the block is. Move the
 * block: what the write covers comes from the bio, the rest from where it is.
 */
static blk_status_t move_block(struct remap_set *set, struct bio *bio, unsigned int from,
			       unsigned int nr, blk_status_t status)
{
	sector_t sector = bio_first(bio) + from, home;
	u64 block = sector_block(set, sector);
	u32 mask = sector_mask(set, sector, nr), invalid;
	struct remap_member *m;
	struct map_entry e;
	blk_status_t read;
	bool gone;
	int r;

	r = map_hold(set, block, &e);
	if (r)
		return hold_status(r, status);
	m = block_home(set, &e, &home);
	gone = spare_gone(m);
	if (!gone) {
		switch (judge_write(set, m, home, bio, from, nr, &status)) {
		case WRITE_DONE:
			if (m->index)
				atomic64_inc(&m->acked);
			map_drop(set, &e);
			return BLK_STS_OK;
		case NOT_THE_MEDIUM:
			goto pass;
		case DEVICE_GONE:
			if (!m->index)
				goto pass;
			member_out(set, m, "it fails all I/O");
			gone = true;
			break;
		case BLOCK_BAD:
			break;
		}
	}

	invalid = e.invalid & ~mask;
	/* What is only out of reach must not be given up for a part of a block. */
	if (mask != map_block_mask(0, block_length(set, block)) && gone)
		goto pass;
	read = gone ? BLK_STS_OK : gather_block(set, &e, mask, &invalid);
	if (read) {
		status = read;
		goto pass;
	}
	if (gone)
		memset(set->block_buf, 0, set->block_sectors << SECTOR_SHIFT);
	bio_copy(bio, from, nr, set->block_buf +
		 ((sector & (set->block_sectors - 1)) << SECTOR_SHIFT), false);
	/* A write may still land in the old slot, if it is there. */
	r = place_block(set, &e, invalid, m->bdev);
	if (r) {
		map_drop(set, &e);
		if (r == -ENOSPC)
			relocate_failed(set, m->index, block);
		return hold_status(r, status);
	}
	return BLK_STS_OK;
pass:
	map_drop(set, &e);
	remap_count(set, C_PASSED, 1);
	return status;
}

/* --- Writes -------------------------------------------------------------- */

/* Does the medium hold what the bio wrote? */
static bool reads_back(struct remap_set *set, struct remap_member *m, sector_t sector,
		       struct bio *bio, unsigned int from, unsigned int nr)
{
	bio_copy(bio, from, nr, set->block_buf, false);
	return !io_buffer(m->bdev, REQ_OP_READ, sector, set->check_buf, nr) &&
	       !memcmp(set->check_buf, set->block_buf, nr << SECTOR_SHIFT);
}

/* The sectors of a block that its medium replaces together with these. */
static u32 unit_mask(const struct remap_set *set, const struct remap_member *m, sector_t sector,
		     unsigned int nr)
{
	unsigned int first = sector & (set->block_sectors - 1), end = first + nr;

	first -= first % m->unit;
	end = min(roundup(end, m->unit), set->block_sectors);
	return map_block_mask(first, end - first);
}

/*
 * Rewrite lost sectors where they are: a drive replaces a bad sector when it is
 * written. Write, read back, and with the commit's flush forget the loss. True
 * if that is done; else @status says why not.
 */
static bool heal_in_place(struct remap_set *set, struct map_entry *e, struct bio *bio,
			  unsigned int from, unsigned int nr, blk_status_t *status)
{
	sector_t sector = bio_first(bio) + from, home;
	struct remap_member *m = block_home(set, e, &home);

	home += sector & (set->block_sectors - 1);
	flush_before_write(m);
	*status = try_bio(set, m, home, bio, from, nr);
	if (!*status && !reads_back(set, m, home, bio, from, nr))
		*status = BLK_STS_MEDIUM;
	if (*status)
		return false;
	m->dirty = true;
	e->invalid &= ~sector_mask(set, sector, nr);
	if (!e->invalid && e->state == DMR_RECORD_LOST)
		e->state = DMR_RECORD_FREE;
	/* What the disk has put beside it in the same unit reads well, and is nobody's. */
	if (e->invalid & unit_mask(set, m, sector, nr) && e->state == DMR_RECORD_LOST)
		e->forgotten = true;
	map_change(set, e);
	remap_count(set, C_HEALED, 1);
	return true;
}

/* A piece of a write that lies in a block with an entry. */
static blk_status_t write_entry(struct remap_set *set, struct map_entry *e, struct bio *bio,
				unsigned int from, unsigned int nr)
{
	sector_t sector = bio_first(bio) + from, home;
	struct remap_member *m = block_home(set, e, &home);
	blk_status_t status = BLK_STS_OFFLINE;
	bool lost = e->invalid & sector_mask(set, sector, nr);
	int r;

	if (!m->bdev)
		return move_block(set, bio, from, nr, status);
	if (!lost) {
		status = try_bio(set, m, home + (sector & (set->block_sectors - 1)),
				 bio, from, nr);
		if (!status && m->index)
			atomic64_inc(&m->acked);
	} else if (m->index ? !spare_gone(m) :
			      !set->policy.heal_to_spare) {
		r = map_hold(set, e->block, e);
		if (r)
			return hold_status(r, BLK_STS_IOERR);
		if (heal_in_place(set, e, bio, from, nr, &status))
			return BLK_STS_OK;
		map_drop(set, e);
		/* It was bad before, and failed again. */
		if (status == BLK_STS_IOERR)
			status = BLK_STS_MEDIUM;
	} else {
		status = BLK_STS_MEDIUM;
	}
	if (status && (status_is_evidence(set, status) || spare_gone(m)))
		return move_block(set, bio, from, nr, status);
	return status;
}

/* Half of a run of sectors, cut between two blocks; all of it if it is in one. */
static unsigned int half_run(const struct remap_set *set, sector_t sector, unsigned int nr)
{
	u64 first = sector_block(set, sector), last = sector_block(set, sector + nr - 1);

	if (first == last)
		return nr;
	return ((first + (last - first + 1) / 2) << set->block_shift) - sector;
}

/* What becomes of a piece, all in one block, that fails where the block is. */
typedef blk_status_t (*piece_fn)(struct remap_set *set, struct bio *bio, unsigned int from,
				 unsigned int nr, blk_status_t status);

/*
 * Healthy blocks: as one I/O, or, where that fails, in halves down to the block
 * that fails, which is then given to @failed.
 */
static blk_status_t do_run(struct remap_set *set, struct bio *bio, unsigned int from,
			   unsigned int nr, piece_fn failed)
{
	struct remap_member *data = set->members[0];
	unsigned int end = from + nr;
	blk_status_t status;

	while (from < end) {
		sector_t sector = bio_first(bio) + from;

		status = try_bio(set, data, data->payload + sector, bio, from, nr);
		if (!status && op_is_write(bio_op(bio)))
			set->bad_streak = 0;
		if (status) {
			unsigned int half = half_run(set, sector, nr);

			if (!status_is_evidence(set, status))
				return status;
			if (half < nr) {
				nr = half;
				continue;
			}
			status = failed(set, bio, from, nr, status);
			if (status)
				return status;
		}
		from += nr;
		nr = end - from;
	}
	return BLK_STS_OK;
}

/* --- Reads --------------------------------------------------------------- */

/* Lost blocks have records of their own; beyond, free slots come first. */
bool room_for_lost(struct remap_set *set)
{
	u64 used, slots;

	spare_total(set, &used, &slots);
	return set->map.lost < dmr_reserved_records(set->map.nr_pages) ||
	       set->map.free_records > slots - used;
}

/*
 * A read of @nr sectors, all in one block, fails. Find out which units of the
 * medium are lost, remember them, and return what can be read of the rest.
 */
static blk_status_t lose_sectors(struct remap_set *set, struct bio *bio, unsigned int from,
				 unsigned int nr, blk_status_t status)
{
	sector_t sector = bio_first(bio) + from, home;
	u64 block = sector_block(set, sector);
	unsigned int offset = sector & (set->block_sectors - 1), i, n;
	unsigned int length = block_length(set, block);
	struct remap_member *m;
	struct map_entry e;
	u32 bad = 0;
	int r;

	r = map_hold(set, block, &e);
	if (r)
		return hold_status(r, status);
	m = block_home(set, &e, &home);
	if (!health_alive(set, m, false))
		goto pass;
	for (i = round_down(offset, m->unit); i < offset + nr; i += n) {
		unsigned int low = max(i, offset), high;

		n = min(m->unit, length - i);
		high = min(i + n, offset + nr);
		status = read_unit(set, m, home + i, set->check_buf, n);
		if (!status)
			bio_copy(bio, from + low - offset, high - low,
				 set->check_buf + ((low - i) << SECTOR_SHIFT), true);
		else if (status_is_evidence(set, status))
			bad |= map_block_mask(i, n);
		else
			goto pass;
	}
	if (!bad) {
		map_drop(set, &e);
		return BLK_STS_OK;
	}
	status = BLK_STS_OFFLINE;
	if (!health_alive(set, m, false))
		goto pass;
	status = BLK_STS_MEDIUM;
	if (e.state == DMR_RECORD_FREE) {
		if (!room_for_lost(set))
			goto pass;
		e.state = DMR_RECORD_LOST;
	}
	e.invalid |= bad;
	map_change(set, &e);
	return BLK_STS_MEDIUM;
pass:
	map_drop(set, &e);
	remap_count(set, C_PASSED, 1);
	return status;
}

/* A piece of a read that lies in a block with an entry. */
static blk_status_t read_entry(struct remap_set *set, struct map_entry *e, struct bio *bio,
			       unsigned int from, unsigned int nr)
{
	sector_t sector = bio_first(bio) + from, home;
	struct remap_member *m = block_home(set, e, &home);
	u32 mask = sector_mask(set, sector, nr);
	blk_status_t status;
	int r;

	if (!m->bdev)
		return BLK_STS_OFFLINE;
	if (e->invalid & mask) {
		if (e->state != DMR_RECORD_LOST || e->forgotten ||
		    !set->policy.retry_unreadable)
			return BLK_STS_MEDIUM;
	}
	home += sector & (set->block_sectors - 1);
	status = try_bio(set, m, home, bio, from, nr);
	if (e->invalid & mask) {
		if (status)
			return status_is_evidence(set, status) ? BLK_STS_MEDIUM : status;
		r = map_hold(set, e->block, e);
		if (r)
			return hold_status(r, BLK_STS_MEDIUM);
		e->invalid &= ~mask;
		if (!e->invalid)
			e->state = DMR_RECORD_FREE;
		map_change(set, e);
		return BLK_STS_OK;
	}
	if (status_is_evidence(set, status))
		return lose_sectors(set, bio, from, nr, status);
	return status;
}

/* --- Discards ------------------------------------------------------------ */

/* What is erased on a spare is erased there; a lost block has nothing to erase. */
static blk_status_t erase_entry(struct remap_set *set, struct map_entry *e, struct bio *bio,
				unsigned int from, unsigned int nr)
{
	sector_t sector = bio_first(bio) + from, home;
	struct remap_member *m = block_home(set, e, &home);

	struct remap_member *data = set->members[0];
	blk_status_t status;

	if (bio_op(bio) == REQ_OP_DISCARD &&
	    (e->state == DMR_RECORD_LOST || !m->bdev || !bdev_max_discard_sectors(m->bdev)))
		return BLK_STS_OK;
	if (!m->bdev)
		return BLK_STS_OFFLINE;
	status = io_bio(set, m, home + (sector & (set->block_sectors - 1)), bio, from, nr);
	/* What the block held before it moved is to be erased as well, or it is told. */
	if (!status && m->index && bio_op(bio) == REQ_OP_SECURE_ERASE)
		status = io_bio(set, data, data->payload + sector, bio, from, nr);
	return status;
}

static blk_status_t give_up(struct remap_set *set, struct bio *bio, unsigned int from,
			    unsigned int nr, blk_status_t status)
{
	return status;
}

/* --- Bios ---------------------------------------------------------------- */

struct bio_kind {
	blk_status_t (*entry)(struct remap_set *set, struct map_entry *e, struct bio *bio,
			      unsigned int from, unsigned int nr);
	piece_fn failed;
};

static const struct bio_kind read_kind = { read_entry, lose_sectors };
static const struct bio_kind write_kind = { write_entry, move_block };
static const struct bio_kind erase_kind = { erase_entry, give_up };

static const struct bio_kind *bio_kind(const struct bio *bio)
{
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return &read_kind;
	case REQ_OP_WRITE:
	case REQ_OP_WRITE_ZEROES:
		return &write_kind;
	default:
		return &erase_kind;
	}
}

/* Carry out a bio piece by piece, each piece in one place. */
static blk_status_t process_bio(struct remap_set *set, struct bio *bio)
{
	const struct bio_kind *kind = bio_kind(bio);
	unsigned int from = 0, total = bio_sectors(bio), nr;
	blk_status_t status = BLK_STS_OK;

	while (from < total && !status) {
		sector_t sector = bio_first(bio) + from;
		u64 block = sector_block(set, sector);
		struct map_entry e;
		bool found = map_next(&set->map, block, &e);

		nr = total - from;
		if (found && e.block == block) {
			nr = min_t(u64, nr, ((block + 1) << set->block_shift) - sector);
			/* What is done in a held block hangs on its commit. */
			set->map.holds += e.busy;
			if (map_unknown(&set->map, &e))
				status = BLK_STS_IOERR;
			else if (e.state != DMR_RECORD_FREE)
				status = kind->entry(set, &e, bio, from, nr);
			else
				status = do_run(set, bio, from, nr, kind->failed);
		} else {
			if (found)
				nr = min_t(u64, nr, (e.block << set->block_shift) - sector);
			status = do_run(set, bio, from, nr, kind->failed);
		}
		from += nr;
	}
	return status;
}

static void finish_bio(struct remap_set *set, struct bio *bio)
{
	struct remap_bio *pb = dm_per_bio_data(bio, sizeof(*pb));

	pb->done = true;
	bio_endio(bio);
}

/*
 * Bios that share a commit. The first waits for the last: so that it does not wait for all
 * the tries of a disk that takes seconds to fail, a batch also ends after some time.
 */
#define BATCH_BIOS	128
#define BATCH_TIME	(4 * HZ)

struct batch {
	struct bio_list bios;
	unsigned int nr;
	unsigned long begun;		/* jiffies */
	struct flush_mark mark;		/* of when it began */
	bool wrote;			/* something for users */
};

static bool batch_is_full(const struct remap_set *set, const struct batch *b)
{
	return b->nr >= BATCH_BIOS || set->map.nr_changes > MAP_MAX_CHANGES / 2 ||
	       time_after(jiffies, b->begun + BATCH_TIME);
}

/* What becomes of a bio when the commit of its batch has ended with @r. */
static blk_status_t after_commit(struct bio *bio, int r)
{
	const struct remap_bio *pb = dm_per_bio_data(bio, sizeof(*pb));
	bool again = bio->bi_status == BLK_STS_DM_REQUEUE;

	if (!r || !pb->staged)
		return bio->bi_status;
	switch (r) {
	case -EAGAIN:
		/* Nothing was written, and there is another place for it. */
		return BLK_STS_DM_REQUEUE;
	case -EREMOTEIO:
		/* The same, but what is to be in place may not be there. */
		if (!op_is_write(bio_op(bio)))
			return BLK_STS_DM_REQUEUE;
		return bio->bi_status ? bio->bi_status : BLK_STS_IOERR;
	default:
		return again || !bio->bi_status ? BLK_STS_IOERR : bio->bi_status;
	}
}

/* Was it written with FUA where that took a flush, and may that have failed? */
static bool fua_failed(const struct remap_set *set, struct bio *bio)
{
	const struct remap_bio *pb = dm_per_bio_data(bio, sizeof(*pb));

	if (pb->flush == FLUSH_DUE)
		return set->fua >> pb->member & 1 ||
		       pb->flush_errors != flush_failures(set->members[pb->member]);
	return pb->fua & set->fua;
}

/* Commit what the bios of a batch changed, and let them go. */
static void finish_batch(struct remap_set *set, struct batch *b)
{
	struct bio *bio;
	int r;

	if (b->wrote)
		flush_check_users(set, &b->mark);
	r = commit_changes(set);
	if (b->wrote)
		flush_check_users(set, &b->mark);
	flush_fua(set, &b->mark);
	if (b->wrote)
		flush_check_users(set, &b->mark);
	b->nr = 0;
	b->wrote = false;
	while ((bio = bio_list_pop(&b->bios))) {
		bio->bi_status = after_commit(bio, r);
		if (!bio->bi_status && fua_failed(set, bio))
			bio->bi_status = BLK_STS_IOERR;
		if (bio->bi_status == BLK_STS_DM_REQUEUE) {
			bio->bi_status = BLK_STS_OK;
			remap_queue(set, bio);
		} else {
			finish_bio(set, bio);
		}
	}
	set->fua = 0;
}

/* True if a batch became full, and was finished. */
static bool process_bios(struct remap_set *set, struct bio_list *bios, struct batch *b)
{
	bool finished = false;
	struct bio *bio;

	while ((bio = bio_list_pop(bios))) {
		struct remap_bio *pb = dm_per_bio_data(bio, sizeof(*pb));
		u32 holds = set->map.holds;

		if (!b->nr++) {
			b->begun = jiffies;
			flush_note(set, &b->mark);
		}
		if (pb->flush == FLUSH_DUE) {
			set->fua |= 1u << pb->member;
		} else {
			pb->fua = 0;
			bio->bi_status = process_bio(set, bio);
			b->wrote |= !bio->bi_status && op_is_write(bio_op(bio));
		}
		pb->staged = set->map.holds != holds;
		bio_list_add(&b->bios, bio);
		if (batch_is_full(set, b)) {
			finish_batch(set, b);
			finished = true;
		}
	}
	return finished;
}

/* --- The queue ----------------------------------------------------------- */

void remap_queue(struct remap_set *set, struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&set->queue_lock, flags);
	bio_list_add(&set->queue, bio);
	/* Before the worker can end it, and others the set. */
	queue_work(set->wq, &set->work);
	spin_unlock_irqrestore(&set->queue_lock, flags);
}

int remap_request(struct remap_set *set, struct remap_request *rq)
{
	init_completion(&rq->done);
	spin_lock_irq(&set->queue_lock);
	list_add_tail(&rq->list, &set->requests);
	spin_unlock_irq(&set->queue_lock);
	queue_work(set->wq, &set->work);
	if (wait_for_completion_killable(&rq->done)) {
		WRITE_ONCE(rq->cancel, true);
		wait_for_completion(&rq->done);
	}
	return rq->error;
}

/* Move all bios that wait to @bios. False if there are none. */
static bool take_queue(struct remap_set *set, struct bio_list *bios)
{
	spin_lock_irq(&set->queue_lock);
	bio_list_merge(bios, &set->queue);
	bio_list_init(&set->queue);
	spin_unlock_irq(&set->queue_lock);
	return !bio_list_empty(bios);
}

/*
 * All bios that wait, and those that fail meanwhile, until a batch is full: then
 * requests have their turn.
 */
static void process_queue(struct remap_set *set)
{
	struct bio_list bios = BIO_EMPTY_LIST;
	struct batch b = { };

	while (take_queue(set, &bios) && !process_bios(set, &bios, &b))
		;
	finish_batch(set, &b);
}

void remap_work(struct work_struct *work)
{
	struct remap_set *set = container_of(work, struct remap_set, work);
	struct remap_request *rq;

	process_queue(set);
	spin_lock_irq(&set->queue_lock);
	rq = list_first_entry_or_null(&set->requests, struct remap_request, list);
	spin_unlock_irq(&set->queue_lock);
	if (rq) {
		bool done = request_slice(set, rq);

		spin_lock_irq(&set->queue_lock);
		if (done)
			list_del(&rq->list);
		else
			/* Others have their turn. */
			list_move_tail(&rq->list, &set->requests);
		spin_unlock_irq(&set->queue_lock);
		if (done)
			complete(&rq->done);
	}
	spare_edges(set);
	if (set->event) {
		set->event = false;
		dm_table_event(set->ti->table);
	}

	spin_lock_irq(&set->queue_lock);
	if (!bio_list_empty(&set->queue) || !list_empty(&set->requests))
		queue_work(set->wq, &set->work);
	spin_unlock_irq(&set->queue_lock);
}
