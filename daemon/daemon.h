/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internal interfaces of dmremapd. One section for each source file, in the order
 * in which they stand on each other: log, worker, config, state, record, hooks,
 * alert, policy, scrub, sample, disk, smart, spares, rules, sets, family, events, main.
 *
 * Threads. Everything runs in the sd-event loop of main.c, except the function that is
 * handed to worker_submit(). The loop never waits: neither for a disk nor for
 * the module nor for a program. Whatever might wait is a job of a worker.
 *
 * Functions return 0 or more, or a negative errno. Who handles a failure logs it,
 * once. Times are nanoseconds since 1970 (clock_now()) unless the name says otherwise.
 */
#ifndef DMREMAPD_DAEMON_H
#define DMREMAPD_DAEMON_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <syslog.h>
#include <systemd/sd-event.h>

#include "dm-remap.h"

#define NSEC_PER_SEC	1000000000ULL
#define USEC_PER_SEC	1000000ULL

#define _cleanup_(fn) __attribute__((cleanup(fn)))
static inline void freep(void *p) { free(*(void **)p); }
#define _cleanup_free_ _cleanup_(freep)

struct daemon;
struct watched_set;

/* --- log.c: what is no alert ------------------------------------------------ */

/* To the journal as a service, else to stderr. LOG_DEBUG needs --verbose. */
void log_open(bool to_stderr, bool verbose);
/* From now on a thread writes to the journal, and nobody waits for it. */
int log_start(struct daemon *daemon);
/* Until all is written, but no longer than this. */
void log_stop(unsigned int timeout_ms);
void log_print(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...)		log_print(LOG_ERR, __VA_ARGS__)
#define log_warning(...)	log_print(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)		log_print(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)		log_print(LOG_INFO, __VA_ARGS__)
#define log_debug(...)		log_print(LOG_DEBUG, __VA_ARGS__)
/* One entry of the journal with fields of its own, as sd_journal_sendv(); to stderr the
 * MESSAGE= of it alone.
 */
struct iovec;
void log_fields(int priority, const struct iovec *fields, int nr);

/* Nanoseconds since 1970. Tests put a clock of their own in its place. */
uint64_t clock_now(void);

/* --- memory.c: when there is none ---------------------------------------------- */

/* Ends the process, with status 1 and a sentence to stderr. Anywhere, in any thread. */
void out_of_memory(void) __attribute__((noreturn));

/* --- worker.c: threads for what waits --------------------------------------- */

/*
 * One thread for each lane, started at its first job, with a small stack; it does its
 * jobs one after another. The library is not thread-safe: only the lane
 * `spare` uses libdevmapper and libblkid; every lane has its own netlink connection.
 */
#define WORKER_MOVES	4
#define WORKER_PROBES	4
enum worker_lane {
	WORKER_QUERY,	/* dumps and other questions to the module: soon answered */
	WORKER_CHANGE,	/* policy, scrubs: waits for its turn behind blocks that are moved */
	WORKER_SPARE,	/* adding spares */
	WORKER_STORAGE,	/* history and state: may hang as long as the disk does */
	WORKER_HOOKS,	/* people's programs */
	WORKER_SMART,	/* starting smartctl, which is read off a disk too */
	WORKER_PROBE,	/* reading labels off devices that may hang: one keeps no others */
	WORKER_MOVE = WORKER_PROBE + WORKER_PROBES,	/* moving blocks: several lanes, so that one disk does not keep others */
	NR_WORKER_LANES = WORKER_MOVE + WORKER_MOVES,
};

struct worker;		/* one lane */

/*
 * In the thread. @arg belongs to the job until @done. The sentence of a failure goes
 * to @err. Looks at worker_stopping() between the steps of long work.
 */
typedef int (*worker_fn)(struct worker *worker, void *arg, struct dmremap_error *err);
/*
 * In the loop, exactly once for each job that was submitted, in order; there @arg is freed.
 * @result -ECANCELED: the daemon ends, and it was never begun or gave up. What @arg
 * refers to may be gone by then: find sets again by UUID (set_find()).
 */
typedef void (*worker_done_fn)(struct daemon *daemon, void *arg, int result,
			       const struct dmremap_error *err);

