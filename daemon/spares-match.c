/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Matching labelled devices and sets. See spares.h.
 */
#include <string.h>

#include "spares.h"

#define PLENTY		4096u		/* slots */
#define FEWEST		16u
#define ALIGN		2048u		/* sectors: 1 MiB, where slots begin */

unsigned int spare_percent_free(const struct dmremap_nl_device *d)
{
	uint64_t free_ = d->slots > d->slots_used ? d->slots - d->slots_used : 0;

	if (!d->slots)
		return 0;
	/* Without overflow: slots are at most 2^37. */
	return free_ / d->slots ? 100 : free_ * 100 / d->slots;
}

bool spare_needed(const struct dmremap_nl_device *d, unsigned int nr_spares,
		  const struct set_config *config)
{
	if (!config->spare_auto || d->mode != DMR_NL_MODE_RW || !d->block_sectors)
		return false;
	if (nr_spares >= DMR_MAX_MEMBERS - 1)
		return false;
	/* At the threshold too: rules.c stops there, if its reserve is the same. */
	return d->slots_used >= d->slots ||
	       (unsigned __int128)(d->slots - d->slots_used) * 100 <=
	       (unsigned __int128)d->slots * config->spare_threshold;
}

uint64_t spare_slots(const struct dmremap_nl_device *d, uint64_t bytes)
{
	uint64_t sectors = bytes / 512, pages, frames, start;

	if (!d->block_sectors)
		return 0;
	/* As lib/format.c lays it out, rounded up; the library decides in the end. */
	pages = 1 + (d->records + DMR_PAGE_RECORDS - 1) / DMR_PAGE_RECORDS;
	frames = DMR_FRAME_COPIES * pages + DMR_FRAME_SLACK;
	start = DMR_FRAMES_SECTOR + frames * DMR_FRAME_SECTORS;
	if (sectors >= 64 * ALIGN)
		start = (start + ALIGN - 1) / ALIGN * ALIGN;
	else
		start = (start + DMR_MAX_BLOCK_SECTORS - 1) / DMR_MAX_BLOCK_SECTORS *
			DMR_MAX_BLOCK_SECTORS;
	if (sectors <= start || (sectors - start) / d->block_sectors < FEWEST)
		return 0;
	return (sectors - start) / d->block_sectors;
}

const char *spare_unfit(const struct candidate *c, const struct dmremap_nl_device *d,
			const struct set_config *config)
{
	if (strcmp(c->label.domain, config->spare_domain))
		return "is of another domain";
	if (c->label.tier > config->spare_max_tier)
		return "is of a higher tier than the set may use";
	if (c->label.logical_block > d->block_sectors * 512)
		return "has logical blocks larger than the blocks of the set";
	if (!spare_slots(d, c->label.bytes))
		return "is too small for the map of the set";
	if (c->failing)
		return "lies on a drive that says that it is failing";
	if (c->major == d->major && c->minor == d->minor)
		return "is the set itself";
	return NULL;
}

static bool better(const struct candidate *a, const struct candidate *b,
		   const struct dmremap_nl_device *d)
{
	uint64_t x = spare_slots(d, a->label.bytes), y = spare_slots(d, b->label.bytes);

	if (a->label.tier != b->label.tier)
		return a->label.tier < b->label.tier;
	if ((x >= PLENTY) != (y >= PLENTY))
		return x >= PLENTY;
	if (x != y)
		return x >= PLENTY ? x < y : x > y;
	/* The same choice each time. */
	return strcmp(a->label.uuid, b->label.uuid) < 0;
}

struct candidate *spare_choose(struct candidates *candidates,
			       const struct dmremap_nl_device *d,
			       const struct set_config *config, uint64_t now)
{
	struct candidate *c, *best = NULL;

	LIST_FOREACH(c, candidates, link)
		if (!spare_waits(c, now) && !spare_unfit(c, d, config) &&
		    (!best || better(c, best, d)))
			best = c;
	return best;
}

bool spare_waits(const struct candidate *c, uint64_t now)
{
	return c->fails && now - c->failed_at < spare_backoff(c->fails) * NSEC_PER_SEC;
}

uint64_t spare_backoff(unsigned int fails)
{
	/* Whoever labelled it may still have it open; then patience. */
	static const uint64_t seconds[] = { 0, 1, 1, 2, 60, 300, 1800 };
	unsigned int n = sizeof(seconds) / sizeof(seconds[0]);

	return seconds[fails < n ? fails : n - 1];
}
