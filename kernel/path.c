// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a bio: where it is sent, and what is looked at when it ends. One that needs more
 * goes to the worker (relocate.c).
 *
 * What nearly all I/O passes through calls nothing in the middle but dm_per_bio_data(): other
 * functions are called last, as jumps, so that no registers are saved for them.
 */
#include "dm-remap.h"
#include "flush.h"

/* --- On its way ---------------------------------------------------------- */

/* Of an active table. */
static __always_inline struct remap_set *set_of(const struct dm_target *ti)
{
	const struct remap_target *rt = ti->private;

	return rt->set;
}

static __always_inline u64 first_block(const struct remap_set *set, const struct bio *bio)
{
	return bio->bi_iter.bi_sector >> set->block_shift;
}

static __always_inline u64 last_block(const struct remap_set *set, const struct bio *bio)
{
	return (bio_end_sector(bio) - 1) >> set->block_shift;
}

static __always_inline int aim_at_data(struct remap_set *set, struct bio *bio,
				       struct remap_bio *pb)
{
	pb->iter = bio->bi_iter;
	bio->bi_iter.bi_sector = pb->iter.bi_sector + set->data_offset;
	bio_set_dev(bio, set->data);
	return DM_MAPIO_REMAPPED;
}

static int send_to_data(struct remap_set *set, struct bio *bio, struct remap_bio *pb)
{
	stats_bio(set, bio, DMR_NL_PATH_DIRECT);
	return aim_at_data(set, bio, pb);
}

static noinline int leave_to_worker(struct remap_set *set, struct bio *bio, struct remap_bio *pb)
{
	if (bio->bi_opf & REQ_NOWAIT) {
		pb->done = true;
		bio_wouldblock_error(bio);
		return DM_MAPIO_SUBMITTED;
	}
	stats_bio(set, bio, DMR_NL_PATH_DEFERRED);
	pb->iter = bio->bi_iter;
	remap_queue(set, bio);
	return DM_MAPIO_SUBMITTED;
}

static int finish(struct bio *bio, struct remap_bio *pb, blk_status_t status)
{
	pb->done = true;
	bio->bi_status = status;
	bio_endio(bio);
	return DM_MAPIO_SUBMITTED;
}

/* The bio has been counted in slot_io[turn]. */
static __always_inline int go_to_slot(struct remap_set *set, struct bio *bio, struct remap_bio *pb,
				      unsigned int turn, struct remap_member *m,
				      unsigned int member, u32 slot)
{
	pb->counted = true;
	pb->turn = turn;
	pb->member = member;
	pb->slot = slot;
	pb->iter = bio->bi_iter;
	bio->bi_iter.bi_sector = spare_sector(set, m, slot) +
				 (pb->iter.bi_sector & (set->block_sectors - 1));
	bio_set_dev(bio, m->bdev);
	return DM_MAPIO_REMAPPED;
}

static int send_to_slot(struct remap_set *set, struct bio *bio, struct remap_bio *pb,
			const struct map_entry *e, unsigned int turn)
{
	struct remap_member *m = set->members[e->member];

	if (!m->bdev)
		return op_is_write(bio_op(bio)) ? leave_to_worker(set, bio, pb) :
						  finish(bio, pb, BLK_STS_IOERR);
	if (bio_op(bio) == REQ_OP_DISCARD && !bdev_max_discard_sectors(m->bdev))
		return finish(bio, pb, BLK_STS_OK);
	atomic_inc(&set->slot_io[turn]);
	stats_bio(set, bio, DMR_NL_PATH_REMAPPED);
	return go_to_slot(set, bio, pb, turn, m, e->member, e->slot);
}

