/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The netlink family dm_remap, generated from dm-remap.yaml by make-netlink; do not edit.
 *
 * What the remap target of device-mapper tells of its sets, and what it can be told to
 * do. All sectors are 512 bytes. Blocks are the remap unit of the set (block-sectors),
 * counted from the start of the mapped device. Every request but a dump names one set by
 * name or by uuid; a dump without either is of all sets. All of it needs CAP_NET_ADMIN in
 * the initial user namespace; what changes a set needs CAP_SYS_ADMIN too, as with
 * dmsetup. A request that moves blocks ends after some 20 seconds with ETIME, and goes on
 * where it was when it is repeated.
 */
#ifndef DM_REMAP_NETLINK_H
#define DM_REMAP_NETLINK_H

#define DMR_GENL_NAME		"dm_remap"
#define DMR_GENL_VERSION	1
#define DMR_MCGRP_EVENTS	"events"

/* Longest name or UUID, in bytes without the NUL. */
#define DMR_MAX_TEXT		127

/*
 * Latency buckets. Bucket 0 counts what took less than 2 microseconds, bucket n what took
 * from 2^n to less than 2^(n+1), the last one all above.
 */
#define DMR_NL_BUCKETS		32

/**
 * enum dmr_nl_mode - State of a set, as in its status line.
 * @DMR_NL_MODE_RW: In order.
 * @DMR_NL_MODE_FROZEN: The map can no longer be written; new failures are passed up.
 */
enum dmr_nl_mode {
	DMR_NL_MODE_RW,
	DMR_NL_MODE_FROZEN,

	__DMR_NL_MODE_MAX,
	DMR_NL_MODE_MAX = __DMR_NL_MODE_MAX - 1
};

/**
 * enum dmr_nl_breaker
 * @DMR_NL_BREAKER_OPEN_WRITES: The data device fails all writes.
 * @DMR_NL_BREAKER_OPEN: The data device fails all I/O.
 */
enum dmr_nl_breaker {
	DMR_NL_BREAKER_CLOSED,
	DMR_NL_BREAKER_OPEN_WRITES,
	DMR_NL_BREAKER_OPEN,

	__DMR_NL_BREAKER_MAX,
	DMR_NL_BREAKER_MAX = __DMR_NL_BREAKER_MAX - 1
};

/**
 * enum dmr_nl_member_state
 * @DMR_NL_MEMBER_STATE_OUT: It failed; it is served as far as it goes and given
 *	nothing new.
 * @DMR_NL_MEMBER_STATE_LEAVING: It is being evacuated.
 * @DMR_NL_MEMBER_STATE_LEFT: It was evacuated and is no member any more.
 */
enum dmr_nl_member_state {
	DMR_NL_MEMBER_STATE_ACTIVE,
	DMR_NL_MEMBER_STATE_OUT,
	DMR_NL_MEMBER_STATE_MISSING,
	DMR_NL_MEMBER_STATE_LEAVING,
	DMR_NL_MEMBER_STATE_LEFT,

	__DMR_NL_MEMBER_STATE_MAX,
	DMR_NL_MEMBER_STATE_MAX = __DMR_NL_MEMBER_STATE_MAX - 1
};

enum dmr_nl_direction {
	DMR_NL_DIRECTION_READ,
	DMR_NL_DIRECTION_WRITE,

	__DMR_NL_DIRECTION_MAX,
	DMR_NL_DIRECTION_MAX = __DMR_NL_DIRECTION_MAX - 1
};

/**
 * enum dmr_nl_path - Which way an I/O went.
 * @DMR_NL_PATH_DIRECT: To the data device.
 * @DMR_NL_PATH_REMAPPED: To a spare.
 * @DMR_NL_PATH_UNREADABLE: Answered with an error at once, since the sectors are
 *	known to be lost.
 * @DMR_NL_PATH_DEFERRED: To the worker of the set, which waits, repeats or moves.
 */
enum dmr_nl_path {
	DMR_NL_PATH_DIRECT,
	DMR_NL_PATH_REMAPPED,
	DMR_NL_PATH_UNREADABLE,
	DMR_NL_PATH_DEFERRED,

