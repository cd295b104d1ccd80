// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmsetup message: parsing and answers. docs/target.md describes them. What
 * changes something is handed to the worker as a request.
 */
#include "dm-remap.h"

#define EVACUATE_ROUND	(5 * HZ)

/* Append to the answer; what does not fit is not begun. */
struct answer {
	char *buf;
	unsigned int size, used;
};

static __printf(2, 3) bool say(struct answer *a, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(a->buf + a->used, a->size - a->used, fmt, args);
	va_end(args);
	if (n >= a->size - a->used) {
		a->buf[a->used] = '\0';
		return false;
	}
	a->used += n;
	return true;
}

/* Pairs of first and count within @end, all of them checked before any is used. */
static int check_ranges(struct remap_set *set, unsigned int argc, char **argv, u64 end)
{
	unsigned int i;
	u64 first, count;

	if (!argc || argc % 2) {
		DMERR("%s: message: pairs of first and count expected", set->name);
		return -EINVAL;
	}
	for (i = 0; i < argc; i += 2) {
		if (kstrtou64(argv[i], 10, &first) || kstrtou64(argv[i + 1], 10, &count)) {
			DMERR("%s: message: '%s %s' are not two numbers", set->name,
			      argv[i], argv[i + 1]);
			return -EINVAL;
		}
		if (!count || first >= end || count > end - first) {
			DMERR("%s: message: %llu %llu is not within the device (%llu)",
			      set->name, first, count, end);
			return -EINVAL;
		}
	}
	return 0;
}

static int run_ranges(struct remap_set *set, enum request_kind kind, unsigned int argc,
		      char **argv, struct answer *a)
{
	u64 align = set->sector_align, end;
	u64 moved = 0, lost = 0, unchanged = 0, failed = 0;
	unsigned int i;
	int r;

	end = kind == REQUEST_UNREADABLE ? set->data_sectors :
	      (set->data_sectors + set->block_sectors - 1) >> set->block_shift;
	r = check_ranges(set, argc, argv, end);
	for (i = 0; i < argc && !r; i += 2) {
		struct remap_request rq = { .kind = kind };

		r = kstrtou64(argv[i], 10, &rq.first);
		if (!r)
			r = kstrtou64(argv[i + 1], 10, &rq.count);
		if (r)
			break;
		if (kind == REQUEST_UNREADABLE) {
			/* What can only be rewritten together is lost together. */
			u64 last = round_up(rq.first + rq.count, align);

			rq.first = round_down(rq.first, align);
			rq.count = last - rq.first;
		}
		r = remap_request_range(set, &rq);
		moved += rq.moved;
		lost += rq.lost;
		unchanged += rq.unchanged;
		failed += rq.failed;
	}
	if (r && !moved && !lost)
		return r;
	if (kind == REQUEST_RELOCATE)
		say(a, "relocated %llu lost %llu unchanged %llu failed %llu",
		    moved, lost, unchanged, failed);
	else if (kind == REQUEST_RELEASE)
		say(a, "released %llu unchanged %llu failed %llu", moved, unchanged, failed);
	else
		say(a, "lost %llu", lost);
	if (r)
		say(a, " error %d", r);
	return 1;
}

static int run_evacuate(struct remap_set *set, unsigned int argc, char **argv)
{
	struct remap_request rq = { };
	struct remap_member *m;
	int r;

	if (argc != 1 || kstrtou64(argv[0], 10, &rq.first)) {
		DMERR("%s: message: evacuate takes the number of a spare", set->name);
		return -EINVAL;
	}
	m = rq.first && rq.first < set->nr_members ? set->members[rq.first] : NULL;
	if (!is_member(m)) {
		DMERR("%s: message: there is no spare %llu", set->name, rq.first);
		return -EINVAL;
	}
	if (!m->bdev && m->used) {
		DMERR("%s: message: spare %llu is missing and %u blocks live on it", set->name,
		      rq.first, m->used);
		return -ENXIO;
	}
	/* In rounds, between which others can change something. */
	do {
		rq = (struct remap_request){
			.kind = REQUEST_EVACUATE,
			.first = m->index,
			.deadline = (jiffies + EVACUATE_ROUND) | 1,
		};
		if (mutex_lock_interruptible(&set->change_lock))
			return -EINTR;
		r = is_member(m) ? remap_request(set, &rq) : -EINVAL;
		mutex_unlock(&set->change_lock);
	} while (r == -ETIME);
	return r;
}

