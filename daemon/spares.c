/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Labelled spares: found at the start and by udev's events, and added to a set that has
 * fallen to its threshold. One decision at a time, so that no two sets want the same one.
 *
 * Devices are opened for reading only, by spares-probe.c. The lane `spare` opens for
 * writing the one that was chosen, exclusively, if it still carries the label by which it
 * was chosen (lib/spare.c).
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <systemd/sd-device.h>
#include <unistd.h>

#include "spares.h"

#define MAX_CANDIDATES	256
#define TICK_USEC	USEC_PER_SEC
#define UDEV_SOCKET	"/run/udev/control"
#define DEVICE_SIZE	48
#define NEWS_NS		(20 * NSEC_PER_SEC)	/* so long a set is waited for to tell of it */

/* A spare was added, and what is known of the set may be older. */
struct set_spares {
	unsigned int nr_before;
	uint64_t since;
};

struct spares {
	struct daemon *daemon;
	sd_device_monitor *monitor;
	sd_event_source *tick;
	struct candidates candidates;
	unsigned int nr;
	bool searched;			/* all that was there at the start has been looked at */
	struct addition *adding;	/* on its way */
	sd_event_source *patience;	/* that it takes long */
};

/* A spare on its way into a set. */
struct addition {
	char uuid[DMREMAP_UUID_SIZE], path[DMREMAP_PATH_SIZE], label[DMREMAP_UUID_SIZE];
	uint32_t tier;
	/* The members of the set, as far as they are there, and the spare: nothing else is read. */
	unsigned int nr;
	char devices[DMR_MAX_MEMBERS + 1][DEVICE_SIZE];
};

static void look_again(struct spares *spares, uint64_t usec)
{
	sd_event_source_set_time_relative(spares->tick, usec);
	sd_event_source_set_enabled(spares->tick, SD_EVENT_ONESHOT);
}

/* --- Devices -------------------------------------------------------------- */

static struct candidate *candidate_by_path(struct spares *spares, const char *path)
{
	struct candidate *c;

	LIST_FOREACH(c, &spares->candidates, link)
		if (!strcmp(c->path, path))
			return c;
	return NULL;
}

static void drop(struct spares *spares, struct candidate *c)
{
	if (!c)
		return;
	LIST_REMOVE(c, link);
	spares->nr--;
	free(c);
}

static void take_probed(struct spares *spares, const struct place *p)
{
	struct candidate *c = candidate_by_path(spares, p->path);

	if (p->labelled <= 0) {
		drop(spares, c);
		return;
	}
	if (c && strcmp(c->label.uuid, p->label.uuid)) {
		drop(spares, c);
		c = NULL;
	}
	if (!c) {
		if (spares->nr >= MAX_CANDIDATES)
			return;
		c = calloc(1, sizeof(*c));
		if (!c)
			return;
		LIST_INSERT_HEAD(&spares->candidates, c, link);
		spares->nr++;
		snprintf(c->path, sizeof(c->path), "%s", p->path);
		log_info("%s is labelled as a spare (%s%s%stier %u).", p->path,
			 *p->label.domain ? "domain " : "", p->label.domain,
			 *p->label.domain ? ", " : "", p->label.tier);
	}
	c->major = p->major;
	c->minor = p->minor;
	c->label = p->label;
}

static void consider(struct daemon *daemon);

static void probed(struct daemon *daemon, const struct place *place)
{
	if (!daemon->spares)
		return;
	if (place)
		take_probed(daemon->spares, place);
	consider(daemon);
}

static bool sysattr_is(sd_device *device, const char *name, const char *value)
{
	const char *is;

	return sd_device_get_sysattr_value(device, name, &is) >= 0 && !strcmp(is, value);
}

static bool directory_is_empty(const char *path)
{
	DIR *dir = opendir(path);
	bool empty = true;
	struct dirent *e;

	while (dir && empty && (e = readdir(dir)))
		empty = e->d_name[0] == '.';
	if (dir)
		closedir(dir);
	return empty;
}

