// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: what include/dm-remap.yaml describes. All of it is
 * for CAP_NET_ADMIN in the initial user namespace. A request holds its set in use for as
 * long as it takes, and no longer than REQUEST_LIMIT or so.
 */
#include <linux/sched/mm.h>

#include "netlink.h"
#include "netlink-policy.h"

enum { GROUP_EVENTS };

static const struct genl_multicast_group groups[] = {
	[GROUP_EVENTS] = { .name = DMR_MCGRP_EVENTS, GROUP_FOR_ADMIN },
};

/* --- Requests about one set ---------------------------------------------- */

const char *nl_text(struct nlattr **attrs, int attr)
{
	return attrs[attr] ? nla_data(attrs[attr]) : NULL;
}

struct nlattr *nl_named_by(struct nlattr **attrs)
{
	return attrs[DMR_A_UUID] ? attrs[DMR_A_UUID] : attrs[DMR_A_NAME];
}

/* Why there is none. */
int nl_no_set(int r, struct nlattr **attrs, struct netlink_ext_ack *extack)
{
	if (r == -EAGAIN)
		NL_SET_ERR_MSG_ATTR(extack, nl_named_by(attrs),
				    "the set is being suspended or resumed; try again");
	else
		NL_SET_ERR_MSG_ATTR(extack, nl_named_by(attrs), "no such set is in use");
	return r;
}

/* An attribute that the request lacks. @why is a constant. */
static void absent(struct netlink_ext_ack *extack, int attr, const char *why)
{
	if (!extack)
		return;
	extack->_msg = why;
	NL_SET_ERR_ATTR_MISS(extack, NULL, attr);
}

/* A request about one set, from begin() to end(). */
struct request {
	struct remap_set *set;
	unsigned int noio;
	struct sk_buff *skb;		/* the answer; NULL: it has none */
	void *header;
};

#define ANSWERS	BIT(0)
#define CHANGES	BIT(1)

/*
 * The answer is made before the set is held, and sent after: while a set is being
 * suspended, its user must not wait for memory. What changes a set can lose data, as
 * dmsetup can, and asks for the same privilege.
 */
static int begin(struct request *q, struct sk_buff *skb, struct genl_info *info,
		 unsigned int flags)
{
	const char *name = nl_text(info->attrs, DMR_A_NAME);
	const char *uuid = nl_text(info->attrs, DMR_A_UUID);
	int r = -EMSGSIZE;

	memset(q, 0, sizeof(*q));
	if (flags & CHANGES && !netlink_capable(skb, CAP_SYS_ADMIN)) {
		GENL_SET_ERR_MSG(info, "CAP_SYS_ADMIN is needed to change a set");
		return -EPERM;
	}
	if (!name && !uuid) {
		absent(info->extack, DMR_A_NAME, "name or uuid of a set is needed");
		return -EINVAL;
	}
	if (flags & ANSWERS) {
		q->skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
		if (!q->skb)
			return -ENOMEM;
		q->header = genlmsg_put_reply(q->skb, info, &netlink_family, 0,
					      info->genlhdr->cmd);
		if (!q->header)
			goto fail;
	}
	q->set = set_get(name, uuid, 0);
	if (IS_ERR(q->set)) {
		r = nl_no_set(PTR_ERR(q->set), info->attrs, info->extack);
		goto fail;
	}
	q->noio = memalloc_noio_save();
	return 0;
fail:
	nlmsg_free(q->skb);
	return r;
}

/* Send the answer if @r is 0. */
static int end(struct request *q, struct genl_info *info, int r)
{
	memalloc_noio_restore(q->noio);
	set_put(q->set);
	if (!q->skb)
		return r;
	if (r) {
		nlmsg_free(q->skb);
		return r;
	}
	genlmsg_end(q->skb, q->header);
	return genlmsg_reply(q->skb, info);
}

