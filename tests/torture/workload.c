// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The random mixture itself. Everything is decided by one thread from one seed;
 * only the order in which the kernel does it is its own.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tools/common.h"
#include "workload.h"

#define IO(r, w, fua, flush, zero, discard) { r, w, fua, flush, zero, discard }

const struct profile profiles[] = {
	{ "bad-blocks", -1, 8, SPARE_1, 2, 160, 384, IO(10, 50, 20, 12, 3, 3),
	  { [BAD_WRITES] = 120, [BAD_SECTORS] = 15, [HEAL] = 20, [POLICY] = 5 } },
	{ "lost-blocks", -1, 8, SPARE_1, 1, 160, 256, IO(15, 45, 20, 12, 3, 5),
	  { [DECAY] = 150, [UNREADABLE] = 40, [BAD_SECTORS] = 20, [HEAL] = 20, [POLICY] = 30 } },
	{ "relocate", -1, -1, SPARE_1, 2, 120, 512, IO(10, 50, 15, 12, 3, 3),
	  { [RELOCATE] = 150, [BAD_WRITES] = 30, [DECAY] = 20 } },
	{ "release", -1, 8, SPARE_SMALL, 1, 160, 192, IO(10, 50, 15, 10, 3, 3),
	  { [RELOCATE] = 120, [RELEASE] = 150, [BAD_WRITES] = 10, [HEAL] = 30,
	    [UNREADABLE] = 40, [SLOT_DECAY] = 30 },
	  .may_fail = true },
	{ "bad-flushes", -1, 8, SPARE_1, 2, 160, 256, IO(10, 50, 15, 18, 3, 3),
	  { [BAD_WRITES] = 60, [RELOCATE] = 60, [RELEASE] = 90, [DECAY] = 60,
	    [BAD_FLUSHES] = 60, [HEAL] = 20, [SUSPEND] = 15, [RELOAD] = 15 },
	  .may_fail = true },
	{ "small-blocks", -1, 1, SPARE_1, 1, 160, 96, IO(10, 50, 20, 10, 3, 3),
	  { [BAD_WRITES] = 80, [RELOCATE] = 40, [RELEASE] = 60, [DECAY] = 30 } },
	{ "many-pages", -1, 1, SPARE_1, 1, 100, 640, IO(10, 50, 20, 10, 3, 3),
	  { [BAD_WRITES] = 200, [RELOCATE] = 60, [RELEASE] = 150, [DECAY] = 100 },
	  .moved = 600 },
	{ "large-blocks", -1, 32, SPARE_1, 2, 120, 512, IO(10, 50, 20, 10, 3, 3),
	  { [BAD_WRITES] = 60, [RELOCATE] = 30, [RELEASE] = 50, [DECAY] = 80,
	    [UNREADABLE] = 30 } },
	{ "spare-added", SHAPE_HEADER, 8, SPARE_1, 1, 100, 256, IO(10, 50, 20, 12, 3, 3),
	  { [BAD_WRITES] = 80, [RELOCATE] = 30 }, SPARE_ADDED },
	{ "bad-slots", -1, 8, SPARE_1, 2, 160, 256, IO(15, 50, 20, 12, 3, 3),
	  { [BAD_WRITES] = 100, [BAD_SLOTS] = 200, [SLOT_DECAY] = 60, [BAD_FRAMES] = 25,
	    [RELEASE] = 20 } },
	{ "spare-dies", -1, 8, SPARE_1, 2, 140, 256, IO(10, 50, 20, 12, 3, 3),
	  { [BAD_WRITES] = 100, [RELOCATE] = 30 }, SPARE_DIES, .may_fail = true },
	{ "spare-returns", SHAPE_HEADER, 8, SPARE_1, 2, 140, 256, IO(10, 50, 20, 12, 3, 3),
	  { [BAD_WRITES] = 100, [RELOCATE] = 30 }, SPARE_RETURNS, .may_fail = true },
	{ "spare-leaves", SHAPE_HEADER, 8, SPARE_1, 2, 120, 256, IO(10, 50, 20, 12, 3, 3),
	  { [BAD_WRITES] = 100, [RELOCATE] = 60 }, SPARE_LEAVES },
	{ "full", -1, 8, SPARE_SMALL, 1, 160, 384, IO(15, 50, 20, 12, 3, 3),
	  { [BAD_WRITES] = 250, [RELOCATE] = 20, [RELEASE] = 30, [DECAY] = 30 },
	  .may_fail = true },
	{ "restarts", -1, 8, SPARE_1, 2, 120, 256, IO(10, 50, 20, 12, 3, 3),
	  { [BAD_WRITES] = 60, [RELOCATE] = 30, [RELEASE] = 30, [RESTART] = 25,
	    [SUSPEND] = 25, [DECAY] = 30, [POLICY] = 20 } },
	{ "everything", -1, -1, SPARE_1, 2, 160, 512, IO(20, 50, 15, 10, 4, 4),
	  { [BAD_WRITES] = 60, [BAD_SECTORS] = 10, [DECAY] = 30, [HEAL] = 30,
	    [BAD_SLOTS] = 30, [SLOT_DECAY] = 10, [BAD_FRAMES] = 4, [RELOCATE] = 40,
	    [RELEASE] = 40, [UNREADABLE] = 10, [POLICY] = 10, [RESTART] = 4,
	    [SUSPEND] = 10 } },
};
const unsigned int nr_profiles = ARRAY_SIZE(profiles);

