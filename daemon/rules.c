/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Acting before loss: gives events to the predictor (predict.h), and has the module move
 * what it names, the most urgent range first, in portions, one at a time for each set.
 * Keeps the budget of a day and the reserve of spare blocks, and tells what was done.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "predict.h"

#define MAX_PORTION	64u		/* blocks; the module reads so many at once */
#define MIN_PORTION	8u
#define SHORT_NS	(NSEC_PER_SEC)
#define LONG_NS		(4 * NSEC_PER_SEC)	/* nobody is to wait longer for us */
#define MAX_DISTANCE	1024u
#define TICK_USEC	USEC_PER_SEC
#define TELL_NS		(10 * NSEC_PER_SEC)	/* told at least so often while it goes on */
#define FAILED_NS	(60 * NSEC_PER_SEC)	/* failures, at most so often */
#define SETTLE_NS	(2 * NSEC_PER_SEC)	/* so long after an outage its I/O still ends */
#define TRIES		3
#define BUDGET_DAYS	2			/* how long the state keeps a set */

/* What was done and not told yet. */
struct acts {
	uint64_t since;			/* 0: nothing */
	uint64_t moved, lost, unchanged, failed;
	uint64_t first, end;		/* blocks */
	bool reasons[NR_DANGER_REASONS];
};

struct set_rules {
	struct daemon *daemon;
	char uuid[DMREMAP_UUID_SIZE];
	const struct predictor *predictor;
	void *model;
	struct danger_list pending;
	struct danger_budget budget;
	struct acts acts;
	sd_event_source *tick;
	enum worker_lane lane;
	unsigned int portion;		/* blocks at once */
	bool busy;
	unsigned int tries;		/* of what is first */
	uint64_t failed_told;
	uint64_t closed_at;		/* when the breaker closed; 0: not seen */
};

struct rules {
	unsigned int next_lane;
};

/* A portion that is being moved. */
struct move {
	char uuid[DMREMAP_UUID_SIZE];
	uint64_t session;
	struct danger danger;
	uint32_t reserve;		/* percent */
	uint64_t begun, ended;
	/* out */
	bool have_device;
	struct dmremap_nl_device device;
	uint64_t done;			/* blocks of danger that were dealt with */
	bool no_room;			/* the reserve did not allow even one */
	struct dmremap_result result;
};

/* --- What outlives the daemon --------------------------------------------- */

#define STATE_KEY	"rules"

static void budget_load(struct set_rules *r)
{
	struct json_object *mine = json_get(state_get(r->daemon, STATE_KEY), r->uuid);

	r->budget.day = json_get_number(mine, "day");
	r->budget.used = json_get_number(mine, "moved");
}

/* With what other sets have there, unless that is of long ago. */
static void budget_save(struct set_rules *r)
{
	struct json_object *old = state_get(r->daemon, STATE_KEY);
	struct json_object *all = json_new(), *mine = json_new();

	if (json_object_is_type(old, json_type_object)) {
		json_object_object_foreach(old, uuid, value) {
			if (strcmp(uuid, r->uuid) &&
			    json_get_number(value, "day") + BUDGET_DAYS > r->budget.day)
				json_add(all, uuid, json_object_get(value));
		}
	}
	json_add_number(mine, "day", r->budget.day);
	json_add_number(mine, "moved", r->budget.used);
	json_add(all, r->uuid, mine);
	state_put(r->daemon, STATE_KEY, all);
}

/* --- One set -------------------------------------------------------------- */

static const struct set_config *config_for(struct daemon *daemon, const struct watched_set *set)
{
	return config_of(daemon->config, set->device.name, set->device.uuid);
}

static bool breaker_closed(const struct watched_set *set)
{
	return set->device.breaker == DMR_NL_BREAKER_CLOSED;
}

static struct predict_set what_is_known(struct daemon *daemon, const struct watched_set *set)
{
	const struct set_config *config = config_for(daemon, set);
	const struct dmremap_nl_device *d = &set->device;

