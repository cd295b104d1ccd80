// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * event follow: what the history, the module and the listener tell makes one story,
 * whatever was lost on the way.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "fixture-cli.h"

#define LIVE 7	/* the session that runs */

static char dir[64], path[128], told[512];
static uint64_t last_of_module;
static int null_fd;

/* What the listener meets, one after the other; then a signal comes. */
enum { END, EVENT, NOTHING, LOST, LAST, ACT, PAUSE };

static const struct step {
	int what;
	uint64_t seq;
} *script;

static struct dmremap_event event_of(uint64_t session, uint64_t seq)
{
	struct dmremap_event e = {
		.kind = DMR_NL_EVENT_SLOW, .time = session * 1000 + seq, .member = -1,
		.direction = -1, .class_ = -1, .breaker = -1, .reason = -1,
		.session = session, .seq = seq, .occurrences = 1,
		.name = "backup", .uuid = "2f1c8a52-0000-4000-8000-00000000000a",
	};

	return e;
}

static void keep_act(void)
{
	struct timespec now;
	struct dmremap_event e = event_of(0, 0);
	struct dmremap_history *h;

	clock_gettime(CLOCK_REALTIME, &now);
	e.kind = DMREMAP_EVENT_ACT;
	e.time = now.tv_sec * 1000000000ULL + now.tv_nsec;
	strcpy(e.act, "spare-added");
	strcpy(e.message, "It was added.");
	assert_int_equal(dmremap_history_create(path, &h, NULL), 0);
	assert_int_equal(dmremap_history_add_event(h, &e, NULL), 0);
	dmremap_history_free(h);
}

/* --- The library's part ------------------------------------------------------------- */

int dmremap_monitor_open(struct dmremap_monitor **monitor, struct dmremap_error *err)
{
	*monitor = (void *)&null_fd;
	return 0;
}

void dmremap_monitor_free(struct dmremap_monitor *monitor)
{
}

int dmremap_monitor_fd(const struct dmremap_monitor *monitor)
{
	return null_fd;
}

int dmremap_monitor_next(struct dmremap_monitor *monitor, struct dmremap_event *event,
			 struct dmremap_error *err)
{
	const struct step *step = script++;

	switch (step->what) {
	case EVENT:
		*event = event_of(LIVE, step->seq);
		return 1;
	case LOST:
		return -ENOBUFS;
	case LAST:
		last_of_module = step->seq;
		return dmremap_monitor_next(monitor, event, err);
	case ACT:
		keep_act();
		return dmremap_monitor_next(monitor, event, err);
	case PAUSE:
		usleep(1100000);
		return dmremap_monitor_next(monitor, event, err);
	case NOTHING:
		return 0;
	default:
		script--;
		raise(SIGINT);
		return 0;
	}
}

int dmremap_nl_open(struct dmremap_nl **nl, struct dmremap_error *err)
{
	*nl = (void *)&null_fd;
	return 0;
}

void dmremap_nl_free(struct dmremap_nl *nl)
{
}

int dmremap_nl_devices(struct dmremap_nl *nl, const char *name, dmremap_nl_device_fn fn,
		       void *arg, struct dmremap_error *err)
{
	struct dmremap_event e = event_of(LIVE, last_of_module);
	struct dmremap_nl_device *d = calloc(1, sizeof(*d));
	int r;

	assert_non_null(d);
	strcpy(d->name, e.name);
	strcpy(d->uuid, e.uuid);
	d->session = LIVE;
	d->event_seq = last_of_module;
	r = fn(d, arg);
	free(d);
	return r;
}

/* --- Tests --------------------------------------------------------------------------- */

static void keep(uint64_t session, uint64_t first, uint64_t last)
{
	struct dmremap_history *h;

	assert_int_equal(dmremap_history_create(path, &h, NULL), 0);
	for (; first <= last; first++) {
		struct dmremap_event e = event_of(session, first);

		assert_int_equal(dmremap_history_add_event(h, &e, NULL), 0);
	}
	dmremap_history_free(h);
}

/* "session:seq ..." of what was told; "act" for what the daemon did. */
static const char *follow(uint64_t last, const struct step *steps)
{
	uint64_t session, seq;

	last_of_module = last;
	script = steps;
	assert_int_equal(fx_run("event follow", "--json", "--history", path, NULL), 0);
	told[0] = '\0';
	for (char *line = strtok(fx_out, "\n"); line; line = strtok(NULL, "\n")) {
		const char *s = strstr(line, "\"session\":"), *n = strstr(line, "\"seq\":");
		size_t at = strlen(told);

		if (strstr(line, "\"event\":\"act\"")) {
			snprintf(told + at, sizeof(told) - at, "%sact", at ? " " : "");
			continue;
		}
		assert_true(s && n);
		assert_int_equal(sscanf(s, "\"session\":%" SCNu64, &session), 1);
		assert_int_equal(sscanf(n, "\"seq\":%" SCNu64, &seq), 1);
		snprintf(told + at, sizeof(told) - at, "%s%" PRIu64 ":%" PRIu64, at ? " " : "",
			 session, seq);
	}
	return told;
}

