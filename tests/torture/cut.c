// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What disks hold after their power was cut. A write is there for certain if it
 * was acknowledged with FUA, or if a flush that was sent after its answer was
 * acknowledged, and none failed in between; so is what a write that failed has done. Any
 * other that had reached the disk may be there or not, sector by sector, whatever became of
 * the others.
 */
#include <stdlib.h>
#include <string.h>

#include "../tools/common.h"
#include "torture.h"

static bool kept(const struct request *r, uint32_t nth, uint32_t i, enum cut_way way,
		 uint64_t seed, uint32_t at, uint32_t last)
{
	uint64_t mine = mix(seed, nth);
	uint32_t part;

	switch (way) {
	case CUT_DROP:
		return false;
	case CUT_KEEP:
		return true;
	case CUT_SECTORS:
		return mix(mine, i) & 1;
	case CUT_REQUESTS:
		return mine & 1;
	case CUT_TORN:
		part = mine / 4 % (r->nr + 1);
		return mine & 1 ? i < part : i >= part;
	case CUT_DISKS:
		return mix(seed, r->disk) & 1;
	case CUT_LAST:
		return r->received + last < at;
	default:
		return false;
	}
}

static void apply(struct disk_state *d, const struct request *r, uint32_t i)
{
	static const uint8_t zeroes[SECTOR];

	d->content[r->sector + i] = r->kind == DISK_DECAY ? unreadable :
				    r->data ? r->data + (size_t)i * SECTOR : zeroes;
}

/* Of each request: did a flush make it durable, before any failed? From the last to the first. */
static bool *which_flushed(const struct log *log, uint32_t at)
{
	bool *flushed = calloc(log->nr + 1, sizeof(*flushed));
	uint32_t sent[MAX_DISKS] = { };	/* the latest flush, of those that still count */

	if (!flushed)
		die("out of memory");
	for (uint32_t n = log->nr; n--;) {
		const struct request *r = &log->requests[n];

		if (r->answered > at)
			continue;
		if (r->kind != DISK_FLUSH)
			flushed[n] = r->answered < sent[r->disk];
		else if (r->failed)
			sent[r->disk] = 0;
		else if (r->received > sent[r->disk])
			sent[r->disk] = r->received;
	}
	return flushed;
}

void cut_state(const struct log *log, uint32_t at, enum cut_way way, uint64_t seed,
	       struct state *s)
{
	uint32_t last = 1 + mix(seed, 7) % 8;
	bool *flushed = which_flushed(log, at);

	state_copy(s, &log->base);
	for (uint32_t n = 0; n < log->nr; n++) {
		const struct request *r = &log->requests[n];
		bool durable = r->kind == DISK_DECAY || flushed[n] ||
			       (r->answered <= at && r->fua && !r->failed);

		if (r->kind == DISK_FLUSH || r->received > at)
			continue;
		for (uint32_t i = 0; i < r->nr; i++)
			if (durable || kept(r, n, i, way, seed, at, last))
				apply(&s->disk[r->disk], r, i);
	}
	for (uint32_t n = 0; n < log->nr_faults && log->faults[n].at <= at; n++) {
		const struct fault *f = &log->faults[n];

		if (f->nr)
			memset(s->disk[f->disk].flags + f->sector, f->flags, f->nr);
		else
			s->disk[f->disk].dead = f->flags;
	}
	free(flushed);
}
