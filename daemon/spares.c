/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Labelled spares: found at the start and by udev's events, and added to a set that has
 * fallen to its threshold. One decision at a time, so that no two sets want the same one.
 *
 * Devices are opened for reading only, by the lane `probe`. The lane `spare` opens for
 * writing the one that was chosen, exclusively, if it still carries the label by which it
 * was chosen (lib/spare.c).
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <systemd/sd-device.h>

#include "spares.h"

#define MAX_CANDIDATES	256
#define MAX_WAITING	8192		/* devices to be looked at */
#define TICK_USEC	USEC_PER_SEC
#define NEWS_NS		(20 * NSEC_PER_SEC)	/* so long a set is waited for to tell of it */

/* A spare was added, and what is known of the set may be older. */
struct set_spares {
	unsigned int nr_before;
	uint64_t until;
};

struct place {
	char path[DMREMAP_PATH_SIZE];
	unsigned int major, minor;
	int labelled;			/* out: as dmremap_label_read() */
	struct dmremap_label label;
};

struct probe {
	size_t nr;
	struct place places[];
};

struct spares {
	struct daemon *daemon;
	sd_device_monitor *monitor;
	sd_event_source *tick;
	struct candidates candidates;
	unsigned int nr;
	struct place *waiting;		/* to be looked at */
	size_t nr_waiting, room;
	bool probing, adding, searched;	/* searched: all that was there has been looked at */
};

/* A spare on its way into a set. */
struct addition {
	char uuid[DMREMAP_UUID_SIZE], path[DMREMAP_PATH_SIZE], label[DMREMAP_UUID_SIZE];
	uint32_t tier;
};

static void consider(struct daemon *daemon);

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

static int probe_fn(struct worker *worker, void *arg, struct dmremap_error *err)
{
	struct probe *probe = arg;
	size_t i;

	for (i = 0; i < probe->nr; i++) {
		if (worker_stopping(worker))
			return -ECANCELED;
		probe->places[i].labelled = dmremap_label_read(probe->places[i].path,
							       &probe->places[i].label, NULL);
	}
	return 0;
}

static void probe_next(struct daemon *daemon);

static void probe_done(struct daemon *daemon, void *arg, int result,
		       const struct dmremap_error *err)
{
	struct spares *spares = daemon->spares;
	struct probe *probe = arg;
	size_t i;

	if (spares) {
		spares->probing = false;
		for (i = 0; i < probe->nr && result >= 0; i++)
			take_probed(spares, &probe->places[i]);
	}
	free(probe);
	if (!spares || result == -ECANCELED)
		return;
	spares->searched = true;
	probe_next(daemon);
	consider(daemon);
}

static void probe_next(struct daemon *daemon)
{
	struct spares *spares = daemon->spares;
	struct probe *probe;

	if (spares->probing || !spares->nr_waiting)
		return;
	probe = malloc(sizeof(*probe) + spares->nr_waiting * sizeof(probe->places[0]));
	if (!probe)
		return;
	probe->nr = spares->nr_waiting;
	memcpy(probe->places, spares->waiting, probe->nr * sizeof(probe->places[0]));
	if (worker_submit(daemon, WORKER_PROBE, probe_fn, probe, probe_done) < 0) {
		free(probe);
		look_again(spares, TICK_USEC);
		return;
	}
	spares->probing = true;
	spares->nr_waiting = 0;
	free(spares->waiting);
	spares->waiting = NULL;
	spares->room = 0;
}

static void want_probe(struct spares *spares, const struct place *p)
{
	size_t i;

	for (i = 0; i < spares->nr_waiting; i++)
		if (!strcmp(spares->waiting[i].path, p->path))
			return;
	if (spares->nr_waiting == spares->room) {
		size_t room = spares->room ? 2 * spares->room : 16;
		struct place *more = room > MAX_WAITING ? NULL :
				     reallocarray(spares->waiting, room, sizeof(*more));

		if (!more)
			return;
		spares->waiting = more;
		spares->room = room;
	}
	spares->waiting[spares->nr_waiting++] = *p;
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
		if (is_free(device) && !is_member(spares->daemon, p.major, p.minor)) {
			want_probe(spares, &p);
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
	probe_next(spares->daemon);
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
	struct dmremap_scan *scan = NULL;
	int r = dmremap_scan_new(0, NULL, &scan, err);

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
		*set->spare_search = (struct set_spares){ set->nr_spares,
							  clock_now() + NEWS_NS };
	set_refresh(daemon, set);
}

static bool news_awaited(const struct watched_set *set, uint64_t now)
{
	const struct set_spares *s = set->spare_search;

	return s && now < s->until && set->nr_spares <= s->nr_before;
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
	spares->adding = false;
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
			c->retry_at = clock_now() + spare_backoff(c->fails) * NSEC_PER_SEC;
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

static int add(struct daemon *daemon, struct watched_set *set, struct candidate *c)
{
	struct addition *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	snprintf(a->uuid, sizeof(a->uuid), "%s", set->device.uuid);
	snprintf(a->path, sizeof(a->path), "%s", c->path);
	snprintf(a->label, sizeof(a->label), "%s", c->label.uuid);
	a->tier = c->label.tier;
	r = worker_submit(daemon, WORKER_SPARE, add_fn, a, add_done);
	if (r < 0) {
		free(a);
		return r;
	}
	daemon->spares->adding = true;
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
		if (c->retry_at > now)
			return true;
	return false;
}

static void consider(struct daemon *daemon)
{
	struct spares *spares = daemon->spares;
	struct watched_set *set;
	struct candidate *c;

	if (!spares || spares->adding)
		return;
	set = most_needy(daemon, &c);
	if ((set && add(daemon, set, c) < 0) || (!set && retries(spares)))
		look_again(spares, TICK_USEC);
}

static int tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct spares *spares = arg;

	probe_next(spares->daemon);
	consider(spares->daemon);
	return 0;
}

/* --- Interface ------------------------------------------------------------ */

static void spares_free(struct spares *spares)
{
	while (!LIST_EMPTY(&spares->candidates))
		drop(spares, LIST_FIRST(&spares->candidates));
	sd_event_source_disable_unref(spares->tick);
	sd_device_monitor_unref(spares->monitor);
	free(spares->waiting);
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
	probe_next(daemon);
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
		c->retry_at = c->fails = 0;
	consider(daemon);
}

void spares_stop(struct daemon *daemon)
{
	if (daemon->spares)
		spares_free(daemon->spares);
	daemon->spares = NULL;
}
