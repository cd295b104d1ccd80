/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The history from the loop: what is kept, what is not and is told, and how large it grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"

#define LIMIT	(256 << 10)

static char dir[64], path[128], told[1024];
static unsigned int errors, notices;
static struct config config = { .history = true, .history_max = LIMIT };
static struct daemon daemon_;
static uint64_t last_seq;

/* --- What stands in for the rest of the daemon ----------------------------------------- */

void log_print(int priority, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(told, sizeof(told), format, args);
	va_end(args);
	errors += priority <= LOG_ERR;
	notices += priority == LOG_NOTICE;
}

uint64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

void alert_tell(struct daemon *daemon, const struct alert *alert)
{
	fail_msg("an alert: %s", alert->detail);
}

/* --- Helpers ------------------------------------------------------------------------------ */

static int begin(void **state)
{
	strcpy(dir, "/tmp/dmr-record-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/history.db", dir);
	setenv("STATE_DIRECTORY", dir, 1);
	errors = notices = 0;
	last_seq = 0;
	memset(&daemon_, 0, sizeof(daemon_));
	daemon_.config = &config;
	assert_true(sd_event_new(&daemon_.event) >= 0);
	assert_int_equal(worker_init(&daemon_), 0);
	assert_int_equal(record_start(&daemon_), 0);
	return 0;
}

static int end(void **state)
{
	char command[128];

	record_stop(&daemon_);
	worker_stop(&daemon_, 5000);
	sd_event_unref(daemon_.event);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

/* Batches are full, so that each is written at once, and all of it in their order. */
static void add_batch(void)
{
	struct dmremap_event e = { .kind = DMR_NL_EVENT_SLOW, .member = -1, .session = 1,
				   .name = "home", .uuid = "2f1c8a52-0000-4000-8000-00000000000a" };
	uint64_t now, until;

	for (unsigned int i = 0; i < 256; i++) {
		e.seq = ++last_seq;
		e.time = clock_now();
		record_event(&daemon_, &e);
	}
	assert_true(sd_event_now(daemon_.event, CLOCK_MONOTONIC, &until) >= 0);
	/* The lane answers before it has nothing more to do. */
	for (until += USEC_PER_SEC / 2, now = 0; now < until;) {
		sd_event_run(daemon_.event, 20000);
		sd_event_now(daemon_.event, CLOCK_MONOTONIC, &now);
	}
}

static int keep_seq(const struct dmremap_event *e, void *arg)
{
	*(uint64_t *)arg = e->seq;
	return 0;
}

/* The number of the last event that the history has. */
static uint64_t last_kept(void)
{
	const struct dmremap_history_query query = { .last = 1 };
	struct dmremap_history *history;
	uint64_t seq = 0;

	assert_int_equal(dmremap_history_open(path, &history, NULL), 0);
	assert_int_equal(dmremap_history_events(history, &query, keep_seq, &seq, NULL), 0);
	dmremap_history_free(history);
	return seq;
}

static uint64_t bytes(void)
{
	char wal[136];
	struct stat st;
	uint64_t sum = 0;

	snprintf(wal, sizeof(wal), "%s-wal", path);
	if (!stat(path, &st))
		sum += st.st_size;
	if (!stat(wal, &st))
		sum += st.st_size;
	return sum;
}

static void sql(sqlite3 *db, const char *statement)
{
	assert_int_equal(sqlite3_exec(db, statement, NULL, NULL, NULL), SQLITE_OK);
}

/* --- Tests ---------------------------------------------------------------------------------- */

static void bounded(void **state)
{
	for (unsigned int i = 0; i < 6; i++)
		add_batch();
	assert_int_equal(last_kept(), last_seq);
	assert_true(bytes() <= 2 * LIMIT);
	assert_int_equal(errors, 0);
}

/*
 * A program reads the history for long, so that its log can not be emptied: the file grows
 * to a bound, what is not kept is told once and counted, and all goes on behind it.
 */
static void read_for_long(void **state)
{
	uint64_t kept, not_kept, grown;
	sqlite3 *db;

	add_batch();
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sql(db, "BEGIN");
	sql(db, "SELECT count(*) FROM events");
	for (unsigned int i = 0; i < 20 && !errors; i++)
		add_batch();
	assert_int_equal(errors, 1);
	if (!strstr(told, "has been reading it for long"))
		fail_msg("%s", told);
	assert_non_null(strstr(told, "Events are not kept meanwhile"));
	kept = last_kept();
	grown = bytes();
	assert_true(grown <= 6 * LIMIT);
	add_batch();
	add_batch();
	assert_int_equal(errors, 1);
	assert_int_equal(last_kept(), kept);
	assert_int_equal(bytes(), grown);
	sql(db, "COMMIT");
	sqlite3_close(db);

	not_kept = last_seq - kept;
	assert_int_equal(notices, 0);
	add_batch();
	assert_int_equal(last_kept(), last_seq);
	assert_int_equal(notices, 1);
	assert_non_null(strstr(told, "is written again"));
	/* Those that were kept before the limit was met are not among them. */
	assert_int_equal(strtoull(strchr(told, ';') + 1, NULL, 10), not_kept);
	assert_true(bytes() <= 2 * LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bounded, begin, end),
		cmocka_unit_test_setup_teardown(read_for_long, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
