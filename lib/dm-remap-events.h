/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libdmremap: what the module tells of sets in use and is told, its events, and the
 * history that dmremapd keeps of them. A part of dm-remap.h, whose conventions and errors
 * hold here, too.
 */
#ifndef DMREMAP_EVENTS_H
#define DMREMAP_EVENTS_H

#include "dm-remap.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Netlink: the module's own interface ---------------------------------- */

/*
 * A connection to the module for commands, used by one thread at a time. A command
 * that moves blocks blocks its thread until it is durable. dmremap_nl_open():
 * -ENOENT if the module is not loaded, -EPERM without CAP_NET_ADMIN. Any later
 * call: -ENOENT when the module was unloaded meanwhile (open it again), else what
 * the module answered, with its own sentence in @err.
 * @name is the mapped device's name or the set's UUID.
 */
struct dmremap_nl;

int dmremap_nl_open(struct dmremap_nl **nl, struct dmremap_error *err);
void dmremap_nl_free(struct dmremap_nl *nl);

enum dmremap_scrub_state {		/* as enum dmr_nl_scrub_state */
	DMREMAP_SCRUB_IDLE = 0,
	DMREMAP_SCRUB_RUNNING,
	DMREMAP_SCRUB_PAUSED,
	DMREMAP_SCRUB_DONE,
};

struct dmremap_scrub {
	enum dmremap_scrub_state state;
	uint64_t first, end, position;	/* blocks */
	uint64_t rate;			/* KiB a second, lately */
	uint64_t started, elapsed;	/* seconds since 1970; seconds */
	uint64_t lost, slow, skipped;	/* blocks */
};

/* A set in use, as the module tells it. */
struct dmremap_nl_device {
	char name[DMREMAP_NAME_SIZE];
	char uuid[DMREMAP_UUID_SIZE];
	unsigned int major, minor;
	uint64_t session;		/* another one after each activation */
	uint32_t mode;			/* enum dmr_nl_mode */
	uint64_t generation;
	uint32_t block_sectors;
	uint64_t sectors;
	unsigned int data_major, data_minor;
	uint64_t data_offset;
	uint64_t slots_used, slots;
	uint64_t remapped, lost;
	uint64_t records_used, records;
	uint32_t breaker;		/* enum dmr_nl_breaker */
	bool degraded, header_out;
	uint64_t event_seq, event_dropped;
	unsigned int nr_counters;
	struct dmremap_counter counters[DMREMAP_MAX_COUNTERS];
	struct dmremap_scrub scrub;
};

struct dmremap_nl_spare {
	unsigned int member;
	uint32_t state;			/* enum dmr_nl_member_state */
	char uuid[DMREMAP_UUID_SIZE];
	unsigned int major, minor;	/* 0:0 if missing */
	uint64_t used, slots, bad;
	uint32_t tier;
};

/*
 * Dumps call @fn for each; if it returns non-zero the dump ends with that. @name
 * NULL: all sets. -EINTR: what was dumped changed meanwhile, ask again.
 */
typedef int (*dmremap_nl_device_fn)(const struct dmremap_nl_device *device, void *arg);
typedef int (*dmremap_nl_spare_fn)(const struct dmremap_nl_spare *spare, void *arg);

int dmremap_nl_devices(struct dmremap_nl *nl, const char *name, dmremap_nl_device_fn fn,
		       void *arg, struct dmremap_error *err);
/* -ENODEV if there is no such set in use. */
int dmremap_nl_device(struct dmremap_nl *nl, const char *name,
		      struct dmremap_nl_device *device, struct dmremap_error *err);
int dmremap_nl_spares(struct dmremap_nl *nl, const char *name, dmremap_nl_spare_fn fn,
		      void *arg, struct dmremap_error *err);

#define DMREMAP_NL_CLASSES	10	/* enum dmr_nl_class */
#define DMREMAP_NL_PATHS	4	/* enum dmr_nl_path */

