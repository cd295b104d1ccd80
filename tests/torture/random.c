// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Everything at random, for as long as wanted: I/O of all kinds and sizes, faults
 * that come and go, messages, suspends, reloads and restarts, spares that come, go,
 * die and return, a data device that is gone for a while. No crashes: what was
 * acknowledged is there at once, and every read is judged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tools/common.h"
#include "workload.h"

#define STRETCH		200	/* I/Os until everything is read */
#define STRETCHES	8	/* with one set */
#define READ_SIZE	128
#define MUCH_MEMORY	(300ul << 20)
#define BREAKER_CLOSES	2500000	/* microseconds, with some to spare */

#define IO(r, w, fua, flush, zero, discard) { r, w, fua, flush, zero, discard }

static const struct profile kinds[] = {
	{ "two-spares", SHAPE_HEADER, 8, SPARE_1, 2, STRETCH, 512, IO(50, 40, 12, 6, 5, 5),
	  { [BAD_WRITES] = 15, [BAD_SECTORS] = 4, [DECAY] = 20, [HEAL] = 10, [BAD_SLOTS] = 8,
	    [SLOT_DECAY] = 8, [BAD_FRAMES] = 1, [RELOCATE] = 25, [RELEASE] = 30,
	    [UNREADABLE] = 8, [POLICY] = 8, [RESTART] = 4, [SUSPEND] = 15, [RELOAD] = 10,
	    [SCRUB] = 6 } },
	{ "adopted", SHAPE_ADOPTED, 8, SPARE_1, 1, STRETCH, 384, IO(50, 40, 12, 6, 5, 5),
	  { [BAD_WRITES] = 15, [DECAY] = 20, [HEAL] = 10, [RELOCATE] = 25, [RELEASE] = 30,
	    [UNREADABLE] = 8, [RESTART] = 4, [SUSPEND] = 15, [RELOAD] = 10, [SCRUB] = 6 } },
	{ "spare-comes", SHAPE_HEADER, 8, SPARE_1, 1, STRETCH, 256, IO(50, 40, 12, 6, 5, 5),
	  { [BAD_WRITES] = 20, [DECAY] = 10, [HEAL] = 10, [RELOCATE] = 20, [RELEASE] = 20,
	    [SUSPEND] = 10 }, SPARE_ADDED },
	{ "small-blocks", -1, 1, SPARE_1, 1, STRETCH, 200, IO(50, 40, 12, 6, 5, 5),
	  { [BAD_WRITES] = 20, [DECAY] = 20, [HEAL] = 20, [RELOCATE] = 40, [RELEASE] = 60,
	    [RESTART] = 4, [SUSPEND] = 10, [SCRUB] = 6 }, .moved = 300 },
	{ "internal", SHAPE_INTERNAL, -1, SPARE_1, 1, STRETCH, 512, IO(50, 40, 12, 6, 5, 5),
	  { [BAD_WRITES] = 12, [DECAY] = 20, [HEAL] = 10, [RELOCATE] = 25, [RELEASE] = 30,
	    [UNREADABLE] = 8, [POLICY] = 8, [RESTART] = 4, [SUSPEND] = 15, [RELOAD] = 10 } },
	{ "tight", -1, 8, SPARE_SMALL, 1, STRETCH, 512, IO(50, 40, 12, 6, 5, 5),
	  { [BAD_WRITES] = 40, [DECAY] = 20, [HEAL] = 30, [RELOCATE] = 20, [RELEASE] = 40,
	    [RESTART] = 4, [SUSPEND] = 10 }, .may_fail = true },
	{ "spare-returns", SHAPE_HEADER, 8, SPARE_1, 2, STRETCH, 256, IO(50, 40, 12, 6, 5, 5),
	  { [BAD_WRITES] = 20, [RELOCATE] = 15, [RELEASE] = 15 }, SPARE_RETURNS,
	  .may_fail = true },
	{ "bad-flushes", -1, 8, SPARE_1, 2, STRETCH, 256, IO(50, 40, 12, 10, 5, 5),
	  { [BAD_WRITES] = 20, [DECAY] = 20, [HEAL] = 20, [RELOCATE] = 20, [RELEASE] = 40,
	    [BAD_FLUSHES] = 4, [RESTART] = 4, [SUSPEND] = 10, [RELOAD] = 6 },
	  .may_fail = true },
	{ "data-goes", -1, 8, SPARE_1, 2, STRETCH, 256, IO(50, 40, 12, 6, 5, 5),
	  { [BAD_WRITES] = 10, [DECAY] = 10, [RELOCATE] = 10, [RELEASE] = 10 }, DATA_GOES },
	{ "large-blocks", -1, 32, SPARE_1, 2, STRETCH, 1024, IO(50, 40, 12, 6, 5, 5),
	  { [BAD_WRITES] = 8, [DECAY] = 25, [HEAL] = 10, [RELOCATE] = 20, [RELEASE] = 30,
	    [UNREADABLE] = 10, [RESTART] = 4, [SUSPEND] = 10 } },
};

