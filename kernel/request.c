// SPDX-License-Identifier: GPL-2.0-only
/*
 * What people and programs ask the worker to do: relocate, release, declare
 * unreadable, verify, evacuate, join, policy. In slices, so that bios never wait long
 * behind a request. Every slice ends with a commit; what it counts is durable.
 */
#include <linux/delay.h>
#include <linux/ktime.h>

#include "dm-remap.h"
#include "flush.h"

#define SLICE_BLOCKS	64
#define GROUP_SLOTS	16		/* written together, and given up together */
#define SLOW_BLOCKS	8		/* read together where only what is slow is to move */
#define SLICE_US	(100 * USEC_PER_MSEC)	/* a slice that took longer ends */

/* Slots that become free when the commit is done and no I/O is on its way to them. */
struct freed {
	unsigned int nr;
	struct {
		struct remap_member *m;
		u32 slot;
	} slots[SLICE_BLOCKS];
};

/* Has the slice taken long enough, or is the request to end? */
static bool slice_over(const struct remap_set *set, const struct remap_request *rq)
{
	return READ_ONCE(set->stopping) || READ_ONCE(rq->cancel) ||
	       ktime_us_delta(ktime_get(), rq->begun) > SLICE_US;
}

/* --- Relocate ------------------------------------------------------------ */

static int relocate_block(struct remap_set *set, struct remap_request *rq, u64 block)
{
	unsigned int length = block_length(set, block);
	struct map_entry e;
	u32 invalid = 0;
	int r;

	if (map_get(&set->map, block, &e)) {
		rq->unchanged++;
		return 0;
	}
	r = map_hold(set, block, &e);
	if (r)
		return r;
	if (gather_block(set, &e, 0, &invalid)) {
		map_drop(set, &e);
		rq->failed++;
		relocate_failed(set, 0, block);
		return 0;
	}
	if (invalid == map_block_mask(0, length)) {
		if (!room_for_lost(set)) {
			map_drop(set, &e);
			return -ENOSPC;
		}
		e.state = DMR_RECORD_LOST;
		e.invalid = invalid;
		map_change(set, &e);
		rq->lost++;
		return 0;
	}
	r = place_block(set, &e, invalid, false);
	if (r) {
		map_drop(set, &e);
		if (r == -ENOSPC)
			relocate_failed(set, 0, block);
		return r;
	}
	rq->moved++;
	return 0;
}

/*
 * Healthy blocks that lie together move together: hold them, read them with one I/O,
 * write each stretch of neighbouring slots with one. Where that fails they are
 * moved one by one, which finds out what can be read.
 */
static void drop_run(struct remap_set *set, struct block_run *blocks, unsigned int from)
{
	for (; from < blocks->nr; from++)
		map_drop(set, &blocks->entries[from]);
}

/* Hold up to @max healthy blocks from rq->next on. */
static int hold_run(struct remap_set *set, struct remap_request *rq, struct block_run *blocks,
		    unsigned int max)
{
	u64 end = min(rq->first + rq->count, rq->next + max);
	struct map_entry e;
	int r = 0;

	blocks->first = rq->next;
	blocks->nr = 0;
	if (map_next(&set->map, rq->next, &e))
		end = min(end, e.block);
	while (blocks->first + blocks->nr < end) {
		r = map_hold(set, blocks->first + blocks->nr, &blocks->entries[blocks->nr]);
		if (r)
			break;
		blocks->nr++;
	}
	return blocks->nr ? 0 : r;
}

/* Neighbouring slots for as many blocks as possible, from @at on. */
static unsigned int take_slots(struct remap_set *set, struct block_run *blocks, unsigned int at,
			       struct remap_member **m, u32 *slot)
{
	unsigned int max = min_t(unsigned int, blocks->nr - at, GROUP_SLOTS);

	if (!spare_alloc(set, m, slot))
		return 0;
	return 1 + spare_extend(*m, *slot + 1, max - 1);
}

static void place_in(struct remap_set *set, struct map_entry *e, struct remap_member *m, u32 slot)
{
	e->state = DMR_RECORD_REMAPPED;
	e->member = m->index;
	e->slot = slot;
	e->invalid = 0;
	map_change(set, e);
}