/* The first block of the bio has an entry, and all of the bio is in it. */
static int map_entry_bio(struct remap_set *set, struct bio *bio, struct remap_bio *pb,
			 const struct map_entry *e, unsigned int turn)
{
	u32 mask = map_block_mask(bio->bi_iter.bi_sector & (set->block_sectors - 1),
				  bio_sectors(bio));
	bool discard = bio_op(bio) == REQ_OP_DISCARD || bio_op(bio) == REQ_OP_SECURE_ERASE;

	/* A secure erase of a block that moved goes to both its places. */
	if (e->busy || e->state == DMR_RECORD_FREE ||
	    (e->state == DMR_RECORD_REMAPPED && bio_op(bio) == REQ_OP_SECURE_ERASE))
		return leave_to_worker(set, bio, pb);
	if (e->invalid & mask && !discard) {
		/* Known to be unreadable: no stall on the medium (R3). */
		if (bio_op(bio) == REQ_OP_READ &&
		    (e->state != DMR_RECORD_LOST || e->forgotten ||
		     !set->policy.retry_unreadable)) {
			stats_bio(set, bio, DMR_NL_PATH_UNREADABLE);
			return finish(bio, pb, BLK_STS_MEDIUM);
		}
		return leave_to_worker(set, bio, pb);
	}
	/* There is nothing to discard, and the medium is to be left alone. */
	if (e->state == DMR_RECORD_LOST && bio_op(bio) == REQ_OP_DISCARD)
		return finish(bio, pb, BLK_STS_OK);
	if (e->state == DMR_RECORD_LOST)
		return send_to_data(set, bio, pb);
	return send_to_slot(set, bio, pb, e, turn);
}

/* Of a bio that goes beyond the block that it begins in, dm maps the rest later. */
static __always_inline void keep_first_block(struct remap_set *set, struct bio *bio)
{
	unsigned int room = set->block_sectors -
			    (bio->bi_iter.bi_sector & (set->block_sectors - 1));

	if (unlikely(bio_sectors(bio) > room))
		dm_accept_partial_bio(bio, room);
}

static int map_found(struct remap_set *set, struct bio *bio, struct remap_bio *pb,
		     const struct map_entry *e, unsigned int turn)
{
	sector_t sector = bio->bi_iter.bi_sector;
	u64 first = e->block << set->block_shift;

	if (first > sector) {
		dm_accept_partial_bio(bio, first - sector);
		return send_to_data(set, bio, pb);
	}
	keep_first_block(set, bio);
	return map_entry_bio(set, bio, pb, e, turn);
}

static noinline int map_by_index(struct remap_set *set, struct bio *bio, struct remap_bio *pb)
{
	u64 first = first_block(set, bio);
	u64 last = last_block(set, bio);
	struct map_entry e;
	unsigned int turn;
	bool found;
	int r;

	rcu_read_lock();
	/* Before the lookup: drain_slots() changes the map first, then the turn. */
	turn = smp_load_acquire(&set->slot_turn);
	if (first == last)
		found = map_get_rcu(&set->map, first, &e);
	else
		found = map_next_rcu(&set->map, first, &e) && e.block <= last;
	r = found ? map_found(set, bio, pb, &e, turn) : send_to_data(set, bio, pb);
	rcu_read_unlock();
	return r;
}

/* Where a block is on a spare; counted in slot_io[turn]. */
struct slot_found {
	struct remap_member *m;
	unsigned int turn, member;
	u32 slot;
};

static __always_inline bool find_slot(struct remap_set *set, u64 block, u64 hash,
				      struct slot_found *s)
{
	bool found;

	/* Cheaper than rcu_read_lock(), and nothing here sleeps. */
	rcu_read_lock_sched();
	/* Before the lookup, as in map_by_index(). */
	s->turn = smp_load_acquire(&set->slot_turn);
	found = map_try_slot(&set->map, block, hash, &s->member, &s->slot);
	if (likely(found)) {
		s->m = set->members[s->member];
		found = s->m->bdev;
	}
	if (likely(found))
		atomic_inc(&set->slot_io[s->turn]);
	rcu_read_unlock_sched();
	return found;
}

