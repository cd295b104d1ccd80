// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sets in use, as the module tells of them: all are dumped at the start and after
 * events were lost, one after an event that changed it. What is dumped decides which
 * conditions hold, so that an event that was lost is no alert that was lost.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"

#define REFRESH_USEC	(USEC_PER_SEC / 4)
#define RETRY_USEC	(60 * USEC_PER_SEC)
#define DUMP_TRIES	20
#define SETS_MAX	65536
#define MAP_LOW_PERCENT	20	/* as dmremapctl status has it */

struct set_watch {
	sd_event_source *timer;
	bool all, busy;			/* all are to be asked for; a dump is under way */
	unsigned int left;		/* sets that went since the dump under way began */
};

struct dumped_set {
	struct dmremap_nl_device device;
	unsigned int nr_spares;
	struct dmremap_nl_spare spares[DMR_MAX_MEMBERS];
};

/* Of all sets, or of those whose UUIDs are listed. */
struct dump {
	bool all;
	unsigned int nr_uuids;
	char (*uuids)[DMREMAP_UUID_SIZE];
	unsigned int nr, room;
	struct dumped_set *sets;
};

/* --- In the worker -------------------------------------------------------------------- */

static struct dumped_set *dump_add(struct dump *dump)
{
	struct dumped_set *sets;

	if (dump->nr == dump->room) {
		if (dump->room >= SETS_MAX)
			return NULL;
		dump->room = dump->room ? 2 * dump->room : dump->all ? 16 : dump->nr_uuids;
		sets = reallocarray(dump->sets, dump->room, sizeof(*sets));
		if (!sets)
			return NULL;
		dump->sets = sets;
	}
	sets = &dump->sets[dump->nr++];
	sets->nr_spares = 0;
	return sets;
}

static int dump_device(const struct dmremap_nl_device *device, void *arg)
{
	struct dumped_set *set = dump_add(arg);

	if (!set)
		return -ENOMEM;
	set->device = *device;
	return 0;
}

static int dump_spare(const struct dmremap_nl_spare *spare, void *arg)
{
	struct dumped_set *set = arg;

	if (set->nr_spares < DMR_MAX_MEMBERS)
		set->spares[set->nr_spares++] = *spare;
	return 0;
}

static int dump_devices(struct dmremap_nl *nl, struct dump *dump, struct dmremap_error *err)
{
	struct dmremap_nl_device device;
	unsigned int i;
	int ret = 0;

	dump->nr = 0;
	if (dump->all)
		return dmremap_nl_devices(nl, NULL, dump_device, dump, err);
	for (i = 0; i < dump->nr_uuids && ret >= 0; i++) {
		ret = dmremap_nl_device(nl, dump->uuids[i], &device, err);
		if (ret >= 0)
			ret = dump_device(&device, dump);
		else if (ret == -ENODEV)
			ret = 0;	/* gone meanwhile: that event comes */
	}
	return ret;
}

static int dump_spares(struct dmremap_nl *nl, struct dump *dump, struct dmremap_error *err)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < dump->nr && ret >= 0; i++) {
		struct dumped_set *set = &dump->sets[i];

		set->nr_spares = 0;
		ret = dmremap_nl_spares(nl, set->device.uuid, dump_spare, set, err);
		if (ret == -ENODEV) {
			/* Gone between the two. */
			memmove(set, set + 1, (--dump->nr - i--) * sizeof(*set));
			ret = 0;
		}
	}
	return ret;
}

static int dump_job(struct worker *worker, void *arg, struct dmremap_error *err)
{
	struct dump *dump = arg;
	struct dmremap_nl *nl;
	int ret, tries;

	ret = worker_nl(worker, &nl, err);
	if (ret < 0)
		return ret;
	/* Again if it changed while it was told; the last one is good enough then. */
	for (tries = 0; tries < DUMP_TRIES && !worker_stopping(worker); tries++) {
		ret = dump_devices(nl, dump, err);
		if (ret >= 0)
			ret = dump_spares(nl, dump, err);
		if (ret != -EINTR)
			break;
	}
	if (ret == -ENOENT)
		worker_nl_drop(worker);
	return ret;
}

/* --- Conditions --------------------------------------------------------------------------- */