	__DMR_NL_PATH_MAX,
	DMR_NL_PATH_MAX = __DMR_NL_PATH_MAX - 1
};

/**
 * enum dmr_nl_class - What kind of error a device below returned.
 */
enum dmr_nl_class {
	DMR_NL_CLASS_MEDIUM,
	DMR_NL_CLASS_IOERR,
	DMR_NL_CLASS_TRANSPORT,
	DMR_NL_CLASS_TIMEOUT,
	DMR_NL_CLASS_OFFLINE,
	DMR_NL_CLASS_TARGET,
	DMR_NL_CLASS_NEXUS,
	DMR_NL_CLASS_NOTSUPP,
	DMR_NL_CLASS_PROTECTION,
	DMR_NL_CLASS_OTHER,

	__DMR_NL_CLASS_MAX,
	DMR_NL_CLASS_MAX = __DMR_NL_CLASS_MAX - 1
};

/**
 * enum dmr_nl_scrub_state
 * @DMR_NL_SCRUB_STATE_IDLE: None was ever started, or it was cancelled.
 */
enum dmr_nl_scrub_state {
	DMR_NL_SCRUB_STATE_IDLE,
	DMR_NL_SCRUB_STATE_RUNNING,
	DMR_NL_SCRUB_STATE_PAUSED,
	DMR_NL_SCRUB_STATE_DONE,

	__DMR_NL_SCRUB_STATE_MAX,
	DMR_NL_SCRUB_STATE_MAX = __DMR_NL_SCRUB_STATE_MAX - 1
};

/**
 * enum dmr_nl_heal - Where a write of lost sectors goes.
 * @DMR_NL_HEAL_IN_PLACE: Rewritten in place and read back; to a spare if that fails.
 * @DMR_NL_HEAL_SPARE: To a spare at once.
 */
enum dmr_nl_heal {
	DMR_NL_HEAL_IN_PLACE,
	DMR_NL_HEAL_SPARE,

	__DMR_NL_HEAL_MAX,
	DMR_NL_HEAL_MAX = __DMR_NL_HEAL_MAX - 1
};

/**
 * enum dmr_nl_unreadable - What a read of lost sectors gets.
 * @DMR_NL_UNREADABLE_FAIL: An error at once.
 * @DMR_NL_UNREADABLE_RETRY: The medium is tried; what can be read is believed again.
 */
enum dmr_nl_unreadable {
	DMR_NL_UNREADABLE_FAIL,
	DMR_NL_UNREADABLE_RETRY,

	__DMR_NL_UNREADABLE_MAX,
	DMR_NL_UNREADABLE_MAX = __DMR_NL_UNREADABLE_MAX - 1
};

/**
 * enum dmr_nl_ioerr - What is made of an error without a class.
 * @DMR_NL_IOERR_PROBE: Evidence of a bad block if it fails again while the rest of
 *	the device works.
 * @DMR_NL_IOERR_PASS: Passed up, as if it said nothing about the medium.
 */
enum dmr_nl_ioerr {
	DMR_NL_IOERR_PROBE,
	DMR_NL_IOERR_PASS,

	__DMR_NL_IOERR_MAX,
	DMR_NL_IOERR_MAX = __DMR_NL_IOERR_MAX - 1
};

/**
 * enum dmr_nl_reason - Why a policy came into force.
 * @DMR_NL_REASON_EXPIRED: Its lifetime ended without another; risky settings are
 *	back at their defaults.
 * @DMR_NL_REASON_LOADED: The set was activated with it.
 */
enum dmr_nl_reason {
	DMR_NL_REASON_SET,
	DMR_NL_REASON_EXPIRED,
	DMR_NL_REASON_LOADED,

	__DMR_NL_REASON_MAX,
	DMR_NL_REASON_MAX = __DMR_NL_REASON_MAX - 1
};

