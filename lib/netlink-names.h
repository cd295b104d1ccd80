/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of the values and attributes of the netlink family, by their numbers,
 * generated from dm-remap.yaml by make-netlink; do not edit.
 */
#ifndef DMREMAP_NETLINK_NAMES_H
#define DMREMAP_NETLINK_NAMES_H

#include "dm-remap-netlink.h"

static const char *const dmr_nl_mode_names[] = {
	[DMR_NL_MODE_RW] = "rw",
	[DMR_NL_MODE_FROZEN] = "frozen",
};

static const char *const dmr_nl_breaker_names[] = {
	[DMR_NL_BREAKER_CLOSED] = "closed",
	[DMR_NL_BREAKER_OPEN_WRITES] = "open-writes",
	[DMR_NL_BREAKER_OPEN] = "open",
};

static const char *const dmr_nl_member_state_names[] = {
	[DMR_NL_MEMBER_STATE_ACTIVE] = "active",
	[DMR_NL_MEMBER_STATE_OUT] = "out",
	[DMR_NL_MEMBER_STATE_MISSING] = "missing",
	[DMR_NL_MEMBER_STATE_LEAVING] = "leaving",
	[DMR_NL_MEMBER_STATE_LEFT] = "left",
};

static const char *const dmr_nl_direction_names[] = {
	[DMR_NL_DIRECTION_READ] = "read",
	[DMR_NL_DIRECTION_WRITE] = "write",
};

static const char *const dmr_nl_path_names[] = {
	[DMR_NL_PATH_DIRECT] = "direct",
	[DMR_NL_PATH_REMAPPED] = "remapped",
	[DMR_NL_PATH_UNREADABLE] = "unreadable",
	[DMR_NL_PATH_DEFERRED] = "deferred",
};

static const char *const dmr_nl_class_names[] = {
	[DMR_NL_CLASS_MEDIUM] = "medium",
	[DMR_NL_CLASS_IOERR] = "ioerr",
	[DMR_NL_CLASS_TRANSPORT] = "transport",
	[DMR_NL_CLASS_TIMEOUT] = "timeout",
	[DMR_NL_CLASS_OFFLINE] = "offline",
	[DMR_NL_CLASS_TARGET] = "target",
	[DMR_NL_CLASS_NEXUS] = "nexus",
	[DMR_NL_CLASS_NOTSUPP] = "notsupp",
	[DMR_NL_CLASS_PROTECTION] = "protection",
	[DMR_NL_CLASS_OTHER] = "other",
};

static const char *const dmr_nl_scrub_state_names[] = {
	[DMR_NL_SCRUB_STATE_IDLE] = "idle",
	[DMR_NL_SCRUB_STATE_RUNNING] = "running",
	[DMR_NL_SCRUB_STATE_PAUSED] = "paused",
	[DMR_NL_SCRUB_STATE_DONE] = "done",
};

static const char *const dmr_nl_heal_names[] = {
	[DMR_NL_HEAL_IN_PLACE] = "in-place",
	[DMR_NL_HEAL_SPARE] = "spare",
};

static const char *const dmr_nl_unreadable_names[] = {
	[DMR_NL_UNREADABLE_FAIL] = "fail",
	[DMR_NL_UNREADABLE_RETRY] = "retry",
};

static const char *const dmr_nl_ioerr_names[] = {
	[DMR_NL_IOERR_PROBE] = "probe",
	[DMR_NL_IOERR_PASS] = "pass",
};

static const char *const dmr_nl_reason_names[] = {
	[DMR_NL_REASON_SET] = "set",
	[DMR_NL_REASON_EXPIRED] = "expired",
	[DMR_NL_REASON_LOADED] = "loaded",
};