static __always_inline int send_to_found(struct remap_set *set, struct bio *bio,
					 struct remap_bio *pb, const struct slot_found *s)
{
	stats_io(set, DMR_NL_PATH_REMAPPED, (__force unsigned int)bio_op(bio), bio_sectors(bio));
	return go_to_slot(set, bio, pb, s->turn, s->m, s->member, s->slot);
}

/*
 * A read or write in one block, which may have an entry. Most often it was moved; whatever
 * else it is, map_by_index() finds out.
 */
static noinline int map_by_entry(struct remap_set *set, struct bio *bio, struct remap_bio *pb,
				 u64 hash)
{
	struct slot_found s;

	if (unlikely(!find_slot(set, first_block(set, bio), hash, &s)))
		return map_by_index(set, bio, pb);
	return send_to_found(set, bio, pb, &s);
}

/*
 * A bio of several blocks, of which the first most likely has no entry: what lies before one
 * that has goes to the data device.
 */
static noinline int map_before_entry(struct remap_set *set, struct bio *bio, struct remap_bio *pb)
{
	sector_t sector = bio->bi_iter.bi_sector;
	u64 first = first_block(set, bio), next;
	bool found;

	rcu_read_lock_sched();
	found = map_try_next(&set->map, first, &next);
	rcu_read_unlock_sched();
	if (unlikely(!found || next == first))
		return map_by_index(set, bio, pb);
	if (next <= last_block(set, bio))
		dm_accept_partial_bio(bio, (next << set->block_shift) - sector);
	return send_to_data(set, bio, pb);
}

/* A read or write of several blocks. One that was split before a block begins with it. */
static noinline int map_long(struct remap_set *set, struct bio *bio, struct remap_bio *pb)
{
	u64 first = first_block(set, bio);
	u64 last = last_block(set, bio);
	u64 hash = front_hash(first);
	struct slot_found s;

	if (map_may_hold(&set->map, hash) && find_slot(set, first, hash, &s)) {
		keep_first_block(set, bio);
		return send_to_found(set, bio, pb, &s);
	}
	return map_may_touch(&set->map, first, last) ? map_before_entry(set, bio, pb) :
						       send_to_data(set, bio, pb);
}

static struct remap_member *member_of(struct remap_set *set, const struct block_device *bdev)
{
	unsigned int i;

	for (i = 1; i < set->nr_members; i++)
		if (set->members[i] && set->members[i]->bdev == bdev)
			return set->members[i];
	return NULL;
}

static noinline int map_flush(struct remap_set *set, struct bio *bio, struct remap_bio *pb)
{
	struct remap_target *rt = set->rt;
	unsigned int n = dm_bio_get_target_bio_nr(bio);
	struct remap_member *m = n ? NULL : set->members[0];

	pb->flush = IS_FLUSH;
	rcu_read_lock();
	/* Pairs with set_add_device(), and set_remove_device() waits for it. */
	if (n && n <= smp_load_acquire(&rt->nr_spares))
		m = member_of(set, rt->spares[n - 1]->bdev);
	rcu_read_unlock();
	if (!m)
		return finish(bio, pb, BLK_STS_OK);
	/* Let a spare sleep that holds nothing; what the worker wrote, it flushed. */
	if (n && !READ_ONCE(m->used))
		return finish(bio, pb, flush_owes(m) ? BLK_STS_IOERR : BLK_STS_OK);
	flush_begins(set, m, pb);
	bio_set_dev(bio, m->bdev);
	return DM_MAPIO_REMAPPED;
}

/* One of so many I/Os of this processor, by the policy. */
static __always_inline bool is_sample(struct remap_set *set)
{
	return this_cpu_inc_return(set->stats->tick) >= READ_ONCE(set->sample);
}

static void start_sample(struct remap_set *set, struct remap_bio *pb)
{
	this_cpu_write(set->stats->tick, 0);
	if (READ_ONCE(set->sample) == NO_SAMPLE)
		return;
	pb->timing = SAMPLED;
	pb->start_ns = ktime_get_ns();
}

/*
 * Sectors of the bio are those of the target, which is alone in its table. False: there is
 * no entry.
 */