/**
 * enum dmr_nl_event
 * @DMR_NL_EVENT_READ_ERROR: Reads failed below; spare is the member, class the
 *	error.
 * @DMR_NL_EVENT_WRITE_ERROR: Writes failed below; spare is the member, class the
 *	error.
 * @DMR_NL_EVENT_LOST: Sectors can not be read any more and are in the map as such.
 * @DMR_NL_EVENT_RELOCATED: Blocks have moved to a spare, durably.
 * @DMR_NL_EVENT_RELOCATE_FAILED: Blocks could not be moved, since no spare block was
 *	free.
 * @DMR_NL_EVENT_HEALED: Lost sectors were rewritten and have content again.
 * @DMR_NL_EVENT_RELEASED: Blocks have moved back to the data device.
 * @DMR_NL_EVENT_SLOW: I/O took longer than slow-ms.
 * @DMR_NL_EVENT_SPARE_LOW: Fewer spare blocks are free than spare-low percent.
 * @DMR_NL_EVENT_SPARE_FULL: No spare block is free; new failures are passed up.
 * @DMR_NL_EVENT_SPARE_OK: Enough spare blocks are free again.
 * @DMR_NL_EVENT_SPARE_FAILED: A spare, or the data device's copy of the map, is out
 *	of the set.
 * @DMR_NL_EVENT_SPARE_JOINED: A spare has become a member, or is one again.
 * @DMR_NL_EVENT_SPARE_LEFT: A spare was evacuated and is no member any more.
 * @DMR_NL_EVENT_BREAKER_OPEN: The data device fails everything; nothing is
 *	relocated.
 * @DMR_NL_EVENT_BREAKER_CLOSED: The data device is back.
 * @DMR_NL_EVENT_FROZEN: The map can no longer be written.
 * @DMR_NL_EVENT_ACTIVATED: The set was taken into use.
 * @DMR_NL_EVENT_DEACTIVATED: The set is not in use any more.
 * @DMR_NL_EVENT_POLICY: A policy came into force; reason tells why.
 * @DMR_NL_EVENT_SCRUB: Progress of a scrub, at most every ten seconds, and each
 *	change of its state.
 */
enum dmr_nl_event {
	DMR_NL_EVENT_READ_ERROR,
	DMR_NL_EVENT_WRITE_ERROR,
	DMR_NL_EVENT_LOST,
	DMR_NL_EVENT_RELOCATED,
	DMR_NL_EVENT_RELOCATE_FAILED,
	DMR_NL_EVENT_HEALED,
	DMR_NL_EVENT_RELEASED,
	DMR_NL_EVENT_SLOW,
	DMR_NL_EVENT_SPARE_LOW,
	DMR_NL_EVENT_SPARE_FULL,
	DMR_NL_EVENT_SPARE_OK,
	DMR_NL_EVENT_SPARE_FAILED,
	DMR_NL_EVENT_SPARE_JOINED,
	DMR_NL_EVENT_SPARE_LEFT,
	DMR_NL_EVENT_BREAKER_OPEN,
	DMR_NL_EVENT_BREAKER_CLOSED,
	DMR_NL_EVENT_FROZEN,
	DMR_NL_EVENT_ACTIVATED,
	DMR_NL_EVENT_DEACTIVATED,
	DMR_NL_EVENT_POLICY,
	DMR_NL_EVENT_SCRUB,

	__DMR_NL_EVENT_MAX,
	DMR_NL_EVENT_MAX = __DMR_NL_EVENT_MAX - 1
};

