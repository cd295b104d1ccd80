// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device-mapper target: table and the way of a bio. A bio that needs more than being sent
 * on goes to the worker (relocate.c).
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uuid.h>

#include "dm-remap.h"

/* --- Life ---------------------------------------------------------------- */

/* A resumed table takes the set, so that the metadata is read when it is final. */
static int remap_preresume(struct dm_target *ti)
{
	unsigned int noio = memalloc_noio_save();
	int r = set_activate(ti, ti->private);

	memalloc_noio_restore(noio);
	return r;
}

/* Requests that take long end soon: dm waits for them with all I/O held back. */
static void remap_presuspend(struct dm_target *ti)
{
	set_stopping(ti->private, true);
}

static void remap_presuspend_undo(struct dm_target *ti)
{
	set_stopping(ti->private, false);
}

static void remap_postsuspend(struct dm_target *ti)
{
	unsigned int noio = memalloc_noio_save();

	set_deactivate(ti->private);
	memalloc_noio_restore(noio);
}

/* --- Table --------------------------------------------------------------- */

static int parse_features(struct dm_target *ti, struct remap_target *rt,
			  struct dm_arg_set *as)
{
	static const struct dm_arg args[] = {
		{ 0, 7, "Invalid number of feature arguments" },
	};
	unsigned int nr;
	char dummy;

	if (dm_read_arg_group(args, as, &nr, &ti->error))
		return -EINVAL;
	while (nr) {
		const char *name = dm_shift_arg(as), *value = NULL;
		unsigned long long sector;

		nr--;
		if (!strcasecmp(name, "degraded")) {
			rt->degraded = true;
			continue;
		}
		if (strcasecmp(name, "data_offset") && strcasecmp(name, "internal_spare") &&
		    strcasecmp(name, "set_uuid")) {
			ti->error = "Unrecognised feature argument";
			return -EINVAL;
		}
		if (nr) {
			value = dm_shift_arg(as);
			nr--;
		}
		if (!value) {
			ti->error = "A feature argument lacks its value";
			return -EINVAL;
		}
		if (!strcasecmp(name, "set_uuid")) {
			if (uuid_parse(value, (uuid_t *)rt->uuid)) {
				ti->error = "Invalid set_uuid";
				return -EINVAL;
			}
			rt->has_uuid = true;
			continue;
		}
		if (sscanf(value, "%llu%c", &sector, &dummy) != 1 || sector != (sector_t)sector) {
			ti->error = "Invalid sector";
			return -EINVAL;
		}
		if (!strcasecmp(name, "data_offset")) {
			rt->data_offset = sector;
		} else {
			rt->internal = true;
			rt->internal_start = sector;
		}
	}
	if (as->argc) {
		ti->error = "Arguments behind the features";
		return -EINVAL;
	}
	return 0;
}

/* Device names hold a '/' or a ':', the number of features does not. */
static bool is_device(const char *arg)
{
	return strpbrk(arg, "/:");
}

static int take_device(struct dm_target *ti, const char *path, struct dm_dev **dev)
{
	int r = dm_get_device(ti, path, BLK_OPEN_READ | BLK_OPEN_WRITE, dev);

	if (r) {
		ti->error = "A device can not be opened for writing";
		return r;
	}
	if (bdev_is_zoned((*dev)->bdev)) {
		ti->error = "Zoned devices are not supported";
		return -EINVAL;
	}
	return 0;
}

static int check_devices(struct dm_target *ti, const struct remap_target *rt)
{
	sector_t size = bdev_nr_sectors(rt->data->bdev);
	unsigned int i, j;

	if (rt->data_offset > size || ti->len > size - rt->data_offset) {
		ti->error = "The data device is too small";
		return -EINVAL;
	}
	if (rt->internal && (rt->internal_start < rt->data_offset + ti->len ||
			     rt->internal_start >= size)) {
		ti->error = "The internal spare lies in the data or behind the device";
		return -EINVAL;
	}
	if (!rt->nr_spares && !rt->internal && !rt->degraded) {
		ti->error = "A spare is needed, or degraded";
		return -EINVAL;
	}
	for (i = 0; i < rt->nr_spares; i++) {
		for (j = 0; j < i; j++) {
			if (rt->spares[i]->bdev == rt->spares[j]->bdev) {
				ti->error = "A spare is named twice";
				return -EINVAL;
			}
		}
		if (rt->spares[i]->bdev == rt->data->bdev) {
			ti->error = "The data device can not be its own spare; use internal_spare";
			return -EINVAL;
		}
	}
	return 0;
}

