// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Power cuts of "dmremapctl create" and "destroy". Wherever they are cut, the set
 * can be started, or there is none and a new one can be made; data that was taken
 * in where it lay is never touched.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tools/common.h"
#include "powercut.h"

#define CUTS	16

static bool adopt;
static uint64_t version;

static int create(void)
{
	return run_program("dmremapctl create " NAME " --data /dev/nbd%u --spare /dev/nbd%u "
			   "--map-entries 500 --force %s 2>&1", CREATE_DATA, CREATE_SPARE,
			   adopt ? "--adopt" : "");
}

static int start(void)
{
	return run_program("dmremapctl start " NAME " --data /dev/nbd%u --spare /dev/nbd%u 2>&1",
			   CREATE_DATA, CREATE_SPARE);
}

static int stop(void)
{
	return run_program("dmremapctl stop " NAME " 2>&1");
}

static int destroy(void)
{
	return run_program("dmremapctl destroy " NAME " --force --device /dev/nbd%u "
			   "--device /dev/nbd%u 2>&1", CREATE_DATA, CREATE_SPARE);
}

static void fill_disks(void)
{
	uint8_t *buf = aligned((size_t)disk_sectors[CREATE_DATA] * SECTOR);

	version = 1;
	fill(buf, 0, disk_sectors[CREATE_DATA], version);
	disk_poke(CREATE_DATA, 0, disk_sectors[CREATE_DATA], buf);
	/* What a spare held once must not matter. */
	fill(buf, 1 << 20, disk_sectors[CREATE_SPARE], 77);
	disk_poke(CREATE_SPARE, 0, disk_sectors[CREATE_SPARE], buf);
	free(buf);
}

/* What lies on the data device is what lay there. */
static void judge_data(const struct state *s)
{
	struct seen seen;

	for (uint32_t n = 0; adopt && n < disk_sectors[CREATE_DATA]; n++) {
		look(s->disk[CREATE_DATA].content[n], &seen);
		if (seen.version == version && seen.sector == n)
			continue;
		found_wrong("sector %u of an adopted device was written to", n);
		return;
	}
}

/* All of the set can be read, and is what was taken in. */
static void judge_set(void)
{
	static uint8_t *buf;
	int fd = dm_open(NAME, O_RDONLY | O_DIRECT);
	uint64_t sectors = device_bytes(fd) / SECTOR;
	struct seen seen;

	if (!buf)
		buf = aligned(256 * SECTOR);
	for (uint64_t at = 0; at < sectors; at += 256) {
		size_t size = (sectors - at < 256 ? sectors - at : 256) * SECTOR;

		if (pread(fd, buf, size, at * SECTOR) != (ssize_t)size) {
			found_wrong("sector %llu of the new set can not be read: %m",
				    (unsigned long long)at);
			break;
		}
		look(buf, &seen);
		if (adopt && (seen.version != version || seen.sector != at)) {
			found_wrong("sector %llu of the new set is not what it was",
				    (unsigned long long)at);
			break;
		}
	}
	totals.sectors += sectors;
	close(fd);
}

static char *first_line(void)
{
	run_output[strcspn(run_output, "\n")] = '\0';
	return run_output;
}

/* @must: the set is there for certain. */
static void judge_cut(bool must)
{
	if (!start()) {
		judge_set();
		if (stop())
			found_wrong("it can not be stopped: %s", first_line());
		return;
	}
	if (must) {
		found_wrong("the set was there and does not start: %s", first_line());
		return;
	}
	if (!run_output[0])
		found_wrong("the set is refused without a word");
	/* Nothing stands in the way of another try, but for a rest that can be destroyed. */
	if (create() && (destroy() || create())) {
		found_wrong("no new set can be made: %s", first_line());
		return;
	}
	judge_set();
	if (stop())
		found_wrong("it can not be stopped: %s", first_line());
}

const char *create_episode(unsigned int kind, uint64_t seed)
{
	static const char *const names[] = { "create", "destroy" };
	static struct log log;
	static struct state s;
	uint32_t moments[CUTS], done;

	if (!s.disk[0].content)
		state_init(&s);
	adopt = seed & 1;
	snprintf(doing, sizeof(doing), "%s, episode %u", names[kind], totals.episode);
	memory_release(0);
	disks_seed(seed);
	fill_disks();
	if (kind && (create() || stop()))
		die("%s: %s", doing, run_output);
	log_begin(&log);
	if (kind ? destroy() : create())
		found_wrong("%s", run_output);
	done = moment();
	mark_moment(done);
	if (!kind && stop())
		found_wrong("it can not be stopped: %s", run_output);
	log_end();
	choose_moments(&log, mix(seed, 9), moments, CUTS);
	totals.requests += log.nr;
	for (unsigned int i = 0; i < CUTS && totals.cuts < cuts_wanted; i++) {
		enum cut_way way = mix(seed, 2000 + i) % CUT_WAYS;
		unsigned long before = wrong;
		size_t mark = memory_mark();

		totals.cut = i;
		if (only_cut >= 0 && only_cut != i)
			continue;
		snprintf(doing, sizeof(doing), "%s%s, episode %u, cut %u at %u of %u to %u, "
			 "way %u", names[kind], adopt ? " (adopted)" : "", totals.episode, i,
			 moments[i], log.begin, log.end, way);
		cut_state(&log, moments[i], way, mix(seed, 3000 + i), &s);
		judge_data(&s);
		disks_set(&s);
		judge_cut(!kind && moments[i] >= done);
		report_cut(before, &s);
		memory_release(mark);
	}
	return names[kind];
}
