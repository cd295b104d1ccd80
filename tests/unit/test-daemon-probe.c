/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading labels while some devices never answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "spares.h"

static struct daemon daemon_;
static atomic_bool released;
static atomic_uint reads, hanging;
static unsigned int found, none, untold, warnings;

void log_print(int priority, const char *format, ...)
{
	warnings += priority == LOG_WARNING;
}

int dmremap_label_read(const char *path, struct dmremap_label *label, struct dmremap_error *err)
{
	reads++;
	hanging += !strncmp(path, "/hang", 5);
	while (!strncmp(path, "/hang", 5) && !released)
		usleep(1000);
	return !!strstr(path, "label");
}

static void probed(struct daemon *daemon, const struct place *place)
{
	if (!place)
		untold++;
	else if (place->labelled > 0)
		found++;
	else
		none++;
}

static int begin(void **state)
{
	memset(&daemon_, 0, sizeof(daemon_));
	released = false;
	reads = hanging = 0;
	found = none = untold = warnings = 0;
	probes_patience_usec = USEC_PER_SEC / 5;
	assert_int_equal(sd_event_new(&daemon_.event), 0);
	assert_int_equal(worker_init(&daemon_), 0);
	return probes_new(&daemon_, probed);
}

static int end(void **state)
{
	released = true;
	probes_free(&daemon_);
	worker_stop(&daemon_, 2000);
	sd_event_unref(daemon_.event);
	return 0;
}

static void want(const char *format, unsigned int n)
{
	struct place place = { .major = 8, .minor = n };

	snprintf(place.path, sizeof(place.path), format, n);
	probes_want(daemon_.probes, &place);
}

static void until(const unsigned int *count, unsigned int n)
{
	while (*count < n)
		assert_true(sd_event_run(daemon_.event, 2 * USEC_PER_SEC) > 0);
}

static void all(void **state)
{
	unsigned int i;

	assert_true(probes_settled(daemon_.probes));
	for (i = 0; i < 100; i++)
		want(i % 2 ? "/dev/label%u" : "/dev/other%u", i);
	assert_false(probes_settled(daemon_.probes));
	until(&found, 50);
	until(&none, 50);
	assert_true(probes_settled(daemon_.probes));
	assert_int_equal(warnings, 0);
}

static void hangs(void **state)
{
	unsigned int i;

	for (i = 0; i < WORKER_PROBES - 1; i++)
		want("/hang%u", i);
	for (i = 0; i < 20; i++)
		want("/dev/label%u", i);
	until(&found, 20);
	/* Told of again, it takes no further lane. */
	for (i = 0; i < WORKER_PROBES - 1; i++)
		want("/hang%u", i);
	for (i = 20; i < 40; i++)
		want("/dev/label%u", i);
	until(&found, 40);
	/* The last lane may be late. */
	for (i = 0; i < 500 && hanging < WORKER_PROBES - 1; i++)
		usleep(10000);
	assert_int_equal(hanging, WORKER_PROBES - 1);
	/* Told once each, and not waited for any more. */
	until(&untold, 1);
	while (warnings < WORKER_PROBES - 1)
		sd_event_run(daemon_.event, USEC_PER_SEC);
	assert_true(probes_settled(daemon_.probes));
	sd_event_run(daemon_.event, 2 * probes_patience_usec);
	assert_int_equal(warnings, WORKER_PROBES - 1);
	/* They come back. */
	released = true;
	until(&none, 2 * (WORKER_PROBES - 1));
	assert_int_equal(reads, 40 + 2 * (WORKER_PROBES - 1));
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(all), TEST(hangs) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
