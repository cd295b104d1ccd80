/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules that tell which blocks are in danger. Pure; see predict.h.
 *
 * Neighbours. What lies within the distance of a block that failed is moved at once.
 * Failures met while we move are followed only as long as something was saved there: a
 * region that is dead is not walked through. Blocks also move because a spare is being
 * emptied or somebody asked for it: only those count that lie where errors were told of.
 *
 * Slow. What lies around an I/O that was slow is measured by the module in short runs, and
 * moved as far as it is slow. That is a chase, which goes on to both sides: a few blocks
 * some way off are measured; if they are slow too, all between is moved unmeasured, which
 * takes one I/O and not eight, and the next step is longer. Else the end lies between.
 * When places all over the device are slow at once, it is the device that is slow (busy,
 * or all of it failing), and moving blocks would not help.
 */
#include <string.h>

#include "predict.h"

#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))

#define URGENCY_NEIGHBOUR	90
#define URGENCY_BETWEEN		85	/* known to be slow on both sides */
#define URGENCY_SLOW		80

#define FIRST_STEP	32		/* blocks */
#define MAX_STEP	64
#define PROBE		8		/* what the module measures together */
#define HOT_NS		(NSEC_PER_SEC / 2)	/* an I/O this slow: no time to measure */
#define MAX_EXTENT	1024		/* blocks of one extent that are measured */
#define EXACT_BLOCKS	2		/* an error of so many blocks names the bad one */
#define NR_ERRORS	64
#define ERROR_NS	(10 * NSEC_PER_SEC)
#define OWN_NS		(2 * NSEC_PER_SEC)	/* what is told so late may be our doing */
#define MEMORY_NS	(3600 * NSEC_PER_SEC)
#define NR_CHASES	32

#define REGION_SHIFT	12		/* blocks of a region, to see whether all is slow */
#define NR_REGIONS	10
#define REGION_NS	(120 * NSEC_PER_SEC)
#define ALL_SLOW_NS	(60 * NSEC_PER_SEC)

/* A stretch that was found slow and is followed to both sides. */
struct chase {
	uint64_t first, end;
	uint64_t down, up;		/* the next steps */
	struct dmremap_range below, above;	/* measured next; count 0: nothing */
	bool hot;
	uint64_t when;
};

struct error_place {
	uint64_t first, end, when;
};

struct region {
	uint64_t number, when;
};

struct rules_state {
	struct danger_list acted;	/* what was moved or measured lately */
	uint64_t busy_first, busy_end;	/* what is being moved now */
	struct chase chases[NR_CHASES];
	unsigned int nr_chases;
	struct error_place errors[NR_ERRORS];
	unsigned int next_error;
	uint64_t errors_untold;		/* when there were last more than were told of */
	struct region regions[NR_REGIONS];
	uint64_t all_slow_until;
};

static void *rules_new(void)
{
	return calloc(1, sizeof(struct rules_state));
}

static void rules_free(void *state)
{
	free(state);
}

/* --- Places --------------------------------------------------------------- */

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Blocks [*first, *end) that an extent touches; false if it lies outside. */
static bool to_blocks(const struct predict_set *set, const struct dmremap_range *extent,
		      uint64_t *first, uint64_t *end)
{
	uint64_t limit = set->blocks * set->block_sectors, last;

	if (!extent->count || extent->start >= limit)
		return false;
	last = extent->start + MIN(extent->count, limit - extent->start) - 1;
	*first = extent->start / set->block_sectors;
	*end = last / set->block_sectors + 1;
	return true;
}

static void add(struct danger_list *list, const struct predict_set *set, uint64_t first,
		uint64_t end, enum danger_reason reason, bool slow_only, uint64_t now)
{
	struct danger d = {
		.first = first, .reason = reason, .slow_only = slow_only, .when = now,
		.urgency = reason == DANGER_NEIGHBOUR ? URGENCY_NEIGHBOUR : URGENCY_SLOW,
	};

	end = MIN(end, set->blocks);
	if (first >= end)
		return;
	d.count = end - first;
	danger_add(list, &d);
}

/* The same, but for what was done before. */
static void add_new(const struct rules_state *s, struct danger_list *list,
		    const struct predict_set *set, uint64_t first, uint64_t end,
		    enum danger_reason reason, uint64_t now)
{
	uint64_t block, run = first;

