/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules: which blocks are in danger after which events, followed on a disk that is
 * played here block by block. And the list of ranges, the budget, the reserve.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "predict.h"

#define SECOND	NSEC_PER_SEC
#define DAY	(86400 * NSEC_PER_SEC)
#define BLOCKS	100000u

static struct danger_list list;
static struct predict_set set;
static void *state;
static uint64_t now;

static int begin(void **unused)
{
	memset(&list, 0, sizeof(list));
	set = (struct predict_set){ .blocks = BLOCKS, .block_sectors = 8, .slow = true,
				    .neighbours = true, .distance = 8 };
	state = predict_rules.new_state();
	now = 1000 * DAY + 3600 * SECOND;
	return !state;
}

static int end(void **unused)
{
	predict_rules.free_state(state);
	return 0;
}

static void told(uint32_t kind, uint64_t block, uint64_t blocks)
{
	struct dmremap_event e = { .kind = kind, .class_ = DMR_NL_CLASS_MEDIUM, .nr_extents = 1,
				   .extents = { { block * 8, blocks * 8 } } };

	predict_rules.event(state, &set, &e, now, &list);
}

static void add(uint64_t first, uint64_t count, bool slow_only, unsigned int urgency,
		uint64_t when)
{
	struct danger d = { first, count, DANGER_SLOW, urgency, slow_only, when };

	danger_add(&list, &d);
}

static bool waits(uint64_t block)
{
	return danger_covers(&list, block, 0);
}

static void check_disjoint(void)
{
	unsigned int i, j;

	assert_true(list.nr <= DANGER_MAX);
	for (i = 0; i < list.nr; i++) {
		assert_true(list.ranges[i].count > 0);
		assert_true(list.ranges[i].first + list.ranges[i].count <= BLOCKS);
		for (j = i + 1; j < list.nr; j++)
			assert_true(list.ranges[i].first >= list.ranges[j].first +
				    list.ranges[j].count || list.ranges[j].first >=
				    list.ranges[i].first + list.ranges[i].count);
	}
}

/* --- The list ------------------------------------------------------------------- */

static void newest_first(void **unused)
{
	struct danger d;

	add(100, 50, true, 80, 1);
	add(120, 10, true, 80, 2);
	check_disjoint();
	assert_int_equal(danger_blocks(&list), 50);
	assert_true(danger_take(&list, 64, &d));
	assert_int_equal(d.first, 120);
	assert_int_equal(d.count, 10);
	/* In portions. */
	assert_true(danger_take(&list, 8, &d));
	assert_int_equal(d.count, 8);
	assert_int_equal(danger_blocks(&list), 32);
	add(500, 1, true, 90, 0);
	assert_true(danger_take(&list, 8, &d));
	assert_int_equal(d.first, 500);
	assert_false(danger_take(&list, 0, &d));
}

/* What is moved anyway is not asked first whether it is slow. */
static void unconditional_stays(void **unused)
{
	struct danger d;

	add(100, 10, false, 90, 1);
	add(120, 10, false, 90, 1);
	add(90, 60, true, 80, 2);
	check_disjoint();
	assert_int_equal(danger_blocks(&list), 60);
	assert_true(danger_take(&list, 64, &d));
	assert_false(d.slow_only);
	danger_drop_slow(&list);
	assert_int_equal(danger_blocks(&list), 10);
	list.nr = 0;
	add(90, 60, true, 80, 2);
	add(100, 10, false, 90, 3);
	check_disjoint();
	danger_drop_slow(&list);
	assert_int_equal(danger_blocks(&list), 10);
}

static void bounded(void **unused)
{
	struct danger d;
	unsigned int i;

	for (i = 0; i < 10 * DANGER_MAX; i++)
		add(i * 3, 1, true, 80, i);
	assert_int_equal(list.nr, DANGER_MAX);
	assert_int_equal(list.dropped, 9 * DANGER_MAX);
	danger_take(&list, 1, &d);
	assert_int_equal(d.first, (10 * DANGER_MAX - 1) * 3);
	/* Less urgent than all that waits. */
	add(0, 1, true, 80, DANGER_MAX * 10);
	add(BLOCKS - 1, 1, true, 10, DANGER_MAX * 10);
	assert_false(waits(BLOCKS - 1));
}

