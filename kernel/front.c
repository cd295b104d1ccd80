// SPDX-License-Identifier: GPL-2.0-only
/*
 * In front of the index: a filter that says of most blocks that they have no entry, and
 * a table that finds the value of one without a search. See index.h for the rules.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "index.h"

#define FRONT_MIN	512		/* entries that there is always room for */
#define ENTRIES_A_WORD	4		/* of the filter: 16 bits an entry */
#define MAX_ASKED	8		/* blocks of one bio that the filter is asked for */

struct remap_front *front_alloc(u64 nr, int node)
{
	u64 limit = nr + nr / 4 + FRONT_MIN;
	u64 words = limit / ENTRIES_A_WORD, cells = limit + limit / 2;
	struct remap_front *f;

	f = kvzalloc_node(struct_size(f, words, words) + cells * sizeof(*f->cells),
			  GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN, node);
	if (!f)
		return NULL;
	f->limit = limit;
	f->nr_words = words;
	f->nr_cells = cells;
	f->cells = (u32 *)(f->words + words);
	memset(f->cells, 0xff, cells * sizeof(*f->cells));
	return f;
}

void front_free(struct remap_front *f)
{
	kvfree(f);
}

static void put_entry(void *arg, u64 key, u32 value)
{
	front_insert(arg, key, value);
}

struct remap_front *front_build(const struct remap_index *ix)
{
	struct remap_front *f = front_alloc(ix->nr, ix->node);

	if (f)
		index_walk(ix, put_entry, f);
	return f;
}

void front_blind(struct remap_front *f)
{
	memset(f->words, 0xff, f->nr_words * sizeof(*f->words));
	f->nr = f->limit;
	f->blind = true;
}

void front_stretch(struct remap_front *f)
{
	f->limit += f->limit / 8;
}

/* The cell that holds @value for @block; NULL if none does. */
static u32 *find_cell(struct remap_front *f, u64 block, u32 value)
{
	u32 at = front_place(front_hash(block), f->nr_cells), n;

	for (n = 0; n < FRONT_PROBES && f->cells[at] != FRONT_FREE; n++, at = front_next(f, at))
		if (f->cells[at] == value)
			return &f->cells[at];
	return NULL;
}

/* Into the first cell without a value; nowhere if there is none near. */
static void fill_cell(struct remap_front *f, u64 hash, u32 value)
{
	u32 at = front_place(hash, f->nr_cells), n;

	for (n = 0; n < FRONT_PROBES; n++, at = front_next(f, at)) {
		if (f->cells[at] < FRONT_GONE)
			continue;
		WRITE_ONCE(f->cells[at], value);
		return;
	}
}

static u64 front_mask(u64 hash)
{
	unsigned int bit;
	u64 mask = 0;

	for (bit = 0; bit < FRONT_BITS; bit++, hash >>= 6)
		mask |= 1ULL << (hash & 63);
	return mask;
}

void front_insert(struct remap_front *f, u64 block, u32 value)
{
	u64 hash = front_hash(block);
	u64 *word = &f->words[front_place(hash, f->nr_words)];

	WRITE_ONCE(*word, *word | front_mask(hash));
	fill_cell(f, hash, value);
	f->nr++;
}

void front_set(struct remap_front *f, u64 block, u32 old, u32 value)
{
	u32 *cell = find_cell(f, block, old);

	if (cell)
		WRITE_ONCE(*cell, value);
}

void front_remove(struct remap_front *f, u64 block, u32 value)
{
	front_set(f, block, value, FRONT_GONE);
}

bool front_may_hold_any(const struct remap_front *f, u64 first, u64 last)
{
	if (last - first >= MAX_ASKED)
		return true;
	for (; first <= last; first++)
		if (front_may_hold(f, front_hash(first)))
			return true;
	return false;
}