static int device_get(struct sk_buff *skb, struct genl_info *info)
{
	struct request q;
	int r = begin(&q, skb, info, ANSWERS);

	return r ? r : end(&q, info, nl_put_device(q.skb, q.set));
}

static int policy_get(struct sk_buff *skb, struct genl_info *info)
{
	struct request q;
	int r = begin(&q, skb, info, ANSWERS);

	if (r)
		return r;
	r = nl_put_set(q.skb, q.set, false);
	if (!r)
		r = nl_put_policy(q.skb, q.set);
	return end(&q, info, r);
}

static int scrub_get_now(struct sk_buff *skb, struct genl_info *info)
{
	struct request q;
	int r = begin(&q, skb, info, ANSWERS);

	if (r)
		return r;
	r = nl_put_set(q.skb, q.set, false);
	if (!r)
		r = nl_put_scrub(q.skb, q.set);
	return end(&q, info, r);
}

/* --- Policy -------------------------------------------------------------- */

static void take_u32(__le32 *field, struct nlattr **tb, int attr, u32 added)
{
	if (tb[attr])
		*field = cpu_to_le32(nla_get_u32(tb[attr]) + added);
}

static void take_policy(struct dmr_policy *p, struct nlattr **tb)
{
	p->version = tb[DMR_A_POLICY_VERSION] ?
		     cpu_to_le64(nla_get_u64(tb[DMR_A_POLICY_VERSION])) : 0;
	take_u32(&p->heal, tb, DMR_A_POLICY_HEAL, 0);
	take_u32(&p->unreadable, tb, DMR_A_POLICY_UNREADABLE, 0);
	take_u32(&p->ioerr, tb, DMR_A_POLICY_IOERR, 0);
	take_u32(&p->retries, tb, DMR_A_POLICY_RETRIES, 0);
	take_u32(&p->slow_ms, tb, DMR_A_POLICY_SLOW_MS, 0);
	take_u32(&p->sample, tb, DMR_A_POLICY_SAMPLE, 0);
	take_u32(&p->breaker_streak, tb, DMR_A_POLICY_BREAKER_STREAK, 0);
	take_u32(&p->breaker_ms, tb, DMR_A_POLICY_BREAKER_MS, 0);
	take_u32(&p->relocate_rate, tb, DMR_A_POLICY_RELOCATE_RATE, 0);
	take_u32(&p->scrub_rate, tb, DMR_A_POLICY_SCRUB_RATE, 0);
	take_u32(&p->spare_low, tb, DMR_A_POLICY_SPARE_LOW, 1);
	take_u32(&p->lifetime, tb, DMR_A_POLICY_LIFETIME, 0);
}

static int policy_set_now(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *nest = info->attrs[DMR_A_POLICY], *tb[DMR_A_POLICY_MAX + 1];
	struct dmr_policy policy;
	struct request q;
	int r;

	if (!nest) {
		absent(info->extack, DMR_A_POLICY, "policy is needed");
		return -EINVAL;
	}
	r = nla_parse_nested(tb, DMR_A_POLICY_MAX, nest, dmr_policy_attr_policy, info->extack);
	if (!r)
		r = begin(&q, skb, info, ANSWERS | CHANGES);
	if (r)
		return r;
	mutex_lock(&q.set->change_lock);
	policy = q.set->policy.disk;
	take_policy(&policy, tb);
	/* For policy_set() 0 is none at all. */
	r = tb[DMR_A_POLICY_VERSION] && !policy.version ? -ESTALE :
		policy_set(q.set, &policy, DMR_NL_REASON_SET);
	if (r == -ESTALE)
		NL_SET_ERR_MSG_ATTR(info->extack, tb[DMR_A_POLICY_VERSION],
				    "version is not above that in force");
	else if (r == -ERANGE)
		NL_SET_ERR_MSG_ATTR(info->extack, tb[DMR_A_POLICY_VERSION],
				    "no other version could be above it");
	else if (r)
		GENL_SET_ERR_MSG(info, "the policy can not be kept");
	if (!r)
		r = nl_put_set(q.skb, q.set, false);
	if (!r)
		r = nl_put_policy(q.skb, q.set);
	mutex_unlock(&q.set->change_lock);
	return end(&q, info, r);
}

