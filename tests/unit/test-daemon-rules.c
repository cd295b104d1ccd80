/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Acting on what the predictor names, against a module that is played here: never above
 * the budget of a day, never into the reserve, across restarts; switched off; failures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include <json-c/json.h>

#include "predict.h"

#define DAY	(86400 * NSEC_PER_SEC)
#define UUID	"2f1c8a52-0000-4000-8000-000000000001"

static struct daemon daemon_;
static struct config config;
static struct watched_set set;
static struct json_object *state;
static uint64_t clock_;

/* --- The module ------------------------------------------------------------------- */

static struct {
	uint64_t used, slots, session, moved;
	bool slow[100000], gone[100000];
	int error;		/* of the next relocate */
	bool unreadable;	/* each block fails */
	bool trips;		/* the first that fails opens the breaker */
	uint32_t breaker;
	unsigned int calls;
	uint64_t in_time;	/* blocks of one relocate before its time is over; 0: all */
	uint64_t first, count;	/* of the last */
	bool slow_only;
} module;

int dmremap_nl_device(struct dmremap_nl *nl, const char *name, struct dmremap_nl_device *device,
		      struct dmremap_error *err)
{
	*device = set.device;
	device->session = module.session;
	device->slots = module.slots;
	device->slots_used = module.used;
	device->breaker = module.breaker;
	return 0;
}

int dmremap_nl_relocate(struct dmremap_nl *nl, const char *name, uint64_t first, uint64_t count,
			bool slow_only, struct dmremap_result *result, struct dmremap_error *err)
{
	uint64_t b;

	module.calls++;
	module.first = first;
	module.count = count;
	module.slow_only = slow_only;
	if (module.error) {
		snprintf(err->text, sizeof(err->text), "It failed.");
		return module.error;
	}
	for (b = first; b < first + count; b++) {
		if (module.in_time && b == first + module.in_time)
			return -ETIME;
		if (module.unreadable) {
			result->failed++;
			if (module.trips)
				module.breaker = DMR_NL_BREAKER_OPEN;
			continue;
		}
		if (module.gone[b] || (slow_only && !module.slow[b])) {
			result->unchanged++;
			continue;
		}
		assert_true(module.used < module.slots);
		module.gone[b] = true;
		module.used++;
		module.moved++;
		result->relocated++;
	}
	return 0;
}

/* --- What rules.c stands on ---------------------------------------------------------- */

static struct {
	worker_fn fn;
	worker_done_fn done;
	void *arg;
} job;
static bool submit_fails;
static unsigned int alerts[NR_ALERTS];
static bool holds[NR_ALERTS];
static uint64_t told_moved;
static char last_detail[256];

uint64_t clock_now(void)
{
	return clock_;
}

void log_print(int priority, const char *format, ...)
{
}

const struct set_config *config_of(const struct config *c, const char *name, const char *uuid)
{
	return &c->defaults;
}

struct json_object *state_get(struct daemon *daemon, const char *key)
{
	return state;
}

void state_put(struct daemon *daemon, const char *key, struct json_object *value)
{
	json_object_put(state);
	state = value;
}

void record_sample(struct daemon *daemon, const char *what, const char *subject,
		   struct json_object *sample)
{
	assert_string_equal(subject, UUID);
}

void alert_condition(struct daemon *daemon, const struct alert *alert, bool is)
{
	alerts[alert->kind] += is && !holds[alert->kind];
	holds[alert->kind] = is;
}

void alert_tell(struct daemon *daemon, const struct alert *alert)
{
	alerts[alert->kind]++;
	snprintf(last_detail, sizeof(last_detail), "%s", alert->detail ?: "");
	if (alert->kind == ALERT_MOVED_AHEAD)
		told_moved += alert->count;
}

struct watched_set *set_find(struct daemon *daemon, const char *uuid)
{
	return LIST_EMPTY(&daemon->sets) || strcmp(uuid, UUID) ? NULL : &set;
}

void set_refresh(struct daemon *daemon, struct watched_set *which)
{
	which->device.slots = module.slots;
	which->device.slots_used = module.used;
}

int worker_submit(struct daemon *daemon, enum worker_lane lane, worker_fn fn, void *arg,
		  worker_done_fn done)
{
	assert_true(lane >= WORKER_MOVE && lane < NR_WORKER_LANES);
	/* One at a time for each set. */
	assert_null(job.fn);
	if (submit_fails)
		return -ENOBUFS;
	job.fn = fn;
	job.arg = arg;
	job.done = done;
	return 0;
}

int worker_nl(struct worker *worker, struct dmremap_nl **nl, struct dmremap_error *err)
{
	return 0;
}

void worker_nl_drop(struct worker *worker)
{
}

