// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long the module's own lookup takes natively: the code of kernel/index.c and front.c,
 * in the order in which the I/O path asks. Each lookup is timed by itself with the time
 * stamp counter, of which what an empty measurement takes is subtracted. Every answer is
 * checked; a wrong one ends it with nothing said. Argument: with more entries than these
 * nothing is measured.
 *
 * The module's memory is mapped by large pages: pages of the slab as all of the direct map,
 * what kvmalloc() gets from vmalloc() since Linux 5.18 where it is 2 MiB or more. Here it is
 * so where malloc() asks for it, GLIBC_TUNABLES=glibc.malloc.hugetlb=1, and the machine has
 * some; how much of the memory was, is told too.
 */
#include "kernel.h"

#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#include "../../../kernel/index.h"

#define SAMPLES		20000
#define GROUP		16
#define ROUNDS		9
#define WARM_BLOCKS	1024
#define COLD_SAMPLES	2000
#define COLD_BATCH	20
#define EVICT		(64U << 20)

static u64 state = 88172645463325252ULL;
static struct remap_index ix;
static struct remap_front *front;
static struct dmr_page **pages;
static u32 nr_records;
static u64 *blocks, nr_blocks, space;
static double ns_a_tick;
static char *evicted;

/* What index.c asks of the module's reserve; nothing is inserted here. */
int reserve_fill(struct remap_reserve *rsv, unsigned int min)
{
	return 0;
}

void *reserve_get(struct remap_reserve *rsv)
{
	return NULL;
}

static void die(const char *what)
{
	fprintf(stderr, "lookup: %s\n", what);
	exit(1);
}

static u64 random_u64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* --- The map ----------------------------------------------------------------- */

/* Sorted and distinct; clustered: in runs of 1 to 128 neighbours. */
static void make_blocks(u64 nr, bool clustered)
{
	u64 i = 0, n, at, run;

	space = nr * 32;
	blocks = malloc((nr + 128) * sizeof(*blocks));
	while (i < nr) {
		for (; i < nr; i += n) {
			run = clustered ? 1 + random_u64() % 128 : 1;
			at = random_u64() % (space - 128);
			for (n = 0; n < run && i + n < nr; n++)
				blocks[i + n] = at + n;
		}
		qsort(blocks, nr, sizeof(*blocks), compare);
		for (n = i = 1; n < nr; n++)
			if (blocks[n] != blocks[n - 1])
				blocks[i++] = blocks[n];
	}
	nr_blocks = nr;
}

static void make_map(void)
{
	struct index_pair *pairs = malloc(nr_blocks * sizeof(*pairs));
	u32 i;

	nr_records = nr_blocks;
	pages = calloc(2 + nr_records / DMR_PAGE_RECORDS, sizeof(*pages));
	for (i = 0; i < nr_records; i++) {
		struct dmr_page **page = &pages[1 + i / DMR_PAGE_RECORDS];

		if (!*page)
			*page = calloc(1, sizeof(**page));
		(*page)->records[i % DMR_PAGE_RECORDS].key =
			cpu_to_le64(dmr_key(DMR_RECORD_REMAPPED, 1, blocks[i]));
		pairs[i].key = blocks[i];
		pairs[i].value = i;
	}
	if (index_init(&ix, NUMA_NO_NODE) || index_build(&ix, pairs, nr_blocks))
		die("no memory for the index");
	front = front_build(&ix);
	if (!front)
		die("no memory for what stands before it");
	free(pairs);
}

static void free_map(void)
{
	u32 i;

	for (i = 0; i < 2 + nr_records / DMR_PAGE_RECORDS; i++)
		free(pages[i]);
	free(pages);
	free(blocks);
	front_free(front);
	index_destroy(&ix);
}

/* --- Lookups ----------------------------------------------------------------- */

/* As map_may_hold(), map_try_slot() and map_get() do it. */
static __attribute__((noinline)) bool lookup(u64 block, u32 *value)
{
	const struct dmr_record *record;
	u64 found, hash = front_hash(block);

	if (!front_may_hold(front, hash))
		return false;
	if (front_find(front, pages, nr_records, block, hash, value, &record))
		return true;
	return index_next(&ix, block, &found, value) && found == block;
}

/* The index alone: "the first at or after". */
static __attribute__((noinline)) bool search(u64 block, u32 *value)
{
	u64 found;

	return index_next(&ix, block, &found, value) && found == block;
}

static bool has(u64 block)
{
	return bsearch(&block, blocks, nr_blocks, sizeof(block), compare);
}

static u64 pick(bool hit)
{
	u64 block;

	if (hit)
		return blocks[random_u64() % nr_blocks];
	do
		block = random_u64() % space;
	while (has(block));
	return block;
}

static __always_inline u64 begin_tick(void)
{
	_mm_lfence();
	return __rdtsc();
}

static __always_inline u64 end_tick(void)
{
	unsigned int cpu;
	u64 tick = __rdtscp(&cpu);

	_mm_lfence();
	return tick;
}

static u64 empty_ticks(void)
{
	static u64 ticks[SAMPLES];
	u32 i;

	for (i = 0; i < SAMPLES; i++) {
		u64 begin = begin_tick();

		ticks[i] = end_tick() - begin;
	}
	qsort(ticks, SAMPLES, sizeof(*ticks), compare);
	return ticks[SAMPLES / 2];
}