static int run_policy(struct remap_set *set, unsigned int argc, char **argv, struct answer *a)
{
	struct dmr_policy policy;
	unsigned int i;
	int r = 0;

	if (argc % 2) {
		DMERR("%s: message: policy takes pairs of name and value", set->name);
		return -EINVAL;
	}
	mutex_lock(&set->change_lock);
	policy = set->policy.disk;
	policy.version = 0;
	for (i = 0; i < argc && !r; i += 2) {
		r = policy_parse(&policy, argv[i], argv[i + 1]);
		if (r)
			DMERR("%s: message: '%s %s' is not a policy", set->name, argv[i],
			      argv[i + 1]);
	}
	if (argc && !r)
		r = policy_set(set, &policy, DMR_NL_REASON_SET);
	mutex_unlock(&set->change_lock);
	if (r)
		return r;
	policy_copy(set, &policy);
	policy_print(&policy, a->buf, a->size);
	return 1;
}

static int run_scrub(struct remap_set *set, unsigned int argc, char **argv)
{
	if (argc == 1 && !strcmp(argv[0], "start"))
		return scrub_start(set, 0, 0);
	if (argc == 1 && !strcmp(argv[0], "pause"))
		return scrub_pause(set);
	if (argc == 1 && !strcmp(argv[0], "resume"))
		return scrub_resume(set);
	if (argc == 1 && !strcmp(argv[0], "cancel"))
		return scrub_cancel(set);
	DMERR("%s: message: scrub takes start, pause, resume or cancel", set->name);
	return -EINVAL;
}

/* Long enough for "next <block>" behind whatever fits. */
#define MAP_TAIL	32

static int list_map(struct remap_set *set, unsigned int argc, char **argv, struct answer *a)
{
	struct map_entry e;
	u64 block;

	if (argc != 1 || kstrtou64(argv[0], 10, &block)) {
		DMERR("%s: message: map takes the number of a block", set->name);
		return -EINVAL;
	}
	if (a->size < 2 * MAP_TAIL)
		return -ENOSPC;
	a->size -= MAP_TAIL;
	while (map_next(&set->map, block, &e)) {
		bool moved = e.state == DMR_RECORD_REMAPPED;

		block = e.block;
		if (e.state != DMR_RECORD_FREE &&
		    !say(a, "%llu %u %u %x\n", e.block, moved ? e.member : 0,
			 moved ? e.slot : 0, e.invalid)) {
			a->size += MAP_TAIL;
			say(a, "next %llu\n", block);
			return 1;
		}
		block++;
		cond_resched();
	}
	a->size += MAP_TAIL;
	say(a, "end\n");
	return 1;
}

int remap_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
		  unsigned int maxlen)
{
	struct remap_target *rt = ti->private;
	struct answer a = { .buf = result, .size = maxlen };
	struct remap_set *set;
	int r = -EINVAL;

	down_read(&rt->lock);
	set = rt->set;
	if (!set) {
		DMERR("message: the device is suspended or was never resumed");
		r = -ENXIO;
	} else if (!strcmp(argv[0], "relocate")) {
		r = run_ranges(set, REQUEST_RELOCATE, argc - 1, argv + 1, &a);
	} else if (!strcmp(argv[0], "release")) {
		r = run_ranges(set, REQUEST_RELEASE, argc - 1, argv + 1, &a);
	} else if (!strcmp(argv[0], "unreadable")) {
		r = run_ranges(set, REQUEST_UNREADABLE, argc - 1, argv + 1, &a);
	} else if (!strcmp(argv[0], "evacuate")) {
		r = run_evacuate(set, argc - 1, argv + 1);
	} else if (!strcmp(argv[0], "policy")) {
		r = run_policy(set, argc - 1, argv + 1, &a);
	} else if (!strcmp(argv[0], "scrub")) {
		r = run_scrub(set, argc - 1, argv + 1);
	} else if (!strcmp(argv[0], "stats") && argc == 1) {
		stats_print(set, result, maxlen);
		r = 1;
	} else if (!strcmp(argv[0], "map")) {
		r = list_map(set, argc - 1, argv + 1, &a);
	} else {
		DMERR("%s: message: '%s' is unknown", set->name, argv[0]);
	}
	up_read(&rt->lock);
	return r;
}
