// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading every set through now and then. The module does it, at its rate and when
 * others do not need the device; here is decided when. A pause or a cancel by a
 * person is respected; what a stop of the set interrupted goes on.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"

#define STATE_KEY	"scrub"
#define FAILED_WAIT	3600		/* seconds */

struct scrubs {
	sd_event_source *timer;
};

/* In the state, by UUID. */
struct past {
	uint64_t first_seen, last_end;	/* seconds since 1970 */
	bool running;
};

struct set_scrub {
	bool busy;
	uint64_t not_before;		/* seconds since 1970: it failed */
};

struct scrub_job {
	char name[DMREMAP_NAME_SIZE], uuid[DMREMAP_UUID_SIZE];
};

static uint64_t now_seconds(void)
{
	return clock_now() / NSEC_PER_SEC;
}

static void put_past(struct daemon *daemon, const char *uuid, const struct past *past)
{
	struct json_object *all = state_get(daemon, STATE_KEY);
	struct json_object *o = json_new();

	all = json_object_is_type(all, json_type_object) ? json_object_get(all) :
							    json_new();
	json_add_number(o, "first-seen", past->first_seen);
	json_add_number(o, "last-end", past->last_end);
	json_add_number(o, "running", past->running);
	json_add(all, uuid, o);
	state_put(daemon, STATE_KEY, all);
}

/* A clock that was set back puts none off: what lies ahead of it is taken as now. */
static struct past get_past(struct daemon *daemon, const char *uuid)
{
	struct json_object *o = json_get(state_get(daemon, STATE_KEY), uuid);
	uint64_t now = now_seconds();
	struct past past = {
		.first_seen = json_get_number(o, "first-seen"),
		.last_end = json_get_number(o, "last-end"),
		.running = json_get_number(o, "running"),
	};

	if (past.first_seen <= now && past.last_end <= now)
		return past;
	past.first_seen = past.first_seen > now ? now : past.first_seen;
	past.last_end = past.last_end > now ? now : past.last_end;
	put_past(daemon, uuid, &past);
	return past;
}

/* The same for a set each time, spread over @span: not all disks at once. */
static uint64_t spread(const char *uuid, uint64_t span)
{
	uint64_t hash = 5381;

	for (; *uuid; uuid++)
		hash = hash * 33 + *uuid;
	return span ? hash % span : 0;
}

/* When the next one is due, in seconds since 1970; UINT64_MAX: never. */
static uint64_t due(struct daemon *daemon, struct watched_set *set)
{
	uint64_t interval = config_of(daemon->config, set->device.name,
				      set->device.uuid)->scrub_interval, when;
	const struct dmremap_scrub *scrub = &set->device.scrub;
	struct past past = get_past(daemon, set->device.uuid);
	uint64_t now = now_seconds(), end = scrub->started + scrub->elapsed;

	if (!interval || !set->known || scrub->state == DMREMAP_SCRUB_RUNNING ||
	    scrub->state == DMREMAP_SCRUB_PAUSED || (set->scrub && set->scrub->busy))
		return UINT64_MAX;
	/* By a clock that was set back since, it says nothing. */
	if (scrub->state == DMREMAP_SCRUB_DONE && end > past.last_end && end <= now)
		past.last_end = end;
	if (past.last_end)
		when = past.last_end + interval;
	else
		when = past.first_seen + interval / 30 + spread(set->device.uuid, interval / 30);
	if (set->scrub && set->scrub->not_before > now + FAILED_WAIT)
		set->scrub->not_before = now + FAILED_WAIT;
	if (set->scrub && set->scrub->not_before > when)
		when = set->scrub->not_before;
	return when;
}

static int scrub_job_run(struct worker *worker, void *arg, struct dmremap_error *err)
{
	struct scrub_job *job = arg;
	struct dmremap_nl *nl;
	int ret;

	ret = worker_nl(worker, &nl, err);
	if (!ret)
		ret = dmremap_nl_scrub(nl, job->uuid, DMREMAP_SCRUB_START, 0, 0, err);
	if (ret == -ENOENT)
		worker_nl_drop(worker);
	return ret;
}

static void check(struct daemon *daemon);

static void scrub_done(struct daemon *daemon, void *arg, int result,
		       const struct dmremap_error *err)
{
	_cleanup_free_ struct scrub_job *job = arg;
	struct watched_set *set = set_find(daemon, job->uuid);

	if (!set || !set->scrub || !daemon->scrubs)
		return;
	set->scrub->busy = false;
	if (result >= 0) {
		/* The event that tells of it may still be on its way. */
		set->device.scrub.state = DMREMAP_SCRUB_RUNNING;
		alert_tell(daemon, &(struct alert){ .kind = ALERT_SCRUB_STARTED,
						    .name = job->name, .uuid = job->uuid });
	} else if (result == -ENODEV || result == -ENOENT) {
		/* It goes, or the module does; the end of it is to be heard soon. */
		set->scrub->not_before = now_seconds() + 60;
	} else if (result != -ECANCELED) {
		log_warning("Set %s can not be read through: %s It will be tried again in an hour.",
			    job->name, err->text);
		set->scrub->not_before = now_seconds() + FAILED_WAIT;
	}
	check(daemon);
}

