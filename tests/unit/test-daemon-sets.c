/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sets as the module tells of them, whatever happens while it is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"

#define MAX_SETS	8
#define SECOND		USEC_PER_SEC

static struct daemon daemon_;

/* --- The module ----------------------------------------------------------------------- */

static struct dmremap_nl_device module[MAX_SETS];
static unsigned int nr_module;
static int module_error;	/* what it answers instead; -ENOENT: it is not loaded */
static unsigned int asked;	/* dumps of all, and questions for one */
static const char *goes;	/* the set that goes between the dump of sets and its spares */

static struct dmremap_nl_device *add_set(const char *uuid)
{
	struct dmremap_nl_device *d = &module[nr_module++];

	memset(d, 0, sizeof(*d));
	snprintf(d->uuid, sizeof(d->uuid), "%s", uuid);
	snprintf(d->name, sizeof(d->name), "set-%s", uuid);
	d->session = 1;
	d->slots = d->records = 100;
	return d;
}

static struct dmremap_nl_device *module_find(const char *uuid)
{
	for (unsigned int i = 0; i < nr_module; i++)
		if (!strcmp(module[i].uuid, uuid))
			return &module[i];
	return NULL;
}

int dmremap_nl_devices(struct dmremap_nl *nl, const char *name, dmremap_nl_device_fn fn,
		       void *arg, struct dmremap_error *err)
{
	int ret = module_error;

	asked++;
	for (unsigned int i = 0; i < nr_module && !ret; i++)
		ret = fn(&module[i], arg);
	return ret;
}

int dmremap_nl_device(struct dmremap_nl *nl, const char *name,
		      struct dmremap_nl_device *device, struct dmremap_error *err)
{
	struct dmremap_nl_device *d = module_find(name);

	asked++;
	if (module_error)
		return module_error;
	if (!d)
		return -ENODEV;
	*device = *d;
	return 0;
}

int dmremap_nl_spares(struct dmremap_nl *nl, const char *name, dmremap_nl_spare_fn fn,
		      void *arg, struct dmremap_error *err)
{
	return goes && !strcmp(goes, name) ? -ENODEV : 0;
}

/* --- The rest of the daemon ---------------------------------------------------------------- */

static worker_fn job_fn;
static worker_done_fn job_done;
static void *job_arg;
static unsigned int jobs, errors, ended_sessions, scrub_changes;
static bool holds[NR_ALERTS];
static uint64_t counts[NR_ALERTS];

int worker_submit(struct daemon *daemon, enum worker_lane lane, worker_fn fn, void *arg,
		  worker_done_fn done)
{
	assert_null(job_fn);
	job_fn = fn;
	job_arg = arg;
	job_done = done;
	jobs++;
	return 0;
}

int worker_nl(struct worker *worker, struct dmremap_nl **nl, struct dmremap_error *err)
{
	*nl = (void *)module;
	return 0;
}

void worker_nl_drop(struct worker *worker)
{
}

bool worker_stopping(const struct worker *worker)
{
	return false;
}

void log_print(int priority, const char *format, ...)
{
	errors += priority <= LOG_ERR;
}

void alert_condition(struct daemon *daemon, const struct alert *alert, bool is)
{
	holds[alert->kind] = is;
	counts[alert->kind] = alert->count;
}

void alert_only(struct daemon *daemon, enum alert_kind kind, const char *uuid,
		const char *const *subjects, unsigned int nr)
{
}

void alert_set_gone(struct daemon *daemon, const char *uuid)
{
}

uint32_t policy_spare_low(struct daemon *daemon, const struct watched_set *set)
{
	return 10;
}

void policy_update(struct daemon *daemon, struct watched_set *set)
{
}

void policy_set_gone(struct daemon *daemon, struct watched_set *set)
{
	ended_sessions++;
}

void rules_set_gone(struct daemon *daemon, struct watched_set *set)
{
}

void scrub_set_known(struct daemon *daemon, struct watched_set *set)
{
}

void scrub_changed(struct daemon *daemon, struct watched_set *set)
{
	scrub_changes++;
}

void scrub_set_gone(struct daemon *daemon, struct watched_set *set)
{
}

void spares_set_changed(struct daemon *daemon, struct watched_set *set)
{
}

void spares_set_gone(struct daemon *daemon, struct watched_set *set)
{
}

void smart_members_changed(struct daemon *daemon)
{
}

void daemon_status(struct daemon *daemon)
{
}

/* --- Helpers ---------------------------------------------------------------------------------- */

