// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * event list: what the daemon has kept of the past.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "commands.h"
#include "event.h"
#include "message.h"
#include "output.h"
#include "parse.h"
#include "set.h"

static const struct field event_fields[] = {
	{ .key = "json", .flags = FIELD_JSON },
	{ .key = "time", .label = "TIME", .type = FIELD_TIME },
	{ .key = "event", .label = "EVENT" },
	{ .key = "text", .label = "WHAT" },
	{},
};

static const struct view event_view = {
	.key = "events", .style = VIEW_TABLE, .raw = true, .fields = event_fields,
	.empty = "No such event was kept.",
};

int wanted_events(const struct invocation *inv, struct dmremap_history_query *query)
{
	struct dmremap_error error = {};
	const char *name;
	uint32_t kind;

	query->name = inv->nr_args ? inv->args[0] : NULL;
	for (int i = 0; (name = option_nth(inv, "kind", i)); i++) {
		if (dmremap_event_parse_name(name, &kind, &error) < 0) {
			const char *names[DMR_NL_EVENT_MAX + 2], *found;

			for (kind = 0; kind <= DMR_NL_EVENT_MAX; kind++)
				names[kind] = dmremap_event_name(kind);
			names[kind] = dmremap_event_name(DMREMAP_EVENT_ACT);
			wrong_usage("--kind: %s", error.text);
			found = closest(name, names, DMR_NL_EVENT_MAX + 2);
			if (found)
				advise("Did you mean %s?", found);
			else
				advise("See " PROGRAM " %s --help.", inv->command->name);
			return WRONG_USAGE;
		}
		query->kinds |= UINT64_C(1) << kind;
	}
	return DONE;
}

#define PUT_ASIDE "When dmremapd starts it puts a damaged history aside and begins a new one."

int open_history(const struct invocation *inv, struct dmremap_history **history,
		 struct dmremap_error *error)
{
	int err = dmremap_history_open(option_text(inv, "history"), history, error);

	if (err >= 0)
		return 0;
	*history = NULL;
	if (err == -ENOENT && !option_given(inv, "history")) {
		warn("%s", error->text);
		advise("Events are kept while the daemon runs: systemctl enable --now dmremapd");
		return 0;
	}
	return err;
}

int fail_history(const struct invocation *inv, int err, const struct dmremap_error *error)
{
	if (err != -EUCLEAN)
		return fail_lib(inv, err, error);
	fail("%s", error->text);
	advise(PUT_ASIDE);
	return FAILED;
}

void warn_history(const struct dmremap_error *error)
{
	warn("%s", error->text);
	advise(PUT_ASIDE);
}

static int option_time(const struct invocation *inv, const char *name, uint64_t *ns)
{
	const char *text = option_text(inv, name);

	if (!text || !parse_time(text, ns))
		return DONE;
	wrong_usage("--%s %s: not understood", name, text);
	advise("Write a date and time (\"2026-11-24 07:30\", \"07:30\", yesterday), how long ago (\"2h\", \"30min\", \"3d\"), or seconds since 1970 (@1790000000).");
	return WRONG_USAGE;
}

const char *shown_kind(const struct dmremap_event *event)
{
	return event->kind == DMREMAP_EVENT_ACT ? event->act : dmremap_event_name(event->kind);
}

static int add_event(const struct dmremap_event *event, void *arg)
{
	struct record *r = group_add(arg);
	char text[DMREMAP_TEXT_SIZE], *json;

	if (dmremap_event_to_json(event, &json) < 0)
		no_memory();
	set_string(r, "json", json);
	free(json);
	set_number(r, "time", event->time / 1000000000);
	set_string(r, "event", shown_kind(event));
	set_string(r, "text", dmremap_event_text(event, text, sizeof(text)));
	return 0;
}

int cmd_event_list(struct invocation *inv)
{
	struct dmremap_history_query query = {};
	struct dmremap_history *history = NULL;
	struct dmremap_error error = {};
	struct group *g;
	int err;

	err = wanted_events(inv, &query);
	if (!err)
		err = option_time(inv, "since", &query.since);
	if (!err)
		err = option_time(inv, "until", &query.until);
	if (!err)
		err = option_number(inv, "last", 1, INT64_MAX, &query.last);
	if (!err && query.until && query.since > query.until)
		err = wrong_usage("event list: --since is later than --until");
	if (err)
		return err;
	g = output_group(inv->out, &event_view);
	err = open_history(inv, &history, &error);
	if (err < 0)
		return fail_history(inv, err, &error);
	if (!history)
		return FAILED;
	err = dmremap_history_events(history, &query, add_event, g, &error);
	dmremap_history_free(history);
	return err < 0 ? fail_history(inv, err, &error) : DONE;
}
