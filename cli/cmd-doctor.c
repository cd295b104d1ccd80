// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * doctor: one look at everything that can keep sets from working, each finding
 * with its severity and what to do about it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "doctor.h"
#include "output.h"

static const struct field finding_fields[] = {
	{ .key = "severity", .label = "" },
	{ .key = "topic", .label = NULL },
	{ .key = "text", .label = NULL },
	{ .key = "screen", .label = "", .flags = FIELD_SCREEN },
	{ .key = "action", .label = "", .flags = FIELD_OPTIONAL },
	{},
};

static const struct view finding_view = {
	.key = "findings", .style = VIEW_LIST, .fields = finding_fields,
};

static const struct field summary_fields[] = {
	{ .key = "severity" }, { .key = "problems", .type = FIELD_NUMBER }, {},
};

static const struct view summary_view = {
	.key = "summary", .style = VIEW_JSON, .one = true, .fields = summary_fields,
};

void report(struct doctor *d, enum health health, const char *topic,
	    const char *action, const char *fmt, ...)
{
	struct record *r = group_add(d->findings);
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	set_string(r, "severity", health_name(health));
	set_string(r, "topic", topic);
	set_string(r, "text", text);
	set_text(r, "screen", "%s: %s", topic, text);
	set_string(r, "action", action);
	d->problems += health >= HEALTH_WARNING;
	if (health > d->worst)
		d->worst = health;
}

/* --- Sets ------------------------------------------------------------------------- */

static void report_assessment(struct doctor *d, const char *name, const struct assessment *a)
{
	for (int i = 0; i < a->nr; i++) {
		const struct finding *f = &a->findings[i];
		bool problem = f->health > HEALTH_INFO;

		report(d, f->health, name, problem && f->action[0] ? f->action : NULL,
		       "%s%s%s", f->state, f->reason[0] ? ": " : "", f->reason);
	}
}

static void check_members(struct doctor *d, const struct dmremap_set_info *info)
{
	char action[512];

	for (unsigned int i = 0; i < info->nr_members; i++) {
		const struct dmremap_member_info *m = &info->members[i];

		/* What is missing is told with the state of the set. */
		if (!is_member(m) || !m->present)
			continue;
		if (m->damaged && !info->active) {
			snprintf(action, sizeof(action), PROGRAM " metadata repair %s",
				 info->name);
			report(d, HEALTH_WARNING, info->name, action,
			       "%s: part of its metadata is damaged; good copies are left.",
			       m->path);
		}
		if (m->reason[0])
			report(d, HEALTH_WARNING, info->name, NULL, "%s %s: %s",
			       m->index ? "Spare" : "Data device",
			       m->path, m->reason);
	}
}

/* Is this device mounted by itself, beside the set? */
static void check_raw_mount(struct doctor *d, const struct dmremap_set_info *info,
			    const struct dmremap_member_info *m)
{
	char path[512], *line = NULL;
	size_t room = 0;
	FILE *file;

	if (!m->present || !(m->major || m->minor))
		return;
	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", d->root);
	file = fopen(path, "re");
	if (!file)
		return;
	while (getline(&line, &room, file) > 0) {
		unsigned int major, minor;
		char where[256];

		if (sscanf(line, "%*u %*u %u:%u %*s %255s", &major, &minor, where) != 3 ||
		    major != m->major || minor != m->minor)
			continue;
		report(d, info->active ? HEALTH_CRITICAL : HEALTH_WARNING, info->name,
		       info->active ?
		       "Unmount it at once: what is written there bypasses the map." :
		       "Unmount it: what is written there changes the data behind the set's back, and the next start may be refused.",
		       "The raw member %s is mounted on %s.", m->path, where);
		break;
	}
	free(line);
	fclose(file);
}

static void check_set(struct doctor *d, struct dmremap_set *set)
{
	const struct dmremap_set_info *info = dmremap_set_info(set);
	struct dmremap_status *status;
	struct dmremap_error error = {};
	struct assessment a;
	int err;

	err = dmremap_set_load(set, option_text(d->inv, "data"), &error);
	if (err < 0)
		report(d, HEALTH_WARNING, info->name, NULL, "%s", error.text);
	info = dmremap_set_info(set);
	if (info->active) {
		status = calloc(1, sizeof(*status));
		if (!status)
			no_memory();
		err = dmremap_status(info->device, status, &error);
		if (err < 0) {
			report(d, HEALTH_CRITICAL, info->name, NULL, "%s", error.text);
		} else {
			assess_active(status, &a);
			report_assessment(d, info->name, &a);
		}
		free(status);
	} else {
		assess_inactive(info, &a);
		report_assessment(d, info->name, &a);
	}
	check_members(d, info);
	for (unsigned int i = 0; i < info->nr_members; i++)
		if (!info->members[i].internal)
			check_raw_mount(d, info, &info->members[i]);
}

static void check_sets(struct doctor *d)
{
	struct dmremap_error error = {};
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	int err, found = 0;

	if (d->root[0])
		return;
	err = scan_sets(d->inv, 0, &scan);
	if (err) {
		d->worst = HEALTH_CRITICAL;
		d->problems++;
		return;
	}
	if (d->inv->nr_args) {
		err = dmremap_scan_find(scan, d->inv->args[0], &set, &error);
		if (err < 0)
			report(d, HEALTH_CRITICAL, d->inv->args[0], NULL, "%s", error.text);
		else
			check_set(d, set);
		found++;
	}
	while (!d->inv->nr_args && dmremap_scan_next(scan, &set) == 1) {
		found++;
		check_set(d, set);
	}
	dmremap_scan_free(scan);
	if (!found)
		report(d, HEALTH_INFO, "sets", NULL, "No set was found on the disks.");
}

int cmd_doctor(struct invocation *inv)
{
	struct doctor d = {
		.inv = inv,
		.root = option_given(inv, "root") ? option_text(inv, "root") : "",
		.findings = output_group(inv->out, &finding_view),
	};
	struct record *r;

	check_system(&d);
	check_sets(&d);
	r = output_one(inv->out, &summary_view);
	set_string(r, "severity", health_name(d.worst));
	set_number(r, "problems", d.problems);
	return d.worst >= HEALTH_WARNING ? FAILED : DONE;
}