/* A device that something is built on, or that must not be read now, is no free spare. */
static bool is_free(sd_device *device)
{
	const char *name, *path, *uuid;
	char holders[512];

	if (sd_device_get_sysname(device, &name) < 0 || sd_device_get_syspath(device, &path) < 0)
		return false;
	if (!strncmp(name, "sr", 2) || !strncmp(name, "fd", 2) || !strncmp(name, "ram", 3) ||
	    !strncmp(name, "zram", 4))
		return false;
	if (sysattr_is(device, "size", "0") || sysattr_is(device, "ro", "1") ||
	    sysattr_is(device, "hidden", "1") || sysattr_is(device, "dm/suspended", "1"))
		return false;
	/* What the user of a set wrote to it is not ours. */
	if (sd_device_get_sysattr_value(device, "dm/uuid", &uuid) >= 0 &&
	    !strncmp(uuid, "DMREMAP-", 8))
		return false;
	if ((size_t)snprintf(holders, sizeof(holders), "%s/holders", path) >= sizeof(holders))
		return false;
	return directory_is_empty(holders);
}

static bool is_member(struct daemon *daemon, unsigned int major, unsigned int minor)
{
	struct watched_set *set;
	unsigned int i;

	LIST_FOREACH(set, &daemon->sets, link) {
		if (set->device.data_major == major && set->device.data_minor == minor)
			return true;
		for (i = 0; i < set->nr_spares; i++)
			if (set->spares[i].major == major && set->spares[i].minor == minor)
				return true;
	}
	return false;
}

/*
 * What udev has seen is read only if it found a label there: a device that does not
 * answer keeps nobody, and no disk is woken. While udev runs it tells in the end of each
 * device that there is; without it all have to be read.
 */
static bool may_be_labelled(sd_device *device)
{
	const char *kind;

	if (sd_device_get_is_initialized(device) > 0)
		return sd_device_get_property_value(device, "DMREMAP_KIND", &kind) >= 0 &&
		       !strcmp(kind, "label");
	return access(UDEV_SOCKET, F_OK) < 0;
}

static void take_device(struct spares *spares, sd_device *device, bool gone)
{
	struct place p = { .labelled = 0 };
	const char *path;
	dev_t devno;

	if (sd_device_get_devname(device, &path) < 0 || strlen(path) >= sizeof(p.path))
		return;
	snprintf(p.path, sizeof(p.path), "%s", path);
	if (!gone && sd_device_get_devnum(device, &devno) >= 0) {
		p.major = major(devno);
		p.minor = minor(devno);
		if (may_be_labelled(device) && is_free(device) &&
		    !is_member(spares->daemon, p.major, p.minor)) {
			probes_want(spares->daemon->probes, &p);
			return;
		}
	}
	drop(spares, candidate_by_path(spares, p.path));
}

static int device_event(sd_device_monitor *monitor, sd_device *device, void *arg)
{
	struct spares *spares = arg;
	sd_device_action_t action;

	if (sd_device_get_action(device, &action) < 0)
		return 0;
	take_device(spares, device, action == SD_DEVICE_REMOVE || action == SD_DEVICE_OFFLINE);
	return 0;
}

static int enumerate(struct spares *spares)
{
	sd_device_enumerator *enumerator = NULL;
	sd_device *device;
	int r = sd_device_enumerator_new(&enumerator);

	if (r >= 0)
		r = sd_device_enumerator_add_match_subsystem(enumerator, "block", 1);
	if (r >= 0)
		r = sd_device_enumerator_allow_uninitialized(enumerator);
	for (device = r < 0 ? NULL : sd_device_enumerator_get_device_first(enumerator); device;
	     device = sd_device_enumerator_get_device_next(enumerator))
		take_device(spares, device, false);
	sd_device_enumerator_unref(enumerator);
	return r;
}