static int begin(void **state)
{
	memset(&daemon_, 0, sizeof(daemon_));
	memset(holds, 0, sizeof(holds));
	nr_module = jobs = errors = asked = ended_sessions = scrub_changes = 0;
	module_error = 0;
	goes = NULL;
	assert_true(sd_event_new(&daemon_.event) >= 0);
	return sets_start(&daemon_);
}

/* The job that was submitted, in two parts, between which much may happen. */
static struct dmremap_error job_error;

static int job_runs(void)
{
	assert_non_null(job_fn);
	return job_fn(NULL, job_arg, &job_error);
}

static void job_ends(int result)
{
	worker_done_fn done = job_done;

	job_fn = NULL;
	done(&daemon_, job_arg, result, &job_error);
}

static void run_job(void)
{
	job_ends(job_runs());
}

static int end(void **state)
{
	if (job_fn)
		job_ends(-ECANCELED);
	sets_stop(&daemon_);
	sd_event_unref(daemon_.event);
	return 0;
}

/* Let the loop run until a job is submitted, at most so long. */
static bool submitted_within(uint64_t usec)
{
	unsigned int before = jobs;
	uint64_t now, until;

	sd_event_run(daemon_.event, 0);
	sd_event_now(daemon_.event, CLOCK_MONOTONIC, &now);
	for (until = now + usec; jobs == before && now < until;) {
		sd_event_run(daemon_.event, 20000);
		sd_event_now(daemon_.event, CLOCK_MONOTONIC, &now);
	}
	return jobs > before;
}

static unsigned int nr_sets(void)
{
	struct watched_set *set;
	unsigned int n = 0;

	LIST_FOREACH(set, &daemon_.sets, link)
		n += set->known;
	return n;
}

static void all_known(void)
{
	sets_resync(&daemon_, "test");
	run_job();
	assert_int_equal(nr_sets(), nr_module);
	jobs = asked = 0;
}

/* --- Tests -------------------------------------------------------------------------------------- */

static void found_and_forgotten(void **state)
{
	add_set("a");
	add_set("b");
	all_known();
	assert_string_equal(set_find(&daemon_, "b")->device.name, "set-b");
	nr_module = 1;
	sets_resync(&daemon_, "test");
	run_job();
	assert_int_equal(nr_sets(), 1);
	assert_null(set_find(&daemon_, "b"));
	module_error = -ENOENT;
	sets_resync(&daemon_, "test");
	run_job();
	assert_int_equal(nr_sets(), 0);
	/* There is nobody to be asked again. */
	assert_false(submitted_within(SECOND));
	assert_int_equal(errors, 0);
}

/* The module came back when it had just said that it is not there. */
static void back_during_a_dump(void **state)
{
	int result;

	add_set("a");
	module_error = -ENOENT;
	sets_resync(&daemon_, "the module was unloaded");
	result = job_runs();
	module_error = 0;
	sets_resync(&daemon_, "listening began");
	assert_int_equal(jobs, 1);
	job_ends(result);
	assert_true(submitted_within(10 * SECOND));
	run_job();
	assert_int_equal(nr_sets(), 1);
	assert_int_equal(errors, 0);
}

/* Changes that come without end do not put off that the module is asked. */
static void no_end_of_changes(void **state)
{
	bool submitted = false;
	char uuid[2] = "a";

	for (; uuid[0] < 'a' + MAX_SETS; uuid[0]++)
		add_set(uuid);
	all_known();
	for (unsigned int i = 0; i < MAX_SETS && !submitted; i++) {
		uuid[0] = 'a' + i;
		set_refresh(&daemon_, set_find(&daemon_, uuid));
		submitted = submitted_within(SECOND / 10);
	}
	assert_true(submitted);
	/* Only those that changed. */
	run_job();
	assert_in_range(asked, 1, MAX_SETS - 1);
	asked = 0;
}

/* An event told of its end after the module had been asked for all. */
static void gone_during_a_dump(void **state)
{
	int result;

	add_set("a");
	add_set("b");
	all_known();
	sets_resync(&daemon_, "test");
	result = job_runs();
	set_forget(&daemon_, set_find(&daemon_, "b"));
	nr_module = 1;
	job_ends(result);
	assert_null(set_find(&daemon_, "b"));
	/* What was told may be older than that: asked again. */
	assert_true(submitted_within(10 * SECOND));
	run_job();
	assert_int_equal(nr_sets(), 1);
}

static void gone_before_its_spares(void **state)
{
	add_set("a");
	add_set("b");
	add_set("c");
	goes = "b";
	sets_resync(&daemon_, "test");
	run_job();
	assert_int_equal(nr_sets(), 2);
	assert_null(set_find(&daemon_, "b"));
	assert_non_null(set_find(&daemon_, "c"));
}

