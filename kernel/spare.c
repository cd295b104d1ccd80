// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spares: which slots are free, and which spare is used next. All in the
 * worker, or in activation.
 */
#include <linux/mm.h>

#include "dm-remap.h"

int spare_init(struct remap_member *m, u32 nr_slots)
{
	m->nr_slots = nr_slots;
	m->free = nr_slots;
	m->slots = kvcalloc(BITS_TO_LONGS(nr_slots), sizeof(long), GFP_NOIO);
	m->bad_slots = kvcalloc(BITS_TO_LONGS(nr_slots), sizeof(long), GFP_NOIO);
	return m->slots && m->bad_slots ? 0 : -ENOMEM;
}

static bool better(const struct remap_member *a, const struct remap_member *b)
{
	if (!b || a->tier != b->tier)
		return !b || a->tier < b->tier;
	return a->free > b->free;
}

static void take_slot(struct remap_member *m, u32 slot)
{
	__set_bit(slot, m->slots);
	m->next_slot = slot + 1;
	m->free--;
	m->used++;
}

bool spare_alloc(struct remap_set *set, struct remap_member **found, u32 *slot)
{
	struct remap_member *best = NULL;
	unsigned int i;
	u32 n;

	for (i = 1; i < set->nr_members; i++) {
		struct remap_member *m = set->members[i];

		if (m && m->state == MEMBER_ACTIVE && !m->leaving && m->free && better(m, best))
			best = m;
	}
	if (!best) {
		if (!set->full)
			DMERR("%s: no spare block is free; add a spare", set->name);
		set->event |= !set->full;
		set->full = true;
		return false;
	}
	n = find_next_zero_bit(best->slots, best->nr_slots, best->next_slot);
	if (n >= best->nr_slots)
		n = find_first_zero_bit(best->slots, best->nr_slots);
	if (WARN_ON_ONCE(n >= best->nr_slots))
		return false;
	take_slot(best, n);
	*found = best;
	*slot = n;
	return true;
}

unsigned int spare_extend(struct remap_member *m, u32 slot, unsigned int max)
{
	unsigned int nr;

	for (nr = 0; nr < max && slot + nr < m->nr_slots && !test_bit(slot + nr, m->slots); nr++)
		take_slot(m, slot + nr);
	return nr;
}

void spare_free(struct remap_set *set, struct remap_member *m, u32 slot)
{
	m->used--;
	if (test_bit(slot, m->bad_slots))
		return;
	__clear_bit(slot, m->slots);
	m->free++;
	set->event |= set->full;
	set->full = false;
}

bool spare_claim(struct remap_member *m, u32 slot)
{
	if (__test_and_set_bit(slot, m->slots))
		return false;
	m->free--;
	m->used++;
	return true;
}

void spare_claim_bad(struct remap_member *m, u32 slot)
{
	if (__test_and_set_bit(slot, m->bad_slots))
		return;
	m->bad++;
	if (!__test_and_set_bit(slot, m->slots))
		m->free--;
}

int spare_retire(struct remap_set *set, struct remap_member *m, u32 slot)
{
	spare_claim_bad(m, slot);
	return map_bad_slot(set, m->index, slot);
}

void spare_leave(struct remap_member *m)
{
	m->used--;
}

void member_out(struct remap_set *set, struct remap_member *m, const char *why)
{
	struct dmr_member *on_disk = &store_root(set)->members[m->index];

	if (m->state != MEMBER_ACTIVE)
		return;
	m->state = MEMBER_OUT;
	m->metadata = false;
	on_disk->state = cpu_to_le32(DMR_MEMBER_OUT);
	on_disk->out_gen = cpu_to_le64(set->store.gen);
	on_disk->out_session = cpu_to_le64(set->store.session);
	store_mark_first(set, 0);
	set->store.confirm = true;
	set->event = true;
	sets_changed(false);
	event_edge(set, DMR_NL_EVENT_SPARE_FAILED, m->index);
	DMERR("%s: %s %u (%pg) is out of the set: %s", set->name,
	      m->index ? "spare" : "metadata of data device", m->index, m->bdev, why);
}

void spare_total(struct remap_set *set, u64 *used, u64 *slots)
{
	unsigned int i;

	*used = 0;
	*slots = 0;
	for (i = 1; i < set->nr_members; i++) {
		struct remap_member *m = set->members[i];

		if (!m || m->state != MEMBER_ACTIVE)
			continue;
		*used += m->used;
		*slots += m->nr_slots - m->bad;
	}
}

enum spare_level { SPARE_ENOUGH, SPARE_LOW, SPARE_FULL };

void spare_edges(struct remap_set *set)
{
	static const enum dmr_nl_event kinds[] = {
		[SPARE_ENOUGH] = DMR_NL_EVENT_SPARE_OK,
		[SPARE_LOW] = DMR_NL_EVENT_SPARE_LOW,
		[SPARE_FULL] = DMR_NL_EVENT_SPARE_FULL,
	};
	enum spare_level level = SPARE_ENOUGH;
	u64 used, slots;

	spare_total(set, &used, &slots);
	if (used >= slots)
		level = SPARE_FULL;
	else if ((slots - used) * 100 < slots * set->policy.spare_low)
		level = SPARE_LOW;
	if (level == set->spare_level)
		return;
	set->spare_level = level;
	set->event = true;
	event_edge(set, kinds[level], -1);
}