static void submit(struct daemon *daemon, struct watched_set *set)
{
	struct scrub_job *job = calloc(1, sizeof(*job));

	if (!set->scrub)
		set->scrub = calloc(1, sizeof(*set->scrub));
	if (!job || !set->scrub) {
		free(job);
		return;
	}
	snprintf(job->name, sizeof(job->name), "%s", set->device.name);
	snprintf(job->uuid, sizeof(job->uuid), "%s", set->device.uuid);
	if (worker_submit(daemon, WORKER_CHANGE, scrub_job_run, job, scrub_done) < 0) {
		free(job);
		set->scrub->not_before = now_seconds() + 60;
		return;
	}
	set->scrub->busy = true;
}

static void check(struct daemon *daemon)
{
	uint64_t now = now_seconds(), next = UINT64_MAX, when;
	struct watched_set *set;

	LIST_FOREACH(set, &daemon->sets, link) {
		when = due(daemon, set);
		if (when <= now) {
			submit(daemon, set);
			when = due(daemon, set);
		}
		if (when < next)
			next = when;
	}
	if (next == UINT64_MAX) {
		sd_event_source_set_enabled(daemon->scrubs->timer, SD_EVENT_OFF);
		return;
	}
	when = (next > now ? next - now : 1) * USEC_PER_SEC;
	sd_event_source_set_time_relative(daemon->scrubs->timer, when);
	sd_event_source_set_time_accuracy(daemon->scrubs->timer, when / 16 + 1);
	sd_event_source_set_enabled(daemon->scrubs->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	check(arg);
	return 0;
}

void scrub_set_known(struct daemon *daemon, struct watched_set *set)
{
	struct past past = get_past(daemon, set->device.uuid);

	if (!daemon->scrubs)
		return;
	if (!past.first_seen) {
		past.first_seen = now_seconds();
		put_past(daemon, set->device.uuid, &past);
	}
	/* One that a stop of the set interrupted goes on by itself; a pause is a person's. */
	check(daemon);
}

static void tell_end(struct daemon *daemon, const struct watched_set *set)
{
	const struct dmremap_scrub *scrub = &set->device.scrub;
	char detail[160];

	if (!scrub->lost && !scrub->slow && !scrub->skipped)
		snprintf(detail, sizeof(detail), "All of it could be read.");
	else
		snprintf(detail, sizeof(detail), "Blocks found unreadable: %" PRIu64 ", slow: %" PRIu64 ", not read: %" PRIu64 ".",
			 scrub->lost, scrub->slow, scrub->skipped);
	alert_tell(daemon, &(struct alert){
		.kind = ALERT_SCRUB_DONE, .name = set->device.name, .uuid = set->device.uuid,
		.detail = detail, .count = scrub->lost });
}

void scrub_event(struct daemon *daemon, struct watched_set *set,
		 const struct dmremap_event *event)
{
	if (!event->has_scrub)
		return;
	set->device.scrub = event->scrub;
	if (event->scrub.state == DMREMAP_SCRUB_DONE)
		tell_end(daemon, set);
	scrub_changed(daemon, set);
}

void scrub_changed(struct daemon *daemon, struct watched_set *set)
{
	struct past past = get_past(daemon, set->device.uuid);
	bool running = set->device.scrub.state == DMREMAP_SCRUB_RUNNING;

	if (!daemon->scrubs)
		return;
	if (!running && set->device.scrub.state != DMREMAP_SCRUB_PAUSED)
		past.last_end = now_seconds();
	if (running != past.running || !running) {
		past.running = running;
		put_past(daemon, set->device.uuid, &past);
		check(daemon);
	}
}

void scrub_set_gone(struct daemon *daemon, struct watched_set *set)
{
	free(set->scrub);
	set->scrub = NULL;
}

int scrub_start(struct daemon *daemon)
{
	struct scrubs *scrubs = calloc(1, sizeof(*scrubs));
	int ret;

	if (!scrubs)
		return -ENOMEM;
	/* Also over a sleep of the machine. */
	ret = sd_event_add_time_relative(daemon->event, &scrubs->timer, CLOCK_BOOTTIME, 0, 0,
					 on_timer, daemon);
	if (ret < 0) {
		free(scrubs);
		return ret;
	}
	sd_event_source_set_enabled(scrubs->timer, SD_EVENT_OFF);
	daemon->scrubs = scrubs;
	return 0;
}

void scrub_reload(struct daemon *daemon)
{
	check(daemon);
}

void scrub_stop(struct daemon *daemon)
{
	if (!daemon->scrubs)
		return;
	sd_event_source_disable_unref(daemon->scrubs->timer);
	free(daemon->scrubs);
	daemon->scrubs = NULL;
}