/**
 * enum dmr_a_attr
 * @DMR_A_PAD: alignment of what follows; carries nothing.
 * @DMR_A_NAME: string. Name of the mapped device, as dmsetup shows it.
 * @DMR_A_UUID: string. UUID of the set, in lower case with dashes.
 * @DMR_A_MAJOR: u32. Of the mapped device.
 * @DMR_A_MINOR: u32.
 * @DMR_A_SESSION: u64. Random number of this activation; counts and sequence numbers
 *	begin anew with it.
 * @DMR_A_MODE: u32, enum dmr_nl_mode.
 * @DMR_A_GENERATION: u64. Number of the last commit.
 * @DMR_A_BLOCK_SECTORS: u32. The remap unit, a power of two from 1 to 32.
 * @DMR_A_SECTORS: u64. Length of the mapped device.
 * @DMR_A_DATA_MAJOR: u32. Of the data device.
 * @DMR_A_DATA_MINOR: u32.
 * @DMR_A_DATA_OFFSET: u64. Sector of the data device where the data begins.
 * @DMR_A_SLOTS_USED: u64. Spare blocks in use, of the set or of one spare.
 * @DMR_A_SLOTS: u64. Spare blocks that can be used; of one spare, all of them.
 * @DMR_A_SLOTS_BAD: u64. Of one spare, those that went bad.
 * @DMR_A_REMAPPED: u64. Blocks that live on a spare.
 * @DMR_A_LOST: u64. Blocks of the data device with lost sectors; in an answer,
 *	blocks that became so.
 * @DMR_A_RECORDS_USED: u64.
 * @DMR_A_RECORDS: u64. Room of the map.
 * @DMR_A_BREAKER: u32, enum dmr_nl_breaker.
 * @DMR_A_DEGRADED: flag. Activated although spares may be missing.
 * @DMR_A_HEADER_OUT: flag. The data device's own copy of the map is not kept up any
 *	more.
 * @DMR_A_EVENT_SEQ: u64. Sequence number of the last event that was sent.
 * @DMR_A_EVENT_DROPPED: u64. Occurrences whose event was dropped since activation;
 *	the totals count them.
 * @DMR_A_SPARE: u32, at most 31. Number of the member; 0 is the data device.
 * @DMR_A_SPARE_STATE: u32, enum dmr_nl_member_state.
 * @DMR_A_SPARE_UUID: string.
 * @DMR_A_SPARE_MAJOR: u32. Of the device, in a request and in an answer; absent if
 *	missing.
 * @DMR_A_SPARE_MINOR: u32.
 * @DMR_A_TIER: u32. Lower tiers are used first.
 * @DMR_A_BLOCK: u64.
 * @DMR_A_SLOT: u32. Where the block is on its spare; absent if it is in place.
 * @DMR_A_INVALID: u32. Bit n is set if sector n of the block has no content.
 * @DMR_A_FORGOTTEN: flag. What the medium holds in the lost sectors is not their
 *	content.
 * @DMR_A_SECTOR: u64. First of a run of sectors of the mapped device.
 * @DMR_A_SECTOR_COUNT: u64.
 * @DMR_A_FIRST: u64. First block of a range; for a dump of the map the first to be
 *	told.
 * @DMR_A_COUNT: u64, at least 1. Blocks of the range; to the end of the device if
 *	absent in a dump or a scrub.
 * @DMR_A_SLOW_ONLY: flag. Relocate only what reads slowly (slow-ms) or not at all
 *	when it is read now, run by run; all else is unchanged.
 * @DMR_A_MOVED: u64. Blocks that moved.
 * @DMR_A_UNCHANGED: u64.
 * @DMR_A_FAILED: u64. Blocks that could not be moved and are where they were.
 * @DMR_A_ERROR: u32. Errno that ended it early; what was done stays done. Absent if
 *	all was done.
 * @DMR_A_POLICY: nest of DMR_A_POLICY_*.
 * @DMR_A_REASON: u32, enum dmr_nl_reason.
 * @DMR_A_SCRUB: nest of DMR_A_SCRUB_*.
 * @DMR_A_DIRECTION: u32, enum dmr_nl_direction.
 * @DMR_A_CLASS: u32, enum dmr_nl_class.
 * @DMR_A_IO: nest of DMR_A_IO_*, any number. I/O of the mapped device by direction
 *	and path.
 * @DMR_A_ERRORS: nest of DMR_A_ERRORS_*, any number. Errors of a member by direction
 *	and class; those that never happened are absent.
 * @DMR_A_LATENCY: nest of DMR_A_LATENCY_*, any number. Latencies of a member by
 *	direction, of the I/O that was sampled.
 * @DMR_A_COUNTERS: nest of DMR_A_COUNTERS_*.
 * @DMR_A_EVENT: u32, enum dmr_nl_event.
 * @DMR_A_SEQ: u64. Of the event, from 1 in each activation, without gaps.
 * @DMR_A_TIME: u64. When it happened first, in nanoseconds since 1970.
 * @DMR_A_TIME_LAST: u64. When it happened last.
 * @DMR_A_OCCURRENCES: u64. How often, since the event before of the same kind,
 *	member and class.
 * @DMR_A_TOTAL: u64. How often since activation, of this kind in all.
 * @DMR_A_EXTENTS: nest of DMR_A_EXTENT_*, any number. Where, as runs of sectors of
 *	the mapped device.
 * @DMR_A_EXTENTS_LOST: u64. Further places that there was no room for.
 * @DMR_A_MAX_US: u64. The longest that it took, in microseconds.
 */
