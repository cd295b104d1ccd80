// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scrub: read every block at a limited rate, slower while others do I/O, to find what
 * can not be read, or reads slowly, before its user does. Runs beside the worker
 * and only reads; what it finds unreadable it has the worker verify and remember. How
 * far it is lies in the root page, so that it goes on after a restart.
 */
#include <linux/mm.h>

#include "dm-remap.h"

#define BUSY_FACTOR	8		/* so much slower while others do I/O */
#define SLOW_BLOCKS	8		/* read together to find which are slow */
#define RETRY_PAUSE	HZ
#define MAX_TRIES	10		/* of a chunk whose errors say nothing */
#define SAVE_PERIOD	(60 * HZ)
#define TELL_PERIOD	(10 * HZ)
#define RATE_WINDOW_MS	2000
#define MAX_PAUSE_MS	1000		/* so that a change of the rate is seen soon */

static void scrub_work(struct work_struct *work);

void scrub_init(struct remap_set *set)
{
	mutex_init(&set->scrub.lock);
	spin_lock_init(&set->scrub.show_lock);
	INIT_DELAYED_WORK(&set->scrub.work, scrub_work);
}

static enum dmr_nl_scrub_state scrub_state(const struct remap_scrub *sc)
{
	return le32_to_cpu(sc->now.state);
}

static void le64_more(__le64 *value, u64 n)
{
	*value = cpu_to_le64(le64_to_cpu(*value) + n);
}

/* Count the time up to now, in whole seconds. */
static void count_time(struct remap_scrub *sc)
{
	s64 s = div_s64(ktime_ms_delta(ktime_get(), sc->since), MSEC_PER_SEC);

	if (scrub_state(sc) != DMR_NL_SCRUB_STATE_RUNNING)
		return;
	le64_more(&sc->now.elapsed, s);
	sc->since = ktime_add_ms(sc->since, s * MSEC_PER_SEC);
}

/* What others are shown: they do not wait for a chunk. */
static void show(struct remap_scrub *sc)
{
	count_time(sc);
	spin_lock(&sc->show_lock);
	sc->shown = sc->now;
	sc->shown_rate = sc->rate;
	spin_unlock(&sc->show_lock);
}

/* How far it is, durably. */
static int save(struct remap_set *set)
{
	struct remap_request rq = { .kind = REQUEST_SCRUB };

	show(&set->scrub);
	set->scrub.saved = jiffies;
	rq.scrub = set->scrub.now;
	return remap_request(set, &rq);
}

static void tell(struct remap_set *set)
{
	show(&set->scrub);
	set->scrub.told = jiffies;
	event_edge(set, DMR_NL_EVENT_SCRUB, -1);
}

/* --- Reading ------------------------------------------------------------- */

struct chunk {
	u64 block, nr;
	struct remap_member *m;
	sector_t sector;		/* on m */
	unsigned int sectors;
};

static u64 last_block(const struct remap_set *set)
{
	return (set->data_sectors + set->block_sectors - 1) >> set->block_shift;
}

/* What can be read with one I/O from the position on; false: nothing is there. */
static bool next_chunk(struct remap_set *set, struct chunk *c)
{
	u64 end = le64_to_cpu(set->scrub.now.end);
	struct map_entry e;

	c->block = le64_to_cpu(set->scrub.now.position);
	c->nr = min_t(u64, RUN_SECTORS >> set->block_shift, end - c->block);
	c->m = set->members[0];
	c->sector = c->m->payload + (c->block << set->block_shift);
	if (map_next(&set->map, c->block, &e) && e.block < c->block + c->nr) {
		if (e.block > c->block) {
			c->nr = e.block - c->block;
		} else {
			c->nr = 1;
			if (e.state == DMR_RECORD_LOST)
				return false;
			/* Else it is only held, and in place. */
			if (e.state == DMR_RECORD_REMAPPED) {
				c->m = set->members[e.member];
				c->sector = spare_sector(set, c->m, e.slot);
				if (spare_gone(c->m))
					return false;
			}
		}
	}
	c->sectors = min_t(u64, c->nr << set->block_shift,
			   set->data_sectors - (c->block << set->block_shift));
	return true;
}

static blk_status_t read_part(struct remap_set *set, const struct chunk *c, unsigned int at,
			      unsigned int nr, s64 *us)
{
	ktime_t start = ktime_get();
	blk_status_t status = io_run(c->m->bdev, REQ_OP_READ, c->sector + at, set->scrub.run,
				     0, nr);

	*us = ktime_us_delta(ktime_get(), start);
	return status;
}

