// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages set aside for the worker: growing the map must not wait for memory
 * that only writing to this very device could free (R6).
 */
#include <linux/slab.h>

#include "dm-remap.h"

/* Rather take from the reserve than wait: what is waited for may wait for us. */
#define RESERVE_GFP	(GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN)

int reserve_fill(struct remap_reserve *rsv, unsigned int min)
{
	while (rsv->nr < RESERVE_BLOCKS) {
		void *block = kzalloc_node(PAGE_SIZE, RESERVE_GFP, rsv->node);

		if (!block)
			break;
		rsv->blocks[rsv->nr++] = block;
	}
	return rsv->nr < min ? -ENOMEM : 0;
}

void *reserve_get(struct remap_reserve *rsv)
{
	return rsv->nr ? rsv->blocks[--rsv->nr] : NULL;
}

void reserve_destroy(struct remap_reserve *rsv)
{
	while (rsv->nr)
		kfree(rsv->blocks[--rsv->nr]);
}