static struct work *current;

uint64_t work_random(struct work *w, uint64_t below)
{
	w->random = mix(w->random, 3);
	return w->random % below;
}

/* --- What jobs do -------------------------------------------------------- */

static char job_text[512], job_answer[512];
static int job_result;

static void send_message(void)
{
	job_result = dm_message(NAME, job_text, job_answer, sizeof(job_answer));
}

static void suspend_resume(void)
{
	job_result = dm_suspend(NAME);
	if (!job_result)
		job_result = dm_resume(NAME);
}

static void reload_newest(void)
{
	const struct set *set = &current->set;

	job_result = set_reload(set, set->tables[set->nr_tables - 1].args);
}

static void add_spare(void)
{
	job_result = run_program("dmremapctl spare add " NAME " /dev/nbd%u --force 2>&1",
				 SPARE_2);
}

static void message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void message(const char *fmt, ...)
{
	va_list args;

	job_wait();
	va_start(args, fmt);
	vsnprintf(job_text, sizeof(job_text), fmt, args);
	va_end(args);
	job_start(send_message);
}

/* --- Faults -------------------------------------------------------------- */

/* Called with the disks locked. */
static void lost(unsigned int disk, uint32_t sector, const uint8_t *content)
{
	model_lost(current->model, content,
		   disk == current->set.data ? (int64_t)sector - current->set.offset : -1);
}

static uint32_t hot_sector(struct work *w)
{
	uint32_t hot = w->profile->hot;

	return work_random(w, work_random(w, 16) ? hot : w->set.length);
}

static void data_fault(struct work *w, uint8_t flags)
{
	uint32_t sector = hot_sector(w), nr = 1 + work_random(w, work_random(w, 4) ? 3 : 20);

	if (sector + nr > w->set.length)
		nr = w->set.length - sector;
	disk_flag(w->set.data, w->set.offset + sector, nr, flags, lost);
}

static unsigned int some_spare(struct work *w)
{
	return w->set.spare[work_random(w, w->set.nr_spares)];
}

static void slot_fault(struct work *w, bool decay)
{
	unsigned int disk = some_spare(w), tries;
	uint32_t sector = 0, end = disk_sectors[disk];
	const uint8_t *content;
	struct seen seen;

	/* Rather one that is in use; only that can be judged if it can not be read. */
	for (tries = 0; tries < 60; tries++) {
		sector = PAYLOAD + work_random(w, end - PAYLOAD);
		disk_peek(disk, sector, &content);
		look(content, &seen);
		if (seen.version && seen.version != ~0ull)
			break;
	}
	if (decay && tries < 60)
		disk_decay(disk, sector, lost);
	else if (!decay)
		disk_flag(disk, sector, 1, BAD_WRITE, lost);
}

static void frame_fault(struct work *w)
{
	uint32_t sector = 128 + work_random(w, FRAMES_END - 128);

	disk_flag(some_spare(w), sector, 1, BAD_WRITE, lost);
}

/* Of the data device and the spares alike. */
static void flush_fault(struct work *w)
{
	unsigned int which = work_random(w, 1 + w->set.nr_spares);

	disk_fail_flushes(which ? w->set.spare[which - 1] : w->set.data, 1 + work_random(w, 2));
}

static void heal(struct work *w)
{
	uint32_t from = work_random(w, w->set.length), nr = 1 + work_random(w, w->set.length / 2);

	if (from + nr > w->set.length)
		nr = w->set.length - from;
	disk_flag(w->set.data, w->set.offset + from, nr, 0, NULL);
}