enum dmr_a_attr {
	DMR_A_PAD = 1,
	DMR_A_NAME,
	DMR_A_UUID,
	DMR_A_MAJOR,
	DMR_A_MINOR,
	DMR_A_SESSION,
	DMR_A_MODE,
	DMR_A_GENERATION,
	DMR_A_BLOCK_SECTORS,
	DMR_A_SECTORS,
	DMR_A_DATA_MAJOR,
	DMR_A_DATA_MINOR,
	DMR_A_DATA_OFFSET,
	DMR_A_SLOTS_USED,
	DMR_A_SLOTS,
	DMR_A_SLOTS_BAD,
	DMR_A_REMAPPED,
	DMR_A_LOST,
	DMR_A_RECORDS_USED,
	DMR_A_RECORDS,
	DMR_A_BREAKER,
	DMR_A_DEGRADED,
	DMR_A_HEADER_OUT,
	DMR_A_EVENT_SEQ,
	DMR_A_EVENT_DROPPED,
	DMR_A_SPARE,
	DMR_A_SPARE_STATE,
	DMR_A_SPARE_UUID,
	DMR_A_SPARE_MAJOR,
	DMR_A_SPARE_MINOR,
	DMR_A_TIER,
	DMR_A_BLOCK,
	DMR_A_SLOT,
	DMR_A_INVALID,
	DMR_A_FORGOTTEN,
	DMR_A_SECTOR,
	DMR_A_SECTOR_COUNT,
	DMR_A_FIRST,
	DMR_A_COUNT,
	DMR_A_SLOW_ONLY,
	DMR_A_MOVED,
	DMR_A_UNCHANGED,
	DMR_A_FAILED,
	DMR_A_ERROR,
	DMR_A_POLICY,
	DMR_A_REASON,
	DMR_A_SCRUB,
	DMR_A_DIRECTION,
	DMR_A_CLASS,
	DMR_A_IO,
	DMR_A_ERRORS,
	DMR_A_LATENCY,
	DMR_A_COUNTERS,
	DMR_A_EVENT,
	DMR_A_SEQ,
	DMR_A_TIME,
	DMR_A_TIME_LAST,
	DMR_A_OCCURRENCES,
	DMR_A_TOTAL,
	DMR_A_EXTENTS,
	DMR_A_EXTENTS_LOST,
	DMR_A_MAX_US,

	__DMR_A_MAX,
	DMR_A_MAX = __DMR_A_MAX - 1
};

