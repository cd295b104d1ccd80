// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a set is: state, reason and next action, from what the module and the
 * disks say. Pure functions, so that status, list and doctor agree.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "message.h"
#include "set.h"

#define LOW_PERCENT	80	/* from this fill on, spares and map are called low */

static const char *const health_names[] = { "ok", "info", "warning", "critical" };

const char *health_name(enum health health)
{
	return health_names[health];
}

unsigned int percent(uint64_t part, uint64_t whole)
{
	if (!whole)
		return 0;
	if (part >= whole)
		return 100;
	return (unsigned int)((unsigned __int128)part * 100 / whole);
}

const char *member_state(const struct dmremap_set_info *info,
			 const struct dmremap_member_info *m)
{
	if (!is_member(m))
		return "removed";
	if (!m->present)
		return "missing";
	if (!info->loaded && !info->active)
		return "unknown";
	if (m->index == DMREMAP_NOT_JOINED)
		return "new";
	return dmremap_member_state_name(m->state);
}

bool is_member(const struct dmremap_member_info *m)
{
	return m->state != DMR_MEMBER_REMOVED;
}

unsigned int nr_spares(const struct dmremap_set_info *info)
{
	unsigned int n = 0;

	for (unsigned int i = 1; i < info->nr_members; i++)
		n += is_member(&info->members[i]);
	return n;
}

/* Insert behind all that are at least as bad. */
static struct finding *add(struct assessment *a, enum health health, const char *state)
{
	int at;

	if (a->nr == MAX_FINDINGS)
		a->nr--;	/* the least bad one */
	for (at = a->nr; at && a->findings[at - 1].health < health; at--)
		a->findings[at] = a->findings[at - 1];
	a->nr++;
	a->findings[at] = (struct finding){ .health = health, .state = state };
	return &a->findings[at];
}

static PRINTF(2, 3) void reason(struct finding *f, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(f->reason, sizeof(f->reason), fmt, args);
	va_end(args);
}

