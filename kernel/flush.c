// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flushes that fail. A disk may lose by that all that it had acknowledged before, and
 * the next flush goes well all the same. So an error is told to everybody who relies on that
 * disk, whoever sent the flush: the next flush of the users' tells one of the worker's, and
 * the worker commits nothing that refers to what one of the users' may have lost.
 */
#include "dm-remap.h"
#include "flush.h"

/* Partitions of one disk, or the data and an internal spare: they lose together. */
static bool same_disk(const struct remap_member *a, const struct remap_member *b)
{
	const struct block_device *one = READ_ONCE(a->bdev), *two = READ_ONCE(b->bdev);

	return a == b || (one && two && one->bd_disk == two->bd_disk);
}

/* Is there anything that a flush has not covered? Of the data device nobody counts it. */
static bool unflushed(const struct remap_member *m)
{
	return !m->index || atomic64_read(&m->flushed) < atomic64_read(&m->acked);
}

static void flush_covers(struct remap_member *m, s64 acked)
{
	s64 old = atomic64_read(&m->flushed);

	while (old < acked && !atomic64_try_cmpxchg(&m->flushed, &old, acked))
		;
}

/*
 * A flush has failed, of a user's or of the worker's: true if writes that were acknowledged
 * may be lost by that. A spare without such writes has nothing to lose: if it is gone,
 * flushes go on (R8).
 */
static bool record_failure(struct remap_set *set, const struct remap_member *m, bool users)
{
	u32 seq = map_step(&set->map);
	bool lost = false;
	unsigned int i;

	rcu_read_lock();
	for (i = 0; i < set->nr_members; i++) {
		struct remap_member *o = READ_ONCE(set->members[i]);
		bool loses;

		if (!o || !same_disk(o, m))
			continue;
		/* What is on its way to it is written once more: see went_astray(). */
		WRITE_ONCE(o->lost_seq, seq);
		/* Before the look at what was acknowledged; there it is the other way round. */
		smp_mb();
		loses = unflushed(o);
		lost |= loses;
		if (users)
			atomic_inc(&o->user_flush_errors);
		else if (loses)
			atomic_inc(&o->flush_errors);
	}
	rcu_read_unlock();
	remap_count(set, C_FLUSH_ERRORS, 1);
	DMERR_LIMIT("%s: a flush of %pg failed%s", set->name, m->bdev,
		    lost ? "; what was written before may be lost" : "");
	return lost;
}

/* --- Users' -------------------------------------------------------------- */

void flush_begins(struct remap_set *set, struct remap_member *m, struct remap_bio *pb)
{
	unsigned long flags;

	pb->member = m->index;
	pb->unflushed = m->index && unflushed(m);
	pb->flush_errors = atomic_read(&m->flush_errors);
	pb->acked = atomic64_read(&m->acked);
	spin_lock_irqsave(&set->queue_lock, flags);
	pb->turn = m->flush_turn;
	m->flush_io[pb->turn]++;
	spin_unlock_irqrestore(&set->queue_lock, flags);
}

/* It has an answer, and what follows from that is recorded. */
static void leave_turn(struct remap_set *set, struct remap_member *m, const struct remap_bio *pb)
{
	unsigned long flags;
	bool last;

	spin_lock_irqsave(&set->queue_lock, flags);
	last = !--m->flush_io[pb->turn];
	spin_unlock_irqrestore(&set->queue_lock, flags);
	if (last)
		wake_up(&set->flush_wait);
}

bool flush_owes(struct remap_member *m)
{
	int errors = atomic_read(&m->flush_errors);

	if (errors == atomic_read(&m->flush_told))
		return false;
	atomic_set(&m->flush_told, errors);
	return true;
}

/* It began when so many had failed: those that failed since concern it, too. */
static bool must_tell(struct remap_member *m, const struct remap_bio *pb)
{
	return pb->flush_errors != atomic_read(&m->flush_errors) || flush_owes(m);
}

bool flush_fails(struct remap_set *set, const struct remap_bio *pb)
{
	struct remap_member *m = set->members[pb->member];
	bool lost = record_failure(set, m, true), owes = must_tell(m, pb);

	leave_turn(set, m, pb);
	/* A later flush, answered before, covers what this one lost. */
	return lost || owes || pb->unflushed || pb->acked != atomic64_read(&m->acked);
}