/* --- Administration ------------------------------------------------------ */

static void some_blocks(struct work *w, uint32_t *block, uint32_t *nr)
{
	uint32_t blocks = w->set.length / w->set.block;

	*block = hot_sector(w) / w->set.block;
	if (*block >= blocks)
		*block = blocks - 1;
	*nr = 1 + work_random(w, work_random(w, 3) ? 6 : 40);
	if (*block + *nr > blocks)
		*nr = blocks - *block;
}

static uint32_t pending_loss;
static bool loss_pending, incident_runs;

static void finish_job(struct work *w)
{
	job_wait();
	if (loss_pending) {
		model_end(w->model, pending_loss, job_result != 0);
		loss_pending = false;
	}
}

static void lose(struct work *w)
{
	uint32_t sector = hot_sector(w), nr = 1 + work_random(w, 12);

	if (sector + nr > w->set.length)
		nr = w->set.length - sector;
	pending_loss = model_begin(w->model, OP_LOSE, sector, nr, false);
	loss_pending = true;
	message("unreadable %u %u", sector, nr);
}

static void policy(struct work *w)
{
	static const char *const texts[] = {
		"heal spare", "heal in-place", "unreadable retry", "unreadable fail",
		"retries 1", "retries 0", "slow-ms 100",
	};

	message("policy %s", texts[work_random(w, ARRAY_SIZE(texts))]);
}

static void restart(struct work *w)
{
	int r;

	finish_job(w);
	io_close();
	r = set_stop();
	if (r)
		found_wrong("the set can not be stopped: %s", strerror(-r));
	work_start(w);
}

static void happen(struct work *w, enum happening what)
{
	uint32_t block, nr;

	/* What the incident answers is still of interest. */
	if (what >= RELOCATE && incident_runs)
		return;
	w->counts[what]++;
	if (what >= RELOCATE)
		finish_job(w);
	switch (what) {
	case BAD_WRITES: data_fault(w, BAD_WRITE); break;
	case BAD_SECTORS: data_fault(w, BAD_READ | BAD_WRITE); break;
	case DECAY: disk_decay(w->set.data, w->set.offset + hot_sector(w), lost); break;
	case HEAL: heal(w); break;
	case BAD_SLOTS: slot_fault(w, false); break;
	case SLOT_DECAY: slot_fault(w, true); break;
	case BAD_FRAMES: frame_fault(w); break;
	case BAD_FLUSHES: flush_fault(w); break;
	case RELOCATE:
	case RELEASE:
		some_blocks(w, &block, &nr);
		message("%s %u %u", what == RELOCATE ? "relocate" : "release", block, nr);
		break;
	case UNREADABLE: lose(w); break;
	case POLICY: policy(w); break;
	case RESTART: restart(w); break;
	case SUSPEND: job_start(suspend_resume); break;
	case RELOAD: job_start(reload_newest); break;
	case SCRUB: message("scrub %s", work_random(w, 3) ? "start" : "cancel"); break;
	default: break;
	}
}

/* Another table may be the right one from now on. */
static struct table *new_table(struct work *w)
{
	struct table *t = &w->set.tables[w->set.nr_tables++];

	t->since = moment();
	return t;
}

/* The table of a set with a header, with these spares. */
static void table_with(struct work *w, const char *spares)
{
	snprintf(new_table(w)->args, sizeof(w->set.tables[0].args),
		 "/dev/nbd%u%s 2 data_offset %u", w->set.data, spares, w->set.offset);
}

static void incident(struct work *w)
{
	char text[64];

	finish_job(w);
	incident_runs = w->profile->incident == SPARE_ADDED ||
			w->profile->incident == SPARE_LEAVES ||
			w->profile->incident == DATA_GOES;
	switch (w->profile->incident) {
	case SPARE_ADDED:
		snprintf(text, sizeof(text), " /dev/nbd%u /dev/nbd%u", SPARE_1, SPARE_2);
		table_with(w, text);
		job_start(add_spare);
		w->set.spare[w->set.nr_spares++] = SPARE_2;
		break;
	case SPARE_DIES:
	case SPARE_RETURNS:
		disk_die(w->set.spare[1], true, lost);
		w->dead = true;
		break;
	case DATA_GOES:
		io_may_fail = io_reads_may_fail = true;
		disk_die(w->set.data, true, NULL);
		break;
	case SPARE_LEAVES:
		snprintf(text, sizeof(text), " /dev/nbd%u", SPARE_1);
		table_with(w, text);
		message("evacuate 2");
		break;
	default:
		break;
	}
}