	end = MIN(end, set->blocks);
	for (block = first; block < end; block++) {
		bool known = danger_covers(&s->acted, block, minus(now, MEMORY_NS)) ||
			     (block >= s->busy_first && block < s->busy_end);

		if (!known)
			continue;
		add(list, set, run, block, reason, false, now);
		run = block + 1;
	}
	add(list, set, run, end, reason, false, now);
}

/* Does all of it lie where we are moving, or were a moment ago? */
static bool own_doing(const struct rules_state *s, uint64_t first, uint64_t end, uint64_t now)
{
	uint64_t since = minus(now, OWN_NS), block;
	/* A run that is longer than what we do at once is not ours. */
	bool own = end - first <= 2 * MAX_STEP;

	for (block = first; own && block < end; block++)
		own = (block >= s->busy_first && block < s->busy_end) ||
		      danger_covers(&s->acted, block, since);
	return own;
}

/* --- Events --------------------------------------------------------------- */

/* True if this place makes it so many that all of the device must be slow. */
static bool all_slow(struct rules_state *s, uint64_t block, uint64_t now)
{
	uint64_t number = (block >> REGION_SHIFT) + 1;
	unsigned int i, oldest = 0, recent = 0;

	for (i = 0; i < NR_REGIONS; i++) {
		/* The clock may have been set back. */
		s->regions[i].when = MIN(s->regions[i].when, now);
		if (s->regions[i].number == number) {
			s->regions[i].when = now;
			return false;
		}
		recent += s->regions[i].number && s->regions[i].when + REGION_NS > now;
		if (s->regions[i].when < s->regions[oldest].when)
			oldest = i;
	}
	s->regions[oldest] = (struct region){ number, now };
	return recent == NR_REGIONS;
}

static void slow_at(struct rules_state *s, const struct predict_set *set, uint64_t first,
		    uint64_t end, uint64_t now, struct danger_list *list)
{
	uint64_t distance;

	if (own_doing(s, first, end, now))
		return;
	s->all_slow_until = MIN(s->all_slow_until, now + ALL_SLOW_NS);
	if (all_slow(s, first, now)) {
		s->all_slow_until = now + ALL_SLOW_NS;
		s->nr_chases = 0;
		danger_drop_slow(list);
	}
	if (now < s->all_slow_until)
		return;
	/* However far neighbours reach: soon to be done, and a chase goes on from there. */
	distance = MIN(set->distance, PROBE);
	end = MIN(end, first + MAX_EXTENT);
	add(list, set, minus(first, distance), end + distance, DANGER_SLOW, true, now);
}

static void remember_error(struct rules_state *s, uint64_t first, uint64_t end, uint64_t now)
{
	s->errors[s->next_error++ % NR_ERRORS] = (struct error_place){ first, end, now };
}

static bool after_error(const struct rules_state *s, uint64_t first, uint64_t end, uint64_t now)
{
	uint64_t since = minus(now, ERROR_NS);
	unsigned int i;

	for (i = 0; i < NR_ERRORS; i++) {
		const struct error_place *e = &s->errors[i];

		if (e->end && e->when >= since && e->first < end && first < e->end)
			return true;
	}
	return s->errors_untold && s->errors_untold >= since;
}

static void failed_at(struct rules_state *s, const struct predict_set *set, uint64_t first,
		      uint64_t end, bool exact, uint64_t now, struct danger_list *list)
{
	if (own_doing(s, first, end, now))
		return;
	if (!exact && end - first > EXACT_BLOCKS) {
		end = MIN(end, first + MAX_EXTENT);
		add(list, set, minus(first, set->distance), end + set->distance,
		    DANGER_NEIGHBOUR, true, now);
		return;
	}
	add_new(s, list, set, minus(first, set->distance), first, DANGER_NEIGHBOUR, now);
	add_new(s, list, set, end, end + set->distance, DANGER_NEIGHBOUR, now);
}

/* Spares that fail or are slow say nothing about the data device. */
static bool of_data_device(const struct dmremap_event *event)
{
	return event->member <= 0;
}

static void rules_event_in(void *state, const struct predict_set *set,
			   const struct dmremap_event *event, uint64_t now,
			   struct danger_list *list)
{
	struct rules_state *s = state;
	bool slow = false, exact = false, error = false;
	uint64_t first, end;
	unsigned int i;