static const char *const dmr_nl_event_names[] = {
	[DMR_NL_EVENT_READ_ERROR] = "read-error",
	[DMR_NL_EVENT_WRITE_ERROR] = "write-error",
	[DMR_NL_EVENT_LOST] = "lost",
	[DMR_NL_EVENT_RELOCATED] = "relocated",
	[DMR_NL_EVENT_RELOCATE_FAILED] = "relocate-failed",
	[DMR_NL_EVENT_HEALED] = "healed",
	[DMR_NL_EVENT_RELEASED] = "released",
	[DMR_NL_EVENT_SLOW] = "slow",
	[DMR_NL_EVENT_SPARE_LOW] = "spare-low",
	[DMR_NL_EVENT_SPARE_FULL] = "spare-full",
	[DMR_NL_EVENT_SPARE_OK] = "spare-ok",
	[DMR_NL_EVENT_SPARE_FAILED] = "spare-failed",
	[DMR_NL_EVENT_SPARE_JOINED] = "spare-joined",
	[DMR_NL_EVENT_SPARE_LEFT] = "spare-left",
	[DMR_NL_EVENT_BREAKER_OPEN] = "breaker-open",
	[DMR_NL_EVENT_BREAKER_CLOSED] = "breaker-closed",
	[DMR_NL_EVENT_FROZEN] = "frozen",
	[DMR_NL_EVENT_ACTIVATED] = "activated",
	[DMR_NL_EVENT_DEACTIVATED] = "deactivated",
	[DMR_NL_EVENT_POLICY] = "policy",
	[DMR_NL_EVENT_SCRUB] = "scrub",
};

static const char *const dmr_a_policy_names[] = {
	[DMR_A_POLICY_VERSION] = "version",
	[DMR_A_POLICY_HEAL] = "heal",
	[DMR_A_POLICY_UNREADABLE] = "unreadable",
	[DMR_A_POLICY_IOERR] = "ioerr",
	[DMR_A_POLICY_RETRIES] = "retries",
	[DMR_A_POLICY_SLOW_MS] = "slow-ms",
	[DMR_A_POLICY_SAMPLE] = "sample",
	[DMR_A_POLICY_BREAKER_STREAK] = "breaker-streak",
	[DMR_A_POLICY_BREAKER_MS] = "breaker-ms",
	[DMR_A_POLICY_RELOCATE_RATE] = "relocate-rate",
	[DMR_A_POLICY_SCRUB_RATE] = "scrub-rate",
	[DMR_A_POLICY_SPARE_LOW] = "spare-low",
	[DMR_A_POLICY_LIFETIME] = "lifetime",
};

static const char *const dmr_a_scrub_names[] = {
	[DMR_A_SCRUB_STATE] = "state",
	[DMR_A_SCRUB_FIRST] = "first",
	[DMR_A_SCRUB_END] = "end",
	[DMR_A_SCRUB_POSITION] = "position",
	[DMR_A_SCRUB_RATE] = "rate",
	[DMR_A_SCRUB_STARTED] = "started",
	[DMR_A_SCRUB_ELAPSED] = "elapsed",
	[DMR_A_SCRUB_LOST] = "lost",
	[DMR_A_SCRUB_SLOW] = "slow",
	[DMR_A_SCRUB_SKIPPED] = "skipped",
};

static const char *const dmr_a_counters_names[] = {
	[DMR_A_COUNTERS_READ_ERRORS] = "read-errors",
	[DMR_A_COUNTERS_WRITE_ERRORS] = "write-errors",
	[DMR_A_COUNTERS_PASSED] = "passed",
	[DMR_A_COUNTERS_RELOCATED] = "relocated",
	[DMR_A_COUNTERS_RELOCATE_FAILED] = "relocate-failed",
	[DMR_A_COUNTERS_HEALED] = "healed",
	[DMR_A_COUNTERS_LOST_SECTORS] = "lost-sectors",
	[DMR_A_COUNTERS_RELEASED] = "released",
	[DMR_A_COUNTERS_REDONE] = "redone",
	[DMR_A_COUNTERS_BREAKER_TRIPS] = "breaker-trips",
	[DMR_A_COUNTERS_COMMITS] = "commits",
	[DMR_A_COUNTERS_METADATA_ERRORS] = "metadata-errors",
	[DMR_A_COUNTERS_FLUSH_ERRORS] = "flush-errors",
};

#endif /* DMREMAP_NETLINK_NAMES_H */