int worker_init(struct daemon *daemon);
/* -ENOBUFS if the lane has WORKER_QUEUE jobs waiting; then @done is not called. */
#define WORKER_QUEUE	1024
int worker_submit(struct daemon *daemon, enum worker_lane lane, worker_fn fn, void *arg,
		  worker_done_fn done);
/*
 * In a job: the lane's connection to the module, opened when first asked for. Call
 * worker_nl_drop() after -ENOENT from it: the module was unloaded.
 */
int worker_nl(struct worker *worker, struct dmremap_nl **nl, struct dmremap_error *err);
void worker_nl_drop(struct worker *worker);
bool worker_stopping(const struct worker *worker);
/*
 * Ends all lanes and calls what is left of @done. Waits at most @timeout_ms; a thread
 * that hangs in the kernel is left behind, and its job's @done is not called. Jobs of
 * the storage lane are still done. A command to the module that moves blocks ends
 * after the slice that it is at when the process ends.
 */
void worker_stop(struct daemon *daemon, unsigned int timeout_ms);

/* --- config.c, config-keys.c: settings -------------------------------------- */

#define CONFIG_VENDOR	"/usr/lib/dm-remap"
#define CONFIG_RUN	"/run/dm-remap"
#define CONFIG_ADMIN	"/etc/dm-remap"

/* What may be set for one set in `[set NAME]`; NAME is its name or UUID. */
struct set_config {
	bool policy;			/* send policy at all */
	bool policy_health;		/* of what is sent, some depends on the drive's health */
	struct dmremap_policy values;	/* its version is not used */

	uint64_t scrub_interval;	/* seconds; 0: never by itself */

	bool relocate_slow;		/* rules: move what turned slow */
	bool relocate_neighbours;	/* and what lies beside what failed */
	uint32_t neighbour_distance;	/* blocks to each side */
	uint64_t relocate_budget;	/* blocks a day; 0: none */
	uint32_t relocate_reserve;	/* percent of all slots that rules leave free */

	bool start_degraded;		/* at boot, when a spare did not appear */

	bool spare_auto;		/* add labelled spares */
	uint32_t spare_threshold;	/* percent of free slots below which one is added */
	char spare_domain[64];		/* only those of this domain; empty: without one */
	uint32_t spare_max_tier;	/* none of a higher tier */
};

struct config {
	bool lock_memory;

	bool smart;
	uint64_t smart_interval;	/* seconds */
	char smartctl[DMREMAP_PATH_SIZE];

	uint64_t reminder_interval;	/* seconds; 0: no reminders */
	char hook_directory[DMREMAP_PATH_SIZE];
	uint64_t hook_timeout;		/* seconds */

	bool history;
	uint64_t history_max;		/* bytes */
	uint64_t sample_interval;	/* seconds between samples of statistics; 0: none */

	struct set_config defaults;
	unsigned int nr_sets;
	struct named_config *sets;	/* of `[set NAME]` */
};

/* @root: put before every path, for tests and --root; "" otherwise. */
int config_load(const char *root, struct config **config, struct dmremap_error *err);
void config_free(struct config *config);
/* What holds for a set: never NULL. Asked for again after each reload. */
const struct set_config *config_of(const struct config *config, const char *name,
				   const char *uuid);
/* All keys with section, help, range and the value in force: --print-config. */
void config_print(const struct config *config, FILE *file);

/* --- json.c: objects of json-c -------------------------------------------------- */

struct json_object;

/*
 * What is made here is never NULL: see out_of_memory(). May be called in any thread, each object
 * by one at a time. Objects that are added are given away.
 */
struct json_object *json_new(void);
struct json_object *json_new_list(void);
void json_add(struct json_object *o, const char *key, struct json_object *value);
void json_add_number(struct json_object *o, const char *key, uint64_t value);
void json_add_text(struct json_object *o, const char *key, const char *value);	/* NULL: not */
void json_append(struct json_object *list, struct json_object *value);
void json_append_number(struct json_object *list, uint64_t value);
/* NULL and 0 where there is no such member, or @o is none that could have one. */
struct json_object *json_get(struct json_object *o, const char *key);
uint64_t json_get_number(struct json_object *o, const char *key);
const char *json_get_text(struct json_object *o, const char *key);	/* belongs to @o */
/* A copy of its text, to be freed, with JSON_C_TO_STRING_*; NULL without memory. */
char *json_text(struct json_object *o, int flags);

