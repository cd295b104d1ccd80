/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libdmremap: creates, finds, starts, inspects and repairs sets of dm-remap.
 *
 * Conventions, for every function unless it says otherwise:
 *
 * - int functions return 0 or more on success and a negative errno on failure.
 *   Iterators ("_next") return 1 with the item, 0 at the end, or negative.
 * - The last argument may point to a struct dmremap_error or be NULL. On failure
 *   it holds one full English sentence or two (no newline at the end, UTF-8)
 *   that name the thing, the reason and, where there is one, the way out. On
 *   success it is left as it is.
 * - Sectors are 512 bytes. Blocks are units of the set's block size, counted
 *   from the start of the mapped device, as the module counts them. Whatever is
 *   in bytes says so in its name (`_bytes`, `block_size`).
 * - Strings in structures are NUL-terminated UTF-8; an empty one is unknown.
 * - An object from a `_new`, `_open` or `_load` function is released by its
 *   `_free`, which accepts NULL. Pointers obtained from an object live as long
 *   as the object.
 * - The library never prints, logs or exits. It installs a log function into
 *   libdevmapper to keep that silent too (dm_log_with_errno_init()).
 * - Not thread-safe: libdevmapper keeps global state. Use it from one thread at
 *   a time.
 * - Nothing here needs udev or a daemon. With udev running its cookies are
 *   used; without it the nodes in /dev/mapper are made here.
 *
 * Errors:
 *
 *	-EINVAL		an argument is out of range or contradicts another
 *	-ENAMETOOLONG	the name is too long for device-mapper
 *	-ENOENT		no such set, device or file
 *	-ENODEV		device-mapper or the remap target is not in the kernel
 *	-EACCES, -EPERM	not permitted; most of this needs root
 *	-EEXIST		the name is taken by another device; the file exists
 *	-EBUSY		the device is in use (mounted, opened exclusively, held)
 *	-EALREADY	the set is active already
 *	-ENOTCONN	the set is not active
 *	-ENOTEMPTY	would destroy something that is named; force overrides it
 *	-ENOTUNIQ	several sets or devices answer to the description
 *	-ENXIO		members are missing; if only spares are, degraded overrides it
 *	-ESTALE		a member or a backup is out of date, or not the same disk
 *	-EUCLEAN	metadata is damaged, incomplete or diverged
 *	-EPROTONOSUPPORT metadata or a file is of an unknown, newer version
 *	-EBADMSG	a file or an answer can not be parsed; names the line
 *	-ENOSPC		device too small, map full, or no spare block left
 *	-EOPNOTSUPP	the device or the kernel can not do this
 *	-EDEADLK	a new table was refused and the old one could not be put back
 *	-ELOOP		the device lies on the set that it was to be a spare of
 *	-ECANCELED	the progress callback asked to stop
 *	-EIO, -ENOMEM, ...	as they come from the system
 */