static int begin(void **state)
{
	strcpy(dir, "/tmp/dmr-follow-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/history.db", dir);
	null_fd = open("/dev/null", O_RDONLY);
	return null_fd < 0;
}

static int end(void **state)
{
	char command[128];

	close(null_fd);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void past_and_now(void **state)
{
	keep(3, 1, 3);
	keep(LIVE, 1, 2);
	/* Kept already, though it will be heard. */
	keep(LIVE, 3, 3);
	assert_string_equal(follow(2, (const struct step[]){ { EVENT, 2 }, { EVENT, 3 }, {} }),
			    "3:1 3:2 3:3 7:1 7:2 7:3");
	assert_string_equal(fx_err, "");
}

/* The set was started between the module's word and the reading of the history. */
static void begun_meanwhile(void **state)
{
	keep(LIVE + 1, 1, 3);
	assert_string_equal(follow(0, (const struct step[]){ {} }), "8:1 8:2 8:3");
}

/* What is queued behind a loss is told in its turn, the rest by the history. */
static void queued_behind_a_loss(void **state)
{
	keep(LIVE, 1, 6);
	assert_string_equal(follow(0, (const struct step[]){
		{ EVENT, 1 }, { LAST, 6 }, { LOST, 0 }, { EVENT, 2 }, { EVENT, 3 },
		{ EVENT, 6 }, {} }),
			    "7:1 7:2 7:3 7:4 7:5 7:6");
	assert_string_equal(fx_err, "");
}

/* What came last is lost, so that no gap tells. */
static void lost_at_the_end(void **state)
{
	keep(LIVE, 1, 3);
	assert_string_equal(follow(0, (const struct step[]){
		{ EVENT, 1 }, { LOST, 0 }, { LAST, 3 }, { NOTHING, 0 }, { NOTHING, 0 }, {} }),
			    "7:1 7:2 7:3");
	assert_string_equal(fx_err, "");
}

/* Without a daemon the queue is the only one that has it. */
static void kept_nowhere_else(void **state)
{
	keep(3, 1, 1);
	assert_string_equal(follow(0, (const struct step[]){
		{ EVENT, 1 }, { LAST, 9 }, { LOST, 0 }, { NOTHING, 0 }, { EVENT, 8 }, { EVENT, 9 },
		{ NOTHING, 0 }, {} }), "3:1 7:1 7:8 7:9");
	assert_contains(fx_err, "6 events of backup were neither heard nor kept");
}

/* The daemon's acts are told though events come without a pause. */
static void acts_in_a_storm(void **state)
{
	keep(LIVE, 1, 1);
	assert_string_equal(follow(1, (const struct step[]){
		{ EVENT, 2 }, { ACT, 0 }, { PAUSE, 0 }, { EVENT, 3 }, { EVENT, 4 }, {} }),
			    "7:1 7:2 7:3 act 7:4");
	assert_string_equal(fx_err, "");
}

/* The past is damaged: it is said, and what happens now is told. */
static void damaged(void **state)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs("garbage", f);
	fclose(f);
	assert_string_equal(follow(0, (const struct step[]){ { EVENT, 1 }, { EVENT, 2 }, {} }),
			    "7:1 7:2");
	assert_contains(fx_err, "warning: ");
	assert_contains(fx_err, "puts a damaged history aside");
}

/* It opens, and is damaged where the events are. */
static void damaged_inside(void **state)
{
	struct dmremap_history *h;
	char junk[4096];
	FILE *f;

	keep(LIVE, 1, 200);
	/* What is in the log of the database goes into its file. */
	assert_int_equal(dmremap_history_create(path, &h, NULL), 0);
	dmremap_history_free(h);
	memset(junk, 0xa5, sizeof(junk));
	f = fopen(path, "r+");
	assert_non_null(f);
	for (long at = 4096; !fseek(f, at, SEEK_SET) && at < 65536; at += sizeof(junk))
		assert_int_equal(fwrite(junk, sizeof(junk), 1, f), 1);
	fclose(f);
	assert_int_equal(fx_run("event list", "--history", path, NULL), 1);
	assert_contains(fx_err, "puts a damaged history aside");
	assert_lacks(fx_err, "metadata verify");
	assert_string_equal(follow(200, (const struct step[]){ { EVENT, 201 }, {} }), "7:201");
	assert_contains(fx_err, "puts a damaged history aside");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(past_and_now, begin, end),
		cmocka_unit_test_setup_teardown(begun_meanwhile, begin, end),
		cmocka_unit_test_setup_teardown(queued_behind_a_loss, begin, end),
		cmocka_unit_test_setup_teardown(lost_at_the_end, begin, end),
		cmocka_unit_test_setup_teardown(kept_nowhere_else, begin, end),
		cmocka_unit_test_setup_teardown(acts_in_a_storm, begin, end),
		cmocka_unit_test_setup_teardown(damaged, begin, end),
		cmocka_unit_test_setup_teardown(damaged_inside, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