/* Its seconds are hundredths here: what is waited for is what the clock says, not the timer. */
int sd_event_add_time_relative(sd_event *event, sd_event_source **source, clockid_t clock,
			       uint64_t usec, uint64_t accuracy,
			       sd_event_time_handler_t handler, void *arg)
{
	uint64_t now;
	int r = sd_event_now(event, clock, &now);

	return r < 0 ? r : sd_event_add_time(event, source, clock, now + usec / 100,
					     accuracy / 100, handler, arg);
}

int sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec)
{
	uint64_t now;
	int r = sd_event_now(sd_event_source_get_event(source), CLOCK_MONOTONIC, &now);

	return r < 0 ? r : sd_event_source_set_time(source, now + usec / 100);
}

static bool do_job(void)
{
	struct dmremap_error err = { "" };
	typeof(job) now = job;
	int r;

	if (!job.fn)
		return false;
	memset(&job, 0, sizeof(job));
	r = now.fn(NULL, now.arg, &err);
	now.done(&daemon_, now.arg, r, &err);
	return true;
}

static void run(void)
{
	while (do_job())
		;
}

static void wait_for_tick(void)
{
	clock_ += NSEC_PER_SEC;
	sd_event_run(daemon_.event, USEC_PER_SEC / 5);
	run();
}

static void told(uint32_t kind, uint64_t block, uint64_t blocks)
{
	struct dmremap_event e = { .kind = kind, .class_ = DMR_NL_CLASS_MEDIUM, .nr_extents = 1,
				   .extents = { { block * 8, blocks * 8 } } };

	rules_event(&daemon_, &set, &e);
}

static int begin(void **unused)
{
	memset(&module, 0, sizeof(module));
	memset(&set, 0, sizeof(set));
	memset(&config, 0, sizeof(config));
	memset(alerts, 0, sizeof(alerts));
	memset(holds, 0, sizeof(holds));
	memset(&daemon_, 0, sizeof(daemon_));
	told_moved = 0;
	submit_fails = false;
	clock_ = 20000 * DAY + DAY / 2;
	module.slots = 10000;
	module.session = 5;
	set.device = (struct dmremap_nl_device){ .block_sectors = 8, .sectors = 800000,
						 .slots = 10000, .session = 5, .name = "data",
						 .uuid = UUID };
	config.defaults = (struct set_config){ .relocate_slow = true, .relocate_neighbours = true,
					       .neighbour_distance = 8, .relocate_budget = 1000,
					       .relocate_reserve = 20 };
	daemon_.config = &config;
	LIST_INIT(&daemon_.sets);
	LIST_INSERT_HEAD(&daemon_.sets, &set, link);
	assert_int_equal(sd_event_new(&daemon_.event), 0);
	return rules_start(&daemon_);
}

static int end(void **unused)
{
	if (job.fn)
		job.done(&daemon_, job.arg, -ECANCELED, &(struct dmremap_error){ "" });
	memset(&job, 0, sizeof(job));
	rules_stop(&daemon_);
	sd_event_unref(daemon_.event);
	json_object_put(state);
	state = NULL;
	return 0;
}

/* --- Tests --------------------------------------------------------------------------------- */

static void moves(void **unused)
{
	told(DMR_NL_EVENT_LOST, 5000, 1);
	run();
	assert_int_equal(module.moved, 16);
	assert_false(module.slow_only);
	assert_int_equal(alerts[ALERT_MOVED_AHEAD], 1);
	assert_int_equal(told_moved, 16);
	memset(module.slow + 20000, true, 200);
	told(DMR_NL_EVENT_SLOW, 20050, 3);
	run();
	assert_true(module.slow_only);
	assert_int_equal(module.moved, 216);
	assert_int_equal(told_moved, 216);
	/* The story is told in few words. */
	assert_true(alerts[ALERT_MOVED_AHEAD] <= 3);
	assert_int_equal(alerts[ALERT_MOVE_FAILED], 0);
}

static void portions(void **unused)
{
	told(DMR_NL_EVENT_SLOW, 20000, 500);
	while (do_job())
		assert_true(module.count <= 64);
	assert_true(module.calls >= 8);
}

/* On a disk that is slow to fail a portion takes longer than one request may. */
static void out_of_time(void **unused)
{
	module.in_time = 5;
	memset(module.slow + 20000, true, 200);
	told(DMR_NL_EVENT_SLOW, 20050, 3);
	run();
	assert_int_equal(module.moved, 200);
	assert_int_equal(alerts[ALERT_MOVE_FAILED], 0);
}