static __always_inline bool has_entries(struct remap_set *set, struct remap_bio *pb)
{
	/* Before the lookup: whatever changes after this is seen in end_io. */
	pb->seq = smp_load_acquire(&set->map.seq);
	/* A race, but see map_may_touch(): 0 is the number from before the hold. */
	return unlikely(data_race(set->map.index.nr));
}

static __always_inline int map_io(struct remap_set *set, struct bio *bio, struct remap_bio *pb,
				  unsigned int op)
{
	if (has_entries(set, pb)) {
		u64 first = first_block(set, bio);
		u64 last = last_block(set, bio);
		u64 hash = front_hash(first);

		if (unlikely(first != last))
			return map_long(set, bio, pb);
		if (unlikely(map_may_hold(&set->map, hash)))
			return map_by_entry(set, bio, pb, hash);
	}
	stats_io(set, DMR_NL_PATH_DIRECT, op, bio_sectors(bio));
	return aim_at_data(set, bio, pb);
}

static noinline int map_sample(struct remap_set *set, struct bio *bio, struct remap_bio *pb,
			       unsigned int op)
{
	start_sample(set, pb);
	return map_io(set, bio, pb, op);
}

/*
 * Where the device does not know FUA, the kernel would send a flush of its own behind the
 * write, and nobody could tell which of the two failed. So the worker does, one for all
 * that wait.
 */
static int map_fua(struct remap_set *set, struct bio *bio, struct remap_bio *pb)
{
	int r = map_io(set, bio, pb, WRITE);

	if (r != DM_MAPIO_REMAPPED)
		return r;
	pb->flush = FUA_SENT;
	if (lacks_fua(bio->bi_bdev)) {
		bio->bi_opf &= ~REQ_FUA;
		pb->flush = FLUSH_AFTER;
	}
	return r;
}

/* A flush, a write with FUA, a discard, a secure erase or a write of zeroes. */
static noinline int map_other(struct remap_set *set, struct bio *bio, struct remap_bio *pb)
{
	if (bio->bi_opf & REQ_PREFLUSH)
		return map_flush(set, bio, pb);
	/* A race, as in remap_map(). */
	if (data_race(set->timed)) {
		pb->timing = TIMED;
		if (is_sample(set))
			start_sample(set, pb);
	}
	if (bio_op(bio) == REQ_OP_WRITE)
		return map_fua(set, bio, pb);
	if (has_entries(set, pb) &&
	    map_may_touch(&set->map, first_block(set, bio), last_block(set, bio)))
		return map_by_index(set, bio, pb);
	return send_to_data(set, bio, pb);
}

int remap_map(struct dm_target *ti, struct bio *bio)
{
	struct remap_bio *pb = dm_per_bio_data(bio, sizeof(*pb));
	struct remap_set *set = set_of(ti);
	unsigned int op = (__force unsigned int)(bio->bi_opf &
						(REQ_OP_MASK | REQ_PREFLUSH | REQ_FUA));

	pb->special = 0;
	pb->start = jiffies;
	/* Others than reads (0) and writes (1) without a flush are seldom. */
	if (unlikely(op > 1))
		return map_other(set, bio, pb);
	/* A race: who reads it too early or too late measures one more or less. */
	if (unlikely(data_race(set->timed))) {
		pb->timing = TIMED;
		if (unlikely(is_sample(set)))
			return map_sample(set, bio, pb, op);
	}
	return map_io(set, bio, pb, op);
}

/* --- At its end ---------------------------------------------------------- */

/*
 * A write succeeded, but blocks were held since it was sent. Where it is not the
 * place that its sectors have now, it must be repeated there.
 */
