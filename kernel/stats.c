// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics: what was counted on each processor, put together. Nothing here is
 * on the path of an I/O that succeeds, but for one that is sampled.
 */
#include <linux/percpu.h>

#include "dm-remap.h"

enum dmr_nl_class status_class(blk_status_t status)
{
	switch (status) {
	case BLK_STS_MEDIUM:
		return DMR_NL_CLASS_MEDIUM;
	case BLK_STS_IOERR:
		return DMR_NL_CLASS_IOERR;
	case BLK_STS_TRANSPORT:
		return DMR_NL_CLASS_TRANSPORT;
	case BLK_STS_TIMEOUT:
		return DMR_NL_CLASS_TIMEOUT;
	case BLK_STS_OFFLINE:
		return DMR_NL_CLASS_OFFLINE;
	case BLK_STS_TARGET:
		return DMR_NL_CLASS_TARGET;
	case BLK_STS_NOTSUPP:
		return DMR_NL_CLASS_NOTSUPP;
	case BLK_STS_PROTECTION:
		return DMR_NL_CLASS_PROTECTION;
	default:
		return blk_status_to_errno(status) == -EBADE ? DMR_NL_CLASS_NEXUS :
							       DMR_NL_CLASS_OTHER;
	}
}

void stats_latency(struct remap_member *m, bool write, u64 ns)
{
	u64 us = div_u64(ns, NSEC_PER_USEC);
	unsigned int bucket = us ? min_t(unsigned int, ilog2(us), DMR_NL_BUCKETS - 1) : 0;

	this_cpu_inc(m->latency->buckets[write][bucket]);
}

void stats_error(struct remap_member *m, bool write, blk_status_t status)
{
	atomic64_inc(&m->errors[write][status_class(status)]);
}

void stats_failed(struct remap_set *set, struct remap_member *m, const struct remap_bio *pb,
		  blk_opf_t opf, blk_status_t status, u64 us)
{
	bool write = op_is_write(opf);

	if (status == BLK_STS_AGAIN)
		return;
	stats_error(m, write, status);
	if (status != BLK_STS_NOTSUPP && !(opf & REQ_RAHEAD))
		event_io(set, write ? DMR_NL_EVENT_WRITE_ERROR : DMR_NL_EVENT_READ_ERROR,
			 m->index, write, status, pb->iter.bi_sector,
			 pb->iter.bi_size >> SECTOR_SHIFT, us);
}

void stats_sum(struct remap_set *set, struct remap_sum *sum)
{
	unsigned int way, path;
	int cpu;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const struct remap_stats *s = per_cpu_ptr(set->stats, cpu);

		for (way = 0; way < 2; way++) {
			for (path = 0; path < NR_PATHS; path++) {
				sum->ios[way][path] += READ_ONCE(s->ios[path][way].nr);
				sum->sectors[way][path] += READ_ONCE(s->ios[path][way].sectors);
			}
		}
	}
}

void stats_latency_sum(struct remap_member *m, struct remap_latency *sum)
{
	unsigned int way, bucket;
	int cpu;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const struct remap_latency *l = per_cpu_ptr(m->latency, cpu);

		for (way = 0; way < 2; way++)
			for (bucket = 0; bucket < DMR_NL_BUCKETS; bucket++)
				sum->buckets[way][bucket] += READ_ONCE(l->buckets[way][bucket]);
	}
}

/* --- As text ------------------------------------------------------------- */

static const char * const way_names[] = { "read", "write" };

static const char * const path_names[NR_PATHS] = {
	[DMR_NL_PATH_DIRECT] = "direct",
	[DMR_NL_PATH_REMAPPED] = "remapped",
	[DMR_NL_PATH_UNREADABLE] = "unreadable",
	[DMR_NL_PATH_DEFERRED] = "deferred",
};

static const char * const class_names[NR_CLASSES] = {
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

static int print_member(struct remap_member *m, unsigned int way, char *buf, size_t size)
{
	struct remap_latency sum;
	unsigned int i, last = 0;
	int used = 0;

	for (i = 0; i < NR_CLASSES; i++) {
		u64 n = atomic64_read(&m->errors[way][i]);

		if (n)
			used += scnprintf(buf + used, size - used, "errors %u %s %s %llu\n",
					  m->index, way_names[way], class_names[i], n);
	}
	stats_latency_sum(m, &sum);
	for (i = 0; i < DMR_NL_BUCKETS; i++)
		if (sum.buckets[way][i])
			last = i + 1;
	if (!last)
		return used;
	used += scnprintf(buf + used, size - used, "latency %u %s", m->index, way_names[way]);
	for (i = 0; i < last; i++)
		used += scnprintf(buf + used, size - used, " %llu", sum.buckets[way][i]);
	return used + scnprintf(buf + used, size - used, "\n");
}

int stats_print(struct remap_set *set, char *buf, size_t size)
{
	struct remap_sum sum;
	unsigned int way, i;
	int used = 0;

	stats_sum(set, &sum);
	for (way = 0; way < 2; way++)
		for (i = 0; i < NR_PATHS; i++)
			used += scnprintf(buf + used, size - used, "io %s %s %llu %llu\n",
					  way_names[way], path_names[i], sum.ios[way][i],
					  sum.sectors[way][i]);
	for (i = 0; i < set->nr_members; i++)
		for (way = 0; way < 2 && set->members[i]; way++)
			used += print_member(set->members[i], way, buf + used, size - used);
	return used;
}