/* --- Ranges -------------------------------------------------------------- */

static u64 blocks_of(const struct remap_set *set)
{
	return (set->data_sectors + set->block_sectors - 1) >> set->block_shift;
}

/* A range of blocks; @whole: what is absent is to the end. */
int nl_take_range(const struct remap_set *set, struct nlattr **attrs,
		  struct netlink_ext_ack *extack, bool whole, u64 *first, u64 *count)
{
	u64 end = blocks_of(set);

	if (!whole && (!attrs[DMR_A_FIRST] || !attrs[DMR_A_COUNT])) {
		absent(extack, attrs[DMR_A_FIRST] ? DMR_A_COUNT : DMR_A_FIRST,
		       "first and count are needed");
		return -EINVAL;
	}
	*first = attrs[DMR_A_FIRST] ? nla_get_u64(attrs[DMR_A_FIRST]) : 0;
	if (*first >= end) {
		NL_SET_ERR_MSG_ATTR(extack, attrs[DMR_A_FIRST],
				    "first is behind the end of the device");
		return -ERANGE;
	}
	*count = attrs[DMR_A_COUNT] ? nla_get_u64(attrs[DMR_A_COUNT]) : end - *first;
	if (*count > end - *first) {
		NL_SET_ERR_MSG_ATTR(extack, attrs[DMR_A_COUNT],
				    "the range goes beyond the end of the device");
		return -ERANGE;
	}
	return 0;
}

static int put_result(struct sk_buff *skb, const struct remap_request *rq, int r)
{
	if (nl_put_u64(skb, DMR_A_MOVED, rq->moved) ||
	    (rq->kind == REQUEST_RELOCATE && nl_put_u64(skb, DMR_A_LOST, rq->lost)) ||
	    nl_put_u64(skb, DMR_A_UNCHANGED, rq->unchanged) ||
	    nl_put_u64(skb, DMR_A_FAILED, rq->failed) ||
	    (r && nla_put_u32(skb, DMR_A_ERROR, -r)))
		return -EMSGSIZE;
	return 0;
}

/* Where nothing was done, why; else what was done, though it ended early. */
static int range_failed(const struct remap_request *rq, struct genl_info *info, int r)
{
	if (!r || r == -ETIME || rq->moved || rq->lost)
		return 0;
	if (r == -ENOSPC)
		GENL_SET_ERR_MSG(info, "no spare block, or no room in the map, is left");
	else if (r == -EINTR)
		GENL_SET_ERR_MSG(info, "interrupted, or the set is being suspended");
	else if (r == -EIO)
		GENL_SET_ERR_MSG(info, "the map can not be written");
	return r;
}

/* The whole of generic netlink waits when a request is long and a family comes or goes. */
#define REQUEST_LIMIT	(20 * HZ)

static int move_range(struct sk_buff *skb, struct genl_info *info, struct remap_request *rq)
{
	struct request q;
	int r = begin(&q, skb, info, ANSWERS | CHANGES), moved = 0;

	if (r)
		return r;
	r = nl_take_range(q.set, info->attrs, info->extack, false, &rq->first, &rq->count);
	if (!r && rq->slow_only && q.set->policy.slow_us == U32_MAX) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[DMR_A_SLOW_ONLY],
				    "slow-only needs a slow-ms in the policy");
		r = -EINVAL;
	}
	if (!r) {
		rq->deadline = (jiffies + REQUEST_LIMIT) | 1;
		moved = remap_request_range(q.set, rq);
		r = range_failed(rq, info, moved);
	}
	if (!r)
		r = nl_put_set(q.skb, q.set, false);
	if (!r)
		r = put_result(q.skb, rq, moved);
	return end(&q, info, r);
}

