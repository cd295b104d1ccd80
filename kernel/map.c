// SPDX-License-Identifier: GPL-2.0-only
/*
 * The map of a set: the record pages, which are the images of what is on
 * disk, and the index over them. Lookups are lock-free. Changes are made by the
 * worker alone and stay pending, with their blocks held, until a commit.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dm-remap.h"

/* What stands before the index, as the worker sees it. */
static struct remap_front *own_front(const struct remap_map *map)
{
	return rcu_dereference_protected(map->front, true);
}

/*
 * Around what lookups must not see by halves. Two counters for two kinds of readers: those
 * of lock wait for the change, which in real-time kernels means to sleep; those of changing
 * only need to know of it, so that its writer may be preempted.
 */
static unsigned long change_begin(struct remap_map *map)
	__acquires(&map->lock)
{
	unsigned long flags;

	write_seqlock_irqsave(&map->lock, flags);
	raw_write_seqcount_begin(&map->changing);
	return flags;
}

static void change_end(struct remap_map *map, unsigned long flags)
	__releases(&map->lock)
{
	raw_write_seqcount_end(&map->changing);
	write_sequnlock_irqrestore(&map->lock, flags);
}

int map_init(struct remap_map *map, u32 nr_pages, int node)
{
	seqcount_init(&map->changing);
	seqlock_init(&map->lock);
	map->nr_pages = nr_pages;
	map->nr_records = (nr_pages - 1) * DMR_PAGE_RECORDS;
	map->free_records = map->nr_records;
	map->pages = kvzalloc_node(array_size(nr_pages, sizeof(*map->pages)), GFP_NOIO, node);
	map->taken = kvcalloc(BITS_TO_LONGS(map->nr_records), sizeof(long), GFP_NOIO);
	RCU_INIT_POINTER(map->front, front_alloc(0, node));
	if (!map->pages || !map->taken || !own_front(map))
		return -ENOMEM;
	return index_init(&map->index, node);
}

void map_destroy(struct remap_map *map)
{
	u32 i;

	index_destroy(&map->index);
	front_free(own_front(map));
	if (map->pages)
		for (i = 0; i < map->nr_pages; i++)
			kfree(map->pages[i]);
	kvfree(map->pages);
	kvfree(map->taken);
}

static u32 record_page(u32 id)
{
	return 1 + id / DMR_PAGE_RECORDS;
}

/* Null for a record whose page was never used, or a nonsense id. */
static struct dmr_record *map_record(const struct remap_map *map, u32 id)
{
	struct dmr_page *page;

	if (id >= map->nr_records)
		return NULL;
	page = READ_ONCE(map->pages[record_page(id)]);
	return page ? &page->records[id % DMR_PAGE_RECORDS] : NULL;
}

bool map_next_rcu(struct remap_map *map, u64 block, struct map_entry *e)
{
	const struct dmr_record *r;
	unsigned int seq;
	u64 found;
	u32 value;
	bool ok;

	do {
		seq = read_seqbegin(&map->lock);
		ok = index_next(&map->index, block, &found, &value);
		if (!ok)
			continue;
		r = map_record(map, value & ~INDEX_BUSY);
		ok = r;
		if (r)
			entry_read(e, found, value, r);
	} while (read_seqretry(&map->lock, seq));
	return ok;
}

bool map_get_rcu(struct remap_map *map, u64 block, struct map_entry *e)
{
	return map_next_rcu(map, block, e) && e->block == block;
}

bool map_next(struct remap_map *map, u64 block, struct map_entry *e)
{
	bool found;

	rcu_read_lock();
	found = map_next_rcu(map, block, e);
	rcu_read_unlock();
	return found;
}

bool map_get(struct remap_map *map, u64 block, struct map_entry *e)
{
	bool found;

	rcu_read_lock();
	found = map_get_rcu(map, block, e);
	rcu_read_unlock();
	return found;
}

/* --- Holding ------------------------------------------------------------- */

/*
 * The index and what stands before it change together, in one write section of the
 * seqcount.
 */
static void entry_insert(struct remap_set *set, u64 block, u32 value)
{
	front_insert(own_front(&set->map), block, value);
	index_insert(&set->map.index, &set->reserve, block, value);
}

static void entry_set(struct remap_map *map, u64 block, u32 old, u32 value)
{
	front_set(own_front(map), block, old, value);
	index_set(&map->index, block, value);
}