#ifndef DMREMAP_H
#define DMREMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
#define _Static_assert static_assert
#endif
#include "dm-remap-format.h"
#include "dm-remap-netlink.h"
#ifdef __cplusplus
#undef _Static_assert
extern "C" {
#endif

#define DMREMAP_NAME_SIZE	128	/* with the NUL; device-mapper's limit */
#define DMREMAP_PATH_SIZE	256
#define DMREMAP_UUID_SIZE	37	/* "2f1c8a52-...", lower case, with the NUL */
#define DMREMAP_TEXT_SIZE	512

struct dmremap_error {
	char text[DMREMAP_TEXT_SIZE];
};

/*
 * Called between the steps of long work: @done of @total units (blocks, or
 * whatever the operation counts; @total 0: unknown). Return non-zero to stop
 * after this step; the operation then returns -ECANCELED, and what was done
 * stays done.
 */
typedef int (*dmremap_progress_fn)(uint64_t done, uint64_t total, void *arg);

/* "0.1.0" */
const char *dmremap_version(void);

/* --- Sizes ---------------------------------------------------------------- */

/*
 * Parse a size into bytes: digits with an optional unit, without white space.
 * None or "B": bytes; "s": sectors; "K", "M", "G", "T", "P", "E", also as "KiB"
 * and so on: powers of 1024; "KB", "MB" and so on: powers of 1000. Case of the
 * unit does not matter. -EINVAL for anything else, -ERANGE beyond 2^64 - 1.
 */
int dmremap_parse_size(const char *text, uint64_t *bytes, struct dmremap_error *err);

/*
 * The same into sectors; a plain number is in bytes all the same. -EINVAL
 * unless a multiple of 512.
 */
int dmremap_parse_sectors(const char *text, uint64_t *sectors, struct dmremap_error *err);

/* "4 KiB", "1.5 GiB": for people. Returns @buf. */
char *dmremap_format_size(uint64_t bytes, char *buf, size_t size);

/* --- Names ---------------------------------------------------------------- */

/*
 * Check the name of a set: 1 to 127 characters out of A-Z a-z 0-9 # + - . : = @ _
 * and not ".", ".." or "control". -EINVAL, -ENAMETOOLONG.
 */
int dmremap_name_check(const char *name, struct dmremap_error *err);

/* Lower-case words for enums, stable, for output; "unknown" out of range. */
const char *dmremap_set_state_name(unsigned int state);		/* enum dmr_set_state */
const char *dmremap_member_state_name(unsigned int state);	/* enum dmr_member_state */
const char *dmremap_role_name(unsigned int role);		/* enum dmr_role */
const char *dmremap_fault_name(unsigned int fault);		/* enum dmr_fault: "bad-csum" */
const char *dmremap_fault_sentence(unsigned int fault);		/* dmr_fault_text() */
const char *dmremap_heal_name(unsigned int heal);		/* enum dmr_heal */
const char *dmremap_unreadable_name(unsigned int unreadable);	/* enum dmr_unreadable */
const char *dmremap_ioerr_name(unsigned int ioerr);		/* enum dmr_ioerr */
const char *dmremap_record_state_name(unsigned int state);	/* enum dmr_record_state */

/* --- Devices -------------------------------------------------------------- */

enum dmremap_holds {
	DMREMAP_HOLDS_NOTHING = 0,	/* as far as libblkid can tell */
	DMREMAP_HOLDS_FILESYSTEM,
	DMREMAP_HOLDS_SWAP,		/* libblkid usage "other" */
	DMREMAP_HOLDS_RAID,		/* md, LVM, ...: usage "raid" */
	DMREMAP_HOLDS_CRYPTO,
	DMREMAP_HOLDS_TABLE,		/* partition table */
	DMREMAP_HOLDS_MEMBER,		/* a member of a dm-remap set */
	DMREMAP_HOLDS_NEWER,		/* dm-remap metadata of an unknown version; never overwritten */
	DMREMAP_HOLDS_DAMAGED,		/* dm-remap metadata with bad checksums */
	DMREMAP_HOLDS_OTHER,		/* more than one thing, or a kind not listed */
	DMREMAP_HOLDS_LABEL,		/* free, labelled as a spare: may become one without force */
};

struct dmremap_device {
	char path[DMREMAP_PATH_SIZE];	/* as given, or the kernel's name under /dev */
	unsigned int major, minor;
	uint64_t sectors;
	uint32_t logical_block;		/* bytes */
	uint32_t physical_block;	/* bytes */
	bool read_only;
	bool rotational;
	bool zoned;
	bool partition;
	bool in_use;			/* could not be opened exclusively just now */
	char serial[DMR_ID_SIZE];	/* of the whole disk, for a partition too */
	char wwn[DMR_ID_SIZE];		/* same; "dm-<uuid>", "md-<uuid>" for those */
	char partuuid[DMR_ID_SIZE];
	enum dmremap_holds holds;
	char holds_type[64];		/* "ext4", "gpt", "LVM2_member", "dm-remap spare" */
	char holds_label[DMREMAP_NAME_SIZE];	/* label, or name of the set */
	char holds_uuid[64];		/* UUID, or that of the set */
	char text[DMREMAP_TEXT_SIZE];	/* "holds an ext4 file system "home", UUID ..." or empty */
};

/* What a block device is and holds. Opens it read-only; writes nothing. */
int dmremap_device_probe(const char *path, struct dmremap_device *dev,
			 struct dmremap_error *err);

/* --- Finding sets --------------------------------------------------------- */

/*
 * What a set does about faults, as include/dm-remap.yaml describes it: there are
 * the units, ranges and defaults of each.
 */
struct dmremap_policy {
	uint64_t version;		/* in force; on setting: 0 takes the next one */
	uint32_t heal;			/* enum dmr_heal */
	uint32_t unreadable;		/* enum dmr_unreadable */
	uint32_t ioerr;			/* enum dmr_nl_ioerr */
	uint32_t retries;		/* 0 to DMR_MAX_RETRIES */
	uint32_t slow_ms;		/* 0: never */
	uint32_t sample;		/* one of so many I/Os; 0: none */
	uint32_t breaker_streak;	/* blocks */
	uint32_t breaker_ms;
	uint32_t relocate_rate;		/* blocks a second; 0: without limit */
	uint32_t scrub_rate;		/* KiB a second */
	uint32_t spare_low;		/* percent */
	uint32_t lifetime;		/* seconds; 0: for ever */
};

/* Can the set be started, as far as is known without trying? */
enum dmremap_verdict {
	DMREMAP_UNKNOWN = 0,	/* not loaded yet: see dmremap_set_load() */
	DMREMAP_READY,
	DMREMAP_DEGRADED,	/* only with `degraded`: spares are missing */
	DMREMAP_REFUSED,	/* reason says why */
	DMREMAP_ACTIVE,		/* is running */
};

#define DMREMAP_NOT_JOINED	255	/* index of a spare that the map does not list yet */

struct dmremap_member_info {
	unsigned int index;		/* 0: the data device; DMREMAP_NOT_JOINED */
	char uuid[DMREMAP_UUID_SIZE];	/* empty for an adopted data device */
	unsigned int role;		/* enum dmr_role */
	unsigned int state;		/* enum dmr_member_state, by the map */
	bool internal;			/* spare on the data device itself */
	bool no_metadata;		/* adopted data device */
	bool present;			/* found, under path */
	bool damaged;			/* one copy of its anchor is damaged, or frames are */
	char path[DMREMAP_PATH_SIZE];	/* if present, else the last known one or empty */
	unsigned int major, minor;	/* if present */
	uint64_t region_start;		/* sector of the device; 0 unless internal */
	uint64_t region_sectors;
	uint64_t payload_sectors;
	uint32_t tier;
	uint32_t slots;			/* spares only, the three */
	uint32_t slots_used;
	uint32_t slots_bad;
	uint64_t gen;			/* newest commit found on it; 0: none or not loaded */
	char reason[DMREMAP_TEXT_SIZE];	/* what is wrong with it, or empty */
};

#define DMREMAP_MAX_MEMBERS	64	/* listed ones, and some that did not join yet */

struct dmremap_set_info {
	char name[DMREMAP_NAME_SIZE];
	char uuid[DMREMAP_UUID_SIZE];
	bool active;
	char device[DMREMAP_NAME_SIZE];	/* name of its mapped device, if active */
	enum dmremap_verdict verdict;
	unsigned int fault;		/* enum dmr_fault of the map; DMR_OK */
	char reason[DMREMAP_TEXT_SIZE];	/* why not READY, or empty */

	/* From the anchors. */
	uint64_t data_sectors;		/* length of the mapped device */
	uint32_t block_size;		/* bytes */
	uint32_t nr_pages, nr_frames;
	uint64_t created;		/* seconds since 1970 */

	/* From the map; zero until it is loaded. */
	bool loaded;
	bool adopted;			/* the data device carries no metadata */
	bool torn;			/* the last commit was cut short: harmless */
	unsigned int state;		/* enum dmr_set_state */
	uint64_t generation;
	uint64_t activations;
	uint64_t data_offset;		/* sectors */
	uint64_t records, records_used;	/* room of the map, and its fill */
	uint64_t remapped, lost;	/* blocks, as in the module's status */
	struct dmremap_policy policy;
	char data_serial[DMR_ID_SIZE];	/* adopted: by what the data device is known */
	char data_wwn[DMR_ID_SIZE];
	char data_partuuid[DMR_ID_SIZE];

	unsigned int nr_members;	/* entries of members[]; 0 is the data device */
	struct dmremap_member_info members[DMREMAP_MAX_MEMBERS];
};

struct dmremap_scan;	/* what was found on the disks, a snapshot */
struct dmremap_set;	/* one set of it */

#define DMREMAP_SCAN_LOAD	1u	/* load every set's map; costs reading it */
#define DMREMAP_SCAN_ACTIVE	2u	/* active sets only; reads no disk */

/*
 * Look at all block devices (or, if @paths is not NULL, only at these; ended by
 * NULL) and at device-mapper. A device that can not be read is skipped. One
 * that is suspended is not touched, since reading it would hang.
 */
int dmremap_scan_new(unsigned int flags, const char *const *paths,
		     struct dmremap_scan **scan, struct dmremap_error *err);
void dmremap_scan_free(struct dmremap_scan *scan);

/* The next set, sorted by name. 1 with *set (owned by the scan), or 0. */
int dmremap_scan_next(struct dmremap_scan *scan, struct dmremap_set **set);
void dmremap_scan_rewind(struct dmremap_scan *scan);

/*
 * The set of this name or UUID. -ENOENT; -ENOTUNIQ if several have the name
 * (the text lists their UUIDs).
 */
int dmremap_scan_find(struct dmremap_scan *scan, const char *name_or_uuid,
		      struct dmremap_set **set, struct dmremap_error *err);

/*
 * Read the map of a set from its members and find its data device if it is
 * adopted (by serial, WWN and partition UUID, never by path alone unless the
 * fingerprint of a clean stop confirms it). @data: its path where the search is
 * not to be relied on, or NULL. A fault is no error of this function: it is in
 * info->verdict, ->fault and ->reason. Loading again reads again.
 */
int dmremap_set_load(struct dmremap_set *set, const char *data,
		     struct dmremap_error *err);

/* Everything known of the set. Valid until the next dmremap_set_load(). */
const struct dmremap_set_info *dmremap_set_info(const struct dmremap_set *set);

/* --- Plans: what writes to disks ------------------------------------------ */

/*
 * Operations that write metadata come in two parts. Making the plan opens all
 * devices exclusively, checks everything and writes nothing; it tells what will
 * be done, and what will be lost. Committing does it. In between the devices
 * stay open, so that what was shown is what happens.
 *
 * A device that holds something is refused with -ENOTEMPTY unless
 * DMREMAP_FORCE; then the plan names it as a loss. A device in use is always
 * refused (-EBUSY), and so is dm-remap metadata of an unknown version
 * (-EPROTONOSUPPORT) and a member of a set that is active.
 */
struct dmremap_plan;

enum dmremap_plan_kind {
	DMREMAP_PLAN_STEP = 0,	/* will be done, in this order */
	DMREMAP_PLAN_NOTE,	/* worth knowing */
	DMREMAP_PLAN_LOSS,	/* will be destroyed; ask before */
};

#define DMREMAP_FORCE		1u

/* The lines of the plan. 1 with @kind and @text (a sentence), or 0. */
int dmremap_plan_next(struct dmremap_plan *plan, enum dmremap_plan_kind *kind,
		      const char **text);
void dmremap_plan_rewind(struct dmremap_plan *plan);

/* The set as it will be (create), or as it is (everything else). */
const struct dmremap_set_info *dmremap_plan_info(const struct dmremap_plan *plan);

/* Do it, once. Then only dmremap_plan_free() is left. */
int dmremap_plan_commit(struct dmremap_plan *plan, dmremap_progress_fn progress,
			void *arg, struct dmremap_error *err);
void dmremap_plan_free(struct dmremap_plan *plan);

/* --- Creating and destroying ---------------------------------------------- */

struct dmremap_spare {
	const char *path;
	uint32_t tier;			/* lower ones are used first; 0 */
	const char *label;		/* adding: only if it carries the label of this UUID,
					 * else -ENOKEY and it is not written to; NULL: any */
};

/* Zero it all, then fill in what is wanted. */
struct dmremap_create {
	const char *name;
	const char *data;
	bool adopt;			/* do not write to the data device */
	uint64_t data_offset;		/* sectors; with adopt only */
	uint64_t data_sectors;		/* length of the mapped device; 0: all there is */
	uint64_t internal_spare_bytes;	/* tail of the data device; 0: none */
	uint32_t internal_spare_tier;
	uint32_t block_size;		/* bytes; 0: max(4096, logical block size) */
	uint64_t map_entries;		/* 0: twice the spare blocks, at least 4000 */
	const struct dmremap_spare *spares;
	size_t nr_spares;		/* at most DMR_MAX_MEMBERS - 1 with the internal one */
	const struct dmremap_policy *policy;	/* NULL: defaults */
};

int dmremap_create_plan(const struct dmremap_create *create, unsigned int flags,
			struct dmremap_plan **plan, struct dmremap_error *err);

/*
 * Wipe the metadata off all members that were found. The plan names the blocks
 * that live on spares and whose content will be lost, and where the data of a
 * set with a header begins. -ENOTEMPTY without DMREMAP_FORCE if blocks are
 * remapped, or if the map can not be read. -EALREADY if active, -ENOTUNIQ if one of
 * its members is there twice (so too for restoring and repairing).
 */
int dmremap_destroy_plan(struct dmremap_set *set, unsigned int flags,
			 struct dmremap_plan **plan, struct dmremap_error *err);

/* --- Starting and stopping ------------------------------------------------ */

struct dmremap_start {
	const char *data;		/* path of the data device, or NULL: search */
	const char *name;		/* name of the device if not that of the set; NULL */
	bool degraded;			/* although spares are missing */
};

/*
 * Load the set, check it as the module will, load the table and resume. If it
 * fails, no device is left behind. @start may be NULL.
 */
int dmremap_start(struct dmremap_set *set, const struct dmremap_start *start,
		  struct dmremap_error *err);

/* The table line that dmremap_start() would load, without start and length. */
int dmremap_table(struct dmremap_set *set, const struct dmremap_start *start,
		  char *buf, size_t size, struct dmremap_error *err);

#define DMREMAP_STOP_DEFERRED	1u	/* remove when the last user closes it */

/*
 * @name: of the device, or UUID of the set. -EBUSY if open. 1: it is stopped, but no member could
 * be told so; its next start is as one after a power cut.
 */
int dmremap_stop(const char *name, unsigned int flags, struct dmremap_error *err);

/* --- Active sets ---------------------------------------------------------- */
/* @name below: name of the mapped device, or UUID of the set. -ENOTCONN. */

enum dmremap_mode {
	DMREMAP_MODE_RW = 0,
	DMREMAP_MODE_FROZEN,		/* the map can no longer be written */
	DMREMAP_MODE_INACTIVE,		/* table loaded, not resumed; only names are set */
};

enum dmremap_spare_state {
	DMREMAP_SPARE_ACTIVE = 0,
	DMREMAP_SPARE_OUT,
	DMREMAP_SPARE_MISSING,
};

const char *dmremap_mode_name(enum dmremap_mode mode);
const char *dmremap_spare_state_name(enum dmremap_spare_state state);

struct dmremap_spare_status {
	unsigned int member;
	unsigned int major, minor;	/* 0:0 if missing */
	char path[DMREMAP_PATH_SIZE];	/* empty if missing */
	enum dmremap_spare_state state;
	uint64_t used, bad, slots;
};

struct dmremap_counter {
	char name[32];
	uint64_t value;
};

#define DMREMAP_MAX_COUNTERS	64

struct dmremap_status {
	char name[DMREMAP_NAME_SIZE];
	char uuid[DMREMAP_UUID_SIZE];
	unsigned int major, minor;	/* of the mapped device */
	bool suspended;
	bool read_only;
	uint32_t open_count;
	uint32_t event_nr;
	uint64_t sectors;
	unsigned int data_major, data_minor;
	char data_path[DMREMAP_PATH_SIZE];
	uint64_t data_offset;		/* sectors */
	bool degraded;			/* started with `degraded` */
	enum dmremap_mode mode;
	uint64_t generation;
	uint32_t block_size;		/* bytes */
	uint64_t used, slots;
	uint64_t remapped, lost;	/* blocks */
	uint64_t records_used, records;
	bool breaker_open;
	unsigned int nr_spares;
	struct dmremap_spare_status spares[DMR_MAX_MEMBERS];
	unsigned int nr_counters;
	struct dmremap_counter counters[DMREMAP_MAX_COUNTERS];
};

int dmremap_status(const char *name, struct dmremap_status *status,
		   struct dmremap_error *err);
/*
 * Does the module answer for it? 0; or, with what to do, -EBUSY: the device is suspended;
 * -ENOTCONN: it was never resumed.
 */
int dmremap_status_answers(const struct dmremap_status *status, struct dmremap_error *err);

/*
 * Wait until the event number of the device differs from @event_nr (as in
 * struct dmremap_status), a signal comes (-EINTR) or the device goes (-ENXIO).
 */
int dmremap_wait_event(const char *name, uint32_t event_nr, struct dmremap_error *err);

int dmremap_policy_get(const char *name, struct dmremap_policy *policy,
		       struct dmremap_error *err);
/* Sets all of them, durably. */
int dmremap_policy_set(const char *name, const struct dmremap_policy *policy,
		       struct dmremap_error *err);
/* Change one value of @policy from text: ("heal", "spare"). -EINVAL names what is allowed. */
int dmremap_policy_parse(struct dmremap_policy *policy, const char *key,
			 const char *value, struct dmremap_error *err);

/* --- Range lists ---------------------------------------------------------- */

struct dmremap_range {
	uint64_t start;
	uint64_t count;			/* never 0 */
};

struct dmremap_ranges;	/* sorted, not overlapping, neighbours merged */

/* @max: more ranges than this (before merging) fail with -E2BIG; 0: 16 million. */
int dmremap_ranges_new(size_t max, struct dmremap_ranges **ranges);
void dmremap_ranges_free(struct dmremap_ranges *ranges);
/* -ERANGE if start + count overflows, -EINVAL if @count is 0, -E2BIG, -ENOMEM. */
int dmremap_ranges_add(struct dmremap_ranges *ranges, uint64_t start, uint64_t count);
size_t dmremap_ranges_count(struct dmremap_ranges *ranges);
uint64_t dmremap_ranges_total(struct dmremap_ranges *ranges);	/* sum of the counts */
/* The n-th range; NULL beyond the end. Valid until the next add. */
const struct dmremap_range *dmremap_ranges_get(struct dmremap_ranges *ranges, size_t n);
/* From sectors to blocks of @block_size bytes, rounded outwards. */
int dmremap_ranges_to_blocks(struct dmremap_ranges *sectors, uint32_t block_size,
			     struct dmremap_ranges **blocks);

/* --- Moving blocks of an active set --------------------------------------- */

struct dmremap_result {		/* blocks; `unreadable`: lost in sectors */
	uint64_t relocated, released, lost, unchanged, failed;
};

/*
 * The messages of the module, sent in portions so that the callback can show
 * progress and stop. @blocks in blocks, @sectors in sectors of the mapped
 * device. @result (may be NULL) is filled on failure too.
 */
int dmremap_relocate(const char *name, struct dmremap_ranges *blocks,
		     dmremap_progress_fn progress, void *arg,
		     struct dmremap_result *result, struct dmremap_error *err);
int dmremap_release(const char *name, struct dmremap_ranges *blocks,
		    dmremap_progress_fn progress, void *arg,
		    struct dmremap_result *result, struct dmremap_error *err);
int dmremap_unreadable(const char *name, struct dmremap_ranges *sectors,
		       dmremap_progress_fn progress, void *arg,
		       struct dmremap_result *result, struct dmremap_error *err);

/* Everything off spare number @member, and out of the set. One uninterrupted call. */
int dmremap_evacuate(const char *name, unsigned int member, struct dmremap_error *err);

/* --- Spare labels ------------------------------------------------------------ */

/*
 * A label on a device that holds nothing else says that the daemon may use it as a
 * spare; nothing without one is ever taken. The label gives way to the
 * spare's own metadata when it is used. Its form is in dm-remap-format.h.
 */
struct dmremap_label {
	char uuid[DMREMAP_UUID_SIZE];
	char domain[64];	/* sets of this domain only; empty: any set without one */
	uint32_t tier;
	uint64_t created;	/* seconds since 1970 */
	uint64_t bytes;		/* of the device */
	uint32_t logical_block;	/* bytes */
};

/* Refusals as for creation; with DMREMAP_FORCE what the device holds is lost. */
int dmremap_label_plan(const char *path, const char *domain, uint32_t tier,
		       unsigned int flags, struct dmremap_plan **plan,
		       struct dmremap_error *err);
/* Take the label off. -ENOENT if there is none. */
int dmremap_unlabel_plan(const char *path, unsigned int flags, struct dmremap_plan **plan,
			 struct dmremap_error *err);
/* 1 if the device carries a valid label, 0 if not, or an error. Reads only. */
int dmremap_label_read(const char *path, struct dmremap_label *label,
		       struct dmremap_error *err);

/* --- Raw material: for udev --------------------------------------------------- */

enum dmremap_raw_kind {
	DMREMAP_RAW_NONE = 0,	/* nothing of dm-remap */
	DMREMAP_RAW_MEMBER,	/* carries an anchor */
	DMREMAP_RAW_ADOPTED,	/* data device of a set that runs or is known here */
	DMREMAP_RAW_LABEL,	/* labelled as a spare, of no set yet */
	DMREMAP_RAW_DAMAGED,	/* began as a member, and no copy of its anchor is good */
	DMREMAP_RAW_NEWER,	/* metadata of a version that is not known */
};

struct dmremap_raw {
	enum dmremap_raw_kind kind;
	unsigned int role;		/* enum dmr_role; MEMBER and ADOPTED */
	bool internal;			/* data device with a spare at its end, and no header */
	bool adopted;			/* what it holds looks like a device of its own */
	char set_name[DMREMAP_NAME_SIZE];
	char set_uuid[DMREMAP_UUID_SIZE];
	char member_uuid[DMREMAP_UUID_SIZE];	/* empty for ADOPTED */
	struct dmremap_label label;	/* LABEL */
};

/*
 * What a device is to dm-remap. Reads a few blocks; opens nothing exclusively, and
 * asks neither device-mapper nor libblkid.
 */
int dmremap_raw_probe(const char *path, struct dmremap_raw *raw, struct dmremap_error *err);

/* --- The map -------------------------------------------------------------- */

struct dmremap_map_entry {
	uint64_t block;
	bool remapped;			/* else in place, with lost sectors */
	unsigned int member;		/* spare, if remapped */
	uint32_t slot;			/* its slot, if remapped */
	uint32_t invalid;		/* bit n: sector n of the block has no content */
};

struct dmremap_map;

/* The map of an active set, from the module. */
int dmremap_map_open_active(const char *name, struct dmremap_map **map,
			    struct dmremap_error *err);
/* The map on disk, of an inactive set. Loads the set if it is not. Copies it. */
int dmremap_map_open_disk(struct dmremap_set *set, struct dmremap_map **map,
			  struct dmremap_error *err);
/* Next entry by ascending block. 1, 0, negative. */
int dmremap_map_next(struct dmremap_map *map, struct dmremap_map_entry *entry,
		     struct dmremap_error *err);
/* Continue with the first entry at or after @block. */
void dmremap_map_seek(struct dmremap_map *map, uint64_t block);
uint32_t dmremap_map_block_size(const struct dmremap_map *map);		/* bytes */
uint64_t dmremap_map_data_sectors(const struct dmremap_map *map);
void dmremap_map_free(struct dmremap_map *map);

/* --- Spares --------------------------------------------------------------- */

/*
 * Add a spare. To an active set it is added at once: the anchor is written, the
 * table reloaded, the module joins it. To an inactive set the anchor is written
 * and it joins at the next start. Refusals as for creation; -ENOSPC when the
 * device is too small or the set has DMR_MAX_MEMBERS members.
 */
int dmremap_spare_add_plan(struct dmremap_set *set, const struct dmremap_spare *spare,
			   unsigned int flags, struct dmremap_plan **plan,
			   struct dmremap_error *err);

/*
 * Remove a spare, named by path, by number ("2") or by member UUID. Active set:
 * evacuate, reload without it, wipe its anchors. Inactive set: only one that
 * never joined; else -ENOTCONN, since moving blocks needs the module. -EINVAL: the
 * last one that works.
 */
int dmremap_spare_remove_plan(struct dmremap_set *set, const char *which,
			      unsigned int flags, struct dmremap_plan **plan,
			      struct dmremap_error *err);

/* --- Import and export ---------------------------------------------------- */

enum dmremap_list_format {
	DMREMAP_LIST_BADBLOCKS = 0,	/* badblocks(8): a decimal block number per line */
	DMREMAP_LIST_DDRESCUE,		/* map file of GNU ddrescue */
	DMREMAP_LIST_JSON,		/* our own, with a version */
};

/* "badblocks", "ddrescue", "json". -EINVAL. */
int dmremap_list_format_parse(const char *text, enum dmremap_list_format *format,
			      struct dmremap_error *err);

struct dmremap_import {
	enum dmremap_list_format format;
	uint32_t unit_bytes;		/* badblocks: bytes per block; 0: 1024 */
	const char *statuses;		/* ddrescue: which of "?*-/+" count; NULL: "-" */
	bool json_lost_only;		/* json: skip remapped blocks without lost sectors */
	uint64_t origin;		/* the list's position 0, in sectors before the mapped
					 * device: data_offset for a list of the raw disk */
	uint64_t limit;			/* sectors of the mapped device; 0: unchecked.
					 * Beyond it or before it: -ERANGE, names the line */
};

/*
 * Read a list to its end. @name stands for the file in errors. *ranges is in
 * sectors of the mapped device, rounded outwards. -EBADMSG names line and
 * reason. The memory needed is bounded (range lists; JSON: 64 MiB of text).
 */
int dmremap_import(FILE *file, const char *name, const struct dmremap_import *import,
		   struct dmremap_ranges **ranges, struct dmremap_error *err);

#define DMREMAP_EXPORT_REMAPPED	1u	/* blocks that live on a spare */
#define DMREMAP_EXPORT_LOST	2u	/* lost sectors */

struct dmremap_export {
	enum dmremap_list_format format;
	uint32_t unit_bytes;		/* badblocks: 0: 1024 */
	unsigned int what;		/* DMREMAP_EXPORT_*; 0: both. ddrescue: see below */
	uint64_t origin;		/* added to all positions (not json), in sectors */
	const char *set_name;		/* json; may be NULL */
	const char *set_uuid;		/* json; may be NULL */
};

/*
 * Write the rest of @map to @file. badblocks: every unit that overlaps. ddrescue:
 * what is chosen as '-', all else as '+'. The file is flushed and checked for
 * errors, not closed.
 */
int dmremap_export(FILE *file, struct dmremap_map *map,
		   const struct dmremap_export *export_, struct dmremap_error *err);

/* --- Metadata ------------------------------------------------------------- */

struct dmremap_report;

struct dmremap_anchor_report {
	bool read;			/* false: I/O error */
	unsigned int fault;		/* enum dmr_fault */
};

struct dmremap_member_report {
	unsigned int index;		/* as in struct dmremap_member_info */
	char path[DMREMAP_PATH_SIZE];
	struct dmremap_anchor_report anchors[DMR_ANCHOR_COPIES];
	uint32_t frames;		/* all of them */
	uint32_t valid;			/* of this set and in place */
	uint32_t current_;		/* of them, part of the map as it is now */
	uint32_t empty;			/* zeroes */
	uint32_t damaged;		/* bad checksum: torn or rotten */
	uint32_t foreign;		/* another set, place or magic */
	uint32_t unreadable;		/* I/O error */
	uint64_t gen;			/* newest commit; 0: none */
	uint32_t pages_missing;		/* pages of the map of which it has no current copy */
	uint32_t pages_single;		/* and of which it has one copy only */
};

struct dmremap_frame_report {
	unsigned int member;		/* place in the list of members, not the index */
	uint32_t frame;
	unsigned int fault;		/* enum dmr_fault; the rest only if DMR_OK */
	bool read;
	bool empty;
	bool current_;
	uint32_t page;
	uint64_t gen, session, digest_before, digest_after;
};

enum dmremap_severity {
	DMREMAP_INFO = 0,
	DMREMAP_WARNING,	/* redundancy is lost; `repair` restores it */
	DMREMAP_CRITICAL,	/* the set can not be started, or data is at risk */
};

/*
 * Read and judge every anchor, frame and record of all members present. For an
 * active set this reads beside the module and is repeated a few times if it met
 * a commit. The set is loaded again.
 */
int dmremap_report_new(struct dmremap_set *set, dmremap_progress_fn progress,
		       void *arg, struct dmremap_report **report,
		       struct dmremap_error *err);
void dmremap_report_free(struct dmremap_report *report);
enum dmremap_severity dmremap_report_severity(const struct dmremap_report *report);
unsigned int dmremap_report_members(const struct dmremap_report *report);
const struct dmremap_member_report *
dmremap_report_member(const struct dmremap_report *report, unsigned int n);
/* Each frame that is not empty, by member and place. 1, 0. */
int dmremap_report_next_frame(struct dmremap_report *report,
			      struct dmremap_frame_report *frame);
/* Each finding, as a sentence. 1, 0. */
int dmremap_report_next_finding(struct dmremap_report *report,
				enum dmremap_severity *severity, const char **text);
void dmremap_report_rewind(struct dmremap_report *report);

/*
 * Write the anchors and the map to a new file (O_EXCL, mode 0600), sync file
 * and directory, read it back and compare. On failure no file is left.
 */
int dmremap_backup(struct dmremap_set *set, const char *path, struct dmremap_error *err);

struct dmremap_backup_info {
	uint32_t version;
	char name[DMREMAP_NAME_SIZE];
	char uuid[DMREMAP_UUID_SIZE];
	uint64_t generation;
	uint64_t created;		/* of the backup; seconds since 1970 */
	uint32_t nr_pages;
	uint32_t pages;			/* pages with content */
	uint64_t remapped, lost;
	unsigned int nr_members;
	char member_uuids[DMR_MAX_MEMBERS][DMREMAP_UUID_SIZE];
};

/* Check a backup file whole. -EUCLEAN, -EPROTONOSUPPORT. */
int dmremap_backup_verify(const char *path, struct dmremap_backup_info *info,
			  struct dmremap_error *err);

/*
 * Put the map of a backup back onto the members of an inactive set. The same
 * set and members are required; a map on disk that is newer than the backup is
 * kept (-ESTALE) unless DMREMAP_FORCE. Missing members: -ENXIO unless
 * DMREMAP_FORCE; they are stale then. Interrupted, the set is the old one, the
 * new one, or refuses to start until it is done again; never a mixture.
 */
int dmremap_restore_plan(struct dmremap_set *set, const char *path, unsigned int flags,
			 struct dmremap_plan **plan, struct dmremap_error *err);

/*
 * Write the anchors of a member again from a backup, when both copies are lost, as
 * after something was written to the start of the disk by mistake. @member: number
 * or UUID; NULL: whichever the frames on @device say that they lie on. Without
 * such frames (-ESTALE), or if @device holds something (-ENOTEMPTY),
 * DMREMAP_FORCE and @member are needed. -EEXIST if the device is a member as it is.
 */
int dmremap_restore_anchor_plan(const char *path, const char *device, const char *member,
				unsigned int flags, struct dmremap_plan **plan,
				struct dmremap_error *err);

/*
 * Give back what redundancy was lost while one good copy is left: anchors from
 * their other copy, frames from the other frame or another member. Inactive
 * sets only (-EALREADY). -EUCLEAN if no good copy is left: restore a backup. A
 * plan without steps has nothing to do.
 */
int dmremap_repair_plan(struct dmremap_set *set, unsigned int flags,
			struct dmremap_plan **plan, struct dmremap_error *err);

#ifdef __cplusplus
}
#endif

#include "dm-remap-events.h"

#endif /* DMREMAP_H */
