// SPDX-License-Identifier: GPL-2.0-only
/*
 * What people and programs ask the worker to do: relocate, release, declare
 * unreadable, evacuate, policy. In slices, so that bios never wait long behind
 * a request. Every slice ends with a commit; what it counts is durable.
 */
#include "dm-remap.h"

#define SLICE_BLOCKS	64

/* Slots that become free when the commit is done and no I/O is on its way to them. */
struct freed {
	unsigned int nr;
	struct {
		struct remap_member *m;
		u32 slot;
	} slots[SLICE_BLOCKS];
};

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
		remap_count(set, C_LOST_SECTORS, hweight32(invalid));
		return 0;
	}
	r = place_block(set, &e, invalid, false);
	if (r) {
		map_drop(set, &e);
		return r;
	}
	rq->moved++;
	remap_count(set, C_RELOCATED, 1);
	remap_count(set, C_LOST_SECTORS, hweight32(invalid));
	return 0;
}

/* --- Release ------------------------------------------------------------- */

/* Write the valid sectors of block_buf in place, and read them back. */
static bool write_back(struct remap_set *set, const struct map_entry *e)
{
	struct remap_member *data = set->members[0];
	sector_t home = data->payload + (e->block << set->block_shift);
	unsigned int length = block_length(set, e->block), i, nr;

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
	remap_count(set, C_RELEASED, 1);
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
	remap_count(set, C_LOST_SECTORS, hweight32(new));
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

/* Nothing lives on the spare any more: it is no member from this commit on. */
static void member_leaves(struct remap_set *set, struct remap_member *m)
{
	store_root(set)->members[m->index].state = cpu_to_le32(DMR_MEMBER_REMOVED);
	store_mark(set, 0);
	m->state = MEMBER_OUT;
	m->metadata = false;
}

static void member_stays(struct remap_set *set, struct remap_member *m,
			 enum member_state state, bool metadata)
{
	store_root(set)->members[m->index].state =
		cpu_to_le32(state == MEMBER_ACTIVE ? DMR_MEMBER_ACTIVE : DMR_MEMBER_OUT);
	m->state = state;
	m->metadata = metadata;
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
	struct map_entry e;
	unsigned int n = 0;
	int r;

	if (last_copy(set, m)) {
		DMERR("%s: the map lives on no other device than spare %u", set->name, m->index);
		return -ENOSPC;
	}
	m->leaving = true;
	while (map_next(&set->map, rq->next, &e)) {
		rq->next = e.block + 1;
		if (e.state != DMR_RECORD_REMAPPED || e.member != m->index)
			continue;
		r = evacuate_block(set, rq, e.block);
		if (r == -EBUSY)
			rq->next = e.block;
		if (r || ++n == SLICE_BLOCKS)
			return r;
	}
	if (!n && !set->map.nr_changes) {
		member_leaves(set, m);
		*done = true;
	}
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
	default:
		break;
	}
	if (rq->next < rq->first)
		rq->next = rq->first;
	if (rq->kind == REQUEST_RELEASE)
		skip_healthy(set, rq, end);
	for (n = 0; n < SLICE_BLOCKS && rq->next < end; n++) {
		next = rq->next + 1;
		if (rq->kind == REQUEST_RELOCATE)
			r = relocate_block(set, rq, rq->next);
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
	int r, c;

	if (READ_ONCE(set->stopping) || READ_ONCE(rq->cancel)) {
		r = -EINTR;
		c = 0;
	} else {
		r = run_slice(set, rq, &freed, &done);
		c = commit_changes(set);
	}
	if (!c) {
		free_slots(set, &freed);
		if (rq->kind == REQUEST_POLICY && done)
			set->policy = rq->policy;
	} else {
		/* Nothing of this slice happened. */
		rq->moved = before.moved;
		rq->lost = before.lost;
		rq->unchanged = before.unchanged;
		rq->failed = before.failed;
		rq->next = before.next;
		if (rq->kind == REQUEST_POLICY)
			store_root(set)->policy = set->policy;
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
		if (rq->error)
			set->members[rq->first]->leaving = false;
		else
			drain_slots(set);
	}
	return done;
}