static void entry_remove(struct remap_map *map, u64 block, u32 value)
{
	front_remove(own_front(map), block, value);
	index_remove(&map->index, block);
}

static int renew_front(struct remap_map *map)
{
	struct remap_front *old = own_front(map), *f = front_build(&map->index);

	if (!f)
		return -ENOMEM;
	/* Its content before the pointer to it, and that before @old can be freed. */
	rcu_assign_pointer(map->front, f);
	kvfree_rcu(old, rcu);
	return 0;
}

/* Make room for one more entry, so that entry_insert() cannot fail. */
static int entry_prepare(struct remap_set *set)
{
	struct remap_map *map = &set->map;

	if (front_full(own_front(map)) && renew_front(map))
		front_stretch(own_front(map));
	return index_prepare(&map->index, &set->reserve);
}

bool map_sharpen(struct remap_map *map)
{
	return !own_front(map)->blind || !renew_front(map);
}

static struct map_change *find_change(struct remap_map *map, u64 block)
{
	unsigned int i;

	for (i = 0; i < map->nr_changes; i++)
		if (map->changes[i].block == block)
			return &map->changes[i];
	return NULL;
}

/* Take a free record, with its page in memory. */
static int take_record(struct remap_set *set, u32 *id)
{
	struct remap_map *map = &set->map;
	u32 n;

	if (!map->free_records)
		return -ENOSPC;
	n = find_next_zero_bit(map->taken, map->nr_records, map->next_record);
	if (n >= map->nr_records)
		n = find_first_zero_bit(map->taken, map->nr_records);
	if (!map->pages[record_page(n)]) {
		void *page;

		if (reserve_fill(&set->reserve, 1))
			return -ENOMEM;
		page = reserve_get(&set->reserve);
		/* A reader that meets the pointer must meet zeroes behind it. */
		smp_store_release(&map->pages[record_page(n)], page);
	}
	__set_bit(n, map->taken);
	map->free_records--;
	map->next_record = n + 1;
	*id = n;
	return 0;
}

static void put_record(struct remap_map *map, u32 id)
{
	__clear_bit(id, map->taken);
	map->free_records++;
	map->next_record = min(map->next_record, id);
}

static struct map_change *add_change(struct remap_map *map, u64 block, u32 id, bool fresh)
{
	struct map_change *c = &map->changes[map->nr_changes++];

	c->block = block;
	c->id = id;
	c->fresh = fresh;
	c->changed = false;
	c->before = *map_record(map, id);
	return c;
}

static bool record_in_slot(const struct dmr_record *r)
{
	return dmr_key_state(le64_to_cpu(r->key)) == DMR_RECORD_REMAPPED;
}

bool map_is_durable(struct remap_map *map, const struct map_entry *e)
{
	const struct map_change *c = find_change(map, e->block);

	return c && record_in_slot(&c->before) &&
	       dmr_key_member(le64_to_cpu(c->before.key)) == e->member &&
	       le32_to_cpu(c->before.slot) == e->slot;
}

bool map_unknown(struct remap_map *map, const struct map_entry *e)
{
	return e->busy && !find_change(map, e->block);
}

int map_hold(struct remap_set *set, u64 block, struct map_entry *e)
{
	struct remap_map *map = &set->map;
	unsigned long flags;
	bool fresh = !map_get(map, block, e);
	int r;

	if (set->store.frozen)
		return -EIO;
	map->holds++;
	if (!fresh && e->busy)
		return 0;
	if (map->nr_changes == MAP_MAX_CHANGES)
		return -EBUSY;

	if (fresh) {
		memset(e, 0, sizeof(*e));
		e->block = block;
		r = take_record(set, &e->id);
		if (r)
			return r;
		r = entry_prepare(set);
		if (r) {
			put_record(map, e->id);
			return r;
		}
	}
	add_change(map, block, e->id, fresh);
	flags = change_begin(map);
	if (fresh)
		entry_insert(set, block, e->id | INDEX_BUSY);
	else
		entry_set(map, block, e->id, e->id | INDEX_BUSY);
	/* Who reads the new number also sees the block held: see map_may_touch(). */
	smp_store_release(&map->seq, map->seq + 1);
	change_end(map, flags);
	e->busy = true;
	return 0;
}