/*
 * Slots could not be written together. A write that failed may still land (R4): none of
 * them is used again, and their blocks go elsewhere one by one.
 */
static int place_each(struct remap_set *set, struct remap_request *rq, struct block_run *blocks,
		      unsigned int at, unsigned int nr, struct remap_member *m, u32 slot,
		      blk_status_t status)
{
	unsigned int i;
	int r = slot_failed(set, m, slot, status);

	for (i = 1; i < nr; i++) {
		spare_leave(m);
		if (!r)
			r = spare_retire(set, m, slot + i);
		else
			spare_claim_bad(m, slot + i);
	}
	for (i = 0; i < nr && !r; i++) {
		run_copy(rq->run, (at + i) * set->block_sectors, set->block_sectors,
			 set->block_buf, false);
		r = place_block(set, &blocks->entries[at + i], 0, false);
		if (r)
			break;
		rq->moved++;
		rq->next++;
	}
	if (r)
		drop_run(set, blocks, at + i);
	return r;
}

static int place_run(struct remap_set *set, struct remap_request *rq, struct block_run *blocks)
{
	unsigned int at, nr, i;
	struct remap_member *m;
	blk_status_t status;
	u32 slot;
	int r;

	for (at = 0; at < blocks->nr; at += nr) {
		nr = take_slots(set, blocks, at, &m, &slot);
		if (!nr) {
			drop_run(set, blocks, at);
			return -ENOSPC;
		}
		flush_before_write(m);
		status = io_run(m->bdev, REQ_OP_WRITE | REQ_SYNC, spare_sector(set, m, slot),
				rq->run, at * set->block_sectors, nr * set->block_sectors);
		if (status) {
			r = place_each(set, rq, blocks, at, nr, m, slot, status);
			if (r)
				return r;
			continue;
		}
		m->failing = 0;
		m->dirty = true;
		for (i = 0; i < nr; i++)
			place_in(set, &blocks->entries[at + i], m, slot + i);
		rq->moved += nr;
		rq->next += nr;
	}
	return 0;
}

/* Read all of them with one I/O, and tell if that is slow. */
static blk_status_t read_run(struct remap_set *set, struct remap_request *rq,
			     const struct block_run *blocks, s64 *us)
{
	struct remap_member *data = set->members[0];
	sector_t sector = blocks->first << set->block_shift;
	unsigned int nr = min_t(u64, blocks->nr << set->block_shift, set->data_sectors - sector);
	unsigned int rest = (blocks->nr << set->block_shift) - nr;
	ktime_t start = ktime_get();
	blk_status_t status;

	if (rest) {
		memset(set->block_buf, 0, rest << SECTOR_SHIFT);
		run_copy(rq->run, nr, rest, set->block_buf, true);
	}
	status = io_run(data->bdev, REQ_OP_READ, data->payload + sector, rq->run, 0, nr);
	*us = ktime_us_delta(ktime_get(), start);
	if (*us > set->policy.slow_us)
		event_io(set, DMR_NL_EVENT_SLOW, 0, false, BLK_STS_OK, sector, nr, *us);
	if (status)
		stats_error(data, false, status);
	return status;
}

/* The next run from rq->next on, which is healthy. */
static int relocate_run(struct remap_set *set, struct remap_request *rq, unsigned int max)
{
	struct block_run *blocks = &rq->run->blocks;
	unsigned int nr;
	s64 us;
	int r;

	max = min_t(unsigned int, max, RUN_SECTORS >> set->block_shift);
	r = hold_run(set, rq, blocks, max);
	if (r)
		return r;
	if (read_run(set, rq, blocks, &us)) {
		nr = blocks->nr;
		drop_run(set, blocks, 0);
		/* Where only what is slow is to move, each is looked at by itself. */
		while (nr-- && !r) {
			if (rq->slow_only && max > 1) {
				r = relocate_run(set, rq, 1);
			} else {
				r = relocate_block(set, rq, rq->next);
				if (!r)
					rq->next++;
			}
			if (slice_over(set, rq))
				break;
		}
		return r;
	}
	if (rq->slow_only && us <= set->policy.slow_us) {
		drop_run(set, blocks, 0);
		rq->unchanged += blocks->nr;
		rq->next += blocks->nr;
		return 0;
	}
	return place_run(set, rq, blocks);
}