enum found { FOUND_OUT, TRY_AGAIN, DEVICE_AWAY };

/* Does a device that answered a read with an error answer another, far away? */
static bool is_away(struct remap_set *set, struct remap_member *m)
{
	sector_t end = round_down(bdev_nr_sectors(m->bdev), set->block_sectors);
	unsigned int i;

	if (!m->index && READ_ONCE(set->breaker_open))
		return true;
	for (i = 0; i < 3; i++)
		if (!io_run(m->bdev, REQ_OP_READ,
			    round_down((end - set->block_sectors) / 2 * i, set->block_sectors),
			    set->scrub.run, 0, set->block_sectors))
			return false;
	return true;
}

static enum found find_lost(struct remap_set *set, const struct chunk *c, blk_status_t status)
{
	struct remap_request rq = {
		.kind = REQUEST_VERIFY, .first = c->block, .count = c->nr,
	};

	stats_error(c->m, false, status);
	if (spare_gone(c->m)) {
		le64_more(&set->scrub.now.skipped, c->nr);
		return FOUND_OUT;
	}
	if (!status_is_evidence(set, status) || remap_request(set, &rq))
		return is_away(set, c->m) ? DEVICE_AWAY : TRY_AGAIN;
	if (rq.failed && set->breaker_open)
		return DEVICE_AWAY;
	le64_more(&set->scrub.now.lost, rq.lost);
	le64_more(&set->scrub.now.skipped, rq.failed);
	return FOUND_OUT;
}

/*
 * The chunk was slow: which blocks are, if they are read by themselves? What can be
 * read no longer is lost.
 */
static enum found find_slow(struct remap_set *set, const struct chunk *c, s64 chunk_us)
{
	unsigned int step = SLOW_BLOCKS << set->block_shift, at, nr;
	enum found found = FOUND_OUT;
	blk_status_t status;
	s64 us = chunk_us;

	for (at = 0; at < c->sectors && found == FOUND_OUT; at += nr) {
		struct chunk part = *c;

		nr = min(step, c->sectors - at);
		part.block += at >> set->block_shift;
		part.nr = DIV_ROUND_UP(nr, set->block_sectors);
		status = nr < c->sectors ? read_part(set, c, at, nr, &us) : BLK_STS_OK;
		if (status) {
			found = find_lost(set, &part, status);
		} else if (us > set->policy.slow_us) {
			le64_more(&set->scrub.now.slow, part.nr);
			event_io(set, DMR_NL_EVENT_SLOW, c->m->index, false, BLK_STS_OK,
				 part.block << set->block_shift, nr, us);
		}
		if (READ_ONCE(set->stopping))
			break;
	}
	return found;
}

/*
 * Read one chunk and go on behind it. Returns sectors read; @again: not yet. It waits
 * for a device that is away, but not for ever for a chunk that only says no.
 */
static unsigned int scrub_chunk(struct remap_set *set, bool *again)
{
	struct remap_scrub *sc = &set->scrub;
	enum found found = FOUND_OUT;
	blk_status_t status;
	struct chunk c;
	s64 us;

	*again = false;
	if (!next_chunk(set, &c)) {
		le64_more(&sc->now.skipped, 1);
		le64_more(&sc->now.position, 1);
		return 0;
	}
	status = read_part(set, &c, 0, c.sectors, &us);
	if (status)
		found = find_lost(set, &c, status);
	else if (us > set->policy.slow_us)
		found = find_slow(set, &c, us);
	if (found == DEVICE_AWAY || READ_ONCE(set->stopping) ||
	    (found == TRY_AGAIN && ++sc->tries < MAX_TRIES)) {
		*again = true;
		return 0;
	}
	if (found == TRY_AGAIN)
		le64_more(&sc->now.skipped, c.nr);
	sc->tries = 0;
	le64_more(&sc->now.position, c.nr);
	return c.sectors;
}

/* --- The pace ------------------------------------------------------------ */

static bool others_are_busy(struct remap_set *set)
{
	struct remap_sum sum;
	u64 ios = 0;
	unsigned int way, path;
	bool busy;

	stats_sum(set, &sum);
	for (way = 0; way < 2; way++)
		for (path = 0; path < NR_PATHS; path++)
			ios += sum.ios[way][path];
	busy = ios != set->scrub.others;
	set->scrub.others = ios;
	return busy;
}