/* The block is no longer held; without a record it leaves the index. */
static void unhold(struct remap_map *map, const struct map_change *c)
{
	const struct dmr_record *r = map_record(map, c->id);
	unsigned long flags;

	flags = change_begin(map);
	if (r->key) {
		entry_set(map, c->block, c->id | INDEX_BUSY, c->id);
	} else {
		entry_remove(map, c->block, c->id | INDEX_BUSY);
		put_record(map, c->id);
	}
	change_end(map, flags);
}

void map_drop(struct remap_set *set, struct map_entry *e)
{
	struct remap_map *map = &set->map;
	struct map_change *c = find_change(map, e->block);

	if (!c || c->changed)
		return;
	unhold(map, c);
	*c = map->changes[--map->nr_changes];
}

static void count_record(struct remap_map *map, const struct dmr_record *r, int sign)
{
	u64 key = le64_to_cpu(r->key);
	unsigned int sectors = hweight32(le32_to_cpu(r->invalid));

	if (dmr_key_state(key) == DMR_RECORD_REMAPPED)
		map->remapped += sign;
	else if (dmr_key_state(key) == DMR_RECORD_LOST)
		map->lost += sign;
	map->lost_sectors += sign * (int)sectors;
}

static void write_record(struct remap_set *set, u32 id, const struct dmr_record *new)
{
	struct remap_map *map = &set->map;
	struct dmr_record *r = map_record(map, id);
	unsigned long flags;

	flags = change_begin(map);
	count_record(map, r, -1);
	*r = *new;
	count_record(map, r, 1);
	change_end(map, flags);
	store_mark(set, record_page(id));
}

void map_change(struct remap_set *set, struct map_entry *e)
{
	struct map_change *c = find_change(&set->map, e->block);
	struct dmr_record new = { };

	if (WARN_ON_ONCE(!c))
		return;
	if (e->state != DMR_RECORD_FREE) {
		u64 key = dmr_key(e->state, e->member, e->block);

		if (e->state == DMR_RECORD_LOST && e->forgotten)
			key |= DMR_KEY_FORGOTTEN;
		new.key = cpu_to_le64(key);
		new.slot = cpu_to_le32(e->slot);
		new.invalid = cpu_to_le32(e->invalid);
	}
	c->changed = true;
	write_record(set, c->id, &new);
}

int map_bad_slot(struct remap_set *set, unsigned int member, u32 slot)
{
	struct remap_map *map = &set->map;
	struct dmr_record new = {
		.key = cpu_to_le64(dmr_key(DMR_RECORD_BAD_SLOT, member, 0)),
		.slot = cpu_to_le32(slot),
	};
	struct map_change *c;
	u32 id;
	int r;

	if (map->nr_changes == MAP_MAX_CHANGES)
		return -EBUSY;
	r = take_record(set, &id);
	if (r)
		return r;
	c = add_change(map, NOT_A_BLOCK, id, true);
	c->changed = true;
	write_record(set, id, &new);
	store_mark_first(set, record_page(id));
	return 0;
}

u32 map_step(struct remap_map *map)
{
	unsigned long flags;
	u32 seq;

	flags = change_begin(map);
	seq = map->seq + 1;
	/* As in map_hold(). */
	smp_store_release(&map->seq, seq);
	change_end(map, flags);
	return seq;
}

void map_overwritten(struct remap_map *map)
{
	unsigned long flags;

	flags = change_begin(map);
	/* As in map_hold(). */
	smp_store_release(&map->seq, map->seq + 1);
	WRITE_ONCE(map->release_seq, map->seq);
	change_end(map, flags);
}

/*
 * A block has left the slot where it was, durably. Only now is the slot not counted
 * any more: flushes go to spares that are in use.
 */
static void left_slot(struct remap_set *set, const struct dmr_record *before,
		      const struct dmr_record *now)
{
	unsigned int from = dmr_key_member(le64_to_cpu(before->key));

	if (!record_in_slot(now))
		/* A write still on its way to the slot is repeated at its end. */
		map_overwritten(&set->map);
	else if (now->slot != before->slot ||
		 dmr_key_member(le64_to_cpu(now->key)) != from)
		spare_leave(set->members[from]);
}

/* Runs of sectors in @mask of a block. */
static void tell_sectors(struct remap_set *set, enum dmr_nl_event kind, int member, u64 block,
			 u32 mask)
{
	unsigned int first, nr;

	while (mask) {
		first = __ffs(mask);
		for (nr = 1; first + nr < 32 && mask & BIT(first + nr); nr++)
			;
		event_place(set, kind, member, (block << set->block_shift) + first, nr);
		mask &= ~map_block_mask(first, nr);
	}
}

