// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists of bad places: badblocks, ddrescue and our own JSON. */
#include "fuzz.h"
#include "private.h"

#define LIMIT	(1ULL << 41)

/* Sorted, apart, and on the device. */
static void check_ranges(struct dmremap_ranges *ranges, uint64_t limit)
{
	size_t i, nr = dmremap_ranges_count(ranges);
	uint64_t end = 0, total = 0;

	for (i = 0; i < nr; i++) {
		const struct dmremap_range *r = dmremap_ranges_get(ranges, i);

		require(r->count && (!i || r->start > end));
		require(r->start + r->count > r->start);
		end = r->start + r->count;
		total += r->count;
	}
	require(!limit || end <= limit);
	require(total == dmremap_ranges_total(ranges));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);
	unsigned int bits = take(&in, 1);
	struct dmremap_import how = {
		.format = bits % 3,
		.unit_bytes = bits & 4 ? 4096 : 0,
		.statuses = bits & 8 ? "-*/" : NULL,
		.json_lost_only = bits & 16,
		.origin = bits & 32 ? 2048 : 0,
		.limit = bits & 64 ? LIMIT : 0,
	};
	struct dmremap_error err = { "" };
	struct dmremap_ranges *ranges, *blocks;
	FILE *file;

	if (!input_left(&in))
		return 0;
	file = fmemopen((void *)in.at, in.end - in.at, "r");
	require(file);
	if (!dmremap_import(file, "list", &how, &ranges, &err)) {
		check_ranges(ranges, how.limit);
		if (!dmremap_ranges_to_blocks(ranges, 4096, &blocks)) {
			check_ranges(blocks, 0);
			dmremap_ranges_free(blocks);
		}
		dmremap_ranges_free(ranges);
	} else {
		require(*err.text);
	}
	fclose(file);
	return 0;
}
