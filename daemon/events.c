// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Listening to the module. Each event goes to the history, changes what is known of its
 * set, and is shown to whoever acts on it. However many there are, a turn of the loop
 * takes a bounded number, and a gap in their numbers makes the sets be asked again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"

#define EVENTS_A_TURN	64
#define RETRY_USEC	(60 * USEC_PER_SEC)
#define TELL_LOST_NSEC	(60 * NSEC_PER_SEC)

struct listener {
	struct family_watch *family;
	struct dmremap_monitor *monitor;
	sd_event_source *source, *more, *timer;
	bool told_absent;
	uint64_t lost_told;		/* clock_now() */
	uint64_t lost;
	struct dmremap_event event;
};

/* --- One event ---------------------------------------------------------------------------- */

static void tell_lost(struct daemon *daemon, const char *name, const char *uuid, uint64_t nr)
{
	struct listener *listener = daemon->listener;
	uint64_t now = clock_now();

	listener->lost += nr;
	if (listener->lost_told && now - listener->lost_told < TELL_LOST_NSEC)
		return;
	alert_tell(daemon, &(struct alert){ .kind = ALERT_EVENTS_LOST, .name = name,
					    .uuid = uuid, .count = listener->lost });
	listener->lost_told = now;
	listener->lost = 0;
}

static void check_sequence(struct daemon *daemon, struct watched_set *set,
			   const struct dmremap_event *event)
{
	/* The first one of a set that is not known says nothing about those before. */
	if (set->seq && event->seq > set->seq + 1) {
		tell_lost(daemon, set->device.name, set->device.uuid,
			  event->seq - set->seq - 1);
		set_refresh(daemon, set);
	}
	if (event->seq > set->seq)
		set->seq = event->seq;
	/* The module had no room for some: what they would have told is asked for. */
	if (event->dropped > set->device.event_dropped) {
		if (set->known)
			tell_lost(daemon, set->device.name, set->device.uuid,
				  event->dropped - set->device.event_dropped);
		set->device.event_dropped = event->dropped;
		set_refresh(daemon, set);
	}
}

static void take_state(struct watched_set *set, const struct dmremap_event *event)
{
	if (event->has_slots) {
		set->device.slots_used = event->slots_used;
		set->device.slots = event->slots;
	}
	if (event->breaker >= 0)
		set->device.breaker = event->breaker;
	switch (event->kind) {
	case DMR_NL_EVENT_BREAKER_CLOSED:
		set->device.breaker = DMR_NL_BREAKER_CLOSED;
		break;
	case DMR_NL_EVENT_BREAKER_OPEN:
		if (set->device.breaker == DMR_NL_BREAKER_CLOSED)
			set->device.breaker = DMR_NL_BREAKER_OPEN;
		break;
	case DMR_NL_EVENT_FROZEN:
		set->device.mode = DMR_NL_MODE_FROZEN;
		break;
	case DMR_NL_EVENT_SPARE_FULL:
		/* Also if a slot was freed since: it was full, and the dump tells the rest. */
		set->device.slots_used = set->device.slots;
		break;
	}
}

/* Does it leave numbers behind that only a dump tells? */
static bool wants_refresh(const struct dmremap_event *event)
{
	switch (event->kind) {
	case DMR_NL_EVENT_READ_ERROR:
	case DMR_NL_EVENT_WRITE_ERROR:
	case DMR_NL_EVENT_SLOW:
	case DMR_NL_EVENT_POLICY:
	case DMR_NL_EVENT_SCRUB:
	case DMR_NL_EVENT_RELOCATE_FAILED:
		return false;
	default:
		return true;
	}
}

static void tell_member(struct daemon *daemon, struct watched_set *set,
			const struct dmremap_event *event, enum alert_kind kind)
{
	char path[DMREMAP_PATH_SIZE];

	set_spare_name(set, event->member, path, sizeof(path));
	alert_tell(daemon, &(struct alert){
		.kind = kind, .name = set->device.name, .uuid = set->device.uuid,
		.subject = event->spare_uuid,
		.spare = strncmp(path, "/dev/", 5) && *event->spare_uuid ?
			 event->spare_uuid : path });
}

static void handle(struct daemon *daemon, const struct dmremap_event *event)
{
	struct watched_set *set = set_find(daemon, event->uuid);

	record_event(daemon, event);
	if (event->kind == DMR_NL_EVENT_DEACTIVATED) {
		/* A set may be in use again by the time that its old end is read. */
		if (set && (!set->device.session || set->device.session == event->session)) {
			log_info("Set %s is not in use any more.", event->name);
			set_forget(daemon, set);
		}
		return;
	}
	if (!set || set->device.session != event->session) {
		set = set_learn(daemon, event);
		if (!set)
			return;
	}
	if (event->kind == DMR_NL_EVENT_ACTIVATED)
		log_info("Set %s is in use.", event->name);
	check_sequence(daemon, set, event);
	if (event->kind == DMR_NL_EVENT_SPARE_JOINED)
		tell_member(daemon, set, event, ALERT_SPARE_JOINED);
	else if (event->kind == DMR_NL_EVENT_SPARE_LEFT)
		tell_member(daemon, set, event, ALERT_SPARE_LEFT);
	else if (event->kind == DMR_NL_EVENT_POLICY)
		policy_event(daemon, set, event);
	else if (event->kind == DMR_NL_EVENT_SCRUB)
		scrub_event(daemon, set, event);
	if (set->known) {
		take_state(set, event);
		set_conditions(daemon, set);
		rules_event(daemon, set, event);
		if (event->has_slots)
			spares_set_changed(daemon, set);
	}
	if (wants_refresh(event) || !set->known)
		set_refresh(daemon, set);
}