static int relocate_slice(struct remap_set *set, struct remap_request *rq, bool *done)
{
	u64 start = rq->next, end = rq->first + rq->count;
	int r = 0;

	while (!r && rq->next < end && rq->next - start < SLICE_BLOCKS && !slice_over(set, rq)) {
		struct map_entry e;

		if (map_get(&set->map, rq->next, &e)) {
			rq->unchanged++;
			rq->next++;
			continue;
		}
		if (rq->run) {
			r = relocate_run(set, rq, rq->slow_only ? SLOW_BLOCKS : SLICE_BLOCKS);
		} else {
			r = relocate_block(set, rq, rq->next);
			if (!r)
				rq->next++;
		}
	}
	*done = rq->next == end;
	return r;
}

/* --- Verify -------------------------------------------------------------- */

/* Read a block wherever it is; what can not be read is lost from now on. */
static int verify_block(struct remap_set *set, struct remap_request *rq, u64 block)
{
	struct map_entry e;
	u32 invalid;
	int r;

	r = map_hold(set, block, &e);
	if (r)
		return r;
	invalid = e.invalid;
	if (gather_block(set, &e, 0, &invalid)) {
		map_drop(set, &e);
		rq->failed++;
		return 0;
	}
	if (invalid == e.invalid) {
		map_drop(set, &e);
		rq->unchanged++;
		return 0;
	}
	if (e.state == DMR_RECORD_FREE) {
		if (!room_for_lost(set)) {
			map_drop(set, &e);
			return -ENOSPC;
		}
		e.state = DMR_RECORD_LOST;
	}
	e.invalid = invalid;
	map_change(set, &e);
	rq->lost++;
	return 0;
}

/* --- Release ------------------------------------------------------------- */

/* Write the valid sectors of block_buf in place, and read them back. */
static bool write_back(struct remap_set *set, const struct map_entry *e)
{
	struct remap_member *data = set->members[0];
	sector_t home = data->payload + (e->block << set->block_shift);
	unsigned int length = block_length(set, e->block), i, nr;

	flush_before_write(data);
	for (i = 0; i < length; i += nr) {
		void *buf = set->block_buf + (i << SECTOR_SHIFT);
		bool valid = !(e->invalid & BIT(i));

		for (nr = 1; i + nr < length; nr++)
			if (!(e->invalid & BIT(i + nr)) != valid)
				break;
		if (!valid)
			continue;
		if (io_buffer(data->bdev, REQ_OP_WRITE | REQ_SYNC, home + i, buf, nr) ||
		    io_buffer(data->bdev, REQ_OP_READ, home + i, set->check_buf, nr) ||
		    memcmp(buf, set->check_buf, nr << SECTOR_SHIFT))
			return false;
	}
	data->dirty = true;
	return true;
}

static void release_slot(struct remap_set *set, struct remap_request *rq,
			 struct map_entry *e, struct freed *freed)
{
	struct remap_member *m = set->members[e->member];
	u32 invalid = e->invalid;

	if (gather_block(set, e, 0, &invalid) || invalid != e->invalid ||
	    !write_back(set, e)) {
		map_drop(set, e);
		rq->failed++;
		return;
	}
	freed->slots[freed->nr].m = m;
	freed->slots[freed->nr++].slot = e->slot;
	/* What has no content has none in place either, whatever lies there. */
	e->state = invalid ? DMR_RECORD_LOST : DMR_RECORD_FREE;
	e->forgotten = true;
	e->member = 0;
	e->slot = 0;
	map_change(set, e);
	rq->moved++;
}

/* Which of the lost sectors can be read again? */
static void retest_lost(struct remap_set *set, struct remap_request *rq, struct map_entry *e)
{
	struct map_entry probe = *e;
	u32 invalid = 0;

	probe.invalid = 0;
	if (!e->forgotten && !gather_block(set, &probe, ~e->invalid, &invalid) &&
	    invalid != e->invalid) {
		e->invalid = invalid;
		if (!invalid)
			e->state = DMR_RECORD_FREE;
		map_change(set, e);
	} else {
		map_drop(set, e);
	}
	if (e->state == DMR_RECORD_FREE)
		rq->moved++;
	else
		rq->unchanged++;
}