static int relocate(struct sk_buff *skb, struct genl_info *info)
{
	struct remap_request rq = {
		.kind = REQUEST_RELOCATE,
		.slow_only = nla_get_flag(info->attrs[DMR_A_SLOW_ONLY]),
	};

	return move_range(skb, info, &rq);
}

static int release(struct sk_buff *skb, struct genl_info *info)
{
	struct remap_request rq = { .kind = REQUEST_RELEASE };

	return move_range(skb, info, &rq);
}

/* --- Scrub --------------------------------------------------------------- */

static int scrub_failed(struct genl_info *info, int r)
{
	if (r == -EBUSY)
		GENL_SET_ERR_MSG(info, "a scrub is running or paused already");
	else if (r == -ENOENT)
		GENL_SET_ERR_MSG(info, "no scrub is running or paused");
	else if (r == -EINTR)
		GENL_SET_ERR_MSG(info, "interrupted while the scrub reads");
	else if (r && r != -ERANGE)
		GENL_SET_ERR_MSG(info, "the state of the scrub can not be kept");
	return r;
}

static int scrub_start_now(struct sk_buff *skb, struct genl_info *info)
{
	struct request q;
	u64 first, count;
	int r = begin(&q, skb, info, CHANGES);

	if (r)
		return r;
	r = nl_take_range(q.set, info->attrs, info->extack, true, &first, &count);
	if (!r)
		r = scrub_failed(info, scrub_start(q.set, first, count));
	return end(&q, info, r);
}

static int scrub_change(struct sk_buff *skb, struct genl_info *info,
			int (*change)(struct remap_set *set))
{
	struct request q;
	int r = begin(&q, skb, info, CHANGES);

	return r ? r : end(&q, info, scrub_failed(info, change(q.set)));
}

static int scrub_pause_now(struct sk_buff *skb, struct genl_info *info)
{
	return scrub_change(skb, info, scrub_pause);
}

static int scrub_resume_now(struct sk_buff *skb, struct genl_info *info)
{
	return scrub_change(skb, info, scrub_resume);
}

static int scrub_cancel_now(struct sk_buff *skb, struct genl_info *info)
{
	return scrub_change(skb, info, scrub_cancel);
}

/* --- Spares -------------------------------------------------------------- */

/*
 * dm computed the limits of the mapped device from the devices of its table. Another
 * device may be added behind its back only if that would have changed none of them
 * (R9); above all, a device with a volatile cache needs flushes to be sent at all (R2).
 */
static const char *limits_differ(struct remap_set *set, struct block_device *bdev)
{
	struct block_device *top = dm_disk(dm_table_get_md(set->ti->table))->part0;

	if (bdev_is_zoned(bdev))
		return "zoned devices are not supported";
	if (bdev_logical_block_size(bdev) > bdev_logical_block_size(top))
		return "its logical blocks are larger, and that needs a reload of the table";
	if (bdev_dma_alignment(bdev) > bdev_dma_alignment(top))
		return "it aligns memory more strictly, and that needs a reload of the table";
	if (bdev_write_cache(bdev) && !bdev_write_cache(top))
		return "only it has a write cache, and that needs a reload of the table";
	if (bdev_stable_writes(bdev) && !bdev_stable_writes(top))
		return "it needs stable pages, and that needs a reload of the table";
	if (bdev_nowait(top) && !bdev_nowait(bdev))
		return "it may wait where no other does, and that needs a reload of the table";
	if (bdev_write_zeroes_sectors(top) && !bdev_write_zeroes_sectors(bdev))
		return "it can not write zeroes, and that needs a reload of the table";
	if (bdev_max_secure_erase_sectors(top) && !bdev_max_secure_erase_sectors(bdev))
		return "it can not erase, and that needs a reload of the table";
	return NULL;
}

static void spare_refused(struct genl_info *info, const char *why)
{
	/* One of a few constant sentences, which the macro wants to see in place. */
	if (info->extack)
		info->extack->_msg = why;
	NL_SET_BAD_ATTR(info->extack, info->attrs[DMR_A_SPARE_MAJOR]);
}

