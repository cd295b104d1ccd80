// SPDX-License-Identifier: GPL-2.0-only
/*
 * An ordered map from u64 keys to u32 values, read without a lock: a root
 * array of page-sized leaves. See index.h for the rules; map.c is the user.
 *
 * Readers may see a leaf or the root while it is being changed. They only
 * ever follow pointers that were stored whole and whose targets outlive an RCU
 * grace period, and they bound every index, so the worst that they get is a
 * wrong answer that their seqcount then rejects.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "index.h"

struct leaf_entry {
	u32 delta;		/* key - base of the leaf */
	u32 value;
};

#define LEAF_HEADER	(sizeof(u64) + 2 * sizeof(u32) + sizeof(struct rcu_head))
#define LEAF_ENTRIES	((PAGE_SIZE - LEAF_HEADER) / sizeof(struct leaf_entry))
#define LEAF_FILL	(LEAF_ENTRIES * 7 / 8)	/* of a leaf that is built sorted */

struct index_leaf {
	u64 base;
	u32 nr;
	u32 unused;
	struct rcu_head rcu;
	struct leaf_entry entries[LEAF_ENTRIES];
};

struct index_root {
	u32 nr, size;
	struct rcu_head rcu;
	struct index_leaf **leaves;	/* behind keys[size] */
	u64 keys[];			/* first key of each leaf */
};

#define ROOT_MIN	64
#define ROOT_MAX	((DMR_MAX_PAGES * (u64)DMR_PAGE_RECORDS) / (LEAF_ENTRIES / 4))

static struct index_root *root_alloc(u32 size, int node)
{
	struct index_root *root;

	root = kvzalloc_node(sizeof(*root) + size * (sizeof(u64) + sizeof(void *)),
			     GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN, node);
	if (root) {
		root->size = size;
		root->leaves = (struct index_leaf **)(root->keys + size);
	}
	return root;
}

/* The root as its one writer sees it. */
static struct index_root *own_root(const struct remap_index *ix)
{
	return rcu_dereference_protected(ix->root, true);
}

int index_init(struct remap_index *ix, int node)
{
	struct index_root *root = root_alloc(ROOT_MIN, node);

	BUILD_BUG_ON(sizeof(struct index_leaf) > PAGE_SIZE);
	if (!root)
		return -ENOMEM;
	RCU_INIT_POINTER(ix->root, root);
	ix->nr = 0;
	ix->node = node;
	return 0;
}

void index_destroy(struct remap_index *ix)
{
	struct index_root *root = own_root(ix);
	u32 i;

	if (!root)
		return;
	for (i = 0; i < root->nr; i++)
		kfree(root->leaves[i]);
	kvfree(root);
	RCU_INIT_POINTER(ix->root, NULL);
}