static void budget(void **unused)
{
	unsigned int i;

	memset(module.slow, true, sizeof(module.slow));
	for (i = 0; i < 90; i++) {
		told(DMR_NL_EVENT_LOST, i * 1000 + 50, 1);
		run();
		assert_true(module.moved <= 1000);
	}
	assert_int_equal(module.moved, 1000);
	assert_true(holds[ALERT_BUDGET_USED]);
	assert_int_equal(alerts[ALERT_BUDGET_USED], 1);
	/* Neither by a restart, nor by a clock that is set back. */
	rules_stop(&daemon_);
	assert_int_equal(rules_start(&daemon_), 0);
	told(DMR_NL_EVENT_LOST, 95000, 1);
	run();
	clock_ -= DAY;
	wait_for_tick();
	assert_int_equal(module.moved, 1000);
	clock_ += DAY;
	wait_for_tick();
	assert_int_equal(module.moved, 1000);
	/* The next day what waits is done. */
	clock_ += DAY;
	wait_for_tick();
	assert_int_equal(module.moved, 1016);
	assert_false(holds[ALERT_BUDGET_USED]);
}

/* Killed while a portion is on its way: it counts as moved. */
static void killed(void **unused)
{
	config.defaults.relocate_budget = 64;
	told(DMR_NL_EVENT_SLOW, 20000, 64);
	assert_non_null(job.fn);
	job.done(&daemon_, job.arg, -ECANCELED, &(struct dmremap_error){ "" });
	memset(&job, 0, sizeof(job));
	rules_stop(&daemon_);
	assert_int_equal(rules_start(&daemon_), 0);
	told(DMR_NL_EVENT_LOST, 30000, 1);
	run();
	assert_int_equal(module.calls, 0);
	assert_true(holds[ALERT_BUDGET_USED]);
}

/* What was only looked at costs nothing. */
static void healthy(void **unused)
{
	unsigned int i;

	config.defaults.relocate_budget = 20;
	for (i = 0; i < 100; i++) {
		told(DMR_NL_EVENT_SLOW, i * 100 % 3000, 1);
		run();
		clock_ += 10 * NSEC_PER_SEC;
	}
	assert_int_equal(module.moved, 0);
	assert_int_equal(alerts[ALERT_MOVED_AHEAD] + alerts[ALERT_BUDGET_USED], 0);
	memset(module.slow + 50000, true, 4);
	told(DMR_NL_EVENT_SLOW, 50001, 1);
	run();
	assert_int_equal(module.moved, 4);
}

static void reserve(void **unused)
{
	module.used = 7990;
	set_refresh(&daemon_, &set);
	told(DMR_NL_EVENT_LOST, 5000, 1);
	run();
	assert_int_equal(module.used, 8000);
	assert_true(holds[ALERT_RESERVE_REACHED]);
	assert_int_equal(alerts[ALERT_RESERVE_REACHED], 1);
	wait_for_tick();
	assert_int_equal(module.used, 8000);
	assert_int_equal(alerts[ALERT_RESERVE_REACHED], 1);
	/* A spare was added. */
	module.slots = 20000;
	set_refresh(&daemon_, &set);
	wait_for_tick();
	assert_int_equal(module.used, 8006);
	assert_false(holds[ALERT_RESERVE_REACHED]);
}

/* Others used slots since the set was last asked: the thread asks again. */
static void stale(void **unused)
{
	module.used = 7995;
	told(DMR_NL_EVENT_LOST, 5000, 1);
	run();
	assert_int_equal(module.used, 8000);
	wait_for_tick();
	assert_int_equal(module.used, 8000);
}

static void switched_off(void **unused)
{
	config.defaults.relocate_slow = config.defaults.relocate_neighbours = false;
	told(DMR_NL_EVENT_LOST, 5000, 1);
	told(DMR_NL_EVENT_SLOW, 7000, 1);
	assert_null(set.rules);
	assert_null(job.fn);
	config.defaults.relocate_neighbours = true;
	config.defaults.relocate_budget = 0;
	told(DMR_NL_EVENT_LOST, 5000, 1);
	assert_null(job.fn);
	/* While something waits. */
	config.defaults.relocate_budget = 1000;
	told(DMR_NL_EVENT_LOST, 5000, 1);
	told(DMR_NL_EVENT_LOST, 9000, 1);
	config.defaults.relocate_neighbours = false;
	rules_reload(&daemon_);
	run();
	assert_true(module.calls <= 1);
}

static void cannot(void **unused)
{
	set.device.breaker = DMR_NL_BREAKER_OPEN;
	told(DMR_NL_EVENT_LOST, 5000, 1);
	assert_null(job.fn);
	set.device.breaker = DMR_NL_BREAKER_CLOSED;
	set.device.mode = DMR_NL_MODE_FROZEN;
	wait_for_tick();
	assert_int_equal(module.calls, 0);
	set.device.mode = DMR_NL_MODE_RW;
	wait_for_tick();
	assert_int_equal(module.moved, 16);
}