static void measure_rate(struct remap_scrub *sc, unsigned int sectors)
{
	s64 ms = ktime_ms_delta(ktime_get(), sc->window);

	sc->window_bytes += (u64)sectors << SECTOR_SHIFT;
	if (ms < RATE_WINDOW_MS)
		return;
	sc->rate = div64_u64(sc->window_bytes * MSEC_PER_SEC, (u64)ms << 10);
	sc->window = ktime_get();
	sc->window_bytes = 0;
}

/* Jiffies until the next chunk may be read. */
static unsigned long pace(struct remap_set *set, unsigned int sectors)
{
	struct remap_scrub *sc = &set->scrub;
	u32 rate = READ_ONCE(set->policy.scrub_rate);
	ktime_t now = ktime_get();
	s64 ms;

	if (others_are_busy(set))
		rate = max(rate / BUSY_FACTOR, 1U);
	/* What was not used in the past is not made up for. */
	if (ktime_before(sc->due, ktime_sub_ms(now, MAX_PAUSE_MS)))
		sc->due = now;
	sc->due = ktime_add_us(sc->due, div_u64((u64)sectors * (USEC_PER_SEC / 2), rate));
	ms = ktime_ms_delta(sc->due, now);
	return ms > 0 ? msecs_to_jiffies(min_t(s64, ms, MAX_PAUSE_MS)) : 0;
}

/* --- Its life ------------------------------------------------------------ */

static void ends(struct remap_set *set, enum dmr_nl_scrub_state state)
{
	struct remap_scrub *sc = &set->scrub;

	count_time(sc);
	sc->now.state = cpu_to_le32(state);
	sc->rate = 0;
	run_free(sc->run);
	sc->run = NULL;
	tell(set);
}

static void scrub_work(struct work_struct *work)
{
	struct remap_scrub *sc = container_of(to_delayed_work(work), struct remap_scrub, work);
	struct remap_set *set = container_of(sc, struct remap_set, scrub);
	unsigned int sectors;
	unsigned long pause;
	bool again;
	s64 ahead;

	mutex_lock(&sc->lock);
	if (scrub_state(sc) != DMR_NL_SCRUB_STATE_RUNNING || READ_ONCE(set->stopping))
		goto out;
	if (sc->now.position == sc->now.end) {
		ends(set, DMR_NL_SCRUB_STATE_DONE);
		save(set);
		goto out;
	}
	/* Not yet: the pace may have changed since that was decided. */
	ahead = ktime_ms_delta(sc->due, ktime_get());
	if (ahead > MSEC_PER_SEC / HZ) {
		queue_delayed_work(remap_wq, &sc->work,
				   msecs_to_jiffies(min_t(s64, ahead, MAX_PAUSE_MS)));
		goto out;
	}
	sectors = scrub_chunk(set, &again);
	measure_rate(sc, sectors);
	show(sc);
	pause = again ? RETRY_PAUSE : pace(set, sectors);
	if (time_after(jiffies, sc->told + TELL_PERIOD))
		tell(set);
	if (time_after(jiffies, sc->saved + SAVE_PERIOD))
		save(set);
	queue_delayed_work(remap_wq, &sc->work, pause);
out:
	mutex_unlock(&sc->lock);
}

static int run(struct remap_set *set)
{
	struct remap_scrub *sc = &set->scrub;

	sc->run = run_alloc();
	if (!sc->run)
		return -ENOMEM;
	sc->now.state = cpu_to_le32(DMR_NL_SCRUB_STATE_RUNNING);
	sc->since = ktime_get();
	sc->window = sc->since;
	sc->window_bytes = 0;
	sc->rate = 0;
	sc->due = sc->since;
	sc->tries = 0;
	sc->saved = jiffies;
	queue_delayed_work(remap_wq, &sc->work, 0);
	return 0;
}

/* After a change of state: keep it, or leave everything as it was. */
static int keep(struct remap_set *set, const struct dmr_scrub *before)
{
	int r = save(set);

	if (r) {
		set->scrub.now = *before;
		run_free(set->scrub.run);
		set->scrub.run = NULL;
		show(&set->scrub);
	} else {
		tell(set);
	}
	return r;
}