	switch (event->kind) {
	case DMR_NL_EVENT_SLOW:
		slow = true;
		if (!set->slow || !of_data_device(event))
			return;
		break;
	case DMR_NL_EVENT_READ_ERROR:
	case DMR_NL_EVENT_WRITE_ERROR:
		if (!of_data_device(event) || (event->class_ != DMR_NL_CLASS_MEDIUM &&
					       event->class_ != DMR_NL_CLASS_IOERR))
			return;
		error = true;
		if (event->extents_lost)
			s->errors_untold = now;
		break;
	case DMR_NL_EVENT_LOST:
	case DMR_NL_EVENT_RELOCATED:
		exact = true;
		break;
	case DMR_NL_EVENT_BREAKER_OPEN:
	case DMR_NL_EVENT_BREAKER_CLOSED:
		/* The device was gone: none of it was about blocks. */
		list->nr = 0;
		s->nr_chases = 0;
		memset(s->errors, 0, sizeof(s->errors));
		s->errors_untold = 0;
		return;
	default:
		return;
	}
	if ((!slow && !set->neighbours) || !set->blocks || !set->block_sectors)
		return;
	for (i = 0; i < event->nr_extents && i < DMREMAP_EVENT_EXTENTS; i++) {
		if (!to_blocks(set, &event->extents[i], &first, &end))
			continue;
		if (error)
			remember_error(s, first, end, now);
		if (event->kind == DMR_NL_EVENT_RELOCATED && !after_error(s, first, end, now))
			continue;
		if (slow)
			slow_at(s, set, first, end, now, list);
		else
			failed_at(s, set, first, end, exact, now, list);
	}
}

/* --- What came of it ------------------------------------------------------ */

static void rules_begun(void *state, const struct danger *danger, uint64_t now)
{
	struct rules_state *s = state;

	s->busy_first = danger->first;
	s->busy_end = danger->first + danger->count;
}

static void take_out(struct rules_state *s, unsigned int i, struct chase *c)
{
	*c = s->chases[i];
	s->chases[i] = s->chases[--s->nr_chases];
}

static void put_in(struct rules_state *s, const struct chase *c)
{
	unsigned int i, oldest = 0;

	if (s->nr_chases == NR_CHASES) {
		for (i = 1; i < NR_CHASES; i++)
			if (s->chases[i].when < s->chases[oldest].when)
				oldest = i;
		s->chases[oldest] = s->chases[--s->nr_chases];
	}
	s->chases[s->nr_chases++] = *c;
}

/* What lies between two slow places is moved. */
static void between(const struct predict_set *set, uint64_t first, uint64_t end, bool measured,
		    uint64_t now, struct danger_list *list)
{
	struct danger d = { .first = first, .count = minus(end, first), .reason = DANGER_SPREAD,
			    .urgency = URGENCY_BETWEEN, .slow_only = measured, .when = now };

	danger_add(list, &d);
}

/* All that lies within a step of @c becomes part of it. Was there any? */
static bool unite(struct rules_state *s, const struct predict_set *set, struct chase *c,
		  uint64_t now, struct danger_list *list)
{
	unsigned int i = 0;
	bool any = false;

	while (i < s->nr_chases) {
		struct chase *e = &s->chases[i], other;

		if (e->end + c->down < c->first || c->end + c->up < e->first) {
			i++;
			continue;
		}
		/*
		 * What either wanted to measure next stays in the list: it costs little, and
		 * begins a chase if it is slow.
		 */
		take_out(s, i, &other);
		if (other.end < c->first)
			between(set, other.end, c->first, !c->hot, now, list);
		if (c->end < other.first)
			between(set, c->end, other.first, !c->hot, now, list);
		c->first = MIN(c->first, other.first);
		c->end = MAX(c->end, other.end);
		c->down = MAX(c->down, other.down);
		c->up = MAX(c->up, other.up);
		c->hot |= other.hot;
		any = true;
		i = 0;
	}
	return any;
}

/* Measure a little at the far end of the next step. */
static struct dmremap_range probe_at(const struct predict_set *set, uint64_t first, uint64_t end,
				     uint64_t now, struct danger_list *list)
{
	struct dmremap_range probe = { first, minus(end, first) };

	if (probe.count)
		add(list, set, first, end, DANGER_SPREAD, true, now);
	return probe;
}

static void step_down(const struct predict_set *set, struct chase *c, uint64_t now,
		      struct danger_list *list)
{
	uint64_t far = minus(c->first, c->down);