/* On success the set has the device, and @member is its number. */
static int join_device(struct remap_set *set, struct genl_info *info, struct dm_dev *dev,
		       struct dmr_anchor *anchor, unsigned int *member)
{
	struct remap_request rq = { .kind = REQUEST_JOIN };
	const char *why = limits_differ(set, dev->bdev);
	int r = why ? -EOPNOTSUPP : 0;

	if (!r)
		r = set_check_spare(set, dev->bdev, anchor, &rq.joiner, &why);
	if (!r) {
		r = set_add_device(set, dev);
		why = r == -EBUSY ? "is in use by this set or another" :
				    "is one too many for now, and that needs a reload of the table";
	}
	if (r) {
		member_free(rq.joiner);
		dm_put_device(set->ti, dev);
		spare_refused(info, why);
		return r;
	}
	r = remap_request(set, &rq);
	*member = rq.joiner->index;
	if (!r)
		return 0;
	spare_refused(info, "can not be written to, or the set is being suspended");
	/* A member that is known to the worker lives as long as the set. */
	if (rq.joiner->state != MEMBER_ACTIVE)
		set_remove_device(set, dev);
	if (!rq.joiner->index)
		member_free(rq.joiner);
	return r;
}

static int spare_add(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct dmr_anchor *anchor;
	unsigned int member;
	struct dm_dev *dev;
	struct request q;
	char path[32];
	int r;

	if (!attrs[DMR_A_SPARE_MAJOR] || !attrs[DMR_A_SPARE_MINOR]) {
		absent(info->extack,
		       attrs[DMR_A_SPARE_MAJOR] ? DMR_A_SPARE_MINOR : DMR_A_SPARE_MAJOR,
		       "spare-major and spare-minor are needed");
		return -EINVAL;
	}
	anchor = kmalloc(sizeof(*anchor), GFP_KERNEL);
	if (!anchor)
		return -ENOMEM;
	r = begin(&q, skb, info, ANSWERS | CHANGES);
	if (r) {
		kfree(anchor);
		return r;
	}
	snprintf(path, sizeof(path), "%u:%u", nla_get_u32(attrs[DMR_A_SPARE_MAJOR]),
		 nla_get_u32(attrs[DMR_A_SPARE_MINOR]));
	mutex_lock(&q.set->change_lock);
	r = dm_get_device(q.set->ti, path, BLK_OPEN_READ | BLK_OPEN_WRITE, &dev);
	if (r)
		spare_refused(info, "can not be opened for writing");
	else
		r = join_device(q.set, info, dev, anchor, &member);
	mutex_unlock(&q.set->change_lock);
	kfree(anchor);
	if (!r)
		r = nl_put_set(q.skb, q.set, false);
	if (!r)
		r = nla_put_u32(q.skb, DMR_A_SPARE, member);
	return end(&q, info, r);
}

static int check_retire(struct remap_set *set, struct genl_info *info, u32 index)
{
	struct nlattr *attr = info->attrs[DMR_A_SPARE];
	const struct remap_member *m;

	m = index && index < set->nr_members ? set->members[index] : NULL;
	if (!is_member(m)) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "there is no such spare");
		return -ENOENT;
	}
	if (!m->bdev && m->used) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "the spare is missing and blocks live on it");
		return -ENXIO;
	}
	return 0;
}