static void overlaps(void **unused)
{
	bool model[64] = { false }, slow[64];
	unsigned int round, i;
	uint64_t seed = 1;

	for (round = 0; round < 20000; round++) {
		unsigned int first, count, kind;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		first = seed >> 33 & 63;
		count = 1 + (seed >> 40) % (64 - first);
		kind = seed >> 50 & 3;
		if (kind == 3) {
			danger_remove(&list, first, count);
			memset(model + first, 0, count);
		} else {
			add(first, count, kind, 80, round);
			for (i = first; i < first + count; i++) {
				slow[i] = kind && (!model[i] || slow[i]);
				model[i] = true;
			}
		}
		check_disjoint();
		for (i = 0; i < 64; i++)
			assert_int_equal(waits(i), model[i]);
	}
	danger_drop_slow(&list);
	for (i = 0; i < 64; i++)
		assert_int_equal(waits(i), model[i] && !slow[i]);
}

/* --- Budget and reserve ------------------------------------------------------------ */

static void budget(void **unused)
{
	struct danger_budget b = { 0 };

	assert_int_equal(budget_left(&b, 100, now), 100);
	budget_take(&b, 60);
	assert_int_equal(budget_left(&b, 100, now), 40);
	budget_return(&b, 10, now);
	assert_int_equal(budget_left(&b, 100, now), 50);
	/* A smaller one was configured. */
	assert_int_equal(budget_left(&b, 20, now), 0);
	assert_int_equal(budget_left(&b, 0, now), 0);
	/* Set back by a day, and forward again: that would give 50 more. */
	assert_int_equal(budget_left(&b, 100, now - DAY), 50);
	budget_take(&b, 50);
	assert_int_equal(budget_left(&b, 100, now - DAY), 0);
	assert_int_equal(budget_left(&b, 100, now), 0);
	/* The clock was wrong by years: the day begins to count, with what was used. */
	b.day += 5000;
	assert_int_equal(budget_left(&b, 100, now), 0);
	/* The next day; what was returned then is not of that day. */
	assert_int_equal(budget_left(&b, 100, now + DAY), 100);
	budget_take(&b, 100);
	budget_return(&b, 50, now + 2 * DAY);
	assert_int_equal(budget_left(&b, 100, now + DAY), 0);
	budget_take(&b, UINT64_MAX);
	assert_int_equal(budget_left(&b, UINT64_MAX, now + DAY), 0);
}

static void reserve(void **unused)
{
	assert_int_equal(reserve_left(1000, 0, 10), 900);
	assert_int_equal(reserve_left(1000, 900, 10), 0);
	assert_int_equal(reserve_left(1000, 899, 10), 1);
	assert_int_equal(reserve_left(1000, 2000, 10), 0);
	assert_int_equal(reserve_left(7, 0, 50), 3);
	assert_int_equal(reserve_left(7, 0, 100), 0);
	assert_int_equal(reserve_left(7, 0, 1000), 0);
	assert_int_equal(reserve_left(0, 0, 10), 0);
	assert_int_equal(reserve_left(UINT64_MAX, 0, 100), 0);
}

/* --- Neighbours ------------------------------------------------------------------- */

static void neighbours(void **unused)
{
	struct danger d;

	told(DMR_NL_EVENT_LOST, 1000, 1);
	assert_int_equal(danger_blocks(&list), 16);
	assert_true(waits(992) && waits(999) && waits(1001) && waits(1008));
	assert_false(waits(991) || waits(1000) || waits(1009));
	danger_take(&list, 64, &d);
	assert_false(d.slow_only);
	/* At the ends of the device. */
	list.nr = 0;
	told(DMR_NL_EVENT_LOST, 0, 1);
	assert_int_equal(danger_blocks(&list), 8);
	list.nr = 0;
	told(DMR_NL_EVENT_LOST, BLOCKS - 1, 1);
	assert_int_equal(danger_blocks(&list), 8);
	check_disjoint();
	/* Of a large I/O it is not known which block it was. */
	list.nr = 0;
	told(DMR_NL_EVENT_READ_ERROR, 5000, 64);
	assert_int_equal(danger_blocks(&list), 80);
	danger_drop_slow(&list);
	assert_int_equal(list.nr, 0);
}