static void device_path(unsigned int major, unsigned int minor, char *buf, size_t size)
{
	char link[64], target[256];
	FILE *file;
	ssize_t n;

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u/dm/name", major, minor);
	file = fopen(link, "re");
	if (file) {
		if (fscanf(file, "%200s", target) == 1)
			snprintf(buf, size, "/dev/mapper/%s", target);
		fclose(file);
		return;
	}
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major, minor);
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0) {
		snprintf(buf, size, "%u:%u", major, minor);
		return;
	}
	target[n] = '\0';
	snprintf(buf, size, "/dev/%s", strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
}

void set_spare_name(const struct watched_set *set, int member, char *buf, size_t size)
{
	unsigned int i;

	snprintf(buf, size, "%d", member);
	for (i = 0; i < set->nr_spares; i++) {
		const struct dmremap_nl_spare *spare = &set->spares[i];

		if ((int)spare->member != member)
			continue;
		if (spare->major || spare->minor)
			device_path(spare->major, spare->minor, buf, size);
		else
			snprintf(buf, size, "%s", spare->uuid);
	}
}

static void spare_conditions(struct daemon *daemon, struct watched_set *set,
			     const struct alert *base)
{
	const char *uuids[DMR_MAX_MEMBERS];
	char path[DMREMAP_PATH_SIZE];
	struct alert alert = *base;
	unsigned int i;

	alert.kind = ALERT_SPARE_FAILED;
	for (i = 0; i < set->nr_spares; i++) {
		const struct dmremap_nl_spare *spare = &set->spares[i];

		set_spare_name(set, spare->member, path, sizeof(path));
		uuids[i] = alert.subject = spare->uuid;
		alert.spare = path;
		alert.count = spare->used;
		alert.reason = spare->state == DMR_NL_MEMBER_STATE_MISSING ? "missing" : "failed";
		alert_condition(daemon, &alert, spare->state == DMR_NL_MEMBER_STATE_OUT ||
				spare->state == DMR_NL_MEMBER_STATE_MISSING);
	}
	alert_only(daemon, ALERT_SPARE_FAILED, set->device.uuid, uuids, set->nr_spares);
}

/* Of @size, @used are; below @percent free ones that is told as @low, without any as @full. */
static void room_conditions(struct daemon *daemon, const struct alert *base, uint64_t size,
			    uint64_t used, unsigned int percent, enum alert_kind low,
			    enum alert_kind full)
{
	uint64_t left = size > used ? size - used : 0;
	struct alert alert = *base;

	alert.count = left;
	alert.kind = full;
	alert_condition(daemon, &alert, !left);
	/* Full is low too, but told once; low begins or goes on when it is not full. */
	alert.kind = low;
	if (left)
		alert_condition(daemon, &alert, left * 100 < size * percent);
}

void set_conditions(struct daemon *daemon, struct watched_set *set)
{
	const struct dmremap_nl_device *device = &set->device;
	struct alert base = { .name = device->name, .uuid = device->uuid }, alert = base;

	if (!set->known)
		return;
	room_conditions(daemon, &base, device->slots, device->slots_used,
			policy_spare_low(daemon, set), ALERT_SPARE_LOW, ALERT_SPARE_FULL);
	room_conditions(daemon, &base, device->records, device->records_used, MAP_LOW_PERCENT,
			ALERT_MAP_LOW, ALERT_MAP_FULL);

	alert.kind = ALERT_BREAKER_OPEN;
	alert.reason = device->breaker == DMR_NL_BREAKER_OPEN_WRITES ? "writes" : "all";
	if (device->breaker == DMR_NL_BREAKER_OPEN_WRITES)
		alert.detail = "Only writes are affected, as far as is known.";
	alert_condition(daemon, &alert, device->breaker != DMR_NL_BREAKER_CLOSED);

	alert = base;
	alert.kind = ALERT_FROZEN;
	alert_condition(daemon, &alert, device->mode == DMR_NL_MODE_FROZEN);
	/* A device that is gone keeps no copy either: that is told once, by the breaker. */
	alert.kind = ALERT_HEADER_OUT;
	if (device->breaker == DMR_NL_BREAKER_CLOSED)
		alert_condition(daemon, &alert, device->header_out);
	alert.kind = ALERT_SECTORS_LOST;
	alert.count = device->lost;
	alert_condition(daemon, &alert, device->lost > 0);
	spare_conditions(daemon, set, &base);
}

/* --- In the loop ----------------------------------------------------------------------------- */

