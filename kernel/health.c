// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an error says (R4). A bad block fails while the rest of the device
 * works; a device that has gone fails everywhere. Before the worker believes in
 * a bad block it asks here whether other places still work, and the breaker
 * remembers the answer for a short time. All in the worker's workqueue, which is
 * ordered.
 */
#include <linux/random.h>
#include <linux/slab.h>

#include "dm-remap.h"

#define PROBE_FRAMES	4
#define PROBE_REWRITES	32
#define PROBE_READS	8
#define PROBE_PAUSE	(HZ / 10)	/* believe that it is gone for as long */

/* A member on the same device that owns probe blocks. */
static struct remap_member *probe_region(struct remap_set *set, struct remap_member *m)
{
	unsigned int i;

	for (i = 0; i < set->nr_members; i++) {
		struct remap_member *other = set->members[i];

		if (other && other->bdev == m->bdev && other->copies)
			return other;
	}
	return NULL;
}

static bool write_probe(struct remap_set *set, struct remap_member *m, sector_t at)
{
	return !io_buffer(m->bdev, REQ_OP_WRITE | REQ_SYNC, m->region + at, set->check_buf,
			  DMR_FRAME_SECTORS);
}

static bool probe_write(struct remap_set *set, struct remap_member *m)
{
	unsigned int i, first = get_random_u32();
	u32 frame;

	memset(set->check_buf, 0, DMR_FRAME_SIZE);
	for (i = 0; i < DMR_PROBE_BLOCKS; i++) {
		/* 5 and 14 have no common factor: all of them, no two together. */
		unsigned int n = (first + 5 * i) % DMR_PROBE_BLOCKS;

		if (write_probe(set, m, DMR_PROBE_SECTOR + n * DMR_FRAME_SECTORS))
			return true;
	}
	/* A scratch over all of them? Free frames hold nothing either. */
	for (i = 0; i < PROBE_FRAMES; i++) {
		frame = find_next_zero_bit(m->frames, m->nr_frames,
					   get_random_u32() % m->nr_frames);
		if (frame < m->nr_frames &&
		    write_probe(set, m, DMR_FRAMES_SECTOR +
				(sector_t)frame * DMR_FRAME_SECTORS))
			return true;
	}
	return false;
}

/*
 * An adopted data device has no place of its own to write to. Give a healthy block
 * what it holds: a write that was on its way to it meanwhile is repeated.
 */
static bool probe_rewrite(struct remap_set *set, struct remap_member *m)
{
	u64 blocks = set->data_sectors >> set->block_shift;
	unsigned int tries = 0, i;

	for (i = 0; i < 8 * PROBE_REWRITES && tries < PROBE_REWRITES && blocks; i++) {
		u64 block = get_random_u64() % blocks;
		sector_t home = m->payload + (block << set->block_shift);
		struct map_entry e;
		bool written = false;

		if (map_get(&set->map, block, &e) || map_hold(set, block, &e))
			continue;
		/* A device that is known to fail is asked less often. */
		tries += set->breaker_open ? PROBE_REWRITES / 4 : 1;
		if (!io_buffer(m->bdev, REQ_OP_READ, home, set->check_buf, set->block_sectors)) {
			written = !io_buffer(m->bdev, REQ_OP_WRITE | REQ_SYNC, home,
					     set->check_buf, set->block_sectors);
			map_overwritten(&set->map);
		}
		map_drop(set, &e);
		if (written)
			return true;
	}
	/* No block to try it with: reads work, and nothing speaks against it. */
	return !tries;
}

/* One place in each eighth of the device. */
static bool probe_read(struct remap_set *set, struct remap_member *m)
{
	u64 blocks = bdev_nr_sectors(m->bdev) / DMR_FRAME_SECTORS;
	u64 part = max(div_u64(blocks, PROBE_READS), 1ULL);
	unsigned int i;

	for (i = 0; i < PROBE_READS; i++) {
		u64 block = i * part + get_random_u64() % part;

		if (block < blocks &&
		    !io_buffer(m->bdev, REQ_OP_READ, block * DMR_FRAME_SECTORS,
			       set->check_buf, DMR_FRAME_SECTORS))
			return true;
	}
	return false;
}

static bool probe(struct remap_set *set, struct remap_member *m, bool write)
{
	struct remap_member *region = write ? probe_region(set, m) : NULL;

	if (region)
		return probe_write(set, region);
	if (!probe_read(set, m))
		return false;
	/* Reads work. Bad blocks, or a device that takes no writes any more? */
	if (write && !m->index &&
	    (set->bad_streak >= set->policy.breaker_streak || set->breaker_open)) {
		if (!probe_rewrite(set, m))
			return false;
		set->bad_streak = 0;
	}
	return true;
}

static void breaker_opens(struct remap_set *set, struct remap_member *m, bool write)
{
	set->breaker_write = write && (!set->breaker_open || set->breaker_write);
	if (set->breaker_open)
		return;
	set->breaker_open = true;
	set->event = true;
	remap_count(set, C_BREAKER_TRIPS, 1);
	event_edge(set, DMR_NL_EVENT_BREAKER_OPEN, 0);
	DMERR("%s: data device %pg fails all %s; no block is relocated until it is back",
	      set->name, m->bdev, write ? "writes" : "I/O");
	queue_delayed_work(set->wq, &set->breaker_work, set->policy.breaker_jiffies);
}

static void breaker_closes(struct remap_set *set, struct remap_member *m)
{
	set->breaker_open = false;
	set->event = true;
	event_edge(set, DMR_NL_EVENT_BREAKER_CLOSED, 0);
	DMINFO("%s: data device %pg is back", set->name, m->bdev);
}

bool health_alive(struct remap_set *set, struct remap_member *m, bool write)
{
	unsigned long start = jiffies;
	bool concerned = set->breaker_open && (write || !set->breaker_write);
	bool alive;

	if (!m->index && concerned && time_before(jiffies, set->breaker_until))
		return false;
	alive = probe(set, m, write);
	if (m->index)
		return alive;
	if (!alive) {
		breaker_opens(set, m, write);
		set->breaker_until = jiffies + max(PROBE_PAUSE, 4 * (jiffies - start));
	} else if (set->breaker_open && (write || !set->breaker_write)) {
		breaker_closes(set, m);
	}
	return alive;
}

void health_work(struct work_struct *work)
{
	struct remap_set *set = container_of(to_delayed_work(work), struct remap_set,
					     breaker_work);

	if (!set->breaker_open)
		return;
	set->breaker_until = jiffies;
	health_alive(set, set->members[0], set->breaker_write);
	if (set->event) {
		set->event = false;
		dm_table_event(set->ti->table);
	}
	if (set->breaker_open)
		queue_delayed_work(set->wq, &set->breaker_work, set->policy.breaker_jiffies);
}
