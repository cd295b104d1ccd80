// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What each alert says, how grave it is, and what to do. The long form of the same is the
 * catalog, packaging/catalog/dm-remap.catalog.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "alert.h"
#include "messages.h"

#define IDS(kind)	.message_id = DMREMAP_MESSAGE_##kind
#define BOTH_IDS(kind)	IDS(kind), .end_id = DMREMAP_MESSAGE_##kind##_END

const struct alert_text alert_texts[NR_ALERTS] = {
	[ALERT_SPARE_LOW] = {
		"spare-low", LOG_WARNING, BOTH_IDS(SPARE_LOW),
		.message = "Set %d is running out of spare blocks: %n left.",
		.end = "Set %d has enough spare blocks again.",
		.action = "dmremapctl spare add %d DEVICE",
		.counts = true,
	},
	[ALERT_SPARE_FULL] = {
		"spare-full", LOG_CRIT, BOTH_IDS(SPARE_FULL),
		.message = "Set %d has no spare block left: what fails from now on is an I/O error.",
		.end = "Set %d has spare blocks again.",
		.action = "dmremapctl spare add %d DEVICE",
	},
	[ALERT_SPARE_FAILED] = {
		"spare-failed", LOG_CRIT, BOTH_IDS(SPARE_FAILED),
		.message = "Spare %s of set %d has failed or is missing.",
		.end = "Spare %s of set %d is in order, or no member any more.",
		.action = "dmremapctl status %d",
		.counts = true,
	},
	[ALERT_MAP_LOW] = {
		"map-low", LOG_WARNING, BOTH_IDS(MAP_LOW),
		.message = "The map of set %d is running full: it has room for %n more {block|blocks}.",
		.end = "The map of set %d has enough room again.",
		.action = "dmremapctl map list %d --unreadable",
		.counts = true,
	},
	[ALERT_MAP_FULL] = {
		"map-full", LOG_CRIT, BOTH_IDS(MAP_FULL),
		.message = "The map of set %d is full: what fails from now on is an I/O error.",
		.end = "The map of set %d has room again.",
		.action = "dmremapctl map list %d --unreadable",
	},
	[ALERT_HEADER_OUT] = {
		"header-out", LOG_WARNING, BOTH_IDS(HEADER_OUT),
		.message = "The copy of the map on the data device of set %d is not kept up any more; the spares hold the others.",
		.end = "The copy of the map on the data device of set %d is kept up again.",
		.action = "dmremapctl metadata backup %d FILE",
	},
	[ALERT_BREAKER_OPEN] = {
		"breaker-open", LOG_CRIT, BOTH_IDS(BREAKER_OPEN),
		.message = "The data device of set %d fails all I/O, as if it were unplugged. Errors are passed up and no spare block is used.",
		.end = "The data device of set %d works again.",
		.action = "dmremapctl status %d",
	},
	[ALERT_FROZEN] = {
		"frozen", LOG_CRIT, BOTH_IDS(FROZEN),
		.message = "The map of set %d can not be written any more: what fails from now on is an I/O error.",
		.end = "The map of set %d can be written again.",
		.action = "dmremapctl doctor %d",
	},
	[ALERT_SECTORS_LOST] = {
		"sectors-lost", LOG_ERR, BOTH_IDS(SECTORS_LOST),
		.message = "Set %d has %n{block|blocks} with sectors that can not be read any more.",
		.end = "Set %d has no unreadable sectors any more.",
		.action = "dmremapctl map list %d --unreadable",
		.counts = true,
	},
	[ALERT_DISK_FAILING] = {
		"disk-failing", LOG_CRIT, BOTH_IDS(DISK_FAILING),
		.message = "The disk %k says of itself that it is failing.",
		.end = "The disk %k does not say any more that it is failing, or is gone.",
		.action = "smartctl -x %k",
	},
	[ALERT_BUDGET_USED] = {
		"budget-used", LOG_WARNING, BOTH_IDS(BUDGET_USED),
		.message = "Set %d has moved as many blocks in advance as it may within a day.",
		.end = "Set %d may move blocks in advance again.",
		.action = "dmremapctl status %d",
		.counts = true,
	},
	[ALERT_RESERVE_REACHED] = {
		"reserve-reached", LOG_WARNING, BOTH_IDS(RESERVE_REACHED),
		.message = "Set %d moves nothing in advance any more, since what spare blocks are left is kept for failures.",
		.end = "Set %d has enough spare blocks to move blocks in advance again.",
		.action = "dmremapctl spare add %d DEVICE",
		.counts = true,
	},
	[ALERT_NO_SPARE_FOUND] = {
		"no-spare-found", LOG_WARNING, BOTH_IDS(NO_SPARE_FOUND),
		.message = "Set %d needs a spare, and no labelled device fits.",
		.end = "Set %d needs no further spare now.",
		.action = "dmremapctl spare label DEVICE",
	},
	[ALERT_SPARE_ADDED] = {
		"spare-added", LOG_NOTICE, IDS(SPARE_ADDED),
		.message = "The labelled spare %s was added to set %d.",
	},
	[ALERT_SPARE_ADD_FAILED] = {
		"spare-add-failed", LOG_ERR, IDS(SPARE_ADD_FAILED),
		.message = "The labelled spare %s could not be added to set %d.",
		.action = "dmremapctl spare add %d %s",
	},
	[ALERT_MOVED_AHEAD] = {
		"moved-ahead", LOG_NOTICE, IDS(MOVED_AHEAD),
		.message = "%n{block|blocks} of set %d moved to a spare while still readable.",
		.counts = true,
	},
	[ALERT_MOVE_FAILED] = {
		"move-failed", LOG_WARNING, IDS(MOVE_FAILED),
		.message = "Blocks of set %d could not be moved in advance.",
		.action = "dmremapctl status %d",
	},
	[ALERT_POLICY_SENT] = {
		"policy-sent", LOG_INFO, IDS(POLICY_SENT),
		.message = "Set %d has a new policy, of version %n.",
		.no_hooks = true,
	},
	[ALERT_POLICY_REFUSED] = {
		"policy-refused", LOG_ERR, IDS(POLICY_REFUSED),
		.message = "The policy of set %d was refused; what was in force goes on.",
		.action = "dmremapd --print-config",
	},
	[ALERT_POLICY_FOREIGN] = {
		"policy-foreign", LOG_NOTICE, IDS(POLICY_FOREIGN),
		.message = "The policy of set %d, version %n, was set by hand. It is left as it is until the configuration is reloaded.",
		.action = "systemctl reload dmremapd",
	},
	[ALERT_POLICY_EXPIRED] = {
		"policy-expired", LOG_WARNING, IDS(POLICY_EXPIRED),
		.message = "The policy of set %d was not renewed in time; its risky settings are back at their defaults.",
	},
	[ALERT_SCRUB_STARTED] = {
		"scrub-started", LOG_INFO, IDS(SCRUB_STARTED),
		.message = "Set %d is being read through, to find what is bad.",
		.no_hooks = true,
	},
	[ALERT_SCRUB_DONE] = {
		"scrub-done", LOG_NOTICE, IDS(SCRUB_DONE),
		.message = "Set %d was read through.",
	},
	[ALERT_SPARE_JOINED] = {
		"spare-joined", LOG_NOTICE, IDS(SPARE_JOINED),
		.message = "Spare %s is a member of set %d now.",
	},
	[ALERT_SPARE_LEFT] = {
		"spare-left", LOG_NOTICE, IDS(SPARE_LEFT),
		.message = "Spare %s was emptied and is no member of set %d any more.",
	},
	[ALERT_EVENTS_LOST] = {
		"events-lost", LOG_NOTICE, IDS(EVENTS_LOST),
		.message = "Events of the module came faster than they could be read. The state of all sets was asked for again.",
		.no_hooks = true,
	},
	[ALERT_HISTORY_DAMAGED] = {
		"history-damaged", LOG_ERR, IDS(HISTORY_DAMAGED),
		.message = "The history begins anew.",
	},
	[ALERT_HOOK_FAILED] = {
		"hook-failed", LOG_WARNING, IDS(HOOK_FAILED),
		.message = "A hook failed.",
		.no_hooks = true,
	},
};