/* Ask in so long, or when it was to be done anyway if that is sooner. */
static void schedule(struct daemon *daemon, uint64_t usec)
{
	sd_event_source *timer = daemon->watch->timer;
	uint64_t now, due;

	if (daemon->watch->busy)
		return;
	if (sd_event_source_get_enabled(timer, NULL) > 0 &&
	    sd_event_source_get_time(timer, &due) >= 0 &&
	    sd_event_now(daemon->event, CLOCK_MONOTONIC, &now) >= 0 && due <= now + usec)
		return;
	sd_event_source_set_time_relative(timer, usec);
	sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

struct watched_set *set_find(struct daemon *daemon, const char *uuid)
{
	struct watched_set *set;

	LIST_FOREACH(set, &daemon->sets, link)
		if (!strcmp(set->device.uuid, uuid))
			return set;
	return NULL;
}

static struct watched_set *set_new(struct daemon *daemon)
{
	struct watched_set *set = calloc(1, sizeof(*set));

	if (set)
		LIST_INSERT_HEAD(&daemon->sets, set, link);
	return set;
}

/* What belonged to one activation of it. */
static void end_session(struct daemon *daemon, struct watched_set *set)
{
	rules_set_gone(daemon, set);
	policy_set_gone(daemon, set);
	scrub_set_gone(daemon, set);
}

void set_forget(struct daemon *daemon, struct watched_set *set)
{
	end_session(daemon, set);
	spares_set_gone(daemon, set);
	alert_set_gone(daemon, set->device.uuid);
	LIST_REMOVE(set, link);
	free(set);
	daemon->watch->left++;
	smart_members_changed(daemon);
	daemon_status(daemon);
}

static bool same_members(const struct watched_set *set, const struct dumped_set *dumped)
{
	unsigned int i;

	if (!set->known || set->nr_spares != dumped->nr_spares ||
	    set->device.data_major != dumped->device.data_major ||
	    set->device.data_minor != dumped->device.data_minor)
		return false;
	for (i = 0; i < set->nr_spares; i++)
		if (set->spares[i].major != dumped->spares[i].major ||
		    set->spares[i].minor != dumped->spares[i].minor)
			return false;
	return true;
}

static void take(struct daemon *daemon, struct watched_set *set,
		 const struct dumped_set *dumped)
{
	bool members = !same_members(set, dumped), first = !set->known;
	enum dmremap_scrub_state scrub = set->device.scrub.state;

	if (set->device.session && set->device.session != dumped->device.session) {
		end_session(daemon, set);
		set->seq = 0;
		first = true;
	}
	set->device = dumped->device;
	set->nr_spares = dumped->nr_spares;
	memcpy(set->spares, dumped->spares, sizeof(set->spares));
	set->seen = set->known = true;
	/* Events that are younger than the dump have been seen: it is not the latest. */
	if (set->seq > dumped->device.event_seq)
		set->stale = true;
	else
		set->seq = dumped->device.event_seq;

	set_conditions(daemon, set);
	policy_update(daemon, set);
	if (first)
		scrub_set_known(daemon, set);
	else if (set->device.scrub.state != scrub)
		scrub_changed(daemon, set);
	spares_set_changed(daemon, set);
	if (members)
		smart_members_changed(daemon);
}

static void take_all(struct daemon *daemon, struct dump *dump)
{
	struct watched_set *set, *next;
	unsigned int i;

	LIST_FOREACH(set, &daemon->sets, link)
		set->seen = false;
	for (i = 0; i < dump->nr; i++) {
		set = set_find(daemon, dump->sets[i].device.uuid);
		/* A set that went while one was dumped is not brought back by that. */
		if (!set && dump->all && !daemon->watch->left)
			set = set_new(daemon);
		if (set)
			take(daemon, set, &dump->sets[i]);
	}
	for (set = LIST_FIRST(&daemon->sets); set; set = next) {
		next = LIST_NEXT(set, link);
		/* One that sent its first event meanwhile is not known yet, but there. */
		if (dump->all && !set->seen && set->known)
			set_forget(daemon, set);
	}
}

static void dump_free(struct dump *dump)
{
	free(dump->uuids);
	free(dump->sets);
	free(dump);
}

static void dump_done(struct daemon *daemon, void *arg, int result,
		      const struct dmremap_error *err)
{
	struct dump *dump = arg;
	struct watched_set *set;
	unsigned int left;

	if (!daemon->watch) {
		dump_free(dump);
		return;
	}
	daemon->watch->busy = false;
	left = daemon->watch->left;
	if (result >= 0 || result == -EINTR) {
		take_all(daemon, dump);
		if (dump->all && left)
			daemon->watch->all = true;
	} else if (result == -ENOENT) {
		/* No module, no sets. */
		while ((set = LIST_FIRST(&daemon->sets)))
			set_forget(daemon, set);
	} else if (result != -ECANCELED) {
		log_error("Can not ask the module for its sets: %s", err->text);
		daemon->watch->all = true;
	}
	dump_free(dump);
	daemon_status(daemon);
	/* A module that came back meanwhile has been heard of. */
	if (result == -ECANCELED || (result == -ENOENT && !daemon->watch->all))
		return;
	LIST_FOREACH(set, &daemon->sets, link)
		if (set->stale || daemon->watch->all)
			break;
	if (set || daemon->watch->all)
		schedule(daemon, result >= 0 || result == -ENOENT ? REFRESH_USEC : RETRY_USEC);
}

/* The UUIDs of all sets that are to be asked for. */
static int list_stale(struct daemon *daemon, struct dump *dump)
{
	struct watched_set *set;
	unsigned int nr = 0;

	LIST_FOREACH(set, &daemon->sets, link)
		nr += set->stale;
	if (!nr || dump->all)
		return 0;
	dump->uuids = calloc(nr, sizeof(*dump->uuids));
	if (!dump->uuids)
		return -ENOMEM;
	LIST_FOREACH(set, &daemon->sets, link)
		if (set->stale)
			memcpy(dump->uuids[dump->nr_uuids++], set->device.uuid,
			       DMREMAP_UUID_SIZE);
	return 0;
}

static void submit(struct daemon *daemon)
{
	struct set_watch *watch = daemon->watch;
	struct dump *dump = calloc(1, sizeof(*dump));
	struct watched_set *set;

	if (watch->busy || !dump) {
		free(dump);
		return;
	}
	dump->all = watch->all;
	if (list_stale(daemon, dump) < 0) {
		dump_free(dump);
		schedule(daemon, RETRY_USEC);
		return;
	}
	if (!dump->all && !dump->nr_uuids) {
		dump_free(dump);
		return;
	}
	if (worker_submit(daemon, WORKER_QUERY, dump_job, dump, dump_done) < 0) {
		dump_free(dump);
		schedule(daemon, RETRY_USEC);
		return;
	}
	watch->busy = true;
	watch->all = false;
	watch->left = 0;
	LIST_FOREACH(set, &daemon->sets, link)
		set->stale = false;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	submit(arg);
	return 0;
}

void sets_resync(struct daemon *daemon, const char *why)
{
	log_debug("All sets are asked for: %s.", why);
	daemon->watch->all = true;
	submit(daemon);
}

void set_refresh(struct daemon *daemon, struct watched_set *set)
{
	if (set->stale)
		return;
	set->stale = true;
	/* One that is not known at all is waited for. */
	schedule(daemon, set->known ? REFRESH_USEC : 0);
}

struct watched_set *set_learn(struct daemon *daemon, const struct dmremap_event *event)
{
	struct watched_set *set = set_find(daemon, event->uuid);

	if (!set) {
		set = set_new(daemon);
		if (!set)
			return NULL;
		memcpy(set->device.uuid, event->uuid, sizeof(set->device.uuid));
	} else if (set->device.session == event->session) {
		return set;
	} else {
		end_session(daemon, set);
	}
	memcpy(set->device.name, event->name, sizeof(set->device.name));
	set->device.session = event->session;
	set->device.major = event->major;
	set->device.minor = event->minor;
	set->seq = 0;
	set->known = false;
	set_refresh(daemon, set);
	return set;
}

int sets_start(struct daemon *daemon)
{
	struct set_watch *watch = calloc(1, sizeof(*watch));
	int ret;

	if (!watch)
		return -ENOMEM;
	LIST_INIT(&daemon->sets);
	ret = sd_event_add_time_relative(daemon->event, &watch->timer, CLOCK_MONOTONIC, 0,
					 USEC_PER_SEC / 10, on_timer, daemon);
	if (ret < 0) {
		free(watch);
		return ret;
	}
	sd_event_source_set_enabled(watch->timer, SD_EVENT_OFF);
	daemon->watch = watch;
	return 0;
}

void sets_stop(struct daemon *daemon)
{
	struct watched_set *set;

	if (!daemon->watch)
		return;
	while ((set = LIST_FIRST(&daemon->sets))) {
		end_session(daemon, set);
		spares_set_gone(daemon, set);
		LIST_REMOVE(set, link);
		free(set);
	}
	sd_event_source_disable_unref(daemon->watch->timer);
	free(daemon->watch);
	daemon->watch = NULL;
}