int scrub_start(struct remap_set *set, u64 first, u64 count)
{
	struct remap_scrub *sc = &set->scrub;
	u64 end = last_block(set);
	struct dmr_scrub before;
	int r = -EBUSY;

	if (first >= end || (count && count > end - first))
		return -ERANGE;
	if (mutex_lock_killable(&sc->lock))
		return -EINTR;
	before = sc->now;
	if (scrub_state(sc) == DMR_NL_SCRUB_STATE_RUNNING ||
	    scrub_state(sc) == DMR_NL_SCRUB_STATE_PAUSED)
		goto out;
	memset(&sc->now, 0, sizeof(sc->now));
	sc->now.first = cpu_to_le64(first);
	sc->now.position = sc->now.first;
	sc->now.end = cpu_to_le64(count ? first + count : end);
	sc->now.started = cpu_to_le64(ktime_get_real_seconds());
	r = run(set);
	if (r)
		sc->now = before;
	else
		r = keep(set, &before);
out:
	mutex_unlock(&sc->lock);
	return r;
}

int scrub_pause(struct remap_set *set)
{
	struct remap_scrub *sc = &set->scrub;
	int r = 0;

	if (mutex_lock_killable(&sc->lock))
		return -EINTR;
	if (scrub_state(sc) == DMR_NL_SCRUB_STATE_RUNNING) {
		ends(set, DMR_NL_SCRUB_STATE_PAUSED);
		r = save(set);
	} else if (scrub_state(sc) != DMR_NL_SCRUB_STATE_PAUSED) {
		r = -ENOENT;
	}
	mutex_unlock(&sc->lock);
	return r;
}

int scrub_resume(struct remap_set *set)
{
	struct remap_scrub *sc = &set->scrub;
	struct dmr_scrub before;
	int r = 0;

	if (mutex_lock_killable(&sc->lock))
		return -EINTR;
	before = sc->now;
	if (scrub_state(sc) == DMR_NL_SCRUB_STATE_PAUSED) {
		r = run(set);
		if (!r)
			r = keep(set, &before);
	} else if (scrub_state(sc) != DMR_NL_SCRUB_STATE_RUNNING) {
		r = -ENOENT;
	}
	mutex_unlock(&sc->lock);
	return r;
}

int scrub_cancel(struct remap_set *set)
{
	struct remap_scrub *sc = &set->scrub;
	int r = -ENOENT;

	if (mutex_lock_killable(&sc->lock))
		return -EINTR;
	if (scrub_state(sc) == DMR_NL_SCRUB_STATE_RUNNING ||
	    scrub_state(sc) == DMR_NL_SCRUB_STATE_PAUSED) {
		ends(set, DMR_NL_SCRUB_STATE_IDLE);
		r = save(set);
	}
	mutex_unlock(&sc->lock);
	return r;
}

void scrub_get(struct remap_set *set, struct dmr_scrub *now, u64 *rate)
{
	struct remap_scrub *sc = &set->scrub;

	spin_lock(&sc->show_lock);
	*now = sc->shown;
	*rate = sc->shown_rate;
	spin_unlock(&sc->show_lock);
}

/* Numbers that no scrub can have come to are of none. */
static bool is_sane(const struct remap_set *set, const struct dmr_scrub *now)
{
	u64 first = le64_to_cpu(now->first), end = le64_to_cpu(now->end);
	u64 position = le64_to_cpu(now->position);

	return le32_to_cpu(now->state) <= DMR_NL_SCRUB_STATE_MAX && end <= last_block(set) &&
	       first <= position && position <= end;
}

void scrub_load(struct remap_set *set)
{
	struct remap_scrub *sc = &set->scrub;

	mutex_lock(&sc->lock);
	if (is_sane(set, &store_root(set)->scrub))
		sc->now = store_root(set)->scrub;
	/* Without memory for it now, a resume may find some. */
	if (scrub_state(sc) == DMR_NL_SCRUB_STATE_RUNNING) {
		if (run(set))
			sc->now.state = cpu_to_le32(DMR_NL_SCRUB_STATE_PAUSED);
		tell(set);
	}
	show(sc);
	mutex_unlock(&sc->lock);
}

void scrub_stop(struct remap_set *set)
{
	struct remap_scrub *sc = &set->scrub;

	cancel_delayed_work_sync(&sc->work);
	mutex_lock(&sc->lock);
	count_time(sc);
	run_free(sc->run);
	sc->run = NULL;
	mutex_unlock(&sc->lock);
}