static int release_block(struct remap_set *set, struct remap_request *rq, u64 block,
			 struct freed *freed)
{
	struct map_entry e;
	int r;

	if (!map_get(&set->map, block, &e)) {
		rq->unchanged++;
		return 0;
	}
	r = map_hold(set, block, &e);
	if (r)
		return r;
	if (e.state == DMR_RECORD_REMAPPED)
		release_slot(set, rq, &e, freed);
	else
		retest_lost(set, rq, &e);
	return 0;
}

/* Go on to the next block with an entry; what lies between is unchanged. */
static void skip_healthy(struct remap_set *set, struct remap_request *rq, u64 end)
{
	struct map_entry e;
	u64 next = end;

	if (map_next(&set->map, rq->next, &e))
		next = min(e.block, end);
	rq->unchanged += next - rq->next;
	rq->next = next;
}

static void free_slots(struct remap_set *set, struct freed *freed)
{
	unsigned int i;

	if (!freed->nr)
		return;
	drain_slots(set);
	for (i = 0; i < freed->nr; i++)
		spare_free(set, freed->slots[i].m, freed->slots[i].slot);
}

/* --- Unreadable ---------------------------------------------------------- */

static int lose_block(struct remap_set *set, struct remap_request *rq, u64 block, u32 mask)
{
	struct map_entry e;
	u32 new;
	int r;

	r = map_hold(set, block, &e);
	if (r)
		return r;
	if (e.state == DMR_RECORD_FREE) {
		if (!room_for_lost(set)) {
			map_drop(set, &e);
			return -ENOSPC;
		}
		e.state = DMR_RECORD_LOST;
	}
	new = mask & ~e.invalid;
	e.invalid |= mask;
	e.forgotten = e.state == DMR_RECORD_LOST;
	map_change(set, &e);
	rq->lost += hweight32(new);
	return 0;
}

/* The part of sectors [first, first + count) that lies in the block of @sector. */
static int lose_part(struct remap_set *set, struct remap_request *rq, u64 sector, u64 end,
		     u64 *next)
{
	unsigned int offset = sector & (set->block_sectors - 1);
	unsigned int nr = min_t(u64, end - sector, set->block_sectors - offset);

	*next = sector + nr;
	return lose_block(set, rq, sector >> set->block_shift, map_block_mask(offset, nr));
}

/* --- Evacuate ------------------------------------------------------------ */

static int evacuate_block(struct remap_set *set, struct remap_request *rq, u64 block)
{
	struct map_entry e;
	u32 invalid;
	int r;

	r = map_hold(set, block, &e);
	if (r)
		return r;
	invalid = e.invalid;
	if (gather_block(set, &e, 0, &invalid))
		r = -EIO;
	else
		r = place_block(set, &e, invalid, false);
	if (r) {
		map_drop(set, &e);
		return r;
	}
	rq->moved++;
	return 0;
}

static bool has_spare(const struct remap_set *set, const struct block_device *bdev)
{
	unsigned int i;

	for (i = 1; i < set->nr_members; i++)
		if (set->members[i] && set->members[i]->bdev == bdev)
			return true;
	return false;
}

/*
 * The table names the spare until another is loaded, and may be resumed as it is. One that
 * could not be read is on one of the devices that are nobody's: who has not left is not
 * asked whether he has.
 */
static void mark_left(struct remap_set *set, const struct remap_member *m, bool left)
{
	unsigned int i;

	for (i = 0; i < set->rt->nr_spares; i++) {
		const struct block_device *bdev = set->rt->spares[i]->bdev;

		if (m->bdev ? bdev == m->bdev : !has_spare(set, bdev))
			assign_bit(i, set->rt->left, left);
	}
	if (m->bdev ? m->bdev == set->data : !has_spare(set, set->data))
		set->rt->internal_left = left;
}