static blk_status_t result(struct remap_set *set, const struct remap_bio *pb)
{
	struct remap_member *m = set->members[pb->member];

	if (must_tell(m, pb))
		return BLK_STS_IOERR;
	flush_covers(m, pb->acked);
	return BLK_STS_OK;
}

int flush_ends(struct remap_set *set, struct bio *bio, const struct remap_bio *pb,
	       blk_status_t *error)
{
	unsigned long flags;
	bool wait;

	leave_turn(set, set->members[pb->member], pb);
	/* One of the worker's may have failed before this, and it does not know yet. */
	if (unlikely(smp_load_acquire(&set->flushing))) {
		spin_lock_irqsave(&set->queue_lock, flags);
		wait = set->flushing;
		if (wait)
			bio_list_add(&set->flushes, bio);
		spin_unlock_irqrestore(&set->queue_lock, flags);
		if (wait)
			return DM_ENDIO_INCOMPLETE;
	}
	*error = result(set, pb);
	return DM_ENDIO_DONE;
}

/* --- The worker's -------------------------------------------------------- */

void flush_before_write(struct remap_member *m)
{
	if (!m->dirty)
		m->dirty_since = atomic_read(&m->user_flush_errors);
}

/* The users' that wait to know how the worker's ended. */
static void answer_waiting(struct remap_set *set)
{
	struct bio_list waiting;
	struct bio *bio;

	spin_lock_irq(&set->queue_lock);
	/* Pairs with flush_ends(). */
	smp_store_release(&set->flushing, false);
	waiting = set->flushes;
	bio_list_init(&set->flushes);
	spin_unlock_irq(&set->queue_lock);
	while ((bio = bio_list_pop(&waiting))) {
		struct remap_bio *pb = dm_per_bio_data(bio, sizeof(*pb));

		bio->bi_status = result(set, pb);
		pb->done = true;
		bio_endio(bio);
	}
}

/* Under the lock, so that what a flush recorded before it left is seen. */
static bool turn_has_ended(struct remap_set *set, const struct remap_member *m, unsigned int turn)
{
	bool ended;

	spin_lock_irq(&set->queue_lock);
	ended = !m->flush_io[turn];
	spin_unlock_irq(&set->queue_lock);
	return ended;
}

/*
 * The users' that were sent until now to this disk have their answers: one of them may have
 * failed there before the worker's went well. Those sent from now on lose nothing of
 * what the worker's covered, so that a new turn begins for them.
 */
static void wait_for_users(struct remap_set *set, const struct remap_member *m)
{
	unsigned int i, old;

	for (i = 0; i < set->nr_members; i++) {
		struct remap_member *o = set->members[i];

		if (!o || !same_disk(o, m))
			continue;
		spin_lock_irq(&set->queue_lock);
		old = o->flush_turn;
		o->flush_turn = !old;
		spin_unlock_irq(&set->queue_lock);
		wait_event(set->flush_wait, turn_has_ended(set, o, old));
	}
}

bool flush_member(struct remap_set *set, struct remap_member *m, int since)
{
	s64 acked = atomic64_read(&m->acked);
	bool ok;

	WRITE_ONCE(set->flushing, true);
	ok = !io_flush(m->bdev);
	if (!ok)
		record_failure(set, m, false);
	answer_waiting(set);
	if (!ok)
		return false;
	wait_for_users(set, m);
	if (atomic_read(&m->user_flush_errors) != since)
		return false;
	flush_covers(m, acked);
	return true;
}

void flush_note(const struct remap_set *set, struct flush_mark *mark)
{
	unsigned int i;

	for (i = 0; i < set->nr_members; i++) {
		if (!set->members[i])
			continue;
		mark->users[i] = atomic_read(&set->members[i]->user_flush_errors);
		mark->all[i] = flush_failures(set->members[i]);
		mark->acked[i] = atomic64_read(&set->members[i]->acked);
	}
}

void flush_check_users(struct remap_set *set, struct flush_mark *mark)
{
	unsigned int i;

	for (i = 0; i < set->nr_members; i++) {
		struct remap_member *m = set->members[i];
		int errors = m ? atomic_read(&m->user_flush_errors) : 0;

		if (!m || errors == mark->users[i])
			continue;
		mark->users[i] = errors;
		/* A flush that went well since covers what one lost before. */
		if (unflushed(m) || atomic64_read(&m->acked) != mark->acked[i])
			atomic_inc(&m->flush_errors);
	}
}