/* --- The socket ------------------------------------------------------------------------------ */

static void close_monitor(struct listener *listener)
{
	listener->source = sd_event_source_disable_unref(listener->source);
	dmremap_monitor_free(listener->monitor);
	listener->monitor = NULL;
}

static void try_later(struct daemon *daemon)
{
	struct listener *listener = daemon->listener;

	sd_event_source_set_time_relative(listener->timer, RETRY_USEC);
	sd_event_source_set_enabled(listener->timer, SD_EVENT_ONESHOT);
}

static void try_open(struct daemon *daemon);

static void on_family(struct daemon *daemon, bool there)
{
	struct listener *listener = daemon->listener;

	if (there) {
		try_open(daemon);
		return;
	}
	/* Told twice: by the end of our group, and by the family's. */
	if (!listener->monitor)
		return;
	close_monitor(listener);
	if (!listener->family)
		try_later(daemon);
	log_notice("The module dm_remap was unloaded; it is waited for.");
	listener->told_absent = true;
	sets_resync(daemon, "the module was unloaded");
}

static int take_events(struct daemon *daemon)
{
	struct listener *listener = daemon->listener;
	struct dmremap_error err = { "" };
	unsigned int i;
	int ret = 1;

	for (i = 0; i < EVENTS_A_TURN && ret > 0; i++) {
		ret = dmremap_monitor_next(listener->monitor, &listener->event, &err);
		if (ret > 0)
			handle(daemon, &listener->event);
	}
	if (ret > 0) {
		/* The library may have read ahead: the descriptor alone does not tell. */
		sd_event_source_set_enabled(listener->more, SD_EVENT_ONESHOT);
	} else if (ret == -ENOBUFS) {
		tell_lost(daemon, NULL, NULL, 0);
		sets_resync(daemon, "events were lost");
	} else if (ret == -ENOENT) {
		on_family(daemon, false);
	} else if (ret < 0 && ret != -EAGAIN && ret != -EINTR) {
		log_warning("Events of the module can not be read: %s", err.text);
		close_monitor(listener);
		try_later(daemon);
	}
	return 0;
}

static int on_events(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	return take_events(arg);
}

static int on_more(sd_event_source *source, void *arg)
{
	struct daemon *daemon = arg;

	return daemon->listener->monitor ? take_events(daemon) : 0;
}

static void try_open(struct daemon *daemon)
{
	struct listener *listener = daemon->listener;
	struct dmremap_error err;
	int ret;

	close_monitor(listener);
	sd_event_source_set_enabled(listener->timer, SD_EVENT_OFF);
	ret = dmremap_monitor_open(&listener->monitor, &err);
	if (!ret)
		ret = sd_event_add_io(daemon->event, &listener->source,
				      dmremap_monitor_fd(listener->monitor), EPOLLIN, on_events,
				      daemon);
	if (!ret) {
		if (listener->told_absent)
			log_notice("The module is there.");
		listener->told_absent = false;
		/* After listening began, so that nothing falls between the two. */
		sets_resync(daemon, "listening began");
		return;
	}
	close_monitor(listener);
	if (ret == -ENOENT && !listener->told_absent)
		log_notice("The module dm_remap is not loaded; it is waited for.");
	else if (ret != -ENOENT)
		log_error("Can not listen to the module: %s", err.text);
	listener->told_absent |= ret == -ENOENT;
	if (ret != -ENOENT || !listener->family)
		try_later(daemon);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	try_open(arg);
	return 0;
}

int events_start(struct daemon *daemon)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int ret;

	if (!listener)
		return -ENOMEM;
	ret = sd_event_add_time_relative(daemon->event, &listener->timer, CLOCK_MONOTONIC, 0,
					 RETRY_USEC / 4, on_timer, daemon);
	if (ret >= 0)
		ret = sd_event_add_defer(daemon->event, &listener->more, on_more, daemon);
	if (ret < 0) {
		sd_event_source_disable_unref(listener->timer);
		free(listener);
		return ret;
	}
	sd_event_source_set_enabled(listener->more, SD_EVENT_OFF);
	daemon->listener = listener;
	ret = family_watch_open(daemon, on_family, &listener->family);
	if (ret < 0)
		log_warning("Generic netlink does not tell when the module comes or goes: %s. It is looked for every minute.",
			    strerror(-ret));
	try_open(daemon);
	return 0;
}

void events_stop(struct daemon *daemon)
{
	struct listener *listener = daemon->listener;

	if (!listener)
		return;
	close_monitor(listener);
	family_watch_free(listener->family);
	sd_event_source_disable_unref(listener->timer);
	sd_event_source_disable_unref(listener->more);
	free(listener);
	daemon->listener = NULL;
}
