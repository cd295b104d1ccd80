// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Telling people. A condition is told when it begins, again by a reminder while it lasts,
 * and when it has been over for a while, which is the longer the more often it came
 * back; whoever observes may say so as often as it likes. What was told is kept in
 * the state, so that a restart repeats nothing.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "alert.h"

#define CONDITIONS_MAX	1024
/* One of a set or disk that has not been seen for so long is forgotten. */
#define FORGET_NSEC	(180 * 86400 * NSEC_PER_SEC)
#define STATE_KEY	"alerts"

/* So long is it over before that is told, doubled with each return within an hour. */
#define SETTLE_NSEC	(5 * NSEC_PER_SEC)
#define SETTLE_DOUBLED	7
#define RETURN_NSEC	(3600 * NSEC_PER_SEC)

struct condition {
	LIST_ENTRY(condition) link;
	enum alert_kind kind;
	char *name, *uuid, *subject, *spare, *disk, *detail, *reason;
	uint64_t count, sector;
	bool has_sector;
	uint64_t since, told, seen;
	bool asleep;			/* nobody has said since the start that it holds */
	uint64_t over;			/* since then it does not hold; 0: it does */
	bool ended;			/* and that was told: kept in case that it returns */
	unsigned int returns;
};

struct alerts {
	LIST_HEAD(, condition) conditions;
	unsigned int nr;
	sd_event_source *timer;
};

enum phase { PHASE_NONE, PHASE_BEGIN, PHASE_REMINDER, PHASE_END };

static const char *const phase_names[] = { NULL, "begin", "reminder", "end" };

/* --- Telling ------------------------------------------------------------------- */

#define FIELDS_MAX	20

struct fields {
	int nr;
	struct iovec vectors[FIELDS_MAX];
};