/* --- state.c: what outlives the daemon --------------------------------------- */

/*
 * A JSON object in STATE_PATH: one member for each file that keeps something here. Small.
 * It is written whole, beside the old one, and renamed; soon after a change.
 */
#define STATE_DIRECTORY	"/var/lib/dm-remap"	/* or $STATE_DIRECTORY */

/* A damaged file is put aside, told, and taken as empty. */
int state_open(struct daemon *daemon);
/* What is kept under @key, or NULL. Belongs to the state; valid until it is put again. */
struct json_object *state_get(struct daemon *daemon, const char *key);
/* Keep @value (given away) under @key. Written within a second. */
void state_put(struct daemon *daemon, const char *key, struct json_object *value);
/* Write now what is not written yet, at the end. */
void state_close(struct daemon *daemon);

/* --- record.c: the history, from the loop ------------------------------------ */

/* In $STATE_DIRECTORY, or at DMREMAP_HISTORY_PATH. */
int record_start(struct daemon *daemon);
void record_event(struct daemon *daemon, const struct dmremap_event *event);
/* @what "smart" or "stats"; @subject: path or serial of a disk, UUID of a set. */
void record_sample(struct daemon *daemon, const char *what, const char *subject,
		   struct json_object *sample);
void record_stop(struct daemon *daemon);

/* --- hooks.c: programs that are run for alerts -------------------------------- */

int hooks_start(struct daemon *daemon);
/* @environment: "KEY=value" strings ended by NULL, copied. */
void hooks_run(struct daemon *daemon, const char *const *environment);
void hooks_stop(struct daemon *daemon);

/* --- alert.c, alert-table.c: what people are told ------------------------------ */

/*
 * Conditions begin and end; acts happen. messages.h has the MESSAGE_ID of each,
 * packaging/catalog what it means and what to do.
 */
enum alert_kind {
	/* Conditions. Identity: kind, set, and subject. */
	ALERT_SPARE_LOW,
	ALERT_SPARE_FULL,
	ALERT_SPARE_FAILED,		/* subject: UUID of the spare */
	ALERT_MAP_LOW,			/* records of the map, of which each entry needs one */
	ALERT_MAP_FULL,
	ALERT_HEADER_OUT,		/* the data device's own copy of the map */
	ALERT_BREAKER_OPEN,
	ALERT_FROZEN,
	ALERT_SECTORS_LOST,
	ALERT_DISK_FAILING,		/* subject: the disk (model and serial, or path) */
	ALERT_BUDGET_USED,		/* rules may move nothing more today */
	ALERT_RESERVE_REACHED,		/* rules would need the slots that are kept free */
	ALERT_NO_SPARE_FOUND,		/* one is wanted, none fits; detail says why */
	NR_ALERT_CONDITIONS,

	/* Acts of the daemon. */
	ALERT_SPARE_ADDED = NR_ALERT_CONDITIONS,
	ALERT_SPARE_ADD_FAILED,
	ALERT_MOVED_AHEAD,		/* blocks were relocated before they failed */
	ALERT_MOVE_FAILED,
	ALERT_POLICY_SENT,
	ALERT_POLICY_REFUSED,
	ALERT_POLICY_FOREIGN,		/* an administrator set one by hand: it is left alone */
	ALERT_POLICY_EXPIRED,
	ALERT_SCRUB_STARTED,
	ALERT_SCRUB_DONE,
	/* What happened. */
	ALERT_SPARE_JOINED,
	ALERT_SPARE_LEFT,
	ALERT_EVENTS_LOST,
	ALERT_HISTORY_DAMAGED,
	ALERT_HOOK_FAILED,
	NR_ALERTS,
};

