// SPDX-License-Identifier: GPL-2.0-only
/*
 * What dmsetup shows: status, table, and the string for IMA. docs/target.md
 * describes them.
 */
#include "dm-remap.h"

const char * const counter_names[NR_COUNTERS] = {
	[C_READ_ERRORS] = "read_errors",
	[C_WRITE_ERRORS] = "write_errors",
	[C_PASSED] = "passed",
	[C_RELOCATED] = "relocated",
	[C_RELOCATE_FAILED] = "relocate_failed",
	[C_HEALED] = "healed",
	[C_LOST_SECTORS] = "lost_sectors",
	[C_RELEASED] = "released",
	[C_REDONE] = "redone",
	[C_BREAKER_TRIPS] = "breaker_trips",
	[C_COMMITS] = "commits",
	[C_METADATA_ERRORS] = "metadata_errors",
	[C_FLUSH_ERRORS] = "flush_errors",
};

static const char *member_state_name(const struct remap_member *m)
{
	switch (m->state) {
	case MEMBER_ACTIVE:
		return "active";
	case MEMBER_MISSING:
		return "missing";
	default:
		return "out";
	}
}

bool is_member(const struct remap_member *m)
{
	return m && !(m->leaving && m->state == MEMBER_OUT);
}

static void status_info(struct remap_set *set, char *result, unsigned int maxlen)
{
	unsigned int sz = 0, i, nr = 0;
	char dev[16];
	u64 used, slots;

	spare_total(set, &used, &slots);
	DMEMIT("%s %llu %u %llu/%llu %u %u %u/%u %s",
	       set->store.frozen ? "frozen" : "rw", set->store.gen, set->block_sectors,
	       used, slots, set->map.remapped, set->map.lost,
	       set->map.nr_records - set->map.free_records, set->map.nr_records,
	       set->breaker_open ? "open" : "closed");
	for (i = 1; i < set->nr_members; i++)
		nr += is_member(set->members[i]);
	DMEMIT(" %u", nr);
	for (i = 1; i < set->nr_members; i++) {
		struct remap_member *m = set->members[i];

		if (!is_member(m))
			continue;
		strscpy(dev, "-", sizeof(dev));
		if (member_dev(m))
			format_dev_t(dev, member_dev(m));
		DMEMIT(" %u %s %s %u/%u/%u", i, dev, member_state_name(m), m->used, m->bad,
		       m->nr_slots);
	}
	DMEMIT(" %u header_out %u", NR_COUNTERS + 1, set->members[0]->state == MEMBER_OUT);
	for (i = 0; i < NR_COUNTERS; i++)
		DMEMIT(" %s %lld", counter_names[i],
		       (long long)atomic64_read(&set->counters[i]));
}

static unsigned int feature_words(const struct remap_target *rt)
{
	return 2 * !!rt->data_offset + 2 * rt->internal + 2 * rt->has_uuid + rt->degraded;
}

/* Spares that are there for as long as RCU is held. */
static unsigned int spares_now(const struct remap_target *rt)
{
	/* Pairs with set_add_device(), and set_remove_device() waits for who sees it. */
	return smp_load_acquire(&rt->nr_spares);
}

static void status_table(struct remap_target *rt, char *result, unsigned int maxlen)
{
	unsigned int sz = 0, i, nr;

	DMEMIT("%s", rt->data->name);
	rcu_read_lock();
	nr = spares_now(rt);
	for (i = 0; i < nr; i++)
		DMEMIT(" %s", rt->spares[i]->name);
	rcu_read_unlock();
	if (!feature_words(rt))
		return;
	DMEMIT(" %u", feature_words(rt));
	if (rt->data_offset)
		DMEMIT(" data_offset %llu", (u64)rt->data_offset);
	if (rt->internal)
		DMEMIT(" internal_spare %llu", (u64)rt->internal_start);
	if (rt->has_uuid)
		DMEMIT(" set_uuid %pUb", rt->uuid);
	if (rt->degraded)
		DMEMIT(" degraded");
}

static void status_ima(struct dm_target *ti, char *result, unsigned int maxlen)
{
	struct remap_target *rt = ti->private;
	unsigned int sz = 0, i, nr;

	DMEMIT_TARGET_NAME_VERSION(ti->type);
	DMEMIT(",data_device=%s,data_offset=%llu", rt->data->name, (u64)rt->data_offset);
	rcu_read_lock();
	nr = spares_now(rt);
	for (i = 0; i < nr; i++)
		DMEMIT(",spare_device_%u=%s", i, rt->spares[i]->name);
	rcu_read_unlock();
	if (rt->internal)
		DMEMIT(",internal_spare=%llu", (u64)rt->internal_start);
	if (rt->has_uuid)
		DMEMIT(",set_uuid=%pUb", rt->uuid);
	DMEMIT(",degraded=%c;", rt->degraded ? 'y' : 'n');
}

void remap_status(struct dm_target *ti, status_type_t type, unsigned int flags,
		  char *result, unsigned int maxlen)
{
	struct remap_target *rt = ti->private;
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		down_read(&rt->lock);
		if (rt->set)
			status_info(rt->set, result, maxlen);
		else
			DMEMIT("inactive");
		up_read(&rt->lock);
		break;
	case STATUSTYPE_TABLE:
		status_table(rt, result, maxlen);
		break;
	case STATUSTYPE_IMA:
		status_ima(ti, result, maxlen);
		break;
	}
}

