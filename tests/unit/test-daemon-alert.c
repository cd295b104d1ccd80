/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Alerts on edges, by a clock of the test's own: once, reminders, ends, storms, and
 * nothing again after a restart. And that each alert has its words, ids and catalog.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "alert.h"

#define SET_A	"2f1c8a52-0000-4000-8000-00000000000a"

/* --- In place of the rest of the daemon ------------------------------------------- */

static uint64_t now;
static char last[1024], last_fields[4096];
static unsigned int told, hooked, errors, kept_acts;
static struct json_object *kept;

uint64_t clock_now(void)
{
	return now;
}

void log_print(int priority, const char *format, ...)
{
	errors += priority <= LOG_ERR;
}

void log_fields(int priority, const struct iovec *fields, int nr)
{
	int i;

	told++;
	last_fields[0] = '\0';
	for (i = 0; i < nr; i++) {
		snprintf(last_fields + strlen(last_fields),
			 sizeof(last_fields) - strlen(last_fields), "%.*s\n",
			 (int)fields[i].iov_len, (char *)fields[i].iov_base);
		if (!strncmp(fields[i].iov_base, "MESSAGE=", 8))
			snprintf(last, sizeof(last), "%.*s", (int)fields[i].iov_len - 8,
				 (char *)fields[i].iov_base + 8);
	}
}

void record_event(struct daemon *daemon, const struct dmremap_event *event)
{
	assert_int_equal(event->kind, DMREMAP_EVENT_ACT);
	kept_acts++;
	assert_string_equal(event->message, last);
}

void hooks_run(struct daemon *daemon, const char *const *environment)
{
	hooked++;
}