static void evict(void)
{
	u32 i;

	for (i = 0; i < EVICT; i += 64)
		evicted[i]++;
}

typedef bool (*lookup_fn)(u64 block, u32 *value);

static void say(const char *name, const char *what, double ticks)
{
	printf("{\"name\": \"%s%s\", \"value\": %.1f, \"unit\": \"ns\"}\n", name, what,
	       ticks * ns_a_tick);
	fflush(stdout);
}

/* What of this program's memory large pages map, in percent. */
static void say_huge(const char *size, const char *layout)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	unsigned long all = 0, huge = 0;
	char line[256];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "Anonymous: %lu", &all);
		sscanf(line, "AnonHugePages: %lu", &huge);
	}
	fclose(file);
	if (all)
		printf("{\"name\": \"index.huge-pages.%s.%s\", \"value\": %.1f, \"unit\": \"%%\"}\n",
		       size, layout, 100. * huge / all);
}

/* Look up @nr blocks; how long that took, less what measuring takes. */
static u64 timed(lookup_fn fn, const u64 *keys, u32 nr, bool hit, u64 empty)
{
	u32 values[GROUP], right = 0, i;
	u64 begin, took;

	begin = begin_tick();
	for (i = 0; i < nr; i++)
		right += fn(keys[i], &values[i]) == hit;
	took = end_tick() - begin;
	if (right != nr)
		die("a wrong answer");
	for (i = 0; i < nr && hit; i++)
		if (blocks[values[i]] != keys[i])
			die("a wrong value");
	return took > empty ? took - empty : 0;
}

/*
 * The counter may be coarse: the median is that of groups, the 99th percentile that of
 * single lookups, in the round that others on the machine disturbed least.
 */
static void measure_warm(const char *name, lookup_fn fn, bool hit)
{
	static u64 ticks[SAMPLES], keys[WARM_BLOCKS + GROUP];
	u64 empty = empty_ticks(), least = UINT64_MAX;
	u32 i, round;

	for (i = 0; i < WARM_BLOCKS + GROUP; i++)
		keys[i] = pick(hit);
	for (round = 0; round < 2; round++)
		for (i = 0; i < SAMPLES; i++)
			ticks[i] = timed(fn, keys + i % WARM_BLOCKS, GROUP, hit, empty);
	qsort(ticks, SAMPLES, sizeof(*ticks), compare);
	say(name, "", (double)ticks[SAMPLES / 2] / GROUP);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < SAMPLES; i++)
			ticks[i] = timed(fn, keys + i % WARM_BLOCKS, 1, hit, empty);
		qsort(ticks, SAMPLES, sizeof(*ticks), compare);
		if (ticks[SAMPLES / 100 * 99] < least)
			least = ticks[SAMPLES / 100 * 99];
	}
	say(name, ".p99", least);
}

/* Other blocks each time, and nothing in the caches when they are begun with. */
static void measure_cold(const char *name, lookup_fn fn, bool hit)
{
	static u64 ticks[COLD_SAMPLES];
	u64 empty = empty_ticks(), key;
	u32 i;

	for (i = 0; i < COLD_SAMPLES; i++) {
		key = pick(hit);
		if (i % COLD_BATCH == 0)
			evict();
		ticks[i] = timed(fn, &key, 1, hit, empty);
	}
	qsort(ticks, COLD_SAMPLES, sizeof(*ticks), compare);
	say(name, ".cold", ticks[COLD_SAMPLES / 2]);
	say(name, ".cold.p99", ticks[COLD_SAMPLES / 100 * 99]);
}

static void calibrate(void)
{
	struct timespec a, b, wait = { 0, 100000000 };
	u64 begin, end;

	clock_gettime(CLOCK_MONOTONIC, &a);
	begin = __rdtsc();
	nanosleep(&wait, NULL);
	end = __rdtsc();
	clock_gettime(CLOCK_MONOTONIC, &b);
	ns_a_tick = ((b.tv_sec - a.tv_sec) * 1e9 + b.tv_nsec - a.tv_nsec) / (end - begin);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		u64 nr;
	} sizes[] = { { "1k", 1000 }, { "100k", 100000 }, { "1M", 1000000 }, { "10M", 10000000 } };
	u64 most = argc > 1 ? strtoull(argv[1], NULL, 10) : U32_MAX;
	char name[64];
	u32 i, what;

	calibrate();
	evicted = malloc(EVICT);
	if (!evicted)
		die("no memory");
	memset(evicted, 1, EVICT);
	for (i = 0; i < 2 * sizeof(sizes) / sizeof(*sizes); i++) {
		const char *layout = i % 2 ? "clustered" : "uniform";

		if (sizes[i / 2].nr > most)
			break;
		make_blocks(sizes[i / 2].nr, i % 2);
		make_map();
		say_huge(sizes[i / 2].name, layout);
		for (what = 0; what < 4; what++) {
			bool hit = what & 1, alone = what & 2;

			snprintf(name, sizeof(name), "index.%s%s.%s.%s", alone ? "search-" : "",
				 hit ? "hit" : "miss", sizes[i / 2].name, layout);
			measure_warm(name, alone ? search : lookup, hit);
			measure_cold(name, alone ? search : lookup, hit);
		}
		free_map();
	}
	return 0;
}
