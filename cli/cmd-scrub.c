// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * scrub start, pause, resume, cancel and status. The module reads; here it is told
 * and watched. Whoever watches may go: the scrub goes on.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "parse.h"
#include "scrub.h"
#include "set.h"

#define POLL_MS 250

static const struct field scrub_fields[] = {
	{ .key = "name", .flags = FIELD_TITLE },
	{ .key = "state", .label = "State" },
	{ .key = "progress", .label = "Progress", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{ .key = "percent", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "first_block", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "end_block", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "position_block", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "block_size", .label = NULL, .type = FIELD_BYTES },
	{ .key = "rate_bytes", .label = NULL, .type = FIELD_BYTES },
	{ .key = "speed", .label = "Rate", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{ .key = "eta_seconds", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "eta", .label = "Time left", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{ .key = "started", .label = "Started", .type = FIELD_TIME, .flags = FIELD_OPTIONAL },
	{ .key = "elapsed_seconds", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "elapsed", .label = "Running for", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{ .key = "lost", .label = "Lost", .type = FIELD_NUMBER, .flags = FIELD_JSON },
	{ .key = "slow", .label = "Slow", .type = FIELD_NUMBER, .flags = FIELD_JSON },
	{ .key = "skipped", .label = "Skipped", .type = FIELD_NUMBER, .flags = FIELD_JSON },
	{ .key = "found", .label = "Found", .flags = FIELD_SCREEN | FIELD_OPTIONAL },
	{},
};

static const struct view scrub_view = {
	.key = "scrubs", .style = VIEW_SCREEN, .fields = scrub_fields,
	.empty = "No set is in use.",
};

uint64_t scrub_total(const struct dmremap_scrub *s)
{
	return s->end > s->first ? s->end - s->first : 0;
}

uint64_t scrub_done(const struct dmremap_scrub *s)
{
	uint64_t done = s->position > s->first ? s->position - s->first : 0;

	return done < scrub_total(s) ? done : scrub_total(s);
}

void format_duration(uint64_t seconds, char *buf, size_t size)
{
	if (seconds >= 86400)
		snprintf(buf, size, "%" PRIu64 " d %u:%02u h", seconds / 86400,
			 (unsigned int)(seconds / 3600 % 24), (unsigned int)(seconds / 60 % 60));
	else if (seconds >= 3600)
		snprintf(buf, size, "%u:%02u:%02u h", (unsigned int)(seconds / 3600),
			 (unsigned int)(seconds / 60 % 60), (unsigned int)(seconds % 60));
	else
		snprintf(buf, size, "%u:%02u min", (unsigned int)(seconds / 60),
			 (unsigned int)(seconds % 60));
}

bool scrub_eta(const struct dmremap_scrub *s, uint32_t block_size, uint64_t *seconds)
{
	if (s->state != DMREMAP_SCRUB_RUNNING || !s->rate)
		return false;
	*seconds = (uint64_t)((double)(scrub_total(s) - scrub_done(s)) * block_size / 1024 /
			      (double)s->rate);
	return true;
}

static void describe(struct group *g, const struct dmremap_nl_device *d)
{
	const struct dmremap_scrub *s = &d->scrub;
	uint32_t block_size = d->block_sectors * 512;
	uint64_t total = scrub_total(s), done = scrub_done(s), eta;
	struct record *r = group_add(g);
	char all[32], part[32], time[48];

	set_string(r, "name", d->name);
	set_string(r, "state", dmremap_scrub_state_name(s->state));
	set_number(r, "block_size", block_size);
	if (s->state == DMREMAP_SCRUB_IDLE)
		return;
	set_number(r, "percent", percent(done, total));
	set_text(r, "progress", "%u %%, %s of %s", percent(done, total),
		 dmremap_format_size(done * block_size, part, sizeof(part)),
		 dmremap_format_size(total * block_size, all, sizeof(all)));
	set_number(r, "first_block", s->first);
	set_number(r, "end_block", s->end);
	set_number(r, "position_block", s->position);
	set_number(r, "rate_bytes", s->rate * 1024);
	if (s->state == DMREMAP_SCRUB_RUNNING)
		set_text(r, "speed", "%s/s",
			 dmremap_format_size(s->rate * 1024, part, sizeof(part)));
	if (scrub_eta(s, block_size, &eta)) {
		set_number(r, "eta_seconds", eta);
		format_duration(eta, time, sizeof(time));
		set_string(r, "eta", time);
	}
	if (s->started)
		set_number(r, "started", s->started);
	set_number(r, "elapsed_seconds", s->elapsed);
	format_duration(s->elapsed, time, sizeof(time));
	set_string(r, "elapsed", time);
	set_number(r, "lost", s->lost);
	set_number(r, "slow", s->slow);
	set_number(r, "skipped", s->skipped);
	set_text(r, "found", "%" PRIu64 " block%s with lost sectors, %" PRIu64 " slow, %" PRIu64
		 " skipped", s->lost, s->lost == 1 ? "" : "s", s->slow, s->skipped);
}

/* --- Watching ---------------------------------------------------------------------- */

static void pause_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

/* A set that is being suspended, or changed while it told of itself, answers soon. */
static int ask_patiently(struct dmremap_nl *nl, const char *name,
			 struct dmremap_nl_device *d, struct dmremap_error *error)
{
	int err = -EAGAIN;

	for (int i = 0; i < 40 && (err == -EAGAIN || err == -EINTR) && !interrupted(); i++) {
		if (i)
			pause_ms(POLL_MS);
		err = dmremap_nl_device(nl, name, d, error);
	}
	return err;
}

/* Watch until it does not run any more, or a signal comes. *@ran: it was seen running. */
static int watch(struct invocation *inv, struct dmremap_nl *nl, const char *name,
		 struct dmremap_nl_device *d, bool *ran)
{
	struct dmremap_error error = {};
	struct progress progress;
	uint32_t block_size;
	bool first = true;
	int err;

	progress_begin(&progress, "scrub", PROGRESS_BYTES, inv->json);
	for (;;) {
		err = ask_patiently(nl, name, d, &error);
		if (err < 0 || d->scrub.state != DMREMAP_SCRUB_RUNNING || interrupted())
			break;
		block_size = d->block_sectors * 512;
		if (first)
			progress.before = scrub_done(&d->scrub) * block_size;
		first = false;
		*ran = true;
		progress_update(&progress, scrub_done(&d->scrub) * block_size,
				scrub_total(&d->scrub) * block_size);
		pause_ms(POLL_MS);
	}
	progress_end(&progress);
	if (err < 0 && !interrupted())
		return fail_module(inv, name, err, &error);
	if (interrupted()) {
		fail("The scrub of %s goes on; only waiting for it has ended.", name);
		advise("See " PROGRAM " scrub status %s; stop it with " PROGRAM
		       " scrub pause %s or " PROGRAM " scrub cancel %s.", name, name, name);
		return FAILED;
	}
	return DONE;
}

/* How it ended. @ran: false if none was running when the waiting began. */
static int report_end(const struct dmremap_nl_device *d, const char *name, bool ran)
{
	const struct dmremap_scrub *s = &d->scrub;

	if (s->state == DMREMAP_SCRUB_PAUSED) {
		fail("The scrub of %s is paused.", name);
		advise("Go on with " PROGRAM " scrub resume %s.", name);
		return FAILED;
	}
	if (!ran)
		say("No scrub of %s runs.", name);
	else if (s->state != DMREMAP_SCRUB_DONE)
		return fail("The scrub of %s was cancelled.", name);
	if (s->state == DMREMAP_SCRUB_DONE && s->lost) {
		warn("%" PRIu64 " block%s of %s ha%s sectors that can not be read.",
		     s->lost, s->lost == 1 ? "" : "s", name, s->lost == 1 ? "s" : "ve");
		advise("See " PROGRAM " map list %s --unreadable; restore what lies there.", name);
	}
	return DONE;
}

static int finish_watch(struct invocation *inv, struct dmremap_nl *nl, const char *name,
			bool started)
{
	struct dmremap_nl_device *d = calloc(1, sizeof(*d));
	bool ran = started;
	int err;

	if (!d)
		no_memory();
	err = watch(inv, nl, name, d, &ran);
	if (!err) {
		describe(output_group(inv->out, &scrub_view), d);
		err = report_end(d, name, ran);
	}
	free(d);
	return err;
}

/* --- Commands ------------------------------------------------------------------------ */

static int command(struct invocation *inv, enum dmremap_scrub_command what, uint64_t first,
		   uint64_t count, const char *done)
{
	struct dmremap_error error = {};
	const char *name = inv->args[0];
	struct dmremap_nl *nl = NULL;
	int err = open_module(inv, &nl);

	if (err)
		return err;
	err = dmremap_nl_scrub(nl, name, what, first, count, &error);
	if (err == -EBUSY || err == -ENOENT) {
		err = fail("%s", error.text);
		advise("See " PROGRAM " scrub status %s.", name);
	} else if (err < 0) {
		err = fail_module(inv, name, err, &error);
	} else if ((what == DMREMAP_SCRUB_START || what == DMREMAP_SCRUB_RESUME) &&
		   option_given(inv, "wait")) {
		err = finish_watch(inv, nl, name, true);
	} else {
		say("%s %s.", done, name);
	}
	dmremap_nl_free(nl);
	return err;
}

int cmd_scrub_start(struct invocation *inv)
{
	const char *range = option_text(inv, "range");
	uint64_t first = 0, count = 0;

	if (range && parse_range(range, &first, &count))
		return wrong_usage("scrub start: --range %s: not understood; write 0-99 or 0+100",
				   range);
	return command(inv, DMREMAP_SCRUB_START, first, count, "Started the scrub of");
}

int cmd_scrub_pause(struct invocation *inv)
{
	return command(inv, DMREMAP_SCRUB_PAUSE, 0, 0, "Paused the scrub of");
}

int cmd_scrub_resume(struct invocation *inv)
{
	return command(inv, DMREMAP_SCRUB_RESUME, 0, 0, "Going on with the scrub of");
}

int cmd_scrub_cancel(struct invocation *inv)
{
	return command(inv, DMREMAP_SCRUB_CANCEL, 0, 0, "Cancelled the scrub of");
}

static int describe_one(const struct dmremap_nl_device *d, void *arg)
{
	describe(arg, d);
	return 0;
}

int cmd_scrub_status(struct invocation *inv)
{
	const char *name = inv->nr_args ? inv->args[0] : NULL;
	struct dmremap_error error = {};
	struct dmremap_nl_device *d;
	struct dmremap_nl *nl = NULL;
	struct group *g;
	int err;

	if (!name && option_given(inv, "wait")) {
		wrong_usage("scrub status: --wait needs the name of a set");
		advise("See " PROGRAM " scrub status --help.");
		return WRONG_USAGE;
	}
	err = open_module(inv, &nl);
	if (err)
		return err;
	if (name && option_given(inv, "wait")) {
		err = finish_watch(inv, nl, name, false);
		dmremap_nl_free(nl);
		return err;
	}
	d = calloc(1, sizeof(*d));
	if (!d)
		no_memory();
	g = output_group(inv->out, &scrub_view);
	err = name ? ask_patiently(nl, name, d, &error) :
		     dmremap_nl_devices(nl, NULL, describe_one, g, &error);
	if (err < 0)
		err = fail_module(inv, name ? name : "", err, &error);
	else if (name)
		describe(g, d);
	dmremap_nl_free(nl);
	free(d);
	return err;
}