void flush_fua(struct remap_set *set, const struct flush_mark *mark)
{
	unsigned int i;

	for (i = 0; i < DMR_MAX_MEMBERS; i++) {
		struct remap_member *m = set->members[i];

		if (!(set->fua >> i & 1))
			continue;
		if (m->bdev && flush_member(set, m, atomic_read(&m->user_flush_errors)) &&
		    flush_failures(m) == mark->all[i])
			set->fua &= ~(1u << i);
	}
}

/* --- From one activation to the next ------------------------------------- */

/* Of a set by its UUID, while there is something to remember. */
struct flush_record {
	struct list_head list;
	u8 uuid[16];
	const struct remap_target *owed_by;	/* an error, to users of its mapped device */
	bool lost;				/* see flush_has_failed() */
};

static DEFINE_MUTEX(records_lock);
static LIST_HEAD(records);

static struct flush_record *find_record(const struct remap_set *set)
{
	struct flush_record *r;

	list_for_each_entry(r, &records, list)
		if (!memcmp(r->uuid, set->store.set_uuid, sizeof(r->uuid)))
			return r;
	return NULL;
}

bool flush_alloc(struct remap_set *set)
{
	set->flush_record = kzalloc(sizeof(*set->flush_record), GFP_NOIO);
	return set->flush_record;
}

void flush_open(struct remap_set *set)
{
	struct flush_record *r;

	mutex_lock(&records_lock);
	r = find_record(set);
	if (r)
		set->flush_lost = r->lost;
	mutex_unlock(&records_lock);
}

void flush_inherit(const struct remap_target *rt)
{
	struct flush_record *r;

	mutex_lock(&records_lock);
	list_for_each_entry(r, &records, list)
		if (r->owed_by && r->owed_by->md == rt->md)
			r->owed_by = rt;
	mutex_unlock(&records_lock);
}

void flush_take_debt(struct remap_set *set)
{
	struct flush_record *r;

	mutex_lock(&records_lock);
	r = find_record(set);
	if (r && r->owed_by) {
		atomic_inc(&set->members[0]->flush_errors);
		r->owed_by = NULL;
	}
	mutex_unlock(&records_lock);
}

static bool owes_error(const struct remap_set *set)
{
	unsigned int i;

	for (i = 0; i < set->nr_members; i++) {
		const struct remap_member *m = set->members[i];

		/* Users of a disk with both are told by the data's flushes. */
		if (!m || (i && same_disk(m, set->members[0])))
			continue;
		/* What has left a spare was made durable elsewhere by the commit that says so. */
		if ((i && m->used && unflushed(m)) ||
		    atomic_read(&m->flush_errors) != atomic_read(&m->flush_told))
			return true;
	}
	return false;
}

void flush_close(struct remap_set *set)
{
	bool owed = owes_error(set), lost = flush_has_failed(set);
	struct flush_record *r;

	mutex_lock(&records_lock);
	r = find_record(set);
	if (!r && !owed && !lost) {
		mutex_unlock(&records_lock);
		return;
	}
	if (!r) {
		r = set->flush_record;
		set->flush_record = NULL;
		memcpy(r->uuid, set->store.set_uuid, sizeof(r->uuid));
		list_add(&r->list, &records);
	}
	r->lost = lost;
	/* Of an activation that failed: to those before it, for all that. */
	if (owed && !r->owed_by)
		r->owed_by = set->rt;
	mutex_unlock(&records_lock);
}

void flush_forgive(const struct remap_target *rt)
{
	struct flush_record *r, *next;

	mutex_lock(&records_lock);
	list_for_each_entry_safe(r, next, &records, list) {
		if (r->owed_by == rt)
			r->owed_by = NULL;
		if (r->owed_by || r->lost)
			continue;
		list_del(&r->list);
		kfree(r);
	}
	mutex_unlock(&records_lock);
}

void flush_exit(void)
{
	struct flush_record *r, *next;

	list_for_each_entry_safe(r, next, &records, list)
		kfree(r);
}