static void put_devices(struct dm_target *ti, struct remap_target *rt)
{
	unsigned int i;

	for (i = 0; i < DMR_MAX_MEMBERS - 1; i++)
		if (rt->spares[i])
			dm_put_device(ti, rt->spares[i]);
	if (rt->data)
		dm_put_device(ti, rt->data);
}

static int parse_table(struct dm_target *ti, struct remap_target *rt, struct dm_arg_set *as)
{
	int r;

	if (!as->argc) {
		ti->error = "A data device is needed";
		return -EINVAL;
	}
	if (!(dm_table_get_mode(ti->table) & BLK_OPEN_WRITE)) {
		ti->error = "A read-only table can not keep its map";
		return -EROFS;
	}
	r = take_device(ti, dm_shift_arg(as), &rt->data);
	while (!r && as->argc && is_device(as->argv[0])) {
		if (rt->nr_spares == DMR_MAX_MEMBERS - 2) {
			ti->error = "Too many spares";
			return -EINVAL;
		}
		r = take_device(ti, dm_shift_arg(as), &rt->spares[rt->nr_spares++]);
	}
	if (!r && as->argc)
		r = parse_features(ti, rt, as);
	return r ? r : check_devices(ti, rt);
}

static int remap_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dm_arg_set as = { .argc = argc, .argv = argv };
	struct remap_target *rt = kzalloc(sizeof(*rt), GFP_KERNEL);
	int r;

	if (!rt) {
		ti->error = "Out of memory";
		return -ENOMEM;
	}
	init_rwsem(&rt->lock);
	/* Device mapper sees to that; the I/O path relies on it. */
	if (WARN_ON_ONCE(ti->begin)) {
		kfree(rt);
		return -EINVAL;
	}
	r = parse_table(ti, rt, &as);
	if (r) {
		put_devices(ti, rt);
		kfree(rt);
		return r;
	}
	ti->private = rt;
	ti->per_io_data_size = sizeof(struct remap_bio);
	/*
	 * Bio n flushes device n of the table: the data device, then each spare. dm reads
	 * this more than once for one flush, so it never changes; there is some
	 * room for spares that join later.
	 */
	ti->num_flush_bios = min(1 + rt->nr_spares + HOT_SPARES, DMR_MAX_MEMBERS - 1U);
	ti->num_discard_bios = 1;
	ti->discards_supported = bdev_max_discard_sectors(rt->data->bdev);
	ti->num_secure_erase_bios = 1;
	ti->num_write_zeroes_bios = 1;
	return 0;
}

static void remap_dtr(struct dm_target *ti)
{
	struct remap_target *rt = ti->private;

	set_deactivate(rt);
	put_devices(ti, rt);
	kfree(rt);
}

static int remap_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn,
				 void *data)
{
	struct remap_target *rt = ti->private;
	unsigned int i, nr;
	int r = fn(ti, rt->data, rt->data_offset, ti->len, data);

	/* Pairs with set_add_device(); one that could not join is gone again. */
	nr = smp_load_acquire(&rt->nr_spares);
	for (i = 0; i < nr && !r; i++) {
		struct dm_dev *dev = READ_ONCE(rt->spares[i]);

		if (dev)
			r = fn(ti, dev, 0, bdev_nr_sectors(dev->bdev), data);
	}
	if (!r && rt->internal)
		r = fn(ti, rt->data, rt->internal_start,
		       bdev_nr_sectors(rt->data->bdev) - rt->internal_start, data);
	return r;
}

/* --- The way of a bio ---------------------------------------------------- */