	return (struct predict_set){
		.block_sectors = d->block_sectors,
		.blocks = d->block_sectors ? d->sectors / d->block_sectors +
					     !!(d->sectors % d->block_sectors) : 0,
		.slow = config->relocate_slow && config->relocate_budget,
		.neighbours = config->relocate_neighbours && config->relocate_budget,
		.distance = config->neighbour_distance < MAX_DISTANCE ?
			    config->neighbour_distance : MAX_DISTANCE,
	};
}

static void set_rules_free(struct set_rules *r)
{
	if (!r)
		return;
	sd_event_source_disable_unref(r->tick);
	if (r->model)
		r->predictor->free_state(r->model);
	free(r);
}

static int tick(sd_event_source *source, uint64_t usec, void *arg);

static struct set_rules *set_rules_new(struct daemon *daemon, const struct watched_set *set)
{
	struct set_rules *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->daemon = daemon;
	snprintf(r->uuid, sizeof(r->uuid), "%s", set->device.uuid);
	r->predictor = &predict_rules;
	r->model = r->predictor->new_state();
	r->portion = MAX_PORTION;
	/* Disks that hang are spread over the threads. */
	r->lane = WORKER_MOVE + daemon->rules->next_lane++ % WORKER_MOVES;
	if (!r->model ||
	    sd_event_add_time_relative(daemon->event, &r->tick, CLOCK_MONOTONIC, TICK_USEC,
				       TICK_USEC / 4, tick, r) < 0 ||
	    sd_event_source_set_enabled(r->tick, SD_EVENT_OFF) < 0) {
		set_rules_free(r);
		return NULL;
	}
	budget_load(r);
	return r;
}

/* --- Telling -------------------------------------------------------------- */

static void reasons_text(const struct acts *a, char *buf, size_t size)
{
	unsigned int i;
	size_t at = 0;

	buf[0] = '\0';
	for (i = 0; i < NR_DANGER_REASONS; i++)
		if (a->reasons[i] && at < size)
			at += snprintf(buf + at, size - at, "%s%s", at ? ", " : "",
				       danger_reason_text(i));
}

static void tell_history(struct daemon *daemon, const struct set_rules *r, const char *reasons)
{
	const struct acts *a = &r->acts;
	struct json_object *o = json_new();

	json_add_text(o, "predictor", r->predictor->name);
	json_add_text(o, "reason", reasons);
	json_add_number(o, "first_block", a->first);
	json_add_number(o, "end_block", a->end);
	json_add_number(o, "moved", a->moved);
	json_add_number(o, "unchanged", a->unchanged);
	json_add_number(o, "lost", a->lost);
	json_add_number(o, "failed", a->failed);
	record_sample(daemon, "rules", r->uuid, o);
	json_object_put(o);
}

/* Nothing is told of blocks that were only looked at. */
static void tell_acts(struct set_rules *r, struct watched_set *set)
{
	const struct acts *a = &r->acts;
	char detail[256], reasons[128];
	struct alert alert = {
		.kind = a->moved ? ALERT_MOVED_AHEAD : ALERT_MOVE_FAILED,
		.name = set->device.name, .uuid = r->uuid, .count = a->moved,
		.detail = detail, .reason = reasons, .has_sector = true,
		.sector = a->first * set->device.block_sectors,
	};

	reasons_text(a, reasons, sizeof(reasons));
	if (a->moved || a->lost) {
		snprintf(detail, sizeof(detail),
			 "Between blocks %" PRIu64 " and %" PRIu64 ", where I/O was %s: %" PRIu64
			 " moved, %" PRIu64 " left in place, %" PRIu64
			 " could not be read any more.", a->first, a->end - 1, reasons, a->moved,
			 a->unchanged, a->lost);
		alert_tell(r->daemon, &alert);
		tell_history(r->daemon, r, reasons);
	}
	memset(&r->acts, 0, sizeof(r->acts));
}