static void what_is_no_evidence(void **unused)
{
	struct dmremap_event e = { .kind = DMR_NL_EVENT_READ_ERROR, .nr_extents = 1,
				   .extents = { { 8000, 8 } } };
	int32_t class_;

	for (class_ = DMR_NL_CLASS_TRANSPORT; class_ <= DMR_NL_CLASS_MAX; class_++) {
		e.class_ = class_;
		predict_rules.event(state, &set, &e, now, &list);
	}
	assert_int_equal(list.nr, 0);
	e.class_ = DMR_NL_CLASS_MEDIUM;
	e.member = 2;
	predict_rules.event(state, &set, &e, now, &list);
	assert_int_equal(list.nr, 0);
	/* Blocks that moved although nothing failed there: a spare is being emptied. */
	told(DMR_NL_EVENT_RELOCATED, 4000, 1);
	assert_int_equal(list.nr, 0);
	told(DMR_NL_EVENT_WRITE_ERROR, 3990, 64);
	list.nr = 0;
	told(DMR_NL_EVENT_RELOCATED, 4000, 1);
	assert_int_equal(danger_blocks(&list), 16);
	/* The device is gone. */
	told(DMR_NL_EVENT_BREAKER_OPEN, 0, 1);
	assert_int_equal(list.nr, 0);
}

static void switched_off(void **unused)
{
	set.neighbours = false;
	told(DMR_NL_EVENT_LOST, 1000, 1);
	assert_int_equal(list.nr, 0);
	told(DMR_NL_EVENT_SLOW, 1000, 1);
	assert_int_equal(danger_blocks(&list), 17);
	list.nr = 0;
	set.slow = false;
	told(DMR_NL_EVENT_SLOW, 1000, 1);
	assert_int_equal(list.nr, 0);
}

static void hostile(void **unused)
{
	static const uint64_t values[] = { 0, 1, 7, 8, BLOCKS * 8ull - 1, BLOCKS * 8ull,
					   1ull << 62, UINT64_MAX - 7, UINT64_MAX };
	static const uint32_t kinds[] = { DMR_NL_EVENT_SLOW, DMR_NL_EVENT_LOST,
					  DMR_NL_EVENT_READ_ERROR, DMR_NL_EVENT_RELOCATED };
	unsigned int i, j, k;

	for (i = 0; i < 9; i++) {
		for (j = 0; j < 9; j++) {
			struct dmremap_event e = { .nr_extents = UINT32_MAX };

			for (k = 0; k < DMREMAP_EVENT_EXTENTS; k++)
				e.extents[k] = (struct dmremap_range){ values[i], values[j] };
			for (k = 0; k < 4; k++) {
				e.kind = kinds[k];
				predict_rules.event(state, &set, &e, now, &list);
				check_disjoint();
			}
		}
	}
	/* One extent can not make all of the device be read. */
	assert_true(danger_blocks(&list) < 10000);
	set.block_sectors = 0;
	told(DMR_NL_EVENT_SLOW, 1000, 1);
	set.block_sectors = 8;
	set.blocks = 0;
	told(DMR_NL_EVENT_SLOW, 1000, 1);
}

static void storm(void **unused)
{
	unsigned int i, k;

	for (i = 0; i < 600; i++) {
		struct dmremap_event e = { .kind = i % 2 ? DMR_NL_EVENT_LOST : DMR_NL_EVENT_SLOW,
					   .nr_extents = DMREMAP_EVENT_EXTENTS };

		for (k = 0; k < DMREMAP_EVENT_EXTENTS; k++)
			e.extents[k] = (struct dmremap_range){
				(i * 977 + k * 1543) % BLOCKS * 8, 8 };
		predict_rules.event(state, &set, &e, now, &list);
		now += SECOND / 10;
	}
	check_disjoint();
}