/* Of one member; [0] reads, [1] writes. */
struct dmremap_nl_stats {
	unsigned int member;
	uint64_t ios[2][DMREMAP_NL_PATHS], sectors[2][DMREMAP_NL_PATHS];	/* member 0 */
	uint64_t errors[2][DMREMAP_NL_CLASSES];
	uint64_t latency[2][DMR_NL_BUCKETS];
};
typedef int (*dmremap_nl_stats_fn)(const struct dmremap_nl_stats *stats, void *arg);

int dmremap_nl_stats(struct dmremap_nl *nl, const char *name, dmremap_nl_stats_fn fn,
		     void *arg, struct dmremap_error *err);

int dmremap_nl_policy_get(struct dmremap_nl *nl, const char *name,
			  struct dmremap_policy *policy, struct dmremap_error *err);
/* Puts all of @policy into force; on success @policy is what is in force. -ESTALE: the
 * version is not above the one in force.
 */
int dmremap_nl_policy_set(struct dmremap_nl *nl, const char *name,
			  struct dmremap_policy *policy, struct dmremap_error *err);
/*
 * @result (may be NULL) is filled on failure too. @slow_only: what reads well now is
 * left where it is and counted as unchanged.
 */
int dmremap_nl_relocate(struct dmremap_nl *nl, const char *name, uint64_t first,
			uint64_t count, bool slow_only, struct dmremap_result *result,
			struct dmremap_error *err);

enum dmremap_scrub_command {
	DMREMAP_SCRUB_START,
	DMREMAP_SCRUB_PAUSE,
	DMREMAP_SCRUB_RESUME,
	DMREMAP_SCRUB_CANCEL,
};

/* @first and @count are for START, in blocks; @count 0: to the end. */
int dmremap_nl_scrub(struct dmremap_nl *nl, const char *name,
		     enum dmremap_scrub_command command, uint64_t first, uint64_t count,
		     struct dmremap_error *err);
int dmremap_nl_spare_add(struct dmremap_nl *nl, const char *name, unsigned int major,
			 unsigned int minor, unsigned int *member, struct dmremap_error *err);
int dmremap_nl_spare_retire(struct dmremap_nl *nl, const char *name, unsigned int member,
			    struct dmremap_error *err);

/* --- Events ---------------------------------------------------------------- */

#define DMREMAP_EVENT_EXTENTS	64

/* Of kind: no event of the module, but what dmremapd did, or told people. In the history. */
#define DMREMAP_EVENT_ACT	62

/* One message of the module, or one row of the history. See include/dm-remap.yaml. */
struct dmremap_event {
	char name[DMREMAP_NAME_SIZE];
	char uuid[DMREMAP_UUID_SIZE];
	unsigned int major, minor;
	uint64_t session, seq, dropped;
	uint32_t kind;			/* enum dmr_nl_event */
	uint64_t time, time_last;	/* nanoseconds since 1970 */
	uint64_t occurrences, total;
	int32_t member;			/* -1: of none */
	int32_t direction;		/* enum dmr_nl_direction; -1: of none */
	int32_t class_;			/* enum dmr_nl_class; -1: of none */
	char spare_uuid[DMREMAP_UUID_SIZE];
	unsigned int nr_extents;
	struct dmremap_range extents[DMREMAP_EVENT_EXTENTS];	/* sectors of the mapped device */
	uint64_t extents_lost;
	uint64_t max_us;
	bool has_slots, has_policy, has_scrub;
	uint64_t slots_used, slots;
	int32_t breaker;		/* enum dmr_nl_breaker; -1: not told */
	int32_t reason;			/* enum dmr_nl_reason; -1: not told */
	struct dmremap_policy policy;
	struct dmremap_scrub scrub;
	char act[32];			/* of DMREMAP_EVENT_ACT: "spare-added" */
	char message[512];		/* and its sentences */
};