static uint64_t seed;
static double end;
static unsigned int rounds, bad_rounds;

/* Every read is judged as it ends. */
static void read_all_sectors(struct work *w)
{
	for (uint32_t at = 0; at < w->set.length; at += READ_SIZE)
		io_start(IO_READ, at, w->set.length - at < READ_SIZE ? w->set.length - at :
								       READ_SIZE);
	io_wait(0);
}

static void stretch(struct work *w, unsigned int nr)
{
	const struct profile *p = w->profile;
	static struct profile rest;

	/* Some incidents come once, others again and again. */
	rest = *p;
	if (nr) {
		rest.moved = 0;
		w->profile = &rest;
	}
	work_steps(w, p->steps, p->incident != NOTHING && (p->incident == DATA_GOES ||
							   p->incident == SPARE_RETURNS ||
							   !nr));
	w->profile = p;
	read_all_sectors(w);
	model_prune(w->model, last_moment());
	if (memory_mark() > MUCH_MEMORY)
		memory_compact();
}

static void one_round(unsigned int nr)
{
	const struct profile *p = &kinds[nr % ARRAY_SIZE(kinds)];
	unsigned long before = wrong, io = 0;
	double begin = now();
	static struct state zeroes;
	struct work w;

	if (!zeroes.disk[0].content)
		state_init(&zeroes);
	snprintf(doing, sizeof(doing), "round %u, %s", nr, p->name);
	disks_heal();
	disks_set(&zeroes);
	memory_release(0);
	disks_seed(mix(seed, nr));
	for (unsigned int i = 0; i < IO_KINDS; i++)
		io -= io_done[i];
	work_prepare(&w, p, mix(seed, nr));
	work_start(&w);
	for (unsigned int i = 0; i < STRETCHES && wrong == before && now() < end; i++) {
		snprintf(doing, sizeof(doing), "round %u, %s, stretch %u", nr, p->name, i);
		stretch(&w, i);
	}
	/* And once more when all of it was read from the disks. */
	if (!w.dead) {
		work_stop(&w);
		work_start(&w);
		read_all_sectors(&w);
	}
	work_stop(&w);
	model_free(w.model);
	for (unsigned int i = 0; i < IO_KINDS; i++)
		io += io_done[i];
	rounds++;
	bad_rounds += wrong != before;
	printf("# round %u: %s: %lu I/Os, %lu wrong, %.1f s\n", nr, p->name, io,
	       wrong - before, now() - begin);
	if (wrong != before)
		printf("# again: %s ROUND=%u\n", getenv("TORTURE_COMMAND"), nr);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[NR_DISKS] = DISK_SIZES;
	static const char *const names[] = {
		"reads", "writes", "FUA writes", "flushes", "zeroes", "discards",
	};

	if (argc < 3) {
		fputs("usage: random SEED SECONDS [ROUND]\n", stderr);
		return 2;
	}
	seed = strtoull(argv[1], NULL, 0);
	dm_init();
	disks_start(NR_DISKS, sizes, seed);
	end = now() + atof(argv[2]);
	if (argc > 3)
		one_round(atoi(argv[3]));
	for (unsigned int i = 0; argc == 3 && (!i || now() < end); i++)
		one_round(i);
	printf("# seed %llu: %u rounds", (unsigned long long)seed, rounds);
	for (unsigned int i = 0; i < IO_KINDS; i++)
		printf(", %lu %s (%lu failed)", io_done[i], names[i], io_failed[i]);
	printf("\n%u passed, %u failed\n", rounds - bad_rounds, bad_rounds);
	return wrong || !rounds;
}