/* --- A disk that is played ----------------------------------------------------------- */

enum { FAST, SLOW, DEAD };

static uint8_t disk[BLOCKS];
static bool moved[BLOCKS];
static unsigned int tested, portion = 64;
static uint64_t io_ns;

/* What the module does: it reads runs, of 8 where it measures, and each takes its time. */
static void act(const struct danger *d)
{
	uint64_t run = d->slow_only ? 8 : 64, b, at, end, begun = now;
	struct dmremap_result r = { 0 };

	predict_rules.begun(state, d, now);
	for (at = d->first; at < d->first + d->count; at = end) {
		bool slow = false;

		end = at + run < d->first + d->count ? at + run : d->first + d->count;
		for (b = at; b < end; b++)
			slow |= !moved[b] && disk[b] != FAST;
		if (slow)
			now += io_ns;
		for (b = at; b < end; b++) {
			tested++;
			if (moved[b]) {
				r.unchanged++;
			} else if (disk[b] == DEAD) {
				r.lost++;
				now += io_ns;
			} else if (!d->slow_only || slow) {
				moved[b] = true;
				r.relocated++;
			} else {
				r.unchanged++;
			}
		}
		if (slow)
			told(DMR_NL_EVENT_SLOW, at, end - at);
	}
	if (r.lost)
		told(DMR_NL_EVENT_LOST, d->first, d->count);
	if (r.relocated)
		told(DMR_NL_EVENT_RELOCATED, d->first, d->count);
	predict_rules.ended(state, &set, d, &r, now - begun, now, &list);
	now += SECOND / 20;
}

static unsigned int play(unsigned int most)
{
	unsigned int n = 0;
	struct danger d;

	while (n < most && danger_take(&list, portion, &d)) {
		check_disjoint();
		act(&d);
		n++;
	}
	return n;
}

static void new_disk(unsigned int first, unsigned int count, uint8_t what)
{
	memset(disk, FAST, sizeof(disk));
	memset(moved, 0, sizeof(moved));
	memset(disk + first, what, count);
	tested = 0;
	io_ns = 2 * SECOND;
}

static unsigned int saved(unsigned int first, unsigned int count)
{
	unsigned int b, n = 0;

	for (b = first; b < first + count; b++)
		n += moved[b];
	return n;
}

/* 200 blocks at 2 s per I/O, of which a reader touched one anywhere. */
static void slow_region(void **unused)
{
	unsigned int at;

	for (at = 50000; at < 50200; at += 7) {
		uint64_t begun;

		end(NULL);
		begin(NULL);
		new_disk(50000, 200, SLOW);
		begun = now;
		told(DMR_NL_EVENT_SLOW, at, 1);
		assert_true(play(1000) < 30);
		assert_int_equal(saved(50000, 200), 200);
		assert_true(now - begun < 36 * SECOND);
		/* Healthy blocks that were moved with them, and the run beyond. */
		assert_true(saved(0, BLOCKS) <= 200 + 2 * 64);
		assert_true(tested < 600);
	}
}

/* Many touched at once, some from what is healthy and only waited its turn. */
static void busy_reader(void **unused)
{
	unsigned int i;

	new_disk(50000, 200, SLOW);
	for (i = 0; i < 40; i++)
		told(DMR_NL_EVENT_SLOW, 50003 + i * 5, 1);
	told(DMR_NL_EVENT_SLOW, 70000, 1);
	told(DMR_NL_EVENT_SLOW, 20000, 4);
	play(1000);
	assert_int_equal(saved(50000, 200), 200);
	assert_int_equal(saved(0, 40000), 0);
	assert_int_equal(saved(60000, 40000), 0);
}