/* What a commit has made of a block. */
static void tell_change(struct remap_set *set, u64 block, const struct dmr_record *before,
			const struct dmr_record *now)
{
	u32 all = map_block_mask(0, block_length(set, block));
	u32 was = le32_to_cpu(before->invalid), is = le32_to_cpu(now->invalid);
	int from = dmr_key_member(le64_to_cpu(before->key));
	int to = dmr_key_member(le64_to_cpu(now->key));

	if (record_in_slot(now) && (!record_in_slot(before) || from != to ||
				    before->slot != now->slot)) {
		remap_count(set, C_RELOCATED, 1);
		tell_sectors(set, DMR_NL_EVENT_RELOCATED, to, block, all);
	} else if (record_in_slot(before) && !record_in_slot(now)) {
		remap_count(set, C_RELEASED, 1);
		tell_sectors(set, DMR_NL_EVENT_RELEASED, from, block, all);
	}
	remap_count(set, C_LOST_SECTORS, hweight32(is & ~was));
	tell_sectors(set, DMR_NL_EVENT_LOST, to, block, is & ~was);
	tell_sectors(set, DMR_NL_EVENT_HEALED, to, block, was & ~is);
}

void map_changes_done(struct remap_set *set)
{
	struct remap_map *map = &set->map;
	unsigned int i;

	if (map->nr_changes) {
		/* Before any is seen at its end: who read it held has counted that. */
		WRITE_ONCE(map->version, map->version + 1);
		sets_changed(true);
		/* Before the entries: a dump looks at the version last. */
		smp_wmb();
	}
	for (i = 0; i < map->nr_changes; i++) {
		struct map_change *c = &map->changes[i];

		if (c->block == NOT_A_BLOCK)
			continue;
		if (record_in_slot(&c->before))
			left_slot(set, &c->before, map_record(map, c->id));
		if (c->changed)
			tell_change(set, c->block, &c->before, map_record(map, c->id));
		unhold(map, c);
	}
	map->nr_changes = 0;
}

/* The block is back where it was; the slot that it was to have was never in the map. */
static void undo_slot(struct remap_set *set, const struct dmr_record *before,
		      const struct dmr_record *now)
{
	unsigned int old = dmr_key_member(le64_to_cpu(before->key));
	unsigned int new = dmr_key_member(le64_to_cpu(now->key));

	if (!record_in_slot(now) ||
	    (record_in_slot(before) && old == new && before->slot == now->slot))
		return;
	spare_free(set, set->members[new], le32_to_cpu(now->slot));
}

void map_changes_undo(struct remap_set *set)
{
	struct remap_map *map = &set->map;

	while (map->nr_changes) {
		struct map_change *c = &map->changes[--map->nr_changes];
		const struct dmr_record *r = map_record(map, c->id);
		struct dmr_record now = *r;

		if (c->changed)
			write_record(set, c->id, &c->before);
		if (c->block != NOT_A_BLOCK) {
			undo_slot(set, &c->before, &now);
			unhold(map, c);
		} else {
			/* Bad it is all the same, until the set is stopped. */
			put_record(map, c->id);
		}
	}
}

/* --- Activation ---------------------------------------------------------- */

#define RADIX_BITS	11
#define RADIX_SIZE	BIT(RADIX_BITS)

/*
 * Sort by key, least significant digit first. The kernel's sort() is a
 * heapsort with indirect calls: for a million entries it alone would take longer
 * than reading them from a disk.
 */
static int sort_pairs(struct index_pair **pairs, u64 nr, u64 max_key)
{
	struct index_pair *from = *pairs, *to;
	unsigned int shift;
	u32 *count;
	u64 i, sum;

	for (i = 1; i < nr && from[i - 1].key <= from[i].key; i++)
		;
	if (i >= nr)
		return 0;

	to = kvmalloc_array(nr, sizeof(*to), GFP_NOIO);
	count = kmalloc_array(RADIX_SIZE, sizeof(*count), GFP_NOIO);
	if (!to || !count) {
		kvfree(to);
		kfree(count);
		return -ENOMEM;
	}
	for (shift = 0; shift < 64 && max_key >> shift; shift += RADIX_BITS) {
		memset(count, 0, RADIX_SIZE * sizeof(*count));
		for (i = 0; i < nr; i++)
			count[(from[i].key >> shift) % RADIX_SIZE]++;
		for (i = 0, sum = 0; i < RADIX_SIZE; i++) {
			u32 n = count[i];

			count[i] = sum;
			sum += n;
		}
		for (i = 0; i < nr; i++)
			to[count[(from[i].key >> shift) % RADIX_SIZE]++] = from[i];
		swap(from, to);
		cond_resched();
	}
	*pairs = from;
	kvfree(to);
	kfree(count);
	return 0;
}

