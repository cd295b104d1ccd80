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
#define MAX_PROBES	32

/* Cells without a value; both beyond any number of a record. */
#define CELL_FREE	(~0U)
#define CELL_GONE	(~0U - 1)	/* it had one */

struct remap_front *front_alloc(u64 nr)
{
	u64 limit = nr + nr / 4 + FRONT_MIN;
	u64 words = limit / ENTRIES_A_WORD, cells = limit + limit / 2;
	struct remap_front *f;

	f = kvzalloc(struct_size(f, words, words) + cells * sizeof(*f->cells),
		     GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN);
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
	struct remap_front *f = front_alloc(ix->nr);

	if (f)
		index_walk(ix, put_entry, f);
	return f;
}

void front_stretch(struct remap_front *f)
{
	f->limit += f->limit / 8;
}

static u32 next_cell(const struct remap_front *f, u32 at)
{
	return at + 1 == f->nr_cells ? 0 : at + 1;
}

/* The cell that holds @value for @block; NULL if none does. */
static u32 *find_cell(struct remap_front *f, u64 block, u32 value)
{
	u32 at = front_place(front_hash(block), f->nr_cells), n;

	for (n = 0; n < MAX_PROBES && f->cells[at] != CELL_FREE; n++, at = next_cell(f, at))
		if (f->cells[at] == value)
			return &f->cells[at];
	return NULL;
}

/* Into the first cell without a value; nowhere if there is none near. */
static void fill_cell(struct remap_front *f, u64 hash, u32 value)
{
	u32 at = front_place(hash, f->nr_cells), n;

	for (n = 0; n < MAX_PROBES; n++, at = next_cell(f, at)) {
		if (f->cells[at] < CELL_GONE)
			continue;
		WRITE_ONCE(f->cells[at], value);
		return;
	}
}

void front_insert(struct remap_front *f, u64 block, u32 value)
{
	u64 hash = front_hash(block);
	u64 *word = &f->words[front_place(hash, f->nr_words)];

	WRITE_ONCE(*word, *word | 1ULL << (hash & 63) | 1ULL << (hash >> 6 & 63) |
		   1ULL << (hash >> 12 & 63));
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
	front_set(f, block, value, CELL_GONE);
}

static bool is_record_of(struct dmr_page * const *pages, u32 id, u64 block)
{
	const struct dmr_page *page = READ_ONCE(pages[1 + id / DMR_PAGE_RECORDS]);
	u64 key = page ? le64_to_cpu(page->records[id % DMR_PAGE_RECORDS].key) : 0;

	return key && dmr_key_block(key) == block;
}

bool front_find(const struct remap_front *f, struct dmr_page * const *pages, u32 nr_records,
		u32 flag, u64 block, u32 *value)
{
	u32 at = front_place(front_hash(block), f->nr_cells), n;

	for (n = 0; n < MAX_PROBES; n++, at = next_cell(f, at)) {
		u32 id;

		*value = READ_ONCE(f->cells[at]);
		if (*value == CELL_FREE)
			break;
		id = *value & ~flag;
		if (id < nr_records && is_record_of(pages, id, block))
			return true;
	}
	return false;
}