/* Number of the last leaf whose first key is not above @key; 0 if none is. */
static u32 root_find(const struct index_root *root, u32 nr, u64 key)
{
	u32 lo = 0, hi = nr;

	while (hi - lo > 1) {
		u32 mid = lo + (hi - lo) / 2;

		if (READ_ONCE(root->keys[mid]) <= key)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* Number of the first of @nr entries whose key is not below @key. */
static u32 leaf_find(const struct index_leaf *leaf, u32 nr, u64 key)
{
	u64 base = READ_ONCE(leaf->base);
	u32 lo = 0, hi = nr;
	u64 delta;

	if (key <= base)
		return 0;
	delta = key - base;
	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (READ_ONCE(leaf->entries[mid].delta) < delta)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool index_next(const struct remap_index *ix, u64 key, u64 *found, u32 *value)
{
	const struct index_root *root = rcu_dereference_check(ix->root, true);
	u32 nr = min_t(u32, READ_ONCE(root->nr), root->size);
	u32 i;

	for (i = nr ? root_find(root, nr, key) : 0; i < nr; i++) {
		const struct index_leaf *leaf = READ_ONCE(root->leaves[i]);
		u32 entries, at;

		if (!leaf)
			return false;
		entries = min_t(u32, READ_ONCE(leaf->nr), LEAF_ENTRIES);
		at = leaf_find(leaf, entries, key);
		if (at == entries)
			continue;	/* at most once: the next leaf begins behind key */
		*found = READ_ONCE(leaf->base) + READ_ONCE(leaf->entries[at].delta);
		*value = READ_ONCE(leaf->entries[at].value);
		return true;
	}
	return false;
}

/* Root arrays are moved pointer by pointer: a reader must not see half of one. */
static void root_open(struct index_root *root, u32 at)
{
	u32 i;

	for (i = root->nr; i > at; i--) {
		WRITE_ONCE(root->keys[i], root->keys[i - 1]);
		WRITE_ONCE(root->leaves[i], root->leaves[i - 1]);
	}
}

static void root_insert(struct index_root *root, u32 at, u64 key, struct index_leaf *leaf)
{
	root_open(root, at);
	WRITE_ONCE(root->keys[at], key);
	/* Its content before the pointer to it. */
	smp_store_release(&root->leaves[at], leaf);
	WRITE_ONCE(root->nr, root->nr + 1);
}

static void root_remove(struct index_root *root, u32 at)
{
	u32 i;

	WRITE_ONCE(root->nr, root->nr - 1);
	for (i = at; i < root->nr; i++) {
		WRITE_ONCE(root->keys[i], root->keys[i + 1]);
		WRITE_ONCE(root->leaves[i], root->leaves[i + 1]);
	}
}

/* Each insertion may add two leaves: where a delta would not fit, one is cut. */
#define INSERT_LEAVES	2

int index_prepare(struct remap_index *ix, struct remap_reserve *rsv)
{
	struct index_root *root = own_root(ix), *bigger;

	if (root->nr + INSERT_LEAVES > root->size) {
		if (root->size >= ROOT_MAX)
			return -ENOSPC;
		bigger = root_alloc(root->size * 2, ix->node);
		if (!bigger)
			return -ENOMEM;
		bigger->nr = root->nr;
		memcpy(bigger->keys, root->keys, root->nr * sizeof(u64));
		memcpy(bigger->leaves, root->leaves, root->nr * sizeof(void *));
		rcu_assign_pointer(ix->root, bigger);
		kvfree_rcu(root, rcu);
	}
	return reserve_fill(rsv, INSERT_LEAVES);
}

/* Move the upper part of leaf @at, from entry @from on, to a new leaf behind it. */
static void leaf_split(struct index_root *root, struct remap_reserve *rsv, u32 at, u32 from)
{
	struct index_leaf *leaf = root->leaves[at], *upper = reserve_get(rsv);
	u32 i;

	upper->base = leaf->base + leaf->entries[from].delta;
	upper->nr = leaf->nr - from;
	for (i = 0; i < upper->nr; i++) {
		upper->entries[i] = leaf->entries[from + i];
		upper->entries[i].delta -= leaf->entries[from].delta;
	}
	WRITE_ONCE(leaf->nr, from);
	root_insert(root, at + 1, upper->base, upper);
}

/* Lower the base of the first leaf to @key, if all deltas still fit. */
static bool leaf_rebase(struct index_root *root, struct index_leaf *leaf, u64 key)
{
	u64 shift = leaf->base - key;
	u32 i;

	if (shift + leaf->entries[leaf->nr - 1].delta > U32_MAX)
		return false;
	for (i = 0; i < leaf->nr; i++)
		leaf->entries[i].delta += shift;
	WRITE_ONCE(leaf->base, key);
	WRITE_ONCE(root->keys[0], key);
	return true;
}

static void new_leaf(struct index_root *root, struct remap_reserve *rsv, u32 at, u64 key, u32 value)
{
	struct index_leaf *leaf = reserve_get(rsv);

	leaf->base = key;
	leaf->nr = 1;
	leaf->entries[0].delta = 0;
	leaf->entries[0].value = value;
	root_insert(root, at, key, leaf);
}

void index_insert(struct remap_index *ix, struct remap_reserve *rsv, u64 key, u32 value)
{
	struct index_root *root = own_root(ix);
	struct index_leaf *leaf;
	u32 at, pos;

	ix->nr++;
	if (!root->nr) {
		new_leaf(root, rsv, 0, key, value);
		return;
	}

	at = root_find(root, root->nr, key);
	if (root->leaves[at]->nr == LEAF_ENTRIES) {
		leaf_split(root, rsv, at, LEAF_ENTRIES / 2);
		at = root_find(root, root->nr, key);
	}
	leaf = root->leaves[at];

	if (key < leaf->base && !leaf_rebase(root, leaf, key)) {
		new_leaf(root, rsv, at, key, value);
		return;
	}
	if (key - leaf->base > U32_MAX) {
		new_leaf(root, rsv, at + 1, key, value);
		return;
	}
	pos = leaf_find(leaf, leaf->nr, key);
	memmove(leaf->entries + pos + 1, leaf->entries + pos,
		(leaf->nr - pos) * sizeof(struct leaf_entry));
	leaf->entries[pos].delta = key - leaf->base;
	leaf->entries[pos].value = value;
	WRITE_ONCE(leaf->nr, leaf->nr + 1);
}

/* Leaf and position of a key that is there. */
static struct index_leaf *index_find(struct index_root *root, u64 key, u32 *at, u32 *pos)
{
	struct index_leaf *leaf;

	*at = root_find(root, root->nr, key);
	leaf = root->leaves[*at];
	*pos = leaf_find(leaf, leaf->nr, key);
	return leaf;
}

void index_set(struct remap_index *ix, u64 key, u32 value)
{
	u32 at, pos;
	struct index_leaf *leaf = index_find(own_root(ix), key, &at, &pos);

	WRITE_ONCE(leaf->entries[pos].value, value);
}

void index_remove(struct remap_index *ix, u64 key)
{
	struct index_root *root = own_root(ix);
	u32 at, pos;
	struct index_leaf *leaf = index_find(root, key, &at, &pos);

	ix->nr--;
	if (leaf->nr == 1) {
		root_remove(root, at);
		kfree_rcu(leaf, rcu);
		return;
	}
	memmove(leaf->entries + pos, leaf->entries + pos + 1,
		(leaf->nr - pos - 1) * sizeof(struct leaf_entry));
	WRITE_ONCE(leaf->nr, leaf->nr - 1);
	/*
	 * The root keeps the old first key: a search for a key between it and
	 * the new first one ends in this leaf all the same.
	 */
}

int index_build(struct remap_index *ix, const struct index_pair *pairs, u64 nr)
{
	struct index_root *root = own_root(ix), *bigger;
	struct index_leaf *leaf = NULL;
	u64 i;

	for (i = 0; i < nr; i++) {
		if (!leaf || leaf->nr == LEAF_FILL || pairs[i].key - leaf->base > U32_MAX) {
			if (root->nr == root->size) {
				bigger = root_alloc(root->size * 2, ix->node);
				if (!bigger)
					return -ENOMEM;
				bigger->nr = root->nr;
				memcpy(bigger->keys, root->keys, root->nr * sizeof(u64));
				memcpy(bigger->leaves, root->leaves, root->nr * sizeof(void *));
				kvfree(root);
				root = bigger;
				RCU_INIT_POINTER(ix->root, root);
			}
			leaf = kzalloc_node(PAGE_SIZE, GFP_NOIO, ix->node);
			if (!leaf)
				return -ENOMEM;
			leaf->base = pairs[i].key;
			root->keys[root->nr] = leaf->base;
			root->leaves[root->nr++] = leaf;
		}
		leaf->entries[leaf->nr].delta = pairs[i].key - leaf->base;
		leaf->entries[leaf->nr++].value = pairs[i].value;
		ix->nr++;
		if (!(i & 0xffff))
			cond_resched();
	}
	return 0;
}

void index_walk(const struct remap_index *ix, void (*fn)(void *arg, u64 key, u32 value),
		void *arg)
{
	const struct index_root *root = own_root(ix);
	u32 i, at;

	for (i = 0; i < root->nr; i++) {
		const struct index_leaf *leaf = root->leaves[i];

		for (at = 0; at < leaf->nr; at++)
			fn(arg, leaf->base + leaf->entries[at].delta, leaf->entries[at].value);
		cond_resched();
	}
}