/* Nothing lives on the spare any more: it is no member from this commit on. */
static void member_leaves(struct remap_set *set, struct remap_member *m)
{
	store_root(set)->members[m->index].state = cpu_to_le32(DMR_MEMBER_REMOVED);
	store_mark(set, 0);
	m->state = MEMBER_OUT;
	m->metadata = false;
	mark_left(set, m, true);
	sets_changed(false);
}

static void member_stays(struct remap_set *set, struct remap_member *m,
			 enum member_state state, bool metadata)
{
	store_root(set)->members[m->index].state =
		cpu_to_le32(state == MEMBER_ACTIVE ? DMR_MEMBER_ACTIVE : DMR_MEMBER_OUT);
	m->state = state;
	m->metadata = metadata;
	mark_left(set, m, false);
}

/* Without any spare a set can not be started. */
static bool last_spare(const struct remap_set *set, const struct remap_member *m)
{
	unsigned int i;

	for (i = 1; i < set->nr_members; i++) {
		const struct remap_member *other = set->members[i];

		if (other && other != m && other->state == MEMBER_ACTIVE && !other->leaving)
			return false;
	}
	return true;
}

/* Would nobody else hold the map? */
static bool last_copy(const struct remap_set *set, const struct remap_member *m)
{
	unsigned int i;

	for (i = 0; i < set->nr_members; i++) {
		const struct remap_member *other = set->members[i];

		if (other && other != m && other->metadata && other->state == MEMBER_ACTIVE)
			return false;
	}
	return true;
}

/*
 * Blocks first, in commits of their own; then, alone, that the spare has left. Its
 * bad slots mean nothing from then on, and are forgotten at the next activation.
 */
static int evacuate_slice(struct remap_set *set, struct remap_request *rq, bool *done)
{
	struct remap_member *m = set->members[rq->first];
	bool all = !rq->next;
	struct map_entry e;
	unsigned int n = 0;
	int r;

	if (last_spare(set, m)) {
		DMERR("%s: spare %u is the last one; add another before", set->name, m->index);
		return -ENOSPC;
	}
	if (last_copy(set, m)) {
		DMERR("%s: the map lives on no other device than spare %u", set->name, m->index);
		return -ENOSPC;
	}
	m->leaving = true;
	while (map_next(&set->map, rq->next, &e)) {
		rq->next = e.block + 1;
		if (e.state != DMR_RECORD_REMAPPED || e.member != m->index) {
			cond_resched();
			continue;
		}
		r = evacuate_block(set, rq, e.block);
		if (r == -EBUSY)
			rq->next = e.block;
		if (r || ++n == SLICE_BLOCKS || slice_over(set, rq))
			return r;
	}
	/* Blocks may have come between slices; only a look at all of them at once is proof. */
	if (all && !n && !set->map.nr_changes) {
		member_leaves(set, m);
		*done = true;
	}
	rq->next = 0;
	return 0;
}

/* --- Slices -------------------------------------------------------------- */

static int run_slice(struct remap_set *set, struct remap_request *rq, struct freed *freed,
		     bool *done)
{
	u64 end = rq->first + rq->count, next;
	unsigned int n;
	int r = 0;

	switch (rq->kind) {
	case REQUEST_EVACUATE:
		return evacuate_slice(set, rq, done);
	case REQUEST_POLICY:
		store_root(set)->policy = rq->policy;
		store_mark(set, 0);
		*done = true;
		return 0;
	case REQUEST_SCRUB:
		store_root(set)->scrub = rq->scrub;
		store_mark(set, 0);
		*done = true;
		return 0;
	case REQUEST_JOIN:
		*done = true;
		return set_join(set, rq->joiner);
	default:
		break;
	}
	if (rq->next < rq->first)
		rq->next = rq->first;
	if (rq->kind == REQUEST_RELOCATE)
		return relocate_slice(set, rq, done);
	if (rq->kind == REQUEST_RELEASE)
		skip_healthy(set, rq, end);
	for (n = 0; n < SLICE_BLOCKS && rq->next < end && (!n || !slice_over(set, rq)); n++) {
		next = rq->next + 1;
		if (rq->kind == REQUEST_VERIFY)
			r = verify_block(set, rq, rq->next);
		else if (rq->kind == REQUEST_RELEASE)
			r = release_block(set, rq, rq->next, freed);
		else
			r = lose_part(set, rq, rq->next, end, &next);
		if (r)
			return r;
		rq->next = next;
		if (rq->kind == REQUEST_RELEASE)
			skip_healthy(set, rq, end);
	}
	*done = rq->next == end;
	return 0;
}