/* Strings may be NULL and numbers 0: then the field is not there. */
struct alert {
	enum alert_kind kind;
	const char *name, *uuid;	/* of the set; NULL: of none */
	const char *subject;		/* see above; part of the identity */
	const char *spare;		/* path or UUID: DMREMAP_SPARE= */
	const char *disk;		/* path: DMREMAP_DISK= */
	const char *detail;		/* one or two sentences added to the kind's own */
	const char *reason;		/* a word or a sentence: DMREMAP_REASON= */
	uint64_t count;			/* blocks, slots, sectors: DMREMAP_COUNT= */
	bool has_sector;
	uint64_t sector;		/* of the mapped device: DMREMAP_SECTOR= */
};

int alert_start(struct daemon *daemon);
/*
 * A condition holds, or does not. Telling the same again costs little and tells nobody.
 * A count that grew is told by the next reminder.
 */
void alert_condition(struct daemon *daemon, const struct alert *alert, bool holds);
/* Does it hold, as far as was told? */
bool alert_holds(struct daemon *daemon, enum alert_kind kind, const char *uuid,
		 const char *subject);
/* An act or something that happened: told each time. */
void alert_tell(struct daemon *daemon, const struct alert *alert);
/* A set is gone from this machine's use: nothing of it is reminded of until it is back. */
void alert_set_gone(struct daemon *daemon, const char *uuid);
/* Conditions of this kind and set with any other subject than these are over. */
void alert_only(struct daemon *daemon, enum alert_kind kind, const char *uuid,
		const char *const *subjects, unsigned int nr);
/* Number of conditions that hold. */
unsigned int alert_count(struct daemon *daemon);
void alert_reload(struct daemon *daemon);
void alert_stop(struct daemon *daemon);

/* --- policy.c: what the module is told ----------------------------------------- */

/* Compute, compare with what is in force, send. Called whenever either may have changed. */
void policy_update(struct daemon *daemon, struct watched_set *set);
/* The module told of a policy that came into force. */
void policy_event(struct daemon *daemon, struct watched_set *set,
		  const struct dmremap_event *event);
void policy_reload(struct daemon *daemon);
/* A drive began to fail, or does no longer. */
void policy_health_changed(struct daemon *daemon);
/* Percent of free slots below which a set is low, as the module counts it. */
uint32_t policy_spare_low(struct daemon *daemon, const struct watched_set *set);
void policy_set_gone(struct daemon *daemon, struct watched_set *set);

/* --- scrub.c: reading everything now and then ----------------------------------- */

int scrub_start(struct daemon *daemon);
void scrub_event(struct daemon *daemon, struct watched_set *set,
		 const struct dmremap_event *event);
/* It began or ended, as a dump tells: the event may have been lost. */
void scrub_changed(struct daemon *daemon, struct watched_set *set);
/* The set is there, and all of it is known. */
void scrub_set_known(struct daemon *daemon, struct watched_set *set);
void scrub_set_gone(struct daemon *daemon, struct watched_set *set);
void scrub_reload(struct daemon *daemon);
void scrub_stop(struct daemon *daemon);

/* --- sample.c: statistics for the history ---------------------------------------- */

int sample_start(struct daemon *daemon);
void sample_reload(struct daemon *daemon);
void sample_stop(struct daemon *daemon);

/* --- disk.c: the disks behind a device ------------------------------------------- */

#define DISK_MAX	32

struct disk {
	char path[DMREMAP_PATH_SIZE];	/* /dev/sda */
	unsigned int major, minor;
	char serial[DMR_ID_SIZE];	/* empty if it has none, or is virtual */
	char wwn[DMR_ID_SIZE];
	char model[64];
	bool rotational, virtual_;
};

/* Through partitions, device-mapper and md, from sysfs alone. Number of disks, or errno. */
int disk_resolve(unsigned int major, unsigned int minor, struct disk *disks, size_t max);
/* The same below @root, for tests. */
int disk_resolve_at(const char *root, unsigned int major, unsigned int minor,
		    struct disk *disks, size_t max);

/* --- smart.c: what the drives say of themselves ------------------------------------ */

int smart_start(struct daemon *daemon);
/* Members of sets came or went. */
void smart_members_changed(struct daemon *daemon);
void smart_reload(struct daemon *daemon);
void smart_stop(struct daemon *daemon);
/* Do the drives behind this device say that they fail? Rules ask before they choose. */
bool smart_failing(struct daemon *daemon, unsigned int major, unsigned int minor);

