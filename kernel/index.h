/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the record of a block is found: an ordered index of all blocks that have one,
 * and in front of it what spares most lookups. Nothing here knows of bios, so that it
 * can be compiled and measured in user space too (tests/bench/native).
 */
#ifndef DM_REMAP_INDEX_H
#define DM_REMAP_INDEX_H

#include <linux/hash.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "../include/dm-remap-format.h"

struct index_root;

/* --- reserve.c: memory set aside for the worker -------------------------- */

/*
 * Blocks of one page, zeroed. The I/O path must not wait for memory that only
 * its own progress can free (R6): what it may need is here beforehand.
 */
#define RESERVE_BLOCKS	8

struct remap_reserve {
	int node;			/* whose memory, or NUMA_NO_NODE */
	unsigned int nr;
	void *blocks[RESERVE_BLOCKS];
};

/* Fill up. Worker; may sleep. Returns 0, or -ENOMEM if less than @min is there. */
int reserve_fill(struct remap_reserve *rsv, unsigned int min);
/* A zeroed page, from the allocator if it has one; NULL if neither has. */
void *reserve_get(struct remap_reserve *rsv);
void reserve_destroy(struct remap_reserve *rsv);

/* --- index.c: an ordered map from u64 to u32 ----------------------------- */

/*
 * Two levels: a root array of leaves sorted by their first key, each leaf one
 * page of (key - base, value) pairs. 8 bytes an entry plus what is unused.
 *
 * Readers are in an RCU section of any kind and check a seqcount around the whole lookup;
 * a lookup that races with a change returns nonsense, but returns. The one
 * writer holds that seqcount's write side.
 */
struct remap_index {
	struct index_root __rcu *root;
	u32 nr;				/* entries */
	int node;			/* whose memory, or NUMA_NO_NODE */
};

int index_init(struct remap_index *ix, int node);
void index_destroy(struct remap_index *ix);
/* First entry with a key not below @key; false if there is none. */
bool index_next(const struct remap_index *ix, u64 key, u64 *found, u32 *value);
/* Make room so that one index_insert() cannot fail. May sleep. 0, -ENOMEM, -ENOSPC. */
int index_prepare(struct remap_index *ix, struct remap_reserve *rsv);
/* @key must not be there yet; index_prepare() must have succeeded before. */
void index_insert(struct remap_index *ix, struct remap_reserve *rsv, u64 key, u32 value);
/* Change the value of, or remove, a @key that is there. */
void index_set(struct remap_index *ix, u64 key, u32 value);
void index_remove(struct remap_index *ix, u64 key);
struct index_pair {
	u64 key;
	u32 value;
};

/* Fill an empty index from @nr sorted, distinct pairs. May sleep. */
int index_build(struct remap_index *ix, const struct index_pair *pairs, u64 nr);
/* All entries in their order. Of the writer alone; may sleep. */
void index_walk(const struct remap_index *ix, void (*fn)(void *arg, u64 key, u32 value),
		void *arg);

/* --- front.c: what is looked at before the index --------------------------- */

/*
 * Two things, both sized by the number of entries and replaced by larger ones as that
 * grows. A filter: four bits of one 64-bit word for each block, of which none is ever
 * cleared while it is in use; a block of which one bit is not set has no entry. And a
 * table of the index's values by the hash of their block, which is a cache: what it
 * does not find the index may hold.
 *
 * Readers of the filter are in an RCU section of any kind. Readers of the table check
 * the seqcount of the index too, and load the pointer to this inside of it.
 */
#define FRONT_BITS	4
#define FRONT_PROBES	32
/* Cells without a value; both beyond any number of a record. */
#define FRONT_FREE	(~0U)
#define FRONT_GONE	(~0U - 1)	/* it had one */

struct remap_front {
	u32 nr_words, nr_cells;
	u32 *cells;			/* behind words[] */
	u32 nr, limit;			/* writer: blocks put in; replaced beyond that */
	bool blind;			/* writer: see front_blind() */
	struct rcu_head rcu;
	u64 words[];
};

/* For @nr entries and some more. May sleep. NULL if there is no memory. */
struct remap_front *front_alloc(u64 nr, int node);
void front_free(struct remap_front *f);
/* One that holds all of the index, with room. May sleep. NULL if there is no memory. */
struct remap_front *front_build(const struct remap_index *ix);
/*
 * An empty one for an index that is not: it sends every lookup there, and is full, so that
 * the next entry has it replaced by one that holds all.
 */
void front_blind(struct remap_front *f);
/* There is no memory for a larger one: this goes on to be right, but gets slower. */
void front_stretch(struct remap_front *f);
/* The same as the index is told, before it is published there. */
void front_insert(struct remap_front *f, u64 block, u32 value);
void front_set(struct remap_front *f, u64 block, u32 old, u32 value);
void front_remove(struct remap_front *f, u64 block, u32 value);
static inline bool front_full(const struct remap_front *f)
{
	return f->nr >= f->limit;
}

/* Twice, that neither strides nor neighbours of blocks gather. */
static inline u64 front_hash(u64 block)
{
	u64 hash = block * GOLDEN_RATIO_64;

	hash ^= hash >> 29;
	return hash * GOLDEN_RATIO_64;
}

/* The upper half of a hash as a number below @size. */
static inline u32 front_place(u64 hash, u32 size)
{
	return (hash >> 32) * size >> 32;
}

static inline u32 front_next(const struct remap_front *f, u32 at)
{
	return at + 1 == f->nr_cells ? 0 : at + 1;
}

/*
 * Look in the table for the record of a @block that was moved, by its @hash: true if it is
 * there, then @id is its number. @pages hold the records. One comparison tells that it is of
 * this block, and moved; values that are no number of a record say that the block is held.
 */
static __always_inline bool
front_find(const struct remap_front *f, struct dmr_page * const *pages, u32 nr_records,
	   u64 block, u64 hash, u32 *id, const struct dmr_record **record)
{
	u32 at = front_place(hash, f->nr_cells), n;
	u64 key = dmr_key(DMR_RECORD_REMAPPED, 0, block);

	for (n = 0; n < FRONT_PROBES; n++, at = front_next(f, at)) {
		const struct dmr_record *r;
		const struct dmr_page *page;

		*id = READ_ONCE(f->cells[at]);
		if (unlikely(*id >= nr_records)) {
			if (*id == FRONT_FREE)
				break;
			continue;
		}
		page = READ_ONCE(pages[1 + *id / DMR_PAGE_RECORDS]);
		if (!page)
			continue;
		r = &page->records[*id % DMR_PAGE_RECORDS];
		if (likely((le64_to_cpu(r->key) & ~DMR_KEY_MEMBER) == key)) {
			*record = r;
			return true;
		}
	}
	return false;
}

/*
 * May the block of this hash have an entry? Most often the first bit says no. Hidden, or the
 * compiler would always look at two.
 */
static __always_inline bool front_may_hold(const struct remap_front *f, u64 hash)
{
	u64 word = READ_ONCE(f->words[front_place(hash, f->nr_words)]);
	unsigned int bit;

#pragma GCC unroll 4
	for (bit = 0; bit < FRONT_BITS; bit++) {
		if (likely(!(word >> (hash & 63) & 1)))
			return false;
		hash >>= 6;
		OPTIMIZER_HIDE_VAR(hash);
	}
	return true;
}

/* Of these blocks. Beyond some the index is cheaper. */
bool front_may_hold_any(const struct remap_front *f, u64 first, u64 last);

#endif /* DM_REMAP_INDEX_H */