/* What an incident needs at the end. */
static void incident_ends(struct work *w)
{
	finish_job(w);
	incident_runs = false;
	switch (w->profile->incident) {
	case SPARE_ADDED:
		if (job_result)
			found_wrong("spare add: %s", run_output);
		break;
	case SPARE_LEAVES:
		if (job_result) {
			found_wrong("evacuate fails: %s", strerror(-job_result));
			break;
		}
		w->set.nr_spares = 1;
		job_start(reload_newest);
		job_wait();
		if (job_result)
			found_wrong("a reload fails: %s", strerror(-job_result));
		break;
	case DATA_GOES:
		io_wait(0);
		disk_die(w->set.data, false, NULL);
		/* Until the breaker has seen it. */
		usleep(2500000);
		/* The next flush tells what failed meanwhile. */
		io_start(IO_FLUSH, 0, 0);
		io_wait(0);
		io_may_fail = w->profile->may_fail;
		io_reads_may_fail = false;
		break;
	case SPARE_RETURNS:
		io_close();
		set_stop();
		disk_die(w->set.spare[1], false, NULL);
		w->dead = false;
		work_start(w);
		break;
	default:
		break;
	}
}

/* --- Steps --------------------------------------------------------------- */

static void one_io(struct work *w)
{
	unsigned int sum = 0, pick, kind;
	uint32_t sector, nr;

	for (kind = 0; kind < IO_KINDS; kind++)
		sum += w->profile->io[kind];
	pick = work_random(w, sum);
	for (kind = 0; pick >= w->profile->io[kind]; kind++)
		pick -= w->profile->io[kind];
	nr = 1 + work_random(w, work_random(w, 3) ? 8 : 64);
	if (!work_random(w, 3))
		nr = (nr + 7) & ~7u;
	sector = hot_sector(w);
	if (!work_random(w, 3))
		sector &= ~7u;
	if (sector + nr > w->set.length)
		nr = w->set.length - sector;
	if (kind == IO_FLUSH)
		sector = nr = 0;
	io_start(kind, sector, nr);
}

static void one_step(struct work *w)
{
	current = w;
	for (enum happening i = 0; i < HAPPENINGS; i++)
		if (work_random(w, 1000) < w->profile->rate[i])
			happen(w, i);
	one_io(w);
	if (!job_busy())
		finish_job(w);
	/* Often few, sometimes many at once. */
	if (!work_random(w, 3))
		io_wait(work_random(w, work_random(w, 4) ? 4 : 24));
}

void work_steps(struct work *w, unsigned int steps, bool with_incident)
{
	unsigned int when = steps / 4 + work_random(w, steps / 4 + 1);

	current = w;
	if (w->profile->moved)
		message("relocate 0 %u", w->profile->moved);
	for (unsigned int i = 0; i < steps; i++) {
		if (with_incident && i == when)
			incident(w);
		one_step(w);
		if (with_incident && i == when + steps / 4)
			incident_ends(w);
	}
	finish_job(w);
	io_wait(0);
}

const char *work_table(const struct work *w)
{
	return w->set.tables[w->set.nr_tables - 1].args;
}

void work_start(struct work *w)
{
	if (set_start_with(&w->set, work_table(w)))
		die("%s: the set can not be started: %s", doing, set_reason);
	io_may_fail = w->profile->may_fail;
	io_open(&w->set, w->model);
}

void work_stop(struct work *w)
{
	int r;

	finish_job(w);
	io_close();
	r = set_stop();
	if (r)
		found_wrong("the set can not be stopped: %s", strerror(-r));
}

void work_prepare(struct work *w, const struct profile *p, uint64_t seed)
{
	static const uint32_t blocks[] = { 8, 8, 8, 1, 2, 16, 32 };

	enum shape shape;

	memset(w, 0, sizeof(*w));
	w->profile = p;
	w->random = seed;
	current = w;
	shape = p->shape < 0 ? work_random(w, SHAPES) : p->shape;
	set_make(&w->set, shape,
		 p->block < 0 ? blocks[work_random(w, ARRAY_SIZE(blocks))] : p->block,
		 DATA_HEADER + shape, p->first_spare, p->nr_spares, work_random(w, 1 << 30));
	w->model = model_new(w->set.length);
	model_start(w->model, 1);
}