/* --- spares.c: labelled spares ------------------------------------------------------- */

int spares_start(struct daemon *daemon);
/* Slots, members or settings of @set have changed: does it need a spare, is there one? */
void spares_set_changed(struct daemon *daemon, struct watched_set *set);
void spares_set_gone(struct daemon *daemon, struct watched_set *set);
void spares_reload(struct daemon *daemon);
void spares_stop(struct daemon *daemon);

/* --- rules.c: acting before loss ------------------------------------------------------ */

int rules_start(struct daemon *daemon);
/* Every event of a set, in order. */
void rules_event(struct daemon *daemon, struct watched_set *set,
		 const struct dmremap_event *event);
/* The set was activated anew, or is gone: forget what waits (set->rules). */
void rules_set_gone(struct daemon *daemon, struct watched_set *set);
void rules_reload(struct daemon *daemon);
void rules_stop(struct daemon *daemon);

/* --- sets.c: the sets in use ----------------------------------------------------------- */

struct watched_set {
	LIST_ENTRY(watched_set) link;
	struct dmremap_nl_device device;	/* as last told: name, uuid, session, slots ... */
	unsigned int nr_spares;
	struct dmremap_nl_spare spares[DMR_MAX_MEMBERS];
	uint64_t seq;			/* of the last event seen in this session */
	bool known;			/* it was dumped: device and spares are filled in */
	bool seen;			/* by the dump that is going on */
	bool stale;			/* ask the module again soon */

	struct set_policy *policy;	/* policy.c */
	struct set_scrub *scrub;	/* scrub.c */
	struct set_rules *rules;	/* rules.c; NULL at first, freed in rules_set_gone() */
	struct set_spares *spare_search;	/* spares.c; likewise in spares_set_gone() */
};

LIST_HEAD(watched_sets, watched_set);

int sets_start(struct daemon *daemon);
/* Tell what of the conditions of a set holds by what is known of it now. */
void set_conditions(struct daemon *daemon, struct watched_set *set);
/* Path of a member's device; its UUID or number without one. */
void set_spare_name(const struct watched_set *set, int member, char *buf, size_t size);
/* All of them, asked anew: at the start, after events were lost. */
void sets_resync(struct daemon *daemon, const char *why);
/* Ask the module for this one again, within a second. */
void set_refresh(struct daemon *daemon, struct watched_set *set);
/* By UUID; NULL. */
struct watched_set *set_find(struct daemon *daemon, const char *uuid);
/* A set that sends events and is not known: is added, and asked for. */
struct watched_set *set_learn(struct daemon *daemon, const struct dmremap_event *event);
void set_forget(struct daemon *daemon, struct watched_set *set);
void sets_stop(struct daemon *daemon);

/* --- family.c: is the module there? ------------------------------------------------------- */

struct family_watch;

/* @there: it was loaded, or may have been; else it is gone. */
typedef void (*family_fn)(struct daemon *daemon, bool there);

int family_watch_open(struct daemon *daemon, family_fn fn, struct family_watch **watch);
void family_watch_free(struct family_watch *watch);

/* --- events.c: listening ------------------------------------------------------------------ */

/* Opens the monitor; tries again when the module appears. */
int events_start(struct daemon *daemon);
void events_stop(struct daemon *daemon);

/* --- degraded.c: a set that misses spares, at boot --------------------------------------- */

/* What --start-degraded does, instead of the loop. */
int start_degraded(const struct config *config, const char *uuid);

/* --- main.c --------------------------------------------------------------------------------- */

struct daemon {
	sd_event *event;
	const char *root;		/* "" */
	struct config *config;
	struct watched_sets sets;

	/* Each file's own; NULL until its start function ran. */
	struct worker_pool *workers;
	struct state *state;
	struct record *record;
	struct hooks *hooks;
	struct alerts *alerts;
	struct scrubs *scrubs;
	struct samples *samples;
	struct smart *smart;
	struct spares *spares;
	struct probes *probes;
	struct rules *rules;
	struct set_watch *watch;
	struct listener *listener;
};

/* "3 sets" for systemctl status, and the like. */
void daemon_status(struct daemon *daemon);

#endif