bool request_slice(struct remap_set *set, struct remap_request *rq)
{
	struct remap_request before = *rq;
	struct freed freed = { };
	struct remap_member *m = rq->kind == REQUEST_EVACUATE ? set->members[rq->first] : NULL;
	enum member_state state = m ? m->state : MEMBER_MISSING;
	bool done = false, metadata = m && m->metadata;
	struct dmr_scrub scrub = store_root(set)->scrub;
	int r, c;

	if (READ_ONCE(set->stopping) || READ_ONCE(rq->cancel)) {
		r = -EINTR;
		c = 0;
	} else if (rq->deadline && rq->begun && time_after(jiffies, rq->deadline)) {
		r = -ETIME;
		c = 0;
	} else {
		rq->begun = ktime_get();
		r = run_slice(set, rq, &freed, &done);
		c = commit_changes(set);
	}
	if (!c) {
		free_slots(set, &freed);
		if (rq->kind == REQUEST_POLICY && done) {
			policy_take(set, &rq->policy);
			policy_arm(set);
		}
	} else {
		/* Nothing of this slice happened. */
		rq->moved = before.moved;
		rq->lost = before.lost;
		rq->unchanged = before.unchanged;
		rq->failed = before.failed;
		rq->next = before.next;
		if (rq->kind == REQUEST_POLICY)
			store_root(set)->policy = set->policy.disk;
		if (rq->kind == REQUEST_SCRUB)
			store_root(set)->scrub = scrub;
		if (rq->kind == REQUEST_EVACUATE && done)
			member_stays(set, set->members[rq->first], state, metadata);
	}
	if (c == -EAGAIN || (!c && r == -EBUSY))
		return false;
	if (c || r) {
		rq->error = c ? c : r;
		done = true;
	}
	if (done && rq->kind == REQUEST_EVACUATE) {
		if (rq->error) {
			m->leaving = false;
		} else {
			drain_slots(set);
			event_edge(set, DMR_NL_EVENT_SPARE_LEFT, m->index);
		}
	}
	return done;
}

/* --- Asking -------------------------------------------------------------- */

#define RATE_PARTS	4		/* of a second */

/* Seconds are cut into parts: so much in each, and a pause until it has passed. */
static int request_paced(struct remap_set *set, struct remap_request *rq)
{
	u64 end = rq->first + rq->count;
	struct remap_request part = *rq;
	int r = 0;

	while (!r && rq->first < end) {
		u32 rate = READ_ONCE(set->policy.relocate_rate);
		u32 portion = rate ? max(rate / RATE_PARTS, 1U) : SLICE_BLOCKS;
		ktime_t start = ktime_get();
		s64 left;

		part.next = 0;
		part.first = rq->first;
		part.count = min_t(u64, portion, end - rq->first);
		r = remap_request(set, &part);
		rq->first += part.count;
		if (!r && rq->first < end && rq->deadline && time_after(jiffies, rq->deadline))
			r = -ETIME;
		if (r || !rate || rq->first == end)
			continue;
		left = div_u64(part.count * MSEC_PER_SEC, rate) -
		       ktime_ms_delta(ktime_get(), start);
		if (left > 0 && msleep_interruptible(min_t(s64, left, MSEC_PER_SEC)))
			r = -EINTR;
		if (READ_ONCE(set->stopping))
			r = -EINTR;
	}
	rq->moved = part.moved;
	rq->lost = part.lost;
	rq->unchanged = part.unchanged;
	rq->failed = part.failed;
	return r;
}

int remap_request_range(struct remap_set *set, struct remap_request *rq)
{
	bool relocate = rq->kind == REQUEST_RELOCATE;
	int r;

	if (relocate)
		rq->run = run_alloc();
	if (rq->slow_only && !rq->run)
		return -ENOMEM;
	if (relocate)
		r = request_paced(set, rq);
	else
		r = remap_request(set, rq);
	run_free(rq->run);
	rq->run = NULL;
	return r;
}