struct map_scan {
	struct remap_set *set;
	const struct dmr_bounds *bounds;
	struct index_pair *pairs;
	u64 nr, bad_slots;
};

static int scan_record(struct map_scan *s, u32 id, struct dmr_record *r)
{
	struct remap_set *set = s->set;
	struct remap_map *map = &set->map;
	u64 key = le64_to_cpu(r->key);

	if (!key && !r->slot && !r->invalid)
		return 0;
	if (dmr_record_check(r, s->bounds)) {
		DMERR("%s: record %u of the map: %s", set->name, id,
		      dmr_fault_text(DMR_BAD_RECORD));
		return -EUCLEAN;
	}
	if (dmr_key_state(key) == DMR_RECORD_BAD_SLOT && !set->members[dmr_key_member(key)]) {
		/* Of a spare that has left: free, and written as such one day. */
		memset(r, 0, sizeof(*r));
		return 0;
	}
	__set_bit(id, map->taken);
	map->free_records--;
	count_record(map, r, 1);
	if (dmr_key_state(key) == DMR_RECORD_BAD_SLOT) {
		s->bad_slots++;
		return 0;
	}
	if (dmr_key_state(key) == DMR_RECORD_REMAPPED &&
	    !spare_claim(set->members[dmr_key_member(key)], le32_to_cpu(r->slot))) {
		DMERR("%s: slot %u of spare %u is used by two blocks", set->name,
		      le32_to_cpu(r->slot), dmr_key_member(key));
		return -EUCLEAN;
	}
	s->pairs[s->nr].key = dmr_key_block(key);
	s->pairs[s->nr++].value = id;
	return 0;
}

/* A slot may be both bad and in use: its block was being moved when power went. */
static void scan_bad_slots(struct remap_set *set)
{
	struct remap_map *map = &set->map;
	u32 id;

	for (id = 0; id < map->nr_records; id++) {
		const struct dmr_record *r = map_record(map, id);
		struct remap_member *m;

		if (!r || dmr_key_state(le64_to_cpu(r->key)) != DMR_RECORD_BAD_SLOT)
			continue;
		m = set->members[dmr_key_member(le64_to_cpu(r->key))];
		spare_claim_bad(m, le32_to_cpu(r->slot));
	}
}

int map_load(struct remap_set *set, const struct dmr_bounds *bounds)
{
	struct remap_map *map = &set->map;
	struct map_scan s = { .set = set, .bounds = bounds };
	u32 p, i, used = 0;
	int r = 0;

	for (p = 1; p < map->nr_pages; p++)
		used += map->pages[p] ? DMR_PAGE_RECORDS : 0;
	s.pairs = kvmalloc_array(max(used, 1u), sizeof(*s.pairs), GFP_NOIO);
	if (!s.pairs)
		return -ENOMEM;
	for (p = 1; p < map->nr_pages && !r; p++) {
		if (!map->pages[p])
			continue;
		for (i = 0; i < DMR_PAGE_RECORDS && !r; i++)
			r = scan_record(&s, (p - 1) * DMR_PAGE_RECORDS + i,
					&map->pages[p]->records[i]);
		cond_resched();
	}
	if (!r && s.bad_slots)
		scan_bad_slots(set);
	if (!r)
		r = sort_pairs(&s.pairs, s.nr, set->data_sectors >> set->block_shift);
	for (i = 1; i < s.nr && !r; i++) {
		if (s.pairs[i].key == s.pairs[i - 1].key) {
			DMERR("%s: block %llu is in the map twice", set->name,
			      s.pairs[i].key);
			r = -EUCLEAN;
		}
	}
	if (!r)
		r = index_build(&map->index, s.pairs, s.nr);
	kvfree(s.pairs);
	/* Nobody needs to wait for it: map_sharpen(). */
	if (!r && s.nr)
		front_blind(own_front(map));
	return r;
}