static void add_acts(struct set_rules *r, const struct move *m)
{
	struct acts *a = &r->acts;
	uint64_t end = m->danger.first + m->done;

	if (!m->done)
		return;
	if (!a->since) {
		a->since = m->ended;
		a->first = m->danger.first;
		a->end = end;
	}
	a->first = m->danger.first < a->first ? m->danger.first : a->first;
	a->end = end > a->end ? end : a->end;
	a->moved += m->result.relocated;
	a->lost += m->result.lost;
	a->unchanged += m->result.unchanged;
	a->failed += m->result.failed;
	a->reasons[m->danger.reason] = true;
}

static void tell_failed(struct set_rules *r, const struct watched_set *set, const struct move *m,
			const char *why, uint64_t now)
{
	struct alert alert = {
		.kind = ALERT_MOVE_FAILED, .name = set->device.name, .uuid = r->uuid,
		.detail = why, .reason = danger_reason_text(m->danger.reason),
		.count = m->danger.count, .has_sector = true,
		.sector = m->danger.first * set->device.block_sectors,
	};

	if (r->failed_told && now - r->failed_told < FAILED_NS)
		return;
	r->failed_told = now;
	alert_tell(r->daemon, &alert);
}

static void tell_limits(struct set_rules *r, const struct watched_set *set, bool budget,
			bool reserve)
{
	const struct dmremap_nl_device *d = &set->device;
	struct alert alert = {
		.kind = ALERT_BUDGET_USED, .name = set->device.name, .uuid = r->uuid,
		.count = danger_blocks(&r->pending),
	};

	alert_condition(r->daemon, &alert, budget);
	alert.kind = ALERT_RESERVE_REACHED;
	alert.count = d->slots > d->slots_used ? d->slots - d->slots_used : 0;
	alert_condition(r->daemon, &alert, reserve);
}

/* --- Moving --------------------------------------------------------------- */

static bool breaker_open(const struct dmremap_nl_device *device)
{
	return device->breaker != DMR_NL_BREAKER_CLOSED;
}

/*
 * In the thread. The set is asked again first: the reserve holds, whoever used slots
 * since. And after a failure: was it the block, or has the whole device gone?
 */
static int move_fn(struct worker *worker, void *arg, struct dmremap_error *err)
{
	struct move *m = arg;
	struct dmremap_nl *nl;
	uint64_t room, count;
	int r = worker_nl(worker, &nl, err);

	if (r < 0)
		return r;
	m->begun = clock_now();
	r = dmremap_nl_device(nl, m->uuid, &m->device, err);
	m->have_device = r >= 0;
	if (!r) {
		if (m->device.session != m->session)
			return -ENODEV;
		if (breaker_open(&m->device))
			return -EIO;
		room = reserve_left(m->device.slots, m->device.slots_used, m->reserve);
		count = m->danger.count < room ? m->danger.count : room;
		m->no_room = !count;
		if (count)
			r = dmremap_nl_relocate(nl, m->uuid, m->danger.first, count,
						m->danger.slow_only, &m->result, err);
		/* Out of time: the blocks were dealt with in their order. */
		if (r == -ETIME)
			m->done = m->result.relocated + m->result.lost + m->result.unchanged +
				  m->result.failed;
		else if (!r)
			m->done = count;
		if (m->done)
			r = 0;
		/* Without a failure the number of slots that are used is known. */
		if (!r && !m->result.failed)
			m->device.slots_used += m->result.relocated;
		else
			m->have_device = dmremap_nl_device(nl, m->uuid, &m->device, NULL) >= 0;
	}
	if (r == -ENOENT)
		worker_nl_drop(worker);
	m->ended = clock_now();
	return r;
}

static void dispatch(struct daemon *daemon, struct watched_set *set);

/* What was not dealt with waits again. */
static void put_back(struct set_rules *r, const struct move *m)
{
	struct danger rest = m->danger;

	rest.first += m->done;
	rest.count -= m->done;
	if (rest.count)
		danger_add(&r->pending, &rest);
}

static bool worth_another_try(int error)
{
	return error == -EAGAIN || error == -EINTR || error == -EBUSY || error == -ENOMEM ||
	       error == -ENOENT || error == -ENOBUFS || error == -ETIME;
}