/* --- Adding --------------------------------------------------------------- */

static int stopping(uint64_t done, uint64_t total, void *arg)
{
	return worker_stopping(arg);
}

static int add_to(struct worker *worker, struct dmremap_scan *scan, const struct addition *a,
		  struct dmremap_error *err)
{
	struct dmremap_spare spare = { .path = a->path, .tier = a->tier, .label = a->label };
	struct dmremap_plan *plan = NULL;
	struct dmremap_set *set;
	int r = dmremap_scan_find(scan, a->uuid, &set, err);

	if (r < 0)
		return r;
	/* To one that was stopped meanwhile nothing is added. */
	if (!dmremap_set_info(set)->active)
		return -ENOTCONN;
	r = dmremap_spare_add_plan(set, &spare, 0, &plan, err);
	if (!r)
		r = dmremap_plan_commit(plan, stopping, worker, err);
	dmremap_plan_free(plan);
	return r;
}

static int add_fn(struct worker *worker, void *arg, struct dmremap_error *err)
{
	const char *paths[DMR_MAX_MEMBERS + 2] = { NULL };
	struct dmremap_scan *scan = NULL;
	struct addition *a = arg;
	unsigned int i;
	int r;

	for (i = 0; i < a->nr; i++)
		paths[i] = a->devices[i];
	r = dmremap_scan_new(0, paths, &scan, err);
	if (!r)
		r = add_to(worker, scan, arg, err);
	dmremap_scan_free(scan);
	return r;
}

/* The device went, or changed, between the decision and the act: nothing was done. */
static bool has_vanished(int error)
{
	return error == -ENOKEY || error == -ENOENT || error == -ENXIO || error == -ENODEV ||
	       error == -ENOMEDIUM || error == -ENOTBLK;
}

static void await_news(struct daemon *daemon, struct watched_set *set)
{
	if (!set->spare_search)
		set->spare_search = calloc(1, sizeof(*set->spare_search));
	if (set->spare_search)
		*set->spare_search = (struct set_spares){ set->nr_spares, clock_now() };
	set_refresh(daemon, set);
}

static bool news_awaited(const struct watched_set *set, uint64_t now)
{
	const struct set_spares *s = set->spare_search;

	return s && now - s->since < NEWS_NS && set->nr_spares <= s->nr_before;
}

static void add_done(struct daemon *daemon, void *arg, int result,
		     const struct dmremap_error *err)
{
	struct spares *spares = daemon->spares;
	struct addition *a = arg;
	struct watched_set *set = set_find(daemon, a->uuid);
	struct candidate *c = spares ? candidate_by_path(spares, a->path) : NULL;
	struct alert alert = { .kind = ALERT_SPARE_ADDED, .uuid = a->uuid, .spare = a->path,
			       .name = set ? set->device.name : NULL };

	if (!spares || result == -ECANCELED) {
		free(a);
		return;
	}
	spares->adding = NULL;
	sd_event_source_set_enabled(spares->patience, SD_EVENT_OFF);
	if (c && strcmp(c->label.uuid, a->label))
		c = NULL;
	if (result >= 0) {
		alert_tell(daemon, &alert);
		drop(spares, c);
		if (set)
			await_news(daemon, set);
	} else if (result == -ENOTCONN) {
		log_info("The set %s was stopped before %s could be added to it.", a->uuid,
			 a->path);
	} else if (has_vanished(result)) {
		log_info("%s was not added as a spare: %s", a->path, err->text);
		drop(spares, c);
	} else {
		if (c) {
			c->fails++;
			c->failed_at = clock_now();
		}
		/* Whoever labelled it just now may still be looking at it. */
		if (result == -EBUSY && c && spare_backoff(c->fails) < 60) {
			log_debug("%s", err->text);
		} else {
			alert.kind = ALERT_SPARE_ADD_FAILED;
			alert.detail = err->text;
			alert_tell(daemon, &alert);
		}
	}
	free(a);
	/* What the module has now is to be known before anything more is added. */
	look_again(spares, result >= 0 ? 2 * TICK_USEC : TICK_USEC / 10);
}

