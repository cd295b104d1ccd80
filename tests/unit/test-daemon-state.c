/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state file: survives, is written whole, damage is put aside, a full disk is no end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"

static char dir[64], path[128], error[1024];
static unsigned int errors;
static struct daemon daemon_;

void log_print(int priority, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, sizeof(error), format, args);
	va_end(args);
	errors += priority <= LOG_ERR;
}

static void start(void)
{
	memset(&daemon_, 0, sizeof(daemon_));
	assert_true(sd_event_new(&daemon_.event) >= 0);
	assert_int_equal(worker_init(&daemon_), 0);
	assert_int_equal(state_open(&daemon_), 0);
}

static void stop(void)
{
	state_close(&daemon_);
	worker_stop(&daemon_, 5000);
	sd_event_unref(daemon_.event);
}

static int begin(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/dmr-state-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/state.json", dir);
	setenv("STATE_DIRECTORY", dir, 1);
	errors = 0;
	start();
	return 0;
}

static int end(void **state)
{
	char command[128];

	stop();
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void run_for(uint64_t usec)
{
	uint64_t now, until;

	sd_event_now(daemon_.event, CLOCK_MONOTONIC, &until);
	until += usec;
	do {
		sd_event_run(daemon_.event, 10000);
		sd_event_now(daemon_.event, CLOCK_MONOTONIC, &now);
	} while (now < until);
}

static int number(const char *key)
{
	return json_object_get_int(state_get(&daemon_, key));
}

static void survives(void **state)
{
	assert_null(state_get(&daemon_, "a"));
	state_put(&daemon_, "a", json_object_new_int(5));
	stop();
	start();
	assert_int_equal(number("a"), 5);
	assert_null(state_get(&daemon_, "b"));
	assert_int_equal(errors, 0);
}

/* Soon on the disk, for the sake of kill -9, and not a write for each change. */
static void soon_and_seldom(void **state)
{
	uint64_t begin, now, first = 0;
	unsigned int i, files = 0;
	ino_t inode = 0;
	struct stat st;

	sd_event_now(daemon_.event, CLOCK_MONOTONIC, &begin);
	for (i = 0, now = begin; now - begin < 2500000; i++) {
		state_put(&daemon_, "a", json_object_new_int(i));
		run_for(2000);
		sd_event_now(daemon_.event, CLOCK_MONOTONIC, &now);
		if (stat(path, &st) < 0 || st.st_ino == inode)
			continue;
		inode = st.st_ino;
		if (!files++)
			first = now;
	}
	assert_in_range(first - begin, 0, 500000);
	assert_in_range(files, 2, 4);
}

/* Damage is told once, and the old file stays for who wants to look. */
static void damaged(void **state)
{
	static const char *const texts[] = { "{ \"a\": 5", "[ 1 ]", "", "\x01\x02" };
	char aside[160];
	size_t i;

	snprintf(aside, sizeof(aside), "%s.damaged", path);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		FILE *file;

		stop();
		file = fopen(path, "w");
		fputs(texts[i], file);
		fclose(file);
		errors = 0;
		start();
		assert_int_equal(errors, 1);
		assert_int_equal(access(aside, F_OK), 0);
		unlink(aside);
		assert_null(state_get(&daemon_, "a"));
		state_put(&daemon_, "a", json_object_new_int(5));
		stop();
		errors = 0;
		start();
		assert_int_equal(errors, 0);
		assert_int_equal(number("a"), 5);
	}
}

/* No place to write: told once, what is known stays, and it is written when it can be. */
static void not_writable(void **state)
{
	char away[80];
	unsigned int i;

	state_put(&daemon_, "a", json_object_new_int(1));
	run_for(300000);
	assert_int_equal(access(path, F_OK), 0);
	snprintf(away, sizeof(away), "%s.away", dir);
	assert_int_equal(rename(dir, away), 0);
	for (i = 0; i < 3; i++) {
		state_put(&daemon_, "a", json_object_new_int(7));
		run_for(1100000);
	}
	assert_int_equal(errors, 1);
	assert_int_equal(number("a"), 7);
	assert_int_equal(rename(away, dir), 0);
	stop();
	start();
	assert_int_equal(number("a"), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(survives, begin, end),
		cmocka_unit_test_setup_teardown(soon_and_seldom, begin, end),
		cmocka_unit_test_setup_teardown(damaged, begin, end),
		cmocka_unit_test_setup_teardown(not_writable, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