/* Of an active table. */
static __always_inline struct remap_set *set_of(const struct dm_target *ti)
{
	const struct remap_target *rt = ti->private;

	return rt->set;
}

static __always_inline int send_to_data(struct remap_set *set, struct bio *bio,
					struct remap_bio *pb)
{
	pb->iter = bio->bi_iter;
	bio->bi_iter.bi_sector = pb->iter.bi_sector + set->data_offset;
	stats_bio(set, bio, DMR_NL_PATH_DIRECT);
	bio_set_dev(bio, set->data);
	return DM_MAPIO_REMAPPED;
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
	u64 first = bio->bi_iter.bi_sector >> set->block_shift;
	u64 last = (bio_end_sector(bio) - 1) >> set->block_shift;
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

/*
 * A bio of several blocks, of which the first most likely has no entry: what lies before one
 * that has goes to the data device.
 */
static noinline int map_before_entry(struct remap_set *set, struct bio *bio, struct remap_bio *pb)
{
	sector_t sector = bio->bi_iter.bi_sector;
	u64 first = sector >> set->block_shift, next;
	bool found;

	rcu_read_lock_sched();
	found = map_try_next(&set->map, first, &next);
	rcu_read_unlock_sched();
	if (unlikely(!found || next == first))
		return map_by_index(set, bio, pb);
	if (next <= (bio_end_sector(bio) - 1) >> set->block_shift)
		dm_accept_partial_bio(bio, (next << set->block_shift) - sector);
	return send_to_data(set, bio, pb);
}

/*
 * Some block that the bio touches may have an entry. Most often it is a block that was moved,
 * and the bio lies in it or, if it has been split before it, begins with it; whatever
 * else it is, map_by_index() finds out.
 */
static noinline int map_by_entry(struct remap_set *set, struct bio *bio, struct remap_bio *pb)
{
	u64 first = bio->bi_iter.bi_sector >> set->block_shift;
	u64 last = (bio_end_sector(bio) - 1) >> set->block_shift;
	unsigned int op = (__force unsigned int)bio_op(bio), turn, member;
	struct remap_member *m;
	bool found;
	u32 slot;

	/* Others than reads (0) and writes (1) are seldom. */
	if (op > 1)
		return map_by_index(set, bio, pb);
	/* Cheaper than rcu_read_lock(), and nothing here sleeps. */
	rcu_read_lock_sched();
	/* Before the lookup, as in map_by_index(). */
	turn = smp_load_acquire(&set->slot_turn);
	found = (first == last || map_may_hold(&set->map, first)) &&
		map_try_slot(&set->map, first, &member, &slot);
	if (likely(found)) {
		m = set->members[member];
		found = m->bdev;
	}
	if (likely(found))
		atomic_inc(&set->slot_io[turn]);
	rcu_read_unlock_sched();
	if (unlikely(!found))
		return first == last ? map_by_index(set, bio, pb) :
				       map_before_entry(set, bio, pb);
	keep_first_block(set, bio);
	stats_io(set, DMR_NL_PATH_REMAPPED, op, bio_sectors(bio));
	return go_to_slot(set, bio, pb, turn, m, member, slot);
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
	struct remap_member *m = NULL;

	pb->flush = true;
	if (!n) {
		bio_set_dev(bio, rt->data->bdev);
		return DM_MAPIO_REMAPPED;
	}
	/* Let a spare sleep that holds nothing; what the worker wrote, it flushed. */
	rcu_read_lock();
	/* Pairs with set_add_device(), and set_remove_device() waits for it. */
	if (n <= smp_load_acquire(&rt->nr_spares))
		m = member_of(set, rt->spares[n - 1]->bdev);
	rcu_read_unlock();
	if (!m || !READ_ONCE(m->used))
		return finish(bio, pb, BLK_STS_OK);
	pb->member = m->index;
	pb->acked = atomic64_read(&m->acked);
	bio_set_dev(bio, m->bdev);
	return DM_MAPIO_REMAPPED;
}

/*
 * A spare that fails a flush may have lost the writes that were acknowledged since
 * the last one, and that is an error to everybody until a flush succeeds. Without
 * such writes it has nothing to lose: a spare that is gone does not fail flushes (R8).
 */
static noinline void flush_ends(struct remap_set *set, struct remap_bio *pb, blk_status_t *error)
{
	struct remap_member *m = set->members[pb->member];
	s64 old = atomic64_read(&m->flushed);

	if (!pb->member)
		return;
	if (*error) {
		if (old >= (s64)pb->acked)
			*error = BLK_STS_OK;
		return;
	}
	while (old < (s64)pb->acked && !atomic64_try_cmpxchg(&m->flushed, &old, pb->acked))
		;
}

/* The policy wants to hear of I/O that is slow, or of how long every so many take. */
static __always_inline void start_timing(struct remap_set *set, struct remap_bio *pb)
{
	u32 sample = READ_ONCE(set->sample);

	pb->timing = TIMED;
	if (sample && unlikely(this_cpu_inc_return(set->stats->tick) % sample == 0)) {
		pb->timing = SAMPLED;
		pb->start_ns = ktime_get_ns();
	}
}

static __always_inline bool is_slow(const struct remap_set *set, const struct remap_bio *pb)
{
	return (u32)jiffies - pb->start > READ_ONCE(set->slow_jiffies);
}

static __always_inline bool bio_may_touch(const struct remap_set *set, const struct bio *bio)
{
	u64 first = bio->bi_iter.bi_sector >> set->block_shift;
	u64 last = (bio_end_sector(bio) - 1) >> set->block_shift;

	return map_may_touch(&set->map, first, last);
}

static int remap_map(struct dm_target *ti, struct bio *bio)
{
	struct remap_set *set = set_of(ti);
	struct remap_bio *pb = dm_per_bio_data(bio, sizeof(*pb));

	pb->special = 0;
	if (unlikely(bio->bi_opf & REQ_PREFLUSH))
		return map_flush(set, bio, pb);
	pb->start = jiffies;
	/* A race: who reads it too early or too late measures one more or less. */
	if (unlikely(data_race(set->timed)))
		start_timing(set, pb);

	/*
	 * Sectors of the bio are those of the target, which is alone in its table. seq
	 * before the lookup: whatever changes after this is seen in end_io.
	 */
	pb->seq = smp_load_acquire(&set->map.seq);
	/* A race, but see map_may_touch(): 0 is the number from before the hold. */
	if (unlikely(data_race(set->map.index.nr)) && unlikely(bio_may_touch(set, bio)))
		return map_by_entry(set, bio, pb);
	return send_to_data(set, bio, pb);
}

/*
 * A write succeeded, but blocks were held since it was sent. Where it is not the
 * place that its sectors have now, it must be repeated there.
 */
static noinline bool went_astray(struct remap_set *set, const struct remap_bio *pb)
{
	sector_t first = pb->iter.bi_sector, end = first + (pb->iter.bi_size >> SECTOR_SHIFT);
	u64 block = first >> set->block_shift;
	struct map_entry e;

	if ((s32)(READ_ONCE(set->map.release_seq) - pb->seq) > 0)
		return true;
	if (pb->member)
		return !map_get(&set->map, block, &e) || e.busy ||
		       e.state != DMR_RECORD_REMAPPED ||
		       e.member != pb->member || e.slot != pb->slot;
	while (map_next(&set->map, block, &e) && e.block << set->block_shift < end) {
		/* A lost block next to what was written is no reason, but costs little. */
		if (e.busy || e.state != DMR_RECORD_FREE)
			return true;
		block = e.block + 1;
	}
	return false;
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
static int repeat_bio(struct remap_set *set, struct bio *bio, const struct remap_bio *pb)
{
	bio->bi_iter = pb->iter;
	bio->bi_status = BLK_STS_OK;
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

static __always_inline void leave_slot(struct remap_set *set, struct remap_bio *pb)
{
	pb->counted = false;
	if (atomic_dec_and_test(&set->slot_io[pb->turn]) &&
	    /* That was a barrier; drain_slots() looks after it is in the queue. */
	    waitqueue_active(&set->slot_wait))
		wake_up(&set->slot_wait);
}

/* A success on the data device: a read, or no block was held since it was sent. */
static __always_inline bool needs_no_look(const struct remap_set *set, struct bio *bio,
					  const struct remap_bio *pb)
{
	return bio_op(bio) == REQ_OP_READ ||
	       (pb->seq == READ_ONCE(set->map.seq) && !READ_ONCE(set->bad_streak));
}

/* The end of an I/O that failed or may have to be repeated, or that is to be counted. */
static noinline int end_special(struct remap_set *set, struct bio *bio, struct remap_bio *pb,
				blk_status_t *error)
{
	enum req_op op = bio_op(bio);

	if (pb->flush && !pb->done)
		flush_ends(set, pb, error);
	if (pb->done || pb->flush || op == REQ_OP_DISCARD ||
	    (op == REQ_OP_SECURE_ERASE && *error))
		return DM_ENDIO_DONE;

	if (unlikely(*error || pb->timing))
		measure(set, pb, bio->bi_opf, *error);
	if (unlikely(*error))
		return io_failed(set, bio, pb, *error);
	if (op == REQ_OP_READ)
		return DM_ENDIO_DONE;
	if (pb->member)
		atomic64_inc(&set->members[pb->member]->acked);
	else if (unlikely(READ_ONCE(set->bad_streak)))
		WRITE_ONCE(set->bad_streak, 0);
	if (likely(pb->seq == READ_ONCE(set->map.seq)) || !went_astray(set, pb))
		return DM_ENDIO_DONE;
	remap_count(set, C_REDONE, 1);
	return repeat_bio(set, bio, pb);
}

static int remap_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct remap_bio *pb = dm_per_bio_data(bio, sizeof(*pb));
	struct remap_set *set;

	/* Nearly all I/O. */
	if (likely(!*error && !pb->special) && bio_op(bio) == REQ_OP_READ)
		return DM_ENDIO_DONE;
	set = set_of(ti);
	if (likely(!*error && !pb->special && needs_no_look(set, bio, pb)))
		return DM_ENDIO_DONE;
	if (pb->counted) {
		leave_slot(set, pb);
		if (likely(!*error && !pb->timing) && bio_op(bio) == REQ_OP_READ)
			return DM_ENDIO_DONE;
	}
	/* Loaded anew: for one use more, the tests above would cost a register. */
	if (!*error && READ_ONCE(pb->special) == ONLY_TIMED && !is_slow(set, pb) &&
	    needs_no_look(set, bio, pb))
		return DM_ENDIO_DONE;
	return end_special(set, bio, pb, error);
}

static struct target_type remap_target = {
	.name = "remap",
	.version = { 1, 0, 0 },
	.features = DM_TARGET_SINGLETON | DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = remap_ctr,
	.dtr = remap_dtr,
	.map = remap_map,
	.end_io = remap_end_io,
	.preresume = remap_preresume,
	.presuspend = remap_presuspend,
	.presuspend_undo = remap_presuspend_undo,
	.postsuspend = remap_postsuspend,
	.status = remap_status,
	.message = remap_message,
	.iterate_devices = remap_iterate_devices,
};

static int __init remap_init(void)
{
	int r;

	remap_wq = alloc_workqueue("remap", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!remap_wq)
		return -ENOMEM;
	r = netlink_init();
	if (!r) {
		r = dm_register_target(&remap_target);
		if (r)
			netlink_exit();
	}
	if (r)
		destroy_workqueue(remap_wq);
	return r;
}

static void __exit remap_exit(void)
{
	dm_unregister_target(&remap_target);
	netlink_exit();
	destroy_workqueue(remap_wq);
}

module_init(remap_init);
module_exit(remap_exit);

MODULE_DESCRIPTION(DM_NAME " target that moves bad blocks to spares");
MODULE_AUTHOR("dm-remap developers");
MODULE_LICENSE("GPL");