static int spare_retire_now(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *attr = info->attrs[DMR_A_SPARE];
	struct remap_request rq = {
		.kind = REQUEST_EVACUATE,
		.deadline = (jiffies + REQUEST_LIMIT) | 1,
	};
	struct request q;
	int r;

	if (!attr) {
		absent(info->extack, DMR_A_SPARE, "spare is needed");
		return -EINVAL;
	}
	r = begin(&q, skb, info, ANSWERS | CHANGES);
	if (r)
		return r;
	rq.first = nla_get_u32(attr);
	mutex_lock(&q.set->change_lock);
	r = check_retire(q.set, info, rq.first);
	if (!r) {
		r = remap_request(q.set, &rq);
		if (r == -ENOSPC)
			GENL_SET_ERR_MSG(info, "no other spare has room, or else holds the map");
		else if (r == -ETIME)
			GENL_SET_ERR_MSG(info, "it is not done yet; repeat it to go on");
		else if (r)
			GENL_SET_ERR_MSG(info, "not all blocks could be moved off the spare");
	}
	mutex_unlock(&q.set->change_lock);
	if (!r)
		r = nl_put_set(q.skb, q.set, false);
	if (!r)
		r = nla_put_u32(q.skb, DMR_A_SPARE, rq.first);
	return end(&q, info, r);
}

/* --- Events -------------------------------------------------------------- */

int netlink_event(struct remap_set *set, const struct event_record *r, u64 seq)
{
	struct sk_buff *skb;
	void *header;

	set_dm_name(set, set->dm_name);
	if (!genl_has_listeners(&netlink_family, &init_net, GROUP_EVENTS))
		return 0;
	/* Who sends must never wait: the set may be on its way to be suspended. */
	skb = genlmsg_new(NLMSG_GOODSIZE, GFP_NOWAIT | __GFP_NOWARN);
	if (!skb)
		return -ENOMEM;
	header = genlmsg_put(skb, 0, 0, &netlink_family, 0, DMR_CMD_EVENT);
	if (WARN_ON_ONCE(!header || nl_put_event(skb, set, r, seq))) {
		nlmsg_free(skb);
		return 0;
	}
	genlmsg_end(skb, header);
	/* Whether anybody's buffer was full is his to see, by the gap. */
	genlmsg_multicast(&netlink_family, skb, 0, GROUP_EVENTS, GFP_NOWAIT | __GFP_NOWARN);
	return 0;
}

/* --- The family ---------------------------------------------------------- */

#define OP(command, name, handler, dump) \
	{ .cmd = DMR_CMD_##command, .flags = GENL_ADMIN_PERM, \
	  .policy = dmr_##name##_nl_policy, \
	  .maxattr = ARRAY_SIZE(dmr_##name##_nl_policy) - 1, \
	  .doit = handler, .dumpit = dump }

static const struct genl_ops ops[] = {
	OP(DEVICE_GET, device_get, device_get, nl_device_dump),
	OP(SPARE_GET, spare_get, NULL, nl_spare_dump),
	OP(MAP_GET, map_get, NULL, nl_map_dump),
	OP(UNREADABLE_GET, unreadable_get, NULL, nl_unreadable_dump),
	OP(STATS_GET, stats_get, NULL, nl_stats_dump),
	OP(POLICY_GET, policy_get, policy_get, nl_policy_dump),
	OP(POLICY_SET, policy_set, policy_set_now, NULL),
	OP(RELOCATE, relocate, relocate, NULL),
	OP(RELEASE, release, release, NULL),
	OP(SCRUB_GET, scrub_get, scrub_get_now, nl_scrub_dump),
	OP(SCRUB_START, scrub_start, scrub_start_now, NULL),
	OP(SCRUB_PAUSE, scrub_pause, scrub_pause_now, NULL),
	OP(SCRUB_RESUME, scrub_resume, scrub_resume_now, NULL),
	OP(SCRUB_CANCEL, scrub_cancel, scrub_cancel_now, NULL),
	OP(SPARE_ADD, spare_add, spare_add, NULL),
	OP(SPARE_RETIRE, spare_retire, spare_retire_now, NULL),
};

struct genl_family netlink_family __ro_after_init = {
	.name = DMR_GENL_NAME,
	.version = DMR_GENL_VERSION,
	.module = THIS_MODULE,
	.parallel_ops = true,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

int __init netlink_init(void)
{
	return genl_register_family(&netlink_family);
}

void netlink_exit(void)
{
	genl_unregister_family(&netlink_family);
}