/* A reader that goes on while blocks are moved: whatever the order, nothing is left out. */
static void any_order(void **unused)
{
	uint64_t seed = 7;
	unsigned int round, i, count;

	for (round = 0; round < 2000; round++) {
		end(NULL);
		begin(NULL);
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		count = 20 + (seed >> 33) % 400;
		new_disk(50000, count, SLOW);
		io_ns = round % 2 ? SECOND / 3 : SECOND;
		portion = round % 3 ? 64 : 8 + (seed >> 50) % 56;
		for (i = 0; i < 6; i++) {
			uint64_t at;

			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			at = 50000 + (seed >> 33) % count;
			if (!moved[at])
				told(DMR_NL_EVENT_SLOW, at, 1);
			play((seed >> 20) % 4);
		}
		play(1000);
		/* With a last touch each hole would be found; there are to be none. */
		assert_int_equal(saved(50000, count), count);
	}
	portion = 64;
}

/* It becomes slow again later, elsewhere and where it was measured as fast before. */
static void again(void **unused)
{
	new_disk(50000, 20, SLOW);
	told(DMR_NL_EVENT_SLOW, 50005, 1);
	play(1000);
	assert_int_equal(saved(50000, 20), 20);
	memset(disk + 50100, SLOW, 50);
	now += 5 * SECOND;
	told(DMR_NL_EVENT_SLOW, 50110, 1);
	play(1000);
	assert_int_equal(saved(50100, 50), 50);
}

/* Places all over the disk: nothing is gained by moving them. */
static void busy_device(void **unused)
{
	unsigned int i, n = 0;

	new_disk(0, 0, FAST);
	memset(disk, SLOW, sizeof(disk));
	for (i = 0; i < 500; i++) {
		told(DMR_NL_EVENT_SLOW, i * 7919 % BLOCKS, 1);
		n += play(1);
		now += SECOND / 10;
	}
	assert_true(n < 50);
	assert_true(saved(0, BLOCKS) < 3000);
	/* An hour later one place is. */
	now += 3600 * SECOND;
	memset(disk, FAST, sizeof(disk));
	memset(disk + 90000, SLOW, 10);
	told(DMR_NL_EVENT_SLOW, 90005, 1);
	play(100);
	assert_int_equal(saved(90000, 10), 10);
}

/* A device that was busy by a clock that was set back is not busy until that is made up. */
static void busy_later(void **unused)
{
	unsigned int i;

	new_disk(0, 0, FAST);
	for (i = 0; i < 20; i++)
		told(DMR_NL_EVENT_SLOW, i * 4096, 1);
	memset(disk + 20500, SLOW, 10);
	now -= DAY;
	told(DMR_NL_EVENT_SLOW, 20505, 1);
	now += 3600 * SECOND;
	told(DMR_NL_EVENT_SLOW, 20505, 1);
	play(100);
	assert_int_equal(saved(20500, 10), 10);
}

/* A region that is dead is not walked through, and what lies at its edge is saved. */
static void dead_region(void **unused)
{
	new_disk(50000, 5000, DEAD);
	told(DMR_NL_EVENT_LOST, 52000, 1);
	play(1000);
	assert_int_equal(saved(0, BLOCKS), 0);
	assert_true(tested <= 32);
	now += 10 * SECOND;
	told(DMR_NL_EVENT_LOST, 50003, 1);
	play(1000);
	assert_true(saved(49990, 10) >= 5);
	assert_true(tested <= 100);
}

/* What we do ourselves is told too, and must not feed itself. */
static void feedback(void **unused)
{
	new_disk(0, 0, FAST);
	told(DMR_NL_EVENT_LOST, 50000, 1);
	assert_true(play(1000) <= 2);
	assert_int_equal(saved(0, BLOCKS), 16);
	assert_int_equal(tested, 16);
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(newest_first), TEST(unconditional_stays), TEST(bounded), TEST(overlaps),
		TEST(budget), TEST(reserve), TEST(neighbours), TEST(what_is_no_evidence),
		TEST(switched_off), TEST(hostile), TEST(storm), TEST(slow_region),
		TEST(busy_reader), TEST(any_order), TEST(again), TEST(busy_device),
		TEST(busy_later), TEST(dead_region), TEST(feedback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