/* Events that are younger than the answer: it is asked for again, until it has them. */
static void answer_is_older(void **state)
{
	struct watched_set *set;
	int result;

	add_set("a")->event_seq = 3;
	all_known();
	set = set_find(&daemon_, "a");
	assert_int_equal(set->seq, 3);
	set_refresh(&daemon_, set);
	assert_true(submitted_within(10 * SECOND));
	result = job_runs();
	set->seq = 5;
	job_ends(result);
	assert_int_equal(set->seq, 5);
	module[0].event_seq = 5;
	assert_true(submitted_within(10 * SECOND));
	run_job();
	assert_false(submitted_within(SECOND));
}

/* Its table was loaded anew: what belonged to the activation ends, once. */
static void another_session(void **state)
{
	add_set("a");
	all_known();
	ended_sessions = 0;
	module[0].session = 2;
	module[0].event_seq = 1;
	sets_resync(&daemon_, "test");
	run_job();
	assert_int_equal(ended_sessions, 1);
	assert_int_equal(set_find(&daemon_, "a")->seq, 1);
}

/* The event that told of the end was lost. */
static void scrub_ends(void **state)
{
	add_set("a")->scrub.state = DMREMAP_SCRUB_RUNNING;
	all_known();
	all_known();
	assert_int_equal(scrub_changes, 0);
	module[0].scrub.state = DMREMAP_SCRUB_DONE;
	all_known();
	all_known();
	assert_int_equal(scrub_changes, 1);
	/* Of another activation all is told anew. */
	module[0].session = 2;
	module[0].scrub.state = DMREMAP_SCRUB_RUNNING;
	all_known();
	assert_int_equal(scrub_changes, 1);
}

/* It does not answer: told, kept, and not asked all the time. */
static void no_answer(void **state)
{
	add_set("a");
	all_known();
	module_error = -ETIMEDOUT;
	sets_resync(&daemon_, "test");
	run_job();
	assert_int_equal(errors, 1);
	assert_int_equal(nr_sets(), 1);
	assert_false(submitted_within(SECOND));
}

static void room(void **state)
{
	struct dmremap_nl_device *d = add_set("a");

	/* Full at once is told once, as that. */
	d->slots_used = d->records_used = 100;
	all_known();
	assert_true(!holds[ALERT_SPARE_LOW] && holds[ALERT_SPARE_FULL]);
	assert_true(!holds[ALERT_MAP_LOW] && holds[ALERT_MAP_FULL]);
	d->slots_used = 90;
	d->records_used = 80;
	all_known();
	assert_false(holds[ALERT_SPARE_LOW] || holds[ALERT_SPARE_FULL]);
	assert_false(holds[ALERT_MAP_LOW] || holds[ALERT_MAP_FULL]);
	d->slots_used = 91;
	d->records_used = 81;
	all_known();
	assert_true(holds[ALERT_SPARE_LOW] && !holds[ALERT_SPARE_FULL]);
	assert_true(holds[ALERT_MAP_LOW] && !holds[ALERT_MAP_FULL]);
	assert_int_equal(counts[ALERT_SPARE_LOW], 9);
	assert_int_equal(counts[ALERT_MAP_LOW], 19);
	/* More used than there is: slots that turned out bad. */
	d->slots_used = 101;
	d->records_used = 100;
	all_known();
	assert_true(holds[ALERT_SPARE_LOW] && holds[ALERT_SPARE_FULL]);
	assert_true(holds[ALERT_MAP_LOW] && holds[ALERT_MAP_FULL]);
	d->slots_used = d->records_used = 0;
	all_known();
	assert_false(holds[ALERT_SPARE_LOW] || holds[ALERT_SPARE_FULL]);
	assert_false(holds[ALERT_MAP_LOW] || holds[ALERT_MAP_FULL]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(found_and_forgotten, begin, end),
		cmocka_unit_test_setup_teardown(back_during_a_dump, begin, end),
		cmocka_unit_test_setup_teardown(no_end_of_changes, begin, end),
		cmocka_unit_test_setup_teardown(gone_during_a_dump, begin, end),
		cmocka_unit_test_setup_teardown(gone_before_its_spares, begin, end),
		cmocka_unit_test_setup_teardown(answer_is_older, begin, end),
		cmocka_unit_test_setup_teardown(another_session, begin, end),
		cmocka_unit_test_setup_teardown(scrub_ends, begin, end),
		cmocka_unit_test_setup_teardown(no_answer, begin, end),
		cmocka_unit_test_setup_teardown(room, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