static PRINTF(2, 3) void action(struct finding *f, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(f->action, sizeof(f->action), fmt, args);
	va_end(args);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void assess_spares(const struct dmremap_status *s, struct assessment *a)
{
	for (unsigned int i = 0; i < s->nr_spares; i++) {
		const struct dmremap_spare_status *spare = &s->spares[i];
		struct finding *f;

		if (spare->state == DMREMAP_SPARE_ACTIVE)
			continue;
		f = add(a, spare->used ? HEALTH_CRITICAL : HEALTH_WARNING, "degraded");
		if (spare->state == DMREMAP_SPARE_MISSING && !spare->used)
			reason(f, "Spare %u is missing; no block lives on it.", spare->member);
		else if (spare->state == DMREMAP_SPARE_MISSING)
			reason(f, "Spare %u is missing; %" PRIu64 " blocks that live on it return errors.",
			       spare->member, spare->used);
		else
			reason(f, "Spare %u (%s) has failed; %" PRIu64 " blocks live on it.",
			       spare->member, spare->path[0] ? spare->path : "no device",
			       spare->used);
		if (!spare->used)
			action(f, "Take it out: " PROGRAM " spare remove %s %u", s->name,
			       spare->member);
		else
			action(f, "Bring it back; or write its blocks again, so that they move (" PROGRAM
			       " map list %s), and take it out: " PROGRAM " spare remove %s %u",
			       s->name, s->name, spare->member);
	}
}

static void assess_header(const struct dmremap_status *s, struct assessment *a)
{
	struct finding *f;

	for (unsigned int i = 0; i < s->nr_counters; i++) {
		if (strcmp(s->counters[i].name, "header_out") || !s->counters[i].value)
			continue;
		f = add(a, HEALTH_WARNING, "header-out");
		reason(f,
		       "The header of the data device can no longer be written; the map is kept on the spares only.");
		action(f, "Back the map up (" PROGRAM
		       " metadata backup %s FILE), keep the spares attached, and replace the data device soon; until then the set may start with --degraded only.",
		       s->name);
	}
}

static void assess_room(const struct dmremap_status *s, struct assessment *a)
{
	struct finding *f;

	if (s->used >= s->slots) {
		f = add(a, HEALTH_CRITICAL, "full");
		reason(f,
		       "No spare block is free (%" PRIu64 " of %" PRIu64 " in use): new failures are passed up as errors.",
		       s->used, s->slots);
		action(f, "Add a spare: " PROGRAM " spare add %s DEV", s->name);
	} else if (percent(s->used, s->slots) >= LOW_PERCENT) {
		f = add(a, HEALTH_WARNING, "low");
		reason(f, "%u %% of the spare blocks are in use.", percent(s->used, s->slots));
		action(f, "Replace the data device soon, or add a spare: " PROGRAM
		       " spare add %s DEV", s->name);
	}
	if (percent(s->records_used, s->records) >= LOW_PERCENT) {
		f = add(a, s->records_used >= s->records ? HEALTH_CRITICAL : HEALTH_WARNING,
			s->records_used >= s->records ? "map-full" : "map-low");
		reason(f,
		       "%" PRIu64 " of %" PRIu64 " records of the map are in use; a map can not grow.",
		       s->records_used, s->records);
		action(f, "Replace the data device; a new set takes --map-entries.");
	}
}

void assess_active(const struct dmremap_status *s, struct assessment *a)
{
	struct finding *f;

	a->nr = 0;
	if (s->suspended) {
		f = add(a, HEALTH_WARNING, "suspended");
		reason(f, "The device is suspended: all I/O waits.");
		action(f, "If nothing is working on it: dmsetup resume %s", s->name);
	}
	if (s->mode == DMREMAP_MODE_INACTIVE) {
		if (s->suspended)
			return;
		f = add(a, HEALTH_CRITICAL, "inactive");
		reason(f, "Its table is loaded, but the device was never resumed.");
		action(f, "See the kernel log for a refusal; then " PROGRAM " stop %s and "
		       PROGRAM " start %s", s->name, s->name);
		return;
	}
	if (s->mode == DMREMAP_MODE_FROZEN) {
		f = add(a, HEALTH_CRITICAL, "frozen");
		reason(f,
		       "The map can no longer be written: mapped blocks are served, new failures are passed up as errors.");
		action(f,
		       "See the kernel log for the device that failed; make it work, then stop and start the set.");
	}
	if (s->breaker_open) {
		f = add(a, HEALTH_CRITICAL, "breaker-open");
		reason(f,
		       "The data device fails everything, so its errors say nothing about single blocks and are passed up.");
		action(f, "Check its cable, power and controller, and the kernel log.");
	}
	assess_spares(s, a);
	assess_header(s, a);
	assess_room(s, a);
	if (s->lost) {
		f = add(a, HEALTH_WARNING, "unreadable");
		reason(f,
		       "%" PRIu64 " block%s ha%s sectors whose content is lost; they read as errors until they are written.",
		       s->lost, plural(s->lost),
		       s->lost == 1 ? "s" : "ve");
		action(f,
		       "See which: " PROGRAM " map list %s --unreadable; restore what lies there",
		       s->name);
	}
	if (!a->nr) {
		f = add(a, HEALTH_OK, "ok");
		if (s->remapped)
			reason(f, "%" PRIu64 " block%s of the data device live%s on spares.",
			       s->remapped, plural(s->remapped), s->remapped == 1 ? "s" : "");
		else
			reason(f, "No block is remapped.");
	}
}

static bool is_complete(const struct dmremap_set_info *info)
{
	for (unsigned int i = 0; i < info->nr_members; i++)
		if (is_member(&info->members[i]) && !info->members[i].present)
			return false;
	return true;
}

void assess_inactive(const struct dmremap_set_info *info, struct assessment *a)
{
	struct finding *f;

	a->nr = 0;
	switch (info->verdict) {
	case DMREMAP_UNKNOWN:
	case DMREMAP_READY:
		f = add(a, HEALTH_OK, "stopped");
		reason(f, "%s", info->verdict == DMREMAP_READY ?
		       "All members are there and fit together." :
		       "Its map has not been read.");
		action(f, PROGRAM " start %s", info->name);
		break;
	case DMREMAP_DEGRADED:
		f = add(a, HEALTH_CRITICAL, "incomplete");
		reason(f, "%s", info->reason);
		action(f, "%s" PROGRAM " start %s --degraded",
		       is_complete(info) ? "" : "Connect what is missing, or ", info->name);
		break;
	case DMREMAP_REFUSED:
		f = add(a, HEALTH_CRITICAL, "refused");
		reason(f, "%s", info->reason);
		if (info->fault)
			action(f, PROGRAM " metadata verify %s", info->name);
		else
			action(f,
			       "Connect the right devices; " PROGRAM " doctor %s tells which are known",
			       info->name);
		break;
	case DMREMAP_ACTIVE:
		f = add(a, HEALTH_OK, "active");
		break;
	}
}