static void move_done(struct daemon *daemon, void *arg, int error,
		      const struct dmremap_error *err)
{
	struct move *m = arg;
	struct watched_set *set = set_find(daemon, m->uuid);
	struct set_rules *r = set ? set->rules : NULL;
	struct danger did = m->danger, nothing = { 0 };
	struct predict_set known;
	uint64_t now = clock_now(), used;
	bool outage;

	/* Gone, or activated anew meanwhile: what was taken off the budget stays so. */
	if (!r || set->device.session != m->session || error == -ECANCELED)
		goto out;
	r->busy = false;
	used = m->result.relocated;
	budget_return(&r->budget, m->danger.count - (used < m->danger.count ? used :
						      m->danger.count), now);
	budget_save(r);
	if (m->have_device) {
		set->device.slots = m->device.slots;
		set->device.slots_used = m->device.slots_used;
	}
	outage = !breaker_closed(set) || (m->have_device && breaker_open(&m->device));
	if (m->ended - m->begun > LONG_NS && (m->result.lost || m->result.failed))
		r->portion = r->portion / 2 > MIN_PORTION ? r->portion / 2 : MIN_PORTION;
	else if (m->ended - m->begun < SHORT_NS)
		r->portion = MAX_PORTION;

	known = what_is_known(daemon, set);
	r->predictor->begun(r->model, &nothing, now);
	if (outage) {
		/* The breaker tells, and what failed was none of the blocks' doing. */
		if (used)
			add_acts(r, m);
		set_refresh(daemon, set);
		goto out_later;
	}
	if (error < 0 && !used && worth_another_try(error) && ++r->tries < TRIES) {
		put_back(r, m);
		goto out_later;
	}
	r->tries = 0;
	if (!error && m->done < m->danger.count)
		put_back(r, m);
	did.count = error ? m->danger.count : m->done;
	if (did.count) {
		m->done = did.count;
		add_acts(r, m);
		r->predictor->ended(r->model, &known, &did, &m->result, m->ended - m->begun,
				    now, &r->pending);
	}
	if (used)
		set_refresh(daemon, set);
	if (error < 0 || m->result.failed) {
		log_debug("%s: blocks %" PRIu64 " to %" PRIu64 " were not moved: %s",
			  set->device.name, m->danger.first,
			  m->danger.first + m->danger.count - 1,
			  *err->text ? err->text : strerror(error ? -error : ENOSPC));
		tell_failed(r, set, m, error < 0 && *err->text ? err->text :
			    "They could not be read.", now);
	}
	if (!m->no_room && !(error < 0)) {
		dispatch(daemon, set);
		goto out;
	}
out_later:
	sd_event_source_set_time_relative(r->tick, TICK_USEC);
	sd_event_source_set_enabled(r->tick, SD_EVENT_ONESHOT);
out:
	free(m);
}

static bool can_move(const struct watched_set *set)
{
	return set->device.mode == DMR_NL_MODE_RW && breaker_closed(set);
}

/* Move the next portion, unless one is on its way. */
static void dispatch(struct daemon *daemon, struct watched_set *set)
{
	const struct set_config *config = config_for(daemon, set);
	const struct dmremap_nl_device *d = &set->device;
	struct set_rules *r = set->rules;
	uint64_t now = clock_now(), budget, room, max = r->portion;
	struct move *m;

	if (r->busy)
		return;
	budget = budget_left(&r->budget, config->relocate_budget, now);
	room = reserve_left(d->slots, d->slots_used, config->relocate_reserve);
	tell_limits(r, set, r->pending.nr && !budget, r->pending.nr && budget && !room);
	max = budget < max ? budget : max;
	max = room < max ? room : max;
	if (r->acts.since && (!r->pending.nr || !max || now > r->acts.since + TELL_NS))
		tell_acts(r, set);
	if (!r->pending.nr)
		return;
	/* Looks again: the day ends, a spare is added, the device comes back. */
	sd_event_source_set_time_relative(r->tick, TICK_USEC);
	sd_event_source_set_enabled(r->tick, SD_EVENT_ONESHOT);
	if (!can_move(set) || !max)
		return;
	m = calloc(1, sizeof(*m));
	if (!m || !danger_take(&r->pending, max, &m->danger)) {
		free(m);
		return;
	}
	snprintf(m->uuid, sizeof(m->uuid), "%s", r->uuid);
	m->session = d->session;
	m->reserve = config->relocate_reserve;
	/* Taken beforehand: a daemon that dies in between has counted too much, not too little. */
	budget_take(&r->budget, m->danger.count);
	if (worker_submit(daemon, r->lane, move_fn, m, move_done) < 0) {
		budget_return(&r->budget, m->danger.count, now);
		put_back(r, m);
		free(m);
		return;
	}
	budget_save(r);
	r->busy = true;
	r->predictor->begun(r->model, &m->danger, now);
}