static void add_field(struct fields *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void add_field(struct fields *f, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		out_of_memory();
	if (f->nr < FIELDS_MAX)
		f->vectors[f->nr++] = (struct iovec){ text, n };
	else
		free(text);
}

static void add_text(struct fields *f, const char *name, const char *value)
{
	if (value && *value)
		add_field(f, "%s=%s", name, value);
}

static void run_hooks(struct daemon *daemon, const struct fields *f)
{
	const char *environment[FIELDS_MAX + 1];
	int i;

	for (i = 0; i < f->nr; i++)
		environment[i] = f->vectors[i].iov_base;
	environment[i] = NULL;
	hooks_run(daemon, environment);
}

/* In the history, beside what the module told. */
static void keep(struct daemon *daemon, const struct alert *alert, const char *message)
{
	struct dmremap_event event = {
		.kind = DMREMAP_EVENT_ACT, .member = -1, .direction = -1, .class_ = -1,
		.breaker = -1, .reason = -1, .occurrences = 1, .total = 1,
	};

	event.time = event.time_last = clock_now();
	snprintf(event.name, sizeof(event.name), "%s", alert->name ? alert->name : "");
	snprintf(event.uuid, sizeof(event.uuid), "%s", alert->uuid ? alert->uuid : "");
	snprintf(event.act, sizeof(event.act), "%s", alert_texts[alert->kind].event);
	snprintf(event.message, sizeof(event.message), "%s", message);
	record_event(daemon, &event);
}

static void tell(struct daemon *daemon, const struct alert *alert, enum phase phase,
		 uint64_t since)
{
	const struct alert_text *text = &alert_texts[alert->kind];
	int priority = phase == PHASE_END ? LOG_NOTICE : text->priority, i;
	char sentence[512], action[320], date[32];
	struct fields f = { 0 };
	time_t seconds = since / NSEC_PER_SEC;
	struct tm tm;

	alert_expand(phase == PHASE_END ? text->end : text->message, alert, sentence,
		     sizeof(sentence));
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M", localtime_r(&seconds, &tm));
	add_field(&f, "MESSAGE=%s%s%s%s%s%s", sentence, alert->detail ? " " : "",
		  alert->detail ? alert->detail : "",
		  phase == PHASE_REMINDER ? " So it has been since " : "",
		  phase == PHASE_REMINDER ? date : "", phase == PHASE_REMINDER ? "." : "");
	add_field(&f, "PRIORITY=%d", priority);
	add_field(&f, "MESSAGE_ID=%s", phase == PHASE_END ? text->end_id : text->message_id);
	add_text(&f, "DMREMAP_EVENT", text->event);
	add_text(&f, "DMREMAP_PHASE", phase_names[phase]);
	add_text(&f, "DMREMAP_DEVICE", alert->name);
	add_text(&f, "DMREMAP_UUID", alert->uuid);
	add_text(&f, "DMREMAP_SUBJECT", alert->subject);
	add_text(&f, "DMREMAP_SPARE", alert->spare);
	add_text(&f, "DMREMAP_DISK", alert->disk);
	add_text(&f, "DMREMAP_DETAIL", alert->detail);
	add_text(&f, "DMREMAP_REASON", alert->reason);
	if (alert->count || text->counts)
		add_field(&f, "DMREMAP_COUNT=%" PRIu64, alert->count);
	if (alert->has_sector)
		add_field(&f, "DMREMAP_SECTOR=%" PRIu64, alert->sector);
	if (text->action && phase != PHASE_END)
		add_text(&f, "DMREMAP_ACTION",
			 alert_expand(text->action, alert, action, sizeof(action)));
	log_fields(priority, f.vectors, f.nr);
	if (phase != PHASE_REMINDER)
		keep(daemon, alert, (char *)f.vectors[0].iov_base + strlen("MESSAGE="));
	if (!text->no_hooks)
		run_hooks(daemon, &f);
	for (i = 0; i < f.nr; i++)
		free(f.vectors[i].iov_base);
}

static void tell_condition(struct daemon *daemon, struct condition *c, enum phase phase)
{
	const struct alert alert = {
		.kind = c->kind, .name = c->name, .uuid = c->uuid, .subject = c->subject,
		.spare = c->spare, .disk = c->disk, .detail = c->detail, .reason = c->reason,
		.count = c->count, .has_sector = c->has_sector, .sector = c->sector,
	};

	c->told = clock_now();
	tell(daemon, &alert, phase, c->since);
}

/* --- Conditions that hold -------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

static struct condition *find(struct alerts *alerts, enum alert_kind kind, const char *uuid,
			      const char *subject)
{
	struct condition *c;

	LIST_FOREACH(c, &alerts->conditions, link)
		if (c->kind == kind && same(c->uuid, uuid) && same(c->subject, subject))
			return c;
	return NULL;
}

static void drop(struct alerts *alerts, struct condition *c)
{
	LIST_REMOVE(c, link);
	alerts->nr--;
	free(c->name);
	free(c->uuid);
	free(c->subject);
	free(c->spare);
	free(c->disk);
	free(c->detail);
	free(c->reason);
	free(c);
}

/* What is told of it may change while it lasts, its identity not. True if it did. */
static bool take_text(char **field, const char *text)
{
	char *copy;

	if (same(*field, text))
		return false;
	copy = text ? strdup(text) : NULL;
	if (text && !copy)
		out_of_memory();
	free(*field);
	*field = copy;
	return true;
}

static bool take(struct condition *c, const struct alert *alert)
{
	bool changed = c->count != alert->count || c->sector != alert->sector;

	changed |= take_text(&c->name, alert->name);
	changed |= take_text(&c->spare, alert->spare);
	changed |= take_text(&c->disk, alert->disk);
	changed |= take_text(&c->detail, alert->detail);
	changed |= take_text(&c->reason, alert->reason);
	c->count = alert->count;
	c->sector = alert->sector;
	c->has_sector = alert->has_sector;
	return changed;
}

/* Of what nobody has seen in this run: sets and disks that are gone. False if there is none. */
static bool forget_oldest(struct alerts *alerts)
{
	struct condition *c, *oldest = NULL;

	LIST_FOREACH(c, &alerts->conditions, link)
		if ((c->asleep || c->ended) && (!oldest || c->seen < oldest->seen))
			oldest = c;
	if (oldest)
		drop(alerts, oldest);
	return oldest;
}

static struct condition *add(struct alerts *alerts, const struct alert *alert)
{
	struct condition *c;

	if (alerts->nr >= CONDITIONS_MAX && !forget_oldest(alerts))
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		out_of_memory();
	c->kind = alert->kind;
	take_text(&c->uuid, alert->uuid);
	take_text(&c->subject, alert->subject);
	take(c, alert);
	LIST_INSERT_HEAD(&alerts->conditions, c, link);
	alerts->nr++;
	return c;
}

/* --- State ------------------------------------------------------------------------- */

static void save(struct daemon *daemon)
{
	struct json_object *list = json_new_list(), *o;
	struct condition *c;

	LIST_FOREACH(c, &daemon->alerts->conditions, link) {
		if (c->ended)
			continue;
		o = json_new();
		json_add_text(o, "event", alert_texts[c->kind].event);
		json_add_text(o, "name", c->name);
		json_add_text(o, "uuid", c->uuid);
		json_add_text(o, "subject", c->subject);
		json_add_text(o, "spare", c->spare);
		json_add_text(o, "disk", c->disk);
		json_add_text(o, "detail", c->detail);
		json_add_text(o, "reason", c->reason);
		json_add_number(o, "count", c->count);
		if (c->has_sector)
			json_add_number(o, "sector", c->sector);
		json_add_number(o, "since", c->since);
		json_add_number(o, "told", c->told);
		json_add_number(o, "seen", c->seen);
		json_append(list, o);
	}
	state_put(daemon, STATE_KEY, list);
}

static void load_one(struct alerts *alerts, struct json_object *o)
{
	const char *event = json_get_text(o, "event");
	struct alert alert = {
		.name = json_get_text(o, "name"), .uuid = json_get_text(o, "uuid"),
		.subject = json_get_text(o, "subject"), .spare = json_get_text(o, "spare"),
		.disk = json_get_text(o, "disk"), .detail = json_get_text(o, "detail"),
		.reason = json_get_text(o, "reason"), .count = json_get_number(o, "count"),
		.has_sector = json_get(o, "sector"), .sector = json_get_number(o, "sector"),
	};
	struct condition *c;

	for (alert.kind = 0; alert.kind < NR_ALERT_CONDITIONS; alert.kind++)
		if (same(alert_texts[alert.kind].event, event))
			break;
	if (alert.kind == NR_ALERT_CONDITIONS ||
	    find(alerts, alert.kind, alert.uuid, alert.subject))
		return;
	c = add(alerts, &alert);
	if (!c)
		return;
	c->since = json_get_number(o, "since");
	c->told = json_get_number(o, "told");
	c->seen = json_get_number(o, "seen");
	c->asleep = true;
}

static void load(struct daemon *daemon)
{
	struct json_object *list = state_get(daemon, STATE_KEY);
	size_t i;

	if (!list || !json_object_is_type(list, json_type_array))
		return;
	for (i = 0; i < json_object_array_length(list); i++)
		load_one(daemon->alerts, json_object_array_get_idx(list, i));
}

/* --- Reminders ------------------------------------------------------------------------- */

static bool set_back(uint64_t *then, uint64_t now)
{
	if (*then <= now)
		return false;
	*then = now;
	return true;
}

/*
 * A clock that was set back silences nothing: what lies ahead of it is taken as now. To be
 * forgotten later harms nobody.
 */
static void follow_clock(struct daemon *daemon, uint64_t now)
{
	struct condition *c;
	bool changed = false;

	LIST_FOREACH(c, &daemon->alerts->conditions, link) {
		changed |= set_back(&c->told, now);
		changed |= set_back(&c->over, now);
	}
	if (changed)
		save(daemon);
}

/* When something is to be done about it: told, told again, forgotten. */
static uint64_t due(const struct condition *c, uint64_t reminder)
{
	if (c->asleep)
		return c->seen + FORGET_NSEC;
	if (c->ended)
		return c->over + RETURN_NSEC;
	if (c->over)
		return c->over + (SETTLE_NSEC << (c->returns < SETTLE_DOUBLED ?
						  c->returns : SETTLE_DOUBLED));
	return reminder ? c->told + reminder * NSEC_PER_SEC : UINT64_MAX;
}

static void arm(struct daemon *daemon)
{
	uint64_t interval = daemon->config->reminder_interval, now = clock_now();
	struct alerts *alerts = daemon->alerts;
	uint64_t next = UINT64_MAX;
	struct condition *c;

	follow_clock(daemon, now);
	LIST_FOREACH(c, &alerts->conditions, link)
		if (due(c, interval) < next)
			next = due(c, interval);
	if (next == UINT64_MAX) {
		sd_event_source_set_enabled(alerts->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time_relative(alerts->timer,
					  next > now ? (next - now) / 1000 + 1 : 1);
	sd_event_source_set_enabled(alerts->timer, SD_EVENT_ONESHOT);
}

void alert_check(struct daemon *daemon)
{
	uint64_t interval = daemon->config->reminder_interval, now = clock_now();
	struct condition *c, *next;
	bool changed = false;

	for (c = LIST_FIRST(&daemon->alerts->conditions); c; c = next) {
		next = LIST_NEXT(c, link);
		if (due(c, interval) > now)
			continue;
		changed = true;
		if (c->asleep || c->ended) {
			drop(daemon->alerts, c);
		} else if (c->over) {
			tell_condition(daemon, c, PHASE_END);
			c->ended = true;
		} else {
			tell_condition(daemon, c, PHASE_REMINDER);
		}
	}
	if (changed) {
		save(daemon);
		daemon_status(daemon);
	}
	arm(daemon);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	alert_check(arg);
	return 0;
}

/* --- For others ---------------------------------------------------------------------------- */

static void begin(struct daemon *daemon, struct condition *c)
{
	c->since = c->seen = clock_now();
	tell_condition(daemon, c, PHASE_BEGIN);
	save(daemon);
	arm(daemon);
	daemon_status(daemon);
}

static void still_holds(struct daemon *daemon, struct condition *c, const struct alert *alert)
{
	bool changed = take(c, alert) || c->asleep || c->over, ended = c->ended;

	if (!changed)
		return;
	if (c->over)
		c->returns++;
	c->over = 0;
	c->asleep = c->ended = false;
	if (ended) {
		begin(daemon, c);
		return;
	}
	c->seen = clock_now();
	save(daemon);
	arm(daemon);
}

void alert_condition(struct daemon *daemon, const struct alert *alert, bool holds)
{
	struct alerts *alerts = daemon->alerts;
	struct condition *c;

	/* Work that ends while the daemon does. */
	if (!alerts)
		return;
	c = find(alerts, alert->kind, alert->uuid, alert->subject);
	if (c && holds) {
		still_holds(daemon, c, alert);
	} else if (holds) {
		c = add(alerts, alert);
		if (c)
			begin(daemon, c);
		else
			log_error("An alert could not be kept, since there are too many.");
	} else if (c && !c->over) {
		c->asleep = false;
		c->over = clock_now();
		take_text(&c->detail, alert->detail);
		arm(daemon);
	}
}

bool alert_holds(struct daemon *daemon, enum alert_kind kind, const char *uuid,
		 const char *subject)
{
	const struct condition *c = find(daemon->alerts, kind, uuid, subject);

	return c && !c->ended;
}

void alert_tell(struct daemon *daemon, const struct alert *alert)
{
	tell(daemon, alert, PHASE_NONE, 0);
}

void alert_set_gone(struct daemon *daemon, const char *uuid)
{
	struct condition *c;
	bool changed = false;

	LIST_FOREACH(c, &daemon->alerts->conditions, link) {
		/* What is over already settles, and is told. */
		if (!c->uuid || !same(c->uuid, uuid) || c->asleep || c->over)
			continue;
		c->asleep = true;
		c->seen = clock_now();
		changed = true;
	}
	if (changed) {
		save(daemon);
		arm(daemon);
	}
}

void alert_only(struct daemon *daemon, enum alert_kind kind, const char *uuid,
		const char *const *subjects, unsigned int nr)
{
	struct condition *c;
	unsigned int i;

	LIST_FOREACH(c, &daemon->alerts->conditions, link) {
		if (c->kind != kind || !same(c->uuid, uuid) || c->over)
			continue;
		for (i = 0; i < nr && !same(subjects[i], c->subject); i++)
			;
		if (i < nr)
			continue;
		c->asleep = false;
		c->over = clock_now();
		arm(daemon);
	}
}

unsigned int alert_count(struct daemon *daemon)
{
	const struct condition *c;
	unsigned int nr = 0;

	LIST_FOREACH(c, &daemon->alerts->conditions, link)
		nr += !c->ended && !c->asleep;
	return nr;
}

void alert_reload(struct daemon *daemon)
{
	arm(daemon);
}

int alert_start(struct daemon *daemon)
{
	struct alerts *alerts = calloc(1, sizeof(*alerts));
	int ret;

	if (!alerts)
		return -ENOMEM;
	LIST_INIT(&alerts->conditions);
	/* By the clock of the wall, also over a sleep of the machine. */
	ret = sd_event_add_time_relative(daemon->event, &alerts->timer, CLOCK_BOOTTIME,
					 0, USEC_PER_SEC, on_timer, daemon);
	if (ret < 0) {
		free(alerts);
		return ret;
	}
	sd_event_source_set_enabled(alerts->timer, SD_EVENT_OFF);
	daemon->alerts = alerts;
	load(daemon);
	arm(daemon);
	return 0;
}

void alert_stop(struct daemon *daemon)
{
	struct alerts *alerts = daemon->alerts;

	if (!alerts)
		return;
	while (!LIST_EMPTY(&alerts->conditions))
		drop(alerts, LIST_FIRST(&alerts->conditions));
	sd_event_source_disable_unref(alerts->timer);
	free(alerts);
	daemon->alerts = NULL;
}
