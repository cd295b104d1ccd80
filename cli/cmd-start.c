// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * start and stop, of one set or of all, and start as udev asks for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "message.h"
#include "output.h"
#include "set.h"

static const struct field result_fields[] = {
	{ .key = "name" }, { .key = "uuid" }, { .key = "path" },
	{ .key = "active", .type = FIELD_BOOL }, {},
};

static const struct view result_view = {
	.key = "sets", .style = VIEW_JSON, .fields = result_fields,
};

static void describe(struct group *g, const char *name, const char *uuid, bool active)
{
	struct record *r = group_add(g);

	set_string(r, "name", name);
	set_string(r, "uuid", uuid);
	if (active)
		set_text(r, "path", "/dev/mapper/%s", name);
	set_bool(r, "active", active);
}

/* One of NAME, --all and, to start, --auto, which is @other. */
static int check_which(const struct invocation *inv, bool other, const char *choice)
{
	const char *name = inv->command->name;

	if (option_given(inv, "all") + inv->nr_args + other != 1) {
		wrong_usage("%s: either %s is needed", name, choice);
		advise("See " PROGRAM " %s --help.", name);
		return WRONG_USAGE;
	}
	return DONE;
}

/* --- start ------------------------------------------------------------------------ */

/*
 * Two that start the same set at once would find its members in use by one another. One
 * that hangs on a dead disk must not keep others for ever: after a while the
 * kernel, which knows each set once, decides. The lock ends with the descriptor.
 */
#define LOCK_DIRECTORY	"/run/dm-remap"
#define PAUSE_NS	100000000	/* 0.1 s */
#define LOCK_PAUSES	100

static void pause_shortly(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
}

static int lock_set(const char *uuid)
{
	char path[sizeof(LOCK_DIRECTORY) + 48];
	int fd;

	mkdir(LOCK_DIRECTORY, 0755);
	snprintf(path, sizeof(path), LOCK_DIRECTORY "/start-%.36s.lock", uuid);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	for (int i = 0; fd >= 0 && i < LOCK_PAUSES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			break;
		pause_shortly();
	}
	return fd;
}