static int tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct set_rules *r = arg;
	struct watched_set *set = set_find(r->daemon, r->uuid);

	if (set && set->rules == r)
		dispatch(r->daemon, set);
	return 0;
}

/* --- Interface ------------------------------------------------------------ */

int rules_start(struct daemon *daemon)
{
	daemon->rules = calloc(1, sizeof(*daemon->rules));
	return daemon->rules ? 0 : -ENOMEM;
}

/* A device that is gone fails everywhere, which says nothing about its blocks. */
static bool of_an_outage(const struct watched_set *set, const struct dmremap_event *event,
			 uint64_t now)
{
	const struct set_rules *r = set->rules;

	switch (event->kind) {
	case DMR_NL_EVENT_SLOW:
	case DMR_NL_EVENT_READ_ERROR:
	case DMR_NL_EVENT_WRITE_ERROR:
		return !breaker_closed(set) ||
		       (r && r->closed_at && now >= r->closed_at &&
			now < r->closed_at + SETTLE_NS);
	default:
		return false;
	}
}

void rules_event(struct daemon *daemon, struct watched_set *set,
		 const struct dmremap_event *event)
{
	struct predict_set known = what_is_known(daemon, set);
	uint64_t now = clock_now();

	if (!daemon->rules || of_an_outage(set, event, now))
		return;
	switch (event->kind) {
	case DMR_NL_EVENT_SLOW:
	case DMR_NL_EVENT_READ_ERROR:
	case DMR_NL_EVENT_WRITE_ERROR:
	case DMR_NL_EVENT_LOST:
	case DMR_NL_EVENT_RELOCATED:
	case DMR_NL_EVENT_BREAKER_OPEN:
	case DMR_NL_EVENT_BREAKER_CLOSED:
		break;
	default:
		return;
	}
	if (!set->rules) {
		if (!known.slow && !known.neighbours)
			return;
		set->rules = set_rules_new(daemon, set);
		if (!set->rules)
			return;
	}
	if (event->kind == DMR_NL_EVENT_BREAKER_CLOSED)
		set->rules->closed_at = now;
	set->rules->predictor->event(set->rules->model, &known, event, now,
				     &set->rules->pending);
	dispatch(daemon, set);
}

void rules_set_gone(struct daemon *daemon, struct watched_set *set)
{
	struct set_rules *r = set->rules;

	if (!r)
		return;
	if (r->acts.since)
		tell_acts(r, set);
	tell_limits(r, set, false, false);
	set_rules_free(r);
	set->rules = NULL;
}

void rules_reload(struct daemon *daemon)
{
	struct watched_set *set;

	LIST_FOREACH(set, &daemon->sets, link) {
		const struct set_config *config = config_for(daemon, set);

		if (!set->rules)
			continue;
		if (!config->relocate_slow)
			danger_drop_slow(&set->rules->pending);
		if (!config->relocate_slow && !config->relocate_neighbours)
			set->rules->pending.nr = 0;
		dispatch(daemon, set);
	}
}

void rules_stop(struct daemon *daemon)
{
	struct watched_set *set;

	if (!daemon->rules)
		return;
	LIST_FOREACH(set, &daemon->sets, link) {
		if (set->rules && set->rules->acts.since)
			tell_acts(set->rules, set);
		set_rules_free(set->rules);
		set->rules = NULL;
	}
	free(daemon->rules);
	daemon->rules = NULL;
}