static void put(char *buf, size_t size, size_t *used, const char *text, size_t length)
{
	if (*used + 1 >= size)
		return;
	if (length > size - *used - 1)
		length = size - *used - 1;
	memcpy(buf + *used, text, length);
	*used += length;
	buf[*used] = '\0';
}

static void put_text(char *buf, size_t size, size_t *used, const char *text)
{
	put(buf, size, used, text ? text : "?", text ? strlen(text) : 1);
}

/* "%n" or "%n{block|blocks}"; returns what follows. */
static const char *put_count(const char *s, uint64_t count, char *buf, size_t size,
			     size_t *used)
{
	const char *bar, *end;
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, count);
	put_text(buf, size, used, number);
	if (*s != '{')
		return s;
	bar = strchr(s, '|');
	end = strchr(s, '}');
	put(buf, size, used, " ", 1);
	if (count == 1)
		put(buf, size, used, s + 1, bar - s - 1);
	else
		put(buf, size, used, bar + 1, end - bar - 1);
	return end + 1;
}

char *alert_expand(const char *sentence, const struct alert *alert, char *buf, size_t size)
{
	const char *s = sentence;
	size_t used = 0, plain;

	buf[0] = '\0';
	while (*s) {
		plain = strcspn(s, "%");
		put(buf, size, &used, s, plain);
		s += plain;
		if (!*s)
			break;
		s += 2;
		switch (s[-1]) {
		case 'd':
			put_text(buf, size, &used, alert->name);
			break;
		case 's':
			put_text(buf, size, &used, alert->spare ? alert->spare : alert->subject);
			break;
		case 'k':
			put_text(buf, size, &used, alert->disk ? alert->disk : alert->subject);
			break;
		case 'n':
			s = put_count(s, alert->count, buf, size, &used);
			break;
		}
	}
	return buf;
}
