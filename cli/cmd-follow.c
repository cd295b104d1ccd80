// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * event follow: the last events of the history, then those that happen now.
 *
 * Listening begins first. Then the module tells the number of the last event of each
 * set: what has a number up to that is the past and is looked for in the history, what
 * has a higher one will be heard. So nothing is missing and nothing is twice. Where
 * numbers are missing later, since this program was too slow, the history is asked too.
 * What the daemon does and tells has no number; it is looked for in the history all the time.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "event.h"
#include "message.h"
#include "output.h"
#include "progress.h"
#include "set.h"

#define DEFAULT_LAST	10
#define CATCH_UP_MS	2500	/* by then the daemon has written what it heard */
#define PAUSE_MS	250
#define RETRY_MS	1000
#define GATHER_NS	2000000000ULL	/* so long the daemon may gather what it writes */

/* How far an activation of a set has been told. */
struct seen {
	char uuid[DMREMAP_UUID_SIZE], name[DMREMAP_NAME_SIZE];
	uint64_t session, seq;
	uint64_t last;		/* the module's number when it was asked after a loss */
	bool live;		/* the module told of it: what is above seq will be heard */
};

struct follower {
	struct invocation *inv;
	struct dmremap_history_query query;
	struct dmremap_monitor *monitor;
	struct seen *seen;
	size_t nr_seen;
	bool replayed;
	bool no_history;	/* it has not caught up when it was waited for */
	bool lost;		/* events were, or may have been; the module is to be asked */
	bool asked;		/* it was: what is queued now holds all up to its numbers */
	uint64_t acts_told;	/* the daemon's acts up to this time were told */
	uint64_t acts_due;	/* when they are looked for again, CLOCK_MONOTONIC */
};

static void pause_ms(unsigned int ms)
{
	poll(NULL, 0, (int)ms);
}

/* --- Telling ------------------------------------------------------------------------ */

static bool wanted(const struct follower *f, const struct dmremap_event *e)
{
	if (f->query.name && strcmp(f->query.name, e->name) && strcmp(f->query.name, e->uuid))
		return false;
	return !f->query.kinds || (e->kind < 64 && f->query.kinds >> e->kind & 1);
}

static void tell(const struct follower *f, const struct dmremap_event *e)
{
	char text[DMREMAP_TEXT_SIZE], date[32], *json;
	time_t t = (time_t)(e->time / 1000000000);
	struct tm tm;

	if (!wanted(f, e))
		return;
	if (f->inv->json) {
		if (dmremap_event_to_json(e, &json) < 0)
			no_memory();
		printf("%s\n", json);
		free(json);
	} else {
		if (!localtime_r(&t, &tm) ||
		    !strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm))
			strcpy(date, "-");
		dmremap_event_text(e, text, sizeof(text));
		make_printable(text);
		printf("%-19s %-15s %s\n", date, shown_kind(e), text);
	}
	fflush(stdout);
}

static struct seen *find_seen(struct follower *f, const char *uuid, uint64_t session)
{
	struct seen *s;

	for (size_t i = 0; i < f->nr_seen; i++)
		if (f->seen[i].session == session && !strcmp(f->seen[i].uuid, uuid))
			return &f->seen[i];
	f->seen = reallocarray(f->seen, f->nr_seen + 1, sizeof(*f->seen));
	if (!f->seen)
		no_memory();
	s = &f->seen[f->nr_seen++];
	memset(s, 0, sizeof(*s));
	strncpy(s->uuid, uuid, sizeof(s->uuid) - 1);
	s->session = session;
	return s;
}

/* --- From the history ----------------------------------------------------------------- */

/* Events of one activation with numbers above @after, up to @last. */
struct gap {
	struct follower *f;
	const struct seen *seen;
	uint64_t after, last;
	uint64_t found;		/* how many were there */
	uint64_t newest;	/* the highest number of the activation */
	bool tell;
};

static int gap_event(const struct dmremap_event *e, void *arg)
{
	struct gap *gap = arg;

	if (e->session != gap->seen->session || strcmp(e->uuid, gap->seen->uuid))
		return 0;
	if (e->seq > gap->newest)
		gap->newest = e->seq;
	if (e->seq <= gap->after || e->seq > gap->last)
		return 0;
	gap->found++;
	if (gap->tell)
		tell(gap->f, e);
	return 0;
}

