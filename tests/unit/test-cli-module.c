// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands that ask the module: waiting for a scrub, statistics of all sets. */
#include <errno.h>

#include "fixture-cli.h"

/* What the module tells of the set, one answer after the other; the last one stays. */
static const enum dmremap_scrub_state *states;
static uint64_t lost;
static const char *const sets[] = { "one", "gone", "three" };

/* --- The library's part ------------------------------------------------------------- */

int dmremap_nl_open(struct dmremap_nl **nl, struct dmremap_error *err)
{
	*nl = NULL;
	return 0;
}

void dmremap_nl_free(struct dmremap_nl *nl)
{
}

int dmremap_nl_device(struct dmremap_nl *nl, const char *name, struct dmremap_nl_device *d,
		      struct dmremap_error *err)
{
	memset(d, 0, sizeof(*d));
	snprintf(d->name, sizeof(d->name), "%s", name);
	d->block_sectors = 8;
	d->scrub = (struct dmremap_scrub){ .state = *states, .end = 100, .position = 50,
					   .lost = lost };
	if (states[1])
		states++;
	return 0;
}

int dmremap_nl_scrub(struct dmremap_nl *nl, const char *name, enum dmremap_scrub_command what,
		     uint64_t first, uint64_t count, struct dmremap_error *err)
{
	return 0;
}

int dmremap_nl_devices(struct dmremap_nl *nl, const char *name, dmremap_nl_device_fn fn,
		       void *arg, struct dmremap_error *err)
{
	struct dmremap_nl_device *d = calloc(1, sizeof(*d));
	int r = 0;

	assert_non_null(d);
	for (size_t i = 0; i < ARRAY_SIZE(sets) && !r; i++) {
		snprintf(d->name, sizeof(d->name), "%s", sets[i]);
		r = fn(d, arg);
	}
	free(d);
	return r;
}

int dmremap_nl_stats(struct dmremap_nl *nl, const char *name, dmremap_nl_stats_fn fn,
		     void *arg, struct dmremap_error *err)
{
	if (!strcmp(name, "gone")) {
		snprintf(err->text, sizeof(err->text), "The set gone is not in use.");
		return -ENODEV;
	}
	return 0;
}

int dmremap_status(const char *name, struct dmremap_status *status, struct dmremap_error *err)
{
	memset(status, 0, sizeof(*status));
	snprintf(status->name, sizeof(status->name), "%s", name);
	return 0;
}

/* --- Tests --------------------------------------------------------------------------- */

#define STATES(...)	(const enum dmremap_scrub_state[]){ __VA_ARGS__, 0 }

static int wait_for(const enum dmremap_scrub_state *answers)
{
	states = answers;
	lost = 0;
	return fx_run("scrub status", "one", "--wait", NULL);
}

static void no_scrub(void **state)
{
	assert_int_equal(wait_for(STATES(DMREMAP_SCRUB_IDLE)), 0);
	assert_contains(fx_out, "No scrub of one runs.");
	assert_string_equal(fx_err, "");
	assert_int_equal(wait_for(STATES(DMREMAP_SCRUB_DONE)), 0);
	assert_contains(fx_out, "No scrub of one runs.");
	assert_int_equal(wait_for(STATES(DMREMAP_SCRUB_PAUSED)), 1);
	assert_contains(fx_err, "is paused");
	assert_contains(fx_err, "scrub resume one");
}

static void ends(void **state)
{
	assert_int_equal(wait_for(STATES(DMREMAP_SCRUB_RUNNING, DMREMAP_SCRUB_DONE)), 0);
	assert_lacks(fx_out, "No scrub");
	assert_int_equal(wait_for(STATES(DMREMAP_SCRUB_RUNNING, DMREMAP_SCRUB_PAUSED)), 1);
	assert_contains(fx_err, "is paused");
	/* 0 ends the list and is what a scrub is that was cancelled. */
	states = (const enum dmremap_scrub_state[]){ DMREMAP_SCRUB_IDLE, 0 };
	assert_int_equal(fx_run("scrub start", "one", "--wait", NULL), 1);
	assert_contains(fx_err, "was cancelled");
	states = STATES(DMREMAP_SCRUB_DONE);
	lost = 2;
	assert_int_equal(fx_run("scrub start", "one", "--wait", NULL), 0);
	assert_contains(fx_err, "2 blocks of one have sectors that can not be read");
}

static void wait_for_which(void **state)
{
	assert_int_equal(fx_run("scrub status", "--wait", NULL), 2);
	assert_contains(fx_err, "--wait needs the name of a set");
}

static void stats_of_the_others(void **state)
{
	assert_int_equal(fx_run("stats", NULL), 1);
	assert_contains(fx_out, "one");
	assert_contains(fx_out, "three");
	assert_contains(fx_err, "The set gone is not in use.");
	assert_int_equal(fx_run("stats", "three", NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_scrub), cmocka_unit_test(ends),
		cmocka_unit_test(wait_for_which), cmocka_unit_test(stats_of_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