static void add_place(struct addition *a, unsigned int major, unsigned int minor)
{
	unsigned int i;
	char *path = a->devices[a->nr];

	if ((!major && !minor) || a->nr == DMR_MAX_MEMBERS + 1)
		return;
	snprintf(path, DEVICE_SIZE, "/dev/block/%u:%u", major, minor);
	/* A spare on the data device itself. */
	for (i = 0; i < a->nr; i++)
		if (!strcmp(a->devices[i], path))
			return;
	a->nr++;
}

static int takes_long(sd_event_source *source, uint64_t usec, void *arg)
{
	struct spares *spares = arg;

	if (spares->adding)
		log_warning("Adding %s to the set %s takes long: it, or a member of the set, does not answer.",
			    spares->adding->path, spares->adding->uuid);
	return 0;
}

static int add(struct daemon *daemon, struct watched_set *set, struct candidate *c)
{
	struct addition *a = calloc(1, sizeof(*a));
	unsigned int i;
	int r;

	if (!a)
		return -ENOMEM;
	snprintf(a->uuid, sizeof(a->uuid), "%s", set->device.uuid);
	snprintf(a->path, sizeof(a->path), "%s", c->path);
	snprintf(a->label, sizeof(a->label), "%s", c->label.uuid);
	a->tier = c->label.tier;
	add_place(a, set->device.data_major, set->device.data_minor);
	for (i = 0; i < set->nr_spares; i++)
		add_place(a, set->spares[i].major, set->spares[i].minor);
	add_place(a, c->major, c->minor);
	r = worker_submit(daemon, WORKER_SPARE, add_fn, a, add_done);
	if (r < 0) {
		free(a);
		return r;
	}
	daemon->spares->adding = a;
	sd_event_source_set_time_relative(daemon->spares->patience, probes_patience_usec);
	sd_event_source_set_enabled(daemon->spares->patience, SD_EVENT_ONESHOT);
	return 0;
}

/* --- Deciding ------------------------------------------------------------- */

static bool full(const struct watched_set *set)
{
	return set->device.slots_used >= set->device.slots;
}

/* A set that is full, or for which there are labels that do not fit, has to be told of. */
static void tell_none(struct daemon *daemon, struct watched_set *set, bool needed)
{
	const struct set_config *config = config_of(daemon->config, set->device.name,
						    set->device.uuid);
	struct spares *spares = daemon->spares;
	bool holds = needed && spares->searched && (spares->nr || full(set));
	char detail[DMREMAP_PATH_SIZE + 256] = "No device carries a label.";
	struct alert alert = { .kind = ALERT_NO_SPARE_FOUND, .name = set->device.name,
			       .uuid = set->device.uuid, .detail = detail };
	struct candidate *c = LIST_FIRST(&spares->candidates);
	const char *why = c ? spare_unfit(c, &set->device, config) : NULL;

	if (!holds)
		alert.detail = NULL;
	else if (c)
		snprintf(detail, sizeof(detail), "%s %s%s", c->path,
			 why ?: "could not be added", spares->nr > 1 ? ", and so on." : ".");
	alert_condition(daemon, &alert, holds);
}

/* The set that has least, of those for which there is a spare now. */
static struct watched_set *most_needy(struct daemon *daemon, struct candidate **choice)
{
	struct spares *spares = daemon->spares;
	struct watched_set *set, *most = NULL;
	uint64_t now = clock_now();
	bool asked = false;
	struct candidate *c;

