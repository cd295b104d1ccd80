/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lists of ranges: appended in any order, sorted and merged when first looked
 * at. Input that is sorted already is merged as it comes, so that a list of
 * millions of neighbours stays small.
 */
#include "private.h"

#define DEFAULT_MAX	(16u << 20)

struct dmremap_ranges {
	struct dmremap_range *r;
	size_t nr, room, max;
	bool sorted;
};

int dmremap_ranges_new(size_t max, struct dmremap_ranges **ret)
{
	struct dmremap_ranges *ranges = calloc(1, sizeof(*ranges));

	if (!ranges)
		return -ENOMEM;
	ranges->max = max ? max : DEFAULT_MAX;
	ranges->sorted = true;
	*ret = ranges;
	return 0;
}

void dmremap_ranges_free(struct dmremap_ranges *ranges)
{
	if (!ranges)
		return;
	free(ranges->r);
	free(ranges);
}

static int by_start(const void *a, const void *b)
{
	const struct dmremap_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void normalise(struct dmremap_ranges *ranges)
{
	size_t i, last = 0;

	if (ranges->sorted)
		return;
	ranges->sorted = true;
	qsort(ranges->r, ranges->nr, sizeof(*ranges->r), by_start);
	for (i = 1; i < ranges->nr; i++) {
		struct dmremap_range *a = &ranges->r[last], *b = &ranges->r[i];

		if (b->start > a->start + a->count)
			ranges->r[++last] = *b;
		else if (b->start + b->count > a->start + a->count)
			a->count = b->start + b->count - a->start;
	}
	ranges->nr = ranges->nr ? last + 1 : 0;
}

int dmremap_ranges_add(struct dmremap_ranges *ranges, uint64_t start, uint64_t count)
{
	struct dmremap_range *last;
	u64 end;

	if (!count)
		return -EINVAL;
	if (__builtin_add_overflow(start, count, &end))
		return -ERANGE;
	last = ranges->nr ? &ranges->r[ranges->nr - 1] : NULL;
	if (last && start >= last->start && start <= last->start + last->count) {
		if (end > last->start + last->count)
			last->count = end - last->start;
		return 0;
	}
	if (ranges->nr == ranges->max)
		normalise(ranges);
	if (ranges->nr == ranges->max)
		return -E2BIG;
	if (ranges->nr == ranges->room) {
		size_t room = ranges->room ? 2 * ranges->room : 64;
		struct dmremap_range *more = reallocarray(ranges->r, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		ranges->r = more;
		ranges->room = room;
	}
	last = ranges->nr ? &ranges->r[ranges->nr - 1] : NULL;
	if (last && start < last->start + last->count)
		ranges->sorted = false;
	ranges->r[ranges->nr++] = (struct dmremap_range){ start, count };
	return 0;
}

size_t dmremap_ranges_count(struct dmremap_ranges *ranges)
{
	normalise(ranges);
	return ranges->nr;
}

uint64_t dmremap_ranges_total(struct dmremap_ranges *ranges)
{
	u64 total = 0;
	size_t i;

	normalise(ranges);
	for (i = 0; i < ranges->nr; i++)
		total += ranges->r[i].count;
	return total;
}

const struct dmremap_range *dmremap_ranges_get(struct dmremap_ranges *ranges, size_t n)
{
	normalise(ranges);
	return n < ranges->nr ? &ranges->r[n] : NULL;
}

int dmremap_ranges_to_blocks(struct dmremap_ranges *sectors, uint32_t block_size,
			     struct dmremap_ranges **ret)
{
	struct dmremap_ranges *blocks;
	u64 unit = block_size / 512;
	size_t i;
	int r;

	if (!unit)
		return -EINVAL;
	normalise(sectors);
	r = dmremap_ranges_new(sectors->max, &blocks);
	for (i = 0; i < sectors->nr && !r; i++) {
		u64 first = sectors->r[i].start / unit;
		u64 last = (sectors->r[i].start + sectors->r[i].count - 1) / unit;

		r = dmremap_ranges_add(blocks, first, last - first + 1);
	}
	if (r < 0) {
		dmremap_ranges_free(blocks);
		return r;
	}
	*ret = blocks;
	return 0;
}