static noinline bool went_astray(struct remap_set *set, const struct remap_bio *pb)
{
	sector_t first = pb->iter.bi_sector, end = first + (pb->iter.bi_size >> SECTOR_SHIFT);
	u64 block = first >> set->block_shift;
	struct map_entry e;

	if ((s32)(READ_ONCE(set->map.release_seq) - pb->seq) > 0 ||
	    (s32)(READ_ONCE(set->members[pb->member]->lost_seq) - pb->seq) > 0)
		return true;
	/* Sectors that were found lost since then are not, but only the worker can say so. */
	if (pb->member)
		return !map_get(&set->map, block, &e) || e.busy ||
		       e.state != DMR_RECORD_REMAPPED ||
		       e.member != pb->member || e.slot != pb->slot ||
		       e.invalid & map_block_mask(first & (set->block_sectors - 1), end - first);
	while (map_next(&set->map, block, &e) && e.block << set->block_shift < end) {
		/* A lost block next to what was written is no reason, but costs little. */
		if (e.busy || e.state != DMR_RECORD_FREE)
			return true;
		block = e.block + 1;
	}
	return false;
}

static __always_inline bool is_slow(const struct remap_set *set, const struct remap_bio *pb)
{
	return (u32)jiffies - pb->start > READ_ONCE(set->slow_jiffies);
}

/* How long it took, if that is asked for, and that it failed if it did. */
static noinline void measure(struct remap_set *set, const struct remap_bio *pb, blk_opf_t opf,
			     blk_status_t status)
{
	struct remap_member *m = set->members[pb->member];
	u32 took_us = jiffies_to_usecs((u32)jiffies - pb->start);
	bool write = op_is_write(opf);

	if (pb->timing == SAMPLED)
		stats_latency(m, write, ktime_get_ns() - pb->start_ns);
	if (pb->timing && is_slow(set, pb))
		event_io(set, DMR_NL_EVENT_SLOW, pb->member, write, BLK_STS_OK,
			 pb->iter.bi_sector, pb->iter.bi_size >> SECTOR_SHIFT, took_us);
	if (status)
		stats_failed(set, m, pb, opf, status, took_us);
}

/* The worker repeats it from the start. */
static int repeat_bio(struct remap_set *set, struct bio *bio, struct remap_bio *pb)
{
	bio->bi_iter = pb->iter;
	bio->bi_status = BLK_STS_OK;
	if (pb->flush == FUA_SENT || pb->flush == FLUSH_AFTER)
		bio->bi_opf |= REQ_FUA;
	pb->flush = NO_FLUSH;
	remap_queue(set, bio);
	return DM_ENDIO_INCOMPLETE;
}

static noinline int io_failed(struct remap_set *set, struct bio *bio, struct remap_bio *pb,
			      blk_status_t status)
{
	enum req_op op = bio_op(bio);
	/* A spare that failed says nothing new: its blocks may go elsewhere. */
	bool gone = pb->member && op_is_write(op) && spare_gone(set->members[pb->member]);

	if ((!status_is_evidence(set, status) && !gone) || bio->bi_opf & REQ_RAHEAD) {
		remap_count(set, C_PASSED, 1);
		return DM_ENDIO_DONE;
	}
	remap_count(set, op == REQ_OP_READ ? C_READ_ERRORS : C_WRITE_ERRORS, 1);
	pb->told = true;
	return repeat_bio(set, bio, pb);
}

/* It has left its slot. True: somebody waits for that, and it was the last. */
static __always_inline bool leave_slot(struct remap_set *set, struct remap_bio *pb)
{
	pb->counted = false;
	return atomic_dec_and_test(&set->slot_io[pb->turn]) &&
	       /* That was a barrier; drain_slots() looks after it is in the queue. */
	       unlikely(waitqueue_active(&set->slot_wait));
}

static noinline int end_failed(struct remap_set *set, struct bio *bio, blk_status_t *error)
{
	struct remap_bio *pb = dm_per_bio_data(bio, sizeof(*pb));

	if (pb->counted && leave_slot(set, pb))
		wake_up(&set->slot_wait);
	if (pb->flush == IS_FLUSH && !pb->done && !flush_fails(set, pb))
		*error = BLK_STS_OK;
	if (pb->done || pb->flush == IS_FLUSH || bio_op(bio) == REQ_OP_DISCARD ||
	    bio_op(bio) == REQ_OP_SECURE_ERASE)
		return DM_ENDIO_DONE;
	measure(set, pb, bio->bi_opf, *error);
	return io_failed(set, bio, pb, *error);
}