	LIST_FOREACH(set, &daemon->sets, link) {
		const struct set_config *config = config_of(daemon->config, set->device.name,
							    set->device.uuid);
		bool needed = set->known && !news_awaited(set, now) &&
			      spare_needed(&set->device, set->nr_spares, config);

		if (needed && !asked)
			LIST_FOREACH(c, &spares->candidates, link)
				c->failing = smart_failing(daemon, c->major, c->minor);
		asked |= needed;
		c = needed ? spare_choose(&spares->candidates, &set->device, config, now) : NULL;
		if (!c) {
			tell_none(daemon, set, needed);
			continue;
		}
		if (!most || spare_percent_free(&set->device) <
			     spare_percent_free(&most->device)) {
			most = set;
			*choice = c;
		}
	}
	return most;
}

/* Is there one that is waited for? */
static bool retries(struct spares *spares)
{
	struct candidate *c;
	uint64_t now = clock_now();

	LIST_FOREACH(c, &spares->candidates, link)
		if (spare_waits(c, now))
			return true;
	return false;
}

static void consider(struct daemon *daemon)
{
	struct spares *spares = daemon->spares;
	struct watched_set *set;
	struct candidate *c;

	if (!spares)
		return;
	spares->searched |= probes_settled(daemon->probes);
	if (spares->adding)
		return;
	set = most_needy(daemon, &c);
	if ((set && add(daemon, set, c) < 0) || (!set && retries(spares)))
		look_again(spares, TICK_USEC);
}

static int tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct spares *spares = arg;

	consider(spares->daemon);
	return 0;
}

/* --- Interface ------------------------------------------------------------ */

static void spares_free(struct spares *spares)
{
	while (!LIST_EMPTY(&spares->candidates))
		drop(spares, LIST_FIRST(&spares->candidates));
	sd_event_source_disable_unref(spares->tick);
	sd_event_source_disable_unref(spares->patience);
	sd_device_monitor_unref(spares->monitor);
	probes_free(spares->daemon);
	free(spares);
}

static int watch(struct spares *spares)
{
	sd_event *event = spares->daemon->event;
	int r = sd_event_add_time_relative(event, &spares->tick, CLOCK_MONOTONIC, TICK_USEC,
					   TICK_USEC / 10, tick, spares);

	if (r >= 0)
		r = sd_event_source_set_enabled(spares->tick, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &spares->patience, CLOCK_MONOTONIC, 0,
					       USEC_PER_SEC, takes_long, spares);
	if (r >= 0)
		r = sd_event_source_set_enabled(spares->patience, SD_EVENT_OFF);
	if (r >= 0)
		r = probes_new(spares->daemon, probed);
	if (r >= 0)
		r = sd_device_monitor_new(&spares->monitor);
	if (r >= 0)
		r = sd_device_monitor_filter_add_match_subsystem_devtype(spares->monitor, "block",
									 NULL);
	if (r >= 0)
		r = sd_device_monitor_attach_event(spares->monitor, event);
	if (r >= 0)
		r = sd_device_monitor_start(spares->monitor, device_event, spares);
	/* Now that nothing can be missed. */
	return r < 0 ? r : enumerate(spares);
}

int spares_start(struct daemon *daemon)
{
	struct spares *spares = calloc(1, sizeof(*spares));
	int r;

	if (!spares)
		return -ENOMEM;
	spares->daemon = daemon;
	LIST_INIT(&spares->candidates);
	r = watch(spares);
	if (r < 0) {
		spares_free(spares);
		return r;
	}
	daemon->spares = spares;
	consider(daemon);
	return 0;
}

void spares_set_changed(struct daemon *daemon, struct watched_set *set)
{
	consider(daemon);
}

void spares_set_gone(struct daemon *daemon, struct watched_set *set)
{
	free(set->spare_search);
	set->spare_search = NULL;
}

void spares_reload(struct daemon *daemon)
{
	struct candidate *c;

	if (!daemon->spares)
		return;
	LIST_FOREACH(c, &daemon->spares->candidates, link)
		c->fails = 0;
	consider(daemon);
}

void spares_stop(struct daemon *daemon)
{
	if (daemon->spares)
		spares_free(daemon->spares);
	daemon->spares = NULL;
}