void daemon_status(struct daemon *daemon)
{
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

/* --- The tests ------------------------------------------------------------------------ */

static struct config config;
static struct daemon daemon_;

static int begin(void **state)
{
	now = 1700000000 * NSEC_PER_SEC;
	told = hooked = errors = kept_acts = 0;
	memset(&daemon_, 0, sizeof(daemon_));
	config.reminder_interval = 86400;
	daemon_.config = &config;
	return sd_event_new(&daemon_.event) < 0 ? -1 : alert_start(&daemon_);
}

static int end(void **state)
{
	alert_stop(&daemon_);
	sd_event_unref(daemon_.event);
	json_object_put(kept);
	kept = NULL;
	return 0;
}

static void restart(void)
{
	alert_stop(&daemon_);
	assert_int_equal(alert_start(&daemon_), 0);
}

static void low(bool holds, uint64_t count)
{
	alert_condition(&daemon_, &(struct alert){ .kind = ALERT_SPARE_LOW, .name = "home",
						   .uuid = SET_A, .count = count }, holds);
}

static void pass(uint64_t seconds)
{
	now += seconds * NSEC_PER_SEC;
	alert_check(&daemon_);
}

static void once(void **state)
{
	unsigned int i;

	low(false, 0);
	assert_int_equal(told, 0);
	for (i = 0; i < 100000; i++)
		low(true, 100000 - i);
	assert_int_equal(told, 1);
	assert_int_equal(hooked, 1);
	assert_string_equal(last, "Set home is running out of spare blocks: 100000 left.");
	assert_non_null(strstr(last_fields, "DMREMAP_DEVICE=home\n"));
	assert_non_null(strstr(last_fields, "DMREMAP_UUID=" SET_A "\n"));
	assert_non_null(strstr(last_fields, "DMREMAP_EVENT=spare-low\n"));
	assert_non_null(strstr(last_fields, "DMREMAP_PHASE=begin\n"));
	assert_non_null(strstr(last_fields, "DMREMAP_COUNT=100000\n"));
	assert_non_null(strstr(last_fields, "PRIORITY=4\n"));
	assert_non_null(strstr(last_fields, "DMREMAP_ACTION=dmremapctl spare add home DEVICE\n"));
	assert_true(alert_holds(&daemon_, ALERT_SPARE_LOW, SET_A, NULL));

	low(false, 0);
	pass(4);
	assert_int_equal(told, 1);
	pass(2);
	assert_int_equal(told, 2);
	assert_string_equal(last, "Set home has enough spare blocks again.");
	assert_non_null(strstr(last_fields, "DMREMAP_PHASE=end\n"));
	assert_null(strstr(last_fields, "DMREMAP_ACTION"));
	assert_false(alert_holds(&daemon_, ALERT_SPARE_LOW, SET_A, NULL));
	low(false, 0);
	pass(100);
	assert_int_equal(told, 2);
}

static void reminders(void **state)
{
	low(true, 9);
	pass(86399);
	assert_int_equal(told, 1);
	low(true, 5);
	pass(1);
	assert_int_equal(told, 2);
	assert_non_null(strstr(last, "5 left. So it has been since 2023-11-14"));
	assert_non_null(strstr(last_fields, "DMREMAP_PHASE=reminder\n"));
	pass(86399);
	assert_int_equal(told, 2);
	pass(1);
	assert_int_equal(told, 3);
	/* A clock that jumps back a year does not silence it for a year. */
	now -= 365 * 86400 * NSEC_PER_SEC;
	pass(0);
	now += 86401 * NSEC_PER_SEC;
	/* The next one counts from when that is noticed: at the latest a day on. */
	pass(0);
	assert_int_equal(told, 4);
	config.reminder_interval = 0;
	told = 0;
	pass(10 * 86400);
	assert_int_equal(told, 0);
}

static void clock_set_back(void **state)
{
	low(true, 9);
	now -= 365 * 86400 * NSEC_PER_SEC;
	restart();
	/* Kept: however often it is restarted meanwhile. */
	now += 43200 * NSEC_PER_SEC;
	restart();
	low(true, 9);
	pass(43199);
	assert_int_equal(told, 1);
	pass(1);
	assert_int_equal(told, 2);
	low(false, 0);
	now -= 86400 * NSEC_PER_SEC;
	pass(0);
	pass(6);
	assert_int_equal(told, 3);
	assert_non_null(strstr(last_fields, "DMREMAP_PHASE=end\n"));
}

/* One that comes and goes is told ever less often. */
static void flapping(void **state)
{
	unsigned int i;

	for (i = 0; i < 3600; i++) {
		low(true, 1);
		pass(1);
		low(false, 0);
		pass(1);
	}
	assert_int_equal(told, 1);
	low(true, 1);
	pass(1);
	low(false, 0);
	pass(3600);
	assert_int_equal(told, 2);

	/* Slowly: six seconds on, six off, for an hour. */
	told = 0;
	for (i = 0; i < 300; i++) {
		low(true, 1);
		pass(6);
		low(false, 0);
		pass(6);
	}
	assert_in_range(told, 1, 8);
}

static void restarts(void **state)
{
	low(true, 7);
	restart();
	/* The first dump after a start says what holds. */
	low(true, 7);
	pass(0);
	assert_int_equal(told, 1);
	pass(86400);
	assert_int_equal(told, 2);
	/* The history has no use for reminders. */
	assert_int_equal(kept_acts, 1);

	restart();
	low(false, 0);
	pass(6);
	assert_int_equal(told, 3);
	assert_non_null(strstr(last, "enough spare blocks again"));
	restart();
	low(false, 0);
	pass(6);
	assert_int_equal(told, 3);

	/* What nobody confirms is not reminded of, and forgotten in the end. */
	low(true, 7);
	restart();
	pass(10 * 86400);
	assert_int_equal(told, 4);
	pass(200 * 86400ULL);
	low(true, 7);
	assert_int_equal(told, 5);
}

static void gone_sets(void **state)
{
	low(true, 7);
	alert_set_gone(&daemon_, SET_A);
	pass(3 * 86400);
	assert_int_equal(told, 1);
	low(true, 7);
	assert_int_equal(told, 1);
	pass(86400);
	assert_int_equal(told, 2);

	/* What was over when it went ends all the same, and can begin again. */
	low(false, 0);
	alert_set_gone(&daemon_, SET_A);
	pass(6);
	assert_int_equal(told, 3);
	assert_non_null(strstr(last_fields, "DMREMAP_PHASE=end\n"));
	low(false, 0);
	pass(30 * 86400);
	low(true, 7);
	assert_int_equal(told, 4);
	assert_non_null(strstr(last_fields, "DMREMAP_PHASE=begin\n"));
}

static void subjects(void **state)
{
	struct alert alert = { .kind = ALERT_SPARE_FAILED, .name = "home", .uuid = SET_A,
			       .subject = "one", .spare = "/dev/sdx" };
	const char *left[] = { "two" };

	alert_condition(&daemon_, &alert, true);
	assert_string_equal(last, "Spare /dev/sdx of set home has failed or is missing.");
	alert.subject = "two";
	alert_condition(&daemon_, &alert, true);
	assert_int_equal(told, 2);
	assert_int_equal(alert_count(&daemon_), 2);
	alert_only(&daemon_, ALERT_SPARE_FAILED, SET_A, left, 1);
	pass(6);
	assert_int_equal(told, 3);
	assert_int_equal(alert_count(&daemon_), 1);
	assert_true(alert_holds(&daemon_, ALERT_SPARE_FAILED, SET_A, "two"));
}

static void bounded(void **state)
{
	char subject[32];
	unsigned int i;

	for (i = 0; i < 5000; i++) {
		snprintf(subject, sizeof(subject), "%u", i);
		alert_condition(&daemon_, &(struct alert){ .kind = ALERT_DISK_FAILING,
							   .subject = subject }, true);
	}
	assert_int_equal(told, 1024);
	assert_true(errors > 0);

	/* What is of a set that is gone makes room. */
	errors = 0;
	alert_condition(&daemon_, &(struct alert){ .kind = ALERT_DISK_FAILING,
						   .subject = "0" }, false);
	pass(6);
	low(true, 7);
	assert_int_equal(told, 1026);
	assert_int_equal(errors, 0);
	assert_true(alert_holds(&daemon_, ALERT_SPARE_LOW, SET_A, NULL));
	assert_false(alert_holds(&daemon_, ALERT_DISK_FAILING, NULL, "0"));
	assert_true(alert_holds(&daemon_, ALERT_DISK_FAILING, NULL, "1"));
	assert_int_equal(alert_count(&daemon_), 1024);
}

static void counts(void **state)
{
	struct alert alert = { .kind = ALERT_SPARE_FAILED, .name = "home", .uuid = SET_A,
			       .subject = "one", .spare = "/dev/sdx" };

	/* The catalog speaks of it: an empty spare is told of as empty. */
	alert_condition(&daemon_, &alert, true);
	assert_non_null(strstr(last_fields, "\nDMREMAP_COUNT=0\n"));
	alert.kind = ALERT_FROZEN;
	alert_condition(&daemon_, &alert, true);
	assert_null(strstr(last_fields, "DMREMAP_COUNT="));
}

static char *read_catalog(void)
{
	FILE *file = fopen("packaging/catalog/dm-remap.catalog", "r");
	char *text = calloc(1, 1 << 20);

	assert_non_null(file);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	return text;
}

/* The entry of @id: a subject, a blank line, and at least two lines of advice. */
static void check_entry(const char *catalog, const char *id, const char *event)
{
	char head[64];
	const char *entry, *blank;

	assert_non_null(id);
	assert_int_equal(strlen(id), 32);
	assert_int_equal(strspn(id, "0123456789abcdef"), 32);
	snprintf(head, sizeof(head), "-- %s\nSubject: ", id);
	entry = strstr(catalog, head);
	if (!entry)
		fail_msg("the catalog has no entry for %s (%s)", id, event);
	assert_null(strstr(entry + 1, head));
	blank = strstr(entry, "\n\n");
	assert_non_null(blank);
	if (!strncmp(blank + 2, "-- ", 3) || strlen(blank) < 80)
		fail_msg("the entry of %s (%s) says nothing", id, event);
}

static void texts(void **state)
{
	char *catalog = read_catalog();
	unsigned int i, j, entries = 0;
	const char *p;

	for (i = 0; i < NR_ALERTS; i++) {
		const struct alert_text *text = &alert_texts[i];

		assert_non_null(text->event);
		assert_non_null(text->message);
		check_entry(catalog, text->message_id, text->event);
		entries++;
		assert_true(!!text->end == (i < NR_ALERT_CONDITIONS));
		if (text->end) {
			check_entry(catalog, text->end_id, text->event);
			entries++;
		}
		for (j = 0; j < i; j++) {
			assert_string_not_equal(text->event, alert_texts[j].event);
			assert_string_not_equal(text->message_id, alert_texts[j].message_id);
		}
	}
	/* And none for what does not exist. */
	for (p = catalog; (p = strstr(p, "\n-- ")); p++)
		entries--;
	assert_int_equal(entries, 0);
	free(catalog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(once, begin, end),
		cmocka_unit_test_setup_teardown(reminders, begin, end),
		cmocka_unit_test_setup_teardown(clock_set_back, begin, end),
		cmocka_unit_test_setup_teardown(flapping, begin, end),
		cmocka_unit_test_setup_teardown(restarts, begin, end),
		cmocka_unit_test_setup_teardown(gone_sets, begin, end),
		cmocka_unit_test_setup_teardown(subjects, begin, end),
		cmocka_unit_test_setup_teardown(bounded, begin, end),
		cmocka_unit_test_setup_teardown(counts, begin, end),
		cmocka_unit_test(texts),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
