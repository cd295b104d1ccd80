/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a set is read through, by a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"

#define DAY	86400

static struct daemon daemon_;
static struct watched_set set;

/* --- The rest of the daemon -------------------------------------------------------- */

static struct set_config config = { .scrub_interval = 30 * DAY };
static struct json_object *kept;
static uint64_t now;			/* seconds */
static unsigned int started, answer;

uint64_t clock_now(void)
{
	return now * NSEC_PER_SEC;
}

void log_print(int priority, const char *format, ...)
{
}

const struct set_config *config_of(const struct config *all, const char *name, const char *uuid)
{
	return &config;
}

struct json_object *state_get(struct daemon *daemon, const char *key)
{
	return kept;
}

void state_put(struct daemon *daemon, const char *key, struct json_object *value)
{
	json_object_put(kept);
	kept = value;
}

void alert_tell(struct daemon *daemon, const struct alert *alert)
{
}

struct watched_set *set_find(struct daemon *daemon, const char *uuid)
{
	return &set;
}

int worker_nl(struct worker *worker, struct dmremap_nl **nl, struct dmremap_error *err)
{
	return 0;
}

void worker_nl_drop(struct worker *worker)
{
}

static worker_done_fn job_done;
static void *job_arg;

int worker_submit(struct daemon *daemon, enum worker_lane lane, worker_fn fn, void *arg,
		  worker_done_fn done)
{
	assert_null(job_done);
	job_done = done;
	job_arg = arg;
	return 0;
}

/* --- Helpers ------------------------------------------------------------------------ */

static int begin(void **state)
{
	memset(&daemon_, 0, sizeof(daemon_));
	memset(&set, 0, sizeof(set));
	snprintf(set.device.name, sizeof(set.device.name), "home");
	snprintf(set.device.uuid, sizeof(set.device.uuid), "u");
	set.known = true;
	LIST_INIT(&daemon_.sets);
	LIST_INSERT_HEAD(&daemon_.sets, &set, link);
	now = 20000 * DAY;
	started = answer = 0;
	return sd_event_new(&daemon_.event) < 0 ? -1 : scrub_start(&daemon_);
}

static int end(void **state)
{
	scrub_stop(&daemon_);
	scrub_set_gone(&daemon_, &set);
	sd_event_unref(daemon_.event);
	json_object_put(kept);
	kept = NULL;
	return 0;
}

/* Days later; what is begun then is answered. */
static void pass(unsigned int days)
{
	worker_done_fn done;
	struct dmremap_error err = { "" };

	now += days * DAY;
	scrub_reload(&daemon_);
	done = job_done;
	job_done = NULL;
	if (!done)
		return;
	started++;
	done(&daemon_, job_arg, -(int)answer, &err);
}

static void is_done(void)
{
	struct dmremap_event event = { .has_scrub = true };

	event.scrub.state = DMREMAP_SCRUB_DONE;
	event.scrub.started = now - 1;
	event.scrub.elapsed = 1;
	scrub_event(&daemon_, &set, &event);
}

/* --- Tests --------------------------------------------------------------------------- */

static void interval(void **state)
{
	scrub_set_known(&daemon_, &set);
	pass(0);
	assert_int_equal(started, 0);
	/* The first one is soon. */
	pass(2);
	assert_int_equal(started, 1);
	pass(60);
	assert_int_equal(started, 1);
	is_done();
	pass(29);
	assert_int_equal(started, 1);
	pass(1);
	assert_int_equal(started, 2);
}

/* What ended is known from a dump alone; so is what a person cancelled. */
static void end_is_lost(void **state)
{
	scrub_set_known(&daemon_, &set);
	pass(2);
	assert_int_equal(started, 1);
	set.device.scrub.state = DMREMAP_SCRUB_IDLE;
	scrub_changed(&daemon_, &set);
	pass(29);
	assert_int_equal(started, 1);
	pass(1);
	assert_int_equal(started, 2);
	set.device.scrub.state = DMREMAP_SCRUB_PAUSED;
	scrub_changed(&daemon_, &set);
	pass(365);
	assert_int_equal(started, 2);
}

static void clock_set_back(void **state)
{
	scrub_set_known(&daemon_, &set);
	now -= 365 * DAY;
	pass(0);
	pass(2);
	assert_int_equal(started, 1);
	is_done();
	now -= 365 * DAY;
	pass(0);
	pass(29);
	assert_int_equal(started, 1);
	pass(1);
	assert_int_equal(started, 2);

	/* One that failed is tried again. */
	is_done();
	answer = EIO;
	pass(30);
	assert_int_equal(started, 3);
	now -= 365 * DAY;
	pass(0);
	pass(30);
	assert_int_equal(started, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(interval, begin, end),
		cmocka_unit_test_setup_teardown(end_is_lost, begin, end),
		cmocka_unit_test_setup_teardown(clock_set_back, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
