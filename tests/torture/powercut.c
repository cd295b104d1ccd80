// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Power cuts. Episodes of work on a fresh set are recorded; for many moments of
 * each the disks are given what they would hold if the power had been cut then, the
 * set is started by the real module, and every sector is judged by the model. Of
 * some of these starts the power is cut again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tools/common.h"
#include "powercut.h"

#define AGAIN		3	/* cuts of a start after a cut */
#define MAX_MARKS	65536
#define MAX_LENGTH	8192	/* sectors of a set */

struct totals totals;
uint64_t master_seed;
unsigned int cuts_wanted;
long only_cut = -1;

static uint32_t marks[MAX_MARKS], nr_marks;

/* --- Which moments ------------------------------------------------------- */

void mark_moment(uint32_t at)
{
	if (nr_marks < MAX_MARKS)
		marks[nr_marks++] = at;
}

/* Each boundary of a flush or FUA write on any disk: just before and just behind. */
static void mark_boundaries(const struct log *log)
{
	for (uint32_t i = 0; i < log->nr; i++) {
		const struct request *r = &log->requests[i];

		if (r->kind != DISK_FLUSH && !r->fua)
			continue;
		mark_moment(r->answered - 1);
		mark_moment(r->answered);
	}
}

static int by_moment(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

uint32_t choose_moments(const struct log *log, uint64_t seed, uint32_t *at, uint32_t nr)
{
	uint32_t n = 0, unique = 0;

	mark_boundaries(log);
	qsort(marks, nr_marks, sizeof(*marks), by_moment);
	for (uint32_t i = 0; i < nr_marks; i++)
		if (marks[i] >= log->begin && marks[i] <= log->end &&
		    (!unique || marks[unique - 1] != marks[i]))
			marks[unique++] = marks[i];
	totals.boundaries += unique;
	/* Two of three at a boundary, if there are so many. */
	for (uint32_t want = nr * 2 / 3; n < want && unique; n++) {
		uint32_t i = mix(seed, n) % unique;

		at[n] = marks[i];
		marks[i] = marks[--unique];
	}
	totals.at_boundaries += n;
	for (; n < nr; n++)
		at[n] = log->begin + mix(seed, n) % (log->end - log->begin + 1);
	nr_marks = 0;
	return n;
}

/* --- After a failure ----------------------------------------------------- */

static void save_disks(const struct state *s)
{
	char path[256];

	for (unsigned int i = 0; i < nr_disks; i++) {
		FILE *file;

		snprintf(path, sizeof(path), "%s-disk%u.img", getenv("TORTURE_SAVE"), i);
		file = fopen(path, "w");
		if (!file)
			return;
		for (uint32_t n = 0; n < disk_sectors[i]; n++)
			fwrite(s->disk[i].content[n], SECTOR, 1, file);
		fclose(file);
	}
	printf("# the disks as they were started are kept in %s-disk*.img\n",
	       getenv("TORTURE_SAVE"));
}

void report_cut(unsigned long before, const struct state *s)
{
	static bool saved;

	totals.cuts++;
	if (wrong == before)
		return;
	totals.failed++;
	printf("# again: %s EPISODE=%u CUT=%ld\n", getenv("TORTURE_COMMAND"), totals.episode,
	       totals.cut);
	if (!saved && getenv("TORTURE_SAVE"))
		save_disks(s);
	saved = true;
	fflush(stdout);
}

/* --- One cut ------------------------------------------------------------- */

/* The table without one of the spares. */
static void without(const struct work *w, unsigned int spare, const char *args, char *out,
		    size_t size)
{
	char path[32], copy[256], *at, *features;
	int count = 0, skip = 0;

	snprintf(path, sizeof(path), " /dev/nbd%u", w->set.spare[spare]);
	snprintf(copy, sizeof(copy), "%s", args);
	at = strstr(copy, path);
	if (at)
		memmove(at, at + strlen(path), strlen(at + strlen(path)) + 1);
	features = strrchr(copy, '/');
	features += strcspn(features, " ");
	if (sscanf(features, " %d%n", &count, &skip) != 1)
		count = skip = 0;
	snprintf(out, size, "%.*s %d%s degraded", (int)(features - copy), copy, count + 1,
		 features + skip);
}

/*
 * Start it; whoever does this does not know which table is the right one. @away: a spare that
 * is not there, or negative.
 */
static bool start_any(struct work *w, uint32_t at, int away, char *used, size_t size)
{
	char reasons[600] = "";
	size_t n = 0;

	for (int i = w->set.nr_tables - 1; i >= 0; i--) {
		const struct table *t = &w->set.tables[i];

		if (t->since > at)
			continue;
		if (away >= 0)
			without(w, away, t->args, used, size);
		else
			snprintf(used, size, "%s", t->args);
		if (!set_start_with(&w->set, used))
			return true;
		n += snprintf(reasons + n, sizeof(reasons) - n, "%s%s", n ? "; " : "",
			      set_reason);
		if (n >= sizeof(reasons))
			n = sizeof(reasons) - 1;
	}
	found_wrong("the set does not start (%s)", reasons);
	return false;
}

/* @away: what lives on a spare is not there, which is no loss. */
static void judge(const struct work *w, const struct seen *seen, uint32_t at, bool away)
{
	char is[128], text[512];

	for (uint32_t s = 0; s < w->set.length; s++) {
		totals.errors += seen[s].error && !away;
		if ((away && seen[s].error) || model_allows_cut(w->model, s, &seen[s], at))
			continue;
		describe(&seen[s], is, sizeof(is));
		model_explain(w->model, s, at, text, sizeof(text));
		found_wrong("sector %u reads as %s; allowed: %s (cut at %u)", s, is, text, at);
		return;
	}
	totals.sectors += w->set.length;
}

static void compare(const struct work *w, const struct seen *one, const struct seen *two)
{
	char was[128], is[128];

	for (uint32_t s = 0; s < w->set.length; s++) {
		if (one[s].error ? two[s].error :
				   !two[s].error && one[s].version == two[s].version)
			continue;
		describe(&one[s], was, sizeof(was));
		describe(&two[s], is, sizeof(is));
		found_wrong("sector %u reads as %s, and as %s after another start", s, was, is);
		return;
	}
}

static struct seen *seen_buffer(unsigned int which)
{
	static struct seen *buffers[3];

	if (!buffers[which])
		buffers[which] = calloc(MAX_LENGTH, sizeof(struct seen));
	return buffers[which];
}

/* Some more work after the start, so that what was recovered is built upon. */
static void work_on(struct work *w, const struct seen *seen, uint32_t at, uint64_t seed)
{
	static struct profile p;

	p = *w->profile;
	p.rate[RESTART] = p.rate[SUSPEND] = 0;
	p.incident = NOTHING;
	p.moved = 0;
	w->profile = &p;
	w->random = seed;
	w->model = model_after(w->model, seen, at);
	io_may_fail = p.may_fail || w->dead;
	io_open(&w->set, w->model);
	work_steps(w, 8 + work_random(w, 12), false);
	io_close();
}

/* The power is cut again in what was recorded since the first cut. */
static void cut_again(struct work *w, const struct log *log, uint64_t seed,
		      const char *table)
{
	struct seen *seen = seen_buffer(1);
	static struct state s;
	uint32_t moments[AGAIN];
	char first[sizeof(doing)];

	if (!s.disk[0].content)
		state_init(&s);
	snprintf(first, sizeof(first), "%s", doing);
	choose_moments(log, seed, moments, AGAIN);
	for (unsigned int i = 0; i < AGAIN; i++) {
		enum cut_way way = mix(seed, 100 + i) % CUT_WAYS;
		unsigned long before = wrong;
		size_t mark = memory_mark();

		snprintf(doing, sizeof(doing), "%.180s, second cut at %u of %u to %u, way %u",
			 first, moments[i], log->begin, log->end, way);
		cut_state(log, moments[i], way, mix(seed, 200 + i), &s);
		disks_set(&s);
		if (!set_start_with(&w->set, table)) {
			set_read(&w->set, seen);
			judge(w, seen, moments[i], false);
			set_stop();
		} else {
			found_wrong("the set does not start (%s)", set_reason);
		}
		totals.second++;
		report_cut(before, &s);
		memory_release(mark);
	}
	snprintf(doing, sizeof(doing), "%s", first);
}

/*
 * The set is used once without one of its spares, as it was at the cut. Nothing is written, so
 * that all is as before when it is back.
 */
static void start_without(struct work *w, uint32_t at, uint64_t seed, struct seen *seen)
{
	unsigned int least = w->set.shape == SHAPE_ADOPTED ? 2 : 1;
	char table[300];

	if (seed % 3 || w->set.nr_spares < least)
		return;
	if (!start_any(w, at, mix(seed, 1) % w->set.nr_spares, table, sizeof(table)))
		return;
	totals.without++;
	set_read(&w->set, seen);
	judge(w, seen, at, true);
	if (set_stop())
		found_wrong("the set can not be stopped");
}

static void one_cut(struct work *w, const struct log *log, uint32_t at, uint64_t seed)
{
	static struct state s;
	static struct log second;
	enum cut_way way = seed % CUT_WAYS;
	bool again = mix(seed, 1) % 6 == 0, restart = mix(seed, 2) % 8 == 0;
	struct seen *seen = seen_buffer(0);
	unsigned long before = wrong;
	size_t mark = memory_mark();
	struct work after = *w;
	char table[300];

	if (!s.disk[0].content)
		state_init(&s);
	snprintf(doing, sizeof(doing), "%s, episode %u, cut %ld at %u of %u to %u, way %u",
		 w->profile->name, totals.episode, totals.cut, at, log->begin, log->end, way);
	cut_state(log, at, way, mix(seed, 3), &s);
	/* A disk that died may be back with the power. */
	after.dead = false;
	for (unsigned int i = 0; i < nr_disks; i++) {
		if (s.disk[i].dead && (mix(seed, 4) & 1 || w->set.nr_spares < 2))
			s.disk[i].dead = false;
		after.dead |= s.disk[i].dead;
	}
	disks_set(&s);
	if (!after.dead)
		start_without(w, at, mix(seed, 7), seen);
	if (again)
		log_begin(&second);
	if (!start_any(w, at, after.dead ? 1 : -1, table, sizeof(table))) {
		if (again)
			log_end();
		report_cut(before, &s);
		memory_release(mark);
		return;
	}
	set_read(&w->set, seen);
	judge(w, seen, at, false);
	if (again)
		work_on(&after, seen, at, mix(seed, 5));
	if (set_stop())
		found_wrong("the set can not be stopped");
	if (again)
		log_end();
	if (restart && !again) {
		if (set_start_with(&w->set, table)) {
			found_wrong("the set does not start again (%s)", set_reason);
		} else {
			set_read(&w->set, seen_buffer(2));
			compare(w, seen, seen_buffer(2));
			set_stop();
		}
	}
	report_cut(before, &s);
	if (again) {
		cut_again(&after, &second, mix(seed, 6), table);
		model_free(after.model);
	}
	memory_release(mark);
}

/* --- Episodes ------------------------------------------------------------ */

static void episode(const struct profile *p, uint64_t seed)
{
	static struct log log;
	unsigned int nr = CUTS_OF_EPISODE;
	uint32_t moments[CUTS_OF_EPISODE];
	struct work w;

	snprintf(doing, sizeof(doing), "%s, episode %u", p->name, totals.episode);
	disks_heal();
	memory_release(0);
	disks_seed(seed);
	work_prepare(&w, p, seed);
	log_begin(&log);
	work_start(&w);
	work_steps(&w, p->steps, p->incident != NOTHING);
	if (mix(seed, 8) & 1)
		work_stop(&w);
	log_end();
	if (mix(seed, 8) & 1)
		;
	else
		work_stop(&w);
	choose_moments(&log, mix(seed, 9), moments, nr);
	totals.requests += log.nr;
	for (unsigned int i = 0; i < nr && totals.cuts < cuts_wanted; i++) {
		totals.cut = i;
		if (only_cut < 0 || only_cut == i)
			one_cut(&w, &log, moments[i], mix(seed, 1000 + i));
	}
	model_free(w.model);
}

static void clean_disks(void)
{
	static struct state s;

	if (!s.disk[0].content)
		state_init(&s);
	disks_set(&s);
}

static void one_episode(unsigned int nr)
{
	unsigned long cuts = totals.cuts, failed = totals.failed, errors = totals.errors;
	unsigned int kind = nr % (nr_profiles + CREATE_KINDS);
	double begin = now();
	const char *name;

	totals.episode = nr;
	clean_disks();
	if (kind < nr_profiles) {
		name = profiles[kind].name;
		episode(&profiles[kind], mix(master_seed, nr));
	} else {
		name = create_episode(kind - nr_profiles, mix(master_seed, nr));
	}
	printf("# episode %u: %s: %lu cuts, %lu wrong, %lu sectors lost, %.1f s\n", nr, name,
	       totals.cuts - cuts, totals.failed - failed, totals.errors - errors,
	       now() - begin);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[NR_DISKS] = DISK_SIZES;
	long only = argc > 3 ? atol(argv[3]) : -1;
	double begin;

	if (argc < 3) {
		fputs("usage: powercut SEED COUNT [EPISODE [CUT]]\n", stderr);
		return 2;
	}
	master_seed = strtoull(argv[1], NULL, 0);
	cuts_wanted = strtoul(argv[2], NULL, 0);
	if (argc > 4)
		only_cut = atol(argv[4]);
	dm_init();
	disks_start(NR_DISKS, sizes, master_seed);
	begin = now();
	io_promised = mark_moment;
	if (only >= 0)
		one_episode(only);
	for (unsigned int i = 0; only < 0 && totals.cuts < cuts_wanted; i++)
		one_episode(i);
	printf("# seed %llu: %lu cuts (%lu of them a second time; %lu at one of %lu boundaries; "
	       "%lu with a start without a spare) in %u episodes of %lu requests; %lu sectors judged, %lu of them lost; %.0f s\n",
	       (unsigned long long)master_seed, totals.cuts, totals.second,
	       totals.at_boundaries, totals.boundaries, totals.without, totals.episode + 1, totals.requests,
	       totals.sectors, totals.errors, now() - begin);
	printf("# I/O: %lu reads, %lu writes, %lu FUA, %lu flushes, %lu zeroes, %lu discards; "
	       "%lu writes and %lu flushes failed\n", io_done[IO_READ], io_done[IO_WRITE],
	       io_done[IO_FUA], io_done[IO_FLUSH], io_done[IO_ZERO], io_done[IO_DISCARD],
	       io_failed[IO_WRITE] + io_failed[IO_FUA], io_failed[IO_FLUSH]);
	/* What went wrong before any cut counts too. */
	printf("%lu passed, %lu failed\n", totals.cuts - totals.failed,
	       totals.failed ? totals.failed : !!wrong);
	return wrong || !totals.cuts;
}