static int ask_history(const struct follower *f, const struct dmremap_history_query *query,
		       dmremap_history_event_fn fn, void *arg, struct dmremap_error *error)
{
	struct dmremap_history *history;
	int err;

	err = dmremap_history_open(option_text(f->inv, "history"), &history, error);
	if (err < 0)
		return err;
	err = dmremap_history_events(history, query, fn, arg, error);
	dmremap_history_free(history);
	return err;
}

/* Wait until the history has what is missing, but not for ever. */
static bool wait_for_history(struct follower *f, struct gap *gap)
{
	uint64_t missing = gap->last - gap->after;
	struct dmremap_history_query query = {
		.name = gap->seen->uuid,
		/* And what came behind it meanwhile. */
		.last = missing > 100000 ? 200000 : missing + 1000,
	};

	gap->tell = false;
	for (int waited = 0;; waited += PAUSE_MS) {
		gap->found = gap->newest = 0;
		if (ask_history(f, &query, gap_event, gap, NULL) < 0)
			return false;
		if (gap->newest >= gap->last || f->no_history || waited >= CATCH_UP_MS ||
		    interrupted())
			break;
		pause_ms(PAUSE_MS);
	}
	/* It is not worth waiting again for a daemon that does not run. */
	f->no_history = gap->newest < gap->last;
	return true;
}

/* Tell what lies between what was told and @last, as far as it was kept. */
static void fill_gap(struct follower *f, struct seen *seen, const char *name, uint64_t last)
{
	struct gap gap = { .f = f, .seen = seen, .after = seen->seq, .last = last };
	struct dmremap_history_query query = { .name = seen->uuid };

	seen->seq = last;
	if (f->query.name && strcmp(f->query.name, name) && strcmp(f->query.name, seen->uuid))
		return;
	if (wait_for_history(f, &gap) && gap.found) {
		query.last = last - gap.after > 100000 ? 200000 : last - gap.after + 1000;
		gap.found = 0;
		gap.tell = true;
		ask_history(f, &query, gap_event, &gap, NULL);
	}
	if (gap.found < last - gap.after)
		warn("%" PRIu64 " events of %s were neither heard nor kept.",
		     last - gap.after - gap.found, name);
}

/* --- The past ------------------------------------------------------------------------------ */

static int replay_event(const struct dmremap_event *e, void *arg)
{
	struct follower *f = arg;
	struct seen *seen;

	if (e->kind == DMREMAP_EVENT_ACT) {
		f->acts_told = e->time > f->acts_told ? e->time : f->acts_told;
		tell(f, e);
		return 0;
	}
	seen = find_seen(f, e->uuid, e->session);
	if (seen->live && e->seq > seen->seq)
		return 0;	/* will be heard */
	if (e->seq > seen->seq)
		seen->seq = e->seq;
	tell(f, e);
	return 0;
}

/* Until it has the last event of this set, for the replay. */
static int await_set(const struct dmremap_nl_device *d, void *arg)
{
	struct follower *f = arg;
	struct seen *seen = find_seen(f, d->uuid, d->session);
	struct gap gap = { .f = f, .seen = seen, .last = d->event_seq };

	seen->seq = d->event_seq;
	seen->live = true;
	if (!d->event_seq || (f->query.name && strcmp(f->query.name, d->name) &&
			      strcmp(f->query.name, d->uuid)))
		return 0;
	gap.after = d->event_seq - 1;
	wait_for_history(f, &gap);
	return 0;
}