	c->below = probe_at(set, far, MIN(far + PROBE, c->first), now, list);
	c->down = MIN(2 * c->down, (uint64_t)MAX_STEP);
}

static void step_up(const struct predict_set *set, struct chase *c, uint64_t now,
		    struct danger_list *list)
{
	uint64_t far = MIN(c->end + c->up, set->blocks);

	c->above = probe_at(set, MAX(minus(far, PROBE), c->end), far, now, list);
	c->up = MIN(2 * c->up, (uint64_t)MAX_STEP);
}

static bool same_place(const struct dmremap_range *range, const struct danger *danger)
{
	return range->count && danger->first >= range->start &&
	       danger->first + danger->count <= range->start + range->count;
}

/* The chase that wanted this to be measured, or -1. */
static int who_asked(const struct rules_state *s, const struct danger *danger)
{
	unsigned int i;

	for (i = 0; i < s->nr_chases; i++)
		if (same_place(&s->chases[i].below, danger) ||
		    same_place(&s->chases[i].above, danger))
			return i;
	return -1;
}

/* A step of a chase was measured. */
static void stepped(struct rules_state *s, const struct predict_set *set, unsigned int i,
		    const struct danger *danger, bool slow, uint64_t now,
		    struct danger_list *list)
{
	bool down = same_place(&s->chases[i].below, danger), both;
	struct chase *at = &s->chases[i], c;
	uint64_t end = danger->first + danger->count;

	/* All between, if it is slow on both sides or there is no time to find out. */
	if (down)
		between(set, end, at->first, !slow && !at->hot, now, list);
	else
		between(set, at->end, danger->first, !slow && !at->hot, now, list);
	at->when = now;
	if (!slow) {
		if (down)
			at->below.count = 0;
		else
			at->above.count = 0;
		return;
	}
	if (down)
		at->first = danger->first;
	else
		at->end = end;
	take_out(s, i, &c);
	/* The other side goes on as it is, unless another chase was reached, which may be there. */
	both = unite(s, set, &c, now, list);
	if (both || down)
		step_down(set, &c, now, list);
	if (both || !down)
		step_up(set, &c, now, list);
	put_in(s, &c);
}

/* Something there was slow: go on outwards. */
static void chase(struct rules_state *s, const struct predict_set *set,
		  const struct danger *danger, uint64_t took, uint64_t now,
		  struct danger_list *list)
{
	uint64_t runs = (danger->count + PROBE - 1) / PROBE;
	struct chase c = { .first = danger->first, .end = danger->first + danger->count,
			   .down = FIRST_STEP, .up = FIRST_STEP, .when = now,
			   .hot = took / runs >= HOT_NS };
	unsigned int i;

	/* Inside of one it is no news. */
	for (i = 0; i < s->nr_chases; i++)
		if (s->chases[i].first < c.first && c.end < s->chases[i].end)
			return;
	unite(s, set, &c, now, list);
	step_down(set, &c, now, list);
	step_up(set, &c, now, list);
	put_in(s, &c);
}

static void rules_ended(void *state, const struct predict_set *set, const struct danger *danger,
			const struct dmremap_result *result, uint64_t took, uint64_t now,
			struct danger_list *list)
{
	uint64_t first = danger->first, end = danger->first + danger->count;
	struct rules_state *s = state;
	struct danger done = *danger;
	int asked;

	s->busy_first = s->busy_end = 0;
	danger_forget(&s->acted, minus(now, MEMORY_NS));
	done.when = now;
	done.slow_only = false;
	danger_add(&s->acted, &done);
	if (danger->slow_only) {
		asked = set->slow && now >= s->all_slow_until ? who_asked(s, danger) : -1;
		if (asked >= 0)
			stepped(s, set, asked, danger, result->relocated, now, list);
		else if (result->relocated && set->slow && now >= s->all_slow_until &&
			 danger->urgency != URGENCY_BETWEEN)
			chase(s, set, danger, took, now, list);
	} else if (result->relocated && result->lost && set->neighbours) {
		/* Something could be saved beside what is lost: there may be more. */
		add_new(s, list, set, minus(first, set->distance), first, DANGER_NEIGHBOUR, now);
		add_new(s, list, set, end, end + set->distance, DANGER_NEIGHBOUR, now);
	}
}

const struct predictor predict_rules = {
	.name = "rules",
	.new_state = rules_new,
	.free_state = rules_free,
	.event = rules_event_in,
	.begun = rules_begun,
	.ended = rules_ended,
};