static void unlock_set(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* Tell of a set that was started just now. */
static int report_started(struct invocation *inv, const char *uuid, struct group *g)
{
	struct dmremap_status *status = calloc(1, sizeof(*status));
	struct dmremap_error error = {};
	struct assessment a;
	char size[32];
	int err;

	if (!status)
		no_memory();
	err = dmremap_status(uuid, status, &error);
	if (err < 0) {
		err = fail_lib(inv, err, &error);
	} else {
		assess_active(status, &a);
		dmremap_format_size(status->sectors * 512, size, sizeof(size));
		say("Set %s is running: /dev/mapper/%s, %s.", status->name, status->name, size);
		if (a.findings[0].health > HEALTH_INFO) {
			warn("set %s: %s", status->name, a.findings[0].reason);
			advise("%s", a.findings[0].action);
		}
		describe(g, status->name, status->uuid, true);
		err = DONE;
	}
	free(status);
	return err;
}

static int start_set(struct invocation *inv, struct dmremap_set *set, struct group *g)
{
	const struct dmremap_set_info *info = dmremap_set_info(set);
	struct dmremap_start start = {
		.data = option_text(inv, "data"),
		.degraded = option_given(inv, "degraded"),
	};
	struct dmremap_error error = {};
	struct assessment a;
	int err, lock;

	lock = lock_set(info->uuid);
	err = dmremap_start(set, &start, &error);
	unlock_set(lock);
	if (err >= 0)
		return report_started(inv, info->uuid, g);
	fail_lib(inv, err, &error);
	info = dmremap_set_info(set);
	if (info->verdict == DMREMAP_DEGRADED && !start.degraded) {
		assess_inactive(info, &a);
		advise("%s", a.findings[0].action);
	}
	describe(g, info->name, info->uuid, false);
	return FAILED;
}

/* --- start --auto ----------------------------------------------------------------- */

#define AUTO_TRIES	20	/* while something else has a member to itself */

/* What --auto found: nothing to be done, or done, or why it failed. */
enum attempt { QUIET, STARTED, TRY_AGAIN, BROKEN };

/* What is missing may come yet; what is damaged, stale or twice there needs a person. */
static void report_refused(const struct dmremap_set_info *info, int err)
{
	struct assessment a;

	if (err == -ENXIO) {
		say("Set %s is not started: %s", info->name, info->reason);
		return;
	}
	assess_inactive(info, &a);
	warn("Set %s is not started: %s", info->name, info->reason);
	advise("%s", a.findings[0].action);
}

static enum attempt try_auto(struct invocation *inv, const struct dmremap_raw *raw,
			     struct group *g, struct dmremap_error *error, int *err)
{
	const struct dmremap_set_info *info;
	struct dmremap_scan *scan = NULL;
	struct dmremap_set *set;
	enum attempt attempt = QUIET;

	*err = dmremap_scan_new(0, NULL, &scan, error);
	if (*err < 0)
		return BROKEN;
	*err = dmremap_scan_find(scan, raw->set_uuid, &set, error);
	if (*err == -ENOENT) {
		/* Its data device alone is no member that tells of a map. */
		say("Set %s: none of its spares is here yet.", raw->set_name);
		goto out;
	}
	if (*err < 0) {
		attempt = BROKEN;
		goto out;
	}
	info = dmremap_set_info(set);
	if (info->active) {
		say("Set %s is running already.", info->name);
		goto out;
	}
	*err = dmremap_start(set, NULL, error);
	if (*err >= 0) {
		attempt = STARTED;
		*err = report_started(inv, raw->set_uuid, g);
	} else if (info->verdict == DMREMAP_DEGRADED || info->verdict == DMREMAP_REFUSED) {
		report_refused(info, *err);
	} else if (*err == -EBUSY || *err == -EEXIST || *err == -EALREADY || *err == -EAGAIN) {
		attempt = TRY_AGAIN;
	} else {
		attempt = BROKEN;
	}
	if (attempt == QUIET || attempt == BROKEN)
		describe(g, info->name, info->uuid, false);
out:
	dmremap_scan_free(scan);
	return attempt;
}

/*
 * Called for each member that appears, in any order and at the same time. A set that
 * is not complete is started by whoever comes last; no refusal is a failure here.
 */
static int start_auto(struct invocation *inv, struct group *g)
{
	const char *path = option_text(inv, "auto");
	struct dmremap_error error = {};
	struct dmremap_raw raw;
	enum attempt attempt = TRY_AGAIN;
	int err, lock;

	err = dmremap_raw_probe(path, &raw, &error);
	if (err == -ENOENT || err == -ENXIO || err == -ENODEV) {
		say("%s is gone again.", path);
		return DONE;
	}
	if (err < 0)
		return fail_lib(inv, err, &error);
	if (raw.kind != DMREMAP_RAW_MEMBER && raw.kind != DMREMAP_RAW_ADOPTED) {
		say("%s is no member of a set.", path);
		return DONE;
	}
	lock = lock_set(raw.set_uuid);
	for (int i = 0; attempt == TRY_AGAIN && i < AUTO_TRIES; i++) {
		if (i)
			pause_shortly();
		attempt = try_auto(inv, &raw, g, &error, &err);
	}
	unlock_set(lock);
	if (attempt == QUIET)
		return DONE;
	return attempt == STARTED ? err : fail_lib(inv, err, &error);
}

static int start_all(struct invocation *inv, struct dmremap_scan *scan, struct group *g)
{
	struct dmremap_set *set;
	int found = 0, active = 0, failed = 0;

	while (dmremap_scan_next(scan, &set) == 1) {
		found++;
		if (dmremap_set_info(set)->active)
			active++;
		else if (start_set(inv, set, g))
			failed++;
	}
	if (!found)
		say("No set was found.");
	else if (active == found)
		say("All %d sets that were found are running already.", found);
	return failed ? FAILED : DONE;
}

/* With --spare or --data: look at these devices and at no others. */
static int scan_for_start(struct invocation *inv, struct dmremap_scan **scan)
{
	const char *paths[DMR_MAX_MEMBERS + 2];
	struct dmremap_error error = {};
	const char *path;
	int n = 0, err;

	if (!option_given(inv, "spare"))
		return scan_sets(inv, 0, scan);
	if (option_text(inv, "data"))
		paths[n++] = option_text(inv, "data");
	for (int i = 0; (path = option_nth(inv, "spare", i)); i++) {
		if (n > DMR_MAX_MEMBERS)
			return wrong_usage("start: at most %d spares", DMR_MAX_MEMBERS - 1);
		paths[n++] = path;
	}
	paths[n] = NULL;
	err = dmremap_scan_new(0, paths, scan, &error);
	return err < 0 ? fail_lib(inv, err, &error) : DONE;
}

int cmd_start(struct invocation *inv)
{
	struct dmremap_error error = {};
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	struct group *g;
	int err;

	err = check_which(inv, option_given(inv, "auto"), "a name, --all or --auto DEV");
	if (err)
		return err;
	if (option_given(inv, "auto")) {
		if (option_given(inv, "data") || option_given(inv, "spare") ||
		    option_given(inv, "degraded"))
			return wrong_usage("start: --auto goes without other options");
		return start_auto(inv, output_group(inv->out, &result_view));
	}
	if (option_given(inv, "all") && (option_given(inv, "data") || option_given(inv, "spare")))
		return wrong_usage("start: --data and --spare go with a name, not with --all");
	err = scan_for_start(inv, &scan);
	if (err)
		return err;
	g = output_group(inv->out, &result_view);
	if (option_given(inv, "all")) {
		err = start_all(inv, scan, g);
	} else {
		err = dmremap_scan_find(scan, inv->args[0], &set, &error);
		err = err < 0 ? fail_lib(inv, err, &error) : start_set(inv, set, g);
	}
	dmremap_scan_free(scan);
	return err;
}

/* --- stop ------------------------------------------------------------------------- */

static int stop_set(struct invocation *inv, const char *name, struct group *g)
{
	struct dmremap_error error = {};
	int err = dmremap_stop(name, 0, &error);

	if (err < 0)
		return fail_lib(inv, err, &error);
	say("Set %s is stopped.", name);
	if (err) {
		warn("set %s: it could not be marked as cleanly stopped", name);
		advise("What was flushed is safe; its next start is as one after a power cut. "
		       "See \"dmesg\" for which member can not be written.");
	}
	describe(g, name, NULL, false);
	return DONE;
}

int cmd_stop(struct invocation *inv)
{
	struct dmremap_error error = {};
	struct dmremap_scan *scan;
	struct dmremap_set *set;
	struct group *g;
	int err, failed = 0, found = 0;

	err = check_which(inv, false, "a name or --all");
	if (err)
		return err;
	g = output_group(inv->out, &result_view);
	if (!option_given(inv, "all"))
		return stop_set(inv, inv->args[0], g);
	err = dmremap_scan_new(DMREMAP_SCAN_ACTIVE, NULL, &scan, &error);
	if (err < 0)
		return fail_lib(inv, err, &error);
	while (dmremap_scan_next(scan, &set) == 1) {
		found++;
		if (stop_set(inv, dmremap_set_info(set)->name, g))
			failed++;
	}
	dmremap_scan_free(scan);
	if (!found)
		say("No set is running.");
	return failed ? FAILED : DONE;
}
