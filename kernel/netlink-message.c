// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the messages of the netlink family hold: each function adds the attributes of
 * one thing. What they mean is said in include/dm-remap.yaml.
 */
#include "netlink.h"

/* --- Pieces of messages -------------------------------------------------- */

int nl_put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, DMR_A_PAD);
}

/* Name and UUID of the set, and the numbers of its device if @dev. */
int nl_put_set(struct sk_buff *skb, struct remap_set *set, bool dev)
{
	char uuid[UUID_STRING_LEN + 1], name[DM_NAME_LEN];
	dev_t devt = disk_devt(dm_disk(dm_table_get_md(set->ti->table)));

	snprintf(uuid, sizeof(uuid), "%pUb", set->store.set_uuid);
	set_dm_name(set, name);
	if (nla_put_string(skb, DMR_A_NAME, name) || nla_put_string(skb, DMR_A_UUID, uuid))
		return -EMSGSIZE;
	if (dev && (nla_put_u32(skb, DMR_A_MAJOR, MAJOR(devt)) ||
		    nla_put_u32(skb, DMR_A_MINOR, MINOR(devt))))
		return -EMSGSIZE;
	return 0;
}

int nl_put_scrub(struct sk_buff *skb, struct remap_set *set)
{
	struct nlattr *nest = nla_nest_start(skb, DMR_A_SCRUB);
	struct dmr_scrub now;
	u64 rate;

	if (!nest)
		return -EMSGSIZE;
	scrub_get(set, &now, &rate);
	if (nla_put_u32(skb, DMR_A_SCRUB_STATE, le32_to_cpu(now.state)) ||
	    nl_put_u64(skb, DMR_A_SCRUB_FIRST, le64_to_cpu(now.first)) ||
	    nl_put_u64(skb, DMR_A_SCRUB_END, le64_to_cpu(now.end)) ||
	    nl_put_u64(skb, DMR_A_SCRUB_POSITION, le64_to_cpu(now.position)) ||
	    nl_put_u64(skb, DMR_A_SCRUB_RATE, rate) ||
	    nl_put_u64(skb, DMR_A_SCRUB_STARTED, le64_to_cpu(now.started)) ||
	    nl_put_u64(skb, DMR_A_SCRUB_ELAPSED, le64_to_cpu(now.elapsed)) ||
	    nl_put_u64(skb, DMR_A_SCRUB_LOST, le64_to_cpu(now.lost)) ||
	    nl_put_u64(skb, DMR_A_SCRUB_SLOW, le64_to_cpu(now.slow)) ||
	    nl_put_u64(skb, DMR_A_SCRUB_SKIPPED, le64_to_cpu(now.skipped)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

int nl_put_policy(struct sk_buff *skb, struct remap_set *set)
{
	struct nlattr *nest = nla_nest_start(skb, DMR_A_POLICY);
	struct dmr_policy p;

	if (!nest)
		return -EMSGSIZE;
	policy_copy(set, &p);
	if (nl_put_u64(skb, DMR_A_POLICY_VERSION, le64_to_cpu(p.version)) ||
	    nla_put_u32(skb, DMR_A_POLICY_HEAL, le32_to_cpu(p.heal)) ||
	    nla_put_u32(skb, DMR_A_POLICY_UNREADABLE, le32_to_cpu(p.unreadable)) ||
	    nla_put_u32(skb, DMR_A_POLICY_IOERR, le32_to_cpu(p.ioerr)) ||
	    nla_put_u32(skb, DMR_A_POLICY_RETRIES, le32_to_cpu(p.retries)) ||
	    nla_put_u32(skb, DMR_A_POLICY_SLOW_MS, le32_to_cpu(p.slow_ms)) ||
	    nla_put_u32(skb, DMR_A_POLICY_SAMPLE, le32_to_cpu(p.sample)) ||
	    nla_put_u32(skb, DMR_A_POLICY_BREAKER_STREAK,
			policy_value(p.breaker_streak, DMR_DEFAULT_STREAK)) ||
	    nla_put_u32(skb, DMR_A_POLICY_BREAKER_MS,
			policy_value(p.breaker_ms, DMR_DEFAULT_BREAKER_MS)) ||
	    nla_put_u32(skb, DMR_A_POLICY_RELOCATE_RATE, le32_to_cpu(p.relocate_rate)) ||
	    nla_put_u32(skb, DMR_A_POLICY_SCRUB_RATE,
			policy_value(p.scrub_rate, DMR_DEFAULT_SCRUB_RATE)) ||
	    nla_put_u32(skb, DMR_A_POLICY_SPARE_LOW,
			policy_value(p.spare_low, DMR_DEFAULT_SPARE_LOW + 1) - 1) ||
	    nla_put_u32(skb, DMR_A_POLICY_LIFETIME, le32_to_cpu(p.lifetime)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_counters(struct sk_buff *skb, struct remap_set *set)
{
	struct nlattr *nest = nla_nest_start(skb, DMR_A_COUNTERS);
	unsigned int i;

	BUILD_BUG_ON(DMR_A_COUNTERS_FLUSH_ERRORS - DMR_A_COUNTERS_READ_ERRORS !=
		     C_FLUSH_ERRORS - C_READ_ERRORS);
	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < NR_COUNTERS; i++)
		if (nl_put_u64(skb, DMR_A_COUNTERS_READ_ERRORS + i,
			       atomic64_read(&set->counters[i])))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

int nl_put_device(struct sk_buff *skb, struct remap_set *set)
{
	struct remap_map *map = &set->map;
	u32 breaker = DMR_NL_BREAKER_CLOSED;
	u64 used, slots;
	dev_t data = set->members[0]->bdev->bd_dev;

	if (set->breaker_open)
		breaker = set->breaker_write ? DMR_NL_BREAKER_OPEN_WRITES : DMR_NL_BREAKER_OPEN;
	spare_total(set, &used, &slots);
	if (nl_put_set(skb, set, true) ||
	    nl_put_u64(skb, DMR_A_SESSION, set->store.session) ||
	    nla_put_u32(skb, DMR_A_MODE,
			set->store.frozen ? DMR_NL_MODE_FROZEN : DMR_NL_MODE_RW) ||
	    nl_put_u64(skb, DMR_A_GENERATION, set->store.gen) ||
	    nla_put_u32(skb, DMR_A_BLOCK_SECTORS, set->block_sectors) ||
	    nl_put_u64(skb, DMR_A_SECTORS, set->data_sectors) ||
	    nla_put_u32(skb, DMR_A_DATA_MAJOR, MAJOR(data)) ||
	    nla_put_u32(skb, DMR_A_DATA_MINOR, MINOR(data)) ||
	    nl_put_u64(skb, DMR_A_DATA_OFFSET, set->rt->data_offset) ||
	    nl_put_u64(skb, DMR_A_SLOTS_USED, used) || nl_put_u64(skb, DMR_A_SLOTS, slots) ||
	    nl_put_u64(skb, DMR_A_REMAPPED, map->remapped) ||
	    nl_put_u64(skb, DMR_A_LOST, map->lost) ||
	    nl_put_u64(skb, DMR_A_RECORDS_USED, map->nr_records - map->free_records) ||
	    nl_put_u64(skb, DMR_A_RECORDS, map->nr_records) ||
	    nla_put_u32(skb, DMR_A_BREAKER, breaker) ||
	    (set->degraded_ok && nla_put_flag(skb, DMR_A_DEGRADED)) ||
	    (set->members[0]->state == MEMBER_OUT && nla_put_flag(skb, DMR_A_HEADER_OUT)) ||
	    nl_put_u64(skb, DMR_A_EVENT_SEQ, READ_ONCE(set->events.seq)) ||
	    nl_put_u64(skb, DMR_A_EVENT_DROPPED, READ_ONCE(set->events.dropped)) ||
	    put_counters(skb, set) || nl_put_scrub(skb, set))
		return -EMSGSIZE;
	return 0;
}

static u32 member_state(const struct remap_member *m)
{
	if (!is_member(m))
		return DMR_NL_MEMBER_STATE_LEFT;
	if (m->leaving)
		return DMR_NL_MEMBER_STATE_LEAVING;
	switch (m->state) {
	case MEMBER_ACTIVE:
		return DMR_NL_MEMBER_STATE_ACTIVE;
	case MEMBER_MISSING:
		return DMR_NL_MEMBER_STATE_MISSING;
	default:
		return DMR_NL_MEMBER_STATE_OUT;
	}
}

static int put_member(struct sk_buff *skb, const struct remap_member *m)
{
	char uuid[UUID_STRING_LEN + 1];

	snprintf(uuid, sizeof(uuid), "%pUb", m->uuid);
	if (nla_put_u32(skb, DMR_A_SPARE, m->index) ||
	    nla_put_u32(skb, DMR_A_SPARE_STATE, member_state(m)) ||
	    nla_put_string(skb, DMR_A_SPARE_UUID, uuid))
		return -EMSGSIZE;
	return 0;
}

int nl_put_spare(struct sk_buff *skb, struct remap_set *set, const struct remap_member *m)
{
	dev_t dev = member_dev(m);

	if (nl_put_set(skb, set, false) || put_member(skb, m) ||
	    (dev && (nla_put_u32(skb, DMR_A_SPARE_MAJOR, MAJOR(dev)) ||
		     nla_put_u32(skb, DMR_A_SPARE_MINOR, MINOR(dev)))) ||
	    nl_put_u64(skb, DMR_A_SLOTS_USED, m->used) ||
	    nl_put_u64(skb, DMR_A_SLOTS, m->nr_slots) ||
	    nl_put_u64(skb, DMR_A_SLOTS_BAD, m->bad) || nla_put_u32(skb, DMR_A_TIER, m->tier))
		return -EMSGSIZE;
	return 0;
}

/* --- Statistics ---------------------------------------------------------- */

static int put_io(struct sk_buff *skb, struct remap_set *set)
{
	struct remap_sum sum;
	unsigned int way, path;

	stats_sum(set, &sum);
	for (way = 0; way < 2; way++) {
		for (path = 0; path < NR_PATHS; path++) {
			struct nlattr *nest = nla_nest_start(skb, DMR_A_IO);

			if (!nest || nla_put_u32(skb, DMR_A_IO_DIRECTION, way) ||
			    nla_put_u32(skb, DMR_A_IO_PATH, path) ||
			    nl_put_u64(skb, DMR_A_IO_IOS, sum.ios[way][path]) ||
			    nl_put_u64(skb, DMR_A_IO_SECTORS, sum.sectors[way][path]))
				return -EMSGSIZE;
			nla_nest_end(skb, nest);
		}
	}
	return 0;
}

static int put_errors(struct sk_buff *skb, struct remap_member *m, unsigned int way)
{
	unsigned int i;

	for (i = 0; i < NR_CLASSES; i++) {
		u64 n = atomic64_read(&m->errors[way][i]);
		struct nlattr *nest;

		if (!n)
			continue;
		nest = nla_nest_start(skb, DMR_A_ERRORS);
		if (!nest || nla_put_u32(skb, DMR_A_ERRORS_DIRECTION, way) ||
		    nla_put_u32(skb, DMR_A_ERRORS_CLASS, i) ||
		    nl_put_u64(skb, DMR_A_ERRORS_IOS, n))
			return -EMSGSIZE;
		nla_nest_end(skb, nest);
	}
	return 0;
}

static int put_latency(struct sk_buff *skb, const struct remap_latency *sum, unsigned int way)
{
	struct nlattr *nest = nla_nest_start(skb, DMR_A_LATENCY);
	unsigned int i;

	if (!nest || nla_put_u32(skb, DMR_A_LATENCY_DIRECTION, way))
		return -EMSGSIZE;
	for (i = 0; i < DMR_NL_BUCKETS; i++)
		if (nl_put_u64(skb, DMR_A_LATENCY_BUCKET, sum->buckets[way][i]))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

int nl_put_stats(struct sk_buff *skb, struct remap_set *set, struct remap_member *m)
{
	struct remap_latency sum;
	unsigned int way;

	stats_latency_sum(m, &sum);
	if (nl_put_set(skb, set, false) || nla_put_u32(skb, DMR_A_SPARE, m->index) ||
	    (!m->index && put_io(skb, set)))
		return -EMSGSIZE;
	for (way = 0; way < 2; way++)
		if (put_errors(skb, m, way) || put_latency(skb, &sum, way))
			return -EMSGSIZE;
	return 0;
}

/* --- Events -------------------------------------------------------------- */

static int put_extents(struct sk_buff *skb, const struct event_record *r)
{
	unsigned int i;

	for (i = 0; i < r->nr_extents; i++) {
		struct nlattr *nest = nla_nest_start(skb, DMR_A_EXTENTS);

		if (!nest || nl_put_u64(skb, DMR_A_EXTENT_SECTOR, r->extents[i].sector) ||
		    nl_put_u64(skb, DMR_A_EXTENT_COUNT, r->extents[i].count))
			return -EMSGSIZE;
		nla_nest_end(skb, nest);
	}
	return r->extents_lost ? nl_put_u64(skb, DMR_A_EXTENTS_LOST, r->extents_lost) : 0;
}

int nl_put_event(struct sk_buff *skb, struct remap_set *set, const struct event_record *r,
		 u64 seq)
{
	const struct remap_member *m = r->member >= 0 ? set->members[r->member] : NULL;

	if (nl_put_set(skb, set, true) || nl_put_u64(skb, DMR_A_SESSION, set->store.session) ||
	    nl_put_u64(skb, DMR_A_SEQ, seq) ||
	    nl_put_u64(skb, DMR_A_EVENT_DROPPED, READ_ONCE(set->events.dropped)) ||
	    nla_put_u32(skb, DMR_A_EVENT, r->kind) ||
	    nl_put_u64(skb, DMR_A_TIME, r->time) ||
	    nl_put_u64(skb, DMR_A_TIME_LAST, r->time_last) ||
	    nl_put_u64(skb, DMR_A_OCCURRENCES, r->occurrences) ||
	    nl_put_u64(skb, DMR_A_TOTAL, r->total) ||
	    (m && put_member(skb, m)) ||
	    (r->direction >= 0 && nla_put_u32(skb, DMR_A_DIRECTION, r->direction)) ||
	    (r->class >= 0 && nla_put_u32(skb, DMR_A_CLASS, r->class)) ||
	    (r->max_us && nl_put_u64(skb, DMR_A_MAX_US, r->max_us)) ||
	    (r->edge && r->kind != DMR_NL_EVENT_POLICY &&
	     (nl_put_u64(skb, DMR_A_SLOTS_USED, r->slots_used) ||
	      nl_put_u64(skb, DMR_A_SLOTS, r->slots))) ||
	    (r->breaker >= 0 && nla_put_u32(skb, DMR_A_BREAKER, r->breaker)) ||
	    (r->reason >= 0 && nla_put_u32(skb, DMR_A_REASON, r->reason)) ||
	    (r->kind == DMR_NL_EVENT_POLICY && nl_put_policy(skb, set)) ||
	    (r->kind == DMR_NL_EVENT_SCRUB && nl_put_scrub(skb, set)))
		return -EMSGSIZE;
	return put_extents(skb, r);
}