/**
 * enum dmr_a_policy_attr - What a set does about faults. In a request, what is absent
 * stays as it is. A value out of range is refused, never clamped.
 * @DMR_A_POLICY_PAD: alignment of what follows; carries nothing.
 * @DMR_A_POLICY_VERSION: u64. Must be above that in force; one more than it if
 *	absent in a request.
 * @DMR_A_POLICY_HEAL: u32, enum dmr_nl_heal. Default in-place.
 * @DMR_A_POLICY_UNREADABLE: u32, enum dmr_nl_unreadable. Default fail. Retrying is
 *	risky, as it stalls on the medium.
 * @DMR_A_POLICY_IOERR: u32, enum dmr_nl_ioerr. Default probe.
 * @DMR_A_POLICY_RETRIES: u32, at most 10. Tries beyond the first; default 0. More is
 *	risky, as it stalls on the medium.
 * @DMR_A_POLICY_SLOW_MS: u32, at most 600000. Milliseconds after which an I/O is
 *	slow; 0, the default, is never.
 * @DMR_A_POLICY_SAMPLE: u32, at most 65536. One of so many I/Os is measured for the
 *	histograms; 0, the default, none.
 * @DMR_A_POLICY_BREAKER_STREAK: u32, at least 1 and at most 4096. Bad blocks in a
 *	row without a good write that need proof; default 16.
 * @DMR_A_POLICY_BREAKER_MS: u32, at least 100 and at most 600000. While it is open,
 *	look so often whether the device is back; default 1000.
 * @DMR_A_POLICY_RELOCATE_RATE: u32. Blocks a second that requests may move; 0, the
 *	default, is without limit.
 * @DMR_A_POLICY_SCRUB_RATE: u32, at least 64. KiB a second that a scrub reads;
 *	default 10240. An eighth while others do I/O.
 * @DMR_A_POLICY_SPARE_LOW: u32, at most 100. Percent of free spare blocks below
 *	which spare-low is told; default 10.
 * @DMR_A_POLICY_LIFETIME: u32, at most 31536000. Seconds after which risky settings
 *	(unreadable, retries) fall back to their defaults, unless a policy was set
 *	meanwhile; 0, the default, is never.
 */
enum dmr_a_policy_attr {
	DMR_A_POLICY_PAD = 1,
	DMR_A_POLICY_VERSION,
	DMR_A_POLICY_HEAL,
	DMR_A_POLICY_UNREADABLE,
	DMR_A_POLICY_IOERR,
	DMR_A_POLICY_RETRIES,
	DMR_A_POLICY_SLOW_MS,
	DMR_A_POLICY_SAMPLE,
	DMR_A_POLICY_BREAKER_STREAK,
	DMR_A_POLICY_BREAKER_MS,
	DMR_A_POLICY_RELOCATE_RATE,
	DMR_A_POLICY_SCRUB_RATE,
	DMR_A_POLICY_SPARE_LOW,
	DMR_A_POLICY_LIFETIME,

	__DMR_A_POLICY_MAX,
	DMR_A_POLICY_MAX = __DMR_A_POLICY_MAX - 1
};

/**
 * enum dmr_a_scrub_attr
 * @DMR_A_SCRUB_PAD: alignment of what follows; carries nothing.
 * @DMR_A_SCRUB_STATE: u32, enum dmr_nl_scrub_state.
 * @DMR_A_SCRUB_FIRST: u64. First block.
 * @DMR_A_SCRUB_END: u64. Block behind the last.
 * @DMR_A_SCRUB_POSITION: u64. Next block to be read.
 * @DMR_A_SCRUB_RATE: u64. KiB a second over the last seconds; 0 if not running.
 * @DMR_A_SCRUB_STARTED: u64. Seconds since 1970.
 * @DMR_A_SCRUB_ELAPSED: u64. Seconds that it ran, without pauses.
 * @DMR_A_SCRUB_LOST: u64. Blocks found with sectors that can not be read.
 * @DMR_A_SCRUB_SLOW: u64. Blocks found slow.
 * @DMR_A_SCRUB_SKIPPED: u64. Blocks that were lost before or could not be judged.
 */
enum dmr_a_scrub_attr {
	DMR_A_SCRUB_PAD = 1,
	DMR_A_SCRUB_STATE,
	DMR_A_SCRUB_FIRST,
	DMR_A_SCRUB_END,
	DMR_A_SCRUB_POSITION,
	DMR_A_SCRUB_RATE,
	DMR_A_SCRUB_STARTED,
	DMR_A_SCRUB_ELAPSED,
	DMR_A_SCRUB_LOST,
	DMR_A_SCRUB_SLOW,
	DMR_A_SCRUB_SKIPPED,

