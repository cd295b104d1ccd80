// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check: one line for Nagios, Icinga and their like, with performance data, and exit
 * codes as they want them. Sets that run are asked through the module, so that
 * no disk is woken by being monitored.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "parse.h"
#include "set.h"

enum { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

static const char *const state_names[] = { "ok", "warning", "critical", "unknown" };
static const char *const state_words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

/* Unknown is worse than a warning, and better than what is known to be critical. */
static const int ranks[] = { 0, 1, 3, 2 };

static const struct field check_fields[] = {
	{ .key = "state", .label = NULL },
	{ .key = "text", .label = NULL },
	{ .key = "performance", .label = NULL },
	{},
};

static const struct view check_view = {
	.key = "check", .style = VIEW_JSON, .one = true, .fields = check_fields,
};

static const struct field set_fields[] = {
	{ .key = "name", .label = NULL },
	{ .key = "uuid", .label = NULL },
	{ .key = "state", .label = NULL },
	{ .key = "reason", .label = NULL },
	{ .key = "free_percent", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "used", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "slots", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "remapped", .label = NULL, .type = FIELD_NUMBER },
	{ .key = "lost", .label = NULL, .type = FIELD_NUMBER },
	{},
};

static const struct view set_view = {
	.key = "sets", .style = VIEW_JSON, .fields = set_fields,
};

#define TEXT_MAX 2048	/* what a person is shown; performance data is whole */

/* Grows as it is written. */
struct text {
	FILE *file;
	char *text;
	size_t size;
};

struct check {
	bool thresholds;
	uint64_t warning, critical;	/* percent of free spare blocks */
	bool prefix;			/* performance data of several sets */
	struct group *sets;
	int worst;
	unsigned int nr, nr_bad;
	unsigned int nr_left_out;	/* of those, not in the text */
	struct text text, performance;
	char ok_text[DMREMAP_TEXT_SIZE];
};

static void worsen(struct check *c, int state)
{
	if (ranks[state] > ranks[c->worst])
		c->worst = state;
}

static void text_open(struct text *t)
{
	t->file = open_memstream(&t->text, &t->size);
	if (!t->file)
		no_memory();
}

/* What was written so far. */
static const char *text_get(struct text *t)
{
	if (fflush(t->file))
		no_memory();
	return t->text;
}

static void text_close(struct text *t)
{
	fclose(t->file);
	free(t->text);
}

/* @name: or NULL. Of many sets the first are told; --json has all. */
static void add_text(struct check *c, const char *name, const char *reason)
{
	text_get(&c->text);
	if (c->text.size && c->text.size + strlen(reason) + DMREMAP_NAME_SIZE > TEXT_MAX)
		c->nr_left_out++;
	else
		fprintf(c->text.file, "%s%s%s%s", c->text.size ? " " : "", name ? name : "",
			name ? ": " : "", reason);
}

/* --- Performance data ------------------------------------------------------------- */

/* 'label'=value[unit];warning;critical;minimum;maximum, behind a blank each */
static PRINTF(4, 5) void perform(struct check *c, const char *set, const char *label,
				 const char *fmt, ...)
{
	char name[DMREMAP_NAME_SIZE] = "";
	va_list args;

	if (c->prefix) {
		strncpy(name, set, sizeof(name) - 1);
		/* No label may hold these. */
		for (char *p = name; *p; p++)
			if (*p == '=' || *p == '\'')
				*p = '_';
	}
	fprintf(c->performance.file, " '%s%s%s'=", name, c->prefix ? "." : "", label);
	va_start(args, fmt);
	vfprintf(c->performance.file, fmt, args);
	va_end(args);
}

static void perform_set(struct check *c, const struct dmremap_status *s, unsigned int unused)
{
	static const char *const counters[] = {
		"read_errors", "write_errors", "passed", "relocated", "relocate_failed",
		"healed", "lost_sectors", "breaker_trips", "metadata_errors", "flush_errors",
	};
	char warning[32] = "", critical[32] = "";

	if (c->thresholds) {
		snprintf(warning, sizeof(warning), "%" PRIu64 ":", c->warning);
		snprintf(critical, sizeof(critical), "%" PRIu64 ":", c->critical);
	}
	perform(c, s->name, "free", "%u%%;%s;%s;0;100", unused, warning, critical);
	perform(c, s->name, "used", "%" PRIu64 ";;;0;%" PRIu64, s->used, s->slots);
	perform(c, s->name, "slots", "%" PRIu64 ";;;0;", s->slots);
	perform(c, s->name, "remapped", "%" PRIu64 ";;;0;", s->remapped);
	perform(c, s->name, "lost", "%" PRIu64 ";;;0;", s->lost);
	perform(c, s->name, "records", "%" PRIu64 ";;;0;%" PRIu64, s->records_used, s->records);
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		for (unsigned int k = 0; k < s->nr_counters; k++)
			if (!strcmp(s->counters[k].name, counters[i]))
				perform(c, s->name, counters[i], "%" PRIu64 "c",
					s->counters[k].value);
}

/* --- Judging ----------------------------------------------------------------------------- */

static int state_of(enum health health)
{
	return health == HEALTH_CRITICAL ? CHECK_CRITICAL :
	       health == HEALTH_WARNING ? CHECK_WARNING : CHECK_OK;
}

static struct record *describe(struct check *c, const char *name, const char *uuid, int state,
			       const char *reason)
{
	struct record *r = group_add(c->sets);

	set_string(r, "name", name);
	set_string(r, "uuid", uuid);
	set_string(r, "state", state_names[state]);
	set_string(r, "reason", reason);
	c->nr++;
	worsen(c, state);
	if (state == CHECK_OK) {
		snprintf(c->ok_text, sizeof(c->ok_text), "%s: %.400s", name, reason);
	} else {
		c->nr_bad++;
		add_text(c, name, reason);
	}
	return r;
}

/* Nothing is known of a set by this name, or of any. */
static void unknown(struct check *c, const char *name, const char *why)
{
	worsen(c, CHECK_UNKNOWN);
	c->nr_bad++;
	add_text(c, name && strncmp(why, name, strlen(name)) ? name : NULL, why);
}

static void check_active(struct check *c, const struct dmremap_status *s)
{
	unsigned int unused = s->slots ? percent(s->slots - (s->used < s->slots ? s->used :
							     s->slots), s->slots) : 0;
	/* Whoever gives thresholds decides what is low. */
	bool low = s->mode != DMREMAP_MODE_INACTIVE && s->slots && c->thresholds &&
		   unused < c->warning;
	int state = CHECK_OK, of;
	struct text reasons;
	struct assessment a;
	struct record *r;

	text_open(&reasons);
	assess_active(s, &a);
	for (int i = 0; i < a.nr; i++) {
		if (c->thresholds && !strcmp(a.findings[i].state, "low"))
			continue;
		of = state_of(a.findings[i].health);
		if (of == CHECK_OK && (a.nr > 1 || low))
			continue;
		if (ranks[of] > ranks[state])
			state = of;
		fprintf(reasons.file, "%s%s", *text_get(&reasons) ? " " : "",
			a.findings[i].reason);
	}
	if (low) {
		of = unused < c->critical ? CHECK_CRITICAL : CHECK_WARNING;
		if (ranks[of] > ranks[state])
			state = of;
	}
	if (low || !*text_get(&reasons))
		fprintf(reasons.file, "%s%u %% of the spare blocks are free.",
			*text_get(&reasons) ? " " : "", unused);
	r = describe(c, s->name, s->uuid, state, text_get(&reasons));
	text_close(&reasons);
	if (s->mode == DMREMAP_MODE_INACTIVE)
		return;
	set_number(r, "free_percent", unused);
	set_number(r, "used", s->used);
	set_number(r, "slots", s->slots);
	set_number(r, "remapped", s->remapped);
	set_number(r, "lost", s->lost);
	perform_set(c, s, unused);
}

/* Someone wants it to run: that it does not is critical, and the disks tell why. */
static void check_stopped(struct check *c, const char *name)
{
	struct dmremap_error error = {};
	const struct dmremap_set_info *info;
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	struct assessment a;
	char reason[DMREMAP_TEXT_SIZE + 64];
	int err;

	err = dmremap_scan_new(0, NULL, &scan, &error);
	if (err < 0) {
		unknown(c, name, error.text);
		return;
	}
	err = dmremap_scan_find(scan, name, &set, &error);
	if (!err)
		err = dmremap_set_load(set, NULL, &error);
	if (err < 0) {
		unknown(c, name, error.text);
	} else {
		info = dmremap_set_info(set);
		assess_inactive(info, &a);
		snprintf(reason, sizeof(reason), "It does not run. %s", a.findings[0].reason);
		describe(c, info->name, info->uuid, CHECK_CRITICAL, reason);
	}
	dmremap_scan_free(scan);
}

static void check_named(struct check *c, const char *name, struct dmremap_status *s)
{
	struct dmremap_error error = {};
	int err = dmremap_status(name, s, &error);

	if (!err)
		check_active(c, s);
	else if (err == -ENOTCONN || err == -ENODEV)
		check_stopped(c, name);
	else
		unknown(c, name, error.text);
}

static void check_all(struct check *c, struct dmremap_status *s)
{
	struct dmremap_error error = {};
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	int err;

	err = dmremap_scan_new(DMREMAP_SCAN_ACTIVE, NULL, &scan, &error);
	if (err < 0) {
		unknown(c, NULL, error.text);
		return;
	}
	while (dmremap_scan_next(scan, &set) == 1) {
		const struct dmremap_set_info *info = dmremap_set_info(set);

		err = dmremap_status(info->device, s, &error);
		/* One that was stopped meanwhile is not there any more. */
		if (!err)
			check_active(c, s);
		else if (err != -ENOTCONN)
			unknown(c, info->name, error.text);
	}
	dmremap_scan_free(scan);
	if (!c->nr && !c->nr_bad)
		unknown(c, NULL, "No set runs on this machine.");
}

/* --- Command ---------------------------------------------------------------------------------- */

/* "20" or "20%" */
static int option_percent(const struct invocation *inv, const char *name, uint64_t *value,
			  bool *given)
{
	const char *text = option_text(inv, name);
	char digits[16];
	size_t length;

	if (!text)
		return DONE;
	length = strlen(text);
	if (length && text[length - 1] == '%')
		length--;
	if (length < sizeof(digits)) {
		memcpy(digits, text, length);
		digits[length] = '\0';
		if (!parse_number(digits, value) && *value <= 100) {
			*given = true;
			return DONE;
		}
	}
	return wrong_usage("check: --%s %s: a percentage from 0 to 100 is needed", name, text);
}

static void print_check(struct invocation *inv, struct check *c)
{
	const char *performance = text_get(&c->performance);
	struct record *r;
	char *text;

	if (c->nr == 1 && !c->nr_bad)
		fputs(c->ok_text, c->text.file);
	else if (!c->nr_bad)
		fprintf(c->text.file, "%u sets are in order.", c->nr);
	if (c->nr_left_out)
		fprintf(c->text.file, " And %u more.", c->nr_left_out);
	text_get(&c->text);
	text = c->text.text;
	/* A bar would begin the performance data. */
	for (char *p = text; *p; p++)
		if (*p == '|' || *p == '\n')
			*p = '/';
	make_printable(text);
	if (inv->json) {
		r = output_one(inv->out, &check_view);
		set_string(r, "state", state_names[c->worst]);
		set_string(r, "text", text);
		set_string(r, "performance", *performance ? performance + 1 : "");
		return;
	}
	inv->printed = true;
	printf("DMREMAP %s - %s%s%s\n", state_words[c->worst], text,
	       *performance ? " |" : "", performance);
}

int cmd_check(struct invocation *inv)
{
	struct check *c = calloc(1, sizeof(*c));
	struct dmremap_status *s = calloc(1, sizeof(*s));
	bool warning = false, critical = false;
	int err;

	if (!c || !s)
		no_memory();
	text_open(&c->text);
	text_open(&c->performance);
	err = option_percent(inv, "warning", &c->warning, &warning);
	if (!err)
		err = option_percent(inv, "critical", &c->critical, &critical);
	/* With one of them alone the other draws no line of its own. */
	if (!err && critical && !warning)
		c->warning = c->critical;
	c->thresholds = warning || critical;
	if (!err && c->critical > c->warning)
		err = wrong_usage("check: --critical is above --warning, but less is free then");
	if (!err) {
		c->prefix = !inv->nr_args;
		c->sets = output_group(inv->out, &set_view);
		if (inv->nr_args)
			check_named(c, inv->args[0], s);
		else
			check_all(c, s);
		print_check(inv, c);
		err = c->worst;
	} else {
		err = plugin_usage(inv);
	}
	text_close(&c->text);
	text_close(&c->performance);
	free(s);
	free(c);
	return err;
}