static bool astray(struct remap_set *set, const struct remap_bio *pb)
{
	return unlikely(pb->seq != READ_ONCE(set->map.seq)) && went_astray(set, pb);
}

static int redo(struct remap_set *set, struct bio *bio, struct remap_bio *pb)
{
	remap_count(set, C_REDONE, 1);
	return repeat_bio(set, bio, pb);
}

/* Nothing of it is lost until here, or it is repeated; what is lost later, the worker sees. */
static int end_fua(struct remap_set *set, struct bio *bio, struct remap_bio *pb)
{
	int failures = flush_failures(set->members[pb->member]);

	/* Pairs with the barrier in record_failure(). */
	smp_rmb();
	if (astray(set, pb))
		return redo(set, bio, pb);
	pb->flush_errors = failures;
	pb->flush = FLUSH_DUE;
	remap_queue(set, bio);
	return DM_ENDIO_INCOMPLETE;
}

/* The end of a success that may have to be repeated, or that is to be counted. */
static noinline int end_special(struct remap_set *set, struct bio *bio, struct remap_bio *pb,
				blk_status_t *error)
{
	if (pb->done || bio_op(bio) == REQ_OP_DISCARD)
		return DM_ENDIO_DONE;
	if (pb->flush == IS_FLUSH)
		return flush_ends(set, bio, pb, error);
	if (pb->timing)
		measure(set, pb, bio->bi_opf, BLK_STS_OK);
	if (bio_op(bio) == REQ_OP_READ)
		return DM_ENDIO_DONE;
	if (pb->member) {
		atomic64_inc(&set->members[pb->member]->acked);
		/* Before the look at the number: record_failure() has it the other way round. */
		smp_mb__after_atomic();
	} else if (unlikely(READ_ONCE(set->bad_streak))) {
		WRITE_ONCE(set->bad_streak, 0);
	}
	if (pb->flush == FLUSH_AFTER)
		return end_fua(set, bio, pb);
	return astray(set, pb) ? redo(set, bio, pb) : DM_ENDIO_DONE;
}

static noinline int end_last(struct remap_set *set, struct bio *bio, struct remap_bio *pb,
			     blk_status_t *error)
{
	wake_up(&set->slot_wait);
	return end_special(set, bio, pb, error);
}

static noinline int end_good(struct remap_set *set, struct bio *bio, blk_status_t *error)
{
	struct remap_bio *pb = dm_per_bio_data(bio, sizeof(*pb));

	/* On the data device: a read, or no block was held since it was sent. */
	if ((!pb->special || (pb->special == ONLY_TIMED && !is_slow(set, pb))) &&
	    (bio_op(bio) == REQ_OP_READ ||
	     (pb->seq == READ_ONCE(set->map.seq) && !READ_ONCE(set->bad_streak))))
		return DM_ENDIO_DONE;
	if (pb->counted) {
		if (leave_slot(set, pb))
			return end_last(set, bio, pb, error);
		if (!pb->timing && bio_op(bio) == REQ_OP_READ)
			return DM_ENDIO_DONE;
	}
	return end_special(set, bio, pb, error);
}

int remap_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct remap_set *set = set_of(ti);

	if (unlikely(*error))
		return end_failed(set, bio, error);
	/*
	 * Nearly all reads, without a look at what was kept of them. A device below that passed
	 * the bio on instead of a clone has left its own in bi_bdev, but never that of the data,
	 * which this table alone has open.
	 */
	if (bio_op(bio) == REQ_OP_READ && bio->bi_bdev == set->only_data) {
		/* A race, as in remap_map(). */
		if (likely(!data_race(set->timed)))
			return DM_ENDIO_DONE;
	}
	return end_good(set, bio, error);
}