/* While the device is gone every I/O fails. That says nothing of blocks, later neither. */
static void outage(void **unused)
{
	told(DMR_NL_EVENT_READ_ERROR, 5000, 1);
	run();
	module.calls = 0;
	set.device.breaker = DMR_NL_BREAKER_OPEN;
	told(DMR_NL_EVENT_BREAKER_OPEN, 0, 0);
	told(DMR_NL_EVENT_READ_ERROR, 6000, 1);
	told(DMR_NL_EVENT_WRITE_ERROR, 7000, 1);
	told(DMR_NL_EVENT_SLOW, 8000, 1);
	set.device.breaker = DMR_NL_BREAKER_CLOSED;
	told(DMR_NL_EVENT_BREAKER_CLOSED, 0, 0);
	/* What still ends of what was on its way. */
	told(DMR_NL_EVENT_READ_ERROR, 9000, 1);
	told(DMR_NL_EVENT_SLOW, 10000, 1);
	run();
	wait_for_tick();
	wait_for_tick();
	wait_for_tick();
	assert_int_equal(module.calls, 0);
	/* Errors of a device that works count again. */
	told(DMR_NL_EVENT_READ_ERROR, 50000, 1);
	wait_for_tick();
	assert_true(module.gone[50001]);
}

/* It fails while blocks are moved: what that is, the breaker tells. */
static void unplugged(void **unused)
{
	module.unreadable = module.trips = true;
	told(DMR_NL_EVENT_LOST, 5000, 1);
	run();
	assert_true(module.calls == 1);
	wait_for_tick();
	wait_for_tick();
	/* That the breaker is open is found out before the next portion. */
	assert_true(module.calls == 1);
	assert_int_equal(alerts[ALERT_MOVE_FAILED] + alerts[ALERT_MOVED_AHEAD], 0);
	/* Blocks that alone fail are told of, and what they did. */
	module.breaker = DMR_NL_BREAKER_CLOSED;
	module.trips = false;
	told(DMR_NL_EVENT_LOST, 15000, 1);
	run();
	assert_int_equal(alerts[ALERT_MOVE_FAILED], 1);
	assert_non_null(strstr(last_detail, "could not be read"));
}

static void fails_by_another_clock(void **unused)
{
	module.error = -ENOSPC;
	told(DMR_NL_EVENT_LOST, 5000, 1);
	run();
	told(DMR_NL_EVENT_LOST, 15000, 1);
	run();
	assert_int_equal(alerts[ALERT_MOVE_FAILED], 1);
	clock_ -= DAY;
	told(DMR_NL_EVENT_LOST, 25000, 1);
	run();
	assert_int_equal(alerts[ALERT_MOVE_FAILED], 2);
}

static void fails(void **unused)
{
	unsigned int i;

	/* For the moment: again, a few times. */
	module.error = -EAGAIN;
	told(DMR_NL_EVENT_LOST, 5000, 1);
	run();
	assert_int_equal(module.calls, 1);
	module.error = 0;
	wait_for_tick();
	assert_int_equal(module.moved, 16);
	/* For good: told, not repeated. */
	module.calls = 0;
	module.error = -ENOSPC;
	for (i = 0; i < 5; i++) {
		told(DMR_NL_EVENT_LOST, 15000 + i * 100, 1);
		run();
	}
	wait_for_tick();
	wait_for_tick();
	wait_for_tick();
	assert_true(module.calls <= 10);
	assert_int_equal(alerts[ALERT_MOVE_FAILED], 1);
	/* It counted nothing. */
	module.error = 0;
	config.defaults.relocate_budget = 32;
	told(DMR_NL_EVENT_LOST, 50000, 1);
	for (i = 0; i < 10; i++)
		wait_for_tick();
	assert_true(module.moved >= 32);
	/* No thread to be had. */
	config.defaults.relocate_budget = 1000;
	submit_fails = true;
	told(DMR_NL_EVENT_LOST, 60000, 1);
	submit_fails = false;
	wait_for_tick();
	assert_true(module.moved >= 48);
}

static void another_session(void **unused)
{
	told(DMR_NL_EVENT_LOST, 5000, 1);
	module.session = 6;
	run();
	assert_int_equal(module.moved, 0);
	rules_set_gone(&daemon_, &set);
	assert_null(set.rules);
	set.device.session = 6;
	told(DMR_NL_EVENT_LOST, 5000, 1);
	/* It goes while blocks are moved. */
	LIST_REMOVE(&set, link);
	rules_set_gone(&daemon_, &set);
	run();
	LIST_INSERT_HEAD(&daemon_.sets, &set, link);
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(moves), TEST(portions), TEST(out_of_time), TEST(budget), TEST(killed),
		TEST(healthy), TEST(reserve), TEST(stale), TEST(switched_off), TEST(cannot),
		TEST(outage), TEST(unplugged), TEST(fails),
		TEST(fails_by_another_clock), TEST(another_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