	__DMR_A_SCRUB_MAX,
	DMR_A_SCRUB_MAX = __DMR_A_SCRUB_MAX - 1
};

/**
 * enum dmr_a_io_attr
 * @DMR_A_IO_PAD: alignment of what follows; carries nothing.
 * @DMR_A_IO_DIRECTION: u32, enum dmr_nl_direction.
 * @DMR_A_IO_PATH: u32, enum dmr_nl_path.
 * @DMR_A_IO_IOS: u64.
 * @DMR_A_IO_SECTORS: u64.
 */
enum dmr_a_io_attr {
	DMR_A_IO_PAD = 1,
	DMR_A_IO_DIRECTION,
	DMR_A_IO_PATH,
	DMR_A_IO_IOS,
	DMR_A_IO_SECTORS,

	__DMR_A_IO_MAX,
	DMR_A_IO_MAX = __DMR_A_IO_MAX - 1
};

/**
 * enum dmr_a_errors_attr
 * @DMR_A_ERRORS_PAD: alignment of what follows; carries nothing.
 * @DMR_A_ERRORS_DIRECTION: u32, enum dmr_nl_direction.
 * @DMR_A_ERRORS_CLASS: u32, enum dmr_nl_class.
 * @DMR_A_ERRORS_IOS: u64.
 */
enum dmr_a_errors_attr {
	DMR_A_ERRORS_PAD = 1,
	DMR_A_ERRORS_DIRECTION,
	DMR_A_ERRORS_CLASS,
	DMR_A_ERRORS_IOS,

	__DMR_A_ERRORS_MAX,
	DMR_A_ERRORS_MAX = __DMR_A_ERRORS_MAX - 1
};

/**
 * enum dmr_a_latency_attr
 * @DMR_A_LATENCY_PAD: alignment of what follows; carries nothing.
 * @DMR_A_LATENCY_DIRECTION: u32, enum dmr_nl_direction.
 * @DMR_A_LATENCY_BUCKET: u64, any number. I/Os in each of the nl-buckets buckets, in
 *	order.
 */
enum dmr_a_latency_attr {
	DMR_A_LATENCY_PAD = 1,
	DMR_A_LATENCY_DIRECTION,
	DMR_A_LATENCY_BUCKET,

	__DMR_A_LATENCY_MAX,
	DMR_A_LATENCY_MAX = __DMR_A_LATENCY_MAX - 1
};

/**
 * enum dmr_a_extent_attr
 * @DMR_A_EXTENT_PAD: alignment of what follows; carries nothing.
 * @DMR_A_EXTENT_SECTOR: u64.
 * @DMR_A_EXTENT_COUNT: u64.
 */
enum dmr_a_extent_attr {
	DMR_A_EXTENT_PAD = 1,
	DMR_A_EXTENT_SECTOR,
	DMR_A_EXTENT_COUNT,

	__DMR_A_EXTENT_MAX,
	DMR_A_EXTENT_MAX = __DMR_A_EXTENT_MAX - 1
};

/**
 * enum dmr_a_counters_attr - Since activation, as in the status line.
 * @DMR_A_COUNTERS_PAD: alignment of what follows; carries nothing.
 * @DMR_A_COUNTERS_READ_ERRORS: u64.
 * @DMR_A_COUNTERS_WRITE_ERRORS: u64.
 * @DMR_A_COUNTERS_PASSED: u64.
 * @DMR_A_COUNTERS_RELOCATED: u64.
 * @DMR_A_COUNTERS_RELOCATE_FAILED: u64.
 * @DMR_A_COUNTERS_HEALED: u64.
 * @DMR_A_COUNTERS_LOST_SECTORS: u64.
 * @DMR_A_COUNTERS_RELEASED: u64.
 * @DMR_A_COUNTERS_REDONE: u64.
 * @DMR_A_COUNTERS_BREAKER_TRIPS: u64.
 * @DMR_A_COUNTERS_COMMITS: u64.
 * @DMR_A_COUNTERS_METADATA_ERRORS: u64.
 * @DMR_A_COUNTERS_FLUSH_ERRORS: u64.
 */