static int ask_module(struct follower *f, dmremap_nl_device_fn fn)
{
	struct dmremap_nl *nl;
	int err = dmremap_nl_open(&nl, NULL);

	if (err < 0)
		return err;
	err = dmremap_nl_devices(nl, NULL, fn, f, NULL);
	dmremap_nl_free(nl);
	return err;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* One that is damaged hinders nobody from hearing what happens now. */
static int replay(struct follower *f)
{
	struct dmremap_history *history;
	struct dmremap_error error = {};
	int err;

	f->replayed = true;
	f->acts_told = now_ns(CLOCK_REALTIME) - GATHER_NS;
	err = open_history(f->inv, &history, &error);
	if (err == -EUCLEAN)
		warn_history(&error);
	else if (err < 0)
		return fail_history(f->inv, err, &error);
	if (!history) {
		f->no_history = true;
		ask_module(f, await_set);
		return DONE;
	}
	dmremap_history_free(history);
	ask_module(f, await_set);
	f->no_history = false;
	if (!f->query.last)
		return DONE;
	err = ask_history(f, &f->query, replay_event, f, &error);
	if (err == -EUCLEAN)
		warn_history(&error);
	else if (err < 0)
		return fail_history(f->inv, err, &error);
	return DONE;
}

/* --- Now --------------------------------------------------------------------------------------- */

static void heard(struct follower *f, const struct dmremap_event *e)
{
	struct seen *seen = find_seen(f, e->uuid, e->session);

	if (e->seq <= seen->seq)
		return;
	if (e->seq > seen->seq + 1)
		fill_gap(f, seen, e->name, e->seq - 1);
	seen->seq = e->seq;
	tell(f, e);
}

static int note_last(const struct dmremap_nl_device *d, void *arg)
{
	struct seen *seen = find_seen(arg, d->uuid, d->session);

	memcpy(seen->name, d->name, sizeof(seen->name));
	seen->last = d->event_seq;
	return 0;
}

/*
 * Nothing is queued. After a loss the module is asked for its numbers, and what has come
 * by then is heard before the history is asked for the rest: what is queued may be kept
 * nowhere else. Returns false if there was nothing to be done.
 */
static bool catch_up(struct follower *f)
{
	if (f->asked) {
		f->asked = false;
		for (size_t i = 0; i < f->nr_seen; i++)
			if (f->seen[i].last > f->seen[i].seq)
				fill_gap(f, &f->seen[i], f->seen[i].name, f->seen[i].last);
		return true;
	}
	/* One that does not answer is asked again later. */
	if (!f->lost || ask_module(f, note_last) < 0)
		return false;
	f->lost = false;
	f->asked = true;
	return true;
}

/* What the daemon did or told since it was looked for last, if that is a while ago. */
static void look_for_acts(struct follower *f)
{
	struct dmremap_history_query query = {
		.since = f->acts_told + 1, .kinds = UINT64_C(1) << DMREMAP_EVENT_ACT,
	};
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (now < f->acts_due)
		return;
	f->acts_due = now + RETRY_MS * 1000000ULL;
	if (!f->query.kinds || f->query.kinds & query.kinds)
		ask_history(f, &query, replay_event, f, NULL);
}

/* Returns when the module is gone, at a signal, or with an error. */
static int listen_now(struct follower *f)
{
	struct pollfd fd = { .fd = dmremap_monitor_fd(f->monitor), .events = POLLIN };
	struct dmremap_event *e = malloc(sizeof(*e));
	struct dmremap_error error = {};
	int err = 0;

	if (!e)
		no_memory();
	while (!interrupted() && !ferror(stdout)) {
		err = dmremap_monitor_next(f->monitor, e, &error);
		if (err == 1)
			heard(f, e);
		else if (err == -ENOBUFS)
			f->lost = true;
		else if (err)
			break;
		else if (!catch_up(f))
			poll(&fd, 1, RETRY_MS);
		/* In a storm, too, when nothing is ever waited for. */
		look_for_acts(f);
	}
	free(e);
	if (err < 0 && err != -ENOENT && err != -ENOBUFS)
		return fail_lib(f->inv, err, &error);
	return DONE;
}

/* Until the module is there, and listened to. */
static int open_monitor(struct follower *f)
{
	struct dmremap_error error = {};
	bool told = false;
	int err;

	while (!interrupted()) {
		err = dmremap_monitor_open(&f->monitor, &error);
		if (!err)
			return DONE;
		if (err != -ENOENT)
			return fail_lib(f->inv, err, &error);
		if (!told)
			warn("The module dm-remap is not loaded; waiting for it.");
		told = true;
		if (!f->replayed) {
			err = replay(f);
			if (err)
				return err;
		}
		pause_ms(RETRY_MS);
	}
	return DONE;
}

int cmd_event_follow(struct invocation *inv)
{
	struct follower f = { .inv = inv, .query.last = DEFAULT_LAST };
	struct progress signals;
	int err;

	err = wanted_events(inv, &f.query);
	if (!err)
		err = option_number(inv, "last", 0, INT64_MAX, &f.query.last);
	if (err)
		return err;
	inv->printed = true;
	progress_begin(&signals, "", PROGRESS_STEPS, true);
	while (!err && !interrupted() && !ferror(stdout)) {
		err = open_monitor(&f);
		if (err || !f.monitor)
			break;
		/* What happened while nobody listened. */
		if (f.replayed)
			f.lost = true;
		else
			err = replay(&f);
		if (!err)
			err = listen_now(&f);
		dmremap_monitor_free(f.monitor);
		f.monitor = NULL;
	}
	progress_end(&signals);
	free(f.seen);
	return err;
}