/* "read-error", as in include/dm-remap.yaml, or "act"; "unknown" for one that is not. */
const char *dmremap_event_name(uint32_t kind);
/* -EINVAL. */
int dmremap_event_parse_name(const char *name, uint32_t *kind, struct dmremap_error *err);
const char *dmremap_class_name(uint32_t class_);
const char *dmremap_scrub_state_name(enum dmremap_scrub_state state);
/* One sentence for people: what happened, to what and where. Returns @buf. */
char *dmremap_event_text(const struct dmremap_event *event, char *buf, size_t size);
/* As a JSON object of one line, and back. The caller frees *json. -EBADMSG. */
int dmremap_event_to_json(const struct dmremap_event *event, char **json);
int dmremap_event_from_json(const char *json, struct dmremap_event *event,
			    struct dmremap_error *err);

/*
 * Listening. The descriptor polls readable; it is non-blocking. Errors as for
 * dmremap_nl_open(). dmremap_monitor_next(): 1 an event, 0 none for now, -ENOBUFS:
 * events were lost because this listener was too slow, dump the state and go on.
 */
struct dmremap_monitor;

int dmremap_monitor_open(struct dmremap_monitor **monitor, struct dmremap_error *err);
void dmremap_monitor_free(struct dmremap_monitor *monitor);
int dmremap_monitor_fd(const struct dmremap_monitor *monitor);
int dmremap_monitor_next(struct dmremap_monitor *monitor, struct dmremap_event *event,
			 struct dmremap_error *err);

/* --- History ---------------------------------------------------------------- */

/* What dmremapd keeps of the past, in SQLite. Anyone may read while it writes. */
#define DMREMAP_HISTORY_PATH	"/var/lib/dm-remap/history.db"

struct dmremap_history;

/* @path NULL: DMREMAP_HISTORY_PATH. Read-only. -ENOENT: there is none yet. */
int dmremap_history_open(const char *path, struct dmremap_history **history,
			 struct dmremap_error *err);
/*
 * For the daemon: made if missing. One that is damaged is put aside under a name with
 * the date and made anew: then it returns 1, and @err tells the name. -EUCLEAN from
 * any other function means that it is damaged: free it, and create it again.
 */
int dmremap_history_create(const char *path, struct dmremap_history **history,
			   struct dmremap_error *err);
void dmremap_history_free(struct dmremap_history *history);

/* Daemon's side. Rows are written in batches: lost are at most those since the last sync. */
int dmremap_history_add_event(struct dmremap_history *history,
			      const struct dmremap_event *event, struct dmremap_error *err);
/* A sample of anything, as JSON: @what "smart" or "stats", @subject a disk or set. */
int dmremap_history_add_sample(struct dmremap_history *history, const char *what,
			       const char *subject, uint64_t time_ns, const char *json,
			       struct dmremap_error *err);
int dmremap_history_sync(struct dmremap_history *history, struct dmremap_error *err);
/*
 * Drop the oldest rows until it is within @max_bytes; costs next to nothing if it is.
 * -EBUSY: a reader that stands still keeps it from shrinking; add nothing for now.
 */
int dmremap_history_trim(struct dmremap_history *history, uint64_t max_bytes,
			 struct dmremap_error *err);

struct dmremap_history_query {
	const char *name;	/* set by name or UUID; NULL: all */
	uint64_t since, until;	/* nanoseconds since 1970; 0: open */
	uint64_t kinds;		/* bit per kind of event; 0: all */
	uint64_t last;		/* only the newest so many; 0: all */
};

typedef int (*dmremap_history_event_fn)(const struct dmremap_event *event, void *arg);
typedef int (*dmremap_history_sample_fn)(const char *subject, uint64_t time_ns,
					 const char *json, void *arg);

/* Oldest first; a non-zero return of @fn ends it with that. */
int dmremap_history_events(struct dmremap_history *history,
			   const struct dmremap_history_query *query,
			   dmremap_history_event_fn fn, void *arg, struct dmremap_error *err);
int dmremap_history_samples(struct dmremap_history *history, const char *what,
			    const char *subject, uint64_t since, uint64_t until,
			    dmremap_history_sample_fn fn, void *arg,
			    struct dmremap_error *err);

#ifdef __cplusplus
}
#endif

#endif /* DMREMAP_EVENTS_H */