enum dmr_a_counters_attr {
	DMR_A_COUNTERS_PAD = 1,
	DMR_A_COUNTERS_READ_ERRORS,
	DMR_A_COUNTERS_WRITE_ERRORS,
	DMR_A_COUNTERS_PASSED,
	DMR_A_COUNTERS_RELOCATED,
	DMR_A_COUNTERS_RELOCATE_FAILED,
	DMR_A_COUNTERS_HEALED,
	DMR_A_COUNTERS_LOST_SECTORS,
	DMR_A_COUNTERS_RELEASED,
	DMR_A_COUNTERS_REDONE,
	DMR_A_COUNTERS_BREAKER_TRIPS,
	DMR_A_COUNTERS_COMMITS,
	DMR_A_COUNTERS_METADATA_ERRORS,
	DMR_A_COUNTERS_FLUSH_ERRORS,

	__DMR_A_COUNTERS_MAX,
	DMR_A_COUNTERS_MAX = __DMR_A_COUNTERS_MAX - 1
};

/**
 * enum dmr_cmd - requests, answers and events
 * @DMR_CMD_DEVICE_GET: A set in use.
 * @DMR_CMD_SPARE_GET: The spares of a set, one message for each.
 * @DMR_CMD_MAP_GET: The entries of the map by ascending block, one message for each.
 *	A dump that a change of the map overtook is marked (NLM_F_DUMP_INTR).
 * @DMR_CMD_UNREADABLE_GET: The runs of sectors without content, one message for
 *	each; else as map-get.
 * @DMR_CMD_STATS_GET: Statistics since activation, one message for each member; io
 *	is with member 0.
 * @DMR_CMD_POLICY_GET: The policy in force.
 * @DMR_CMD_POLICY_SET: Put a policy into force, whole or not at all, and durably.
 *	Answers with it.
 * @DMR_CMD_RELOCATE: Move healthy blocks to a spare while they can be read. Answers
 *	when it is durable.
 * @DMR_CMD_RELEASE: Move blocks back to the data device, and test lost ones again.
 * @DMR_CMD_SCRUB_GET: How far the scrub of a set is.
 * @DMR_CMD_SCRUB_START: Read the blocks from first on, all if absent, from the
 *	beginning.
 * @DMR_CMD_SCRUB_PAUSE: Stop a scrub where it is.
 * @DMR_CMD_SCRUB_RESUME: Go on where a pause, or a stop of the set, interrupted it.
 * @DMR_CMD_SCRUB_CANCEL: End a scrub and forget how far it was.
 * @DMR_CMD_SPARE_ADD: Take a device that carries an anchor of this set into use.
 *	Refused with EOPNOTSUPP if that needs a reload of the table. Answers with its
 *	number.
 * @DMR_CMD_SPARE_RETIRE: Move all blocks off a spare, and take it out of the set.
 * @DMR_CMD_EVENT: Something happened. Events of one kind, member and class within a
 *	tenth of a second are one message. A gap in seq means that the listener was too
 *	slow.
 */
enum dmr_cmd {
	DMR_CMD_DEVICE_GET = 1,
	DMR_CMD_SPARE_GET,
	DMR_CMD_MAP_GET,
	DMR_CMD_UNREADABLE_GET,
	DMR_CMD_STATS_GET,
	DMR_CMD_POLICY_GET,
	DMR_CMD_POLICY_SET,
	DMR_CMD_RELOCATE,
	DMR_CMD_RELEASE,
	DMR_CMD_SCRUB_GET,
	DMR_CMD_SCRUB_START,
	DMR_CMD_SCRUB_PAUSE,
	DMR_CMD_SCRUB_RESUME,
	DMR_CMD_SCRUB_CANCEL,
	DMR_CMD_SPARE_ADD,
	DMR_CMD_SPARE_RETIRE,
	DMR_CMD_EVENT,

	__DMR_CMD_MAX,
	DMR_CMD_MAX = __DMR_CMD_MAX - 1
};

#endif /* DM_REMAP_NETLINK_H */
